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
	listen string
	open   bool
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
	h, err := a.newDemo(address, listeners)
	if err != nil {
		return err
	}
	head := newDemoLine(h.emulator)
	if err := a.printDemo(head); err != nil {
		return err
	}
	if moved {
		a.tell("note: port %d is in use, the demo is at %s", address.port, head.Page)
	}
	if !address.private() {
		a.tell("warning: whoever reaches this machine can use the demo, and see what it shows")
	}
	if d.open {
		if err := browser.Open(head.Page); err != nil {
			a.tell("note: no browser could be opened (%v): go to %s", err, head.Page)
		}
	}
	return a.serve(c.Context(), h)
}

// newDemo puts together what the demo consists of.
func (a *app) newDemo(address address, listeners []net.Listener) (*host, error) {
	logger := slog.New(a.logHandler(false))
	endpoint := address.endpoint("http", listeners[0].Addr())
	h := &host{listeners: listeners}
	h.inspector = newInspector(h, endpoint, logger)
	handler := emulator.EventHandler{
		URLTemplate:      endpoint + demo.EventHandlerPath,
		SystemEvents:     []string{"connect", "connected", "disconnected"},
		UserEventPattern: "*",
		GroupEvents:      []string{"joined", "left"},
	}
	var err error
	h.emulator, err = emulator.New(&emulator.Options{
		Endpoint: endpoint,
		Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{defaultHub: {EventHandlers: []emulator.EventHandler{handler}}}},
		Inspect:  h.inspector.Observe,
		Logger:   logger,
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
	protection, err := guard.New(&guard.Options{Logger: logger})
	if err != nil {
		return nil, err
	}
	h.web = &http.Server{
		Handler: protection.Handler(demo.Handler(demo.Parts{
			Chat:      chat.New(validator, client, &upstream.Options{Logger: logger}),
			Service:   h.emulator,
			Inspector: h.inspector,
			Client:    client,
		})),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return h, nil
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
func (a *app) printDemo(head demoLine) error {
	if a.json {
		return a.printJSON(head)
	}
	_, err := fmt.Fprintf(a.stdout, `open               %[1]s
connection string  %[2]s

Then try

  - a second tab: it is a second person in the chat
  - "Cut my connection": it breaks, and comes back with nothing lost
  - an event by hand, in another terminal:
      %[3]s trigger say --to %[4]s --type json \
        --state eyJuYW1lIjoiVGVybWluYWwifQ== --data '{"room":"lobby","id":"1","text":"Hello from the terminal"}'
  - your own handler in place of this one, with the same look at its events:
      %[3]s dev --upstream http://localhost:3000/eventhandler

`, head.Page, head.ConnectionString, a.self(), head.EventHandler)
	return err
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
