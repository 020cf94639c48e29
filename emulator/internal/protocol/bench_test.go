package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

func BenchmarkJSONEncode(b *testing.B) {
	texts := map[string]string{"short": "hello", "2 KB": strings.Repeat("a line of text\n", 140)}
	for _, size := range []string{"short", "2 KB"} {
		b.Run(size+"/ours", func(b *testing.B) {
			var m protocol.Message = protocol.DataMessage{Group: "room", FromUserID: "alice", Data: textData(texts[size])}
			c := protocol.JSON()
			b.ReportAllocs()
			for b.Loop() {
				sink, _ = c.Encode(m)
			}
		})
		b.Run(size+"/encoding-json", func(b *testing.B) {
			m := dataMessage{Type: "message", From: "group", FromUserID: new("alice"), Group: "room", DataType: "text", Data: texts[size]}
			b.ReportAllocs()
			for b.Loop() {
				sink.Payload, _ = json.Marshal(&m)
			}
		})
	}
}

// dataMessage is a message with text data, for encoding/json.
type dataMessage struct {
	Type       string            `json:"type"`
	From       string            `json:"from"`
	FromUserID *string           `json:"fromUserId"`
	Group      string            `json:"group,omitempty"`
	DataType   string            `json:"dataType"`
	Data       any               `json:"data"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

func BenchmarkJSONNumber(b *testing.B) {
	c := protocol.JSONReliable()
	f, _ := c.Encode(protocol.DataMessage{Group: "room", FromUserID: "alice", Data: textData("hello")})
	b.ReportAllocs()
	for b.Loop() {
		sink = c.Number(f, 1<<40)
	}
}

func BenchmarkJSONDecode(b *testing.B) {
	frame := text(`{"type":"sendToGroup","group":"room","ackId":12345,"dataType":"json","data":{"text":"hello","n":[1,2,3]},"noEcho":true}`)
	b.Run("ours", func(b *testing.B) {
		c := protocol.JSON()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Decode(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r struct {
				Type     string
				Group    string
				AckID    *uint64
				DataType string
				Data     json.RawMessage
				NoEcho   bool
			}
			if err := json.Unmarshal(frame.Payload, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
