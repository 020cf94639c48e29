package upstream_test

import (
	"context"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// One more than measured where a release of Go may move the number.
const (
	allocsOfValidate  = 0
	allocsOfTextEvent = 11
	allocsOfConnect   = 200
	allocsOfSetState  = 70
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
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return &upstream.ConnectResponse{UserID: "alice", Groups: []string{"lobby"}}, nil
	})
	h.HandleUserEvent("count", func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		resp := upstream.Text("counted")
		return resp, resp.SetState("count", 2)
	})
	header := event(typeMessage, "Content-Type", "text/plain; charset=utf-8", "ce-signature", signature)
	connect := event(typeConnect, "ce-signature", signature)
	count := event("azure.webpubsub.user.count", "ce-connectionState", "eyJjb3VudCI6MX0=", "ce-signature", signature)
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
		{"HandleHTTP of a typical connect", allocsOfConnect, func() {
			if got := h.HandleHTTP(t.Context(), connect, []byte(connectBody)).StatusCode; got != 200 {
				t.Fatalf("got status %d, want 200", got)
			}
		}},
		{"HandleHTTP with a change of state", allocsOfSetState, func() {
			if got := h.HandleHTTP(t.Context(), count, body).StatusCode; got != 200 {
				t.Fatalf("got status %d, want 200", got)
			}
		}},
	} {
		if got := testing.AllocsPerRun(1000, tt.run); got > float64(tt.max) {
			t.Errorf("%s: got %v allocations, want %d at most", tt.name, got, tt.max)
		}
	}
}
