package deliver

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Event is what a handler is told: made by [Connection.NewEvent], filled by
// its maker, and not changed after that.
type Event struct {
	Kind wire.Kind

	// Name is the name of a user event.
	Name string

	// Group is the group of a group event.
	Group string

	// ContentType is that of Body. Default: none for user events, JSON for all
	// others.
	ContentType string

	// Body is the payload of a user event, or JSON. Default for events that
	// are not the user's: an object that says as much as is known here, which
	// for connect is nothing.
	Body []byte

	// Metadata travels with messages of the JSON and protobuf subprotocols.
	Metadata map[string]string

	// UserProperties travel with messages of MQTT 5.0.
	UserProperties []wire.UserProperty

	conn *Connection
	id   uint64
	time time.Time
}

// subject is what the settings of handlers say about such events.
func (e *Event) subject() string {
	switch e.Kind {
	case wire.KindUser:
		return e.Name
	case wire.KindGroupJoined, wire.KindGroupLeft:
		return e.Group
	}
	return ""
}

// ceType returns the type of the event.
func (e *Event) ceType() string {
	switch e.Kind {
	case wire.KindConnect:
		return wire.TypeConnect
	case wire.KindConnected:
		return wire.TypeConnected
	case wire.KindDisconnected:
		return wire.TypeDisconnected
	case wire.KindGroupJoined:
		return wire.TypeGroupJoined
	case wire.KindGroupLeft:
		return wire.TypeGroupLeft
	}
	return wire.UserType(e.Name)
}

func (e *Event) eventName() string {
	_, name := wire.ParseType(e.ceType())
	return name
}

func (e *Event) body() []byte {
	if e.Body != nil || e.Kind == wire.KindUser {
		return e.Body
	}
	var body any = struct{}{}
	switch e.Kind {
	case wire.KindDisconnected:
		body = wire.DisconnectedBody{}
	case wire.KindGroupJoined, wire.KindGroupLeft:
		body = wire.GroupBody{Group: e.Group}
	}
	text, _ := wire.Marshal(body) // these cannot fail
	return text
}

func (e *Event) contentType() string {
	if e.ContentType == "" && e.Kind != wire.KindUser {
		return wire.ContentTypeJSON
	}
	return e.ContentType
}

// header returns the headers of the event's request, the same for all attempts.
// The error is an [*UnsendableError].
func (e *Event) header(origin string, keys []string) (http.Header, error) {
	c := e.conn
	h := http.Header{
		wire.HeaderRequestOrigin:   {origin},
		wire.HeaderSpecVersion:     {wire.SpecVersion},
		wire.HeaderAWPSVersion:     {wire.AWPSVersion},
		wire.HeaderType:            {e.ceType()},
		wire.HeaderEventName:       {e.eventName()},
		wire.HeaderSource:          {e.source()},
		wire.HeaderID:              {strconv.FormatUint(e.id, 10)},
		wire.HeaderTime:            {e.time.UTC().Format("2006-01-02T15:04:05Z")},
		wire.HeaderConnectionID:    {c.ID},
		wire.HeaderHub:             {c.Hub},
		wire.HeaderClientRequestID: {wire.NewRequestID()},
		"User-Agent":               {""}, // the service names none, and net/http would
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(wire.HeaderContentType, e.contentType())
	set(wire.HeaderPhysicalConnectionID, c.PhysicalID)
	if e.Kind != wire.KindConnect {
		set(wire.HeaderSessionID, c.SessionID)
	}
	if e.Kind != wire.KindConnect || c.Subprotocol == wire.SubprotocolMQTT {
		set(wire.HeaderSubprotocol, c.Subprotocol)
	}
	if len(keys) > 0 {
		set(wire.HeaderSignature, wire.Sign(c.ID, keys...))
	}
	for key, value := range e.Metadata {
		h.Set(wire.PrefixMetadata+key, trimSpace(value))
	}
	for _, p := range e.UserProperties {
		h.Add(wire.PrefixMQTT+p.Name, trimSpace(p.Value))
	}
	if state, ok := c.State(); ok {
		h[wire.HeaderConnectionState] = []string{state} // which may be empty
	}
	if err := checkHeader(h); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(c.UserID, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil, &UnsendableError{wire.OnWire(wire.HeaderUserID), "has a control character"}
	}
	set(wire.HeaderUserID, c.UserID) // the one header that may be any UTF-8
	return h, nil
}

func (e *Event) source() string {
	source := "/hubs/" + e.conn.Hub + "/client/" + e.conn.ID
	if e.conn.PhysicalID != "" {
		source += "/" + e.conn.PhysicalID
	}
	return source
}

// checkHeader reports what the service cannot send: it fails an event with any
// other header than the user id outside ASCII, without trying.
func checkHeader(h http.Header) error {
	for name, values := range h {
		switch {
		case !wire.ValidToken(name):
			return &UnsendableError{fmt.Sprintf("%.64q", name), "is no name of a header: letters, digits and a few signs such as - and _ are"}
		case slices.ContainsFunc(values, func(v string) bool { return !wire.ValidHeaderValue(v) }):
			return &UnsendableError{wire.OnWire(name), "is no visible ASCII, and only ce-userId may be anything else"}
		}
	}
	return nil
}

// trimSpace drops the outer white space of a value, which HTTP does not keep.
func trimSpace(value string) string { return strings.Trim(value, " \t") }

func (e *Event) report() Report {
	return Report{
		Hub: e.conn.Hub, Type: e.ceType(), Event: e.eventName(), ConnectionID: e.conn.ID, UserID: e.conn.UserID,
	}
}
