package check

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const sourceState = sourceCloudEvents + ", Attributes: connectionState"

var stateRules = []Rule{
	{
		ID:       "state/absent",
		Title:    "The handler takes events without a connection state",
		Severity: Must,
		Source:   sourceState + "; " + sourceEmulator,
		Reason:   "The service sends ce-connectionState only when a handler has set it, so that it is never there at first.",
		Fix:      "Take a missing ce-connectionState for an empty state.",
		needs:    []need{needSample},
		judge:    judgeStateAbsent,
	},
	{
		ID:       "state/empty",
		Title:    "The handler takes an empty connection state like none",
		Severity: Must,
		Source:   sourceEmulator,
		Reason:   "A state that was set to nothing comes back as a header without a value.",
		Fix:      "Take an empty ce-connectionState like a missing one, before it is decoded.",
		needs:    []need{needUserEvent, needNoState},
		judge: func(s *session) finding {
			if a := s.sendState(""); !a.accepted() {
				return s.provided(fails(fmt.Sprintf("an empty state got %v, while the same event without one is accepted", a)))
			}
			return holds()
		},
	},
	{
		ID:       "state/foreign",
		Title:    "The handler takes a connection state that somebody else has set",
		Severity: Must,
		Source:   sourceState + " (a string of any form)",
		Reason:   "The state is shared by all handlers of a hub, and may be plain text, or base64 in one or another dialect.",
		Fix:      "Take a state that cannot be decoded for an empty one, or leave it alone where it is not needed.",
		needs:    []need{needUserEvent, needNoState},
		judge: func(s *session) finding {
			for _, odd := range oddStates {
				if a := s.sendState(odd.raw); !a.accepted() {
					return s.provided(fails(fmt.Sprintf("%s got %v, while the same event without a state is accepted", odd.what, a)))
				}
			}
			return holds()
		},
	},
	{
		ID:       "state/unreadable",
		Title:    "The handler answers an event whose connection state it cannot read",
		Severity: Should,
		Source:   sourceState + " (a string of any form); " + sourceRetries,
		Reason:   "Connections live longer than a release of the handler, and come with a state in the form of the one before.",
		Fix:      "Take a state that cannot be decoded for an empty one, or refuse the event with 4xx.",
		needs:    []need{needUserEvent, needSetState, needNoInsistence},
		judge:    judgeUnreadable,
	},
	{
		ID:       "state/kept",
		Title:    "The handler leaves a connection state alone that somebody else has set",
		Severity: Should,
		Source:   sourceState + " (the header of an answer replaces the state)",
		Reason:   "The state is shared by all handlers of a hub, and what another has kept there is lost.",
		Fix:      "Send ce-connectionState only when the application sets the state, and change what was there instead of starting anew.",
		needs:    []need{needUserEvent, needNoState},
		judge:    judgeStateKept,
	},
	{
		ID:       "state/large",
		Title:    "The handler takes a connection state of 4 KB",
		Severity: Should,
		Source:   sourceState,
		Reason:   "What an application keeps there grows, and its clients would be refused from one day to the next.",
		Fix:      "Raise the limit for headers in the web server and in what stands in front of it to 16 KB at least.",
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.judgeStateSize(4 << 10) },
	},
	{
		ID:       "state/huge",
		Title:    "The handler takes a connection state of 16 KB",
		Severity: Info,
		Source:   "common limits of web servers",
		Reason:   "Most servers refuse headers above 8 or 16 KB, and the state has to stay below that.",
		Fix:      "Keep in the state what identifies data, and the data itself in a database.",
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.judgeStateSize(16 << 10) },
	},
	{
		ID:       "state/ascii",
		Title:    "The handler sets connection states of visible ASCII",
		Severity: Must,
		Source:   sourceState + "; " + sourceEmulator,
		Reason:   "The service cannot send any other text in a header: no later event of the connection arrives.",
		Fix:      "Encode the state as base64.",
		needs:    []need{needSetState},
		judge: func(s *session) finding {
			return s.judgeSetStates(func(lines []string) finding {
				if raw := lines[len(lines)-1]; !wire.ValidHeaderValue(strings.TrimSpace(raw)) {
					return fails(fmt.Sprintf("%.200q, which is not all visible ASCII", raw))
				}
				return holds()
			})
		},
	},
	{
		ID:       "state/one-line",
		Title:    "The handler sets the connection state once in an answer",
		Severity: Should,
		Source:   sourceState + " (several headers are not allowed)",
		Reason:   "Only one of them counts, and which one nobody promises.",
		Fix:      "Replace the header ce-connectionState instead of adding another.",
		needs:    []need{needSetState},
		judge: func(s *session) finding {
			return s.judgeSetStates(func(lines []string) finding {
				if len(lines) > 1 {
					return fails(fmt.Sprintf("%d states in one answer: %.200q", len(lines), lines))
				}
				return holds()
			})
		},
	},
	{
		ID:       "state/length",
		Title:    "The handler sets connection states of 8000 bytes at most",
		Severity: Should,
		Source:   "common limits of web servers",
		Reason:   "It comes back as one header of every event, and many servers and proxies refuse one above 8 KiB.",
		Fix:      "Keep in the state what identifies data, and the data itself in a database.",
		needs:    []need{needSetState},
		judge: func(s *session) finding {
			return s.judgeSetStates(func(lines []string) finding {
				if n := len(lines[len(lines)-1]); n > upstream.MaxStateBytes {
					return fails(fmt.Sprintf("a state of %d bytes, want %d at most", n, upstream.MaxStateBytes))
				}
				return holds()
			})
		},
	},
	{
		ID:       "state/round-trip",
		Title:    "The handler takes back the connection state that it has set",
		Severity: Must,
		Source:   sourceState + " (it comes with every later event)",
		Reason:   "After its first answer with a state, the client is never served again.",
		Fix:      "Decode the state in the same way in which it was encoded.",
		needs:    []need{needEvents, needNoRefusal, needSetState},
		judge:    judgeRoundTrip,
	},
}

// oddStates are states that are not a JSON object in base64, or not in the
// usual form of it.
var oddStates = []struct{ what, raw string }{
	{"plain text as the state", "step=2; user name: alice!"},
	{"a JSON list in base64 as the state", base64.StdEncoding.EncodeToString([]byte(`["check"]`))},
	{"base64 without padding as the state", base64.RawStdEncoding.EncodeToString([]byte(`{"check":1}`))},
}

func needNoInsistence(f *found) string {
	if f.needsState {
		return "the handler insists on a connection state"
	}
	return ""
}

func needSetState(f *found) string {
	if slices.ContainsFunc(f.blocking(), func(e tried) bool { return e.answer.setsState() }) {
		return ""
	}
	return "the handler sets no connection state"
}

// needNoState is for rules about what others keep in the state. A handler that
// keeps its own there may refuse all else.
func needNoState(f *found) string {
	if needSetState(f) == "" {
		return "the handler keeps a connection state of its own"
	}
	return needNoInsistence(f)
}

// blocking returns the first answers that can set the state.
func (f *found) blocking() []tried {
	if f.connect == nil {
		return f.events
	}
	return append([]tried{{"connect", f.connect}}, f.events...)
}

func (a *answer) setsState() bool {
	return a.accepted() && len(a.header[wire.HeaderConnectionState]) > 0
}

// setState returns the last state that the handler has set at first.
func (f *found) setState() string {
	raw := ""
	for _, e := range f.blocking() {
		if e.answer.setsState() {
			raw = wire.First(e.answer.header, wire.HeaderConnectionState)
		}
	}
	return raw
}

// withState returns an event with a state that need not be the connection's.
func withState(ev upstreamtest.Event, raw string) upstreamtest.Event {
	ev.Header = http.Header{wire.HeaderConnectionState: {raw}}
	return ev
}

// withoutState returns an event as if the connection had no state.
func withoutState(ev upstreamtest.Event) upstreamtest.Event {
	ev.Header = http.Header{wire.HeaderConnectionState: nil}
	return ev
}

// sendState sends the sample's user event with another state.
func (s *session) sendState(raw string) *answer {
	return s.send(withState(s.userEvent(s.found.talk, s.found.userEvent()), raw))
}

// stateDecides reports whether the handler accepts a user event that it has not
// accepted when all that is different is the state: that it is not there, or
// that it is there. Rules of this area say so then.
func (s *session) stateDecides(e tried) bool {
	if e.answer.status == 0 || s.silenced(userEvents) != "" {
		return false
	}
	t := s.found.talk
	other := withoutState(s.userEvent(t, e.name))
	if t.state == nil {
		other = withState(other, "e30=")
	}
	return s.send(other).accepted() && !s.send(s.userEvent(t, e.name)).accepted() // it was no passing fault
}

func judgeStateAbsent(s *session) finding {
	f := &s.found
	if f.needsState {
		one := s.sample()
		return fails(fmt.Sprintf("the event %q got %v without a state, and is accepted with one", one.name, s.send(withoutState(one.event()))))
	}
	for _, e := range f.events {
		if !e.answer.accepted() && f.talk.state == nil && s.stateDecides(e) {
			return fails(fmt.Sprintf("the event %q got %v without a state, and is accepted with one", e.name, e.answer))
		}
	}
	return holds()
}

func judgeUnreadable(s *session) finding {
	for _, odd := range oddStates {
		a := s.sendState(odd.raw)
		if !a.broken() {
			continue
		}
		if own := s.sendState(s.found.setState()); own.broken() {
			return open(fmt.Sprintf("the handler answers an event with its own state with %v", own))
		}
		return fails(fmt.Sprintf("%s got %v, want 2xx or 4xx", odd.what, a))
	}
	return holds()
}

// judgeStateKept looks at what the handler makes of a state in the form that
// most SDKs use.
func judgeStateKept(s *session) finding {
	a := s.sendState(base64.StdEncoding.EncodeToString([]byte(`{"check":"keep"}`)))
	if !a.accepted() {
		return open(fmt.Sprintf("the handler answers an event with a state of somebody else with %v", a))
	}
	lines := a.header[wire.HeaderConnectionState]
	if len(lines) == 0 {
		return holds()
	}
	raw := lines[len(lines)-1]
	object, _ := base64.StdEncoding.DecodeString(raw) // what is no base64 is no JSON either
	var state struct{ Check string }
	if json.Unmarshal(object, &state) != nil || state.Check != "keep" {
		return fails(fmt.Sprintf("the state %q is replaced by %.200q, while the handler sets none when there is none", `{"check":"keep"}`, raw))
	}
	return holds()
}

// judgeStateSize compares a large state with a small one, which the handler may
// refuse as well.
func (s *session) judgeStateSize(size int) finding {
	for _, n := range []int{16, 4 << 10, 16 << 10} {
		object := fmt.Sprintf(`{"check":%q}`, strings.Repeat("x", n*3/4-len(`{"check":""}`)))
		switch a := s.sendState(base64.StdEncoding.EncodeToString([]byte(object))); {
		case !a.accepted() && n < size:
			return open(fmt.Sprintf("the handler answers a state of %d bytes with %v", n, a))
		case !a.accepted():
			return fails(fmt.Sprintf("a state of %d bytes got %v, while a short one is accepted", n, a))
		case n == size:
			return holds()
		}
	}
	return holds()
}

// judgeSetStates judges the states that the handler has set at first. The event
// with one at fault is sent again, to be shown.
func (s *session) judgeSetStates(judge func(lines []string) finding) finding {
	for _, e := range s.found.blocking() {
		if !e.answer.setsState() {
			continue
		}
		f := judge(e.answer.header[wire.HeaderConnectionState])
		if f.verdict != Fails {
			continue
		}
		if e.answer == s.found.connect {
			t, _ := s.open()
			s.end(t)
		} else {
			s.again(e)
		}
		f.text = fmt.Sprintf("the answer to %q sets %s", e.name, f.text)
		return f
	}
	return holds()
}

// judgeRoundTrip plays two events of a new connection. A handler that refuses
// one of them may do so because of what the state says: only 5xx, no answer, and
// at first what stands for a header that cannot be read, are signs that it does
// not understand the state.
func judgeRoundTrip(s *session) finding {
	t, connect := s.open()
	if connect != nil && !connect.accepted() {
		return open(fmt.Sprintf("the handler answers another connect with %v", connect))
	}
	defer s.end(t)
	name := s.found.userEvent()
	if name == "" {
		name = s.found.events[0].name
	}
	for i, after := range []string{"connect", name} {
		a := s.send(s.userEvent(t, name))
		unread := a.broken() || i == 0 && (a.status == http.StatusBadRequest || a.status == http.StatusRequestHeaderFieldsTooLarge)
		if t.state != nil && unread && !a.skipped && s.send(withoutState(s.userEvent(t, name))).accepted() {
			return fails(fmt.Sprintf("the event %q with the state %.200q from the answer to %s got %v, and is accepted without", name, *t.state, after, a))
		}
		if !a.accepted() {
			return open(fmt.Sprintf("the handler answers the event %q with %v", name, a))
		}
		t.take(a)
	}
	return holds()
}
