package protocol_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func text(s string) protocol.Frame { return protocol.Frame{Payload: []byte(s)} }

func textData(s string) protocol.Data { return protocol.Data{Type: wire.DataText, Bytes: []byte(s)} }

func jsonData(s string) protocol.Data { return protocol.Data{Type: wire.DataJSON, Bytes: []byte(s)} }

func binaryData(s string) protocol.Data {
	return protocol.Data{Type: wire.DataBinary, Bytes: []byte(s)}
}

func TestJSONDecode(t *testing.T) {
	group1024 := strings.Repeat("ü", 1024)
	event128 := "e" + strings.Repeat("x", 127)
	value1024 := strings.Repeat("v", 1024)
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	for _, tt := range []struct {
		name  string
		frame string
		want  protocol.Request
	}{
		{"joinGroup", `{"type":"joinGroup","group":"g"}`, protocol.JoinGroup{Group: "g"}},
		{"joinGroup with ack", `{"ackId":7,"group":"g","type":"joinGroup"}`, protocol.JoinGroup{Group: "g", AckID: new(uint64(7))}},
		{"leaveGroup", `{"type":"leaveGroup","group":"g","ackId":1}`, protocol.LeaveGroup{Group: "g", AckID: new(uint64(1))}},
		{"ping", `{"type":"ping"}`, protocol.Ping{}},
		{"sequenceAck", `{"type":"sequenceAck","sequenceId":18446744073709551615}`, protocol.SequenceAck{SequenceID: math.MaxUint64}},
		{"setGroupState", `{"type":"setGroupState","group":"g","state":{"a":"b"},"ackId":1}`, protocol.GroupState{Group: "g", AckID: new(uint64(1))}},
		{"setGroupState that clears", `{"type":"setGroupState","group":"g","state":null}`, protocol.GroupState{Group: "g"}},
		{"setGroupState without state", `{"type":"setGroupState","group":"g"}`, protocol.GroupState{Group: "g"}},
		{"subscribeGroupState", `{"type":"subscribeGroupState","group":"g"}`, protocol.GroupState{Group: "g"}},
		{"unsubscribeGroupState", `{"type":"unsubscribeGroupState","group":"g"}`, protocol.GroupState{Group: "g"}},

		{"type without case", `{"type":"JOINGROUP","group":"g"}`, protocol.JoinGroup{Group: "g"}},
		{"white space", "\r\n { \"type\" :\t\"ping\" , \"x\" : [ 1 , { } ] } ", protocol.Ping{}},
		{"escaped names and values", `{"\u0074ype":"p\u0069ng"}`, protocol.Ping{}},
		{"unknown members", `{"type":"ping","later":{"type":"joinGroup","a":[{},"}\\\""]},"":0,"n":-1.5e+3,"t":true}`, protocol.Ping{}},
		{"names of members have a case", `{"type":"joinGroup","group":"g","Group":"other","ACKID":"x"}`, protocol.JoinGroup{Group: "g"}},
		{"the last of a name counts", `{"type":"joinGroup","group":"a","group":"b","ackId":"x","ackId":2}`, protocol.JoinGroup{Group: "b", AckID: new(uint64(2))}},
		{"members of other requests are not looked at", `{"type":"ping","group":1,"noEcho":"x","data":null}`, protocol.Ping{}},

		{"ackId 0", `{"type":"joinGroup","group":"g","ackId":0}`, protocol.JoinGroup{Group: "g", AckID: new(uint64(0))}},
		{"ackId null", `{"type":"joinGroup","group":"g","ackId":null}`, protocol.JoinGroup{Group: "g"}},
		{"ackId above 2^53", `{"type":"joinGroup","group":"g","ackId":9007199254740993}`, protocol.JoinGroup{Group: "g", AckID: new(uint64(9007199254740993))}},
		{"the largest ackId", `{"type":"joinGroup","group":"g","ackId":18446744073709551615}`, protocol.JoinGroup{Group: "g", AckID: new(uint64(math.MaxUint64))}},
		{"the longest group", `{"type":"joinGroup","group":"` + group1024 + `"}`, protocol.JoinGroup{Group: group1024}},
		{"group with spaces and a surrogate pair", `{"type":"joinGroup","group":" \ud83d\ude00 "}`, protocol.JoinGroup{Group: " 😀 "}},
		{"group with an escaped backslash before u", `{"type":"joinGroup","group":"\\ud83d"}`, protocol.JoinGroup{Group: `\ud83d`}},

		{
			"sendToGroup with everything",
			`{"type":"sendToGroup","group":"g","ackId":1,"noEcho":true,"dataType":"text","data":"hi","ttlSeconds":300,"metadata":{"Trace":"1","trace":""}}`,
			protocol.SendToGroup{
				Group: "g", AckID: new(uint64(1)), NoEcho: true, Data: textData("hi"), TTLSeconds: 300,
				Metadata: map[string]string{"Trace": "1", "trace": ""},
			},
		},
		{"sendToGroup with what can be null", `{"type":"sendToGroup","group":"g","data":1,"ttlSeconds":null,"metadata":null,"stream":null}`, protocol.SendToGroup{Group: "g", Data: jsonData("1")}},
		{"data is JSON by default", `{"type":"sendToGroup","group":"g","data":"hi"}`, protocol.SendToGroup{Group: "g", Data: jsonData(`"hi"`)}},
		{"JSON is kept as it is", `{"type":"sendToGroup","group":"g","data": {"b" : 1.0,"a":"\u0041\ud800", "b":[ ]} }`, protocol.SendToGroup{Group: "g", Data: jsonData(`{"b" : 1.0,"a":"\u0041\ud800", "b":[ ]}`)}},
		{"JSON number at the end", `{"type":"sendToGroup","group":"g","data":-1.5E+2}`, protocol.SendToGroup{Group: "g", Data: jsonData(`-1.5E+2`)}},
		{"JSON boolean", `{"type":"event","event":"e","data":false ,"x":0}`, protocol.Event{Name: "e", Data: jsonData("false")}},
		{"deep JSON", `{"type":"event","event":"e","data":` + deep + `}`, protocol.Event{Name: "e", Data: jsonData(deep)}},
		{"data type without case", `{"type":"event","event":"e","dataType":"TEXT","data":""}`, protocol.Event{Name: "e", Data: textData("")}},
		{"text with escapes", `{"type":"event","event":"e","dataType":"text","data":"\"\n\u00fc\ud83d\ude00<"}`, protocol.Event{Name: "e", Data: textData("\"\nü😀<")}},
		{"text with U+FFFD", `{"type":"event","event":"e","dataType":"text","data":"\ufffd"}`, protocol.Event{Name: "e", Data: textData("\uFFFD")}},
		{"binary", `{"type":"event","event":"e","dataType":"binary","data":"aGVsbG8gd29ybGQ="}`, protocol.Event{Name: "e", Data: binaryData("hello world")}},
		{"binary with escapes", `{"type":"event","event":"e","dataType":"binary","data":"\/\/8="}`, protocol.Event{Name: "e", Data: binaryData("\xff\xff")}},
		{"protobuf", `{"type":"event","event":"e","dataType":"protobuf","data":"CgA="}`, protocol.Event{Name: "e", Data: protocol.Data{Type: wire.DataProtobuf, Bytes: []byte("\n\x00")}}},
		{"metadata without data", `{"type":"event","event":"e","metadata":{"k":"v"}}`, protocol.Event{Name: "e", Metadata: map[string]string{"k": "v"}}},
		{"empty metadata without data", `{"type":"sendToGroup","group":"g","metadata":{}}`, protocol.SendToGroup{Group: "g", Metadata: map[string]string{}}},
		{"a long value of metadata", `{"type":"event","event":"e","metadata":{"k":"` + value1024 + `"}}`, protocol.Event{Name: "e", Metadata: map[string]string{"k": value1024}}},
		{"event with dots", `{"type":"event","event":"Room.message-1_a","data":{},"ackId":3}`, protocol.Event{Name: "Room.message-1_a", AckID: new(uint64(3)), Data: jsonData("{}")}},
		{"the longest event", `{"type":"event","event":"` + event128 + `","data":[]}`, protocol.Event{Name: event128, Data: jsonData("[]")}},

		{"invoke", `{"type":"invoke","invocationId":"1","target":"event","event":"chat.login","dataType":"text","data":"x"}`, protocol.Invoke{InvocationID: "1", Event: "chat.login", Data: textData("x")}},
		{"invoke without data", `{"type":"invoke","invocationId":"1","target":"event","event":"e","dataType":"binary"}`, protocol.Invoke{InvocationID: "1", Event: "e"}},
		{"cancelInvocation", `{"type":"cancelInvocation","invocationId":"1"}`, protocol.CancelInvocation{InvocationID: "1"}},
		{"invokeResponse", `{"type":"invokeResponse","invocationId":"1","success":false,"error":{"name":"x"}}`, protocol.InvokeResult{InvocationID: "1"}},
		{"start of a stream", `{"type":"sendToGroup","group":"g","noEcho":true,"stream":{"streamId":"s","idleTimeoutMs":1}}`, protocol.StreamStart{StreamID: "s", Group: "g"}},
		{"start of a stream with an ackId", `{"type":"sendToGroup","group":"g","ackId":1,"stream":{"streamId":"s"}}`, protocol.StreamStart{StreamID: "s", Group: "g"}},
		{"streamData", `{"type":"streamData","streamId":"s","streamSequenceId":1,"dataType":"json","data":{}}`, protocol.StreamData{StreamID: "s"}},
		{"sign of life of a stream", `{"type":"streamData","streamId":"s"}`, protocol.StreamData{StreamID: "s"}},
		{"streamEnd", `{"type":"streamEnd","streamId":"s"}`, protocol.StreamEnd{StreamID: "s"}},
		{"streamEnd with an error", `{"type":"streamEnd","streamId":"s","error":{"message":"m","userErrorCode":"c"}}`, protocol.StreamEnd{StreamID: "s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := protocol.JSONReliable().Decode(text(tt.frame))
			if err != nil {
				t.Fatalf("Decode(%.200q): %v", tt.frame, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode(%.200q) (-want +got):\n%s", tt.frame, diff)
			}
		})
	}
}

func TestJSONDecodeRefuses(t *testing.T) {
	send := func(members string) string { return `{"type":"sendToGroup","group":"g",` + members + `}` }
	metadata := func(object string) string { return send(`"data":1,"metadata":` + object) }
	for _, tt := range []struct {
		name  string
		frame string
		want  string // how the reason begins
	}{
		{"nothing", ``, "the frame is not valid JSON"},
		{"truncated", `{"type":"ping"`, "the frame is not valid JSON: error at byte 14"},
		{"two values", `{"type":"ping"}{}`, "the frame is not valid JSON"},
		{"too deep", strings.Repeat("[", 1<<20), "the frame is not valid JSON"},
		{"too deep inside", `{"type":"ping","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "the frame is not valid JSON"},
		{"byte order mark", "\uFEFF" + `{"type":"ping"}`, "the frame is not valid JSON"},
		{"bad UTF-8", "{\"type\":\"ping\",\"x\":\"\xff\"}", "the frame is not valid UTF-8"},
		{"UTF-8 of a surrogate", "{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}", "the frame is not valid UTF-8"},
		{"null", ` null`, "the frame is null, expected a JSON object"},
		{"array", `["joinGroup"]`, "the frame is an array, expected"},
		{"string", `"ping"`, "the frame is a string, expected"},
		{"number", `1`, "the frame is a number, expected"},

		{"no type", `{"group":"g"}`, "type: is missing, expected a string"},
		{"type in another case", `{"Type":"ping"}`, "type: is missing"},
		{"number as type", `{"type":42}`, "type: is a number, expected a string"},
		{"empty type", `{"type":""}`, `type: is "", which is no request`},
		{"unknown type", `{"type":"joingrp","group":"g"}`, `type: is "joingrp", which is no request`},
		{"Unicode case", "{\"type\":\"sequenceAc\u212A\",\"sequenceId\":1}", "type: is"},
		{"long type", `{"type":"` + strings.Repeat("x", 100) + `"}`, `type: is "` + strings.Repeat("x", 64) + `…", which`},

		{"ackId string", `{"type":"joinGroup","group":"g","ackId":"1"}`, "ackId: is a string, expected a whole number from 0 to 18446744073709551615"},
		{"ackId boolean", `{"type":"joinGroup","group":"g","ackId":true}`, "ackId: is a boolean"},
		{"ackId object", `{"type":"joinGroup","group":"g","ackId":{}}`, "ackId: is an object"},
		{"ackId negative", `{"type":"joinGroup","group":"g","ackId":-1}`, "ackId: is another number"},
		{"ackId minus zero", `{"type":"joinGroup","group":"g","ackId":-0}`, "ackId: is another number"},
		{"ackId fraction", `{"type":"joinGroup","group":"g","ackId":1.0}`, "ackId: is another number"},
		{"ackId exponent", `{"type":"joinGroup","group":"g","ackId":1e2}`, "ackId: is another number"},
		{"ackId too large", `{"type":"joinGroup","group":"g","ackId":18446744073709551616}`, "ackId: is another number"},
		{"ackId where it has no meaning", `{"type":"ping","ackId":"1"}`, "ackId: is a string"},

		{"no group", `{"type":"joinGroup"}`, "group: is missing, expected a string"},
		{"null group", `{"type":"leaveGroup","group":null}`, "group: is null, expected a string"},
		{"empty group", `{"type":"joinGroup","group":""}`, "group: is blank or longer than 1024 characters"},
		{"blank group", `{"type":"subscribeGroupState","group":" \t\u3000"}`, "group: is blank"},
		{"long group", `{"type":"setGroupState","group":"` + strings.Repeat("g", 1025) + `"}`, "group: is blank or longer"},
		{"half a surrogate pair in group", `{"type":"joinGroup","group":"a\ud83d"}`, "group: has half of a surrogate pair"},
		{"the other half", `{"type":"joinGroup","group":"\ude00 b"}`, "group: has half of a surrogate pair"},
		{"two first halves", `{"type":"joinGroup","group":"\ud83d\ud83d"}`, "group: has half of a surrogate pair"},
		{"half a pair before another escape", `{"type":"joinGroup","group":"\ud83d\n\u0041"}`, "group: has half of a surrogate pair"},

		{"no data", `{"type":"sendToGroup","group":"g"}`, "data: is missing; only a request with metadata may go without it"},
		{"no data but a type", send(`"dataType":"text"`), "data: is missing"},
		{"null data", send(`"data":null`), "data: is null, expected another JSON value"},
		{"null text", send(`"dataType":"text","data":null`), "data: is null, expected a string"},
		{"number as text", send(`"dataType":"text","data":1`), "data: is a number, expected a string"},
		{"object as binary", send(`"dataType":"binary","data":{}`), "data: is an object, expected a string"},
		{"half a surrogate pair in text", send(`"dataType":"text","data":"\ud800"`), "data: has half"},
		{"no base64", send(`"dataType":"binary","data":"not base64!"`), "data: is not base64"},
		{"base64 without padding", send(`"dataType":"binary","data":"aGk"`), "data: is not base64"},
		{"base64 of URLs", send(`"dataType":"protobuf","data":"__8="`), "data: is not base64"},
		{"base64 with a line break", send(`"dataType":"binary","data":"aG\nk="`), "data: is not base64"},
		{"base64 with spare bits", send(`"dataType":"binary","data":"aGl="`), "data: is not base64"},
		{"number as data type", send(`"dataType":42,"data":"hi"`), "dataType: is a number, expected a string"},
		{"null as data type", send(`"dataType":null,"data":"hi"`), "dataType: is null, expected a string"},
		{"unknown data type", send(`"dataType":"xml","data":"hi"`), `dataType: is "xml", expected json, text, binary or protobuf`},
		{"unknown data type without data", send(`"dataType":"xml","metadata":{}`), `dataType: is "xml"`},

		{"noEcho string", send(`"data":1,"noEcho":"true"`), "noEcho: is a string, expected true or false"},
		{"noEcho number", send(`"data":1,"noEcho":1`), "noEcho: is a number"},
		{"noEcho null", send(`"data":1,"noEcho":null`), "noEcho: is null"},
		{"ttlSeconds negative", send(`"data":1,"ttlSeconds":-1`), "ttlSeconds: is another number, expected a whole number from 0 to 300"},
		{"ttlSeconds above 300", send(`"data":1,"ttlSeconds":301`), "ttlSeconds: is another number"},
		{"ttlSeconds string", send(`"data":1,"ttlSeconds":"30"`), "ttlSeconds: is a string"},

		{"metadata array", metadata(`[]`), "metadata: is an array, expected an object"},
		{"metadata of numbers", metadata(`{"k":1}`), "metadata: has a number as a value, expected strings"},
		{"metadata of nulls", metadata(`{"k":null}`), "metadata: has null as a value"},
		{"metadata key with a space", metadata(`{"bad key":"v"}`), "metadata: has a key that is no HTTP token of at most 256 bytes"},
		{"metadata key empty", metadata(`{"":"v"}`), "metadata: has a key that is no HTTP token"},
		{"metadata key outside ASCII", metadata(`{"ü":"v"}`), "metadata: has a key that is no HTTP token"},
		{"metadata key too long", metadata(`{"` + strings.Repeat("k", 257) + `":"v"}`), "metadata: has a key that is no HTTP token"},
		{"metadata key twice", metadata(`{"k":"1","\u006b":"2"}`), "metadata: has a key twice"},
		{"metadata value outside ASCII", metadata(`{"k":"ü"}`), "metadata: has a value that is not at most 1024 bytes of printable ASCII"},
		{"metadata value with a line break", metadata(`{"k":"a\r\nb"}`), "metadata: has a value"},
		{"metadata value too long", metadata(`{"k":"` + strings.Repeat("v", 1025) + `"}`), "metadata: has a value"},
		{"metadata too large", metadata(bigMetadata(8)), "metadata: has more than 8192 bytes of keys and values"},
		{"bad metadata of an event", `{"type":"event","event":"message","metadata":{"key":"非 ASCII"}}`, "metadata: has a value"},

		{"no event", `{"type":"event","data":1}`, "event: is missing, expected a string"},
		{"empty event", `{"type":"event","event":"","data":1}`, `event: is "", expected a letter and up to 127 letters`},
		{"event with a digit first", `{"type":"event","event":"1event","data":1}`, `event: is "1event"`},
		{"event with a slash", `{"type":"event","event":"bad/event","data":1}`, `event: is "bad/event"`},
		{"event with a space", `{"type":"event","event":"bad event","data":1}`, `event: is "bad event"`},
		{"event with a line break", `{"type":"event","event":"e\n","data":1}`, `event: is "e\n"`},
		{"event outside ASCII", `{"type":"event","event":"é","data":1}`, `event: is "é"`},
		{"event too long", `{"type":"event","event":"` + strings.Repeat("e", 129) + `","data":1}`, "event: is"},

		{"sequenceAck without id", `{"type":"sequenceAck"}`, "sequenceId: is missing, expected a whole number"},
		{"sequenceAck with null", `{"type":"sequenceAck","sequenceId":null}`, "sequenceId: is null, expected a whole number"},
		{"sequenceAck with a string", `{"type":"sequenceAck","sequenceId":"1"}`, "sequenceId: is a string, expected a whole number"},
		{"sequenceAck with an array", `{"type":"sequenceAck","sequenceId":[]}`, "sequenceId: is an array"},

		{"invoke without id", `{"type":"invoke","target":"event","event":"e"}`, "invocationId: is missing"},
		{"invoke with an empty id", `{"type":"invoke","invocationId":"","target":"event","event":"e"}`, "invocationId: is empty"},
		{"invoke without target", `{"type":"invoke","invocationId":"1","event":"e"}`, "target: is missing"},
		{"invoke of something else", `{"type":"invoke","invocationId":"1","target":"client","event":"e"}`, `target: is "client", expected event`},
		{"invoke without event", `{"type":"invoke","invocationId":"1","target":"event"}`, "event: is missing"},
		{"invoke with null", `{"type":"invoke","invocationId":"1","target":"event","event":"e","data":null}`, "data: is null"},
		{"cancelInvocation without id", `{"type":"cancelInvocation"}`, "invocationId: is missing"},
		{"invokeResponse without success", `{"type":"invokeResponse","invocationId":"1"}`, "success: is missing"},
		{"invokeResponse with a number", `{"type":"invokeResponse","invocationId":"1","success":1}`, "success: is a number, expected true or false"},

		{"stream string", send(`"stream":"s"`), "stream: is a string, expected an object"},
		{"stream without id", send(`"stream":{}`), "stream.streamId: is missing"},
		{"stream with an empty id", send(`"stream":{"streamId":""}`), "stream.streamId: is empty"},
		{"stream that never idles", send(`"stream":{"streamId":"s","idleTimeoutMs":0}`), "stream.idleTimeoutMs: is another number, expected a whole number from 1 to 4294967295"},
		{"stream with data", send(`"stream":{"streamId":"s"},"data":1`), "data: is given together with stream"},
		{"stream with a data type", send(`"stream":{"streamId":"s"},"dataType":"text"`), "data: is given together with stream"},
		{"stream without group", `{"type":"sendToGroup","stream":{"streamId":"s"}}`, "group: is missing"},
		{"streamData without id", `{"type":"streamData"}`, "streamId: is missing"},
		{"streamData without number", `{"type":"streamData","streamId":"s","dataType":"text","data":""}`, "streamSequenceId: is missing"},
		{"streamData without type", `{"type":"streamData","streamId":"s","streamSequenceId":1,"data":""}`, "dataType: is missing"},
		{"streamData without data", `{"type":"streamData","streamId":"s","streamSequenceId":1,"dataType":"text"}`, "data: is missing"},
		{"streamData number 0", `{"type":"streamData","streamId":"s","streamSequenceId":0,"dataType":"text","data":""}`, "streamSequenceId: is another number, expected a whole number from 1"},
		{"streamData with bad data", `{"type":"streamData","streamId":"s","streamSequenceId":1,"dataType":"text","data":1}`, "data: is a number"},
		{"streamEnd without id", `{"type":"streamEnd"}`, "streamId: is missing"},
		{"streamEnd with a name", `{"type":"streamEnd","streamId":"s","error":{"name":"UserError"}}`, "error.name: is given"},
		{"streamEnd with a bad message", `{"type":"streamEnd","streamId":"s","error":{"message":1}}`, "error.message: is a number"},
		{"streamEnd with a bad error", `{"type":"streamEnd","streamId":"s","error":"x"}`, "error: is a string, expected an object"},
		{"state array", `{"type":"setGroupState","group":"g","state":[]}`, "state: is an array, expected an object"},
		{"state of numbers", `{"type":"setGroupState","group":"g","state":{"a":1}}`, "state: has a number as a value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := protocol.JSONReliable().Decode(text(tt.frame))
			wantFrameError(t, got, err, false, tt.want)
		})
	}
}

// bigMetadata has n values of 1024 bytes.
func bigMetadata(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + string(rune('a'+i)) + `":"` + strings.Repeat("v", 1024) + `"`)
	}
	return "{" + b.String()[1:] + "}"
}

func TestJSONDecodeBigMetadata(t *testing.T) {
	got, err := protocol.JSON().Decode(text(`{"type":"event","event":"e","metadata":` + bigMetadata(7) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(got.(protocol.Event).Metadata), 7; got != want {
		t.Errorf("got %d keys, want %d", got, want)
	}
}

func wantFrameError(t *testing.T, got protocol.Request, err error, wrongKind bool, reason string) {
	t.Helper()
	e, ok := errors.AsType[*protocol.FrameError](err)
	if !ok || got != nil {
		t.Fatalf("got %#v, %v, want nil and a *FrameError", got, err)
	}
	if e.WrongKind != wrongKind || !strings.HasPrefix(e.Error(), reason) {
		t.Errorf("got WrongKind %v, %q, want %v, %q…", e.WrongKind, e.Error(), wrongKind, reason)
	}
}

func TestJSONDecodeBinaryFrame(t *testing.T) {
	got, err := protocol.JSON().Decode(protocol.Frame{Binary: true, Payload: []byte(`{"type":"ping"}`)})
	wantFrameError(t, got, err, true, "the frame is binary; clients of json.webpubsub.azure.v1 send text frames")
}

// Microsoft's emulator takes it from clients whose messages have no numbers.
func TestJSONDecodeSequenceAckOfPlainClient(t *testing.T) {
	got, err := protocol.JSON().Decode(text(`{"type":"sequenceAck","sequenceId":1}`))
	if want := (protocol.SequenceAck{SequenceID: 1}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// What a request shares with its frame ends where the data ends: appending to
// it does not write into the frame.
func TestJSONDecodeSharesNoMoreThanItsData(t *testing.T) {
	frame := text(`{"type":"event","event":"e","data":1,"dataType":"json"}`)
	before := string(frame.Payload)
	got, err := protocol.JSON().Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got.(protocol.Event).Data.Bytes, "xyz"...)
	if after := string(frame.Payload); after != before {
		t.Errorf("the frame became %q", after)
	}
}

func TestJSONCodecs(t *testing.T) {
	for _, tt := range []struct {
		codec    protocol.Codec
		name     string
		reliable bool
		form     protocol.Form
	}{
		{protocol.JSON(), "json.webpubsub.azure.v1", false, protocol.FormJSON},
		{protocol.JSONReliable(), "json.reliable.webpubsub.azure.v1", true, protocol.FormJSON},
		{protocol.SimpleEvent(), "", false, protocol.FormSimple},
		{protocol.SimpleGroup("g", false), "", false, protocol.FormSimple},
	} {
		c := tt.codec
		if c.Name() != tt.name || c.Reliable() != tt.reliable || c.Form() != tt.form {
			t.Errorf("got %q, %v, %v, want %q, %v, %v", c.Name(), c.Reliable(), c.Form(), tt.name, tt.reliable, tt.form)
		}
	}
}
