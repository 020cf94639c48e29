// Package trigger sends one event to a handler, as the service does it, and
// says what the service would do with the answer.
//
// It sends each request once: the service would try some of them again, and
// the verdict says so.
package trigger

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Event is what a handler is told.
type Event struct {
	// URLTemplate is where the handler is. {hub} and {event} are replaced.
	URLTemplate string

	// Type is the ce-type. Name, the ce-eventName, follows from it.
	Type string

	Hub          string
	ConnectionID string // for MQTT the client id
	UserID       string
	ID           string // the ce-id
	State        *string
	Time         time.Time

	// Subprotocol is the negotiated one, empty for simple clients. MQTT clients
	// have "mqtt", and a version.
	Subprotocol          string
	MQTTVersion          int // [wire.MQTT311], [wire.MQTT5] or 0
	PhysicalConnectionID string
	SessionID            string

	ContentType    string
	Body           []byte
	Metadata       []wire.UserProperty
	UserProperties []wire.UserProperty // of MQTT 5

	Keys    []string // that sign; none for an unsigned event
	Origins []string // the hosts of the service
}

// Kind returns what the event is.
func (e *Event) Kind() wire.Kind {
	kind, _ := wire.ParseType(e.Type)
	return kind
}

// Name returns the name of the event.
func (e *Event) Name() string {
	_, name := wire.ParseType(e.Type)
	return name
}

// A Field is a header.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// url returns where events of one name go.
func (e *Event) url(event string) (*url.URL, error) {
	text := strings.NewReplacer("{hub}", url.PathEscape(strings.ToLower(e.Hub)), "{event}", url.PathEscape(event)).Replace(e.URLTemplate)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, errors.New("the URL of the handler is not absolute: expected one such as http://localhost:3000/eventhandler")
	}
	return u, nil
}

// Check reports what the service could not send, or a client could not have
// sent.
func (e *Event) Check() error {
	if _, err := e.url(e.Name()); err != nil {
		return err
	}
	switch {
	case !wire.ValidHub(e.Hub):
		return fmt.Errorf("%.130q is no name of a hub: expected a letter, then up to 127 letters, digits and any of _`,.[]", e.Hub)
	case e.Kind() == wire.KindForeign:
		return fmt.Errorf("%.100q is no type of an event", e.Type)
	case strings.ContainsFunc(e.UserID, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the user id has a control character, which no header can carry")
	}
	for _, f := range e.fields() {
		switch {
		case !wire.ValidToken(f.Name):
			return fmt.Errorf("%.64q is no name of a header: letters, digits and a few signs such as - and _ are", f.Name)
		case f.Name != wire.OnWire(wire.HeaderUserID) && !wire.ValidHeaderValue(f.Value):
			return fmt.Errorf("%s is no visible ASCII, and the service sends no other headers but the user id", f.Name)
		}
	}
	return nil
}

// fields returns the headers in the documents' spelling and order.
func (e *Event) fields() []Field {
	var fields []Field
	add := func(canonical, value string) {
		if value != "" {
			fields = append(fields, Field{wire.OnWire(canonical), value})
		}
	}
	add(wire.HeaderRequestOrigin, strings.Join(e.Origins, ", "))
	add(wire.HeaderContentType, e.ContentType)
	add(wire.HeaderSpecVersion, wire.SpecVersion)
	add(wire.HeaderAWPSVersion, wire.AWPSVersion)
	add(wire.HeaderType, e.Type)
	add(wire.HeaderEventName, e.Name())
	add(wire.HeaderSource, e.source())
	add(wire.HeaderID, e.ID)
	add(wire.HeaderTime, e.Time.UTC().Format("2006-01-02T15:04:05Z"))
	add(wire.HeaderHub, strings.ToLower(e.Hub))
	add(wire.HeaderConnectionID, e.ConnectionID)
	add(wire.HeaderPhysicalConnectionID, e.PhysicalConnectionID)
	if e.Kind() != wire.KindConnect {
		add(wire.HeaderSessionID, e.SessionID)
	}
	add(wire.HeaderUserID, e.UserID)
	if e.Kind() != wire.KindConnect || e.Subprotocol == wire.SubprotocolMQTT {
		add(wire.HeaderSubprotocol, e.Subprotocol)
	}
	if len(e.Keys) > 0 {
		add(wire.HeaderSignature, wire.Sign(e.ConnectionID, e.Keys...))
	}
	if e.State != nil {
		fields = append(fields, Field{wire.OnWire(wire.HeaderConnectionState), *e.State}) // which may be empty
	}
	add(wire.HeaderClientRequestID, wire.NewRequestID())
	for _, p := range e.Metadata {
		add(wire.PrefixMetadata+p.Name, p.Value)
	}
	for _, p := range e.UserProperties {
		add(wire.PrefixMQTT+p.Name, p.Value)
	}
	return fields
}

func (e *Event) source() string {
	source := "/hubs/" + strings.ToLower(e.Hub) + "/client/" + e.ConnectionID
	if e.PhysicalConnectionID != "" {
		source += "/" + e.PhysicalConnectionID
	}
	return source
}

// handshakeFields are the headers of the question for consent, which is neither
// signed nor about an event.
func (e *Event) handshakeFields() []Field {
	return []Field{
		{wire.OnWire(wire.HeaderRequestOrigin), strings.Join(e.Origins, ", ")},
		{wire.OnWire(wire.HeaderAWPSVersion), wire.AWPSVersion},
	}
}

func header(fields []Field) http.Header {
	h := http.Header{"User-Agent": {""}} // the service names none, and net/http would
	for _, f := range fields {
		h.Add(f.Name, f.Value)
	}
	return h
}

// fieldsOf returns the headers of an answer in alphabetical order. Cookies are
// shown without their values.
func fieldsOf(h http.Header) []Field {
	var fields []Field
	for name, values := range h {
		for _, value := range values {
			if textproto.CanonicalMIMEHeaderKey(name) == "Set-Cookie" {
				cookie, _, _ := strings.Cut(value, "=")
				value = cookie + "=(hidden)"
			}
			fields = append(fields, Field{spelling(name), value})
		}
	}
	slices.SortStableFunc(fields, func(a, b Field) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return fields
}

// spelling returns the documents' spelling of the protocol's headers, and others
// as they are.
func spelling(canonical string) string {
	switch canonical {
	case wire.HeaderAllowedOrigin, wire.HeaderConnectionState:
		return wire.OnWire(canonical)
	}
	return canonical
}

// NewID returns an id that nobody else has, for connections.
func NewID() string { return strings.ReplaceAll(wire.NewRequestID(), "-", "") }

// display returns a URL without its user and without the values of its query,
// where functions have their keys.
func display(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery = nil, ""
	text := shown.String()
	sign := "?"
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, _, valued := strings.Cut(pair, "=")
		if !valued {
			name = "" // it may be a key that stands alone
		}
		text += sign + name + "=…"
		sign = "&"
	}
	return text
}

// Status returns a status and its words.
func Status(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}
