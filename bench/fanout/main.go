// Command fanout compares package emulator with the Centrifuge library: what an
// idle connection costs in memory, and how many messages a second reach the
// clients of a broadcast.
//
//	go run ./fanout
//
// Each server is a process of its own. They take turns with the same clients,
// which this process plays.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command. "serve <name>" is how it starts its own servers.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == "serve" {
		if err := serve(args[1], stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "error:", err)
			return 1
		}
		return 0
	}
	flags := flag.NewFlagSet("fanout", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o options
	flags.IntVar(&o.rounds, "rounds", 5, "how often each server has its turn")
	flags.IntVar(&o.connections, "connections", 9000, "how many clients are connected")
	flags.IntVar(&o.messages, "messages", 50, "how many messages are broadcast in a turn")
	flags.IntVar(&o.size, "size", 100, "how long the payload of a message is, in bytes")
	if flags.Parse(args) != nil || flags.NArg() > 0 || o.rounds < 1 || o.connections < 1 || o.messages < 1 || o.size < 2 {
		fmt.Fprintln(stderr, "usage: fanout [-rounds n] [-connections n] [-messages n] [-size bytes]")
		return 2
	}
	if err := compare(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

type options struct {
	rounds, connections, messages, size int
}

// A turn is what was measured of one server in one round.
type turn struct {
	perConnection float64 // bytes of resident memory
	rate          float64 // messages that reached clients, per second
	cpu           float64 // microseconds of the server's processor time per message that reached a client
}

func compare(ctx context.Context, o options, w io.Writer) error {
	fmt.Fprintf(w, "%d rounds, %d clients, %d broadcasts of %d bytes each\n\n", o.rounds, o.connections, o.messages, o.size)
	turns := map[string][]turn{}
	names := []string{nameCentrifuge, nameEmulator, nameReliable}
	for range o.rounds {
		for _, name := range names {
			t, err := measure(ctx, name, o)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			turns[name] = append(turns[name], t)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "server\tKiB/idle connection\tof Centrifuge\tmessages/s\tof Centrifuge\tCPU/message")
	for _, name := range names {
		own, reference := turns[name], turns[nameCentrifuge]
		fmt.Fprintf(table, "%s\t%.1f\t%s\t%.0f\t%s\t%.2f µs\n", name,
			median(own, turn.memory)/1024, ratio(own, reference, turn.memory),
			median(own, turn.throughput), ratio(own, reference, turn.throughput), median(own, turn.cost))
	}
	return table.Flush()
}

func (t turn) memory() float64     { return t.perConnection }
func (t turn) throughput() float64 { return t.rate }
func (t turn) cost() float64       { return t.cpu }

func median(turns []turn, value func(turn) float64) float64 {
	values := make([]float64, len(turns))
	for i, t := range turns {
		values[i] = value(t)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ratio is the median of the ratios within each round, with the range of them.
func ratio(own, reference []turn, value func(turn) float64) string {
	ratios := make([]float64, len(own))
	for i := range own {
		ratios[i] = value(own[i]) / value(reference[i])
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%.2f (%.2f-%.2f)", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
}

// measure gives one server its turn.
func measure(ctx context.Context, name string, o options) (turn, error) {
	s, err := start(name)
	if err != nil {
		return turn{}, err
	}
	defer s.stop()
	before, err := s.usage()
	if err != nil {
		return turn{}, err
	}
	crowd, err := connect(ctx, s, o.connections)
	if err != nil {
		return turn{}, err
	}
	defer crowd.close()
	idle, err := s.usage()
	if err != nil {
		return turn{}, err
	}
	begin := time.Now()
	if err := s.broadcast(o.messages, o.size); err != nil {
		return turn{}, err
	}
	if err := crowd.wait(ctx, o.connections*o.messages); err != nil {
		return turn{}, err
	}
	took := time.Since(begin)
	after, err := s.usage()
	if err != nil {
		return turn{}, err
	}
	delivered := float64(o.connections * o.messages)
	return turn{
		perConnection: float64(idle.Resident-before.Resident) / float64(o.connections),
		rate:          delivered / took.Seconds(),
		cpu:           float64(after.CPU-idle.CPU) / float64(time.Microsecond) / delivered,
	}, nil
}
