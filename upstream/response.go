package upstream

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Response is what to send back: the three things that every HTTP host can
// write.
type Response struct {
	StatusCode int
	Header     http.Header
	Body       []byte
}

// sniffedLength is up to where servers see the length of a body by themselves.
// Past it they would send chunks.
const sniffedLength = 1 << 10

// writeTo sends the response.
func (r *Response) writeTo(w http.ResponseWriter) {
	header := w.Header()
	for k, vs := range r.Header {
		header[k] = vs
	}
	if len(r.Body) > sniffedLength {
		header["Content-Length"] = []string{strconv.Itoa(len(r.Body))}
	}
	w.WriteHeader(r.StatusCode)
	if len(r.Body) > 0 {
		_, _ = w.Write(r.Body) // the service has gone away: nobody is left to tell
	}
}

// A Reply is what a handler of a blocking event returns: a *[ConnectResponse]
// or a *[UserEventResponse]. Nil means that there is nothing to say.
type Reply interface {
	// render turns the reply to req into a response. It returns an
	// *InvalidResponseError for what the service would refuse.
	render(req Request) (*Response, stateChange, error)
}

// A ConnectResponse accepts a client. Its zero value changes nothing: the
// client gets what its access token grants.
type ConnectResponse struct {
	// UserID replaces the user of the token. Empty leaves it as it is.
	UserID string
	// NoUser takes the user of the token away.
	NoUser bool
	// Groups replace the groups of the token. Nil and empty leave them: the
	// service has no way to take all of them away. For MQTT they are the
	// topic filters of the first subscriptions, and they count for a new
	// session only.
	Groups []string
	// Roles replace the roles of the token, such as "webpubsub.sendToGroup".
	// Nil leaves them; an empty list that is not nil takes them away.
	Roles []string
	// Subprotocol must be one that the client offered. Empty leaves the
	// choice to the service.
	Subprotocol string
	// State replaces the state of the connection. Zero leaves it.
	State State
	// Cookies go into the cookie jar that the service keeps for this
	// connection; they come back with every event of it.
	Cookies []*http.Cookie
	// MQTT adds to the CONNACK packet. It is ignored for other clients.
	MQTT *MQTTConnectResponse

	stateEdits
}

func (r *ConnectResponse) render(req Request) (*Response, stateChange, error) {
	connect, ok := req.(*ConnectRequest)
	if !ok {
		return nil, stateChange{}, wrongReply(r, req)
	}
	if err := r.check(connect); err != nil {
		return nil, stateChange{}, err
	}
	header, change, err := replyHeader(&r.stateEdits, connect.State, r.State, r.Cookies)
	if err != nil {
		return nil, stateChange{}, err
	}
	answer := wire.ConnectAnswer{Groups: r.Groups, Roles: r.Roles, Subprotocol: r.Subprotocol}
	if r.UserID != "" || r.NoUser {
		answer.UserID = &r.UserID
	}
	if r.MQTT != nil && len(r.MQTT.UserProperties) > 0 && connect.IsMQTT() {
		answer.MQTT = &wire.MQTTConnectAnswer{UserProperties: toWireProperties(r.MQTT.UserProperties)}
	}
	if answer.IsZero() {
		return &Response{StatusCode: http.StatusNoContent, Header: header}, change, nil
	}
	body, err := wire.Marshal(answer)
	if err != nil {
		return nil, stateChange{}, err
	}
	header[wire.HeaderContentType] = []string{wire.ContentTypeJSON}
	return &Response{StatusCode: http.StatusOK, Header: header, Body: body}, change, nil
}

// check finds what the service would refuse (reference-cloud-events,
// "connect": success response).
func (r *ConnectResponse) check(req *ConnectRequest) error {
	invalid := func(field, format string, args ...any) error {
		return &InvalidResponseError{Field: field, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.NoUser && r.UserID != "":
		return invalid("NoUser", "is set and UserID is too; set one of them")
	case strings.ContainsAny(r.UserID, "\r\n\x00"):
		return invalid("UserID", "has a line break or a NUL, and it has to travel in a header")
	case slices.ContainsFunc(r.Groups, isBlank):
		return invalid("Groups", "has a blank element; the service refuses the client then")
	case slices.ContainsFunc(r.Roles, isBlank):
		return invalid("Roles", "has a blank element")
	case r.Subprotocol != "" && !slices.Contains(offered(req), r.Subprotocol):
		return invalid("Subprotocol", "is %q, which the client did not offer; leave it empty or choose from ConnectRequest.Subprotocols",
			clip(r.Subprotocol))
	}
	return nil
}

// offered returns the subprotocols to choose from. MQTT clients speak one.
func offered(req *ConnectRequest) []string {
	if req.IsMQTT() {
		return []string{wire.SubprotocolMQTT}
	}
	return req.Subprotocols
}

// A UserEventResponse answers a user event with a message to the same client.
// Build it with [Text], [JSON], [Binary] or [Protobuf]. A response without
// data sends no message: it only acknowledges the event.
type UserEventResponse struct {
	// Data is the message.
	Data []byte
	// ContentType says what Data is: text/plain, application/json,
	// application/octet-stream or application/x-protobuf, and for MQTT
	// clients any media type. Empty means application/octet-stream. Text that
	// is not valid UTF-8 is repaired with U+FFFD.
	ContentType string
	// Metadata travels with the message to clients that know metadata. Keys
	// are HTTP tokens without regard to case, values are visible ASCII.
	Metadata map[string]string
	// UserProperties go into the PUBLISH packet to an MQTT 5 client. They
	// travel as headers, so names are HTTP tokens without regard to case.
	// They are ignored for other clients.
	UserProperties []MQTTUserProperty
	// State replaces the state of the connection. Zero leaves it.
	State State
	// Cookies go into the cookie jar that the service keeps for this
	// connection; they come back with every event of it.
	Cookies []*http.Cookie

	stateEdits
}

// Text returns a response with a text message.
func Text(s string) *UserEventResponse {
	return &UserEventResponse{Data: []byte(s), ContentType: wire.ContentTypeText}
}

// Binary returns a response with a binary message.
func Binary(b []byte) *UserEventResponse {
	return &UserEventResponse{Data: b, ContentType: wire.MediaBinary}
}

// JSON returns a response with v as a JSON message. The error is that of
// [json.Marshal]; a handler can return both as they are.
func JSON(v any) (*UserEventResponse, error) {
	data, err := wire.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("upstream: response: %w", err)
	}
	return &UserEventResponse{Data: data, ContentType: wire.ContentTypeJSON}, nil
}

// Protobuf returns a response with a protobuf message: an encoded
// google.protobuf.Any, which clients of the protobuf subprotocols get as it is.
func Protobuf(envelope []byte) *UserEventResponse {
	return &UserEventResponse{Data: envelope, ContentType: wire.MediaProtobuf}
}

// maxReplyBytes is the longest answer that the service reads.
const maxReplyBytes = 16 << 20

func (r *UserEventResponse) render(req Request) (*Response, stateChange, error) {
	event, ok := req.(*UserEventRequest)
	if !ok {
		return nil, stateChange{}, wrongReply(r, req)
	}
	header, change, err := replyHeader(&r.stateEdits, event.State, r.State, r.Cookies)
	if err != nil {
		return nil, stateChange{}, err
	}
	if err := r.addMessageHeaders(header, event.IsMQTT()); err != nil {
		return nil, stateChange{}, err
	}
	if len(r.Data) == 0 && len(r.Metadata) == 0 {
		return &Response{StatusCode: http.StatusNoContent, Header: header}, change, nil
	}
	contentType, data, err := r.message(event.IsMQTT())
	if err != nil {
		return nil, stateChange{}, err
	}
	header[wire.HeaderContentType] = []string{contentType}
	return &Response{StatusCode: http.StatusOK, Header: header, Body: data}, change, nil
}

// message returns the content type and the body to send.
func (r *UserEventResponse) message(mqtt bool) (contentType string, data []byte, err error) {
	if len(r.Data) > maxReplyBytes {
		return "", nil, &InvalidResponseError{"Data", fmt.Sprintf("has %d bytes; the service reads %d at most", len(r.Data), maxReplyBytes)}
	}
	switch wire.DataType(r.ContentType) {
	case wire.DataText:
		if !utf8.Valid(r.Data) {
			return wire.ContentTypeText, bytes.ToValidUTF8(r.Data, []byte("\uFFFD")), nil
		}
		return wire.ContentTypeText, r.Data, nil
	case wire.DataJSON:
		return wire.ContentTypeJSON, r.Data, nil
	case wire.DataProtobuf:
		return wire.MediaProtobuf, r.Data, nil
	case wire.DataOther:
		if !mqtt {
			return "", nil, &InvalidResponseError{"ContentType", fmt.Sprintf("is %q; the service delivers text/plain, application/json, application/octet-stream and application/x-protobuf", clip(r.ContentType))}
		}
		if _, _, err := mime.ParseMediaType(r.ContentType); err != nil || !wire.ValidHeaderValue(r.ContentType) {
			return "", nil, &InvalidResponseError{"ContentType", fmt.Sprintf("is %q, which is no media type", clip(r.ContentType))}
		}
		return r.ContentType, r.Data, nil
	}
	return wire.MediaBinary, r.Data, nil
}

// The limits of metadata, as in Microsoft's emulator, which copies the service.
const (
	maxMetadataKey   = 256
	maxMetadataValue = 1024
	maxMetadataTotal = 8 << 10
)

func (r *UserEventResponse) addMessageHeaders(header http.Header, mqtt bool) error {
	if err := r.addMetadata(header); err != nil || !mqtt {
		return err
	}
	for _, p := range r.UserProperties {
		if !wire.ValidToken(p.Name) || !wire.ValidHeaderValue(p.Value) {
			return &InvalidResponseError{"UserProperties", "has an entry that cannot travel in a header: names are HTTP tokens, values visible ASCII"}
		}
		header.Add(wire.PrefixMQTT+p.Name, p.Value)
	}
	return nil
}

func (r *UserEventResponse) addMetadata(header http.Header) error {
	if len(r.Metadata) == 0 {
		return nil
	}
	total := 0
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
		v := r.Metadata[k]
		total += len(k) + len(v)
		if !wire.ValidToken(k) || len(k) > maxMetadataKey || !wire.ValidHeaderValue(v) || len(v) > maxMetadataValue || total > maxMetadataTotal {
			return &InvalidResponseError{"Metadata", fmt.Sprintf("has an entry that cannot travel in a header: keys are HTTP tokens of at most %d bytes, values visible ASCII of at most %d, all together at most %d",
				maxMetadataKey, maxMetadataValue, maxMetadataTotal)}
		}
		header.Set(wire.PrefixMetadata+k, v)
	}
	return nil
}

// replyHeader makes the headers that both replies share: state and cookies.
func replyHeader(edits *stateEdits, before, replacement State, cookies []*http.Cookie) (http.Header, stateChange, error) {
	change, err := edits.resolve(before, replacement)
	if err != nil {
		return nil, stateChange{}, err
	}
	header := make(http.Header, 2)
	if !change.state.IsZero() {
		header[wire.HeaderConnectionState] = []string{change.state.raw}
	}
	for _, c := range cookies {
		if err := c.Valid(); err != nil {
			return nil, stateChange{}, &InvalidResponseError{"Cookies", "has an invalid element: " + err.Error()}
		}
		header.Add("Set-Cookie", c.String())
	}
	return header, change, nil
}

func wrongReply(reply Reply, req Request) error {
	return fmt.Errorf("upstream: %T is no answer to %T", reply, req)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
