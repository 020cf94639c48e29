package access

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// checkAudience requires that one of the token's audiences has one of the hosts,
// and a path and query that accept likes.
func (p payload) checkAudience(hosts []string, path string, accept func(target string) bool) error {
	audiences, err := p.GetAudience()
	if err != nil {
		return &Error{Reason: "the audience of the token is neither text nor a list of texts"}
	}
	for _, a := range audiences {
		host, target, ok := splitAudience(a)
		if ok && hasHost(hosts, host) && accept(target) {
			return nil
		}
	}
	var expected []string
	for _, host := range hosts {
		if a := "http(s)://" + host + path; host != "" && !slices.Contains(expected, a) {
			expected = append(expected, a)
		}
	}
	return &Error{Reason: fmt.Sprintf("the audience of the token is %s, expected one of %s", shorten(audiences), shorten(expected))}
}

// shorten writes a list of audiences for a log line. The lengths and the number
// of those in a token are for its signer to choose.
func shorten(list []string) string {
	const most, longest = 4, 200
	var b strings.Builder
	for i, s := range list {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(list)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.*q", longest, s)
	}
	if len(list) == 0 {
		return "missing"
	}
	return b.String()
}

// splitAudience takes a URL apart into the host, in lower case and without the
// port of the scheme, and what follows it. Not by net/url: what was signed is
// compared before anything is decoded.
func splitAudience(audience string) (host, target string, ok bool) {
	scheme, rest, ok := strings.Cut(audience, "://")
	if !ok {
		return "", "", false
	}
	var port string
	switch strings.ToLower(scheme) {
	case "http", "ws":
		port = ":80"
	case "https", "wss":
		port = ":443"
	default:
		return "", "", false
	}
	host = rest
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	return strings.TrimSuffix(wire.LowerHost(host), port), target, host != ""
}

// hasHost reports whether a host of an audience is one of those of the service,
// where the ports of http and https may be written or not: a Host header does
// not say which of them the client used.
func hasHost(hosts []string, host string) bool {
	for _, h := range hosts {
		h = wire.LowerHost(h)
		if h == "" {
			continue
		}
		if host == h || host == strings.TrimSuffix(h, ":80") || host == strings.TrimSuffix(h, ":443") {
			return true
		}
	}
	return false
}

// equalPath reports whether what follows the host is this path, perhaps
// percent-encoded.
func equalPath(target, path string) bool {
	if strings.EqualFold(target, path) {
		return true
	}
	decoded, err := url.PathUnescape(target)
	return err == nil && strings.EqualFold(decoded, path)
}

// covers reports whether what follows the host in an audience is that of a
// request, or the start of it up to a boundary.
func covers(target string, u *url.URL) bool {
	path, query, hasQuery := strings.Cut(target, "?")
	for _, requested := range []string{u.EscapedPath(), u.Path} {
		rest, ok := strings.CutPrefix(requested, path)
		switch {
		case !ok:
		case rest == "":
			if !hasQuery || query == "" || equalQuery(query, u.RawQuery) {
				return true
			}
		case !hasQuery && (rest[0] == '/' || strings.HasSuffix(path, "/")):
			return true
		}
	}
	return false
}

func equalQuery(signed, requested string) bool {
	if signed == requested {
		return true
	}
	a, err1 := url.QueryUnescape(signed)
	b, err2 := url.QueryUnescape(requested)
	return err1 == nil && err2 == nil && a == b
}
