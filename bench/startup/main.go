// Command startup measures how long a newcomer waits for "webpubsub demo": from
// the start of the process to the first chat message that one client gets from
// another.
//
//	go run ./startup
//
// Beside it stands the run of a Go program that does nothing, which is how much
// of the time the machine takes for any process. They take turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("startup", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rounds := flags.Int("rounds", 20, "how often each program has its turn")
	if flags.Parse(args) != nil || flags.NArg() > 0 || *rounds < 1 {
		fmt.Fprintln(stderr, "usage: startup [-rounds n]")
		return 2
	}
	if err := compare(ctx, *rounds, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

// goal is what the first message may take. Nothing fails beyond it.
const goal = 300 * time.Millisecond

// A round is what was measured in one: the times from the start of the demo
// until it was that far, and how long the empty program ran.
type round struct {
	empty time.Duration
	moments
}

func compare(ctx context.Context, n int, stdout, stderr io.Writer) error {
	folder, err := os.MkdirTemp("", "startup")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	built, err := build(ctx, folder)
	if err != nil {
		return err
	}
	// One round more: the first start of a new file is another matter, with
	// cold caches and with virus scanners that want to see it.
	rounds := make([]round, n+1)
	for i := range rounds {
		if rounds[i], err = built.takeTurns(ctx, stderr); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%d rounds after one that does not count, %s %s/%s, %d processors\n\n",
		n, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	return printTable(stdout, rounds[1:])
}

// takeTurns measures one round.
func (p programs) takeTurns(ctx context.Context, notes io.Writer) (r round, err error) {
	if r.empty, err = runEmpty(ctx, p.empty); err != nil {
		return r, err
	}
	r.moments, err = runDemo(ctx, p.demo, notes)
	return r, err
}

// printTable prints medians and tails, and the ratios within each round.
func printTable(w io.Writer, rounds []round) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "from the start of the process to\tmedian\tp90\tof the empty program")
	for _, row := range []struct {
		title string
		value func(round) time.Duration
	}{
		{"empty Go program: its end", func(r round) time.Duration { return r.empty }},
		{"webpubsub demo: it listens", func(r round) time.Duration { return r.listening }},
		{"  two clients are connected", func(r round) time.Duration { return r.connected }},
		{"  one gets the other's message", func(r round) time.Duration { return r.delivered }},
	} {
		times, ratios := make([]float64, len(rounds)), make([]float64, len(rounds))
		for i, r := range rounds {
			times[i] = float64(row.value(r)) / float64(time.Millisecond)
			ratios[i] = float64(row.value(r)) / float64(r.empty)
		}
		fmt.Fprintf(table, "%s\t%.1f ms\t%.1f ms\t%.1f (%.1f-%.1f)\n", row.title, quantile(times, 0.5), quantile(times, 0.9),
			quantile(ratios, 0.5), slices.Min(ratios), slices.Max(ratios))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	within := 0
	for _, r := range rounds {
		if r.delivered <= goal {
			within++
		}
	}
	_, err := fmt.Fprintf(w, "\nthe message within %v, which is the goal: in %d of %d rounds\n", goal, within, len(rounds))
	return err
}

// quantile returns the smallest of the values that at least the given part of
// them, more than none, does not exceed.
func quantile(values []float64, part float64) float64 {
	return slices.Sorted(slices.Values(values))[int(math.Ceil(part*float64(len(values))))-1]
}
