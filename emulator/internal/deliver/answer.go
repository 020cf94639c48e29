package deliver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Answer is what a handler answered. Those that [Sender.Send] returns can be
// used by the service.
type Answer struct {
	Status int
	Header http.Header // with canonical keys
	Body   []byte

	connect *wire.ConnectAnswer
	message *Message
}

// A Message is what a client gets in answer to its event.
type Message struct {
	// DataType is one of [wire.DataText], [wire.DataJSON], [wire.DataBinary]
	// and [wire.DataProtobuf], and for MQTT clients also [wire.DataOther].
	DataType string

	// ContentType is what the handler said, empty if it did not.
	ContentType string

	// Bytes are valid UTF-8 for text and valid JSON for JSON.
	Bytes []byte

	// Metadata is that of the answer's headers, with keys in lower case.
	Metadata map[string]string

	// UserProperties are those of the answer's headers, for MQTT clients.
	UserProperties []wire.UserProperty
}

// Connect returns what an answer to connect says. It is never nil for one, and
// zero when it has nothing to say.
func (a *Answer) Connect() *wire.ConnectAnswer { return a.connect }

// Message returns what the client gets from an answer to a user event. It is
// false when there is nothing to send: the event is acknowledged and no more.
func (a *Answer) Message() (Message, bool) {
	if a.message == nil {
		return Message{}, false
	}
	return *a.message, true
}

// read takes apart an answer with a good status. Those to notifications say
// nothing.
func (a *Answer) read(kind wire.Kind, mqtt bool) *AnswerError {
	if !kind.Blocking() {
		return nil
	}
	if encoding := a.Header.Get(wire.HeaderContentEncoding); len(a.Body) > 0 && encoding != "" && !strings.EqualFold(encoding, "identity") {
		return a.unusable(fmt.Sprintf("its Content-Encoding is %.64q, and the service asked for none", encoding),
			"turn compression off for answers to the service", nil)
	}
	if lines := a.Header[wire.HeaderConnectionState]; len(lines) > 0 && !wire.ValidHeaderValue(trimSpace(lines[len(lines)-1])) {
		return a.unusable("its ce-connectionState is no visible ASCII, and could not be sent with the next event",
			"encode the state in base64", nil)
	}
	if kind == wire.KindConnect {
		return a.readConnect()
	}
	return a.readMessage(mqtt)
}

func (a *Answer) readConnect() *AnswerError {
	connect, err := wire.DecodeConnectAnswer(a.Body)
	if err != nil {
		return a.unusable("its body: "+err.Error(),
			"answer connect with 204, or with a JSON object of userId, groups, roles and subprotocol and without null or blank values", err)
	}
	a.connect = connect
	return nil
}

// readMessage reads the message for the client. What would break its protocol
// fails here, where the handler is known.
func (a *Answer) readMessage(mqtt bool) *AnswerError {
	metadata, fault := replyMetadata(a.Header)
	if fault != "" && !mqtt {
		return a.unusable("its metadata "+fault, fmt.Sprintf("metadata is visible ASCII: a key has up to %d bytes, a value %d, all of it %d",
			wire.MaxMetadataKey, wire.MaxMetadataValue, wire.MaxMetadataTotal), nil)
	}
	m := &Message{
		ContentType: wire.First(a.Header, wire.HeaderContentType),
		Bytes:       a.Body,
		Metadata:    metadata,
	}
	m.DataType = wire.DataType(m.ContentType)
	switch {
	case mqtt:
		m.Metadata, m.UserProperties = nil, wire.UserProperties(a.Header)
	case len(a.Body) == 0 && len(metadata) == 0:
		return nil
	case len(a.Body) == 0:
		m.DataType, m.ContentType = wire.DataText, wire.ContentTypeText // whatever it said
	case m.DataType == wire.DataOther:
		return a.unusable(fmt.Sprintf("its Content-Type is %.100q", m.ContentType), fmt.Sprintf("answer with %s, %s, %s or %s",
			wire.MediaText, wire.MediaJSON, wire.MediaBinary, wire.MediaProtobuf), nil)
	case m.DataType == wire.DataText && !utf8.Valid(a.Body):
		return a.unusable(fmt.Sprintf("its Content-Type is %.100q, and its body is not valid UTF-8", m.ContentType),
			"answer in UTF-8, or with "+wire.MediaBinary, nil)
	case m.DataType == wire.DataJSON && !(json.Valid(a.Body) && utf8.Valid(a.Body)):
		return a.unusable(fmt.Sprintf("its Content-Type is %.100q, and its body is not valid JSON", m.ContentType),
			"answer with valid JSON, or with "+wire.MediaText, nil)
	}
	a.message = m
	return nil
}

// replyMetadata reads the metadata of an answer: of several lines the last
// counts, and of a list its last element. The fault is empty, or says what is
// beyond the limits of metadata.
func replyMetadata(h http.Header) (metadata map[string]string, fault string) {
	metadata = wire.Metadata(h)
	total := 0
	for key, value := range metadata {
		value = trimSpace(value[strings.LastIndexByte(value, ',')+1:])
		metadata[key] = value
		total += len(key) + len(value)
		switch {
		case len(key) > wire.MaxMetadataKey:
			return nil, fmt.Sprintf("has a key of %d bytes", len(key))
		case len(value) > wire.MaxMetadataValue:
			return nil, fmt.Sprintf("has a value of %d bytes, of the key %q", len(value), key)
		case !wire.ValidHeaderValue(value):
			return nil, fmt.Sprintf("has a value outside of visible ASCII, of the key %q", key)
		}
	}
	if total > wire.MaxMetadataTotal {
		return nil, fmt.Sprintf("has %d bytes", total)
	}
	return metadata, ""
}

func (a *Answer) unusable(reason, fix string, err error) *AnswerError {
	return &AnswerError{Status: a.Status, Reason: reason, Fix: fix, Err: err}
}
