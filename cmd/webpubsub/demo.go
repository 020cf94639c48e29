package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/browser"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/chat"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/demo"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/guard"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// demoFlags are the flags of webpubsub demo, as they were typed.
type demoFlags struct {
	listen     string
	allowHosts []string
	open       bool
}

func (a *app) demoCommand() *cobra.Command {
	var d demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a chat, and the events behind it",
		Long:  helpText("demo"),
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return a.demo(c, &d) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&d.listen, "listen", defaultListen, "address and port")
	f.StringArrayVar(&d.allowHosts, "allow-host", nil, "name under which the demo may be asked")
	f.BoolVar(&d.open, "open", false, "open the page in the browser")
	return c
}

// demo runs the demo until the context ends.
func (a *app) demo(c *cobra.Command, d *demoFlags) error {
	address, err := parseAddress("--listen", d.listen)
	if err != nil {
		return err
	}
	address.fixed = c.Flags().Changed("listen")
	listeners, moved, err := address.listen()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	h, err := a.newDemo(address, listeners, d.allowHosts)
	if err != nil {
		return err
	}
	head := newDemoLine(h.emulator)
	if err := a.printDemo(head, a.commands(h.emulator)); err != nil {
		return err
	}
	if moved {
		a.tell("note: port %d is in use, the demo is at %s", address.port, head.Page)
	}
	if !address.private() {
		a.tell("warning: whoever reaches this machine can read every message, send events again and cut connections")
	}
	if d.open {
		if err := browser.Open(head.Page); err != nil {
			a.tell("note: no browser could be opened (%v): go to %s", err, head.Page)
		}
	}
	return a.serve(c.Context(), h)
}

// newDemo puts together what the demo consists of.
func (a *app) newDemo(address address, listeners []net.Listener, hosts []string) (*host, error) {
	logger := slog.New(a.logHandler(false))
	front, own, err := demoGuards(hosts, logger)
	if err != nil {
		return nil, err
	}
	endpoint := address.endpoint("http", listeners[0].Addr())
	h := &host{listeners: listeners}
	h.inspector = newInspector(h, endpoint, logger)
	handler := emulator.EventHandler{
		URLTemplate:      endpoint + demo.EventHandlerPath,
		SystemEvents:     []string{"connect", "connected", "disconnected"},
		UserEventPattern: "*",
		GroupEvents:      []string{"joined", "left"},
	}
	h.emulator, err = emulator.New(&emulator.Options{
		Endpoint:     endpoint,
		Settings:     emulator.Settings{Hubs: map[string]emulator.HubSettings{defaultHub: {EventHandlers: []emulator.EventHandler{handler}}}},
		AllowedHosts: hosts,
		Inspect:      h.inspector.Observe,
		Logger:       logger,
	})
	if err != nil {
		return nil, err
	}
	validator, err := upstream.NewAccessKeyValidator(h.emulator.ConnectionString())
	if err != nil {
		return nil, err
	}
	client, err := webpubsub.NewClient(h.emulator.ConnectionString(), defaultHub, &webpubsub.ClientOptions{Logger: logger})
	if err != nil {
		return nil, err
	}
	h.web = &http.Server{
		Handler: front.Handler(demo.Handler(demo.Parts{
			Chat:      chat.New(validator, client, &upstream.Options{Logger: logger}),
			Service:   h.emulator,
			Inspector: h.inspector,
			Client:    client,
			Commands:  a.commands(h.emulator),
			Guard:     own.Handler,
		})),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return h, nil
}

// demoGuards returns what is in front of everything, and what is in front of all
// that only the demo's own page has to do with. The service has a guard of its
// own, and refuses what these do; but it advises flags of webpubsub dev.
func demoGuards(hosts []string, logger *slog.Logger) (front, own *guard.Guard, err error) {
	options := guard.Options{AllowedHosts: hosts, HostFlag: allowHostFlag, Logger: logger}
	if front, err = guard.New(&options); err != nil {
		return nil, nil, usagef("%s: %s", allowHostFlag, library(err))
	}
	options.OwnOrigin = true
	own, err = guard.New(&options)
	return front, own, err
}

// A demoLine is the first line for machines.
type demoLine struct {
	Kind             string `json:"kind"` // "listening"
	Page             string `json:"page"`
	ConnectionString string `json:"connectionString"`
	Hub              string `json:"hub"`
	EventHandler     string `json:"eventHandler"`
	Inspector        string `json:"inspector"`
}

func newDemoLine(server *emulator.Server) demoLine {
	endpoint := server.Endpoint()
	return demoLine{
		Kind: "listening", Page: endpoint + "/", ConnectionString: server.ConnectionString(), Hub: defaultHub,
		EventHandler: endpoint + demo.EventHandlerPath, Inspector: endpoint + inspectorPath,
	}
}

// printDemo prints what there is, and what to try next.
func (a *app) printDemo(head demoLine, commands demo.Commands) error {
	if a.json {
		return a.printJSON(head)
	}
	_, err := fmt.Fprintf(a.stdout, `open               %[1]s
connection string  %[2]s

Then try

  - a second tab: it is a second person in the chat
  - "Cut my connection": it breaks, and comes back with nothing lost
  - an event by hand, in another terminal:
      %[3]s
  - your own handler in place of this one, with the same look at its events:
      %[4]s

`, head.Page, head.ConnectionString, strings.ReplaceAll(commands.Trigger, "\n", "\n      "), commands.Dev)
	return err
}

// commands returns what to try next. The service has the key that it has by
// default.
func (a *app) commands(service *emulator.Server) demo.Commands {
	return demo.NewCommands(a.self(), service.Endpoint(), emulator.DefaultAccessKey)
}

// self returns how this command is called: go run leaves it in a folder of its
// own, where nobody finds it again.
func (a *app) self() string {
	path, err := os.Executable()
	if err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/webpubsub"
	}
	return "webpubsub"
}
