// Command bench compares the throughput of package upstream with that of a
// bare net/http handler and of the JavaScript middleware, side by side.
//
// Each server is a process of its own on one core; this process is the load
// generator and has another. The servers get the same request in turns, round
// after round, because a ratio within one round survives a noisy machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command. Without arguments it is the benchmark; "serve
// <name>" is how it starts its own servers.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == "serve" {
		if err := serve(args[1], stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "error:", err)
			return 1
		}
		return 0
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o options
	flags.IntVar(&o.rounds, "rounds", 25, "how often each server has its turn")
	flags.DurationVar(&o.duration, "duration", time.Second, "how long a turn is measured")
	flags.DurationVar(&o.warmup, "warmup", 200*time.Millisecond, "how long a turn runs before it is measured")
	flags.IntVar(&o.connections, "connections", 16, "how many keep-alive connections send requests")
	if flags.Parse(args) != nil || flags.NArg() > 0 || o.rounds < 1 || o.connections < 1 || o.duration <= 0 || o.warmup < 0 {
		fmt.Fprintln(stderr, "usage: bench [-rounds n] [-duration d] [-warmup d] [-connections n]")
		return 2
	}
	if err := compare(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

type options struct {
	rounds           int
	duration, warmup time.Duration
	connections      int
}

// A contender is one row of the table.
type contender struct {
	name  string
	title string
	rates []float64 // requests per second, one for each round
	costs []float64 // microseconds of processor time per request; empty where they cannot be measured
	idle  float64   // how many of the load generator's looks found no answer, in the last round
}

// The names of the contenders.
const (
	nameBare     = "bare"
	nameUpstream = "upstream"
	nameTimeout  = "timeout"
	nameJS       = "js"
)

func contenders() []*contender {
	return []*contender{
		{name: nameBare, title: "bare net/http handler"},
		{name: nameUpstream, title: "upstream, access key validated"},
		{name: nameTimeout, title: "the same with HandlerTimeout"},
		{name: nameJS, title: "@azure/web-pubsub-express 1.1.0, Express 5"},
	}
}

// compare starts the servers, gives each its turns and prints the table.
func compare(ctx context.Context, o options, stdout, stderr io.Writer) error {
	all := contenders()
	if err := prepareJS(ctx); err != nil {
		missing, ok := err.(*missingError)
		if !ok {
			return err
		}
		fmt.Fprintln(stderr, "the JavaScript row is left out:", missing)
		all = slices.DeleteFunc(all, func(c *contender) bool { return c.name == nameJS })
	}
	runtime.GOMAXPROCS(1)
	place, err := pinLoad()
	if err != nil {
		fmt.Fprintln(stderr, "not pinned to cores, so the servers compete with the load generator:", err)
	}
	servers := make(map[string]*server, len(all))
	for _, c := range all {
		s, err := start(c.name, place)
		if err != nil {
			return err
		}
		defer s.stop()
		servers[c.name] = s
	}

	for range o.rounds {
		for _, c := range all {
			if err := c.takeTurn(ctx, servers[c.name], o); err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
		}
	}
	fmt.Fprintf(stdout, "%d rounds of %v after %v of warm-up, %d keep-alive connections\n", o.rounds, o.duration, o.warmup, o.connections)
	fmt.Fprintln(stdout, place)
	fmt.Fprintf(stdout, "the load generator found no answer in %.0f %% of its looks\n", 100*all[0].idle)
	fmt.Fprintln(stdout)
	printTable(stdout, all)
	return nil
}

// takeTurn measures one round.
func (c *contender) takeTurn(ctx context.Context, s *server, o options) error {
	before := cpuTime(s.cmd.Process.Pid)
	t, err := measure(ctx, s.addr, o)
	if err != nil {
		return err
	}
	c.rates = append(c.rates, float64(t.measured)/o.duration.Seconds())
	c.idle = 1 - float64(t.all)/float64(t.looks)
	if used := cpuTime(s.cmd.Process.Pid) - before; used > 0 {
		c.costs = append(c.costs, float64(used.Microseconds())/float64(t.all))
	}
	return nil
}

// printTable prints medians, and behind each ratio its range over the rounds.
func printTable(w io.Writer, all []*contender) {
	bare, js := all[0], all[len(all)-1]
	if js.name != nameJS {
		js = nil
	}
	const row = "%-43s %10s  %-17s %-18s %11s\n"
	fmt.Fprintf(w, row, "server", "requests/s", "of bare", "of JavaScript", "CPU/request")
	for _, c := range all {
		cost := "-"
		if len(c.costs) > 0 {
			cost = fmt.Sprintf("%.1f µs", median(c.costs))
		}
		fmt.Fprintf(w, row, c.title, fmt.Sprintf("%.0f", median(c.rates)), ratio(c, bare), ratio(c, js), cost)
	}
}

// ratio describes the ratios of the rounds between two rows.
func ratio(c, base *contender) string {
	switch base {
	case nil:
		return "-"
	case c:
		return "1.00"
	}
	ratios := make([]float64, len(c.rates))
	for i := range c.rates {
		ratios[i] = c.rates[i] / base.rates[i]
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
