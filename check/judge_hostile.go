package check

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// wantAnswers wants the attempts answered in time, and what comes from a client
// answered at all: the answer itself is the handler's choice.
func (s *session) wantAnswers(attempts ...attempt) finding {
	for _, x := range attempts {
		a := s.try(x)
		if a.hung && !x.genuine && s.try(forge("")).hung {
			return open("the handler does not answer a connect with a wrong signature, whatever else is in it")
		}
		if a.hung || x.genuine && a.err != nil {
			return fails(fmt.Sprintf("%s: got %v, want an answer", x.what, a))
		}
	}
	return holds()
}

// wantDataAnswers is wantAnswers for data that differs from what is usual of
// its kind in one thing only.
func (s *session) wantDataAnswers(usual attempt, attempts ...attempt) finding {
	if a := s.try(usual); a.broken() {
		return open(fmt.Sprintf("the handler answers usual %s with %v", usual.what, a))
	}
	return s.wantAnswers(attempts...)
}

func judgeLargeBody(s *session) finding {
	a := s.try(forge("a body of 4 MiB", withBody(`{"claims":{}}`), upstreamtest.Oversize(4<<20)))
	if a.hung {
		return open("it takes longer than that to send 4 MiB to the handler, or it does not answer them")
	}
	return holds()
}

// judgeCutOff looks for nothing but life, as the runner does.
func judgeCutOff(s *session) finding {
	s.attack(s.sample().event(), upstreamtest.TruncatedBody)
	return holds()
}

// judgeOwnNames has a client use the names of the language, and sees whether
// others are served after it as just before.
func judgeOwnNames(s *session) finding {
	var usual []attempt
	if s.found.connect != nil {
		usual = append(usual, enter("another client that connects", func(*upstreamtest.ConnectData) {}))
	}
	if name := s.found.userEvent(); name != "" {
		usual = append(usual, say(fmt.Sprintf("the event %q", name), s.opts.dataOf(name)))
	}
	before := make([]*answer, len(usual))
	for i, x := range usual {
		before[i] = s.try(x)
	}
	if s.found.connect != nil {
		s.try(enter("", ownNames))
	}
	if s.found.userEvent() != "" {
		s.try(sayJSON("", protoJSON))
	}
	for i, x := range usual {
		switch a := s.try(x); {
		case a.accepted() != before[i].accepted():
			return fails(fmt.Sprintf("after a client that used names such as __proto__ and constructor, %s got %v, and %v before", x.what, a, before[i]))
		case x.connects && bytes.Contains(a.body, []byte(polluted)): // a reply to an event may repeat what was said before
			return fails(fmt.Sprintf("after a client that used names such as __proto__ and constructor, the answer to %s holds what it sent", x.what))
		}
	}
	return holds()
}

// judgeNonsense leaves to other rules what is wrong with the answers to events
// that are forged and nothing else, and requests that hang.
func judgeNonsense(s *session) finding {
	if a := s.try(forge("")); a.broken() {
		return open(fmt.Sprintf("the handler answers a proper connect with a wrong signature with %v", a))
	}
	attempts := slices.Concat(brokenJSON[:2], noEvents[:1], oddHeaders[2:3], []attempt{withMethod(http.MethodPut), withMethod(http.MethodDelete)})
	for _, x := range attempts {
		switch a := s.try(x); {
		case a.hung:
			return open(fmt.Sprintf("%s: got %v", x.what, a))
		case a.err != nil, a.status/100 == 5 && a.status != http.StatusNotImplemented:
			return fails(fmt.Sprintf("%s: got %v, want 4xx", x.what, a))
		}
	}
	return holds()
}

// judgeDataFault leaves it to other rules when there is no answer.
func judgeDataFault(s *session) finding {
	if a := s.try(plainJSON); a.broken() {
		return open(fmt.Sprintf("the handler answers usual JSON with %v", a))
	}
	attempts := slices.Clone(oddData)
	if a := s.try(flatJSON); !a.broken() {
		attempts = append(attempts, deepJSON)
	}
	for _, x := range attempts {
		switch a := s.try(x); {
		case a.err != nil:
			return open(fmt.Sprintf("%s: got %v", x.what, a))
		case a.status/100 == 5:
			return fails(fmt.Sprintf("%s: got %v, want 2xx or 4xx", x.what, a))
		}
	}
	return holds()
}

// patience is how long the end of a slow body is held back.
const patience = time.Second

// judgeSlowSender sees whether a handshake is answered while a body is on its
// way. Twice, because anything may be slow once.
func judgeSlowSender(s *session) finding {
	if s.opts.Timeout <= patience {
		return open(fmt.Sprintf("it takes longer than the time limit of %v", s.opts.Timeout))
	}
	if took := s.found.consent.took; took > patience/4 {
		return open(fmt.Sprintf("the handshake takes %v at all times", took.Round(10*time.Millisecond)))
	}
	f := s.behindSlow()
	if f.verdict == Fails {
		f = s.behindSlow()
	}
	return f
}

func (s *session) behindSlow() finding {
	req := s.request(s.sample().event())
	body := holdBack(req)
	defer body.letGo()
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	s.pace()
	s.requests++
	shown, sent := s.shownRequest(req)
	done := make(chan *answer, 1)
	start := time.Now()
	go func() {
		a := s.roundTrip(req.WithContext(ctx))
		a.took = time.Since(start)
		done <- a
	}()
	select {
	case <-body.held:
	case <-ctx.Done():
	}
	end := time.AfterFunc(patience, body.letGo)
	a := s.ask(s.found.method, s.opts.Origin)
	inTime := end.Stop()
	body.letGo()
	s.keep(shown, sent(), <-done)
	if a.err == nil && !inTime {
		return fails(fmt.Sprintf("a handshake was answered after %v, when the last byte of another request's body had come", a.took.Round(10*time.Millisecond)))
	}
	return holds()
}

// A heldBody is a body whose last byte comes when it is let go.
type heldBody struct {
	held    chan struct{} // closed when all but the last byte has been read
	release chan struct{}
	letGo   func()
	hold    func()
}

// holdBack holds the body of a request back.
func holdBack(req *http.Request) *heldBody {
	b := &heldBody{held: make(chan struct{}), release: make(chan struct{})}
	b.letGo = sync.OnceFunc(func() { close(b.release) })
	b.hold = sync.OnceFunc(func() { close(b.held) })
	body, _ := io.ReadAll(req.Body) // from memory
	if len(body) == 0 {
		req.ContentLength = -1
	}
	last := max(0, len(body)-1)
	req.GetBody = nil
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:last]), b, bytes.NewReader(body[last:])))
	return b
}

// Read is an empty part of the body that takes its time.
func (b *heldBody) Read([]byte) (int, error) {
	b.hold()
	<-b.release
	return 0, io.EOF
}
