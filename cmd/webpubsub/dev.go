package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/localca"
)

// clientURLLifetime is how long the printed URL lets a client in: a day of
// work.
const clientURLLifetime = 24 * time.Hour

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

	inspector bool
	verbose   bool
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

	f.BoolVar(&d.inspector, "inspector", true, "serve the inspector")
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
	s := &service{host: host{listeners: listeners, tls: p.tls}, out: out, plan: p, configs: configs}
	if err := s.compose(p, logger, authority); err != nil {
		return err
	}
	if err := a.printHead(s.emulator, p, authority, moved); err != nil {
		return err
	}
	defer s.start(a)()
	return a.serve(ctx, &s.host)
}

// A service is what runs in webpubsub dev.
type service struct {
	host
	out     *eventPrinter
	plan    *plan
	configs <-chan configuration // later ones
}

// compose puts together what answers requests.
func (s *service) compose(p *plan, logger *slog.Logger, authority *localca.Authority) (err error) {
	if p.inspector {
		s.inspector = newInspector(&s.host, p.options.Endpoint, logger)
		p.options.Inspect = s.inspector.Observe
	}
	if s.emulator, err = emulator.New(&p.options); err != nil {
		return usagef("%s", library(err))
	}
	var front http.Handler = s.emulator
	if p.inspector {
		if front, err = withInspector(s.emulator, s.inspector, p.options.AllowedHosts, logger); err != nil {
			return err
		}
	}
	s.web, err = webServer(front, logger, authority, p)
	return err
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
