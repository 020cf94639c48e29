package check

import (
	"fmt"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const (
	sourceLifecycle = sourceCloudEvents + ", Events (unblocking)"
	sourcePresence  = "behaviour of Microsoft's SDKs"
)

var notificationRules = []Rule{
	{
		ID:       "notification/answered",
		Title:    "The handler answers lifecycle events in time and without an error",
		Severity: Must,
		Source:   sourceLifecycle + "; " + sourceEmulator,
		Reason:   "The service sends an event again that was answered with 5xx or not at all, up to three times, and follows no redirect: the handler hears of a client too often, too late or never.",
		Fix:      "Answer 2xx at once, 4xx for what the handler will not take, and do slow or failing work afterwards; see the handler's log for what broke.",
		needs:    []need{needClient},
		judge:    judgeAnswered,
	},
	{
		ID:       "notification/reason",
		Title:    "The handler takes any reason of a disconnect",
		Severity: Must,
		Source:   sourceCloudEvents + ", System disconnected event",
		Reason:   "The reason is null or empty for most clients, and may be any text: a handler that breaks on it does not learn that the client is gone.",
		Fix:      "Read reason as a text in UTF-8 that may be null or empty.",
		needs:    []need{needClient},
		judge: func(s *session) finding {
			long := strings.Repeat("Das Gerät ist fort: 接続が切れました 👋 ", 40)
			return s.wantEnd(
				ending{"the reason null", `{"reason":null}`},
				ending{"an empty reason", `{"reason":""}`},
				ending{fmt.Sprintf("a reason of %d bytes in UTF-8", len(long)), `{"reason":"` + long + `"}`},
			)
		},
	},
	{
		ID:       "notification/no-reason",
		Title:    "The handler takes a disconnect that names no reason",
		Severity: Should,
		Source:   "derived: fields of the bodies are optional",
		Reason:   "A handler that breaks on it does not learn that the client is gone.",
		Fix:      "Treat a body without reason like the reason null.",
		needs:    []need{needClient},
		judge:    func(s *session) finding { return s.wantEnd(ending{"the body {}", "{}"}) },
	},
	{
		ID:       "notification/accepted",
		Title:    "The handler answers the lifecycle events that it serves with 2xx",
		Severity: Should,
		Source:   sourceLifecycle,
		Reason:   "The service logs every other answer as a failure, among which real ones get lost.",
		Fix:      "Answer 200 or 204, or take the event out of the settings of the hub.",
		needs:    []need{needClient},
		judge: func(s *session) finding {
			return s.judgeLife(func(e tried) finding {
				switch {
				case e.answer.accepted():
					return holds()
				case deniesProof(e.answer) && needSample(&s.found) != "":
					return open(fmt.Sprintf("the handler refuses every event, and %s with %v", e.name, e.answer))
				}
				return fails(fmt.Sprintf("got %v to %s, want 2xx", e.answer, e.name))
			})
		},
	},
	{
		ID:       "notification/prompt",
		Title:    "The handler answers lifecycle events within a second",
		Severity: Should,
		Source:   "derived: the service waits for nothing that the handler does for them",
		Reason:   "Clients come and go in crowds, and the requests of slow answers pile up.",
		Fix:      "Answer first, and do the work afterwards, in order for each connection.",
		needs:    []need{needClient},
		judge: func(s *session) finding {
			return s.judgeLife(func(e tried) finding {
				f := wantPrompt(e.answer.took)
				if f.verdict == Fails {
					f.text = e.name + ": " + f.text
				}
				return f
			})
		},
	},
	{
		ID:       "notification/state",
		Title:    "The handler sets no connection state in answers to lifecycle events",
		Severity: Should,
		Source:   sourceLifecycle,
		Reason:   "Only answers to connect and user events change the state: what the handler believes it has kept is lost.",
		Fix:      "Leave ce-connectionState out of these answers, and set it in the answer to connect or to a user event.",
		needs:    []need{needClient},
		judge: func(s *session) finding {
			return s.judgeLife(func(e tried) finding {
				if state, ok := e.answer.header[wire.HeaderConnectionState]; ok {
					return fails(fmt.Sprintf("the answer to %s has ce-connectionState %.100q", e.name, state))
				}
				return holds()
			})
		},
	},
	{
		ID:       "notification/unknown-types",
		Title:    "The handler does not break on system events that it does not know",
		Severity: Should,
		Source:   sourcePresence + ", which got events of groups in 2026",
		Reason:   "The service learns new events, and one switch in the settings sends them: answers of 5xx are sent again and fill the logs.",
		Fix:      "Answer events of another ce-type with 2xx or 404 before looking at the rest.",
		needs:    []need{needClient},
		judge:    judgeUnknownTypes,
	},
	{
		ID:       "notification/unseen",
		Title:    "The handler does not break on the end of a connection that it has not seen",
		Severity: Should,
		Source:   sourceLifecycle,
		Reason:   "Clients that came before the handler was started anew go after it, and events may overtake each other.",
		Fix:      "Answer 2xx when there is nothing to clean up.",
		needs:    []need{needAdmission},
		judge:    judgeUnseen,
	},
}

// lifecycle are the events that nobody waits for, in the order in which a
// client's life has them.
var lifecycle = []struct{ name, ceType string }{
	{"connected", wire.TypeConnected},
	{"joined", wire.TypeGroupJoined},
	{"left", wire.TypeGroupLeft},
	{"disconnected", wire.TypeDisconnected},
}

// needClient is about handlers that are asked about clients: the service tells
// no more of one that was refused.
func needClient(f *found) string {
	if f.connect != nil {
		return needAdmission(f)
	}
	return ""
}

// servedLifecycle returns the first of these events that the handler serves.
func (s *session) servedLifecycle(names ...string) string {
	for _, name := range names {
		if s.opts.serves(name) {
			return name
		}
	}
	return ""
}

// lifecycleEvent is the event of a name, by which it stands in the options.
func (s *session) lifecycleEvent(t *talk, name string) upstreamtest.Event {
	for _, e := range lifecycle {
		if e.name == name {
			ev := s.event(t, e.ceType)
			switch name {
			case "joined", "left":
				ev.Group = "lobby"
			case "disconnected":
				ev.Reason = "the client closed the connection"
			}
			return ev
		}
	}
	panic("check: no lifecycle event " + name)
}

// enter begins a connection and leaves the rest of its life to a rule. It says
// why the client was not let in, empty if it was: a ticket may be good for one
// client only.
func (s *session) enter() (t *talk, why string) {
	t = s.newTalk()
	if !s.opts.serves("connect") {
		t.events = 1 // 0 is connect's
		return t, ""
	}
	a := s.send(s.connectEvent(t))
	if !a.accepted() {
		return t, fmt.Sprintf("the handler answers one more connect with %v", a)
	}
	s.admit(t, a)
	return t, ""
}

// life plays the life of one client, as far as the handler serves its events,
// up to the first answer that is none. It says why there is nothing of it.
func (s *session) life() (all []tried, why string) {
	t, why := s.enter()
	if why != "" {
		return nil, why
	}
	for _, e := range lifecycle {
		if !s.opts.serves(e.name) {
			continue
		}
		a := s.send(s.lifecycleEvent(t, e.name))
		all = append(all, tried{e.name, a})
		if a.status == 0 {
			break
		}
	}
	if len(all) == 0 {
		return nil, "the handler serves no lifecycle event"
	}
	return all, ""
}

func judgeAnswered(s *session) finding {
	// What hung before in other rules must not keep this one from saying so.
	s.hangs[notifications] = min(s.hangs[notifications], maxHangs-1)
	all, why := s.life()
	if why != "" {
		return open(why)
	}
	for _, e := range all {
		if e.answer.broken() {
			return fails(fmt.Sprintf("got %v to %s, want 2xx", e.answer, e.name))
		}
	}
	return holds()
}

// judgeLife judges the answers of a life, unless one is broken.
func (s *session) judgeLife(judge func(tried) finding) finding {
	all, why := s.life()
	if why != "" {
		return open(why)
	}
	for _, e := range all {
		if e.answer.broken() {
			return open(fmt.Sprintf("the handler answers %s with %v", e.name, e.answer))
		}
	}
	for _, e := range all {
		if f := judge(e); f.verdict != Holds {
			return f
		}
	}
	return holds()
}

// disconnect ends a client of its own, with another body than the usual one
// unless that is empty.
func (s *session) disconnect(body string) (a *answer, why string) {
	t, why := s.enter()
	if why != "" {
		return nil, why
	}
	ev := s.lifecycleEvent(t, "disconnected")
	if body != "" {
		ev.Data.Bytes = []byte(body)
	}
	return s.send(ev), ""
}

// An ending is a body of disconnected.
type ending struct{ what, body string }

// wantEnd wants the handler not to break on the end of clients, unless it does
// so whatever the body is.
func (s *session) wantEnd(endings ...ending) finding {
	if !s.opts.serves("disconnected") {
		return open("the handler does not serve disconnected")
	}
	for _, e := range endings {
		a, why := s.disconnect(e.body)
		if why != "" {
			return open(why)
		}
		if a.broken() {
			return s.unlessAlways(fails(fmt.Sprintf("got %v to %s, want 2xx", a, e.what)))
		}
	}
	return holds()
}

// unlessAlways returns the finding about an answer to disconnected, unless an
// ordinary one breaks the handler as well.
func (s *session) unlessAlways(f finding) finding {
	usual, why := s.disconnect("")
	switch {
	case why != "":
		return open(why)
	case usual.broken():
		return open(fmt.Sprintf("the handler answers every disconnected with %v", usual))
	}
	return f
}

func judgeUnknownTypes(s *session) finding {
	t, why := s.enter()
	if why != "" {
		return open(why)
	}
	var events []upstreamtest.Event
	for _, name := range []string{"joined", "left"} {
		if !s.opts.serves(name) {
			events = append(events, s.lifecycleEvent(t, name))
		}
	}
	events = append(events, s.event(t, wire.TypePrefix+"sys.future"))
	for _, ev := range events {
		a := s.send(ev)
		if !a.broken() {
			continue
		}
		if known := s.servedLifecycle("connected", "disconnected"); known != "" && s.send(s.lifecycleEvent(t, known)).broken() {
			return open("the handler breaks on " + known + ", too")
		}
		return fails(fmt.Sprintf("got %v to %s, want 2xx or 4xx", a, ev.Type))
	}
	return holds()
}

func judgeUnseen(s *session) finding {
	if !s.opts.serves("disconnected") {
		return open("the handler does not serve disconnected")
	}
	t := s.newTalk()
	t.events = 1 // 0 was connect's
	a := s.send(s.lifecycleEvent(t, "disconnected"))
	if a.broken() {
		return s.unlessAlways(fails(fmt.Sprintf("got %v to disconnected, want 2xx", a)))
	}
	return holds()
}
