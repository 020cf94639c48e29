package upstreamtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A fakeTB records what the kit reports to a test.
type fakeTB struct {
	testing.TB // of the real test; it also has the private method

	mu    sync.Mutex // guards what follows
	lines []string
	fatal bool
}

// report runs a test against a fakeTB, as the testing package does on a
// goroutine of its own, and returns what it reported.
func report(t *testing.T, test func(testing.TB)) *fakeTB {
	t.Helper()
	tb := &fakeTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(tb)
	}()
	<-done
	return tb
}

func (tb *fakeTB) Helper() {}

func (tb *fakeTB) Error(args ...any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.lines = append(tb.lines, fmt.Sprint(args...))
}

func (tb *fakeTB) Errorf(format string, args ...any) { tb.Error(fmt.Sprintf(format, args...)) }

func (tb *fakeTB) Fatal(args ...any) {
	tb.Error(args...)
	tb.fatal = true
	runtime.Goexit()
}

func (tb *fakeTB) Fatalf(format string, args ...any) { tb.Fatal(fmt.Sprintf(format, args...)) }

func (tb *fakeTB) Failed() bool {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return len(tb.lines) > 0
}

func (tb *fakeTB) text() string { return strings.Join(tb.lines, "\n") }

// answer is a hand-written handler that consents to the handshake and answers
// every event in the same way.
func answer(status int, header http.Header, body string) http.Handler {
	return consenting(func(w http.ResponseWriter, r *http.Request) {
		for k, vs := range header {
			w.Header()[k] = vs
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// consenting consents to the handshake and leaves the events to fn.
func consenting(fn http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fn(w, r)
			return
		}
		w.Header().Set("WebHook-Allowed-Origin", "*")
	})
}

func newEventHandler(t *testing.T, options *upstream.Options) *upstream.EventHandler {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	if options == nil {
		options = &upstream.Options{}
	}
	options.Logger = slog.New(slog.DiscardHandler)
	return upstream.NewEventHandler(v, options)
}

func newEchoHandler(t *testing.T, options *upstream.Options) *upstream.EventHandler {
	t.Helper()
	h := newEventHandler(t, options)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType}, nil
	})
	return h
}
