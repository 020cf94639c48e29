package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/shell"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/localca"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// note keeps something to say once the service runs.
func (p *plan) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// A headLine is the first line for machines.
type headLine struct {
	Kind             string      `json:"kind"` // "listening"
	ConnectionString string      `json:"connectionString"`
	ClientURL        string      `json:"clientUrl"`
	Endpoint         string      `json:"endpoint"`
	Hub              string      `json:"hub"` // of ClientURL
	Inspector        string      `json:"inspector,omitempty"`
	CertFile         string      `json:"certFile,omitempty"`
	Handlers         []routeLine `json:"handlers"`
}

// A routeLine says where events of a hub go.
type routeLine struct {
	Hub    string   `json:"hub"` // "*" for all other hubs
	URL    string   `json:"url"`
	Events []string `json:"events"`
}

// printHead prints what applications and clients have to be told, and where
// events go. It is the first thing on stdout; talk is on stderr.
func (a *app) printHead(server *emulator.Server, p *plan, authority *localca.Authority, moved bool) error {
	hub := p.clientHub()
	clientURL, err := server.ClientURL(hub, &emulator.TokenOptions{
		UserID: p.flags.user, Roles: p.flags.roles, Groups: p.flags.groups, Lifetime: clientURLLifetime,
	})
	if err != nil {
		return err
	}
	head := headLine{
		Kind: "listening", ConnectionString: server.ConnectionString(), ClientURL: clientURL,
		Endpoint: server.Endpoint(), Hub: hub, Handlers: routes(p.options.Settings),
	}
	if authority != nil {
		head.CertFile = authority.CertFile()
	}
	inspector := ""
	if p.inspector {
		head.Inspector = head.Endpoint + inspectorPath
		inspector = "inspector          " + head.Inspector + "\n"
	}
	if a.json {
		err = a.printJSON(head)
	} else {
		_, err = fmt.Fprintf(a.stdout, "connection string  %s\nclient URL         %s\n%s\n%s\n",
			head.ConnectionString, head.ClientURL, inspector, routesText(head.Handlers))
	}
	if err == nil {
		a.printNotes(p, head, moved)
	}
	return err
}

func (a *app) printNotes(p *plan, head headLine, moved bool) {
	if moved {
		a.tell("note: port %d is in use, the service is at %s", p.address.port, head.Endpoint)
	}
	if !p.address.private() {
		a.tell("warning: the service listens on %s: whoever reaches this machine and knows its key can use it%s", a.where(p), publicKey(p))
	}
	for _, note := range p.notes {
		a.tell("note: %s", printable(note))
	}
	if head.CertFile == "" {
		a.tell("note: server SDKs of Node.js refuse http unless they get { allowInsecureConnection: true }; --tls serves https instead")
		return
	}
	a.tell("note: clients have to trust the local certificate authority. In their terminal, for Node.js, and for Go and curl:\n")
	a.tell("  export NODE_EXTRA_CA_CERTS=%s", shell.Word(head.CertFile))
	a.tell("  export SSL_CERT_FILE=%s\n", shell.Word(head.CertFile))
}

// publicKey warns of the key that everybody knows.
func publicKey(p *plan) string {
	if p.options.AccessKey == "" || p.options.AccessKey == emulator.DefaultAccessKey {
		return ". The default key is public and protects nothing: set another with --key"
	}
	return ""
}

func (a *app) where(p *plan) string {
	if p.address.host == "" || p.address.host == "0.0.0.0" || p.address.host == "::" {
		return "all network interfaces"
	}
	return p.address.host
}

// routes lists the handlers of all hubs.
func routes(settings emulator.Settings) []routeLine {
	lines := []routeLine{}
	add := func(hub string, s emulator.HubSettings) {
		for _, h := range s.EventHandlers {
			lines = append(lines, routeLine{Hub: hub, URL: wire.DisplayURL(h.URLTemplate), Events: eventsOf(h)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(settings.Hubs)) {
		add(name, settings.Hubs[name])
	}
	add("*", settings.Default)
	return lines
}

func eventsOf(h emulator.EventHandler) []string {
	events := append([]string{}, h.SystemEvents...)
	switch h.UserEventPattern {
	case "":
	case "*":
		events = append(events, "all user events")
	default:
		events = append(events, h.UserEventPattern)
	}
	return append(events, h.GroupEvents...)
}

func routesText(lines []routeLine) string {
	if len(lines) == 0 {
		return "events go nowhere: clients connect, but no handler is told. Give one with --upstream http://localhost:3000/eventhandler\n"
	}
	var b strings.Builder
	for _, line := range lines {
		hub := "hub " + line.Hub
		if line.Hub == "*" {
			hub = "other hubs"
			if len(lines) == 1 {
				hub = "all hubs"
			}
		}
		fmt.Fprintf(&b, "%s → %s (%s)\n", printable(hub), printable(line.URL), printable(cmp.Or(strings.Join(line.Events, ", "), "takes no events")))
	}
	return b.String()
}
