// Package brokertest has the tests that every [broker.Broker] must pass.
package brokertest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

// Run tests a broker. The function returns two ends of a new one: what two
// servers that share hubs have. They may be the same.
func Run(t *testing.T, open func(*testing.T) (a, b broker.Broker)) {
	tests := []struct {
		name string
		run  func(t *testing.T, a, b broker.Broker)
	}{
		{"publish reaches all servers once", testPublish},
		{"hubs are apart", testHubs},
		{"ask merges replies", testAsk},
		{"members are limited", testMembers},
		{"nobody subscribed", testNobody},
		{"stop", testStop},
		{"order of a publisher", testOrder},
		{"serve may subscribe and publish", testReentry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := open(t)
			tt.run(t, a, b)
		})
	}
}

// patience is how long a command may be on its way.
const patience = 5 * time.Second

// A server keeps the commands it gets and gives the same reply to all.
type server struct {
	reply broker.Reply

	mu  sync.Mutex // guards got
	got []broker.Command
}

func (s *server) serve(c broker.Command) broker.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, c)
	return s.reply
}

func (s *server) commands() []broker.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func subscribe(t *testing.T, b broker.Broker, hub string, serve func(broker.Command) broker.Reply) (stop func()) {
	t.Helper()
	stop, err := b.Subscribe(hub, serve)
	if err != nil {
		t.Fatalf("subscribe to %q: %v", hub, err)
	}
	return stop
}

// want waits until a server has got the commands, and checks that it got no
// others.
func want(t *testing.T, name string, s *server, commands ...broker.Command) {
	t.Helper()
	for deadline := time.Now().Add(patience); len(s.commands()) < len(commands) && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	if diff := cmp.Diff(commands, s.commands()); diff != "" {
		t.Errorf("server %s: commands differ (-want +got):\n%s", name, diff)
	}
}

func publish(t *testing.T, b broker.Broker, hub string, c broker.Command) {
	t.Helper()
	if err := b.Publish(t.Context(), hub, c); err != nil {
		t.Fatalf("publish to %q: %v", hub, err)
	}
}

func ask(t *testing.T, b broker.Broker, hub string, c broker.Command) broker.Reply {
	t.Helper()
	reply, err := b.Ask(t.Context(), hub, c)
	if err != nil {
		t.Fatalf("ask %q: %v", hub, err)
	}
	return reply
}

func closing(reason string) broker.Command { return broker.Close{Reason: reason} }

func testPublish(t *testing.T, a, b broker.Broker) {
	var one, two server
	defer subscribe(t, a, "chat", one.serve)()
	defer subscribe(t, b, "chat", two.serve)()
	publish(t, a, "chat", closing("a"))
	want(t, "one", &one, closing("a"))
	want(t, "two", &two, closing("a"))
	publish(t, b, "chat", closing("b"))
	want(t, "one", &one, closing("a"), closing("b"))
	want(t, "two", &two, closing("a"), closing("b"))
}

func testHubs(t *testing.T, a, b broker.Broker) {
	var chat, news server
	defer subscribe(t, a, "chat", chat.serve)()
	defer subscribe(t, b, "news", news.serve)()
	publish(t, a, "news", closing("news"))
	publish(t, b, "chat", closing("chat"))
	want(t, "chat", &chat, closing("chat"))
	want(t, "news", &news, closing("news"))
}

func testAsk(t *testing.T, a, b broker.Broker) {
	one, two := server{reply: broker.Reply{Count: 2}}, server{reply: broker.Reply{Count: 3, Full: true}}
	defer subscribe(t, a, "chat", one.serve)()
	defer subscribe(t, b, "chat", two.serve)()
	for name, end := range map[string]broker.Broker{"a": a, "b": b} {
		if got, want := ask(t, end, "chat", broker.Count{}), (broker.Reply{Count: 5, Full: true}); !cmp.Equal(got, want) {
			t.Errorf("asked by %s: got %+v, want %+v", name, got, want)
		}
	}
	want(t, "one", &one, broker.Count{}, broker.Count{}) // they have been carried out
	want(t, "two", &two, broker.Count{}, broker.Count{})
}

func testMembers(t *testing.T, a, b broker.Broker) {
	member := func(id string) broker.Member { return broker.Member{ConnectionID: id} }
	one := server{reply: broker.Reply{Members: []broker.Member{member("b"), member("d")}}}
	two := server{reply: broker.Reply{Members: []broker.Member{member("a"), member("c")}}}
	defer subscribe(t, a, "chat", one.serve)()
	defer subscribe(t, b, "chat", two.serve)()
	got := ask(t, b, "chat", broker.Members{Group: "room", Limit: 3}).Members
	if diff := cmp.Diff([]broker.Member{member("a"), member("b"), member("c")}, got); diff != "" {
		t.Errorf("members differ (-want +got):\n%s", diff)
	}
}

func testNobody(t *testing.T, a, _ broker.Broker) {
	publish(t, a, "chat", closing(""))
	if got := ask(t, a, "chat", broker.Count{}); !cmp.Equal(got, broker.Reply{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}

func testStop(t *testing.T, a, b broker.Broker) {
	one, two := server{reply: broker.Reply{Count: 1}}, server{reply: broker.Reply{Count: 1}}
	stop := subscribe(t, a, "chat", one.serve)
	defer subscribe(t, b, "chat", two.serve)()
	stop()
	stop() // has no effect
	if got := ask(t, a, "chat", broker.Count{}).Count; got != 1 {
		t.Errorf("got count %d after a server stopped, want 1", got)
	}
	want(t, "one", &one)
	var again server
	defer subscribe(t, a, "chat", again.serve)()
	publish(t, b, "chat", closing(""))
	want(t, "again", &again, closing(""))
}

func testOrder(t *testing.T, a, b broker.Broker) {
	const publishers, each = 4, 100
	var one, two server
	defer subscribe(t, a, "chat", one.serve)()
	defer subscribe(t, b, "chat", two.serve)()
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if err := []broker.Broker{a, b}[p%2].Publish(t.Context(), "chat", broker.Close{Reason: fmt.Sprint(i), Excluded: []string{fmt.Sprint(p)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for name, s := range map[string]*server{"one": &one, "two": &two} {
		for deadline := time.Now().Add(patience); len(s.commands()) < publishers*each && time.Now().Before(deadline); {
			<-time.After(time.Millisecond)
		}
		next := map[string]int{}
		for _, c := range s.commands() {
			closed := c.(broker.Close)
			publisher := closed.Excluded[0]
			if got, want := closed.Reason, fmt.Sprint(next[publisher]); got != want {
				t.Fatalf("server %s got number %s of publisher %s, want %s", name, got, publisher, want)
			}
			next[publisher]++
		}
		if len(s.commands()) != publishers*each {
			t.Errorf("server %s got %d commands, want %d", name, len(s.commands()), publishers*each)
		}
	}
}

func testReentry(t *testing.T, a, b broker.Broker) {
	var two server
	inner := make(chan func(), 1)
	defer subscribe(t, a, "chat", func(broker.Command) broker.Reply {
		stop, err := a.Subscribe("news", two.serve)
		if err != nil {
			t.Error(err)
		}
		if err := a.Publish(t.Context(), "news", closing("inner")); err != nil {
			t.Error(err)
		}
		inner <- stop
		return broker.Reply{}
	})()
	ask(t, b, "chat", broker.Count{})
	defer (<-inner)()
	want(t, "two", &two, closing("inner"))
}
