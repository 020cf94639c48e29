package chat_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An event that comes again, or after one that is newer, changes nothing any
// more: whoever has the page of the inspector can send each once more.
func TestOldEvents(t *testing.T) {
	const (
		left   = `{"kind":"left","room":"lobby","id":"BOB"}`
		joined = `{"kind":"joined","room":"lobby","id":"BOB","name":"bob"}`
	)
	renamed := func(name string) string { return `{"kind":"renamed","room":"lobby","id":"BOB","name":"` + name + `"}` }
	tests := []struct {
		name   string
		do     func(bob *actor)
		again  string   // the event, of which the first one is sent again
		before []string // what alice hears of what bob does
		after  []string // and of the event that comes again
		people map[string]string
	}{
		{
			"joined, of somebody who has left", func(bob *actor) { bob.leave("lobby") }, "joined",
			[]string{left},
			nil,
			map[string]string{"ALICE": "alice"},
		},
		{
			"left, of somebody who is back", func(bob *actor) {
				bob.leave("lobby")
				bob.join("lobby")
			}, "left",
			[]string{left, joined},
			nil,
			map[string]string{"ALICE": "alice", "BOB": "bob"},
		},
		{
			"rename, of somebody with a third name", func(bob *actor) {
				bob.event("rename", `{"name":"bo"}`)
				bob.event("rename", `{"name":"b"}`)
			}, "rename",
			[]string{renamed("bo"), renamed("b")},
			nil,
			map[string]string{"ALICE": "alice", "BOB": "b"},
		},
		{
			"joined, of somebody with another name", func(bob *actor) { bob.event("rename", `{"name":"bo"}`) }, "joined",
			[]string{renamed("bo")},
			[]string{strings.Replace(joined, `"bob"`, `"bo"`, 1)},
			map[string]string{"ALICE": "alice", "BOB": "bo"},
		},
		{
			"joined, of somebody whose connection has ended", func(bob *actor) { bob.Close() }, "joined",
			[]string{left},
			nil,
			map[string]string{"ALICE": "alice"},
		},
		{
			"left, of somebody who has left", func(bob *actor) { bob.leave("lobby") }, "left",
			[]string{left},
			nil,
			map[string]string{"ALICE": "alice"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				alice, bob := s.enter("alice", "lobby"), s.enter("bob", "lobby")
				alice.news()
				tt.do(bob)
				alice.want(tt.before...)
				s.again(bob, tt.again)
				alice.want(tt.after...)
				carol := s.enter("carol", "lobby")
				tt.people["CAROL"] = "carol"
				if got := carol.page().people; !cmp.Equal(got, tt.people) {
					t.Errorf("a newcomer sees %v, want %v", got, tt.people)
				}
			})
		})
	}
}

// When all attempts of the service have failed, the same event once more still
// tells the others: its id is not older than itself.
func TestSameEventAgain(t *testing.T) {
	tests := []struct {
		event string
		do    func(bob *actor)
		want  string
	}{
		{"joined", func(bob *actor) { bob.join("attic") }, `{"kind":"joined","room":"attic","id":"BOB","name":"bob"}`},
		{"left", func(bob *actor) { bob.leave("lobby") }, `{"kind":"left","room":"lobby","id":"BOB"}`},
		{"rename", func(bob *actor) { bob.event("rename", `{"name":"bo"}`) }, `{"kind":"renamed","room":"lobby","id":"BOB","name":"bo"}`},
	}
	for _, tt := range tests {
		t.Run(tt.event, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				alice, bob := s.enter("alice", "lobby", "attic"), s.enter("bob")
				bob.join("lobby")
				alice.news()
				s.forget()
				s.line.fail(1000, false)
				tt.do(bob)
				time.Sleep(3 * retries)
				s.line.fail(0, false)
				alice.want()
				for range 2 {
					s.again(bob, tt.event)
				}
				got := alice.news()
				if len(got) == 0 || got[0] != tt.want {
					t.Errorf("alice heard %q, want %s", got, tt.want)
				}
			})
		})
	}
}
