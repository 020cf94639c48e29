package upstreamtest

import (
	"encoding/json"
	"fmt"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// Data is a message on its way between a client and a handler: build it with
// [Text], [JSON], [Binary] or [Protobuf], or write a literal for what only
// MQTT clients can send.
type Data struct {
	Bytes       []byte
	ContentType string
	// Metadata travels with messages of the JSON and protobuf subprotocols.
	Metadata map[string]string
	// UserProperties travel with messages of MQTT 5.0. They pass through
	// headers, where names lose their case.
	UserProperties []upstream.MQTTUserProperty
}

// Text returns text as the service sends it.
func Text(s string) Data { return Data{Bytes: []byte(s), ContentType: wire.ContentTypeText} }

// Binary returns binary data.
func Binary(b []byte) Data { return Data{Bytes: b, ContentType: wire.MediaBinary} }

// Protobuf returns an encoded google.protobuf.Any.
func Protobuf(envelope []byte) Data {
	return Data{Bytes: envelope, ContentType: wire.MediaProtobuf}
}

// JSON returns v as JSON data. A [json.RawMessage] is taken as it is, so that
// a test can send what no client should. It panics if v does not encode.
func JSON(v any) Data {
	if raw, ok := v.(json.RawMessage); ok {
		return Data{Bytes: raw, ContentType: wire.MediaJSON}
	}
	b, err := wire.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("upstreamtest: JSON of %T: %v", v, err))
	}
	return Data{Bytes: b, ContentType: wire.MediaJSON}
}

// Text returns the bytes as text.
func (d Data) Text() string { return string(d.Bytes) }

// DataType returns what the content type means; no content type means binary.
func (d Data) DataType() upstream.DataType { return upstream.DataType(wire.DataType(d.ContentType)) }
