package inspector

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A summary is a line of the list.
type summary struct {
	ID           uint64   `json:"id"`
	Kind         string   `json:"kind"`
	Time         string   `json:"time"`
	Pending      bool     `json:"pending,omitempty"`
	DurationMs   *float64 `json:"durationMs,omitempty"`
	Hub          string   `json:"hub,omitempty"`
	ConnectionID string   `json:"connectionId,omitempty"`
	UserID       string   `json:"userId,omitempty"`
	Event        string   `json:"event,omitempty"`
	System       bool     `json:"system,omitempty"`
	Method       string   `json:"method,omitempty"`
	URL          string   `json:"url,omitempty"`
	Status       int      `json:"status,omitempty"`
	Attempts     int      `json:"attempts,omitempty"`
	Error        string   `json:"error,omitempty"`
	Hint         string   `json:"hint,omitempty"`
	Again        uint64   `json:"again,omitempty"`
	Resendable   bool     `json:"resendable,omitempty"`
	Parent       uint64   `json:"parent,omitempty"`
	Sure         bool     `json:"sure,omitempty"`
	Recipients   *int     `json:"recipients,omitempty"`
	Calls        []uint64 `json:"calls,omitempty"`
	StateChanged bool     `json:"stateChanged,omitempty"`
}

// A namer puts exchanges into words for a page of the service.
type namer struct {
	endpoint string // without a slash at its end
	origin   string // that of endpoint, or empty
}

func newNamer(endpoint string) namer {
	n := namer{endpoint: strings.TrimRight(endpoint, "/")}
	if u, err := url.Parse(endpoint); err == nil {
		n.origin = originOf(u)
	}
	return n
}

// originOf returns scheme, host and port of a URL, or "" if it has none.
func originOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme == "" || host == "" {
		return ""
	}
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// short returns a URL without user and query, which may hold keys, and without
// the origin if that is the service's own.
func (n namer) short(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		short, _, _ := strings.Cut(text, "?")
		return short
	}
	origin := originOf(u)
	if origin == n.origin {
		origin = ""
	}
	return origin + u.EscapedPath()
}

func (n namer) summaries(rows []row) []*summary {
	all := make([]*summary, len(rows))
	for i, r := range rows {
		all[i] = n.summary(r)
	}
	return all
}

func (n namer) summary(r row) *summary {
	x := r.x
	s := &summary{
		ID: x.ID, Kind: x.Kind.String(), Time: x.Start.UTC().Format("2006-01-02T15:04:05.000Z"), Pending: !x.Done,
		Hub: x.Hub, ConnectionID: x.ConnectionID, UserID: x.UserID, Event: x.Event, System: isSystem(x),
		Method: x.Method, URL: n.short(x.URL), Status: x.Status, Attempts: x.Attempts,
		Hint: x.Hint, Again: x.Again, Resendable: x.resend != nil,
		Parent: r.parent, Sure: r.sure, Calls: r.calls, StateChanged: x.Done && x.StateAfter != x.StateBefore,
	}
	if x.Done {
		s.DurationMs = new(milliseconds(x.Duration))
	}
	if x.Err != nil {
		s.Error = x.Err.Error()
	}
	if x.Recipients > 0 || hasRecipients(x) {
		s.Recipients = new(x.Recipients)
	}
	return s
}

// milliseconds has as many places as microseconds need.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// isSystem reports whether an event is the service's own. The name decides only
// where the type is missing, in an event that could not be sent: a client may
// call its events anything.
func isSystem(x *exchange) bool {
	switch ceType := wire.First(x.Header, wire.HeaderType); {
	case x.Kind == emulator.ConsentExchange:
		return true
	case x.Kind == emulator.CallExchange:
		return false
	case ceType != "":
		kind, _ := wire.ParseType(ceType)
		return kind != wire.KindUser
	}
	switch x.Event {
	case "connect", "connected", "disconnected", "joined", "left":
		return true
	}
	return false
}

// hasRecipients reports whether a call is one that reaches connections, though
// it may have reached none: it is no question, and it did not fail.
func hasRecipients(x *exchange) bool {
	if x.Kind != emulator.CallExchange || x.Status/100 != 2 || x.Method == http.MethodGet || x.Method == http.MethodHead {
		return false
	}
	u, err := url.Parse(x.URL)
	return err == nil && !strings.HasSuffix(u.Path, "/:generateToken")
}
