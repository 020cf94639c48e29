package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The limits of numbers in requests.
const (
	maxTTLSeconds    = 300
	maxIdleTimeoutMs = math.MaxUint32 // the protobuf form has a uint32
)

// A jsonReader reads the members of an object. The first fault that it finds
// stays in err, and what it returns from then on is of no use.
type jsonReader struct {
	prefix  string // of the members' names in faults
	members map[string]json.RawMessage
	err     *FrameError
}

// readJSON takes a frame apart.
func readJSON(payload []byte) (*jsonReader, error) {
	if !utf8.Valid(payload) {
		return nil, &FrameError{Reason: "the frame is not valid UTF-8"}
	}
	if !json.Valid(payload) {
		return nil, &FrameError{Reason: "the frame is not valid JSON" + position(payload)}
	}
	object := bytes.TrimLeft(payload, jsonSpace)
	if object[0] != '{' {
		return nil, &FrameError{Reason: "the frame is " + kindOf(object) + ", expected a JSON object"}
	}
	return newJSONReader("", object), nil
}

// position says where the JSON of a payload ends to be valid.
func position(payload []byte) string {
	var discard json.RawMessage
	if e, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(payload, &discard)); ok {
		return fmt.Sprintf(": error at byte %d", e.Offset)
	}
	return ""
}

// memberNames are those of all requests. No others are kept: a client chooses
// how many there are.
var memberNames = []string{
	"type", "ackId", "group", "event", "noEcho", "ttlSeconds", "dataType", "data", "metadata", "stream", "sequenceId",
	"invocationId", "target", "success", "streamId", "streamSequenceId", "idleTimeoutMs", "error", "name", "message", "state",
}

func newJSONReader(prefix string, object []byte) *jsonReader {
	r := &jsonReader{prefix: prefix, members: make(map[string]json.RawMessage, 8)}
	for name, value := range members(object) {
		if i := slices.IndexFunc(memberNames, func(known string) bool { return known == string(name) }); i >= 0 {
			r.members[memberNames[i]] = value
		}
	}
	return r
}

// fail reports a fault of a member, unless there is one already.
func (r *jsonReader) fail(name, format string, args ...any) {
	r.adopt(&FrameError{Reason: r.prefix + name + ": " + fmt.Sprintf(format, args...)})
}

// adopt reports a fault that was found elsewhere. Nil is none.
func (r *jsonReader) adopt(err *FrameError) {
	if r.err == nil {
		r.err = err
	}
}

// has reports whether there is such a member. Null counts.
func (r *jsonReader) has(name string) bool { return r.members[name] != nil }

// require fails when one of the members is missing.
func (r *jsonReader) require(names ...string) {
	for _, name := range names {
		if !r.has(name) {
			r.fail(name, "is missing")
		}
	}
}

// optional returns a member that may be missing or null.
func (r *jsonReader) optional(name string) (value json.RawMessage, ok bool) {
	value = r.members[name]
	return value, value != nil && value[0] != 'n'
}

// bytes reads a string that has to be there.
func (r *jsonReader) bytes(name string) []byte {
	value := r.members[name]
	if kindOf(value) != kindString {
		r.fail(name, "is %s, expected a string", kindOf(value))
		return nil
	}
	text, ok := unquote(value)
	if !ok {
		r.fail(name, "has half of a surrogate pair, which is no text")
	}
	return text
}

func (r *jsonReader) text(name string) string { return string(r.bytes(name)) }

// id reads a string that has to be there and not to be empty.
func (r *jsonReader) id(name string) string {
	id := r.text(name)
	if id == "" {
		r.fail(name, "is empty")
	}
	return id
}

func (r *jsonReader) group() string {
	group := r.text("group")
	if !wire.ValidGroup(group) {
		r.fail("group", "is blank or longer than %d characters", wire.MaxGroupName)
	}
	return group
}

func (r *jsonReader) event() string {
	event := r.text("event")
	if !ValidEvent(event) {
		r.fail("event", "is %q, expected a letter and up to %d letters, digits, dots, hyphens and underscores",
			clip(event), maxEventName-1)
	}
	return event
}

// number reads a whole number that may be missing or null.
func (r *jsonReader) number(name string, low, high uint64) (n uint64, ok bool) {
	value, ok := r.optional(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil || n < low || n > high {
		what := kindOf(value)
		if what == kindNumber {
			what = "another number"
		}
		r.fail(name, "is %s, expected a whole number from %d to %d", what, low, high)
		return 0, false
	}
	return n, true
}

// required reads a 64-bit number that has to be there.
func (r *jsonReader) required(name string, low uint64) uint64 {
	n, ok := r.number(name, low, math.MaxUint64)
	if !ok {
		r.fail(name, "is %s, expected a whole number", kindOf(r.members[name]))
	}
	return n
}

func (r *jsonReader) ackID() *uint64 {
	if id, ok := r.number("ackId", 0, math.MaxUint64); ok {
		return &id
	}
	return nil
}

// flag reads a boolean that may be missing, but not null.
func (r *jsonReader) flag(name string) bool {
	value := r.members[name]
	if value != nil && kindOf(value) != kindBoolean {
		r.fail(name, "is %s, expected true or false", kindOf(value))
	}
	return string(value) == "true"
}

// object returns an object that may be missing or null.
func (r *jsonReader) object(name string) (object []byte, ok bool) {
	value, ok := r.optional(name)
	if !ok {
		return nil, false
	}
	if kindOf(value) != kindObject {
		r.fail(name, "is %s, expected an object", kindOf(value))
		return nil, false
	}
	return value, true
}

// payload reads what a client publishes: data, metadata or both.
func (r *jsonReader) payload() (Data, map[string]string) {
	data, metadata := r.data(), r.metadata()
	if data.Type == "" && metadata == nil {
		r.fail("data", "is missing; only a request with metadata may go without it")
	}
	return data, metadata
}

// data reads data of any type. None is the zero Data.
func (r *jsonReader) data() Data {
	dataType := wire.DataJSON
	if r.has("dataType") {
		dataType = lowerASCII(r.text("dataType"))
	}
	value := r.members["data"]
	d := Data{Type: dataType, Bytes: value}
	switch dataType {
	case wire.DataJSON:
		if kindOf(value) == kindNull {
			r.fail("data", "is null, expected another JSON value")
		}
	case wire.DataText:
		if value != nil {
			d.Bytes = r.bytes("data")
		}
	case wire.DataBinary, wire.DataProtobuf:
		if value != nil {
			d.Bytes = r.base64("data")
		}
	default:
		r.fail("dataType", "is %q, expected json, text, binary or protobuf", clip(dataType))
	}
	if value == nil {
		return Data{}
	}
	d.Bytes = slices.Clip(d.Bytes) // nobody appends to what follows in the frame
	return d
}

// base64 reads bytes in the standard alphabet with padding.
func (r *jsonReader) base64(name string) []byte {
	text := r.bytes(name)
	decoded, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	// The decoder skips line breaks.
	if err != nil || bytes.ContainsAny(text, "\r\n") {
		r.fail(name, "is not base64 in the standard alphabet with padding")
	}
	return decoded
}

// metadata reads the metadata of a message, nil when there is none. It has to
// fit into HTTP headers, in which handlers get it.
func (r *jsonReader) metadata() map[string]string {
	object, ok := r.object("metadata")
	if !ok {
		return nil
	}
	metadata := make(map[string]string)
	total := 0
	for name, value := range members(object) {
		if kindOf(value) != kindString {
			r.fail("metadata", "has %s as a value, expected strings", kindOf(value))
			return nil
		}
		key := string(name)
		text, _ := unquote(value)
		total += len(key) + len(text)
		switch _, twice := metadata[key]; {
		case twice:
			r.fail("metadata", "has a key twice")
		case len(key) > wire.MaxMetadataKey || !wire.ValidToken(key):
			r.fail("metadata", "has a key that is no HTTP token of at most %d bytes", wire.MaxMetadataKey)
		case len(text) > wire.MaxMetadataValue || !printable(text):
			r.fail("metadata", "has a value that is not at most %d bytes of printable ASCII", wire.MaxMetadataValue)
		case total > wire.MaxMetadataTotal:
			r.fail("metadata", "has more than %d bytes of keys and values", wire.MaxMetadataTotal)
		default:
			metadata[key] = string(text)
			continue
		}
		return nil
	}
	return metadata
}

// state checks the state of a member of a group: an object of strings.
func (r *jsonReader) state() {
	object, _ := r.object("state")
	for _, value := range members(object) {
		if kindOf(value) != kindString {
			r.fail("state", "has %s as a value, expected strings", kindOf(value))
			return
		}
	}
}

// clip shortens a value that a fault repeats.
func clip(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
