// Command webpubsub is the local Azure Web PubSub service for developers, in
// front of a handler (dev) or with one to look at (demo), and the inspector of
// both, a page that shows every request between service and handler. With it go
// the tools for any handler: rules to hold it against (check), single events
// (trigger), and URLs for clients (token).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(start())
}

// start runs the command until the first interrupt asks it to end. A second one
// kills the process.
func start() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := <-signals
		signal.Stop(signals) // before anybody is told that another one does not wait
		cancel(fmt.Errorf("%v signal received", first))
	}()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}
