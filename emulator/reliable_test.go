package emulator_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
)

// A reliable client that acknowledges what it got, and is cut off at any time,
// gets every message, in order. It may get a message again, and knows it by its
// number.
func TestReliableDelivery(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testReliableDelivery(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func testReliableDelivery(t *testing.T, random *rand.Rand) {
	s := &stage{t: t, service: startQuiet(t, emulator.Options{}), actors: map[string]*actor{}}
	rest := serviceClient(t, s.service)
	s.names.speaker = "alice"
	alice := s.dial("alice", map[string]string{"user": "alice", "groups": "room", "subprotocol": "json.reliable"}, "")
	s.names.shorten(alice.take())

	var got []string
	last := 0
	receive := func() {
		for frame := range linesOf(alice.take()) {
			var m struct {
				Type       string
				Data       string
				SequenceID int
			}
			if err := json.Unmarshal([]byte(frame), &m); err != nil {
				t.Fatalf("frame %q: %v", frame, err)
			}
			switch {
			case m.Type != "message" || m.SequenceID <= last: // seen before
			case m.SequenceID != last+1:
				t.Fatalf("got number %d after %d", m.SequenceID, last)
			default:
				last = m.SequenceID
				got = append(got, m.Data)
			}
		}
	}

	const messages = 200
	away := false
	for i := range messages {
		if err := rest.SendToGroup(t.Context(), "room", webpubsub.Text(fmt.Sprint(i)), nil); err != nil {
			t.Fatal(err)
		}
		switch n := random.IntN(10); {
		case away && n < 5:
			alice = s.recover("alice", alice, nil)
			away = false
		case !away && n < 2:
			alice.drop()
			away = true
		case !away && n < 5:
			synctest.Wait()
			receive()
			alice.send(t, fmt.Sprintf(`{"type":"sequenceAck","sequenceId":%d}`, last))
		case !away && n < 6: // what is on its way may be lost with the network connection
			alice.line.deaf.Store(true)
		case n < 7:
			time.Sleep(time.Duration(random.IntN(5)) * time.Second)
		}
		if !away && alice.line.deaf.Load() && random.IntN(3) == 0 {
			receive()
			alice = s.recover("alice", alice, nil)
		}
	}
	if away || alice.line.deaf.Load() {
		receive()
		alice = s.recover("alice", alice, nil)
	}
	synctest.Wait()
	receive()
	if len(got) != messages {
		t.Fatalf("got %d messages, want %d", len(got), messages)
	}
	for i, text := range got {
		if text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, text)
		}
	}
}
