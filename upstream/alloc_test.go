package upstream_test

import (
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

const (
	allocsOfValidate  = 0
	allocsOfTextEvent = 11
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop what they hold")
	}
	const other = "another key"
	v := keyValidator(t, demoKey, other)
	signature := wire.Sign("conn1", demoKey, other)
	c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: signature, Origins: []string{demoHost}}

	h := silentHandler(v)
	h.HandleUserMessage(echo)
	header := event(typeMessage, "Content-Type", "text/plain; charset=utf-8", "ce-signature", signature)
	body := []byte("hello")

	for _, tt := range []struct {
		name string
		max  int
		run  func()
	}{
		{"Validate with two keys and two tokens", allocsOfValidate, func() {
			if err := v.Validate(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}},
		{"HandleHTTP of a verified text event", allocsOfTextEvent, func() {
			if got := h.HandleHTTP(t.Context(), header, body).StatusCode; got != 200 {
				t.Fatalf("got status %d, want 200", got)
			}
		}},
	} {
		if got := testing.AllocsPerRun(1000, tt.run); got > float64(tt.max) {
			t.Errorf("%s: got %v allocations, want %d at most", tt.name, got, tt.max)
		}
	}
}
