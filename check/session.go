package check

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A session is a check under way. Its rules run one after another.
type session struct {
	ctx    context.Context
	opts   Options
	target target
	client *http.Client
	found  found

	start    time.Time
	last     time.Time    // when the last request was sent
	read     atomic.Int64 // bytes of answers
	requests int
	haste    time.Duration // how much slower than usual requests are sent, because somebody asked for it
	hangs    map[traffic]int
	secrets  *strings.Replacer

	hostileHangs map[string]int // by the area of the rule
	area         string         // of the rule under way
	dead         string         // the rule since which nothing is answered; empty while something is

	present []*talk // the clients that the handler has let in

	current []Exchange   // of the rule under way
	skipped string       // why the rule under way could not send all that it wanted
	texts   []answerText // all answers, for what they must not say
}

// An answerText is what a handler said once, at greater length than the
// exchange shows.
type answerText struct {
	exchange Exchange
	header   http.Header
	body     []byte
}

// minPause is the time from one request to the next at least: 200 in a second
// at most.
const minPause = 5 * time.Millisecond

func (s *session) pace() {
	if pause := minPause + s.haste - time.Since(s.last); pause > 0 {
		s.sleep(pause)
	}
	s.last = time.Now()
}

// A talk is one client's connection, as far as a handler knows of it.
type talk struct {
	id          string
	user        string
	subprotocol string
	state       *string // nil until the handler sets it
	events      int     // so far
}

// newTalk returns a connection that no handler has heard of.
func (s *session) newTalk() *talk {
	t := &talk{id: strings.ReplaceAll(wire.NewRequestID(), "-", ""), user: s.opts.UserID}
	if s.found.needsState {
		t.state = new("e30=")
	}
	return t
}

// connectEvent is how the connection begins.
func (s *session) connectEvent(t *talk) upstreamtest.Event {
	ev := s.event(t, wire.TypeConnect)
	ev.Subprotocol = ""
	ev.Connect = &upstreamtest.ConnectData{
		Claims:       map[string][]string{},
		Query:        s.opts.Query,
		Headers:      http.Header{"Host": {s.opts.Origin}},
		Subprotocols: s.opts.Subprotocols,
	}
	if t.user != "" {
		ev.Connect.Claims["sub"] = []string{t.user}
	}
	return ev
}

// userEvent is a user event of the connection, with the data that the options
// have for it.
func (s *session) userEvent(t *talk, name string) upstreamtest.Event {
	ev := s.event(t, wire.UserType(name))
	ev.Data = s.opts.dataOf(name)
	return ev
}

// event is the next event of a connection.
func (s *session) event(t *talk, ceType string) upstreamtest.Event {
	ev := upstreamtest.Event{
		Type: ceType, Hub: s.opts.Hub, ConnectionID: t.id, UserID: t.user, Subprotocol: t.subprotocol,
		ID: strconv.Itoa(t.events), RequestID: wire.NewRequestID(), Keys: []string{s.opts.AccessKey}, Origins: []string{s.opts.Origin},
	}
	if t.state != nil {
		ev.State, _ = upstream.RawState(*t.state) // one that cannot be sent is left out
	}
	t.events++
	return ev
}

// send sends an event, changed by faults.
func (s *session) send(ev upstreamtest.Event, faults ...upstreamtest.Fault) *answer {
	kind, _ := wire.ParseType(ev.Type)
	a := s.exchange(trafficOf(kind), s.request(ev, faults...))
	s.note(kind, ev, a)
	return a
}

// note keeps account of who is there.
func (s *session) note(kind wire.Kind, ev upstreamtest.Event, a *answer) {
	known := slices.IndexFunc(s.present, func(t *talk) bool { return t.id == ev.ConnectionID })
	switch {
	case kind == wire.KindConnect && a.accepted() && known < 0:
		s.present = append(s.present, &talk{id: ev.ConnectionID, user: ev.UserID, events: 1})
	case kind == wire.KindDisconnected && known >= 0:
		s.present = slices.Delete(s.present, known, known+1)
	case known >= 0:
		id, _ := strconv.Atoi(ev.ID)
		s.present[known].events = max(s.present[known].events, id+1)
	}
}

// attack sends an event that the service would not send.
func (s *session) attack(ev upstreamtest.Event, faults ...upstreamtest.Fault) *answer {
	kind, _ := wire.ParseType(ev.Type)
	a := s.exchange(hostilities, s.request(ev, faults...))
	s.note(kind, ev, a)
	return a
}

// request returns the request of an event.
func (s *session) request(ev upstreamtest.Event, faults ...upstreamtest.Fault) *http.Request {
	_, name := wire.ParseType(ev.Type)
	req := upstreamtest.To(s.target.at(s.opts.Hub, name), upstreamtest.NewRequest(ev, faults...))
	req.Header = s.spelled(req.Header)
	return req
}

// ask asks for consent, in the name of these hosts.
func (s *session) ask(method string, origins ...string) *answer {
	return s.exchange(handshakes, s.question(method, origins...))
}

func (s *session) question(method string, origins ...string) *http.Request {
	req := upstreamtest.To(s.target.at(s.opts.Hub, wire.EventValidate), upstreamtest.NewHandshake(origins...))
	req.Method, req.Header = method, s.spelled(req.Header)
	return req
}

func trafficOf(kind wire.Kind) traffic {
	switch kind {
	case wire.KindConnect:
		return connects
	case wire.KindUser:
		return userEvents
	}
	return notifications
}

// open begins a connection as a client does: connect, and when that is accepted
// connected. The answer is the one to connect; nil when the handler does not
// serve it.
func (s *session) open() (*talk, *answer) {
	t := s.newTalk()
	if !s.opts.serves("connect") {
		t.events = 1 // 0 is connect's
		return t, nil
	}
	a := s.send(s.connectEvent(t))
	if a.accepted() {
		s.admit(t, a)
		if s.opts.serves("connected") {
			s.send(s.event(t, wire.TypeConnected))
		}
	}
	return t, a
}

// admit takes over what an answer to connect says of the client, as far as events
// can carry it.
func (s *session) admit(t *talk, a *answer) {
	t.take(a)
	said, err := wire.DecodeConnectAnswer(a.body)
	if err != nil {
		return // a rule of its own
	}
	if said.UserID != nil && !strings.ContainsAny(*said.UserID, "\r\n\x00") {
		t.user = *said.UserID
	}
	switch {
	case said.Subprotocol != "" && wire.ValidHeaderValue(said.Subprotocol):
		t.subprotocol = said.Subprotocol
	case len(s.opts.Subprotocols) > 0:
		t.subprotocol = s.opts.Subprotocols[0]
	}
}

// take keeps the state that an answer sets, as the service does.
func (t *talk) take(a *answer) {
	if lines := a.header[wire.HeaderConnectionState]; a.accepted() && len(lines) > 0 {
		t.state = new(strings.TrimSpace(lines[len(lines)-1]))
	}
}

// end tells the handler that a connection is gone.
func (s *session) end(t *talk) {
	if s.opts.serves("disconnected") {
		s.send(s.event(t, wire.TypeDisconnected))
	}
}

// leave tells the handler that all clients are gone that it has let in.
func (s *session) leave() {
	for _, t := range slices.Clone(s.present) {
		s.end(t)
	}
}

// shownRequest returns a request as reports show it, and a function that
// returns as much of its body as was sent.
func (s *session) shownRequest(req *http.Request) (Exchange, func() []byte) {
	x := Exchange{Method: req.Method, URL: wire.DisplayURL(req.URL.String()), Header: lines(req.Header, wire.Canonical(s.opts.Header))}
	if req.Body == nil || req.Body == http.NoBody {
		return x, func() []byte { return nil }
	}
	var latest atomic.Pointer[sentBody]
	begin := func(body io.ReadCloser) io.ReadCloser {
		sent := &sentBody{ReadCloser: body}
		latest.Store(sent)
		return sent
	}
	req.Body = begin(req.Body)
	if again := req.GetBody; again != nil { // for a connection that the server has just closed
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return begin(body), err
		}
	}
	return x, func() []byte { return latest.Load().bytes() }
}

// A sentBody keeps what is sent of a body. The transport may go on to send when
// the answer is there.
type sentBody struct {
	io.ReadCloser
	mu   sync.Mutex // guards sent
	sent []byte
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, p[:n]...)
	return n, err
}

func (b *sentBody) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.sent)
}

// withoutURL takes the URL out of an error of net/http.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
