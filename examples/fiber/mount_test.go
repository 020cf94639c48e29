package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// TestEventsOutliveTheirRequests keeps what handlers are given, over more
// requests on the same connection, whose memory Fiber uses again and again.
func TestEventsOutliveTheirRequests(t *testing.T) {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu       sync.Mutex
		users    []string // guarded by mu
		messages [][]byte // guarded by mu
	)
	events := upstream.NewEventHandler(v, nil)
	events.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		mu.Lock()
		defer mu.Unlock()
		users = append(users, req.UserID)
		messages = append(messages, req.Data)
		return nil, nil
	})
	target := serve(t, events)

	var wantUsers []string
	var wantMessages [][]byte
	for i := range 3 {
		user, text := fmt.Sprintf("user%d", i), fmt.Sprintf("text%d", i)
		wantUsers, wantMessages = append(wantUsers, user), append(wantMessages, []byte(text))
		req := upstreamtest.NewRequest(upstreamtest.Event{UserID: user, Data: upstreamtest.Text(text)})
		resp, err := http.DefaultClient.Do(upstreamtest.To(target, req))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(users, wantUsers) {
		t.Errorf("users %q, want %q", users, wantUsers)
	}
	if !slices.EqualFunc(messages, wantMessages, slices.Equal) {
		t.Errorf("messages %q, want %q", messages, wantMessages)
	}
}

// serve returns the URL of events on Fiber, for as long as the test runs.
func serve(t *testing.T, events *upstream.EventHandler) string {
	app := fiber.New(newConfig())
	mount(app, "/eventhandler", events)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := app.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String() + "/eventhandler"
}
