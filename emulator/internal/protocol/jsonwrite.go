package protocol

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Encode implements [Codec]. The order of members is that of the real service
// where traffic of it is known (data messages, connected), and that of its
// documents elsewhere: some clients compare messages as text.
//
// A DataMessage costs one allocation, and a few more with metadata. Broadcasts
// are why all this is written by hand.
func (c *jsonCodec) Encode(m Message) (Frame, bool) {
	if m, ok := m.(DataMessage); ok {
		return Frame{Payload: encodeDataMessage(&m)}, true
	}
	const usualSize = 128
	b := appendMessage(make([]byte, 0, usualSize), m)
	return Frame{Payload: b}, len(b) > 0
}

// appendMessage writes a message other than a data message, and nothing for
// one that is not known.
func appendMessage(b []byte, m Message) []byte {
	switch m := m.(type) {
	case Ack:
		b = append(b, `{"type":"ack","ackId":`...)
		b = strconv.AppendUint(b, m.ID, 10)
		b = appendOutcome(b, m.Err)
	case Connected:
		b = append(b, `{"type":"system","event":"connected","userId":`...)
		b = appendUser(b, m.UserID)
		b = appendMember(b, "connectionId", m.ConnectionID)
		if m.ReconnectionToken != "" {
			b = appendMember(b, "reconnectionToken", m.ReconnectionToken)
		}
	case Disconnected:
		b = append(b, `{"type":"system","event":"disconnected"`...)
		b = appendMember(b, "message", m.Reason)
	case Pong:
		b = append(b, `{"type":"pong"`...)
	case InvokeResponse:
		b = append(b, `{"type":"invokeResponse"`...)
		b = appendMember(b, "invocationId", m.InvocationID)
		b = appendOutcome(b, m.Err)
		if m.Err == nil && m.Data.Type != "" {
			b = appendData(b, deliverable(m.Data))
		}
	case StreamClosed:
		b = append(b, `{"type":"streamClosed"`...)
		b = appendMember(b, "streamId", m.StreamID)
		b = appendError(b, m.Err)
	default:
		return b
	}
	return append(b, '}')
}

// Number implements [Codec]. The number is the last member, as in Microsoft's
// emulator.
func (c *jsonCodec) Number(f Frame, id uint64) Frame {
	const member = `,"sequenceId":`
	open := f.Payload[:len(f.Payload)-len("}")]
	b := make([]byte, 0, len(open)+len(member)+len("18446744073709551615}"))
	b = append(b, open...)
	b = append(b, member...)
	b = strconv.AppendUint(b, id, 10)
	return Frame{Payload: append(b, '}')}
}

// The parts of a data message.
const (
	fromServer = `{"type":"message","from":"server"`
	fromGroup  = `{"type":"message","from":"group","fromUserId":`
	groupKey   = `,"group":`
	typeKey    = `,"dataType":"`
	dataKey    = `","data":`
)

// encodeDataMessage writes a data message into a slice of its size.
//
// The service names the publisher in every message of a group, and null when
// it has no name: seen in its traffic, and done by Microsoft's emulator.
func encodeDataMessage(m *DataMessage) []byte {
	group, user := repairText(m.Group), repairText(m.FromUserID)
	data := deliverable(m.Data)
	size := len(fromServer) + dataSize(data) + metadataSize(m.Metadata) + len("}")
	if group != "" {
		size += len(fromGroup) - len(fromServer) + max(len("null"), quotedSize(user)) + len(groupKey) + quotedSize(group)
	}
	b := make([]byte, 0, size)
	if group != "" {
		b = append(b, fromGroup...)
		b = appendUser(b, user)
		b = append(b, groupKey...)
		b = appendQuoted(b, group)
	} else {
		b = append(b, fromServer...)
	}
	b = appendData(b, data)
	b = appendMetadata(b, m.Metadata)
	return append(b, '}')
}

// deliverable returns data as it can be written: text and JSON in valid UTF-8,
// and no data as empty text, which is how the service delivers a message of
// nothing but metadata.
func deliverable(d Data) Data {
	switch d.Type {
	case "":
		return Data{Type: wire.DataText}
	case wire.DataText, wire.DataJSON:
		d.Bytes = repair(d.Bytes)
	}
	return d
}

// dataSize is how many bytes appendData writes.
func dataSize(d Data) int {
	n := len(typeKey) + len(d.Type) + len(dataKey)
	switch d.Type {
	case wire.DataText:
		return n + quotedSize(d.Bytes)
	case wire.DataJSON:
		return n + len(d.Bytes)
	}
	return n + len(`""`) + base64.StdEncoding.EncodedLen(len(d.Bytes))
}

func appendData(b []byte, d Data) []byte {
	b = append(b, typeKey...)
	b = append(b, d.Type...)
	b = append(b, dataKey...)
	switch d.Type {
	case wire.DataText:
		return appendQuoted(b, d.Bytes)
	case wire.DataJSON:
		return append(b, d.Bytes...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, d.Bytes)
	return append(b, '"')
}

// metadataSize is how many bytes appendMetadata writes, or a few more.
func metadataSize(metadata map[string]string) int {
	if len(metadata) == 0 {
		return 0
	}
	n := len(`,"metadata":{}`)
	for key, value := range metadata {
		n += quotedSize(key) + quotedSize(value) + len(",:")
	}
	return n
}

// appendMetadata writes the keys in their order, so that a message looks the
// same each time.
func appendMetadata(b []byte, metadata map[string]string) []byte {
	if len(metadata) == 0 {
		return b
	}
	b = append(b, `,"metadata":`...)
	separator := byte('{')
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		b = append(b, separator)
		b = appendQuoted(b, repairText(key))
		b = append(b, ':')
		b = appendQuoted(b, repairText(metadata[key]))
		separator = ','
	}
	return append(b, '}')
}

// appendOutcome writes the result of a request.
func appendOutcome(b []byte, err *Error) []byte {
	if err == nil {
		return append(b, `,"success":true`...)
	}
	return appendError(append(b, `,"success":false`...), err)
}

func appendError(b []byte, err *Error) []byte {
	if err == nil {
		return b
	}
	b = append(b, `,"error":{"name":`...)
	b = appendQuoted(b, repairText(err.Name))
	b = appendMember(b, "message", err.Message)
	return append(b, '}')
}

// appendMember writes a member that is not the first one of its object.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return appendQuoted(b, repairText(value))
}

// appendUser writes the name of a user, null when there is none.
func appendUser(b []byte, user string) []byte {
	if user == "" {
		return append(b, "null"...)
	}
	return appendQuoted(b, repairText(user))
}

// repair replaces what is not UTF-8, which no text frame may carry.
func repair(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}

func repairText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// escapes holds what stands for a byte inside a JSON string, and nothing for a
// byte that stands for itself.
var escapes = func() (e [256]string) {
	for c := range 0x20 {
		e[c] = fmt.Sprintf(`\u%04x`, c)
	}
	e['"'], e['\\'] = `\"`, `\\`
	e['\b'], e['\f'], e['\n'], e['\r'], e['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	return e
}()

// extraBytes holds by how many bytes an escape is longer than what it stands
// for. It is smaller than escapes, and asked for each byte.
var extraBytes = func() (extra [256]uint8) {
	for c, e := range escapes {
		if e != "" {
			extra[c] = uint8(len(e) - 1)
		}
	}
	return extra
}()

// quotedSize is how many bytes appendQuoted writes.
func quotedSize[S string | []byte](s S) int {
	n := len(s) + len(`""`)
	for i := range len(s) {
		n += int(extraBytes[s[i]])
	}
	return n
}

// appendQuoted writes a JSON string. What only HTML would need escaped is not.
func appendQuoted[S string | []byte](b []byte, s S) []byte {
	b = append(b, '"')
	written := 0
	for i := range len(s) {
		if c := s[i]; extraBytes[c] > 0 {
			b = append(b, s[written:i]...)
			b = append(b, escapes[c]...)
			written = i + 1
		}
	}
	b = append(b, s[written:]...)
	return append(b, '"')
}
