package webpubsub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Message is what clients get. Make one with [Text], [JSON], [Binary] or
// [Protobuf]. The service takes up to 1 MB.
type Message struct {
	// Data is the payload.
	Data []byte
	// ContentType says what Data is: text/plain, application/json,
	// application/octet-stream or application/x-protobuf. Empty means
	// application/octet-stream. Text and JSON that are not valid UTF-8 are
	// repaired with U+FFFD.
	ContentType string
	// Metadata travels with the message to clients that know metadata. Keys
	// are HTTP tokens that differ by more than case, values visible ASCII
	// without commas.
	Metadata map[string]string
}

// Text returns a message of text.
func Text(s string) Message { return Message{Data: []byte(s), ContentType: wire.MediaText} }

// JSON returns v as a JSON message. The error is that of [json.Marshal].
func JSON(v any) (Message, error) {
	data, err := wire.Marshal(v)
	if err != nil {
		return Message{}, fmt.Errorf("webpubsub: message: %w", err)
	}
	return Message{Data: data, ContentType: wire.MediaJSON}, nil
}

// Binary returns a message of bytes.
func Binary(b []byte) Message { return Message{Data: b, ContentType: wire.MediaBinary} }

// Protobuf returns a protobuf message: an encoded google.protobuf.Any, which
// clients of the protobuf subprotocols get as it is.
func Protobuf(envelope []byte) Message {
	return Message{Data: envelope, ContentType: wire.MediaProtobuf}
}

// render returns the headers and the body of the request that sends m.
func (m Message) render() (http.Header, []byte, error) {
	header, err := m.metadata()
	if err != nil {
		return nil, nil, err
	}
	data, media := m.Data, wire.MediaType(m.ContentType)
	switch wire.DataType(m.ContentType) {
	case wire.DataText, wire.DataJSON:
		if !wire.IsUTF8(m.ContentType) {
			return nil, nil, fmt.Errorf("content type %.100q: text is sent as UTF-8 only", m.ContentType)
		}
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		if media == wire.MediaJSON && !json.Valid(data) {
			return nil, nil, errors.New("the message is not valid JSON")
		}
	case wire.DataBinary:
		media = wire.MediaBinary
	case wire.DataOther:
		return nil, nil, fmt.Errorf("content type %.100q: the service takes %s, %s, %s and %s", m.ContentType,
			wire.MediaText, wire.MediaJSON, wire.MediaBinary, wire.MediaProtobuf)
	}
	header.Set(wire.HeaderContentType, media)
	return header, data, nil
}

// metadata returns the headers that carry the metadata.
func (m Message) metadata() (http.Header, error) {
	header := make(http.Header, len(m.Metadata)+1)
	total := 0
	for k, v := range m.Metadata {
		total += len(k) + len(v)
		fits := len(k) <= wire.MaxMetadataKey && len(v) <= wire.MaxMetadataValue && total <= wire.MaxMetadataTotal
		if !fits || !wire.ValidToken(k) || !wire.ValidHeaderValue(v) || bytes.ContainsRune([]byte(v), ',') {
			return nil, fmt.Errorf("the metadata cannot travel in headers: keys are HTTP tokens of at most %d bytes, "+
				"values visible ASCII without commas of at most %d, all of them together at most %d",
				wire.MaxMetadataKey, wire.MaxMetadataValue, wire.MaxMetadataTotal)
		}
		name := wire.PrefixMetadata + k
		if header.Values(name) != nil {
			return nil, fmt.Errorf("the metadata has two keys that differ in case only: %.100q", k)
		}
		header.Set(name, v)
	}
	return header, nil
}
