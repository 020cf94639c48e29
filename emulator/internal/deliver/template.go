package deliver

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parameters of a URL template.
const (
	paramHub   = "{hub}"
	paramEvent = "{event}"
)

// parameters are those of a template in any case, as Microsoft's emulator takes
// them.
var parameters = regexp.MustCompile(`(?i)\{(hub|event)\}`)

// checkTemplate reports what is wrong with a URL template. What it accepts is
// still a URL with the same host when [handler.url] has replaced the
// parameters. Its errors show no more of the template than [displayTemplate].
func checkTemplate(template string) error {
	scheme, rest, _ := strings.Cut(template, "://")
	switch {
	case strings.TrimSpace(template) == "":
		return errors.New("is empty, want an absolute http or https URL such as http://localhost:3000/eventhandler")
	case strings.EqualFold(scheme, "tunnel"):
		return errors.New("is a tunnel URL, and there is no tunnel here: a local service reaches the handler by itself, want its http URL such as http://localhost:3000/eventhandler")
	case strings.Contains(strings.ToLower(template), "{@microsoft.keyvault"):
		return errors.New("has a Key Vault reference, which needs Azure; write the value itself in its place")
	case strings.ContainsFunc(template, unicode.IsSpace):
		return errors.New("has white space in it, want a URL without")
	case !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || rest == "":
		return fmt.Errorf("is %q, want an absolute http or https URL such as http://localhost:3000/eventhandler", displayTemplate(template))
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if strings.ContainsAny(authority, "{}") {
		return errors.New("has a parameter in its host, want it behind the host, as in http://localhost:3000/{hub}/{event}")
	}
	if err := checkParameters(rest); err != nil {
		return err
	}
	// Package url would escape such characters, and forget the escapes of the
	// parameters on the way.
	if i := strings.IndexFunc(rest[len(authority):], notInURL); i >= 0 {
		char, _ := utf8.DecodeRuneInString(rest[len(authority)+i:])
		return fmt.Errorf("has %q in it, which a URL cannot hold: write %s", char, escape(string(char)))
	}
	// x is no hexadecimal digit: a parameter that would complete an escape
	// sequence does not get through.
	u, err := url.Parse(strings.NewReplacer(paramHub, "x", paramEvent, "x").Replace(template))
	switch {
	case err != nil:
		return fmt.Errorf("is %q, which is no valid URL", displayTemplate(template))
	case u.Hostname() == "":
		return fmt.Errorf("is %q, which names no host", displayTemplate(template))
	case strings.Contains(template, "#"):
		return errors.New("has a fragment (#), which HTTP does not send; leave it out")
	case !validPort(u.Port()):
		return fmt.Errorf("has the port %s, want 1 to 65535", u.Port())
	}
	return nil
}

// notInURL reports whether a character has no place behind the host of a URL
// (RFC 3986, appendix A). Braces are looked at before.
func notInURL(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>\\^`|", c)
}

// checkParameters reports braces that belong to no known parameter.
func checkParameters(text string) error {
	text = strings.NewReplacer(paramHub, "", paramEvent, "").Replace(text)
	open := strings.IndexAny(text, "{}")
	if open < 0 {
		return nil
	}
	if name, _, closed := strings.Cut(text[open+1:], "}"); text[open] == '{' && closed {
		return fmt.Errorf("has the parameter %q, want {hub} and {event}", "{"+name+"}")
	}
	return errors.New("has a brace without its other half, want {hub} and {event}")
}

// validPort reports whether a port, if there is one, can be dialled.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && 1 <= n && n <= 65535
}

// url returns the URL for the events of one name.
func (h *handler) url(hub, event string) (*url.URL, error) {
	text := strings.NewReplacer(paramHub, escape(hub), paramEvent, escape(event)).Replace(h.template)
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("deliver: %q is no URL for this event", displayTemplate(h.template))
	}
	return u, nil
}

// escape escapes everything but the unreserved characters of RFC 3986, so that
// the value is data in a path and in a query alike.
func escape(value string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// display returns a URL as it may be shown: without its user and without the
// values of its query, where functions have their keys.
func display(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery, shown.Fragment = nil, "", ""
	return shown.String() + displayQuery(u.RawQuery)
}

// displayTemplate is [display] for text that may be no URL.
func displayTemplate(template string) string {
	base, query, _ := strings.Cut(template, "?")
	base, _, _ = strings.Cut(base, "#")
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return base[strings.LastIndexByte(base, '@')+1:] + displayQuery(query)
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	return scheme + "://" + authority[strings.LastIndexByte(authority, '@')+1:] + path + displayQuery(query)
}

// displayQuery returns a query with its names and without its values.
func displayQuery(query string) string {
	if query == "" {
		return ""
	}
	var shown []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, valued := strings.Cut(pair, "=")
		if !valued {
			name = "" // it may be a key that stands alone
		}
		shown = append(shown, name+"=…")
	}
	return "?" + strings.Join(shown, "&")
}
