package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"reflect"
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

// An answer is a response on its way. Its header is a list, because the server
// that it is for has a map already.
type answer struct {
	status int
	header []headerField
	body   []byte

	few [2]headerField // where header begins: few answers have more
}

type headerField struct{ name, value string } // the name is canonical

// newAnswer returns an answer without header and body.
func newAnswer(status int) *answer {
	a := &answer{status: status}
	a.header = a.few[:0]
	return a
}

// add adds a line to the header.
func (a *answer) add(name, value string) { a.header = append(a.header, headerField{name, value}) }

// response is the answer for hosts other than net/http.
func (a *answer) response() *Response {
	r := &Response{StatusCode: a.status, Header: make(http.Header, len(a.header)), Body: a.body}
	for _, f := range a.header {
		r.Header[f.name] = append(r.Header[f.name], f.value)
	}
	return r
}

// sniffedLength is up to where servers see the length of a body by themselves.
// Past it they would send chunks.
const sniffedLength = 1 << 10

// writeTo sends the answer.
func (a *answer) writeTo(w http.ResponseWriter) {
	header := w.Header()
	for _, f := range a.header {
		header[f.name] = append(header[f.name], f.value)
	}
	if len(a.body) > sniffedLength {
		header["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	}
	w.WriteHeader(a.status)
	if len(a.body) > 0 {
		_, _ = w.Write(a.body) // the service has gone away: nobody is left to tell
	}
}

// A Reply is what a handler of a blocking event returns: a *[ConnectResponse]
// or a *[UserEventResponse]. Nil means that there is nothing to say.
type Reply interface {
	// render turns the reply to req into an answer. It returns an
	// *InvalidResponseError for what the service would refuse.
	render(req Request) (*answer, stateChange, error)
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

func (r *ConnectResponse) render(req Request) (*answer, stateChange, error) {
	connect, ok := req.(*ConnectRequest)
	if !ok {
		return nil, stateChange{}, wrongReply(r, req)
	}
	if err := r.check(connect); err != nil {
		return nil, stateChange{}, err
	}
	a := newAnswer(http.StatusNoContent)
	change, err := a.addStateAndCookies(&r.stateEdits, connect.State, r.State, r.Cookies)
	if err != nil {
		return nil, stateChange{}, err
	}
	body := wire.ConnectAnswer{Groups: r.Groups, Roles: r.Roles, Subprotocol: r.Subprotocol}
	if r.UserID != "" || r.NoUser {
		body.UserID = &r.UserID
	}
	if r.MQTT != nil && len(r.MQTT.UserProperties) > 0 && connect.IsMQTT() {
		body.MQTT = &wire.MQTTConnectAnswer{UserProperties: toWireProperties(r.MQTT.UserProperties)}
	}
	if body.IsZero() {
		return a, change, nil
	}
	a.status = http.StatusOK
	a.add(wire.HeaderContentType, wire.MediaJSON)
	a.body, err = wire.Marshal(body)
	return a, change, err
}

// check finds what the service would refuse (reference-cloud-events,
// "connect": success response).
func (r *ConnectResponse) check(req *ConnectRequest) error {
	invalid := func(field, reason string) error { return &InvalidResponseError{Field: field, Reason: reason} }
	switch {
	case r.NoUser && r.UserID != "":
		return invalid("NoUser", "is set and UserID is too; set one of them")
	case r.UserID != "" && isBlank(r.UserID) || strings.ContainsAny(r.UserID, "\r\n\x00"):
		return invalid("UserID", "is blank, or has a line break or a NUL, and it has to travel in a header")
	case slices.ContainsFunc(r.Groups, isBlank):
		return invalid("Groups", "has a blank element; the service refuses the client then")
	case slices.ContainsFunc(r.Roles, isBlank):
		return invalid("Roles", "has a blank element")
	case r.Subprotocol != "" && (isBlank(r.Subprotocol) || !slices.Contains(offered(req), r.Subprotocol)):
		return invalid("Subprotocol", "is none that the client offered; leave it empty or choose from ConnectRequest.Subprotocols")
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
	// clients any media type, which they get as it is. Empty means
	// application/octet-stream. Text for other clients that is not valid
	// UTF-8 is repaired with U+FFFD.
	ContentType string
	// Metadata travels with the message to clients that know metadata. Keys
	// are HTTP tokens without regard to case, values are visible ASCII without
	// commas: the service takes only what comes after the last one.
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

func (r *UserEventResponse) render(req Request) (*answer, stateChange, error) {
	event, ok := req.(*UserEventRequest)
	if !ok {
		return nil, stateChange{}, wrongReply(r, req)
	}
	a := newAnswer(http.StatusNoContent)
	change, err := a.addStateAndCookies(&r.stateEdits, event.State, r.State, r.Cookies)
	if err != nil {
		return nil, stateChange{}, err
	}
	mqtt := event.IsMQTT()
	if err := errors.Join(r.addMetadata(a), r.addUserProperties(a, mqtt)); err != nil {
		return nil, stateChange{}, err
	}
	if len(r.Data) == 0 && len(r.Metadata) == 0 {
		return a, change, nil
	}
	contentType, data, err := r.message(mqtt)
	if err != nil {
		return nil, stateChange{}, err
	}
	a.status, a.body = http.StatusOK, data
	a.add(wire.HeaderContentType, contentType)
	return a, change, nil
}

// message returns the content type and the body to send.
func (r *UserEventResponse) message(mqtt bool) (contentType string, data []byte, err error) {
	if len(r.Data) > wire.MaxAnswerBytes {
		return "", nil, &InvalidResponseError{
			"Data", fmt.Sprintf("has %d bytes; the service reads %d at most", len(r.Data), wire.MaxAnswerBytes),
		}
	}
	dataType := wire.DataType(r.ContentType)
	isText := dataType == wire.DataText || dataType == wire.DataJSON
	if mqtt && r.ContentType != "" || dataType == wire.DataOther || isText && !wire.IsUTF8(r.ContentType) {
		return r.customMessage(mqtt)
	}
	switch dataType {
	case wire.DataText:
		if !utf8.Valid(r.Data) {
			return wire.ContentTypeText, bytes.ToValidUTF8(r.Data, []byte("\uFFFD")), nil
		}
		return wire.ContentTypeText, r.Data, nil
	case wire.DataJSON:
		return wire.ContentTypeJSON, r.Data, nil
	case wire.DataProtobuf:
		return wire.MediaProtobuf, r.Data, nil
	}
	return wire.MediaBinary, r.Data, nil
}

// customMessage returns a content type of the author's as it is, for the
// clients that can get one.
func (r *UserEventResponse) customMessage(mqtt bool) (contentType string, data []byte, err error) {
	_, _, err = mime.ParseMediaType(r.ContentType)
	switch {
	case !mqtt:
		return "", nil, &InvalidResponseError{
			"ContentType",
			fmt.Sprintf("is %q; the service delivers %s, %s, %s and %s, text in UTF-8", clip(r.ContentType),
				wire.MediaText, wire.MediaJSON, wire.MediaBinary, wire.MediaProtobuf),
		}
	case err != nil || !wire.ValidHeaderValue(r.ContentType):
		return "", nil, &InvalidResponseError{
			"ContentType", fmt.Sprintf("is %q, which is no media type", clip(r.ContentType)),
		}
	}
	return r.ContentType, r.Data, nil
}

// addMetadata adds the metadata. Of keys that differ in case only, the last
// one counts, as in the service.
func (r *UserEventResponse) addMetadata(a *answer) error {
	if len(r.Metadata) == 0 {
		return nil
	}
	total := 0
	lines := make(map[string]string, len(r.Metadata))
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
		v := r.Metadata[k]
		total += len(k) + len(v)
		fits := len(k) <= wire.MaxMetadataKey && len(v) <= wire.MaxMetadataValue && total <= wire.MaxMetadataTotal
		if !fits || !wire.ValidToken(k) || !wire.ValidHeaderValue(v) || strings.Contains(v, ",") {
			return &InvalidResponseError{
				"Metadata",
				fmt.Sprintf("cannot travel in headers: keys are HTTP tokens of at most %d bytes, "+
					"values visible ASCII without commas of at most %d, all of them together at most %d",
					wire.MaxMetadataKey, wire.MaxMetadataValue, wire.MaxMetadataTotal),
			}
		}
		lines[http.CanonicalHeaderKey(wire.PrefixMetadata+k)] = v
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		a.add(name, lines[name])
	}
	return nil
}

func (r *UserEventResponse) addUserProperties(a *answer, mqtt bool) error {
	if !mqtt {
		return nil
	}
	for _, p := range r.UserProperties {
		if !wire.ValidToken(p.Name) || !wire.ValidHeaderValue(p.Value) {
			return &InvalidResponseError{
				"UserProperties", "cannot travel in headers: names are HTTP tokens, values visible ASCII",
			}
		}
		a.add(http.CanonicalHeaderKey(wire.PrefixMQTT+p.Name), p.Value)
	}
	return nil
}

// addStateAndCookies adds what both replies have in common.
func (a *answer) addStateAndCookies(edits *stateEdits, before, replacement State, cookies []*http.Cookie) (stateChange, error) {
	change, err := edits.resolve(before, replacement)
	if err != nil {
		return stateChange{}, err
	}
	if !change.state.IsZero() {
		a.add(wire.HeaderConnectionState, change.state.raw)
	}
	for _, c := range cookies {
		if err := c.Valid(); err != nil {
			return stateChange{}, &InvalidResponseError{"Cookies", "has an invalid element: " + err.Error()}
		}
		a.add("Set-Cookie", c.String())
	}
	return change, nil
}

func wrongReply(reply Reply, req Request) error {
	return fmt.Errorf("upstream: %T is no answer to %T", reply, req)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// isNil reports whether v is nil, or an interface around a nil pointer, map,
// slice, function or channel.
func isNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return rv.IsNil()
	}
	return false
}
