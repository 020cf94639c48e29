package upstream

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A ConnectionContext says which connection an event belongs to. It is
// embedded in every request and event, and it is what a [RequestValidator]
// judges.
//
// Everything in it was read from headers. The signature covers ConnectionID
// only; see "What the signature proves" in the package documentation.
//
// As text and as a log value it, and every request that embeds it, shows an
// allow-list of attributes and keeps headers, signature, state and data to
// itself.
type ConnectionContext struct {
	// ConnectionID identifies the client's connection. For MQTT it is the
	// client id, which the client chose itself.
	ConnectionID string
	// Hub is the hub as spelled in the request. The service may send it in
	// lower case: compare without case.
	Hub string
	// UserID is the user of the connection, empty when there is none. It is
	// any Unicode text, commas and slashes included.
	UserID string
	// EventType is the whole ce-type, such as "azure.webpubsub.sys.connect".
	EventType string
	// EventName is the last part of the type: "connect", "message", or the
	// name of a custom event as the client spelled it.
	EventName string
	// EventID is the same on every delivery of one event, and unique among
	// the events of one connection (for MQTT: of one physical connection).
	EventID string
	// RequestID is the x-ms-client-request-id, the same on every delivery of
	// one event. Calls that package webpubsub makes with the context of the
	// handler carry it too.
	RequestID string
	// Subprotocol is the negotiated WebSocket subprotocol; on connect it is
	// empty, except for MQTT.
	Subprotocol string
	// Origin is the first of Origins.
	Origin string
	// Origins are the hosts of the service that sent the request: several
	// when the resource has custom domains or replicas.
	Origins []string
	// Signature is the ce-signature header, empty when access keys are
	// turned off for the resource.
	Signature string
	// Time is when the event happened, the zero time when the request does
	// not say.
	Time time.Time
	// State is the connection's state before this event.
	State State
	// Header holds all headers of the request. It is shared: do not change it.
	Header http.Header

	// PhysicalConnectionID identifies the network connection of an MQTT
	// client. Empty for other clients.
	PhysicalConnectionID string
	// SessionID identifies the session of an MQTT client. Empty on connect
	// and for other clients.
	SessionID string

	metadata map[string]string // of a message
	bodySize int
	digest   []byte // of the body, where a DuplicateGuard needs it
}

// Connection returns c. It is how a [Request] gives access to its context.
func (c *ConnectionContext) Connection() *ConnectionContext { return c }

// IsMQTT reports whether the client speaks MQTT.
func (c *ConnectionContext) IsMQTT() bool {
	return c.PhysicalConnectionID != "" || c.SessionID != "" || strings.EqualFold(c.Subprotocol, wire.SubprotocolMQTT)
}

// Cookies returns the cookies of the request. The service keeps a cookie jar
// for each connection and fills it from the Set-Cookie headers of successful
// answers.
func (c *ConnectionContext) Cookies() []*http.Cookie {
	return (&http.Request{Header: c.Header}).Cookies()
}

// LogValue implements [slog.LogValuer] with an allow-list of attributes.
func (c ConnectionContext) LogValue() slog.Value {
	return slog.GroupValue(c.logAttrs()...)
}

// String shows what LogValue does.
func (c ConnectionContext) String() string { return fmt.Sprint(c.logAttrs()) }

// GoString keeps everything else out of %#v too.
func (c ConnectionContext) GoString() string { return c.String() }

// setHeaders fills c from canonical headers, in one pass. The error is a
// *[HeaderNotFoundError] for the first required header that is missing.
func (c *ConnectionContext) setHeaders(h http.Header, eventName string) error {
	c.Header, c.EventName = h, eventName
	for name, values := range h {
		if len(values) > 0 {
			c.setHeader(name, values)
		}
	}
	switch {
	case c.EventType == "":
		return &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderType)}
	case c.Hub == "":
		return &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderHub)}
	case c.ConnectionID == "":
		return &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderConnectionID)}
	}
	return nil
}

func (c *ConnectionContext) setHeader(name string, values []string) {
	switch v := values[0]; name {
	case wire.HeaderType:
		c.EventType = v
	case wire.HeaderHub:
		c.Hub = v
	case wire.HeaderConnectionID:
		c.ConnectionID = v
	case wire.HeaderID:
		c.EventID = v
	case wire.HeaderClientRequestID:
		c.RequestID = v
	case wire.HeaderUserID:
		c.UserID = v
	case wire.HeaderSubprotocol:
		c.Subprotocol = v
	case wire.HeaderPhysicalConnectionID:
		c.PhysicalConnectionID = v
	case wire.HeaderSessionID:
		c.SessionID = v
	case wire.HeaderConnectionState:
		c.State = State{raw: v, present: true}
	case wire.HeaderSignature:
		c.Signature = strings.Join(values, ",")
	case wire.HeaderTime:
		c.Time, _ = time.Parse(time.RFC3339, v) // zero when malformed: the time is never required
	case wire.HeaderRequestOrigin:
		c.Origins = wire.ParseOrigins(values)
		if len(c.Origins) > 0 {
			c.Origin = c.Origins[0]
		}
	default:
		c.metadata = wire.AddMetadata(c.metadata, name, values)
	}
}

// A Request is one verified event: a *[ConnectRequest], *[UserEventRequest],
// *[ConnectedEvent], *[DisconnectedEvent], *[GroupJoinedEvent],
// *[GroupLeftEvent] or *[UnknownEvent].
type Request interface {
	// Connection returns the attributes that all events share.
	Connection() *ConnectionContext
	// Blocking reports whether the service waits for the answer. Only the
	// answer to a blocking event can change the connection's state.
	Blocking() bool
	// IsMQTT reports whether the client speaks MQTT.
	IsMQTT() bool

	kind() wire.Kind
	decode(body []byte) error
}

// newRequest returns an empty request for a ce-type. Types that are not Web
// PubSub's get an *UnknownEvent too: they are refused after validation, and
// until then there is a context to fill.
func newRequest(kind wire.Kind) Request {
	switch kind {
	case wire.KindConnect:
		return &ConnectRequest{}
	case wire.KindUser:
		return &UserEventRequest{}
	case wire.KindConnected:
		return &ConnectedEvent{}
	case wire.KindDisconnected:
		return &DisconnectedEvent{}
	case wire.KindGroupJoined:
		return &GroupJoinedEvent{}
	case wire.KindGroupLeft:
		return &GroupLeftEvent{}
	}
	return &UnknownEvent{}
}

// A ConnectRequest asks whether a client may connect, and as whom. The service
// waits for the answer.
type ConnectRequest struct {
	ConnectionContext

	// Claims are the claims of the client's access token. Values are always
	// lists; types may be URIs.
	Claims map[string][]string
	// Query is the query string of the client's request. It may hold
	// credentials of your own making: do not log it.
	Query url.Values
	// Headers are the headers of the client's request, their keys canonical.
	// The headers of the service's own request are in Header.
	Headers http.Header
	// Subprotocols are what the client offers, in its order of preference.
	Subprotocols []string
	// ClientCertificates are what the client presented. The service does not
	// judge them: it passes invalid and missing certificates on.
	ClientCertificates []ClientCertificate
	// MQTT describes the CONNECT packet of an MQTT client. Nil for others.
	MQTT *MQTTConnect
}

// Blocking returns true.
func (*ConnectRequest) Blocking() bool { return true }

// IsMQTT reports whether the client speaks MQTT.
func (r *ConnectRequest) IsMQTT() bool { return r.MQTT != nil || r.ConnectionContext.IsMQTT() }

func (*ConnectRequest) kind() wire.Kind { return wire.KindConnect }

func (r *ConnectRequest) decode(body []byte) error {
	b, err := wire.DecodeConnectBody(body)
	if err != nil {
		field := ""
		if f, ok := errors.AsType[*wire.FieldError](err); ok {
			field = f.Field
		}
		return &InvalidConnectRequestError{Key: field, err: err}
	}
	r.Claims = b.Claims
	r.Query = url.Values(b.Query)
	r.Headers = wire.Canonical(http.Header(b.Headers))
	r.Subprotocols = b.Subprotocols
	for _, c := range b.ClientCertificates {
		r.ClientCertificates = append(r.ClientCertificates, ClientCertificate(c))
	}
	if b.MQTT != nil {
		r.MQTT = newMQTTConnect(b.MQTT)
	}
	return nil
}

// A ClientCertificate is a TLS certificate that the client presented.
type ClientCertificate struct {
	// Thumbprint is the SHA-1 of the certificate in hex.
	Thumbprint string
	// Content is the certificate in PEM. Older services leave it empty.
	Content string
}

// Parse decodes the certificate. It does not verify it: neither the chain nor
// the dates, and the service does not either.
func (c ClientCertificate) Parse() (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(c.Content))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("upstream: client certificate is not in PEM form")
	}
	return x509.ParseCertificate(block.Bytes)
}

// A DataType is the kind of data that a user event or its answer holds.
type DataType string

// The data types. DataTypeOther is any further media type, which only MQTT
// clients can send; data without a content type is binary.
const (
	DataTypeText     DataType = wire.DataText     // "text"
	DataTypeJSON     DataType = wire.DataJSON     // "json"
	DataTypeBinary   DataType = wire.DataBinary   // "binary"
	DataTypeProtobuf DataType = wire.DataProtobuf // "protobuf"
	DataTypeOther    DataType = wire.DataOther    // "other"
)

// A UserEventRequest is something that a client sent: the event "message" for
// clients without a subprotocol, the name of their choice for others. The
// service waits for the answer.
type UserEventRequest struct {
	ConnectionContext

	// Data is what the client sent. It may be empty.
	Data []byte
	// ContentType is the Content-Type header as received.
	ContentType string
	// DataType is what ContentType means.
	DataType DataType
	// Metadata is the metadata of the message, its keys in lower case. Nil
	// when there is none.
	Metadata map[string]string
	// UserProperties are the user properties of an MQTT 5 PUBLISH, sorted by
	// name. Names arrive in lower case, because HTTP headers carry them.
	UserProperties []MQTTUserProperty
}

// Blocking returns true.
func (*UserEventRequest) Blocking() bool { return true }

func (*UserEventRequest) kind() wire.Kind { return wire.KindUser }

func (r *UserEventRequest) decode(body []byte) error {
	r.Data = body
	r.ContentType = wire.First(r.Header, wire.HeaderContentType)
	r.DataType = DataType(wire.DataType(r.ContentType))
	r.Metadata = r.metadata
	if r.IsMQTT() {
		r.UserProperties = fromWireProperties(wire.UserProperties(r.Header))
	}
	return nil
}

// A ConnectedEvent tells that a connection is open; for MQTT, that a new
// session was made. It may arrive while the first user event is under way.
type ConnectedEvent struct {
	ConnectionContext
}

// Blocking returns false.
func (*ConnectedEvent) Blocking() bool { return false }

func (*ConnectedEvent) kind() wire.Kind { return wire.KindConnected }

func (*ConnectedEvent) decode([]byte) error { return nil }

// A DisconnectedEvent tells that a connection, or an MQTT session, has ended.
// The service sends it for every connection whose connect it got an accepting
// answer for, also when the connection then never opened.
type DisconnectedEvent struct {
	ConnectionContext

	// Reason is why, empty for an ordinary end.
	Reason string
	// MQTT tells how an MQTT session ended. Nil for others.
	MQTT *MQTTDisconnect
}

// Blocking returns false.
func (*DisconnectedEvent) Blocking() bool { return false }

// IsMQTT reports whether the client spoke MQTT.
func (e *DisconnectedEvent) IsMQTT() bool { return e.MQTT != nil || e.ConnectionContext.IsMQTT() }

func (*DisconnectedEvent) kind() wire.Kind { return wire.KindDisconnected }

func (e *DisconnectedEvent) decode(body []byte) error {
	b, err := wire.DecodeDisconnectedBody(body)
	if err != nil {
		return &InvalidBodyError{Context: e.Connection(), err: err}
	}
	if b.Reason != nil {
		e.Reason = *b.Reason
	}
	if b.MQTT != nil {
		e.MQTT = newMQTTDisconnect(b.MQTT)
	}
	return nil
}

// A GroupJoinedEvent tells that a connection has joined a group. The service
// offers group events as a preview, and only where they are configured.
type GroupJoinedEvent struct {
	ConnectionContext

	Group string
}

// Blocking returns false.
func (*GroupJoinedEvent) Blocking() bool { return false }

func (*GroupJoinedEvent) kind() wire.Kind { return wire.KindGroupJoined }

func (e *GroupJoinedEvent) decode(body []byte) (err error) {
	e.Group, err = decodeGroup(e.Connection(), body)
	return err
}

// A GroupLeftEvent tells that a connection has left a group. The service
// offers group events as a preview, and only where they are configured.
type GroupLeftEvent struct {
	ConnectionContext

	Group string
}

// Blocking returns false.
func (*GroupLeftEvent) Blocking() bool { return false }

func (*GroupLeftEvent) kind() wire.Kind { return wire.KindGroupLeft }

func (e *GroupLeftEvent) decode(body []byte) (err error) {
	e.Group, err = decodeGroup(e.Connection(), body)
	return err
}

func decodeGroup(c *ConnectionContext, body []byte) (string, error) {
	b, err := wire.DecodeGroupBody(body)
	if err != nil {
		return "", &InvalidBodyError{Context: c, err: err}
	}
	return b.Group, nil
}

// An UnknownEvent is an event of Web PubSub that this version of the library
// does not know. It is answered with 204 and logged once for each type; no
// handler can be registered for it.
type UnknownEvent struct {
	ConnectionContext

	// Data is the body as received.
	Data []byte
	// ContentType is the Content-Type header as received.
	ContentType string
}

// Blocking returns false.
func (*UnknownEvent) Blocking() bool { return false }

func (*UnknownEvent) kind() wire.Kind { return wire.KindUnknown }

func (e *UnknownEvent) decode(body []byte) error {
	e.Data = body
	e.ContentType = wire.First(e.Header, wire.HeaderContentType)
	return nil
}

type httpRequestKey struct{}

// HTTPRequest returns the HTTP request behind an event, for the rare handler
// that needs more than the event: the remote address, a value that a
// middleware of the router left in the context. Its body is already read. It
// is nil when the event did not come through ServeHTTP or Wrap.
func HTTPRequest(ctx context.Context) *http.Request {
	r, _ := ctx.Value(httpRequestKey{}).(*http.Request)
	return r
}
