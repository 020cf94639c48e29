package protocol

import (
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// JSON returns the codec of json.webpubsub.azure.v1. Requests and messages are
// JSON objects in text frames.
//
// A request is read as strictly as by Microsoft's emulator: names of members
// compare with case, the type and the data type without; members that no
// request has are ignored; of members with the same name the last one counts,
// except in metadata, where a key must not repeat. Where the emulator is
// silent, a member that does not have its documented form is refused.
func JSON() Codec { return plainJSON }

// JSONReliable returns the codec of json.reliable.webpubsub.azure.v1: that of
// [JSON] with sequence ids, and with the requests that acknowledge them.
func JSONReliable() Codec { return reliableJSON }

var (
	plainJSON    = &jsonCodec{name: wire.SubprotocolJSON}
	reliableJSON = &jsonCodec{name: wire.SubprotocolJSONReliable, reliable: true}
)

type jsonCodec struct {
	name     string
	reliable bool
}

func (c *jsonCodec) Name() string   { return c.name }
func (c *jsonCodec) Reliable() bool { return c.reliable }
func (c *jsonCodec) Form() Form     { return FormJSON }

// Decode implements [Codec].
func (c *jsonCodec) Decode(f Frame) (Request, error) {
	if f.Binary {
		return nil, &FrameError{WrongKind: true, Reason: "the frame is binary; clients of " + c.name + " send text frames"}
	}
	r, err := readJSON(f.Payload)
	if err != nil {
		return nil, err
	}
	request := r.request()
	if r.err != nil {
		return nil, r.err
	}
	return request, nil
}

// request reads the members that belong to the request's type.
func (r *jsonReader) request() Request {
	typ := r.text("type")
	ackID := r.ackID() // whatever the type: a bad one is refused where it has no meaning, too
	switch lowerASCII(typ) {
	case "joingroup":
		return JoinGroup{Group: r.group(), AckID: ackID}
	case "leavegroup":
		return LeaveGroup{Group: r.group(), AckID: ackID}
	case "sendtogroup":
		return r.sendToGroup(ackID)
	case "event":
		e := Event{Name: r.event(), AckID: ackID}
		e.Data, e.Metadata = r.payload()
		return e
	case "ping":
		return Ping{}
	case "sequenceack":
		return SequenceAck{SequenceID: r.required("sequenceId", 0)}
	case "invoke":
		if target := r.text("target"); target != "event" {
			r.fail("target", "is %q, expected event", clip(target))
		}
		return Invoke{InvocationID: r.id("invocationId"), Event: r.event(), Data: r.data()}
	case "cancelinvocation":
		return CancelInvocation{InvocationID: r.id("invocationId")}
	case "invokeresponse":
		// What it carries is not looked at, because nobody waits for it.
		r.require("success")
		r.flag("success")
		return InvokeResult{InvocationID: r.id("invocationId")}
	case "streamdata":
		return r.streamData()
	case "streamend":
		return r.streamEnd()
	case "setgroupstate":
		r.state()
		return GroupState{Group: r.group(), AckID: ackID}
	case "subscribegroupstate", "unsubscribegroupstate":
		return GroupState{Group: r.group(), AckID: ackID}
	}
	r.fail("type", "is %q, which is no request of this protocol", clip(typ))
	return nil
}

func (r *jsonReader) sendToGroup(ackID *uint64) Request {
	group, noEcho := r.group(), r.flag("noEcho")
	if stream, ok := r.object("stream"); ok {
		return r.streamStart(stream, group)
	}
	s := SendToGroup{Group: group, AckID: ackID, NoEcho: noEcho}
	s.Data, s.Metadata = r.payload()
	if ttl, ok := r.number("ttlSeconds", 0, maxTTLSeconds); ok {
		s.TTLSeconds = int(ttl)
	}
	return s
}

// streamStart reads the member that makes a publish the start of a stream
// (client specification 3.6.1).
func (r *jsonReader) streamStart(stream []byte, group string) Request {
	s := newJSONReader("stream.", stream)
	start := StreamStart{StreamID: s.id("streamId"), Group: group}
	s.number("idleTimeoutMs", 1, maxIdleTimeoutMs)
	r.adopt(s.err)
	if r.has("data") || r.has("dataType") {
		r.fail("data", "is given together with stream; the start of a stream has neither data nor dataType")
	}
	return start
}

// streamData is a fragment, with all members of one, or with none of them a
// sign of life (client specification 3.6.2).
func (r *jsonReader) streamData() Request {
	d := StreamData{StreamID: r.id("streamId")}
	if r.has("streamSequenceId") || r.has("dataType") || r.has("data") {
		r.require("streamSequenceId", "dataType", "data")
		r.required("streamSequenceId", 1)
		r.data()
	}
	return d
}

// streamEnd may carry an error, whose name is the service's to choose (client
// specification 3.6.3).
func (r *jsonReader) streamEnd() Request {
	end := StreamEnd{StreamID: r.id("streamId")}
	if failure, ok := r.object("error"); ok {
		e := newJSONReader("error.", failure)
		if e.has("name") {
			e.fail("name", "is given, but only message and userErrorCode are expected")
		}
		if e.has("message") {
			e.text("message")
		}
		r.adopt(e.err)
	}
	return end
}

// lowerASCII returns s with its letters in lower case. Text outside ASCII comes
// back as it is: Unicode has letters whose lower case is an ASCII letter.
func lowerASCII(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return s
		}
	}
	return strings.ToLower(s)
}
