package chat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/chat"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

const reliable = "json.reliable.webpubsub.azure.v1"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stage is a chat with its service. It lives in a bubble of testing/synctest,
// whose clock begins with the year 2000.
type stage struct {
	*emulatortest.Service
	t      *testing.T
	line   *line
	chat   *upstream.EventHandler
	actors map[string]*actor // by name

	mu     sync.Mutex          // guards the field below
	events []emulator.Exchange // that have been answered, or never will be
}

// newStage starts a service whose hub has the chat behind it.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, actors: map[string]*actor{}}
	s.Service = emulatortest.StartWith(t, &emulator.Options{Inspect: s.inspect})
	s.line = &line{next: s.HTTPClient().Transport}
	s.restart()
	return s
}

func (s *stage) inspect(x emulator.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Kind == emulator.EventExchange && x.Done {
		s.events = append(s.events, x)
	}
}

// forget forgets the events so far.
func (s *stage) forget() {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = nil
}

// again sends the first event of a kind of an actor once more.
func (s *stage) again(a *actor, event string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	i := slices.IndexFunc(s.events, func(x emulator.Exchange) bool { return x.ConnectionID == a.ConnectionID() && x.Event == event })
	if i < 0 {
		s.mu.Unlock()
		s.t.Fatalf("there was no %s of %s", event, a.name)
	}
	x := s.events[i]
	s.mu.Unlock()
	x.Resend()
}

// restart puts another chat in the place of the one that there is.
func (s *stage) restart() {
	s.t.Helper()
	s.chat = newChat(s.t, s.ConnectionString(), s.line)
	s.apply(emulatortest.AllEvents(s.chat))
}

func (s *stage) apply(settings emulator.HubSettings) {
	s.t.Helper()
	if err := s.Apply(emulator.Settings{Default: settings}); err != nil {
		s.t.Fatal(err)
	}
}

// newChat returns a chat that reaches its service by a transport.
func newChat(t *testing.T, connectionString string, transport http.RoundTripper) *upstream.EventHandler {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	v, err := upstream.NewAccessKeyValidator(connectionString)
	if err != nil {
		t.Fatal(err)
	}
	client, err := webpubsub.NewClient(connectionString, "chat", &webpubsub.ClientOptions{
		HTTPClient: &http.Client{Transport: transport}, MaxRetries: -1, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return chat.New(v, client, &upstream.Options{Logger: quiet})
}

// A line carries the calls of the chat. It can fail, like any line.
type line struct {
	next http.RoundTripper

	mu       sync.Mutex // guards the fields below
	failures int        // how many of the next calls fail
	answers  bool       // it is their answers that get lost
}

var errLine = errors.New("the line is broken")

func (l *line) fail(calls int, answers bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures, l.answers = calls, answers
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	broken, answers := l.failures > 0, l.answers
	l.failures = max(0, l.failures-1)
	l.mu.Unlock()
	if broken && !answers {
		return nil, errLine
	}
	resp, err := l.next.RoundTrip(r)
	if broken && err == nil {
		_ = resp.Body.Close()
		return nil, errLine
	}
	return resp, err
}

// An actor is a client of the chat, as its page is.
type actor struct {
	*emulatortest.Client
	stage *stage
	name  string
	acks  map[int]bool // what became of events
}

// enter connects an actor and has it join rooms, one after the other.
func (s *stage) enter(name string, rooms ...string) *actor {
	s.t.Helper()
	address, err := s.ClientURL("chat", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &actor{stage: s, name: name, acks: map[int]bool{}, Client: s.Connect("chat", &emulatortest.ConnectOptions{
		URL: address + "&name=" + url.QueryEscape(name), Subprotocols: []string{reliable},
	})}
	s.actors[name] = a
	for _, room := range rooms {
		a.join(room)
		synctest.Wait()
	}
	return a
}

func (a *actor) join(room string) {
	a.stage.t.Helper()
	a.Send(fmt.Sprintf(`{"type":"joinGroup","group":%q}`, room))
}

func (a *actor) leave(room string) {
	a.stage.t.Helper()
	a.Send(fmt.Sprintf(`{"type":"leaveGroup","group":%q}`, room))
}

// event sends an event and returns its ack id, which is never 0.
func (a *actor) event(name, data string) (ackID int) {
	a.stage.t.Helper()
	ackID = len(a.acks) + 1
	a.acks[ackID] = false
	a.Send(fmt.Sprintf(`{"type":"event","event":%q,"ackId":%d,"dataType":"json","data":%s}`, name, ackID, data))
	return ackID
}

// say says something whose id is its text.
func (a *actor) say(room, text string) (ackID int) {
	a.stage.t.Helper()
	return a.event("say", fmt.Sprintf(`{"room":%q,"id":%q,"text":%q}`, room, text, text))
}

// news waits until nothing is under way and returns the data of what has
// arrived since the last time, with names in place of connection ids.
func (a *actor) news() (data []string) {
	a.stage.t.Helper()
	synctest.Wait()
	a.Send(`{"type":"ping"}`) // the pong comes after everything else
	for {
		text := a.Receive()
		for name, actor := range a.stage.actors {
			text = strings.ReplaceAll(text, actor.ConnectionID(), strings.ToUpper(name))
		}
		var frame struct {
			Type    string
			AckID   int
			Success bool
			Data    json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			a.stage.t.Fatalf("frame %q: %v", text, err)
		}
		switch frame.Type {
		case "ack":
			a.acks[frame.AckID] = frame.Success
		case "message":
			data = append(data, string(frame.Data))
		case "pong":
			return data
		}
	}
}

// want compares what has arrived.
func (a *actor) want(want ...string) {
	a.stage.t.Helper()
	if diff := cmp.Diff(want, a.news()); diff != "" {
		a.stage.t.Errorf("%s received (-want +got):\n%s", a.name, diff)
	}
}

// retries is longer than the service goes on sending an event again.
const retries = 10 * time.Second

// A page is what a browser makes of the messages: it knows people and messages
// by their ids, and takes the kind room for the truth about people.
type page struct {
	people   map[string]string
	messages map[string]int // numbers by id
}

func (a *actor) page() page {
	a.stage.t.Helper()
	p := page{map[string]string{}, map[string]int{}}
	for _, data := range a.news() {
		p.take(a.stage.t, data)
	}
	return p
}

func (p *page) take(t *testing.T, data string) {
	t.Helper()
	type message struct {
		Kind, ID, Name string
		Number         int
	}
	var m struct {
		message
		People   []message
		Messages []message
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		t.Fatalf("data %q: %v", data, err)
	}
	switch m.Kind {
	case "room":
		clear(p.people)
		for _, person := range m.People {
			p.people[person.ID] = person.Name
		}
	case "joined", "renamed":
		p.people[m.ID] = m.Name
	case "left":
		delete(p.people, m.ID)
	case "message":
		m.Messages = []message{m.message}
	}
	for _, said := range m.Messages {
		if before, ok := p.messages[said.ID]; ok && before != said.Number {
			t.Errorf("message %q has the numbers %d and %d", said.ID, before, said.Number)
		}
		p.messages[said.ID] = said.Number
	}
}

// text returns the messages in their order.
func (p *page) text() []string {
	return slices.SortedFunc(func(yield func(string) bool) {
		for id := range p.messages {
			if !yield(id) {
				return
			}
		}
	}, func(a, b string) int { return p.messages[a] - p.messages[b] })
}
