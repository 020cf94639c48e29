package check

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A forgery is a signature that proves nothing.
type forgery struct {
	what string
	sign func(connectionID string) string
}

func (s *session) sign(connectionID string) string { return wire.Sign(connectionID, s.opts.AccessKey) }

func (s *session) half(connectionID string) string {
	whole := s.sign(connectionID)
	return whole[:len("sha256=")+(len(whole)-len("sha256="))/2]
}

// resigned puts another signature on a request.
func resigned(sign func(connectionID string) string) upstreamtest.Fault {
	return func(r *http.Request) {
		r.Header.Set(wire.HeaderSignature, sign(wire.First(r.Header, wire.HeaderConnectionID)))
	}
}

// judgeSigned tells a handler that refuses the service from one that refuses
// this client: the latter has no reason to refuse to hear of its end.
func judgeSigned(s *session) finding {
	f := &s.found
	if needSample(f) == "" {
		return holds()
	}
	blocking := f.events
	if f.connect != nil {
		blocking = append([]tried{{"connect", f.connect}}, blocking...)
	}
	for _, e := range blocking {
		if !deniesProof(e.answer) {
			return open(fmt.Sprintf("the handler answers %s with %v, which is not about the signature", e.name, e.answer))
		}
	}
	if !s.opts.serves("disconnected") {
		return open("the handler refuses every event: is the access key the handler's, and does it let this client in?")
	}
	a := s.send(s.event(s.newTalk(), wire.TypeDisconnected))
	switch {
	case a.accepted():
		return holds()
	case !deniesProof(a):
		return open(fmt.Sprintf("the handler answers disconnected with %v, which is not about the signature", a))
	case a.status == http.StatusForbidden && !f.granted:
		return open("the handler consents to no event of this origin, and refuses them all")
	}
	return fails(fmt.Sprintf("got %v to disconnected, and the like to every other event: the handler takes the service for a stranger", a))
}

// deniesProof reports whether an answer is one to an event that is not proved.
func deniesProof(a *answer) bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
}

// rightAfter returns a signature of two tokens, of which the second is right.
func (s *session) rightAfter(separator string) upstreamtest.Fault {
	return resigned(func(id string) string { return wire.Sign(id, otherKey) + separator + s.sign(id) })
}

// otherKey is the other access key of a resource, which the handler does not
// know.
const otherKey = "the other access key of the resource"

func judgeRotation(s *session) finding {
	for _, separator := range []string{",", ", "} {
		before := resigned(func(id string) string { return s.sign(id) + separator + wire.Sign(id, otherKey) })
		bad := firstBad(
			s.wantTaken(fmt.Sprintf("the right signature after another and %q", separator), s.rightAfter(separator)),
			s.wantTaken(fmt.Sprintf("the right signature before %q and another", separator), before),
		)
		if bad.verdict != Holds {
			return bad
		}
	}
	return holds()
}

func judgeOtherTokens(s *session) finding {
	other := "sha512=" + strings.Repeat("00", 64)
	f := s.wantTaken("a token of another algorithm in front", resigned(func(id string) string { return other + "," + s.sign(id) }))
	if f.verdict == Fails && !s.send(s.sample().event(), s.rightAfter(",")).accepted() {
		return open("the handler does not find its signature behind any other")
	}
	return f
}

// wantTaken wants the sample to be accepted with a change that is none to a
// right handler.
func (s *session) wantTaken(with string, changes ...upstreamtest.Fault) finding {
	return s.wantTakenOf(*s.sample(), with, changes...)
}

// wantTakenOf wants that of any event, as long as it is accepted without the
// change: a ticket may be good for one client only.
func (s *session) wantTakenOf(p sample, with string, changes ...upstreamtest.Fault) finding {
	a := s.send(p.event(), changes...)
	if a.accepted() {
		return holds()
	}
	if usual := s.send(p.event()); !usual.accepted() {
		return open(fmt.Sprintf("the handler answers one more %s with %v", p.name, usual))
	}
	return fails(fmt.Sprintf("%s got %v with %s, want 2xx as without", p.name, a, with))
}

// wantProof wants each event that the handler acts upon to be refused when it
// is not proved.
func (s *session) wantProof(how string, fault upstreamtest.Fault) finding {
	if s.otherProof() {
		return open("the requests of this check carry Authorization, which may prove them as well")
	}
	var accepted []string
	for _, p := range s.samples() {
		if a := s.attack(p.event(), fault); a.accepted() {
			accepted = append(accepted, fmt.Sprintf("%s got %v", p.name, a))
		}
	}
	if len(accepted) > 0 {
		return fails(fmt.Sprintf("%s %s, want 401", strings.Join(accepted, ", "), how))
	}
	return holds()
}

// otherProof reports whether the handler may go by something else, as it must
// when the service has no keys to sign with.
func (s *session) otherProof() bool { return len(wire.Canonical(s.opts.Header)["Authorization"]) > 0 }

// samples returns all kinds of events that the handler accepts: some handlers
// verify only one of them.
func (s *session) samples() []sample {
	f := &s.found
	var all []sample
	if f.connect != nil && f.connect.accepted() {
		all = append(all, sample{"connect", func() upstreamtest.Event { return s.connectEvent(s.newTalk()) }})
	}
	for _, e := range f.events {
		if e.answer.accepted() {
			all = append(all, sample{e.name, func() upstreamtest.Event { return s.userEvent(f.talk, e.name) }})
		}
	}
	return all
}

// wantNoProof wants forgeries to be refused. It is not about handlers that
// compare nothing at all.
func (s *session) wantNoProof(forgeries ...forgery) finding {
	p := s.sample()
	for _, f := range forgeries {
		a := s.attack(p.event(), resigned(f.sign))
		switch {
		case !a.accepted():
		case s.trusts(p):
			return open("the handler accepts any signature")
		default:
			return fails(fmt.Sprintf("%s got %v with %s, want 401", p.name, a, f.what))
		}
	}
	return holds()
}

// trusts reports whether an event is accepted that is signed with a key that
// nobody has.
func (s *session) trusts(p *sample) bool {
	return s.attack(p.event(), upstreamtest.BadSignature).accepted()
}

func judgeOtherConnection(s *session) finding {
	p, other := s.sample(), s.knownConnection()
	stolen := resigned(func(string) string { return s.sign(other) })
	source := func(r *http.Request) {
		r.Header.Set(wire.HeaderSource, "/hubs/"+s.opts.Hub+"/client/"+other)
	}
	for _, faults := range [][]upstreamtest.Fault{{stolen}, {stolen, source}} {
		a := s.attack(p.event(), faults...)
		switch {
		case !a.accepted():
		case s.trusts(p):
			return open("the handler accepts any signature")
		case len(faults) > 1:
			return fails(fmt.Sprintf("%s got %v with the signature of the connection in ce-source instead of ce-connectionId, want 401", p.name, a))
		default:
			return fails(fmt.Sprintf("%s got %v with the signature of another connection, want 401", p.name, a))
		}
	}
	return holds()
}

// knownConnection returns the ID of another connection, whose signature the
// handler has seen if it lets one more client in.
func (s *session) knownConnection() string {
	t, _ := s.enter()
	if name := s.found.userEvent(); name != "" {
		s.send(s.userEvent(t, name))
	}
	return t.id
}

// judgeNotificationProof is no must: a handler may answer at once what it does
// not care for.
func judgeNotificationProof(s *session) finding {
	name := s.servedLifecycle("disconnected", "connected")
	switch {
	case name == "":
		return open("the handler serves neither connected nor disconnected")
	case s.otherProof():
		return open("the requests of this check carry Authorization, which may prove them as well")
	}
	t, why := s.enter()
	if why != "" {
		return open(why)
	}
	unsigned := s.attack(s.lifecycleEvent(t, name), upstreamtest.NoSignature)
	forged := s.attack(s.lifecycleEvent(t, name), upstreamtest.BadSignature)
	if !unsigned.accepted() && !forged.accepted() {
		if a := s.send(s.lifecycleEvent(t, name)); !a.accepted() {
			return open(fmt.Sprintf("the handler answers %s with %v even when it is signed", name, a))
		}
		return holds()
	}
	if p := s.sample(); p != nil && (s.attack(p.event(), upstreamtest.NoSignature).accepted() || s.trusts(p)) {
		return open("the handler does not verify other events either")
	}
	return fails(fmt.Sprintf("%s got %v without a signature and %v with a forged one, want 401", name, unsigned, forged))
}

func judgeRefusal(s *session) finding {
	p := s.sample()
	for _, f := range []forgery{
		{"another key", func(id string) string { return wire.Sign(id, "not an access key of the service") }},
		{"half of a signature", s.half},
		{"no hex digits", func(string) string { return "sha256=" + strings.Repeat("zz", 32) }},
		{"characters that are not ASCII", func(string) string { return "sha256=" + strings.Repeat("é", 32) }},
		{"no sha256= in front", func(string) string { return "signature" }},
	} {
		if a := s.attack(p.event(), resigned(f.sign)); a.broken() && !a.skipped {
			return fails(fmt.Sprintf("got %v to a signature with %s, want 401", a, f.what))
		}
	}
	if a := s.attack(p.event(), upstreamtest.NoSignature); a.broken() && !a.skipped {
		return fails(fmt.Sprintf("got %v to no signature, want 401", a))
	}
	return holds()
}

func judgeLookup(s *session) finding {
	if strings.Contains(s.target.template, "{event}") {
		return open("the URL names the event, so that whatever routes it tells as much")
	}
	p := s.sample()
	known := s.attack(p.event(), upstreamtest.NoSignature)
	if known.accepted() {
		return open("the handler accepts events without a signature")
	}
	unknown := s.attack(s.userEvent(s.found.talk, "nobody-handles-this"), upstreamtest.NoSignature)
	if known.status != unknown.status {
		return fails(fmt.Sprintf("without a signature, %s got %v, and an event that nobody handles got %v", p.name, known, unknown))
	}
	return holds()
}

func judgeBeforeBody(s *session) finding {
	if s.opts.Timeout <= stallTime {
		return open(fmt.Sprintf("it takes longer than the time limit of %v", s.opts.Timeout))
	}
	body := newStalledBody()
	defer body.Close() // the client may still read it
	a := s.attack(s.sample().event(), upstreamtest.NoSignature, func(r *http.Request) {
		r.Body, r.GetBody, r.ContentLength = body, nil, stallLength
	})
	switch {
	case a.accepted():
		return open("the handler accepts events without a signature")
	case a.took >= stallTime:
		return fails(fmt.Sprintf("got %v after %v, when the rest of the body had come", a, a.took.Round(10*time.Millisecond)))
	}
	return holds()
}

// A stalled body is longer than what servers read on their own before they
// answer, and pauses after more than what clients hold back.
const (
	stallLength = 512 << 10
	stallAfter  = 16 << 10
	stallTime   = time.Second
)

type stalledBody struct {
	io.Reader
	closing sync.Once
	closed  chan struct{}
}

func newStalledBody() *stalledBody {
	b := &stalledBody{closed: make(chan struct{})}
	b.Reader = io.MultiReader(spaces(stallAfter), pause{b.closed}, spaces(stallLength-stallAfter))
	return b
}

func spaces(n int) io.Reader { return bytes.NewReader(bytes.Repeat([]byte(" "), n)) }

func (b *stalledBody) Close() error {
	b.closing.Do(func() { close(b.closed) })
	return nil
}

// A pause is an empty part of a body that takes its time.
type pause struct{ end <-chan struct{} }

func (p pause) Read([]byte) (int, error) {
	select {
	case <-time.After(stallTime):
		return 0, io.EOF
	case <-p.end:
		return 0, io.ErrClosedPipe
	}
}
