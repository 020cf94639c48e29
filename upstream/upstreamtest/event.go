package upstreamtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// What the kit uses where a test says nothing else. The key is the public
// default of Microsoft's emulator; it protects nothing.
const (
	AccessKey        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
	ConnectionString = "Endpoint=http://localhost:8080;AccessKey=" + AccessKey + ";Version=1.0;"
	Origin           = "localhost"
	Hub              = "chat"
)

// The types of the events that are not user events; see [UserEventType].
const (
	TypeConnect      = wire.TypeConnect      // "azure.webpubsub.sys.connect"
	TypeConnected    = wire.TypeConnected    // "azure.webpubsub.sys.connected"
	TypeDisconnected = wire.TypeDisconnected // "azure.webpubsub.sys.disconnected"
	TypeGroupJoined  = wire.TypeGroupJoined  // "azure.webpubsub.gp.joined"
	TypeGroupLeft    = wire.TypeGroupLeft    // "azure.webpubsub.gp.left"
)

// UserEventType returns the type of the user event with this name.
func UserEventType(name string) string { return wire.UserType(name) }

// defaultRequestID is what an Event without a RequestID has.
const defaultRequestID = "00000000-0000-4000-8000-000000000001"

// An Event is one event as the service sends it. Its zero value is an empty
// text message of a client without a user.
//
// Two requests made from one Event are two deliveries of the same event: the
// service sends an event again, with the same ids, when a handler answers 408
// or 5xx.
type Event struct {
	// Type is the ce-type. Default: UserEventType("message").
	Type string
	// Hub is the hub. Default: [Hub].
	Hub string
	// ConnectionID is the connection; for MQTT the client id. Default: "conn1".
	ConnectionID string
	// UserID is the user. Default: none; the header is absent then.
	UserID string
	// ID is the ce-id. Default: "0" for connect, "1" for all others.
	ID string
	// RequestID is the x-ms-client-request-id. Default: a fixed GUID.
	RequestID string
	// Subprotocol is the negotiated subprotocol. Default: "mqtt" for MQTT
	// clients, none for others. An event is of an MQTT client when this field
	// or any other that only those have says so.
	Subprotocol string
	// PhysicalConnectionID is the network connection of an MQTT client.
	// Default: "physical1" for MQTT clients, none for others.
	PhysicalConnectionID string
	// SessionID is the session of an MQTT client. Default: "session1" for MQTT
	// clients, but in connect, and none for others.
	SessionID string
	// Time is when the event happened. Default: now.
	Time time.Time
	// State is the state of the connection. Default: none was ever set.
	State upstream.State
	// Cookies are in the cookie jar of the connection. Default: none.
	Cookies []*http.Cookie

	// Data is what a user event carries. Without a ContentType it is text, or
	// for MQTT clients of no type. In an event of another type, Bytes that are
	// not nil take the place of the body that the fields below make.
	Data Data
	// Connect is the body of connect. Default: a client that has and offers
	// nothing.
	Connect *ConnectData
	// Reason is the reason of disconnected. Default: null.
	Reason string
	// MQTT is in the body of disconnected. Default: for MQTT clients, that the
	// service ended the session without a packet.
	MQTT *upstream.MQTTDisconnect
	// Group is the group of joined and left.
	Group string

	// Header has further headers. They win over what the other fields say,
	// and a nil value removes a header.
	Header http.Header
	// Keys are the access keys that sign. Default: [AccessKey].
	Keys []string
	// Origins are the hosts of the service. Default: [Origin].
	Origins []string
}

// ConnectData is what connect tells about a client.
type ConnectData struct {
	Claims             map[string][]string
	Query              url.Values
	Headers            http.Header // of the client's own request
	Subprotocols       []string    // as offered, in order
	ClientCertificates []upstream.ClientCertificate
	MQTT               *upstream.MQTTConnect // for MQTT clients only
}

// NewRequest returns a signed POST request for ev, exactly as the service
// would send it, and then with the faults. Its URL is /eventhandler; see [To].
//
// Like [httptest.NewRequest] it panics when there is no such request: what the
// service has no way to send is a mistake in the test.
func NewRequest(ev Event, faults ...Fault) *http.Request {
	req, err := newRequest(ev, faults)
	if err != nil {
		panic("upstreamtest: " + err.Error())
	}
	return req
}

// NewHandshake returns the OPTIONS request by which the service asks whether
// it may send events from these hosts, by default from [Origin]. Its URL is
// /eventhandler; see [To].
func NewHandshake(origins ...string) *http.Request {
	req := emptyRequest(http.MethodOptions)
	req.Header[wire.HeaderRequestOrigin] = []string{originList(origins)}
	req.Header[wire.HeaderAWPSVersion] = []string{wire.AWPSVersion}
	return req
}

// To addresses a request to another URL, and returns it: a path such as
// "/hubs/chat/message" for a router, a whole URL for [http.Client.Do]. It
// panics if the URL does not parse.
func To(rawURL string, req *http.Request) *http.Request {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic("upstreamtest: To: " + err.Error())
	}
	req.URL = u
	req.Host = cmp.Or(u.Host, req.Host)
	return req
}

// emptyRequest leaves RequestURI empty, which an http.Client insists on and a
// handler hardly ever reads.
func emptyRequest(method string) *http.Request {
	return &http.Request{
		Method:     method,
		URL:        &url.URL{Path: "/eventhandler"},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       http.NoBody,
		Host:       "localhost",
		RemoteAddr: "192.0.2.1:1234",
	}
}

func newRequest(ev Event, faults []Fault) (*http.Request, error) {
	ev = ev.withDefaults()
	body, err := ev.body()
	if err != nil {
		return nil, err
	}
	req := emptyRequest(http.MethodPost)
	if err := ev.setHeaders(req.Header); err != nil {
		return nil, err
	}
	for _, c := range ev.Cookies {
		req.AddCookie(c)
	}
	for k, vs := range ev.Header {
		k = http.CanonicalHeaderKey(k)
		if vs == nil {
			delete(req.Header, k)
			continue
		}
		req.Header[k] = slices.Clone(vs)
	}
	setBody(req, body)
	for _, f := range faults {
		f(req)
	}
	return req, nil
}

func (ev Event) withDefaults() Event {
	ev.Type = cmp.Or(ev.Type, UserEventType("message"))
	ev.Hub = cmp.Or(ev.Hub, Hub)
	ev.ConnectionID = cmp.Or(ev.ConnectionID, "conn1")
	if ev.ID == "" {
		ev.ID = "1"
		if ev.kind() == wire.KindConnect {
			ev.ID = "0"
		}
	}
	ev.RequestID = cmp.Or(ev.RequestID, defaultRequestID)
	if ev.isMQTT() {
		ev.Subprotocol = cmp.Or(ev.Subprotocol, wire.SubprotocolMQTT)
		ev.PhysicalConnectionID = cmp.Or(ev.PhysicalConnectionID, "physical1")
		if ev.kind() != wire.KindConnect {
			ev.SessionID = cmp.Or(ev.SessionID, "session1")
		}
	}
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	if ev.kind() == wire.KindUser && ev.Data.ContentType == "" && !ev.isMQTT() {
		ev.Data.ContentType = wire.ContentTypeText
	}
	if len(ev.Keys) == 0 {
		ev.Keys = []string{AccessKey}
	}
	return ev
}

func (ev Event) kind() wire.Kind {
	kind, _ := wire.ParseType(ev.Type)
	return kind
}

func (ev Event) isMQTT() bool {
	return ev.Subprotocol == wire.SubprotocolMQTT || ev.PhysicalConnectionID != "" || ev.SessionID != "" ||
		ev.MQTT != nil || ev.Connect != nil && ev.Connect.MQTT != nil || ev.Data.UserProperties != nil
}

// setHeaders writes what the service writes. Headers are ASCII, but for the
// user id: the service fails to send anything else.
func (ev Event) setHeaders(h http.Header) error {
	source := "/hubs/" + ev.Hub + "/client/" + ev.ConnectionID
	if ev.PhysicalConnectionID != "" {
		source += "/" + ev.PhysicalConnectionID
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(wire.HeaderRequestOrigin, originList(ev.Origins))
	set(wire.HeaderSpecVersion, wire.SpecVersion)
	set(wire.HeaderAWPSVersion, wire.AWPSVersion)
	set(wire.HeaderType, ev.Type)
	set(wire.HeaderEventName, ev.name())
	set(wire.HeaderSource, source)
	set(wire.HeaderID, ev.ID)
	set(wire.HeaderTime, ev.Time.UTC().Format("2006-01-02T15:04:05Z"))
	set(wire.HeaderSignature, wire.Sign(ev.ConnectionID, ev.Keys...))
	set(wire.HeaderConnectionID, ev.ConnectionID)
	set(wire.HeaderHub, ev.Hub)
	set(wire.HeaderSubprotocol, ev.Subprotocol)
	set(wire.HeaderPhysicalConnectionID, ev.PhysicalConnectionID)
	set(wire.HeaderSessionID, ev.SessionID)
	set(wire.HeaderClientRequestID, ev.RequestID)
	set(wire.HeaderContentType, ev.contentType())
	for key, value := range ev.Data.Metadata {
		h.Set(wire.PrefixMetadata+key, value)
	}
	for _, p := range ev.Data.UserProperties {
		h.Add(wire.PrefixMQTT+p.Name, p.Value)
	}
	if !ev.State.IsZero() {
		h[wire.HeaderConnectionState] = []string{ev.State.Raw()} // which may be empty
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !wire.ValidToken(name) || slices.ContainsFunc(h[name], func(v string) bool { return !wire.ValidHeaderValue(v) }) {
			return fmt.Errorf("the service cannot send %s: %q, a header is visible ASCII", wire.OnWire(name), h[name])
		}
	}
	if strings.ContainsAny(ev.UserID, "\r\n\x00") {
		return fmt.Errorf("the service cannot send the user id %q in a header", ev.UserID)
	}
	set(wire.HeaderUserID, ev.UserID)
	return nil
}

// name returns the last part of the type, all that follows "user." for a user
// event.
func (ev Event) name() string {
	if kind, name := wire.ParseType(ev.Type); kind != wire.KindForeign {
		return name
	}
	return ev.Type[strings.LastIndexByte(ev.Type, '.')+1:]
}

func (ev Event) contentType() string {
	if ev.kind() == wire.KindUser {
		return ev.Data.ContentType
	}
	return cmp.Or(ev.Data.ContentType, wire.ContentTypeJSON)
}

func (ev Event) body() ([]byte, error) {
	kind := ev.kind()
	switch {
	case kind == wire.KindUser, ev.Data.Bytes != nil:
		return ev.Data.Bytes, nil
	case kind == wire.KindConnect:
		return wire.Marshal(ev.Connect.wire())
	case kind == wire.KindDisconnected:
		return wire.Marshal(ev.disconnected())
	case kind == wire.KindGroupJoined, kind == wire.KindGroupLeft:
		return wire.Marshal(wire.GroupBody{Group: ev.Group})
	}
	return []byte("{}"), nil
}

func (ev Event) disconnected() wire.DisconnectedBody {
	var b wire.DisconnectedBody
	if ev.Reason != "" {
		b.Reason = &ev.Reason
	}
	if ev.MQTT == nil && !ev.isMQTT() {
		return b
	}
	b.MQTT = &wire.MQTTDisconnect{}
	if ev.MQTT != nil {
		b.MQTT.InitiatedByClient = ev.MQTT.InitiatedByClient
		if p := ev.MQTT.Packet; p != nil {
			b.MQTT.DisconnectPacket = &wire.MQTTDisconnectPacket{Code: int(p.Code), UserProperties: toWire(p.UserProperties)}
		}
	}
	return b
}

// wire returns the body of connect. The service sends empty lists, not null.
func (c *ConnectData) wire() wire.ConnectBody {
	b := wire.ConnectBody{
		Claims:             wire.Lists{},
		Query:              wire.Lists{},
		Headers:            wire.Lists{},
		Subprotocols:       []string{},
		ClientCertificates: []wire.ClientCertificate{},
	}
	if c == nil {
		return b
	}
	maps.Copy(b.Claims, c.Claims)
	maps.Copy(b.Query, c.Query)
	maps.Copy(b.Headers, c.Headers)
	b.Subprotocols = append(b.Subprotocols, c.Subprotocols...)
	if c.MQTT != nil && len(c.Subprotocols) == 0 {
		b.Subprotocols = []string{wire.SubprotocolMQTT}
	}
	for _, cert := range c.ClientCertificates {
		b.ClientCertificates = append(b.ClientCertificates, wire.ClientCertificate(cert))
	}
	if m := c.MQTT; m != nil {
		b.MQTT = &wire.MQTTConnect{
			ProtocolVersion: m.ProtocolVersion,
			CleanStart:      m.CleanStart,
			Password:        m.Password,
			UserProperties:  toWire(m.UserProperties),
		}
		if m.Username != "" {
			b.MQTT.Username = &m.Username
		}
	}
	return b
}

func toWire(ps []upstream.MQTTUserProperty) []wire.UserProperty {
	var converted []wire.UserProperty
	for _, p := range ps {
		converted = append(converted, wire.UserProperty(p))
	}
	return converted
}

func fromWire(ps []wire.UserProperty) []upstream.MQTTUserProperty {
	var converted []upstream.MQTTUserProperty
	for _, p := range ps {
		converted = append(converted, upstream.MQTTUserProperty(p))
	}
	return converted
}

func originList(origins []string) string {
	if len(origins) == 0 {
		return Origin
	}
	return strings.Join(origins, ", ")
}
