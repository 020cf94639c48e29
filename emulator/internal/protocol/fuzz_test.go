package protocol_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func FuzzJSONDecode(f *testing.F) {
	for _, s := range []string{
		`{"type":"joinGroup","group":"g","ackId":18446744073709551615}`,
		`{"type":"leaveGroup","group":"\ud83d\ude00","ackId":null}`,
		`{"type":"sendToGroup","group":"g","ackId":0,"noEcho":true,"dataType":"text","data":"\"\u00fc","ttlSeconds":300,"metadata":{"k":"v"}}`,
		`{"type":"sendToGroup","group":"g","data":{"a":[1,{"b":"}"}]}}`,
		`{"type":"sendToGroup","group":"g","stream":{"streamId":"s","idleTimeoutMs":1}}`,
		`{"type":"event","event":"room.message","dataType":"binary","data":"AQID"}`,
		`{"type":"event","event":"e","dataType":"protobuf","data":"CgA="}`,
		`{"type":"event","event":"e","metadata":{}}`,
		`{"TYPE":"x","\u0074ype":"PING"}`,
		`{"type":"sequenceAck","sequenceId":1}`,
		`{"type":"invoke","invocationId":"1","target":"event","event":"chat.login","data":[]}`,
		`{"type":"cancelInvocation","invocationId":"1"}`,
		`{"type":"invokeResponse","invocationId":"1","success":true}`,
		`{"type":"streamData","streamId":"s","streamSequenceId":1,"dataType":"text","data":""}`,
		`{"type":"streamEnd","streamId":"s","error":{"message":"m"}}`,
		`{"type":"setGroupState","group":"g","state":{"a":"b"}}`,
		`{"type":"joinGroup","group":"a","group":"b","Group":"c","ackId":-1,"ackId":1}`,
		`[{"type":"ping"}]`, `{`, `null`, "{\"type\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c := protocol.JSONReliable()
		before := bytes.Clone(payload)
		request, err := c.Decode(protocol.Frame{Payload: payload})
		if !bytes.Equal(payload, before) {
			t.Fatalf("Decode changed %q to %q", before, payload)
		}
		members := membersOf(payload)
		if want, known := joinGroupOf(members); known && (err == nil) != (want != nil) {
			t.Fatalf("Decode(%q) = %#v, %v, want %#v", payload, request, err, want)
		}
		if err != nil {
			if e, ok := errors.AsType[*protocol.FrameError](err); !ok || e.Reason == "" || !utf8.ValidString(e.Reason) || request != nil {
				t.Fatalf("Decode(%q) = %#v, %T %v, want nil and a *FrameError", payload, request, err, err)
			}
			return
		}
		if members == nil {
			t.Fatalf("Decode(%q) = %#v, and it is no JSON object", payload, request)
		}
		again, err := c.Decode(protocol.Frame{Payload: encodeRequest(t, request)})
		if err != nil {
			t.Fatalf("%q decodes to %#v, and that is refused: %v", payload, request, err)
		}
		if diff := cmp.Diff(request, again); diff != "" {
			t.Errorf("%q, and once more (-first +second):\n%s", payload, diff)
		}
		if ack, ok := members["ackId"]; ok {
			wantAckID(t, request, ack)
		}
	})
}

// membersOf reads an object with encoding/json: names with case, the last of
// equal ones. It is nil for what is no object in UTF-8.
func membersOf(payload []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if !utf8.Valid(payload) || json.Unmarshal(payload, &members) != nil {
		return nil
	}
	return members
}

// joinGroupOf is the rule of joinGroup written down once more. It is nil for a
// request that has to be refused, and known is false for other requests.
func joinGroupOf(members map[string]json.RawMessage) (want protocol.Request, known bool) {
	var typ, group string
	var ackID *uint64
	if json.Unmarshal(members["type"], &typ) != nil || strings.ToLower(typ) != "joingroup" {
		return nil, false
	}
	if raw, ok := members["ackId"]; ok && json.Unmarshal(raw, &ackID) != nil {
		return nil, true
	}
	if raw := members["group"]; len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &group) != nil {
		return nil, true
	}
	if strings.ContainsRune(group, '\uFFFD') {
		return nil, false // it may be half of a surrogate pair
	}
	if n := len([]rune(group)); strings.TrimSpace(group) == "" || n > 1024 {
		return nil, true
	}
	return protocol.JoinGroup{Group: group, AckID: ackID}, true
}

// wantAckID compares the ackId of a request with what encoding/json reads.
func wantAckID(t *testing.T, request protocol.Request, raw json.RawMessage) {
	t.Helper()
	var got *uint64
	switch r := request.(type) {
	case protocol.JoinGroup:
		got = r.AckID
	case protocol.LeaveGroup:
		got = r.AckID
	case protocol.SendToGroup:
		got = r.AckID
	case protocol.Event:
		got = r.AckID
	case protocol.GroupState:
		got = r.AckID
	default:
		return
	}
	var want *uint64
	if err := json.Unmarshal(raw, &want); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got ackId %v of %s, want %v, %v", got, raw, want, err)
	}
}

// encodeRequest writes a request as a client would.
func encodeRequest(t *testing.T, request protocol.Request) []byte {
	t.Helper()
	m := map[string]any{}
	ack := func(id *uint64) {
		if id != nil {
			m["ackId"] = *id
		}
	}
	payload := func(d protocol.Data, metadata map[string]string) {
		switch d.Type {
		case "":
		case wire.DataJSON:
			m["data"] = json.RawMessage("null") // replaced below: encoding/json would make it compact
		case wire.DataText:
			m["dataType"], m["data"] = d.Type, string(d.Bytes)
		default:
			m["dataType"], m["data"] = d.Type, base64.StdEncoding.EncodeToString(d.Bytes)
		}
		if metadata != nil {
			m["metadata"] = metadata
		}
	}
	var data protocol.Data
	switch r := request.(type) {
	case protocol.JoinGroup:
		m["type"], m["group"] = "joinGroup", r.Group
		ack(r.AckID)
	case protocol.LeaveGroup:
		m["type"], m["group"] = "leaveGroup", r.Group
		ack(r.AckID)
	case protocol.SendToGroup:
		m["type"], m["group"], m["noEcho"], m["ttlSeconds"] = "sendToGroup", r.Group, r.NoEcho, r.TTLSeconds
		ack(r.AckID)
		payload(r.Data, r.Metadata)
		data = r.Data
	case protocol.Event:
		m["type"], m["event"] = "event", r.Name
		ack(r.AckID)
		payload(r.Data, r.Metadata)
		data = r.Data
	case protocol.Ping:
		m["type"] = "ping"
	case protocol.SequenceAck:
		m["type"], m["sequenceId"] = "sequenceAck", r.SequenceID
	case protocol.Invoke:
		m["type"], m["target"], m["invocationId"], m["event"] = "invoke", "event", r.InvocationID, r.Event
		payload(r.Data, nil)
		data = r.Data
	case protocol.CancelInvocation:
		m["type"], m["invocationId"] = "cancelInvocation", r.InvocationID
	case protocol.InvokeResult:
		m["type"], m["invocationId"], m["success"] = "invokeResponse", r.InvocationID, true
	case protocol.StreamStart:
		m["type"], m["group"], m["stream"] = "sendToGroup", r.Group, map[string]any{"streamId": r.StreamID}
	case protocol.StreamData:
		m["type"], m["streamId"] = "streamData", r.StreamID
	case protocol.StreamEnd:
		m["type"], m["streamId"] = "streamEnd", r.StreamID
	case protocol.GroupState:
		m["type"], m["group"] = "subscribeGroupState", r.Group
		ack(r.AckID)
	default:
		t.Fatalf("unexpected request %#v", request)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if data.Type == wire.DataJSON {
		b = append(b[:len(b)-1], `,"data":`...)
		b = append(append(b, data.Bytes...), '}')
	}
	return b
}

func FuzzEncode(f *testing.F) {
	f.Add("g", "alice", uint8(0), []byte("hi \"there\"\n<&>\u2028\xff"), "k", "v", uint64(1))
	f.Add("", "", uint8(1), []byte(` {"a": [1, "}"]} `), "", "", uint64(1<<64-1))
	f.Add("a\xffb", "\x00", uint8(2), []byte("\x05\x01\x01"), "k\"", "\xe2\x82", uint64(0))
	f.Add("g", "", uint8(3), []byte{}, "k", "", uint64(10))
	f.Add("", "u", uint8(4), []byte("x"), "", "v", uint64(7))
	f.Fuzz(func(t *testing.T, group, user string, kind uint8, data []byte, key, value string, id uint64) {
		dataType := []string{wire.DataText, wire.DataJSON, wire.DataBinary, wire.DataProtobuf, ""}[kind%5]
		if dataType == wire.DataJSON && !json.Valid(data) {
			t.Skip("no JSON")
		}
		m := protocol.DataMessage{Group: group, FromUserID: user, Data: protocol.Data{Type: dataType, Bytes: data}}
		if key != "" || value != "" {
			m.Metadata = map[string]string{key: value, "always": "there"}
		}
		c := protocol.JSONReliable()
		frame, ok := c.Encode(m)
		if !ok || frame.Binary {
			t.Fatalf("Encode(%#v) = %v, %v", m, frame, ok)
		}
		before := bytes.Clone(frame.Payload)
		wantDataMessage(t, frame.Payload, m, nil)
		wantDataMessage(t, c.Number(frame, id).Payload, m, &id)
		if !bytes.Equal(frame.Payload, before) {
			t.Errorf("Number changed %q to %q", before, frame.Payload)
		}
	})
}

// wantDataMessage reads a message with encoding/json and compares it with what
// was written.
func wantDataMessage(t *testing.T, payload []byte, m protocol.DataMessage, id *uint64) {
	t.Helper()
	repaired := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
	type message struct {
		Type, From, DataType string
		Group, FromUserID    *string
		Data                 json.RawMessage
		Metadata             map[string]string
		SequenceID           *uint64
	}
	var got message
	if err := json.Unmarshal(payload, &got); err != nil || !utf8.Valid(payload) {
		t.Fatalf("%q of %#v: %v", payload, m, err)
	}
	want := message{Type: "message", From: "server", DataType: m.Data.Type, SequenceID: id}
	if m.Group != "" {
		want.From, want.Group = "group", new(repaired(m.Group))
		if m.FromUserID != "" {
			want.FromUserID = new(repaired(m.FromUserID))
		}
	}
	for key, value := range m.Metadata {
		if want.Metadata == nil {
			want.Metadata = map[string]string{}
		}
		want.Metadata[repaired(key)] = repaired(value)
	}
	switch m.Data.Type {
	case wire.DataJSON:
		want.Data = bytes.ToValidUTF8(bytes.Trim(m.Data.Bytes, " \t\r\n"), []byte("\uFFFD"))
	case "":
		want.DataType, want.Data = "text", json.RawMessage(`""`)
	default:
		text := repaired(string(m.Data.Bytes))
		if m.Data.Type != wire.DataText {
			text = base64.StdEncoding.EncodeToString(m.Data.Bytes)
		}
		var data string
		if err := json.Unmarshal(got.Data, &data); err != nil || data != text {
			t.Errorf("got data %s, want %q, %v", got.Data, text, err)
		}
		want.Data = got.Data
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q of %#v (-want +got):\n%s", payload, m, diff)
	}
}
