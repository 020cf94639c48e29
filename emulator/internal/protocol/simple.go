package protocol

import (
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// SimpleEvent returns the codec of clients without a subprotocol: each frame is
// an event of the name message, with text from a text frame and bytes from a
// binary one. They get payloads and nothing else.
func SimpleEvent() Codec { return simpleEvent }

var simpleEvent = &simpleCodec{func(d Data) Request { return Event{Name: "message", Data: d} }}

// SimpleGroup returns the codec of clients without a subprotocol that publish:
// each frame goes to the group, and with noEcho not back to its sender. They
// get what those of [SimpleEvent] get.
func SimpleGroup(group string, noEcho bool) Codec {
	return &simpleCodec{func(d Data) Request { return SendToGroup{Group: group, NoEcho: noEcho, Data: d} }}
}

type simpleCodec struct {
	request func(Data) Request
}

func (c *simpleCodec) Name() string   { return "" }
func (c *simpleCodec) Reliable() bool { return false }
func (c *simpleCodec) Form() Form     { return FormSimple }

// Decode implements [Codec]. Text that is not UTF-8 is refused.
func (c *simpleCodec) Decode(f Frame) (Request, error) {
	if f.Binary {
		return c.request(Data{Type: wire.DataBinary, Bytes: f.Payload}), nil
	}
	if !utf8.Valid(f.Payload) {
		return nil, &FrameError{Reason: "the frame is text, but not valid UTF-8"}
	}
	return c.request(Data{Type: wire.DataText, Bytes: f.Payload}), nil
}

// Encode implements [Codec]. A message of nothing but metadata is an empty text
// frame.
func (c *simpleCodec) Encode(m Message) (Frame, bool) {
	message, ok := m.(DataMessage)
	if !ok {
		return Frame{}, false
	}
	switch data := message.Data; data.Type {
	case wire.DataBinary, wire.DataProtobuf:
		return Frame{Binary: true, Payload: data.Bytes}, true
	default:
		return Frame{Payload: repair(data.Bytes)}, true
	}
}

// Number implements [Codec]. Messages of simple clients have no place for a
// number.
func (c *simpleCodec) Number(f Frame, _ uint64) Frame { return f }
