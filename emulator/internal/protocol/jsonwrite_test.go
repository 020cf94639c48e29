package protocol_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The order of the members is part of what clients see.
func TestJSONEncode(t *testing.T) {
	failure := &protocol.Error{Name: protocol.ErrorForbidden, Message: "no \"way\""}
	for _, tt := range []struct {
		name    string
		message protocol.Message
		want    string
	}{
		{"server text", protocol.DataMessage{Data: textData("hi")}, `{"type":"message","from":"server","dataType":"text","data":"hi"}`},
		{"server JSON", protocol.DataMessage{Data: jsonData(`{"hello":"world"}`)}, `{"type":"message","from":"server","dataType":"json","data":{"hello":"world"}}`},
		{"server binary", protocol.DataMessage{Data: binaryData("\x05\x01\x01")}, `{"type":"message","from":"server","dataType":"binary","data":"BQEB"}`},
		{"server protobuf", protocol.DataMessage{Data: protocol.Data{Type: wire.DataProtobuf, Bytes: []byte("\n\x00")}}, `{"type":"message","from":"server","dataType":"protobuf","data":"CgA="}`},
		{"empty binary", protocol.DataMessage{Data: binaryData("")}, `{"type":"message","from":"server","dataType":"binary","data":""}`},
		{"JSON as it is", protocol.DataMessage{Data: jsonData(`[ 1.0, "\u003c" ]`)}, `{"type":"message","from":"server","dataType":"json","data":[ 1.0, "\u003c" ]}`},
		{"no HTML escapes", protocol.DataMessage{Data: textData("<a href='x'>&ü😀</a>\u2028\x7f")}, `{"type":"message","from":"server","dataType":"text","data":"<a href='x'>&ü😀</a>` + "\u2028\x7f" + `"}`},
		{"escapes", protocol.DataMessage{Data: textData("\"\\/\b\f\n\r\t\x00\x1f")}, `{"type":"message","from":"server","dataType":"text","data":"\"\\/\b\f\n\r\t\u0000\u001f"}`},
		{"bad UTF-8 in text", protocol.DataMessage{Data: textData("a\xff\xfeb\xe2\x82")}, `{"type":"message","from":"server","dataType":"text","data":"a` + "\uFFFDb\uFFFD" + `"}`},
		{"bad UTF-8 in JSON", protocol.DataMessage{Data: jsonData("\"a\xff\"")}, `{"type":"message","from":"server","dataType":"json","data":"a` + "\uFFFD" + `"}`},

		{"group of a user", protocol.DataMessage{Group: "g", FromUserID: "alice", Data: textData("hi")}, `{"type":"message","from":"group","fromUserId":"alice","group":"g","dataType":"text","data":"hi"}`},
		{"group of nobody", protocol.DataMessage{Group: "g", Data: jsonData(`1`)}, `{"type":"message","from":"group","fromUserId":null,"group":"g","dataType":"json","data":1}`},
		{"group with escapes", protocol.DataMessage{Group: "\"g\"\xff", FromUserID: "\n", Data: textData("")}, `{"type":"message","from":"group","fromUserId":"\n","group":"\"g\"` + "\uFFFD" + `","dataType":"text","data":""}`},
		{"metadata", protocol.DataMessage{Data: textData("hi"), Metadata: map[string]string{"b": `2"`, "a": "1", "c": "\xff"}}, `{"type":"message","from":"server","dataType":"text","data":"hi","metadata":{"a":"1","b":"2\"","c":"` + "\uFFFD" + `"}}`},
		{"metadata only", protocol.DataMessage{Group: "g", Metadata: map[string]string{"a": "1"}}, `{"type":"message","from":"group","fromUserId":null,"group":"g","dataType":"text","data":"","metadata":{"a":"1"}}`},
		{"empty metadata only", protocol.DataMessage{Metadata: map[string]string{}}, `{"type":"message","from":"server","dataType":"text","data":""}`},

		{"ack", protocol.Ack{ID: 18446744073709551615}, `{"type":"ack","ackId":18446744073709551615,"success":true}`},
		{"ack of a failure", protocol.Ack{Err: failure}, `{"type":"ack","ackId":0,"success":false,"error":{"name":"Forbidden","message":"no \"way\""}}`},
		{"connected", protocol.Connected{ConnectionID: "c1", UserID: "alice"}, `{"type":"system","event":"connected","userId":"alice","connectionId":"c1"}`},
		{"connected without user", protocol.Connected{ConnectionID: "c1"}, `{"type":"system","event":"connected","userId":null,"connectionId":"c1"}`},
		{"connected with token", protocol.Connected{ConnectionID: "c1", UserID: "ü\xff", ReconnectionToken: "t"}, `{"type":"system","event":"connected","userId":"ü` + "\uFFFD" + `","connectionId":"c1","reconnectionToken":"t"}`},
		{"disconnected", protocol.Disconnected{Reason: "bye"}, `{"type":"system","event":"disconnected","message":"bye"}`},
		{"pong", protocol.Pong{}, `{"type":"pong"}`},
		{"invokeResponse", protocol.InvokeResponse{InvocationID: "1", Data: jsonData(`{}`)}, `{"type":"invokeResponse","invocationId":"1","success":true,"dataType":"json","data":{}}`},
		{"invokeResponse without data", protocol.InvokeResponse{InvocationID: "1"}, `{"type":"invokeResponse","invocationId":"1","success":true}`},
		{"invokeResponse of a failure", protocol.InvokeResponse{InvocationID: "1", Data: textData("x"), Err: failure}, `{"type":"invokeResponse","invocationId":"1","success":false,"error":{"name":"Forbidden","message":"no \"way\""}}`},
		{"streamClosed", protocol.StreamClosed{StreamID: "s"}, `{"type":"streamClosed","streamId":"s"}`},
		{"streamClosed for an error", protocol.StreamClosed{StreamID: "s", Err: failure}, `{"type":"streamClosed","streamId":"s","error":{"name":"Forbidden","message":"no \"way\""}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []protocol.Codec{protocol.JSON(), protocol.JSONReliable()} {
				got, ok := c.Encode(tt.message)
				if !ok || got.Binary || string(got.Payload) != tt.want {
					t.Errorf("got %s, binary %v, %v, want %s", got.Payload, got.Binary, ok, tt.want)
				}
			}
			if !json.Valid([]byte(tt.want)) {
				t.Errorf("%s is no JSON", tt.want)
			}
		})
	}
}

func TestJSONEncodeNothing(t *testing.T) {
	if got, ok := protocol.JSON().Encode(nil); ok {
		t.Errorf("got %q, want nothing", got.Payload)
	}
}

func TestJSONNumber(t *testing.T) {
	c := protocol.JSONReliable()
	shared, _ := c.Encode(protocol.DataMessage{Data: textData("}"), Metadata: map[string]string{"a": "}"}})
	shared.Payload = append(make([]byte, 0, 1024), shared.Payload...) // room to write into
	before := bytes.Clone(shared.Payload[:cap(shared.Payload)])

	got := c.Number(shared, 18446744073709551615)
	if want := `{"type":"message","from":"server","dataType":"text","data":"}","metadata":{"a":"}"},"sequenceId":18446744073709551615}`; string(got.Payload) != want {
		t.Errorf("got %s, want %s", got.Payload, want)
	}
	if got, want := string(c.Number(shared, 1).Payload), `,"sequenceId":1}`; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want …%s", got, want)
	}
	if after := shared.Payload[:cap(shared.Payload)]; !bytes.Equal(after, before) {
		t.Errorf("the shared bytes became %q", after)
	}
}
