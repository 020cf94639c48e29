package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/localca"
)

const (
	// shutdownTime is how long clients and handlers have when the service ends.
	shutdownTime = 5 * time.Second

	// clientURLLifetime is how long the printed URL lets a client in: a day of
	// work.
	clientURLLifetime = 24 * time.Hour
)

// devFlags are the flags of webpubsub dev, as they were typed.
type devFlags struct {
	hubs     []string
	upstream string
	config   string

	groupEvents         bool
	anonymous           bool
	closeOnEventFailure bool

	listen       string
	tls          bool
	key          string
	secondaryKey string
	allowHosts   []string
	allowOrigins []string

	retry   string
	timeout time.Duration

	user   string
	roles  []string
	groups []string

	verbose bool
}

func (a *app) devCommand() *cobra.Command {
	var d devFlags
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run the local service in front of your handler",
		Long:  helpText("dev"),
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return a.dev(c, &d) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringArrayVar(&d.hubs, "hub", nil, "hub whose events go to the handler")
	f.StringVar(&d.upstream, "upstream", "", "URL of the handler")
	f.StringVar(&d.config, "config", "", "file with settings")
	f.BoolVar(&d.groupEvents, "group-events", false, "also send joined and left")
	f.BoolVar(&d.anonymous, "anonymous", false, "admit clients without a token")
	f.BoolVar(&d.closeOnEventFailure, "close-on-event-failure", false, "disconnect clients whose event failed")

	f.StringVar(&d.listen, "listen", defaultListen, "address and port")
	f.BoolVar(&d.tls, "tls", false, "serve https")
	f.StringVar(&d.key, "key", "", "access key")
	f.StringVar(&d.secondaryKey, "secondary-key", "", "second access key")
	f.StringArrayVar(&d.allowHosts, "allow-host", nil, "name under which the service may be asked")
	f.StringArrayVar(&d.allowOrigins, "allow-origin", nil, "web page that may connect")

	f.StringVar(&d.retry, "retry", "1s,3s,5s", "pauses before further attempts, or none")
	f.DurationVar(&d.timeout, "timeout", 100*time.Second, "time for the answer of the handler")

	f.StringVar(&d.user, "user", "", "user id in the printed client URL")
	f.StringArrayVar(&d.roles, "role", []string{"webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"}, "role in the printed client URL")
	f.StringArrayVar(&d.groups, "group", nil, "group in the printed client URL")

	f.BoolVar(&d.verbose, "verbose", false, "log everything")
	return c
}

// dev runs the service until the context ends.
func (a *app) dev(c *cobra.Command, d *devFlags) error {
	ctx, cancel := context.WithCancel(c.Context())
	configs := a.watchConfig(ctx, d.config)
	defer func() {
		cancel()
		for range configs { // until the watch has ended
		}
	}()
	p, err := a.plan(c.Flags(), d, <-configs)
	if err != nil {
		return err
	}
	authority, err := a.authority(p.tls)
	if err != nil {
		return err
	}
	listeners, moved, err := p.address.listen()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	p.options.Endpoint = p.endpoint(listeners[0].Addr())

	out := newEventPrinter(a, p.onlyHub())
	logger := slog.New(a.logHandler(d.verbose))
	p.options.Logger, p.options.Observe = logger, out.observe
	server, err := emulator.New(&p.options)
	if err != nil {
		return usagef("%s", library(err))
	}
	web, err := webServer(server, logger, authority, p)
	if err != nil {
		return err
	}
	if err := a.printHead(server, p, authority, moved); err != nil {
		return err
	}
	return a.serve(ctx, &service{emulator: server, web: web, listeners: listeners, out: out, plan: p, configs: configs})
}

// A service is what runs in webpubsub dev.
type service struct {
	emulator  *emulator.Server
	web       *http.Server
	listeners []net.Listener
	out       *eventPrinter
	plan      *plan
	configs   <-chan configuration // later ones
}

// serve runs the service until the context ends, and ends it then.
func (a *app) serve(ctx context.Context, s *service) error {
	stop := s.start(a)
	defer stop()
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() {
			if s.plan.tls {
				failed <- s.web.ServeTLS(l, "", "")
			} else {
				failed <- s.web.Serve(l)
			}
		}()
	}
	select {
	case err := <-failed:
		_ = s.web.Close()
		return err
	case <-ctx.Done():
	}
	a.tell("shutting down; another Ctrl-C does not wait")
	return s.shutdown(context.WithoutCancel(ctx))
}

// start starts what runs beside the servers, and returns what ends it.
func (s *service) start(a *app) (stop func()) {
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { s.out.run(ended) })
	running.Go(func() { a.follow(s, ended) })
	return func() {
		close(ended)
		running.Wait()
	}
}

func (s *service) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	err := s.emulator.Shutdown(ctx)
	if err := errors.Join(err, s.web.Shutdown(ctx)); err != nil {
		_ = s.web.Close()
		return &failure{
			err:  fmt.Errorf("not everything ended within %v", shutdownTime),
			hint: "a handler that still answers, or a client that still sends, was cut off",
		}
	}
	return nil
}

// authority returns the local certificate authority, nil without --tls.
func (a *app) authority(wanted bool) (*localca.Authority, error) {
	if !wanted {
		return nil, nil
	}
	dir, err := localca.DefaultDir()
	if err != nil {
		return nil, err
	}
	return localca.Open(dir)
}

// webServer returns the server in front of the service. It sets no limit to the
// time of a whole request: clients wait for as long as their connect event
// takes.
func webServer(handler http.Handler, logger *slog.Logger, authority *localca.Authority, p *plan) (*http.Server, error) {
	web := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if authority == nil {
		return web, nil
	}
	endpoint, err := url.Parse(p.options.Endpoint)
	if err != nil {
		return nil, err
	}
	web.TLSConfig, err = authority.TLSConfig(p.certificateHosts(endpoint.Hostname())...)
	return web, err
}
