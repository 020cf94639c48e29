package check

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// found is what is known of a handler before the rules are judged.
type found struct {
	// consent is the answer to the handshake, by OPTIONS or, after a 404, by
	// GET, as the service asks.
	consent *answer
	method  string // by which it was given
	granted bool   // the service would send events
	open    bool   // to every origin, by choice

	talk    *talk   // a connection that the handler knows of
	connect *answer // to its connect event; nil if that is not served
	events  []tried // the user events that it serves

	once []string // user events that it accepts at first only

	needsState bool // events are refused unless they carry a connection state
}

// find finds out what the handler does with what the service sends first.
func (s *session) find() {
	f := &s.found
	f.method = http.MethodOptions
	f.consent = s.ask(f.method, s.opts.Origin)
	if f.consent.status == http.StatusNotFound {
		f.method = http.MethodGet
		f.consent = s.ask(f.method, s.opts.Origin)
	}
	f.granted = f.consent.accepted() && grants(f.consent.header, s.opts.Origin)
	f.open = f.granted && s.consentsToAll()
	s.findEvents()
	if !s.takesAny() {
		// There are handlers that insist on a state, which the service does not
		// send before the handler has set one. They shall hear of their other
		// faults all the same.
		before := *f
		f.needsState = true
		s.findEvents()
		if !s.takesAny() {
			f.talk, f.connect, f.events, f.needsState = before.talk, before.connect, before.events, false
		}
	}
}

// consentsToAll reports whether the handler consents to a host that nobody has.
func (s *session) consentsToAll() bool {
	const nobody = "an-origin-that-nobody-has.example"
	a := s.exchange(hostilities, s.question(s.found.method, nobody))
	delete(s.hangs, hostilities) // a rule of its own
	return a.accepted() && grants(a.header, nobody)
}

func (s *session) findEvents() {
	f := &s.found
	f.events = nil
	f.talk, f.connect = s.open()
	admitted := f.talk.state
	for _, name := range s.opts.userEvents() {
		a := s.send(s.userEvent(f.talk, name))
		f.talk.take(a)
		f.events = append(f.events, tried{name, a})
	}
	s.settle(admitted)
}

// settle looks for a user event that the handler accepts more than once, so
// that a refusal says something about what a rule has changed. Where one fails
// for the state that the handler has set meanwhile, the connection stays with
// the state from connect.
func (s *session) settle(admitted *string) {
	f := &s.found
	f.once = nil
	for name := f.userEvent(); name != ""; name = f.userEvent() {
		switch a := s.send(s.userEvent(f.talk, name)); {
		case a.accepted():
			return
		case f.talk.state != admitted:
			f.talk.state = admitted
		default:
			f.once = append(f.once, name)
		}
	}
}

// takesAny reports whether anything that was sent so far was accepted.
func (s *session) takesAny() bool {
	if s.found.connect != nil && s.found.connect.accepted() {
		return true
	}
	return s.found.userEvent() != ""
}

// userEvent returns the name of a user event that the handler accepts, empty if
// there is none.
func (f *found) userEvent() string {
	for _, e := range f.events {
		if e.answer.accepted() && !slices.Contains(f.once, e.name) {
			return e.name
		}
	}
	return ""
}

// A tried is a user event that was sent, and what came back.
type tried struct {
	name   string
	answer *answer
}

// grants reports whether the header of an answer gives consent to an origin, as
// the service judges it: "*" or the host itself in a line of its own, with its
// port if it has one.
func grants(h http.Header, origin string) bool {
	for _, line := range h[wire.HeaderAllowedOrigin] {
		line = strings.TrimSpace(line)
		if line == "*" || strings.EqualFold(line, origin) {
			return true
		}
	}
	return false
}

// A sample is an event that the handler accepts when it comes from the service:
// what changes its answer is the change that a rule makes to it.
type sample struct {
	name  string // of the event
	event func() upstreamtest.Event
}

// sample returns one that costs the handler as little as possible. It is nil
// when the handler accepts nothing.
func (s *session) sample() *sample {
	f := &s.found
	if name := f.userEvent(); name != "" {
		return &sample{name, func() upstreamtest.Event { return s.userEvent(f.talk, name) }}
	}
	if f.connect != nil && f.connect.accepted() {
		return &sample{"connect", func() upstreamtest.Event { return s.connectEvent(s.newTalk()) }}
	}
	return nil
}

// The needs of rules.

func needConsent(f *found) string {
	if f.granted {
		return ""
	}
	return "the handler does not even consent to events"
}

func needConnect(f *found) string {
	if f.connect == nil {
		return "the handler does not serve connect"
	}
	return ""
}

func needAdmission(f *found) string {
	switch {
	case f.connect == nil:
		return "the handler does not serve connect"
	case !f.connect.accepted():
		return fmt.Sprintf("the handler answers connect with %v%s", f.connect, advice(f.connect, "describe a client that it lets in"))
	}
	return ""
}

// advice is what to do about a refusal. Other answers are faults, of which rules
// of their own speak.
func advice(a *answer, text string) string {
	if a.refused() {
		return ": " + text
	}
	return ""
}

func needUserEvent(f *found) string {
	switch {
	case len(f.events) == 0:
		return "the handler serves no user event"
	case f.userEvent() == "":
		if len(f.once) > 0 {
			return fmt.Sprintf("the handler accepts the event %q only once", f.once[0])
		}
		first := f.events[0]
		return fmt.Sprintf("the handler answers the event %q with %v%s", first.name, first.answer,
			advice(first.answer, "say which events it serves, and with which data"))
	}
	return ""
}

func needSample(f *found) string {
	if f.userEvent() != "" || f.connect != nil && f.connect.accepted() {
		return ""
	}
	return "the handler accepts no event at all, so that nothing can be learnt from a refusal"
}

func needRestriction(f *found) string {
	if f.open {
		return "the handler consents to every origin, which is its choice"
	}
	return ""
}
