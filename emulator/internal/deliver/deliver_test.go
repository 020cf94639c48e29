package deliver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// inTurn returns a handler that answers with each of the statuses in turn, and
// then with the last one.
func inTurn(codes ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		code := codes[0]
		if len(codes) > 1 {
			codes = codes[1:]
		}
		if code == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(code)
	}
}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   http.HandlerFunc
		attempts int
		took     time.Duration
		ok       bool
	}{
		{"fine", inTurn(204), 1, 0, true},
		{"fine after all", inTurn(500, 408, 0, 200), 4, 9 * time.Second, true},
		{"always 503", inTurn(503), 4, 9 * time.Second, false},
		{"always broken off", inTurn(0), 4, 9 * time.Second, false},
		{"503 and then 400", inTurn(503, 400), 2, time.Second, false},
		{"400", inTurn(400), 1, 0, false},
		{"429", inTurn(429), 1, 0, false},
		{"302", inTurn(302), 1, 0, false},
		{"600", inTurn(600), 1, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := backend{event: tt.answer}
				s := newSender(t, deliver.Options{Keys: []string{primaryKey}})
				c := newConnection()
				c.UserID = "ann"
				start := time.Now()
				_, err := s.Send(t.Context(), compile(t, everything(&b)), message(c, "hello"))
				if (err == nil) != tt.ok {
					t.Errorf("error %v, want success %v", err, tt.ok)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				events := b.got()
				if got := len(events); got != tt.attempts {
					t.Fatalf("%d attempts, want %d", got, tt.attempts)
				}
				for _, again := range events[1:] {
					if diff := cmp.Diff(events[0].Header, again.Header); diff != "" || again.body != "hello" {
						t.Errorf("another attempt has the body %q and other headers:\n%s", again.body, diff)
					}
				}
				reports := s.reported(false)
				if len(reports) != 1 {
					t.Fatalf("%d reports, want 1", len(reports))
				}
				r := reports[0]
				if r.Hub != "chat" || r.Type != "azure.webpubsub.user.message" || r.Event != "message" || r.ConnectionID != "conn1" ||
					r.UserID != "ann" || r.URL != deliver.InProcessURL || r.Attempts != tt.attempts || r.Duration != tt.took || r.Err != err {
					t.Errorf("report is %+v", r)
				}
			})
		})
	}
}

func TestTimeouts(t *testing.T) {
	hang := func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) }
	wait := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name    string
		options deliver.Options
		answer  http.HandlerFunc
		took    time.Duration
		text    string
	}{
		{"waits for the client", deliver.Options{}, wait, 100 * time.Second, "did not answer within 1m40s"},
		{"hangs", deliver.Options{}, hang, 100 * time.Second, "did not answer within 1m40s"},
		{
			"fails slowly", deliver.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(60 * time.Second)
				w.WriteHeader(503)
			}, 100 * time.Second, "within 1m40s (2 attempts; before that: 503 Service Unavailable)",
		},
		{"ends in a pause", deliver.Options{Timeout: 2 * time.Second}, status(500), 2 * time.Second, "within 2s (2 attempts; before that: 500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := backend{event: tt.answer}
				start := time.Now()
				_, err := newSender(t, tt.options).Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
				e := asError[*deliver.TimeoutError](t, err)
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				if e.Body || !strings.Contains(e.Error(), tt.text) {
					t.Errorf("got %q, want %q", e, tt.text)
				}
				time.Sleep(2 * time.Hour) // for who was left behind
			})
		})
	}
}

// TestDrip has an answer that comes byte by byte and never ends: when its
// status is good it counts, otherwise the status says enough.
func TestDrip(t *testing.T) {
	for _, tt := range []struct {
		status int
		took   time.Duration
	}{{200, 100 * time.Second}, {400, 5 * time.Second}, {500, 4*5*time.Second + 9*time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			b := backend{event: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(tt.status)
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte("x"))
					_ = http.NewResponseController(w).Flush()
					time.Sleep(900 * time.Millisecond)
				}
			}}
			s := newSender(t, deliver.Options{Transport: overPipes(t, &b)})
			start := time.Now()
			_, err := s.Send(t.Context(), compile(t, at("http://a")), message(newConnection(), ""))
			if got := time.Since(start); got != tt.took {
				t.Errorf("%d: took %v, want %v", tt.status, got, tt.took)
			}
			if tt.status != 200 {
				asError[*deliver.StatusError](t, err)
			} else if e := asError[*deliver.TimeoutError](t, err); !e.Body || !strings.Contains(e.Error(), "did not end within 1m40s") {
				t.Errorf("got %v", e)
			}
			time.Sleep(time.Minute) // for the handler to notice
		})
	}
}

func TestBodyTimeIsExtra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend{event: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			time.Sleep(90 * time.Second)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(90 * time.Second)
			_, _ = w.Write([]byte("late"))
		}}
		s := newSender(t, deliver.Options{Transport: overPipes(t, &b)})
		a, err := s.Send(t.Context(), compile(t, at("http://a")), message(newConnection(), ""))
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := a.Message(); string(m.Bytes) != "late" {
			t.Errorf("message %q, want %q", m.Bytes, "late")
		}
	})
}

func TestClientGoesAway(t *testing.T) {
	gone := errors.New("gone")
	for name, answer := range map[string]http.HandlerFunc{
		"while the handler works": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in a pause":              status(500),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := backend{event: answer}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(500*time.Millisecond, func() { cancel(gone) })
				start := time.Now()
				_, err := newSender(t, deliver.Options{}).Send(ctx, compile(t, everything(&b)), message(newConnection(), ""))
				if asError[*deliver.CanceledError](t, err); !errors.Is(err, gone) {
					t.Errorf("got %v, want %v", err, gone)
				}
				if got, want := time.Since(start), 500*time.Millisecond; got != want {
					t.Errorf("took %v, want %v", got, want)
				}
				if got := len(b.got()); got != 1 {
					t.Errorf("%d attempts, want 1", got)
				}
			})
		})
	}
}

// TestClientGoesAwayDuringBody ends the context between headers and body.
func TestClientGoesAwayDuringBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend{event: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := newSender(t, deliver.Options{Transport: overPipes(t, &b)})
		_, err := s.Send(ctx, compile(t, at("http://a")), message(newConnection(), ""))
		if asError[*deliver.CanceledError](t, err); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestState follows the state of a connection through answers of all kinds.
func TestState(t *testing.T) {
	c := newConnection()
	for _, step := range []struct {
		kind   wire.Kind
		answer http.HandlerFunc
		want   []string // the lines of ce-connectionState in the request
	}{
		{wire.KindConnect, reply("", "Ce-Connectionstate", "one"), nil},
		{wire.KindUser, reply(""), []string{"one"}},
		{wire.KindConnected, reply("", "Ce-Connectionstate", "x"), []string{"one"}},
		{wire.KindUser, reply("", "ce-connectionState", "two", "ce-connectionState", " three "), []string{"one"}},
		{wire.KindUser, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ce-connectionState", "x")
			w.WriteHeader(400)
		}, []string{"three"}},
		{wire.KindUser, reply("x", "Content-Type", "image/png", "Ce-Connectionstate", "x"), []string{"three"}},
		{wire.KindUser, reply("", "Ce-Connectionstate", ""), []string{"three"}},
		{wire.KindDisconnected, reply(""), []string{""}},
	} {
		b := backend{event: step.answer}
		_, _ = newSender(t, deliver.Options{}).Send(t.Context(), compile(t, everything(&b)), c.NewEvent(step.kind, "e"))
		if diff := cmp.Diff(step.want, b.got()[0].Header["Ce-Connectionstate"]); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.kind, diff)
		}
	}
	if state, ok := c.State(); state != "" || !ok {
		t.Errorf("State() = %q, %v; want empty and set", state, ok)
	}
}

func TestCookies(t *testing.T) {
	c, other := newConnection(), &deliver.Connection{ID: "conn2", Hub: "chat"}
	s := newSender(t, deliver.Options{})
	for _, step := range []struct {
		conn   *deliver.Connection
		answer http.HandlerFunc
		want   string
	}{
		{c, reply("", "Set-Cookie", "a=1; Path=/", "Set-Cookie", "b=2"), ""},
		{c, reply(""), "b=2; a=1"},
		{other, reply(""), ""},
		{c, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "a=3; Path=/")
			w.WriteHeader(400)
		}, "b=2; a=1"},
		{c, reply("", "Set-Cookie", "b=; Max-Age=0"), "b=2; a=1"},
		{c, reply(""), "a=1"},
	} {
		b := backend{event: step.answer}
		h := everything(&b)
		h.URLTemplate = "http://a/x/y"
		_, _ = s.Send(t.Context(), compile(t, h), message(step.conn, ""))
		if got := b.got()[0].Header.Get("Cookie"); got != step.want {
			t.Errorf("cookies %q, want %q", got, step.want)
		}
	}
}

func TestCookiesAreBounded(t *testing.T) {
	n := 0
	b := backend{event: func(w http.ResponseWriter, _ *http.Request) {
		n++
		http.SetCookie(w, &http.Cookie{Name: "c" + strings.Repeat("x", n), Value: "v"})
	}}
	s := newSender(t, deliver.Options{})
	handlers := compile(t, everything(&b))
	c := newConnection()
	most := 0
	for range 250 {
		if _, err := s.Send(t.Context(), handlers, message(c, "")); err != nil {
			t.Fatal(err)
		}
		events := b.got()
		most = max(most, len(events[len(events)-1].Cookies()))
	}
	if most < 50 || most > 100 {
		t.Errorf("up to %d cookies, want no more than 100, and 50 at least", most)
	}
}

// TestConcurrentEvents is for the race detector: events of one connection.
func TestConcurrentEvents(t *testing.T) {
	b := backend{event: reply("ok", "Content-Type", "text/plain", "Ce-Connectionstate", "s", "Set-Cookie", "a=1")}
	s := newSender(t, deliver.Options{})
	handlers := compile(t, everything(&b))
	c := newConnection()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Send(t.Context(), handlers, message(c, "x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, e := range b.got() {
		ids[e.Header.Get("ce-id")] = true
	}
	if len(ids) != 20 {
		t.Errorf("%d different event ids, want 20", len(ids))
	}
}
