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
)

// consenting returns a handler that answers handshakes with these lines.
func consenting(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Webhook-Allowed-Origin"] = lines
	}
}

func TestHandshakeRequest(t *testing.T) {
	b := backend{handshake: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		consenting("*")(w, r)
	}}
	h := everything(&b)
	h.URLTemplate = "http://a/{hub}/{event}?code=k"
	s := newSender(t, deliver.Options{Origin: "demo.example:8080", Keys: []string{primaryKey}})
	if _, err := s.Send(t.Context(), compile(t, h), message(newConnection(), "")); err != nil {
		t.Fatal(err)
	}
	if got, want := b.asked(), "OPTIONS GET"; got != want {
		t.Errorf("asked with %s, want %s", got, want)
	}
	want := http.Header{"Webhook-Request-Origin": {"demo.example"}, "Ce-Awpsversion": {"1.0"}}
	for _, r := range b.handshakes {
		if r.RequestURI != "/chat/validate?code=k" || r.body != "" || r.ContentLength != 0 {
			t.Errorf("%s %s with the body %q", r.Method, r.RequestURI, r.body)
		}
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Errorf("headers of %s (-want +got):\n%s", r.Method, diff)
		}
	}
	if got := b.got()[0].Header.Get("Cookie"); got != "" {
		t.Errorf("the event has the cookie %q of the handshake, want none", got)
	}
}

func TestJudgement(t *testing.T) {
	const kept = deliver.HandshakeRule(0)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		rule   deliver.HandshakeRule
		text   string // is part of the error
	}{
		{"star", consenting("*"), kept, ""},
		{"host", consenting("demo.example"), kept, ""},
		{"host in other case", consenting("Demo.Example"), kept, ""},
		{"host and port", consenting("demo.example:8080"), kept, ""},
		{"second line", consenting("other.example", "demo.example"), kept, ""},
		{"status 204", func(w http.ResponseWriter, r *http.Request) { consenting("*")(w, r); w.WriteHeader(204) }, kept, ""},
		{"no header", consenting(), deliver.RuleHeader, "200 OK and without WebHook-Allowed-Origin"},
		{"other header", reply("", "Access-Control-Allow-Origin", "*"), deliver.RuleHeader, "without WebHook-Allowed-Origin"},
		{"other host", consenting("other.example"), deliver.RuleOrigin, `WebHook-Allowed-Origin "other.example", want a line with "demo.example" or "*"`},
		{"empty", consenting(""), deliver.RuleOrigin, `""`},
		{"prefix", consenting("demo.example.evil.test"), deliver.RuleOrigin, "want a line"},
		{"URL", consenting("http://demo.example"), deliver.RuleOrigin, "want a line"},
		{"joined", consenting("other.example, demo.example"), deliver.RuleOneOrigin, `"other.example, demo.example", want one origin in a line`},
		{"star in a list", consenting("a,*"), deliver.RuleOneOrigin, "want one origin in a line"},
		{"joined strangers", consenting("a, b"), deliver.RuleOrigin, "want a line"},
		{"many", consenting("a", "b", "c", "d", "e"), deliver.RuleOrigin, `"a" and "b" and "c" and …`},
		{"403", status(403), deliver.RuleStatus, "OPTIONS http://localhost/eventhandler was answered with 403 Forbidden, want 2xx"},
		{"405", status(405), deliver.RuleStatus, "405 Method Not Allowed"},
		{"404", status(404), deliver.RuleStatus, "GET http://localhost/eventhandler was answered with 404 Not Found, after 404 to OPTIONS"},
		{"redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/eventhandler/?code=s3cret")
			w.WriteHeader(307)
		}, deliver.RuleStatus, "307 Temporary Redirect to /eventhandler/?code=…"},
		{"star with 401", func(w http.ResponseWriter, r *http.Request) { consenting("*")(w, r); w.WriteHeader(401) }, deliver.RuleStatus, "401 Unauthorized"},
		{"panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, deliver.RuleAnswer, "broke off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := backend{handshake: tt.answer}
			s := newSender(t, deliver.Options{Origin: "Demo.Example", RetryDelays: []time.Duration{}})
			_, err := s.Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
			if tt.rule == kept {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := asError[*deliver.HandshakeError](t, err)
			if e.Rule != tt.rule || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got rule %d, %q; want rule %d, %q", e.Rule, e, tt.rule, tt.text)
			}
			if e.Hint() == "" || strings.Contains(e.Error()+e.Hint(), "s3cret") {
				t.Errorf("hint %q", e.Hint())
			}
			if got := len(b.got()); got != 0 {
				t.Errorf("the handler got %d events without consent", got)
			}
		})
	}
}

// TestConsentIsRenewed runs through the life of a consent: asked for once,
// renewed in the background, kept meanwhile, lost, and won again.
func TestConsentIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		answer := consenting("*")
		b := backend{handshake: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			answer(w, r)
		}}
		set := func(h http.HandlerFunc) {
			mu.Lock()
			defer mu.Unlock()
			answer = h
		}
		s := newSender(t, deliver.Options{})
		handlers := compile(t, everything(&b))
		c := newConnection()
		start := time.Now()
		// at sends an event at a time and tells how long that took, whether it
		// arrived, and how often consent was asked for until after it.
		at := func(offset time.Duration, took time.Duration, ok bool, asked int) {
			t.Helper()
			time.Sleep(time.Until(start.Add(offset)))
			sent := time.Now()
			_, err := s.Send(t.Context(), handlers, message(c, ""))
			if got := time.Since(sent); got != took {
				t.Errorf("at %v: took %v, want %v", offset, got, took)
			}
			if (err == nil) != ok {
				t.Errorf("at %v: error %v, want success %v", offset, err, ok)
			}
			synctest.Wait()
			if got := strings.Count(b.asked(), "OPTIONS"); got != asked {
				t.Errorf("at %v: asked %d times, want %d", offset, got, asked)
			}
		}
		at(0, 2*time.Second, true, 1)
		at(61*time.Second, 0, true, 1)  // still good
		at(63*time.Second, 0, true, 2)  // renewed in the background
		at(64*time.Second, 0, true, 2)  // which takes a while
		at(124*time.Second, 0, true, 2) // good again, since second 65
		set(consenting("other"))
		at(126*time.Second, 0, true, 3)              // renewed, in vain: 128
		at(127*time.Second, 0, true, 3)              // not known yet
		at(128500*time.Millisecond, 0, false, 3)     // known, and not asked again at once
		at(129*time.Second, 2*time.Second, false, 4) // 1 s later it is: 131
		at(132*time.Second, 0, false, 4)
		at(133*time.Second, 2*time.Second, false, 5) // then 2 s later: 135
		at(138*time.Second, 0, false, 5)
		at(139*time.Second, 2*time.Second, false, 6) // then 4 s: 141
		set(consenting("*"))
		at(148*time.Second, 0, false, 6)
		at(149*time.Second, 2*time.Second, true, 7) // then 8 s
		at(150*time.Second, 0, true, 7)
		var outcomes []bool
		for _, r := range s.reported(true) {
			outcomes = append(outcomes, r.Err == nil)
		}
		if diff := cmp.Diff([]bool{true, false, true}, outcomes); diff != "" {
			t.Errorf("one report for each change (-want +got):\n%s", diff)
		}
	})
}

func TestBackoffEndsAtAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend{handshake: consenting()}
		s := newSender(t, deliver.Options{})
		handlers := compile(t, everything(&b))
		var pauses []time.Duration
		for range 8 {
			_, err := s.Send(t.Context(), handlers, message(newConnection(), ""))
			pause := asError[*deliver.HandshakeError](t, err).Pause
			pauses = append(pauses, pause/time.Second)
			time.Sleep(pause)
		}
		if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 32, 60, 60}, pauses); diff != "" {
			t.Errorf("pauses in seconds (-want +got):\n%s", diff)
		}
		if got := len(s.reported(true)); got != 1 {
			t.Errorf("%d reports about consent, want 1: nothing changed", got)
		}
	})
}

func TestConcurrentFirstEventsShareACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend{handshake: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			consenting("*")(w, r)
		}}
		s := newSender(t, deliver.Options{})
		h := everything(&b)
		h.URLTemplate = "http://a/{event}" // one URL to validate for all events
		handlers := compile(t, h)
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = gone
				}
				_, err := s.Send(ctx, handlers, newConnection().NewEvent(5, ""))
				if (err != nil) != (i == 0) {
					t.Errorf("event %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		leave() // who was first goes away, and the others still learn
		wg.Wait()
		if got := b.asked(); got != "OPTIONS" {
			t.Errorf("asked %s, want once", got)
		}
	})
}

func TestConsentIsPerURL(t *testing.T) {
	var b backend
	s := newSender(t, deliver.Options{})
	h := everything(&b)
	h.URLTemplate = "http://a/{hub}"
	handlers := compile(t, h)
	for _, hub := range []string{"a", "b", "a"} {
		c := &deliver.Connection{ID: "c", Hub: hub}
		if _, err := s.Send(t.Context(), handlers, message(c, "")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.asked(), "OPTIONS OPTIONS"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	var other backend
	if _, err := s.Send(t.Context(), compile(t, everything(&other)), message(newConnection(), "")); err != nil {
		t.Fatal(err)
	}
	if got, want := other.asked(), "OPTIONS"; got != want {
		t.Errorf("another handler with the same URL was asked %q, want %q", got, want)
	}
}

func TestHandshakeTimes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		took   time.Duration
		asked  int
	}{
		{"5xx", status(503), 9 * time.Second, 4},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 10 * time.Second, 1},
		{"hangs and does not care", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) }, 10 * time.Second, 1},
		{"429", status(429), 0, 1},
		{"slow 404, slow GET", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(8 * time.Second)
			w.WriteHeader(404)
		}, 16 * time.Second, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := backend{handshake: tt.answer}
				start := time.Now()
				_, err := newSender(t, deliver.Options{}).Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
				asError[*deliver.HandshakeError](t, err)
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				if got := len(strings.Fields(b.asked())); got != tt.asked {
					t.Errorf("asked %d times, want %d", got, tt.asked)
				}
				time.Sleep(time.Hour) // for who was left behind
			})
		})
	}
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := false
		b := backend{handshake: func(w http.ResponseWriter, r *http.Request) {
			if slow {
				<-r.Context().Done()
				return
			}
			consenting("*")(w, r)
		}}
		s := newSender(t, deliver.Options{})
		handlers := compile(t, everything(&b))
		if _, err := s.Send(t.Context(), handlers, message(newConnection(), "")); err != nil {
			t.Fatal(err)
		}
		slow = true
		waiting := make(chan error, 1)
		go func() {
			other := compile(t, everything(&b))
			_, err := s.Send(t.Context(), other, message(newConnection(), ""))
			waiting <- err
		}()
		synctest.Wait()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; !errors.Is(err, deliver.ErrShutdown) {
			t.Errorf("who waited for consent got %v, want %v", err, deliver.ErrShutdown)
		}
		time.Sleep(time.Hour)
		if _, err := s.Send(t.Context(), handlers, message(newConnection(), "")); err != nil {
			t.Errorf("a last event where there is consent: %v", err)
		}
		if _, err := s.Send(t.Context(), compile(t, everything(&b)), message(newConnection(), "")); !errors.Is(err, deliver.ErrShutdown) {
			t.Errorf("a last event where there is none: %v, want %v", err, deliver.ErrShutdown)
		}
		if got, want := b.asked(), "OPTIONS OPTIONS"; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		if got := len(s.reported(true)); got != 1 {
			t.Errorf("%d reports about consent, want 1", got)
		}
	})
}
