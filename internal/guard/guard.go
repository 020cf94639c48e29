// Package guard keeps foreign web pages away from a server on a developer's
// machine. The server's default access key is public, so that every page in the
// developer's browser could sign valid requests: the key protects nothing, and
// what does is to look at where a request comes from. Browsers tell, and pages
// cannot make them lie:
//
//   - The Host header is the name in the URL. A page that had its own name
//     resolve to this machine (DNS rebinding) sends its own name.
//   - The Origin header names the page behind every WebSocket, every request
//     with a method other than GET and HEAD, and every request whose answer a
//     script wants to read.
//   - Sec-Fetch-Site covers what is left: images, scripts and frames that a page
//     includes. Browsers send it to https and to loopback addresses only.
//
// Programs other than browsers send neither of the last two, and pass.
//
// The guard does not make the answers readable to pages of allowed origins: it
// adds no CORS headers. A WebSocket needs none.
package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Options say who may use the server apart from programs and pages of this
// machine. A nil *Options is the same as a zero one.
type Options struct {
	// AllowedHosts are names by which the server is reached, besides localhost,
	// the names below it, and IP addresses: without port, and without regard to
	// case. "*" stands for all names, and gives up the protection against DNS
	// rebinding.
	AllowedHosts []string

	// AllowedOrigins are web pages that may use the server, besides those that
	// come from the server itself or from a loopback address: scheme, host, and
	// port unless it is the scheme's own, as in https://app.example.com. "null"
	// stands for pages without an origin, such as files and sandboxed frames, and
	// "*" for every page in the world.
	AllowedOrigins []string

	// OwnOrigin lets no pages in but the server's own, whose origin is the one in
	// the Host header: for what can see or do more than other pages of this
	// machine should. AllowedOrigins has to be empty then.
	OwnOrigin bool

	// HostFlag and OriginFlag are the flags of the command that add to
	// AllowedHosts and AllowedOrigins. Refusals advise them if they are given.
	HostFlag   string
	OriginFlag string

	// Logger gets a warning for each request that is refused. If nil,
	// slog.Default is used.
	Logger *slog.Logger
}

// A Guard decides which requests may pass. It may be used by several goroutines
// at once.
type Guard struct {
	hosts      []string // names in lower case
	anyHost    bool
	origins    []origin
	nullOrigin bool
	anyOrigin  bool
	ownOrigin  bool
	hostFlag   string
	originFlag string
	logger     *slog.Logger
}

// New returns a Guard. An entry of the options that is no host or no origin is
// an error.
func New(options *Options) (*Guard, error) {
	var opts Options
	if options != nil {
		opts = *options
	}
	g := &Guard{ownOrigin: opts.OwnOrigin, hostFlag: opts.HostFlag, originFlag: opts.OriginFlag, logger: opts.Logger}
	if g.logger == nil {
		g.logger = slog.Default()
	}
	if g.ownOrigin && len(opts.AllowedOrigins) > 0 {
		return nil, errors.New("guard: OwnOrigin allows no other origins")
	}
	for _, entry := range opts.AllowedHosts {
		if entry == "*" {
			g.anyHost = true
			continue
		}
		if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" {
			continue // allowed anyway; IPv6 without brackets, too
		}
		a, ok := parseAuthority(entry)
		if !ok || a.port != 0 {
			return nil, fmt.Errorf("guard: %.100q is no host: a name or an address is expected, without scheme and port", entry)
		}
		g.hosts = append(g.hosts, a.host)
	}
	for _, entry := range opts.AllowedOrigins {
		switch entry {
		case "*":
			g.anyOrigin = true
			continue
		case "null":
			g.nullOrigin = true
			continue
		}
		// People copy what the address bar of a browser shows.
		o, ok := parseOrigin(strings.TrimSuffix(entry, "/"))
		if !ok {
			return nil, fmt.Errorf("guard: %.100q is no origin: scheme://host or scheme://host:port is expected, without a path", entry)
		}
		g.origins = append(g.origins, o)
	}
	return g, nil
}

// Handler returns a handler that passes to next what [Guard.Check] accepts, and
// answers anything else with 403 and the reason as text.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := g.Check(r)
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		// Not the query: it may hold an access token.
		g.logger.LogAttrs(r.Context(), slog.LevelWarn, "request refused",
			slog.String("reason", err.Error()), slog.String("method", r.Method), slog.String("path", r.URL.Path))
		http.Error(w, err.Error(), http.StatusForbidden)
	})
}

// Check returns nil when a request may pass. The error says why it may not and,
// if there is one, which flag of the command admits it. It is meant for the
// developer, and can be shown to whoever sent the request.
func (g *Guard) Check(r *http.Request) error {
	host, ok := parseAuthority(r.Host)
	if !ok {
		return fmt.Errorf("the Host header %.100q names no host", r.Host)
	}
	if !g.allowsHost(host) {
		return advise(fmt.Sprintf("this server is not known as %s", host.host), "if that is its name, start it with", g.hostFlag, host.host)
	}
	if g.anyOrigin {
		return nil
	}
	switch lines := r.Header["Origin"]; len(lines) {
	case 0:
		return g.checkSite(r, host)
	case 1:
		return g.checkOrigin(lines[0], host)
	}
	return errors.New("the request has more than one Origin header")
}

// allowsHost reports whether the server may be addressed so. An IP address
// always may: there is no name in the URL that could lead elsewhere.
func (g *Guard) allowsHost(a authority) bool {
	return g.anyHost || a.addr.IsValid() || isLocalhost(a.host) || slices.Contains(g.hosts, a.host)
}

// checkOrigin decides on a request of a page that the browser names. The page
// may be the server's own, or one of this machine: what is served at another
// local port, by a development server for instance, is the developer's.
func (g *Guard) checkOrigin(value string, host authority) error {
	if value == "null" {
		if g.nullOrigin {
			return nil
		}
		return advise("pages without an origin (files, sandboxed frames) may not use this server", howToAllow, g.originFlag, value)
	}
	o, ok := parseOrigin(value)
	switch {
	case !ok:
		return fmt.Errorf("the Origin header %.100q is no origin", value)
	case o.isWeb() && o.port == host.portOr(o.defaultPort()) && o.host == host.host:
		return nil
	case g.ownOrigin:
		return fmt.Errorf("only pages of this server may use this, and not the page at %v", o)
	case o.isWeb() && o.isLoopback(), slices.Contains(g.origins, o):
		return nil
	}
	return advise(fmt.Sprintf("the page at %v may not use this server", o), howToAllow, g.originFlag, o.String())
}

const howToAllow = "to allow it, start the server with"

// advise returns an error that says how to mend it, if there is a flag for that.
func advise(text, how, flag, value string) error {
	if flag != "" {
		text += "; " + how + " " + flag + " " + value
	}
	return errors.New(text)
}

// checkSite decides on a request without an origin by what the browser says of
// the page that it is for. Nothing of that is to be read by the page, but it
// might have an effect, and a page in a frame can be clicked on unseen.
func (g *Guard) checkSite(r *http.Request, host authority) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return nil
	case "same-site":
		// Another port of the same host, or another name of the same domain.
		if host.isLoopback() && !g.ownOrigin {
			return nil
		}
	}
	// A link that somebody follows. The page has no hold of the new one.
	if r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
		return nil
	}
	return errors.New("another site's page may link to this server, but not include anything of it or send to it")
}
