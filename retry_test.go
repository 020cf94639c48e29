package webpubsub_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

var (
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	errTLS   = &tls.CertificateVerificationError{Err: errors.New("not the one")}
)

// TestRepetition shows for each operation which failures are followed by
// another request.
func TestRepetition(t *testing.T) {
	tests := []struct {
		name    string
		failure any
		// How many requests an operation makes that may be done twice, and one
		// that may not.
		repeatable, once int
	}{
		{"no connection", errDial, 4, 4},
		{"lost connection", errReset, 4, 1},
		{"wrong certificate", errTLS, 1, 1},
		{"400", status(400, ""), 1, 1},
		{"401", status(401, ""), 1, 1},
		{"408", status(408, ""), 4, 1},
		{"409", status(409, ""), 1, 1},
		{"413", status(413, ""), 1, 1},
		{"429", status(429, ""), 4, 4},
		{"500", status(500, ""), 4, 1},
		{"501", status(501, ""), 1, 1},
		{"502", status(502, ""), 4, 1},
		{"503", status(503, ""), 4, 1},
		{"503 with Retry-After", status(503, "", "Retry-After", "0"), 4, 4},
		{"503 with a strange Retry-After", status(503, "", "Retry-After", "soon"), 4, 1},
		{"504", status(504, ""), 4, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, op := range calls(t) {
					s := answering(tt.failure)
					if err := op.do(t.Context(), s.client(t, nil)); err == nil {
						t.Errorf("%s: no error", op.name)
					}
					want := tt.once
					if op.repeat {
						want = tt.repeatable
					}
					if got := len(s.requests); got != want {
						t.Errorf("%s: got %d requests, want %d", op.name, got, want)
					}
				}
			})
		})
	}
}

// The second try succeeds, with the same body and identifier and a new token.
func TestSecondTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := answering(status(429, `{"code":"Busy"}`), status(202, ""))
		client := s.client(t, &webpubsub.ClientOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err := client.SendToAll(t.Context(), webpubsub.Text("hello"), nil); err != nil {
			t.Fatal(err)
		}
		if len(s.bodies) != 2 || s.bodies[0] != "hello" || s.bodies[1] != "hello" {
			t.Fatalf("got bodies %q", s.bodies)
		}
		first, second := s.requests[0].Header, s.requests[1].Header
		const id = "X-Ms-Client-Request-Id"
		if first.Get(id) != second.Get(id) {
			t.Errorf("got identifiers %q and %q", first.Get(id), second.Get(id))
		}
		checkToken(t, second.Get("Authorization"), endpoint+s.requests[1].URL.RequestURI(), time.Now())
		for _, want := range []string{"level=WARN", "operation=SendToAll", "attempt=1", "Busy", "delay="} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q: %s", want, log.String())
			}
		}
		for _, secret := range []string{first.Get("Authorization")[7:], accessKey, "hello"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log shows %q: %s", secret, log.String())
			}
		}
	})
}

// The pauses double, and chance takes away up to half.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		var times []time.Time
		s.respond = func(*http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			return status(500, ""), nil
		}
		client := s.client(t, &webpubsub.ClientOptions{MaxRetries: 5, RetryDelay: time.Second, MaxRetryDelay: 5 * time.Second})
		serviceError(t, client.Health(t.Context()))
		for i, most := range []time.Duration{1, 2, 4, 5, 5} {
			most *= time.Second
			if got := times[i+1].Sub(times[i]); got < most/2 || got > most {
				t.Errorf("pause %d: got %v, want %v to %v", i+1, got, most/2, most)
			}
		}
		if len(times) != 6 {
			t.Errorf("got %d requests, want 6", len(times))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name, header string
		want         time.Duration // until the second request; 0: there is none
		retryAfter   time.Duration
	}{
		{"seconds", "7", 7 * time.Second, 7 * time.Second},
		{"date", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * time.Second, 9 * time.Second},
		{"longer than we wait", "31", 0, 31 * time.Second},
		{"absurd", "2147483647", 0, 2147483647 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var second time.Duration
				s := &service{}
				s.respond = func(*http.Request) (*http.Response, error) {
					if len(s.requests) == 2 {
						second = time.Since(start)
					}
					return status(503, "", "Retry-After", tt.header), nil
				}
				err := s.client(t, &webpubsub.ClientOptions{MaxRetries: 1}).SendToAll(t.Context(), webpubsub.Text(""), nil)
				e := serviceError(t, err)
				if second != tt.want {
					t.Errorf("the second request came after %v, want %v", second, tt.want)
				}
				if tt.want == 0 && e.RetryAfter != tt.retryAfter {
					t.Errorf("got RetryAfter %v, want %v", e.RetryAfter, tt.retryAfter)
				}
			})
		})
	}
}

func TestNoRetries(t *testing.T) {
	s := answering(errDial)
	if err := s.client(t, &webpubsub.ClientOptions{MaxRetries: -1}).Health(t.Context()); !errors.Is(err, errDial) {
		t.Errorf("got error %v, want %v", err, errDial)
	}
	if len(s.requests) != 1 {
		t.Errorf("got %d requests, want 1", len(s.requests))
	}
}

// A context that ends stops the waiting at once.
func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := answering(status(429, "", "Retry-After", "20"))
		start := time.Now()
		time.AfterFunc(3*time.Second, cancel)
		err := s.client(t, nil).Health(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v", err, context.Canceled)
		}
		if e := serviceError(t, err); e.StatusCode != 429 {
			t.Errorf("got status %d, want 429", e.StatusCode)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("it took %v, want 3s", waited)
		}
	})
}

// A pause that would not end before the deadline is not begun.
func TestDeadlineBeforeRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := answering(status(429, "", "Retry-After", "20"))
		start := time.Now()
		serviceError(t, s.client(t, nil).Health(ctx))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("it took %v, want no time", waited)
		}
	})
}

// The end of the context is never a reason to try again, and is in the error.
func TestCancelledRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{}
	s.respond = func(req *http.Request) (*http.Response, error) {
		cancel()
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if err := s.client(t, nil).Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if len(s.requests) != 1 {
		t.Errorf("got %d requests, want 1", len(s.requests))
	}
}

// An answer that breaks off counts as none.
func TestBrokenAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := status(200, "")
		broken.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"value":[`), failingReader{}))
		s := answering(broken, status(200, `{"value":[{"connectionId":"c1"}]}`))
		if got := members(t, s.client(t, nil), nil); len(got) != 1 || got[0].ConnectionID != "c1" {
			t.Errorf("got %v", got)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
