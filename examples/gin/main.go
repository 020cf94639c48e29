// Command gin serves the chat handler on the framework Gin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
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

	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.Any("/eventhandler", gin.WrapH(events)) // both: Gin redirects from the form that is missing
	g.Any("/eventhandler/*rest", gin.WrapH(events))

	srv := &http.Server{
		Handler: g,
		// Without deadlines, who sends or reads a byte a minute holds a
		// connection for ever.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      100 * time.Second, // the service waits no longer for an answer
		IdleTimeout:       2 * time.Minute,   // it asks for consent every minute
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s/eventhandler\n", ln.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		stop() // a second signal ends the program at once
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// In this order: requests that are under way may still queue events.
	return errors.Join(srv.Shutdown(ctx), background.Shutdown(ctx))
}
