package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const sourceOrder = sourceCloudEvents + ", Events: blocking and unblocking"

var deliveryRules = []Rule{
	{
		ID:       "delivery/duplicate",
		Title:    "The handler accepts a user event that it gets for the second time",
		Severity: Must,
		Source:   sourceRetries,
		Reason:   "When an answer is lost on its way, the service sends the event again, and the client would be told that it has failed.",
		Fix:      "Answer an event with a known pair of ce-connectionId and ce-id like the first time, without doing its work again.",
		needs:    []need{needUserEvent},
		judge:    judgeDuplicate,
	},
	{
		ID:       "delivery/duplicate-notification",
		Title:    "The handler takes a notification that it gets for the second time",
		Severity: Must,
		Source:   sourceRetries,
		Reason:   "When an answer is lost on its way, the service sends the notification again, and what gets 5xx again and again.",
		Fix:      "Let what is there already be added once more, and what is gone already be removed once more.",
		needs:    []need{needNoRefusal},
		judge:    judgeDuplicateNotification,
	},
	{
		ID:       "delivery/at-once",
		Title:    "The handler answers 20 events at once like one",
		Severity: Must,
		Source:   sourceOrder,
		Reason:   "The events of different clients come at the same time, over as many connections as it takes.",
		Fix:      "Share nothing between requests that is not safe to share, and hold no lock while waiting.",
		needs:    []need{needUserEvent},
		judge:    judgeAtOnce,
	},
	{
		ID:       "delivery/own-answer",
		Title:    "The handler gives each of many events its own answer",
		Severity: Must,
		Source:   sourceOrder,
		Reason:   "A client gets what another one has sent.",
		Fix:      "Keep what belongs to a request in variables of that request, never in those of the module, the process or the thread.",
		needs:    []need{needReply},
		judge:    judgeOwnAnswers,
	},
	{
		ID:       "delivery/load",
		Title:    "The handler answers each of 20 events at once within a second",
		Severity: Info,
		Source:   sourceOrder,
		Reason:   "Events that are worked upon one after another make the clients of a busy hub wait.",
		Fix:      "Serve requests in parallel, with more than one worker or with asynchronous code.",
		needs:    []need{needUserEvent},
		judge:    judgeLoad,
	},
	{
		ID:       "delivery/before-connected",
		Title:    "The handler takes a user event that comes before connected",
		Severity: Should,
		Source:   sourceOrder + " (nobody waits for connected)",
		Reason:   "connected may still be on its way when the client's first event arrives, which would be refused.",
		Fix:      "Prepare in connect what the events need, or when the first of them comes.",
		needs:    []need{needUserEvent, needNoRefusal},
		judge:    judgeBeforeConnected,
	},
	{
		ID:       "delivery/unknown-connection",
		Title:    "The handler answers events of connections that it has not seen begin",
		Severity: Should,
		Source:   sourceRetries,
		Reason:   "Connections outlive a restart of the handler and reach all of its instances, and what gets 5xx is sent four times.",
		Fix:      "Keep what belongs to a connection in the connection state or in a database, and answer 4xx when it is missing.",
		needs:    []need{needAdmission, needUserEvent},
		judge:    judgeUnknownConnection,
	},
}

func judgeDuplicate(s *session) finding {
	ev := s.sample().event()
	ev.Time = time.Now() // as all else, it stays the same
	if a := s.send(ev); !a.accepted() {
		return open(fmt.Sprintf("the handler answers another event with %v", a))
	}
	if a := s.send(ev); !a.accepted() {
		return s.provided(fails(fmt.Sprintf("the same event got %v at the second time, want 2xx again", a)))
	}
	return holds()
}

func judgeDuplicateNotification(s *session) finding {
	t, why := s.enter()
	if why != "" {
		return open(why)
	}
	judged := false
	for _, e := range lifecycle {
		if !s.opts.serves(e.name) {
			continue
		}
		ev := s.lifecycleEvent(t, e.name)
		ev.Time = time.Now()
		if a := s.send(ev); !a.accepted() {
			continue // a rule of its own
		}
		if a := s.send(ev); a.broken() {
			return fails(fmt.Sprintf("%s got %v at the second time, want 2xx again", e.name, a))
		}
		judged = true
	}
	if !judged {
		return open("the handler serves no notification, or accepts none")
	}
	return holds()
}

// many is how many events are sent at once.
const many = 20

// together sends events at the same time. A handler that works upon one after
// another gets the time for that.
func (s *session) together(evs []upstreamtest.Event, each time.Duration) []*answer {
	answers := make([]*answer, len(evs))
	if why := s.silenced(userEvents); why != "" {
		s.skipped = why
		for i := range answers {
			answers[i] = &answer{skipped: true}
		}
		return answers
	}
	s.pace()
	s.last = s.last.Add(time.Duration(len(evs)-1) * minPause) // the next waits for as long as if each had waited
	s.requests += len(evs)
	limit := s.opts.Timeout + time.Duration(len(evs))*each
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	shown, bodies, reached := make([]Exchange, len(evs)), make([]func() []byte, len(evs)), make([]atomic.Bool, len(evs))
	var wg sync.WaitGroup
	for i, ev := range evs {
		req := s.request(ev)
		shown[i], bodies[i] = s.shownRequest(req)
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached[i].Store(true) }})
		wg.Go(func() {
			start := time.Now()
			answers[i] = s.roundTrip(req.WithContext(traced))
			answers[i].took = time.Since(start)
		})
	}
	wg.Wait()
	hung := false
	for i, a := range answers {
		if !s.interrupted() && noRoom(a, reached[i].Load()) {
			answers[i] = s.send(evs[i])
			continue
		}
		a.hung = a.err != nil && a.took >= limit && !s.interrupted()
		hung = hung || a.hung
		s.keep(shown[i], bodies[i](), a)
	}
	if hung {
		s.hangs[userEvents]++ // once: it is one and the same
	}
	return answers
}

// noRoom reports whether an event is sent once more, as the service does: many
// servers take only a few new connections at a time. The others are closed, or
// wait until there is room, and the system knocks again after seconds only.
func noRoom(a *answer, reached bool) bool {
	return a.err != nil && !reached ||
		errors.Is(a.err, syscall.ECONNRESET) || errors.Is(a.err, syscall.ECONNREFUSED) ||
		a.status == http.StatusServiceUnavailable || a.status == http.StatusRequestTimeout
}

// crowd returns as many clients: the service sends the events of one client one
// after another. The handler need not have heard of them when it does not mind.
// The answer is one to an event of such a client alone.
func (s *session) crowd() ([]*talk, *answer) {
	begin := s.stranger
	one := s.send(s.userEvent(begin(), s.found.userEvent()))
	if one.status != 0 && !one.accepted() {
		begin = func() *talk { t, _ := s.open(); return t }
		one = s.send(s.userEvent(begin(), s.found.userEvent()))
	}
	clients := make([]*talk, many)
	for i := range clients {
		clients[i] = begin()
	}
	return clients, one
}

// stranger returns a connection as the handler finds it that has forgotten all
// about it.
func (s *session) stranger() *talk {
	t := s.newTalk()
	t.events = 7 // of some time ago
	t.user, t.subprotocol, t.state = s.found.talk.user, s.found.talk.subprotocol, s.found.talk.state
	return t
}

func judgeAtOnce(s *session) finding {
	clients, one := s.crowd()
	if !one.accepted() {
		return open(fmt.Sprintf("the handler answers the event of another client with %v", one))
	}
	evs := make([]upstreamtest.Event, many)
	for i, t := range clients {
		evs[i] = s.userEvent(t, s.found.userEvent())
	}
	wrong, first := 0, ""
	for _, a := range s.together(evs, one.took) {
		if a.accepted() || a.skipped || a.status == http.StatusTooManyRequests { // which is a choice
			continue
		}
		if wrong++; first == "" {
			first = a.String()
		}
	}
	if wrong > 0 {
		return fails(fmt.Sprintf("%d of %d events at once failed: got %v, while one alone got %v", wrong, many, first, one))
	}
	return holds()
}

func judgeLoad(s *session) finding {
	if s.hangs[userEvents] > 0 {
		return open(hungBefore)
	}
	clients, one := s.crowd()
	if !one.accepted() || one.took > prompt {
		return open("the handler does not answer a single event in time")
	}
	evs := make([]upstreamtest.Event, many)
	for i, t := range clients {
		evs[i] = s.userEvent(t, s.found.userEvent())
	}
	var took []time.Duration
	for _, a := range s.together(evs, one.took) {
		if !a.accepted() {
			return open("the handler does not answer all of them")
		}
		took = append(took, a.took)
	}
	slices.Sort(took)
	if slow := took[many-2]; slow > prompt { // one may be late for a packet that was lost
		return fails(fmt.Sprintf("of %d answers, the last but one took %v, one alone %v", many, slow.Round(10*time.Millisecond), one.took.Round(time.Millisecond)))
	}
	return holds()
}

// markedEvent is a user event with text that no other has. The mark is digits,
// which have no case.
func (s *session) markedEvent(t *talk, n int) (ev upstreamtest.Event, mark []byte) {
	mark = fmt.Appendf(nil, "73019550%02d", n)
	ev = s.userEvent(t, s.found.userEvent())
	ev.Data.Bytes = bytes.Join([][]byte{ev.Data.Bytes, mark}, []byte(" "))
	return ev, mark
}

func judgeOwnAnswers(s *session) finding {
	switch {
	case s.hangs[userEvents] > 0:
		return open(hungBefore)
	case !s.takesText():
		return open("the event carries no text")
	}
	before, mark := s.markedEvent(s.found.talk, many)
	first := s.send(before)
	after, another := s.markedEvent(s.found.talk, many+1)
	second := s.send(after)
	if !bytes.Contains(first.body, mark) || !bytes.Contains(second.body, another) || bytes.Contains(second.body, mark) {
		return open("the replies do not repeat what was sent, or more than that")
	}
	clients, one := s.crowd()
	if !one.accepted() {
		return open(fmt.Sprintf("the handler answers the event of another client with %v", one))
	}
	evs, marks := make([]upstreamtest.Event, many), make([][]byte, many)
	for i, t := range clients {
		evs[i], marks[i] = s.markedEvent(t, i)
	}
	for i, a := range s.together(evs, one.took) {
		for j, foreign := range marks {
			if i != j && a.accepted() && bytes.Contains(a.body, foreign) {
				return fails(fmt.Sprintf("the event with %q has the reply %.200q, which belongs to another", marks[i], a.body))
			}
		}
	}
	return holds()
}

func judgeBeforeConnected(s *session) finding {
	if !s.opts.serves("connected") {
		return open("the handler does not serve connected")
	}
	t, why := s.enter()
	if why != "" {
		return open(why)
	}
	defer s.end(t)
	connected := s.lifecycleEvent(t, "connected")
	early := s.send(s.userEvent(t, s.found.userEvent()))
	if late := s.send(connected); late.broken() {
		other, why := s.enter()
		if why != "" {
			return open(why)
		}
		if usual := s.send(s.lifecycleEvent(other, "connected")); usual.broken() {
			return open(fmt.Sprintf("the handler answers connected with %v", usual))
		}
		return fails(fmt.Sprintf("connected after an event got %v, want 2xx", late))
	}
	if early.accepted() {
		return holds()
	}
	if usual := s.send(s.userEvent(t, s.found.userEvent())); !usual.accepted() {
		return open(fmt.Sprintf("the handler answers the events of another client with %v", usual))
	}
	return fails(fmt.Sprintf("the event before connected got %v, while the one after it is accepted", early))
}

func judgeUnknownConnection(s *session) finding {
	if a := s.send(s.userEvent(s.stranger(), s.found.userEvent())); a.broken() {
		return fails(fmt.Sprintf("the event got %v, want 2xx or 4xx", a))
	}
	return holds()
}
