package protocol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestSimpleDecode(t *testing.T) {
	binary := protocol.Frame{Binary: true, Payload: []byte("\xff\x00")}
	for _, tt := range []struct {
		name  string
		codec protocol.Codec
		frame protocol.Frame
		want  protocol.Request
	}{
		{"text event", protocol.SimpleEvent(), text("hi ü"), protocol.Event{Name: "message", Data: textData("hi ü")}},
		{"JSON is text", protocol.SimpleEvent(), text(`{"type":"ping"}`), protocol.Event{Name: "message", Data: textData(`{"type":"ping"}`)}},
		{"empty text event", protocol.SimpleEvent(), text(""), protocol.Event{Name: "message", Data: textData("")}},
		{"binary event", protocol.SimpleEvent(), binary, protocol.Event{Name: "message", Data: binaryData("\xff\x00")}},
		{"text to a group", protocol.SimpleGroup("g", false), text("hi"), protocol.SendToGroup{Group: "g", Data: textData("hi")}},
		{"bytes to a group without echo", protocol.SimpleGroup("g", true), binary, protocol.SendToGroup{Group: "g", NoEcho: true, Data: binaryData("\xff\x00")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.codec.Decode(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSimpleDecodeRefusesBadText(t *testing.T) {
	for _, c := range []protocol.Codec{protocol.SimpleEvent(), protocol.SimpleGroup("g", false)} {
		got, err := c.Decode(text("a\xff"))
		wantFrameError(t, got, err, false, "the frame is text, but not valid UTF-8")
	}
}

func TestSimpleEncode(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message protocol.Message
		want    protocol.Frame
		ok      bool
	}{
		{"text", protocol.DataMessage{Group: "g", Data: textData("hi")}, text("hi"), true},
		{"bad UTF-8", protocol.DataMessage{Data: textData("a\xffb")}, text("a\uFFFDb"), true},
		{"JSON", protocol.DataMessage{Data: jsonData(`{ "a": 1 }`)}, text(`{ "a": 1 }`), true},
		{"binary", protocol.DataMessage{Data: binaryData("\xff")}, protocol.Frame{Binary: true, Payload: []byte("\xff")}, true},
		{"protobuf", protocol.DataMessage{Data: protocol.Data{Type: wire.DataProtobuf, Bytes: []byte("\n\x00")}}, protocol.Frame{Binary: true, Payload: []byte("\n\x00")}, true},
		{"metadata only", protocol.DataMessage{Metadata: map[string]string{"a": "1"}}, protocol.Frame{}, true},
		{"connected", protocol.Connected{ConnectionID: "c"}, protocol.Frame{}, false},
		{"disconnected", protocol.Disconnected{Reason: "r"}, protocol.Frame{}, false},
		{"ack", protocol.Ack{ID: 1}, protocol.Frame{}, false},
		{"pong", protocol.Pong{}, protocol.Frame{}, false},
		{"invokeResponse", protocol.InvokeResponse{}, protocol.Frame{}, false},
		{"streamClosed", protocol.StreamClosed{}, protocol.Frame{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []protocol.Codec{protocol.SimpleEvent(), protocol.SimpleGroup("g", false)} {
				got, ok := c.Encode(tt.message)
				if diff := cmp.Diff(tt.want, got); ok != tt.ok || diff != "" {
					t.Errorf("got %v, want %v (-want +got):\n%s", ok, tt.ok, diff)
				}
				if again := c.Number(got, 7); !cmp.Equal(got, again) {
					t.Errorf("Number changed %q to %q", got.Payload, again.Payload)
				}
			}
		})
	}
}
