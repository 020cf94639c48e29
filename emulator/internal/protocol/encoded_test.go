package protocol_test

import (
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

func TestEncoded(t *testing.T) {
	e := protocol.NewEncoded(protocol.DataMessage{Data: textData("hi")})
	jsonForm := `{"type":"message","from":"server","dataType":"text","data":"hi"}`
	for range 2 {
		for _, tt := range []struct {
			codec protocol.Codec
			want  string
		}{
			{protocol.JSON(), jsonForm},
			{protocol.SimpleEvent(), "hi"},
			{protocol.JSONReliable(), jsonForm},
			{protocol.SimpleGroup("g", false), "hi"},
		} {
			if got := string(e.Frame(tt.codec).Payload); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		}
	}
	if first, second := e.Frame(protocol.JSON()), e.Frame(protocol.JSONReliable()); &first.Payload[0] != &second.Payload[0] {
		t.Error("one form was written twice")
	}
	numbered := protocol.JSONReliable().Number(e.Frame(protocol.JSONReliable()), 42)
	if got, want := string(numbered.Payload), `{"type":"message","from":"server","dataType":"text","data":"hi","sequenceId":42}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(e.Frame(protocol.JSON()).Payload); got != jsonForm {
		t.Errorf("the shared frame became %q", got)
	}
}
