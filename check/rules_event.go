package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const (
	sourceUserEvents = sourceCloudEvents + ", Events: user event message and custom events"
	sourceRetries    = sourceEmulator + ": 408, 5xx and broken connections are tried again after 1, 3 and 5 seconds, others are not"
)

// eventRules end with those that send what the handler may not expect.
var eventRules = slices.Concat(eventAnswerRules, eventReplyRules, eventNameRules, eventDataRules)

var eventAnswerRules = []Rule{
	{
		ID:       "event/answer",
		Title:    "The handler answers its user events with 2xx or 4xx",
		Severity: Must,
		Source:   sourceUserEvents + "; " + sourceRetries,
		Reason:   "The service follows no redirect and sends an event again that got 5xx or no answer, while the client waits.",
		Fix:      "Catch what goes wrong and answer with 4xx, or say with which data the event comes when this data is not for it.",
		needs:    []need{needEvents},
		judge:    judgeEventAnswers,
	},
	{
		ID:       "event/accepted",
		Title:    "The handler accepts the user events that it serves",
		Severity: Should,
		Source:   sourceUserEvents,
		Reason:   "A client whose event is refused loses its connection or is told that the event has failed, and more cannot be found out here.",
		Fix:      "Find the event by the name at the end of ce-type, in the case in which it comes, and say to the check which events the handler serves, with which data.",
		needs:    []need{needEvents, needNoRefusal},
		judge:    judgeEventsAccepted,
	},
	{
		ID:       "event/prompt",
		Title:    "The handler answers user events within a second",
		Severity: Should,
		Source:   sourceUserEvents + " (the service waits for the answer)",
		Reason:   "The client waits for the reply, and what it sends next waits behind it.",
		Fix:      "Answer first and do what takes time afterwards, and send the outcome with a call to the service.",
		needs:    []need{needUserEvent},
		judge: func(s *session) finding {
			name := s.found.userEvent()
			first := s.found.answerTo(name).took
			return wantPrompt(min(first, s.send(s.userEvent(s.found.talk, name)).took)) // the first may wake it up
		},
	},
}

var eventNameRules = []Rule{
	{
		ID:       "event/any-name",
		Title:    "The handler leaves no user event without an answer for its name",
		Severity: Must,
		Source:   sourceUserEvents + "; " + sourceRetries,
		Reason:   "Clients choose the names, and each such event holds up its client, and a connection to the handler, until the service gives up.",
		Fix:      "See that each way through the code ends with an answer: 204 or 404 when no code is registered for a name.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			if a := s.sendNamed(unknownEvent); a.status == 0 {
				return fails(fmt.Sprintf("the event %q got %v, want 2xx or 4xx", unknownEvent, a))
			}
			return holds()
		},
	},
	{
		ID:       "event/unknown-name",
		Title:    "The handler answers user events whose names it does not know",
		Severity: Should,
		Source:   sourceUserEvents + "; " + sourceRetries,
		Reason:   "Clients choose the names, and a hub whose settings let all of them through sends each such event four times.",
		Fix:      "Answer 204 or 404 when no code is registered for a name.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			if s.hangs[userEvents] > 0 {
				return open(hungBefore)
			}
			for _, name := range []string{unknownEvent, "No.Such.Event"} {
				switch a := s.sendNamed(name); {
				case a.status == 0:
					return open(fmt.Sprintf("the event %q got %v", name, a))
				case a.broken():
					return fails(fmt.Sprintf("the event %q got %v, want 2xx or 4xx", name, a))
				}
			}
			return holds()
		},
	},
	{
		ID:       "event/system-names",
		Title:    "The handler takes no user event for a system event of the same name",
		Severity: Must,
		Source:   sourceUserEvents + " (a type that begins with azure.webpubsub.user.)",
		Reason:   "Clients choose the names: one could have itself let in as somebody else, or have its connection forgotten.",
		Fix:      "Tell system events from user events by the whole of ce-type, and not by its end or by ce-eventName.",
		needs:    []need{needUserEvent, needNoRefusal},
		judge:    judgeSystemNames,
	},
	{
		ID:       "event/dotted-name",
		Title:    "The handler takes a name with dots in it as a whole",
		Severity: Should,
		Source:   sourceUserEvents + " (a name is all that follows azure.webpubsub.user.)",
		Reason:   "Names may hold dots, and a part of one would be taken for an event that it is not.",
		Fix:      "Cut the prefix azure.webpubsub.user. off ce-type instead of splitting it at the dots.",
		needs:    []need{needUserEvent},
		judge:    judgeDottedName,
	},
	{
		ID:       "event/name-case",
		Title:    "The handler finds its user events in any case",
		Severity: Info,
		Source:   sourceEmulator,
		Reason:   "The service compares the names in the settings of a hub without case, so that an event in another spelling comes here, too.",
		Fix:      "Compare the names of events without regard to case.",
		needs:    []need{needUserEvent},
		judge:    judgeNameCase,
	},
}

// hungBefore is why a rule is not judged that would hang for the same reason as
// another: after the second time, no other could be judged.
const hungBefore = "a user event has had no answer before"

// unknownEvent is a name that no handler has.
const unknownEvent = "no-such-event"

func needEvents(f *found) string {
	if len(f.events) == 0 {
		return "the handler serves no user event"
	}
	return ""
}

// needNoRefusal is for rules about what happens to clients that are in: those
// that are not send no events.
func needNoRefusal(f *found) string {
	if f.connect != nil && !f.connect.accepted() {
		return fmt.Sprintf("the handler answers connect with %v: describe a client that it lets in", f.connect)
	}
	return ""
}

// answerTo returns what came back first for a user event that is served.
func (f *found) answerTo(name string) *answer {
	i := slices.IndexFunc(f.events, func(e tried) bool { return e.name == name })
	return f.events[i].answer
}

// again sends a user event once more, for the report to show it. When none may
// be sent any more, the first answer has to do.
func (s *session) again(e tried) *answer {
	if s.silenced(userEvents) != "" {
		return e.answer
	}
	return s.send(s.userEvent(s.found.talk, e.name))
}

func judgeEventAnswers(s *session) finding {
	for _, e := range s.found.events {
		if !e.answer.broken() || s.stateDecides(e) {
			continue
		}
		a := s.again(e)
		switch {
		case a.status/100 == 3:
			return fails(fmt.Sprintf("the event %q got %v, and the service follows no redirect", e.name, a)).
				mend("Register the exact path of the events, with and without a slash at its end.")
		case a.broken():
			return fails(fmt.Sprintf("the event %q got %v, want 2xx or 4xx", e.name, a))
		}
	}
	return holds()
}

func judgeEventsAccepted(s *session) finding {
	for _, e := range s.found.events {
		if !e.answer.refused() || s.stateDecides(e) {
			continue
		}
		if a := s.again(e); a.refused() {
			return fails(fmt.Sprintf("the event %q got %v, want 2xx", e.name, a))
		}
	}
	return holds()
}

func judgeDottedName(s *session) finding {
	if s.hangs[userEvents] > 0 {
		return open(hungBefore)
	}
	name := s.found.userEvent()
	usual := s.found.answerTo(name)
	unknown := s.sendNamed(unknownEvent)
	if unknown.broken() || unknown.alike(usual) {
		return open("the handler answers a name that it does not know no differently")
	}
	for _, dotted := range []string{unknownEvent + "." + name, name + "." + unknownEvent} {
		if a := s.sendNamed(dotted); a.alike(usual) {
			return fails(fmt.Sprintf("the event %q is answered like %q, and not like %q", dotted, name, unknownEvent))
		}
	}
	return holds()
}

func judgeNameCase(s *session) finding {
	name := s.found.userEvent()
	other := cmp.Or(differing(strings.ToUpper(name), name), differing(strings.ToLower(name), name))
	if other == "" {
		return open(fmt.Sprintf("%q has no case", name))
	}
	usual := s.found.answerTo(name)
	switch a := s.sendNamed(other); {
	case !a.accepted():
		return s.provided(fails(fmt.Sprintf("the event %q got %v, while %q is accepted", other, a, name)))
	case len(usual.body) > 0 && len(a.body) == 0:
		return fails(fmt.Sprintf("the event %q got %v without a reply, while %q has one", other, a, name))
	}
	return holds()
}

// differing returns a unless it is b.
func differing(a, b string) string {
	if a == b {
		return ""
	}
	return a
}

// alike reports whether two answers are of one form.
func (a *answer) alike(b *answer) bool {
	return a.status == b.status && (len(a.body) > 0) == (len(b.body) > 0) && wire.MediaType(a.contentType()) == wire.MediaType(b.contentType())
}

// sendData sends the sample's user event with other data.
func (s *session) sendData(data upstreamtest.Data, faults ...upstreamtest.Fault) *answer {
	ev := s.userEvent(s.found.talk, s.found.userEvent())
	ev.Data = data
	return s.send(ev, faults...)
}

// provided returns a finding about a refusal as long as the handler still
// accepts the event as it is: it may take only so many of one connection.
func (s *session) provided(f finding) finding {
	if s.silenced(userEvents) != "" {
		return f
	}
	name := s.found.userEvent()
	if a := s.send(s.userEvent(s.found.talk, name)); !a.accepted() {
		return open(fmt.Sprintf("the handler answers one more %s with %v", name, a))
	}
	return f
}

// sendNamed sends it under another name.
func (s *session) sendNamed(name string) *answer {
	ev := s.userEvent(s.found.talk, name)
	ev.Data = s.usualData()
	return s.send(ev)
}

// usualData is what the user event carries that the handler is known to accept.
func (s *session) usualData() upstreamtest.Data { return s.opts.dataOf(s.found.userEvent()) }

// takesText reports whether that is text, so that any other text will do, too.
func (s *session) takesText() bool {
	t := s.usualData().ContentType
	return t == "" || wire.DataType(t) == wire.DataText
}
