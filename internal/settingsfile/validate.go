package settingsfile

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// checkAccessKey asks of a key what Microsoft's emulator asks.
func checkAccessKey(s string) error {
	switch {
	case len(s) < emulator.MinAccessKeyBytes:
		return fmt.Errorf("is too short: at least %d bytes are expected", emulator.MinAccessKeyBytes)
	case strings.TrimSpace(s) != s:
		return errors.New("has white space at its start or end")
	case strings.ContainsFunc(s, func(c rune) bool { return c == ';' || unicode.IsControl(c) }):
		return errors.New("has a semicolon or a control character, which cannot be in a connection string")
	}
	return nil
}

// checkURLTemplate and checkEvents return what the service has to say against a
// URL, and against the one other member of a handler that is set. They repeat no
// more of it than the service does in its log.
func checkURLTemplate(s string) error { return checkHandler(emulator.EventHandler{URLTemplate: s}) }

func checkEvents(h emulator.EventHandler) error {
	h.URLTemplate = "http://localhost"
	return checkHandler(h)
}

func checkHandler(h emulator.EventHandler) error {
	return reasonOf(emulator.Settings{Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{h}}}.Validate())
}

// reasonOf takes from the service's errors where it found them: the file knows
// better.
func reasonOf(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if _, reason, ok := strings.Cut(text, "event handler 1: "); ok {
		_, text, _ = strings.Cut(reason, " ") // the name of the member
	}
	return fmt.Errorf("%.500s", text)
}

// impossibleEvent returns the first name in a pattern that no event can have.
func impossibleEvent(pattern string) string {
	for part := range strings.SplitSeq(pattern, ",") {
		if part = strings.TrimSpace(part); part != "" && part != "*" && !wire.ValidEventName(part) {
			return part
		}
	}
	return ""
}

func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// parseListen reads an address to listen on. "+" and "*" stand for all
// addresses, and port 0 for any that is free.
func parseListen(s string) (l Listen, ok bool) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return Listen{}, false
	}
	port := u.Port()
	switch u.Scheme {
	case "http":
		port = cmp.Or(port, "80")
	case "https":
		port, l.TLS = cmp.Or(port, "443"), true
	default:
		return Listen{}, false
	}
	host := u.Hostname()
	if host == "+" || host == "*" {
		host = ""
	} else if _, err := netip.ParseAddr(host); err != nil && (!wire.ValidHost(host) || strings.Contains(host, ":")) {
		return Listen{}, false
	}
	l.Address = net.JoinHostPort(host, port)
	return l, validPort(port)
}

// nearest returns the known name that differs least from s, if it is near
// enough to be meant.
func nearest(s string, known []member) string {
	best, name := 3, ""
	if len(s) > 64 {
		return ""
	}
	for _, m := range known {
		if d := distance(fold(s), fold(m.name)); d < best && d < len(m.name)/2 {
			best, name = d, m.name
		}
	}
	return name
}

// distance counts the bytes to insert, delete or replace to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
