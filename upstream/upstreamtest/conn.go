package upstreamtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// A Conn is a client's connection to a [Service]. Its fields do not change
// after [Service.Connect]; its methods are safe for concurrent use. To send on
// a connection that was refused or closed is a mistake in the test.
type Conn struct {
	// ID is the connection id.
	ID string
	// UserID, Roles and Subprotocol are what the client got: what its token
	// and its offer say, unless the answer to connect said otherwise.
	UserID      string
	Roles       []string
	Subprotocol string
	// PhysicalConnectionID and SessionID are those of an MQTT client.
	PhysicalConnectionID string
	SessionID            string

	// StatusCode, Header and Body are the handler's answer to connect. When
	// the service refuses the client itself, StatusCode is 500.
	StatusCode int
	Header     http.Header
	Body       []byte
	// Reason is why the client was refused, empty if it was not.
	Reason string
	// Connack is what an MQTT client gets to see. Nil for others.
	Connack *Connack
	// Connected is the answer to connected. Nil for a refused client.
	Connected *Reply

	t           testing.TB
	service     *Service
	ctx         context.Context
	jar         *cookiejar.Jar
	mqttVersion int // 0 for clients that do not speak MQTT
	closing     sync.Once
	closeReply  *Reply

	mu     sync.Mutex // guards what follows
	state  upstream.State
	groups []string
	sent   int   // events
	last   Event // the zero Event before the first
	closed bool
}

// A Connack is what the packet of this name tells an MQTT client.
type Connack struct {
	// Code is 0 for an accepted client.
	Code upstream.MQTTCode
	// Reason and UserProperties reach clients of MQTT 5.0 only.
	Reason         string
	UserProperties []upstream.MQTTUserProperty
}

// Refused reports whether the client was not let in.
func (c *Conn) Refused() bool { return c.Reason != "" }

// State returns the state that the next event of the connection carries.
func (c *Conn) State() upstream.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Groups returns the groups that the connection is in.
func (c *Conn) Groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.groups)
}

// Send sends data as a client without a subprotocol does: as the event
// "message".
func (c *Conn) Send(data Data, faults ...Fault) *Reply {
	c.t.Helper()
	return c.Event("message", data, faults...)
}

// Event sends a user event. Clients of the subprotocols choose its name; the
// kit does not insist that others send nothing but messages.
func (c *Conn) Event(name string, data Data, faults ...Fault) *Reply {
	c.t.Helper()
	if strings.TrimSpace(name) == "" {
		c.t.Fatal("upstreamtest: Event without a name")
	}
	return c.send(Event{Type: UserEventType(name), Data: data}, faults)
}

// Join puts the connection into a group and sends the event.
func (c *Conn) Join(group string) *Reply {
	c.t.Helper()
	c.checkAccepted("Join")
	c.setMember(group, true)
	return c.send(Event{Type: TypeGroupJoined, Group: group}, nil)
}

// Leave takes the connection out of a group and sends the event.
func (c *Conn) Leave(group string) *Reply {
	c.t.Helper()
	c.checkAccepted("Leave")
	c.setMember(group, false)
	return c.send(Event{Type: TypeGroupLeft, Group: group}, nil)
}

// Redeliver sends the last event of the connection again, as the service does
// when it got no answer, 408 or 5xx: with the same ids, headers and data.
func (c *Conn) Redeliver() *Reply {
	c.t.Helper()
	c.checkAccepted("Redeliver")
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	return c.deliver(last, nil)
}

// Close ends the connection and sends disconnected, once: what follows returns
// the same reply. For MQTT it is the client that ends its session, with a
// DISCONNECT packet. The service says nothing about the end of a refused
// client, and Close returns nil then.
func (c *Conn) Close(reason string) *Reply {
	c.t.Helper()
	var end *upstream.MQTTDisconnect
	if c.mqttVersion != 0 {
		end = &upstream.MQTTDisconnect{InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{}}
	}
	return c.close(reason, end)
}

// CloseMQTT is [Conn.Close] for an MQTT session that ends in another way.
func (c *Conn) CloseMQTT(reason string, end upstream.MQTTDisconnect) *Reply {
	c.t.Helper()
	if c.mqttVersion == 0 {
		c.t.Fatal("upstreamtest: CloseMQTT of a client that does not speak MQTT")
	}
	return c.close(reason, &end)
}

func (c *Conn) close(reason string, end *upstream.MQTTDisconnect) *Reply {
	c.t.Helper()
	c.closing.Do(func() {
		c.t.Helper()
		if c.Refused() {
			return
		}
		c.closeReply = c.send(Event{Type: TypeDisconnected, Reason: reason, MQTT: end}, nil)
	})
	return c.closeReply
}

// A Reply is what became of an event. Its Data is the message that the client
// gets from the handler, zero when it gets none.
type Reply struct {
	Data
	// StatusCode, Header and Body are the handler's answer.
	StatusCode int
	Header     http.Header
	Body       []byte
	// Reason is why the event failed, empty if it did not.
	Reason string
}

// Failed reports whether the event failed, because the handler said so or
// because the service can do nothing with its answer. Real clients get a
// failed acknowledgement or lose their connection; a [Conn] stays open.
func (r *Reply) Failed() bool { return r.Reason != "" }

// Decode decodes the message of the client as JSON. It leaves the content type
// for the test to look at.
func (r *Reply) Decode(v any) error {
	if err := json.Unmarshal(r.Bytes, v); err != nil {
		return fmt.Errorf("upstreamtest: reply %q: %w", r.Bytes, err)
	}
	return nil
}

// subprotocols are what the service speaks itself.
var subprotocols = []string{
	wire.SubprotocolJSON,
	wire.SubprotocolJSONReliable,
	wire.SubprotocolProtobuf,
	wire.SubprotocolProtobufReliable,
}

// connect sends the connect event and applies its answer.
func (c *Conn) connect(client *Client) {
	c.t.Helper()
	data := client.data()
	a := c.service.post(c.ctx, c.fill(Event{Type: TypeConnect, Connect: data}), nil)
	c.StatusCode, c.Header, c.Body = a.status, a.header, a.body
	if !a.ok() {
		c.Reason = "the handler answered " + a.statusText()
		c.Connack = c.refusal(a)
		return
	}
	if err := c.accept(a, data); err != nil {
		c.refuse("the service cannot use the answer to connect: " + err.Error())
	}
}

// accept applies an answer to connect, all of it or nothing.
func (c *Conn) accept(a *answer, offer *ConnectData) error {
	if len(a.body) > wire.MaxAnswerBytes {
		return fmt.Errorf("it has %d bytes, the service reads %d", len(a.body), wire.MaxAnswerBytes)
	}
	answer, err := wire.DecodeConnectAnswer(a.body)
	if err != nil {
		return err
	}
	offered := offer.wire().Subprotocols
	if answer.Subprotocol != "" && !slices.Contains(offered, answer.Subprotocol) {
		return fmt.Errorf("subprotocol: is %q, the client offered %q", answer.Subprotocol, offered)
	}
	state, err := a.state()
	if err != nil {
		return err
	}
	c.keep(state, a.header)
	if answer.UserID != nil {
		c.UserID = *answer.UserID
	}
	if len(answer.Groups) > 0 {
		c.groups = answer.Groups
	}
	if answer.Roles != nil {
		c.Roles = answer.Roles
	}
	if c.mqttVersion != 0 {
		c.SessionID = wire.NewRequestID()
		if answer.MQTT != nil && c.mqttVersion == upstream.MQTTVersion5 {
			c.Connack.UserProperties = fromWire(answer.MQTT.UserProperties)
		}
		return nil
	}
	c.Subprotocol = answer.Subprotocol
	if i := slices.IndexFunc(offered, func(s string) bool { return slices.Contains(subprotocols, s) }); i >= 0 {
		c.Subprotocol = cmp.Or(c.Subprotocol, offered[i])
	}
	return nil
}

// refuse refuses the client in the name of the service.
func (c *Conn) refuse(reason string) {
	c.StatusCode, c.Reason = http.StatusInternalServerError, reason
	c.Connack = c.refusal(&answer{})
}

// refusal returns what an MQTT client learns from an answer that refuses it:
// an unspecified error unless there is a code of its protocol version.
func (c *Conn) refusal(a *answer) *Connack {
	var body wire.MQTTConnectFailure
	err := json.Unmarshal(a.body, &body)
	failure := body.MQTT
	_, known := wire.MQTTStatus(failure.Code)
	switch c.mqttVersion {
	case 0:
		return nil
	case upstream.MQTTVersion5:
		if err != nil || !known || failure.Code < int(upstream.MQTT5UnspecifiedError) {
			return &Connack{Code: upstream.MQTT5UnspecifiedError}
		}
		return &Connack{upstream.MQTTCode(failure.Code), failure.Reason, fromWire(failure.UserProperties)}
	}
	if err != nil || !known || failure.Code > int(upstream.MQTT311NotAuthorized) {
		return &Connack{Code: upstream.MQTT311ServerUnavailable}
	}
	return &Connack{Code: upstream.MQTTCode(failure.Code)}
}

// send sends the next event of an open connection.
func (c *Conn) send(ev Event, faults []Fault) *Reply {
	c.t.Helper()
	c.checkAccepted(ev.name())
	c.mu.Lock()
	closed := c.closed
	c.closed = closed || ev.Type == TypeDisconnected
	c.mu.Unlock()
	if closed {
		c.t.Fatalf("upstreamtest: %s on %s, which is closed", ev.name(), c.ID)
	}
	return c.deliver(c.fill(ev), faults)
}

func (c *Conn) checkAccepted(what string) {
	c.t.Helper()
	if c.Refused() {
		c.t.Fatalf("upstreamtest: %s on %s, which was refused: %s", what, c.ID, c.Reason)
	}
}

// fill makes ev the next event of the connection.
func (c *Conn) fill(ev Event) Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	ev.ID = strconv.Itoa(c.sent)
	c.sent++
	ev.ConnectionID = c.ID
	ev.UserID = c.UserID
	ev.RequestID = wire.NewRequestID()
	ev.Subprotocol = c.Subprotocol
	ev.PhysicalConnectionID = c.PhysicalConnectionID
	ev.SessionID = c.SessionID
	ev.Time = time.Now()
	ev.State = c.state
	ev.Cookies = c.jar.Cookies(c.service.jarURL)
	c.last = ev
	return ev
}

// deliver sends ev and takes from the answer what the service takes.
func (c *Conn) deliver(ev Event, faults []Fault) *Reply {
	c.t.Helper()
	blocking := ev.kind().Blocking()
	ctx := c.ctx
	if !blocking {
		ctx = context.WithoutCancel(ctx)
	}
	a := c.service.post(ctx, ev, faults)
	r := &Reply{StatusCode: a.status, Header: a.header, Body: a.body}
	if blocking {
		r.Data = c.message(a)
	}
	state, err := a.state()
	switch {
	case !a.ok():
		r.Reason = "the handler answered " + a.statusText()
	case !blocking:
		state = upstream.State{} // a notification cannot change it
	case len(a.body) > wire.MaxAnswerBytes:
		r.Reason = fmt.Sprintf("the answer has %d bytes, the service reads %d", len(a.body), wire.MaxAnswerBytes)
	case err != nil:
		r.Reason = "the service cannot use the ce-connectionState of the answer: " + err.Error()
	case r.DataType() == upstream.DataTypeOther && c.mqttVersion == 0:
		r.Reason = fmt.Sprintf("the answer is %s; the service delivers text/plain, application/json, application/octet-stream and application/x-protobuf", r.ContentType)
	}
	switch {
	case !r.Failed():
		c.keep(state, a.header)
	case c.mqttVersion == 0:
		r.Data = Data{} // only MQTT clients see what a failure says
	}
	return r
}

// message returns what an answer tells the client.
func (c *Conn) message(a *answer) Data {
	data := Data{Bytes: a.body, ContentType: wire.First(a.header, wire.HeaderContentType)}
	switch c.mqttVersion {
	case 0:
		data.Metadata = metadata(a.header)
	case upstream.MQTTVersion5:
		data.UserProperties = fromWire(wire.UserProperties(a.header))
	}
	switch {
	case len(a.body) > 0 || c.mqttVersion != 0:
		return data
	case data.Metadata == nil:
		return Data{} // an acknowledgement and nothing else
	}
	data.ContentType = wire.ContentTypeText // an empty text, whatever the type was
	return data
}

// metadata reads the metadata of an answer: of a list, the last element counts.
func metadata(h http.Header) map[string]string {
	m := wire.Metadata(h)
	for k, v := range m {
		m[k] = strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
	}
	return m
}

// keep takes state and cookies from an answer; a zero state changes nothing.
func (c *Conn) keep(state upstream.State, h http.Header) {
	c.jar.SetCookies(c.service.jarURL, (&http.Response{Header: h}).Cookies())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !state.IsZero() {
		c.state = state
	}
}

func (c *Conn) setMember(group string, member bool) {
	c.t.Helper()
	if strings.TrimSpace(group) == "" {
		c.t.Fatal("upstreamtest: a group without a name")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = slices.DeleteFunc(c.groups, func(g string) bool { return g == group })
	if member {
		c.groups = append(c.groups, group)
	}
}
