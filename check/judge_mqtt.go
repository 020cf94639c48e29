package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// forMQTT is the judge of a rule that is about handlers only that serve MQTT
// clients.
func forMQTT(judge func(*session) finding) func(*session) finding {
	return func(s *session) finding {
		if !s.opts.serves(eventMQTT) {
			return open("the handler is not said to serve MQTT clients: --events mqtt")
		}
		return judge(s)
	}
}

// mqttVersions are the protocol versions by what they are called.
var mqttVersions = []struct {
	number int
	name   string
}{{wire.MQTT5, "MQTT 5.0"}, {wire.MQTT311, "MQTT 3.1.1"}}

// mqttConnect is how the connection of an MQTT client begins, one that the
// options describe.
func (s *session) mqttConnect(t *talk, version int) upstreamtest.Event {
	ev := s.connectEvent(t)
	ev.Connect.Subprotocols = nil // mqtt
	ev.Connect.MQTT = &upstream.MQTTConnect{ProtocolVersion: version, CleanStart: true, Username: t.user}
	if version == wire.MQTT5 {
		ev.Connect.MQTT.UserProperties = []upstream.MQTTUserProperty{{Name: "tag", Value: "a"}, {Name: "tag", Value: "b"}}
	}
	ev.PhysicalConnectionID = "physical" + t.id
	return ev
}

// mqttStranger is a client whom a handler should not know.
func (s *session) mqttStranger(version int) upstreamtest.Event {
	t := s.newTalk()
	t.user = ""
	ev := s.mqttConnect(t, version)
	ev.Connect.Query = nil
	ev.Connect.MQTT.Username, ev.Connect.MQTT.Password = "nobody", []byte("a password that nobody has")
	return ev
}

// admissions connects clients of both versions, and hands those who are let in
// to judge, until it finds a fault.
func (s *session) admissions(judge func(version string, a *answer) finding) finding {
	admitted := false
	for _, version := range mqttVersions {
		a := s.send(s.mqttConnect(s.newTalk(), version.number))
		if !a.accepted() {
			continue
		}
		admitted = true
		if f := judge(version.name, a); f.verdict != Holds {
			return f
		}
	}
	if !admitted {
		return open("the handler lets no MQTT client in")
	}
	return holds()
}

// admitMQTT connects a client of either version. The talk is nil, and the
// answer says why, when it is not let in.
func (s *session) admitMQTT() (t *talk, version int, a *answer) {
	for _, v := range mqttVersions {
		t = s.newTalk()
		if a = s.send(s.mqttConnect(t, v.number)); a.accepted() {
			return t, v.number, a
		}
	}
	return nil, 0, a
}

// openMQTT begins the connection of an MQTT client, and says why there is none.
func (s *session) openMQTT() (t *talk, why string) {
	t = s.newTalk()
	if s.opts.serves("connect") {
		var a *answer
		if t, _, a = s.admitMQTT(); t == nil {
			return nil, fmt.Sprintf("the handler lets no MQTT client in: %v", a)
		}
		s.admit(t, a)
	}
	t.subprotocol, t.events = wire.SubprotocolMQTT, 1
	return t, ""
}

// ofMQTT makes an event one of an MQTT client.
func ofMQTT(t *talk, ev upstreamtest.Event) upstreamtest.Event {
	ev.PhysicalConnectionID, ev.SessionID = "physical"+t.id, "session"+t.id
	return ev
}

// mqttEvent is a user event that the handler takes from other clients.
func (s *session) mqttEvent(t *talk) upstreamtest.Event {
	return ofMQTT(t, s.userEvent(t, s.found.userEvent()))
}

func (s *session) sendMQTT(t *talk, ev upstreamtest.Event) *answer {
	a := s.send(ev)
	t.take(a)
	return a
}

// refusesMQTT reports whether an answer refuses an MQTT client: with 4xx, or with
// a code and any other status that is no success.
func refusesMQTT(a *answer) bool {
	return a.refused() || a.status/100 == 5 && mqttMember(a)["code"] != nil
}

// mqttMember returns what an answer says to an MQTT client, nothing if that is
// no object.
func mqttMember(a *answer) map[string]json.RawMessage {
	members, _ := connectMembers(a)
	var of map[string]json.RawMessage
	_ = json.Unmarshal(members["mqtt"], &of) // which leaves nothing
	return of
}

func judgeMQTTConnect(s *session) finding {
	for _, version := range mqttVersions {
		a := s.send(s.mqttConnect(s.newTalk(), version.number))
		if a.broken() && !refusesMQTT(a) {
			return fails(fmt.Sprintf("a client of %s got %v, want 2xx or 4xx", version.name, a))
		}
	}
	return holds()
}

func judgeMQTTSubprotocol(s *session) finding {
	return s.admissions(func(version string, a *answer) finding {
		if name, _ := textMember(a, "subprotocol"); !blank(name) && !strings.EqualFold(name, wire.SubprotocolMQTT) {
			return fails(fmt.Sprintf("a client of %s is given the subprotocol %.100q, want %q or none", version, name, wire.SubprotocolMQTT))
		}
		return holds()
	})
}

func judgeMQTTProperties(s *session) finding {
	return s.admissions(func(version string, a *answer) finding {
		raw := mqttMember(a)["userProperties"]
		if raw == nil || nullElement(raw) {
			return holds()
		}
		var list []map[string]*string
		if json.Unmarshal(raw, &list) != nil || slices.ContainsFunc(list, func(p map[string]*string) bool { return p["name"] == nil || p["value"] == nil }) {
			return fails(fmt.Sprintf("a client of %s is given the user properties %.200s", version, raw))
		}
		return holds()
	})
}

// refusals connects clients until judge finds a fault in a refusal. When all of
// the handler's answers are refusals, they need not be about MQTT.
func (s *session) refusals(judge func(version int, name string, a *answer) finding) finding {
	accepts, refuses := s.found.connect.accepted(), false
	fault := holds()
	for _, version := range mqttVersions {
		for _, ev := range []upstreamtest.Event{s.mqttConnect(s.newTalk(), version.number), s.mqttStranger(version.number)} {
			a := s.send(ev)
			accepts = accepts || a.accepted()
			if refusesMQTT(a) && fault.verdict == Holds {
				refuses = true
				fault = judge(version.number, version.name, a)
			}
			if accepts && fault.verdict != Holds {
				return fault
			}
		}
	}
	switch {
	case !refuses:
		return open("the handler refuses no MQTT client of those that the check can be")
	case !accepts:
		return open("the handler refuses all clients")
	}
	return holds()
}

func judgeMQTTRefusal(s *session) finding {
	return s.refusals(func(version int, name string, a *answer) finding {
		raw := mqttMember(a)["code"]
		var code int
		if raw == nil {
			return fails(fmt.Sprintf(`a client of %s got %v without {"mqtt":{"code":…}}`, name, a))
		}
		if json.Unmarshal(raw, &code) != nil {
			return fails(fmt.Sprintf("a client of %s got the code %.50s, want a number", name, raw))
		}
		if _, known := wire.MQTTStatus(code); !known || wire.MQTTCodeFor(version, code) != code {
			return fails(fmt.Sprintf("a client of %s got the code %d, want one of %s", name, code, mqttCodes(version)))
		}
		return holds()
	})
}

// mqttCodes says what codes a version has.
func mqttCodes(version int) string {
	if version == wire.MQTT5 {
		return "128 to 138, 140, 144, 149, 151, 153 to 157 and 159"
	}
	return "1 to 5"
}

func judgeMQTTRefusalType(s *session) finding {
	return s.refusals(func(_ int, name string, a *answer) finding {
		if mqttMember(a)["code"] == nil {
			return holds() // a rule of its own
		}
		if f := judgeConnectType(a); f.verdict != Holds {
			return fails(fmt.Sprintf("for a client of %s: %s", name, f.text))
		}
		return holds()
	})
}

func judgeMQTTRefusalStatus(s *session) finding {
	return s.refusals(func(_ int, name string, a *answer) finding {
		if !a.refused() {
			return fails(fmt.Sprintf("a client of %s got %v, want 4xx", name, a))
		}
		return holds()
	})
}

func judgeClientID(s *session) finding {
	for _, id := range []string{"7", "Sensor" + strings.Repeat("0123456789", 12) + "Xy"} {
		t := s.newTalk()
		t.id = id
		a := s.send(s.mqttConnect(t, wire.MQTT311))
		if !a.broken() || refusesMQTT(a) {
			continue
		}
		if usual := s.send(s.mqttConnect(s.newTalk(), wire.MQTT311)); usual.broken() && !refusesMQTT(usual) {
			return open(fmt.Sprintf("a client with any ID got %v", usual))
		}
		return fails(fmt.Sprintf("a client with the ID %s got %v, want 2xx or 4xx", id, a))
	}
	return holds()
}

func judgeReconnect(s *session) finding {
	t, version, a := s.admitMQTT()
	if t == nil {
		return open(fmt.Sprintf("the handler lets no MQTT client in: %v", a))
	}
	again := s.newTalk()
	again.id = t.id
	ev := s.mqttConnect(again, version)
	ev.PhysicalConnectionID += "again"
	a = s.send(ev)
	if a.refused() && !s.send(s.mqttConnect(s.newTalk(), version)).accepted() {
		return open("the handler lets the client in only once")
	}
	if !a.accepted() {
		return fails(fmt.Sprintf("the client %s got %v when it connected again, want 2xx as before", t.id, a))
	}
	return holds()
}

func judgeMQTTEvent(s *session) finding {
	t, why := s.openMQTT()
	if why != "" {
		return open(why)
	}
	ev := s.mqttEvent(t)
	ev.Data.UserProperties = []upstream.MQTTUserProperty{{Name: "tag", Value: "a"}, {Name: "tag", Value: "b"}, {Name: "trace-id", Value: "7"}}
	if a := s.sendMQTT(t, ev); a.broken() {
		return fails(fmt.Sprintf("got %v, want 2xx or 4xx", a))
	}
	return holds()
}

// typedMQTT begins the connection of an MQTT client, and sends the user event as
// other clients send it.
func (s *session) typedMQTT() (t *talk, a *answer, why string) {
	if t, why = s.openMQTT(); why != "" {
		return nil, nil, why
	}
	if a = s.sendMQTT(t, s.mqttEvent(t)); a.broken() {
		return nil, nil, fmt.Sprintf("the handler answers the user events of MQTT clients with %v", a)
	}
	return t, a, ""
}

func judgeContentTypes(s *session) finding {
	t, _, why := s.typedMQTT()
	if why != "" {
		return open(why)
	}
	for _, contentType := range []string{"", "application/vnd.check.v1+cbor"} {
		ev := s.mqttEvent(t)
		ev.Data.ContentType = contentType
		if a := s.sendMQTT(t, ev); a.broken() {
			return fails(fmt.Sprintf("an event with the content type %q got %v, want 2xx or 4xx", contentType, a))
		}
	}
	return holds()
}

func judgeUntyped(s *session) finding {
	t, typed, why := s.typedMQTT()
	switch {
	case why != "":
		return open(why)
	case !typed.accepted():
		return open(fmt.Sprintf("the handler answers the event with a content type with %v", typed))
	}
	ev := s.mqttEvent(t)
	ev.Data.ContentType = ""
	switch a := s.sendMQTT(t, ev); {
	case a.refused():
		return fails(fmt.Sprintf("got %v, want 2xx as with a content type", a))
	case a.broken():
		return open(fmt.Sprintf("without a content type: %v", a))
	}
	return holds()
}

func judgeMQTTNotifications(s *session) finding {
	if !s.opts.serves("connected") && !s.opts.serves("disconnected") {
		return open("the handler serves neither connected nor disconnected")
	}
	for _, end := range []upstream.MQTTDisconnect{
		{InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{UserProperties: []upstream.MQTTUserProperty{{Name: "tag", Value: "a"}}}},
		{InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{}},
		{}, // without a packet
	} {
		t, why := s.openMQTT()
		if why != "" {
			return open(why)
		}
		began, ended := ofMQTT(t, s.event(t, wire.TypeConnected)), ofMQTT(t, s.event(t, wire.TypeDisconnected))
		ended.MQTT = &end
		if f := s.wantNotified("connected", began); f.verdict != Holds {
			return f
		}
		if f := s.wantNotified("disconnected", ended); f.verdict != Holds {
			return f
		}
	}
	return holds()
}

// wantNotified wants a notification about an MQTT client to be taken, unless
// those about other clients are not either.
func (s *session) wantNotified(name string, ev upstreamtest.Event) finding {
	if !s.opts.serves(name) {
		return holds()
	}
	a := s.send(ev)
	if !a.broken() {
		return holds()
	}
	usual := s.newTalk()
	if s.opts.serves("connect") {
		s.admit(usual, s.send(s.connectEvent(usual)))
	}
	if a := s.send(s.event(usual, ev.Type)); a.broken() {
		return open(fmt.Sprintf("the handler answers %s of any client with %v", name, a))
	}
	return fails(fmt.Sprintf("got %v for %s, want 2xx", a, name))
}
