// Command fiber serves the chat handler on the framework Fiber, which is not
// built on net/http.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gowebpubsub/webpubsub/examples/chat"
	"github.com/gowebpubsub/webpubsub/upstream"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	if err := run(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	connectionString := os.Getenv("WebPubSubConnectionString")
	if connectionString == "" {
		return errors.New("set WebPubSubConnectionString to a connection string of your Web PubSub resource")
	}
	v, err := upstream.NewAccessKeyValidator(connectionString)
	if err != nil {
		return err
	}
	background := upstream.NewBackground(nil)
	events := chat.New(v, &upstream.Options{Middleware: []upstream.Middleware{background.Middleware}})

	app := fiber.New(newConfig())
	mount(app, "/eventhandler", events)

	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s/eventhandler\n", ln.Addr())
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true}) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		stop() // a second signal ends the program at once
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// In this order: requests that are under way may still queue events.
	return errors.Join(app.ShutdownWithContext(ctx), background.Shutdown(ctx))
}
