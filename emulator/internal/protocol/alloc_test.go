package protocol_test

import (
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	reliable, simple := protocol.JSONReliable(), protocol.SimpleEvent()
	message := func(d protocol.Data) protocol.Message {
		return protocol.DataMessage{Group: "a group", FromUserID: "ali\"ce", Data: d}
	}
	long := strings.Repeat("\"a line\"\n", 500)
	numbered, _ := reliable.Encode(message(jsonData(`{"a":1}`)))
	for _, tt := range []struct {
		name string
		max  float64
		run  func(protocol.Message)
		with protocol.Message
	}{
		{"Encode of text", 1, encodeWith(reliable), message(textData("hello"))},
		{"Encode of long text", 1, encodeWith(reliable), message(textData(long))},
		{"Encode of JSON", 1, encodeWith(reliable), message(jsonData(`{"a":1}`))},
		{"Encode of bytes", 1, encodeWith(reliable), message(binaryData(long))},
		{"Encode of protobuf", 1, encodeWith(reliable), message(protocol.Data{Type: wire.DataProtobuf, Bytes: []byte(long)})},
		{"Encode of an ack", 1, encodeWith(reliable), protocol.Ack{ID: 1 << 60}},
		{"Encode of text for a simple client", 0, encodeWith(simple), message(textData(long))},
		{"Number", 1, func(protocol.Message) { sink = reliable.Number(numbered, 1<<60) }, nil},
	} {
		if got := testing.AllocsPerRun(1000, func() { tt.run(tt.with) }); got > tt.max {
			t.Errorf("%s: got %v allocations, want %v at most", tt.name, got, tt.max)
		}
	}
}

var sink protocol.Frame

func encodeWith(c protocol.Codec) func(protocol.Message) {
	return func(m protocol.Message) { sink, _ = c.Encode(m) }
}
