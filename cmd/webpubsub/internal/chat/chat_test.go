package chat_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice := s.enter("alice", "lobby")
		alice.want(
			`{"kind":"room","room":"lobby","people":[{"id":"ALICE","name":"alice"}],"messages":[]}`,
			`{"kind":"joined","room":"lobby","id":"ALICE","name":"alice"}`,
		)
		alice.say("lobby", "hi")
		hi := `"number":1,"id":"hi","from":"ALICE","name":"alice","text":"hi","time":"2000-01-01T00:00:00Z"}`
		alice.want(`{"kind":"message","room":"lobby",` + hi)

		time.Sleep(1234567 * time.Microsecond)
		bob := s.enter("bob", "lobby")
		bob.want(
			`{"kind":"room","room":"lobby","people":[{"id":"ALICE","name":"alice"},{"id":"BOB","name":"bob"}],"messages":[{`+hi+`]}`,
			`{"kind":"joined","room":"lobby","id":"BOB","name":"bob"}`,
		)
		alice.want(`{"kind":"joined","room":"lobby","id":"BOB","name":"bob"}`)

		bob.event("typing", `{"room":"lobby"}`)
		alice.want(`{"kind":"typing","room":"lobby","id":"BOB","name":"bob"}`)
		bob.want()

		bob.say("lobby", "hello")
		hello := `{"kind":"message","room":"lobby","number":2,"id":"hello","from":"BOB","name":"bob","text":"hello","time":"2000-01-01T00:00:01.234Z"}`
		alice.want(hello)
		bob.want(hello)

		bob.leave("lobby")
		alice.want(`{"kind":"left","room":"lobby","id":"BOB"}`)
		bob.want()
	})
}

// Who was away hears what was said, and not who was typing.
func TestTypingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice, bob := s.enter("alice", "lobby"), s.enter("bob", "lobby")
		alice.news()
		bob.news()
		bob.Send(`{"type":"sequenceAck","sequenceId":2}`) // room and joined
		synctest.Wait()
		bob.Drop()
		alice.event("typing", `{"room":"lobby"}`)
		alice.say("lobby", "hi")
		time.Sleep(10 * time.Second)
		bob.Recover()
		bob.want(`{"kind":"message","room":"lobby","number":1,"id":"hi","from":"ALICE","name":"alice","text":"hi","time":"2000-01-01T00:00:00Z"}`)
	})
}

func TestRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice, bob := s.enter("alice", "lobby", "attic"), s.enter("bob", "lobby")
		alice.news()
		bob.news()
		alice.leave("attic") // which stays, empty
		synctest.Wait()
		bob.event("rooms", `{}`)
		bob.want(`{"kind":"rooms","rooms":[{"name":"attic","people":0},{"name":"lobby","people":2}]}`)
		alice.want()
	})
}

func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice, bob := s.enter("alice", "attic", "lobby"), s.enter("bob", "lobby")
		alice.news()
		bob.news()
		alice.event("rename", `{"name":" al "}`)
		alice.want(
			`{"kind":"renamed","room":"attic","id":"ALICE","name":"al"}`,
			`{"kind":"renamed","room":"lobby","id":"ALICE","name":"al"}`,
		)
		bob.want(`{"kind":"renamed","room":"lobby","id":"ALICE","name":"al"}`)

		// The service carries the name from now on, to a chat that has just
		// been started too.
		for range 2 {
			alice.say("lobby", "hi")
			bob.want(`{"kind":"message","room":"lobby","number":1,"id":"hi","from":"ALICE","name":"al","text":"hi","time":"2000-01-01T00:00:00Z"}`)
			s.restart()
		}
		carol := s.enter("carol")
		alice.join("cellar")
		synctest.Wait()
		carol.join("cellar")
		if got, want := carol.page().people, map[string]string{"ALICE": "al", "CAROL": "carol"}; !cmp.Equal(got, want) {
			t.Errorf("carol sees %v, want %v", got, want)
		}
	})
}

func TestPresence(t *testing.T) {
	const silence = time.Minute // the service waits for a lost client for 30 seconds
	tests := []struct {
		name string
		do   func(*stage, *actor)
		want []string // what another one in the lobby hears
	}{
		{"leaves", func(_ *stage, bob *actor) { bob.leave("lobby") }, []string{`{"kind":"left","room":"lobby","id":"BOB"}`}},
		{"closes", func(_ *stage, bob *actor) { bob.Close() }, []string{`{"kind":"left","room":"lobby","id":"BOB"}`}},
		{"is cut off", func(s *stage, bob *actor) { s.Cut("chat", bob.ConnectionID()) }, []string{`{"kind":"left","room":"lobby","id":"BOB"}`}},
		{"is cut off and comes back", func(s *stage, bob *actor) {
			s.Cut("chat", bob.ConnectionID())
			time.Sleep(10 * time.Second)
			bob.Recover()
		}, nil},
		{"leaves and closes", func(_ *stage, bob *actor) {
			bob.leave("lobby")
			bob.Close()
		}, []string{`{"kind":"left","room":"lobby","id":"BOB"}`}},
		{"leaves and comes back", func(_ *stage, bob *actor) {
			bob.leave("lobby")
			bob.join("lobby")
		}, []string{`{"kind":"left","room":"lobby","id":"BOB"}`, `{"kind":"joined","room":"lobby","id":"BOB","name":"bob"}`}},
		{"comes a second time", func(s *stage, _ *actor) { s.enter("bob2", "lobby") }, []string{`{"kind":"joined","room":"lobby","id":"BOB2","name":"bob2"}`}},
		{"joins a group that is no room", func(_ *stage, bob *actor) { bob.join("a/b") }, nil},
		{"closes, and the service has no group events", func(s *stage, bob *actor) {
			settings := emulatortest.AllEvents(s.chat)
			settings.EventHandlers[0].GroupEvents = nil
			s.apply(settings)
			bob.Close()
		}, []string{`{"kind":"left","room":"lobby","id":"BOB"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				alice, bob := s.enter("alice", "lobby"), s.enter("bob", "attic", "lobby")
				alice.news()
				tt.do(s, bob)
				time.Sleep(silence)
				alice.want(tt.want...)
			})
		})
	}
}

// An id is one message, whoever sends it again and whenever.
func TestSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice, bob := s.enter("alice", "lobby"), s.enter("bob", "lobby")
		alice.news()
		alice.say("lobby", "one")
		synctest.Wait()
		bob.say("lobby", "two")
		synctest.Wait()
		time.Sleep(time.Minute)
		bob.event("say", `{"room":"lobby","id":"one","text":"something else"}`)
		alice.say("lobby", "one")
		alice.say("attic", "one")
		one := `{"kind":"message","room":"lobby","number":1,"id":"one","from":"ALICE","name":"alice","text":"one","time":"2000-01-01T00:00:00Z"}`
		alice.want(
			one,
			`{"kind":"message","room":"lobby","number":2,"id":"two","from":"BOB","name":"bob","text":"two","time":"2000-01-01T00:00:00Z"}`,
			one, one,
		)
		carol := s.enter("carol", "lobby")
		p := carol.page()
		if got, want := p.text(), []string{"one", "two"}; !cmp.Equal(got, want) {
			t.Errorf("the room has %q, want %q", got, want)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice := s.enter("alice", "lobby")
		for i := range 51 {
			alice.say("lobby", fmt.Sprint("message ", i+1))
		}
		alice.news()
		carol := s.enter("carol", "lobby")
		p := carol.page()
		got := p.text()
		if len(got) != 50 || got[0] != "message 2" || got[49] != "message 51" || p.messages["message 51"] != 51 {
			t.Errorf("the room has %q with the numbers %v, want the last 50 of 51 messages", got, p.messages)
		}
	})
}

// When a call of the service fails, the event comes again, and everybody knows
// in the end what they have to know.
func TestCallsFail(t *testing.T) {
	tests := []struct {
		name  string
		calls int // how many the event needs
		do    func(s *stage, bob *actor)
		want  string // what alice hears, once or more often
	}{
		{"joined", 2, func(_ *stage, bob *actor) { bob.join("lobby") }, `{"kind":"joined","room":"lobby","id":"BOB","name":"bob"}`},
		{
			"say", 1, func(_ *stage, bob *actor) { bob.say("lobby", "hi") },
			`{"kind":"message","room":"lobby","number":1,"id":"hi","from":"BOB","name":"bob","text":"hi","time":"2000-01-01T00:00:00Z"}`,
		},
		{
			"typing", 1, func(_ *stage, bob *actor) { bob.event("typing", `{"room":"lobby"}`) },
			`{"kind":"typing","room":"lobby","id":"BOB","name":"bob"}`,
		},
		{
			"rename", 1, func(s *stage, _ *actor) { s.actors["carol"].event("rename", `{"name":"carla"}`) },
			`{"kind":"renamed","room":"lobby","id":"CAROL","name":"carla"}`,
		},
		{"left", 1, func(s *stage, _ *actor) { s.actors["carol"].leave("lobby") }, `{"kind":"left","room":"lobby","id":"CAROL"}`},
		{"closed", 1, func(s *stage, _ *actor) { s.actors["carol"].Close() }, `{"kind":"left","room":"lobby","id":"CAROL"}`},
		{
			"left fails for good, then disconnected", 4, func(s *stage, _ *actor) { s.actors["carol"].Close() },
			`{"kind":"left","room":"lobby","id":"CAROL"}`,
		},
	}
	for _, tt := range tests {
		for _, answers := range []bool{false, true} {
			for failures := 1; failures <= tt.calls; failures++ {
				t.Run(fmt.Sprintf("%s, %d calls fail, answers %v", tt.name, failures, answers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newStage(t)
						alice, bob := s.enter("alice", "lobby"), s.enter("bob")
						s.enter("carol", "lobby")
						alice.news()
						s.line.fail(failures, answers)
						tt.do(s, bob)
						time.Sleep(3 * retries)
						got := alice.news()
						if len(got) == 0 || len(got) > 1 && !answers {
							t.Fatalf("alice heard %q, want it once, or again if answers were lost", got)
						}
						for _, data := range got {
							if data != tt.want {
								t.Errorf("alice heard %s, want %s", data, tt.want)
							}
						}
					})
				})
			}
		}
	}
}

// An event that was overtaken by disconnected brings nobody back.
func TestJoinedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice, bob := s.enter("alice", "lobby"), s.enter("bob", "lobby")
		alice.news()
		bob.Close()
		alice.want(`{"kind":"left","room":"lobby","id":"BOB"}`)
		rec := httptest.NewRecorder()
		s.chat.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{
			Type: upstreamtest.TypeGroupJoined, ConnectionID: bob.ConnectionID(), Group: "lobby",
		}))
		if got, want := rec.Code, http.StatusNoContent; got != want {
			t.Errorf("status %d, want %d", got, want)
		}
		alice.want()
	})
}

// Many come, talk and go at once, and the pages of those who stay agree.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		const people, messages = 12, 5
		var all []*actor
		for i := range people {
			all = append(all, s.enter(fmt.Sprint("p", i)))
		}
		for _, a := range all {
			a.join("lobby")
		}
		for i := range messages {
			for j, a := range all {
				a.say("lobby", fmt.Sprint(j, " says ", i))
				if i == 2 {
					a.event("rename", fmt.Sprintf(`{"name":"new%d"}`, j))
				}
			}
		}
		for _, a := range all[people/2:] {
			a.leave("lobby")
		}
		want := map[string]string{}
		for i := range people / 2 {
			want[fmt.Sprint("P", i)] = fmt.Sprint("new", i)
		}
		for i, a := range all[:people/2] {
			p := a.page()
			if !cmp.Equal(p.people, want) {
				t.Errorf("page %d sees %v, want %v", i, p.people, want)
			}
			if got, want := len(p.messages), people*messages; got != want {
				t.Errorf("page %d has %d messages, want %d", i, got, want)
			}
			for j, id := range p.text() {
				if got, want := p.messages[id], j+1; got != want {
					t.Errorf("page %d: number %d, want %d", i, got, want)
				}
			}
		}
	})
}
