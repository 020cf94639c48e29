package chat

import (
	"fmt"
	"slices"
	"testing"
)

// fill puts somebody into new rooms until all are in use.
func fill(r *rooms) {
	for i := len(r.byName); i < maxRooms; i++ {
		r.join(fmt.Sprintf("room %02d", i), "somebody", "somebody", "")
	}
}

func TestAllRoomsInUse(t *testing.T) {
	r := newRooms()
	r.join("lobby", "a", "alice", "")
	fill(r)
	if _, ok := r.join("further", "a", "alice", ""); ok {
		t.Error("there is a further room, want none")
	}
	if _, err := r.add("further", message{ID: "1"}); err != errFull {
		t.Errorf("got error %v, want %v", err, errFull)
	}
	if m, err := r.add("lobby", message{ID: "1"}); m.Number != 1 || err != nil {
		t.Errorf("got number %d and error %v in a room that is in use, want 1", m.Number, err)
	}
	if got := r.look("further"); got.People == nil || got.Messages == nil || len(got.People)+len(got.Messages) > 0 {
		t.Errorf("got %v, want empty lists", got)
	}
	if got, want := len(r.list()), maxRooms; got != want {
		t.Errorf("got %d rooms, want %d", got, want)
	}
}

func TestRoomsMakePlace(t *testing.T) {
	r := newRooms()
	for _, name := range []string{"first", "second", "third"} {
		r.join(name, "a", "alice", "")
		_, _ = r.add(name, message{ID: name})
	}
	fill(r)
	r.leave("second", "a", "")
	r.told("second", "a")
	r.leave("first", "a", "") // is not told yet
	if got := r.look("second").Messages; len(got) != 1 {
		t.Errorf("an empty room has %v, want its message", got)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(r.list(), func(s roomSize) bool { return s.Name == name })
	}
	r.join("fourth", "a", "alice", "")
	if has("second") || !has("first") {
		t.Errorf("first %v, second %v; want the one to go that is empty the longest", has("first"), has("second"))
	}
	r.join("fifth", "a", "alice", "")
	if has("first") || !has("third") || r.leave("first", "a", "") {
		t.Errorf("first %v, third %v; want the empty one to go", has("first"), has("third"))
	}
	r.told("first", "a") // too late, and no harm
	if _, ok := r.join("sixth", "a", "alice", ""); ok {
		t.Error("there is a sixth room, want none")
	}
}

func TestLeave(t *testing.T) {
	r := newRooms()
	if r.leave("lobby", "a", "") {
		t.Error("somebody who was never there is to be told of")
	}
	r.join("attic", "a", "alice", "")
	r.join("lobby", "a", "alice", "")
	for range 2 { // until it is told
		if !r.leave("lobby", "a", "") {
			t.Error("the others are not to be told, want it again and again")
		}
	}
	if got := r.look("lobby").People; len(got) > 0 {
		t.Errorf("got %v, want nobody", got)
	}
	r.join("lobby", "a", "alice", "") // comes back meanwhile
	r.told("lobby", "a")
	if got, want := len(r.look("lobby").People), 1; got != want {
		t.Errorf("got %d people, want %d", got, want)
	}
	r.leave("lobby", "a", "")
	for range 2 {
		if got, want := r.disconnect("a"), []string{"attic", "lobby"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r.leave("attic", "a", "")
	r.told("attic", "a")
	r.told("lobby", "a")
	if got := r.disconnect("a"); len(got) > 0 {
		t.Errorf("got %q, want nothing left to tell", got)
	}
	if _, ok := r.join("lobby", "a", "alice", ""); ok {
		t.Error("a connection that has ended came back")
	}
}

// Connections that have ended, and were never told of, cost no memory for ever.
func TestGoneIsBounded(t *testing.T) {
	r := newRooms()
	for i := range maxGone + 10 {
		id := fmt.Sprint(i)
		r.join("lobby", id, "somebody", "")
		r.disconnect(id)
		r.leave("lobby", id, "")
	}
	if got, want := len(r.gone), maxGone; got != want {
		t.Errorf("got %d connections, want %d", got, want)
	}
	if got, want := len(r.byName["lobby"].untold), maxGone; got != want {
		t.Errorf("got %d connections to tell of, want %d", got, want)
	}
}

// An event may come again after a rename, with the name of before.
func TestJoinAgainKeepsTheName(t *testing.T) {
	r := newRooms()
	r.join("lobby", "a", "alice", "")
	r.rename("a", "al", "")
	version := r.look("lobby").version
	r.join("lobby", "a", "alice", "")
	got := r.look("lobby")
	if got.People[0].Name != "al" || got.version != version {
		t.Errorf("got %v in version %d, want al in version %d", got.People, got.version, version)
	}
}

// What is remembered of events does not grow for ever, and what was forgotten
// is not late.
func TestLatestIsBounded(t *testing.T) {
	r := newRooms()
	for i := range maxLatest + 10 {
		r.rename(fmt.Sprint(i), "somebody", "7")
	}
	if got := len(r.latest); got != maxLatest || len(r.decided) != maxLatest {
		t.Errorf("got %d events in the order of %d, want %d", got, len(r.decided), maxLatest)
	}
	for id, want := range map[string]bool{"0": true, fmt.Sprint(maxLatest): false} {
		if _, ok := r.rename(id, "somebody", "6"); ok != want {
			t.Errorf("an older rename of connection %s: got %v, want %v", id, ok, want)
		}
	}
}

// Only numbers can be compared: other services may give other ids.
func TestLate(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		want          bool
	}{
		{"3", "2", true},
		{"10", "9", true},
		{"3", "3", false},
		{"9", "10", false},
		{"0", "0", false},
		{"18446744073709551615", "18446744073709551614", true},
		{"18446744073709551616", "3", false},
		{"3", "", false},
		{"", "3", false},
		{"3", "-2", false},
		{"b", "a", false},
		{"2f8e8c8e-0000", "1", false},
	} {
		r := newRooms()
		r.late(subject{"a", "lobby"}, tt.first)
		if got := r.late(subject{"a", "lobby"}, tt.second); got != tt.want {
			t.Errorf("%q after %q: got %v, want %v", tt.second, tt.first, got, tt.want)
		}
		if r.late(subject{"b", "lobby"}, "1") || r.late(subject{"a", "attic"}, "1") || r.late(subject{connection: "a"}, "1") {
			t.Errorf("%q after %q: other things are late too", tt.second, tt.first)
		}
	}
}
