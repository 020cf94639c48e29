package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Verdict is what the service would do.
type Verdict struct {
	OK     bool     // nothing is wrong
	Effect string   // what the service does
	Reason string   // what is wrong, empty if nothing is
	Hint   string   // what to do about it; may be empty
	Notes  []string // what else is good to know
}

// refuse returns a verdict of something that is wrong.
func refuse(effect, hint, reason string, args ...any) Verdict {
	return Verdict{Effect: effect, Hint: hint, Reason: fmt.Sprintf(reason, args...)}
}

const noConsent = "the service sends no events to this handler; clients are refused with 500 if it handles connect"

// judgeHandshake judges the last answer to the question for consent.
func (e *Event) judgeHandshake(x *Exchange) Verdict {
	if x.Response == nil {
		return refuse(noConsent, x.Hint, "%v", x.Err)
	}
	lines := x.Response.Header.Values(wire.HeaderAllowedOrigin)
	allows := func(value string) bool {
		value = strings.TrimSpace(value)
		return value == "*" || slices.ContainsFunc(e.Origins, func(origin string) bool {
			host := wire.OriginHost(value)
			return host != "" && host == wire.OriginHost(origin)
		})
	}
	switch status := x.Response.Status; {
	case status/100 != 2:
		return refuse(noConsent, handshakeHint(x, e.Origins), "%s was answered with %s, expected 2xx with WebHook-Allowed-Origin", x.Method, Status(status))
	case len(lines) == 0:
		return refuse(noConsent, "something else than the handler answers "+x.Method+", such as CORS middleware or a gateway: let it pass to the handler on this path",
			"the answer has no WebHook-Allowed-Origin")
	case slices.ContainsFunc(lines, allows):
		return Verdict{OK: true, Effect: "the service may send events to this handler"}
	case slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, ",") && slices.ContainsFunc(strings.Split(line, ","), allows)
	}):
		return refuse(noConsent, "write a header line of its own for each origin, or one with *",
			"WebHook-Allowed-Origin is a list, and the service takes it for one host")
	}
	return refuse(noConsent, "the handler allows another service: the host of its endpoint has to be "+strings.Join(e.Origins, " or ")+", or pass that of its own with --origin",
		"WebHook-Allowed-Origin is %.200q, expected %q or %q", strings.Join(lines, " and "), strings.Join(e.Origins, `" or "`), "*")
}

// judge judges the answer to the event.
func (e *Event) judge(x *Exchange) Verdict {
	if x.Response == nil {
		v := refuse(e.onFailure(0, nil), x.Hint, "%v", x.Err)
		_, late := errors.AsType[*timeoutError](x.Err)
		_, broken := errors.AsType[*bodyError](x.Err)
		if !late && !broken {
			v.Notes = append(v.Notes, retryNote)
		}
		return v
	}
	r := x.Response
	if r.Status/100 != 2 {
		v := refuse(e.onFailure(r.Status, r), e.statusHint(x), "the handler answered %s", e.statusText(r))
		if r.Status == http.StatusRequestTimeout || r.Status >= 500 {
			v.Notes = append(v.Notes, retryNote)
		}
		return v
	}
	v := e.judgeAnswer(r)
	if _, ok := r.Header[wire.HeaderConnectionState]; ok && v.OK {
		note := "the connection state is replaced by " + stateText(lastValue(r.Header, wire.HeaderConnectionState))
		if !e.Kind().Blocking() {
			note = "ce-connectionState has no effect here: only connect and user events can change the state"
		}
		v.Notes = append(v.Notes, note)
	}
	return v
}

const retryNote = "the service would send the event up to three more times, after 1, 3 and 5 seconds"

func (e *Event) statusText(r *Response) string {
	text := Status(r.Status)
	if location := r.Header.Get("Location"); r.Status/100 == 3 && location != "" {
		text += fmt.Sprintf(" to %.200s", location)
	}
	return text
}

// judgeAnswer judges an answer with a good status.
func (e *Event) judgeAnswer(r *Response) Verdict {
	if !e.Kind().Blocking() {
		return Verdict{OK: true, Effect: "nothing more: the service told the handler, and expects no answer"}
	}
	if encoding := r.Header.Get(wire.HeaderContentEncoding); len(r.Body) > 0 && encoding != "" && !strings.EqualFold(encoding, "identity") {
		return e.unusable("turn compression off for answers to the service", "its Content-Encoding is %.64q, and the service asked for none", encoding)
	}
	if state := lastValue(r.Header, wire.HeaderConnectionState); !wire.ValidHeaderValue(state) {
		return e.unusable("encode the state in base64", "its ce-connectionState is no visible ASCII, and could not be sent with the next event")
	}
	if e.Kind() == wire.KindConnect {
		return e.judgeConnect(r)
	}
	return e.judgeMessage(r)
}

func (e *Event) unusable(hint, reason string, args ...any) Verdict {
	return refuse(e.onFailure(0, nil), hint, "the answer cannot be used: "+reason, args...)
}

func (e *Event) judgeConnect(r *Response) Verdict {
	answer, err := wire.DecodeConnectAnswer(r.Body)
	if err != nil {
		return e.unusable("answer connect with 204, or with a JSON object of userId, groups, roles and subprotocol and without null or blank values",
			"its body: %v", err)
	}
	offered := e.offered()
	if chosen := answer.Subprotocol; chosen != "" && !slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, chosen) }) {
		return e.unusable("choose a subprotocol that the client offers, or leave it out", "its subprotocol is %.100q, and the client offers %q", chosen, offered)
	}
	return Verdict{OK: true, Effect: "the client is admitted" + e.admitted(answer), Notes: connectNotes(r.Body)}
}

// admitted says as whom and with what a client is admitted.
func (e *Event) admitted(answer *wire.ConnectAnswer) string {
	userID := e.UserID
	if answer.UserID != nil {
		userID = *answer.UserID
	}
	text := " without a user id"
	if userID != "" {
		text = fmt.Sprintf(" as user %q", userID)
	}
	if len(answer.Groups) > 0 {
		text += fmt.Sprintf(", in the groups %q", answer.Groups)
	}
	switch {
	case answer.Roles == nil:
		text += ", with the roles of its token"
	case len(answer.Roles) == 0:
		text += ", without any roles"
	default:
		text += fmt.Sprintf(", with the roles %q", answer.Roles)
	}
	if answer.Subprotocol != "" {
		text += fmt.Sprintf(", speaking %q", answer.Subprotocol)
	}
	return text
}

// connectNotes tells of members that the service does not know: the documents
// themselves misspell some.
func connectNotes(body []byte) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	var unknown []string
	for name := range members {
		if !slices.ContainsFunc([]string{"userId", "groups", "roles", "subprotocol", "mqtt"}, func(known string) bool { return strings.EqualFold(known, name) }) {
			unknown = append(unknown, fmt.Sprintf("%.64q", name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return []string{"the service does not know " + strings.Join(unknown, ", ") + "; it knows userId, groups, roles and subprotocol"}
}

// offered returns the subprotocols of the connect body.
func (e *Event) offered() []string {
	body, err := wire.DecodeConnectBody(e.Body)
	if err != nil {
		return nil
	}
	return body.Subprotocols
}

// judgeMessage judges the answer to a user event.
func (e *Event) judgeMessage(r *Response) Verdict {
	if e.Subprotocol == wire.SubprotocolMQTT {
		return Verdict{OK: true, Effect: fmt.Sprintf("the client gets %s on the topic %s with azure-status-code %d", size(r.Body), e.topic("succeeded"), r.Status)}
	}
	metadata := wire.Metadata(r.Header)
	for key, value := range metadata {
		if value = strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:]); len(key) > wire.MaxMetadataKey || len(value) > wire.MaxMetadataValue || !wire.ValidHeaderValue(value) {
			return e.unusable(fmt.Sprintf("metadata is visible ASCII: a key has up to %d bytes, a value %d", wire.MaxMetadataKey, wire.MaxMetadataValue),
				"its metadata %.64q is too long or no visible ASCII", key)
		}
	}
	contentType := wire.First(r.Header, wire.HeaderContentType)
	kind := wire.DataType(contentType)
	switch {
	case len(r.Body) == 0 && len(metadata) == 0:
		return Verdict{OK: true, Effect: e.acknowledged("the client gets no message")}
	case len(r.Body) == 0:
		return Verdict{OK: true, Effect: e.acknowledged("the client gets an empty text message with metadata")}
	case kind == wire.DataOther:
		return e.unusable(fmt.Sprintf("answer with %s, %s, %s or %s", wire.MediaText, wire.MediaJSON, wire.MediaBinary, wire.MediaProtobuf), "its Content-Type is %.100q", contentType)
	case kind == wire.DataText && !utf8.Valid(r.Body):
		return e.unusable("answer in UTF-8, or with "+wire.MediaBinary, "its Content-Type is %.100q, and its body is not valid UTF-8", contentType)
	case kind == wire.DataJSON && !(json.Valid(r.Body) && utf8.Valid(r.Body)):
		return e.unusable("answer with valid JSON, or with "+wire.MediaText, "its Content-Type is %.100q, and its body is not valid JSON", contentType)
	}
	v := Verdict{OK: true, Effect: e.acknowledged(fmt.Sprintf("the client gets %s as %s", size(r.Body), e.frame(kind)))}
	if contentType == "" {
		v.Notes = append(v.Notes, "without a Content-Type the data is binary; say text/plain or application/json for anything else")
	}
	return v
}

// frame says in what a client gets data of a kind.
func (e *Event) frame(kind string) string {
	switch {
	case !e.acks() && (kind == wire.DataText || kind == wire.DataJSON):
		return "a text frame"
	case !e.acks():
		return "a binary frame"
	}
	return "a message of type " + kind
}

// acks reports whether the client speaks a subprotocol that has them.
func (e *Event) acks() bool { return strings.HasSuffix(e.Subprotocol, ".webpubsub.azure.v1") }

func (e *Event) acknowledged(effect string) string {
	if e.acks() {
		return effect + ", and an ack of success if it asked for one"
	}
	return effect
}

// onFailure says what becomes of a failed event. The response may be nil.
func (e *Event) onFailure(status int, r *Response) string {
	switch e.Kind() {
	case wire.KindConnect:
		if e.MQTTVersion != 0 {
			return e.mqttRefusal(status, r)
		}
		if status/100 != 4 && status/100 != 5 {
			status = http.StatusInternalServerError
		}
		return "the client is refused with " + Status(status)
	case wire.KindUser:
		switch {
		case e.Subprotocol == wire.SubprotocolMQTT:
			return "the client is told on the topic " + e.topic("failed")
		case e.acks():
			return "the client gets a failed ack (InternalServerError) if it asked for one; the service's documents say that it is disconnected"
		}
		return "the client is disconnected with the close code 1011"
	}
	return "nothing: the service logs the failure and goes on"
}

// mqttRefusal says with what CONNACK an MQTT client is refused.
func (e *Event) mqttRefusal(status int, r *Response) string {
	var failure struct {
		MQTT *struct {
			Code *int
		}
	}
	if r == nil || json.Unmarshal(r.Body, &failure) != nil || failure.MQTT == nil || failure.MQTT.Code == nil {
		return "the client gets a CONNACK with an unspecified error: the answer names no code as in {\"mqtt\":{\"code\":135}}"
	}
	code := *failure.MQTT.Code
	if _, known := wire.MQTTStatus(code); !known || wire.MQTTCodeFor(e.MQTTVersion, code) != code {
		return fmt.Sprintf("the client gets a CONNACK with an unspecified error: %d is no code of its version of MQTT", code)
	}
	return fmt.Sprintf("the client gets a CONNACK with the code %d", code)
}

func (e *Event) topic(outcome string) string {
	return "$webpubsub/server/events/" + e.Name() + "/" + outcome
}

func size(body []byte) string {
	if len(body) == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", len(body))
}

func lastValue(h http.Header, canonical string) string {
	lines := h[canonical]
	if len(lines) == 0 {
		return ""
	}
	return strings.Trim(lines[len(lines)-1], " \t")
}
