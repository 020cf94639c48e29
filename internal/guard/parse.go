package guard

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An authority is what stands in a Host header.
type authority struct {
	host string     // lower case, no final dot; an IPv6 address without brackets, in its shortest form
	addr netip.Addr // valid if host is an IP address
	port uint16     // 0 if not given
}

// parseAuthority reads host or host:port. The host is a name in ASCII or an IP
// address in its usual form, IPv6 in brackets; nothing else is accepted, so that
// nobody else can read it in another way.
func parseAuthority(s string) (a authority, ok bool) {
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		if a.port, ok = parsePort(s[i+1:]); !ok {
			return authority{}, false
		}
		host = s[:i]
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, found = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !found || err != nil || !addr.Is6() || addr.Zone() != "" {
			return authority{}, false
		}
		a.host, a.addr = addr.String(), addr
		return a, true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		a.host, a.addr = host, addr
		return a, addr.Is4() // IPv6 needs brackets
	}
	name, absolute := strings.CutSuffix(host, ".")
	if _, err := netip.ParseAddr(name); absolute && err == nil {
		return authority{}, false // an address has no final dot
	}
	a.host = wire.LowerHost(name)
	return a, validName(a.host)
}

// validName reports whether s is made as host names are.
func validName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, func(c rune) bool { return c > 0x7f || c == ':' }) || !wire.ValidHost(label) {
			return false
		}
	}
	return len(s) <= 253
}

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0 && s[0] != '0'
}

// portOr returns the port, or the given one if there is none.
func (a authority) portOr(port uint16) uint16 {
	if a.port != 0 {
		return a.port
	}
	return port
}

// isLoopback reports whether the host can be nothing but this machine.
func (a authority) isLoopback() bool { return a.addr.IsLoopback() || isLocalhost(a.host) }

// isLocalhost reports whether a name in lower case is localhost or below it
// (RFC 6761, section 6.3).
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// An origin is scheme, host and port of a web page, the port also if it is the
// scheme's own.
type origin struct {
	authority
	scheme string // lower case
}

// parseOrigin reads an origin as browsers write it. Schemes other than http and
// https are those of pages in applications and in extensions of browsers.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || !validScheme(scheme) {
		return origin{}, false
	}
	o.scheme = strings.ToLower(scheme)
	if o.authority, ok = parseAuthority(rest); !ok {
		return origin{}, false
	}
	o.port = o.portOr(o.defaultPort())
	return o, true
}

func validScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// isWeb reports whether the origin is that of a page on a web server.
func (o origin) isWeb() bool { return o.scheme == "http" || o.scheme == "https" }

func (o origin) defaultPort() uint16 {
	switch o.scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// String returns the origin as browsers write it.
func (o origin) String() string {
	host := o.host
	if o.addr.Is6() {
		host = "[" + host + "]"
	}
	if o.port == o.defaultPort() {
		return o.scheme + "://" + host
	}
	return o.scheme + "://" + net.JoinHostPort(o.host, strconv.Itoa(int(o.port)))
}
