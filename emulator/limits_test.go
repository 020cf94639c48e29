package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// startQuiet starts a service that logs nothing.
func startQuiet(t testing.TB, options emulator.Options) *emulatortest.Service {
	t.Helper()
	options.Logger = slog.New(slog.DiscardHandler)
	return emulatortest.StartWith(t, &options)
}

// serviceClient returns a client of the REST data plane for the hub chat.
func serviceClient(t testing.TB, service *emulatortest.Service) *webpubsub.Client {
	t.Helper()
	c, err := webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMessageBytes(t *testing.T) {
	const limit = 1000
	frame := func(size int) string {
		const around = `{"type":"sendToGroup","group":"room","ackId":1,"dataType":"text","data":""}`
		return strings.Replace(around, `""`, `"`+strings.Repeat("x", size-len(around))+`"`, 1)
	}
	service := startQuiet(t, emulator.Options{Limits: emulator.Limits{MessageBytes: limit}})
	c := service.Connect("chat", &emulatortest.ConnectOptions{Roles: []string{"webpubsub.sendToGroup"}})
	c.Send(frame(limit))
	if got, want := c.Receive(), `{"type":"ack","ackId":1,"success":true}`; got != want {
		t.Errorf("message of %d bytes: got %s, want %s", limit, got, want)
	}
	c.Send(frame(limit + 1))
	if code, _ := c.ReceiveClose(); code != 1009 {
		t.Errorf("message of %d bytes: got code %d, want 1009", limit+1, code)
	}

	rest := serviceClient(t, service)
	if err := rest.SendToAll(t.Context(), webpubsub.Text(strings.Repeat("x", limit)), nil); err != nil {
		t.Errorf("body of %d bytes: got %v", limit, err)
	}
	var refused *webpubsub.Error
	err := rest.SendToAll(t.Context(), webpubsub.Text(strings.Repeat("x", limit+1)), nil)
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("body of %d bytes: got %v, want status 413", limit+1, err)
	}
}

// A client that does not read is disconnected. It holds up nobody.
func TestSlowClient(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits emulator.Limits
		closed string
	}{
		{"messages", emulator.Limits{QueuedMessages: 10}, "SlowClient"},
		{"bytes", emulator.Limits{QueuedBytes: 100_000}, "SlowClient"},
		{"write timeout", emulator.Limits{WriteTimeout: 3 * time.Second}, "SlowClient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reasons recordLog
				service := startQuiet(t, emulator.Options{Limits: tt.limits, Observe: reasons.add})
				rest := serviceClient(t, service)
				fast := service.Connect("chat", nil)

				s := &stage{t: t, service: service, actors: map[string]*actor{}}
				slow := s.dial("slow", map[string]string{"user": "slow"}, "")
				slow.line.deaf.Store(true)

				const messages = 50
				for i := range messages {
					text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 10_000))
					if err := rest.SendToAll(t.Context(), webpubsub.Text(text), nil); err != nil {
						t.Fatal(err)
					}
					if got, want := fast.Receive(), fmt.Sprintf(`{"type":"message","from":"server","dataType":"text","data":%q}`, text); got != want {
						t.Fatalf("message %d: the fast client got %.100s, want %.100s", i, got, want)
					}
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if ok, err := rest.UserExists(t.Context(), "slow"); ok || err != nil {
					t.Errorf("slow client exists: got %t, %v, want false", ok, err)
				}
				if got := reasons.reasons(); len(got) != 1 || got[0] != tt.closed {
					t.Errorf("got closed %q, want %q", got, tt.closed)
				}
				fast.Send(`{"type":"ping"}`)
				if got, want := fast.Receive(), `{"type":"pong"}`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

// A recordLog keeps records.
type recordLog struct {
	mu      sync.Mutex // guards records
	records []emulator.Record
}

func (l *recordLog) add(r emulator.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

// reasons returns why connections were closed.
func (l *recordLog) reasons() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var reasons []string
	for _, r := range l.records {
		if r.Kind == emulator.Closed {
			reasons = append(reasons, r.Reason)
		}
	}
	return reasons
}

// Shutdown gives up waiting for a handler when its context says so.
func TestShutdownTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WebHook-Allowed-Origin", "*")
			if r.Header.Get("ce-eventName") == "disconnected" {
				<-release
			}
		})
		server, err := emulator.New(&emulator.Options{
			Settings: emulator.Settings{Default: emulatortest.AllEvents(handler)},
			Logger:   slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Errorf("nothing to do: got %v, want nil", err)
		}

		service := startQuiet(t, emulator.Options{Settings: emulator.Settings{Default: emulatortest.AllEvents(handler)}})
		service.Connect("chat", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := service.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("handler hangs: got %v, want %v", err, context.DeadlineExceeded)
		}
		close(release)
		synctest.Wait()
		if err := service.Shutdown(t.Context()); err != nil {
			t.Errorf("second time: got %v, want nil", err)
		}
	})
}
