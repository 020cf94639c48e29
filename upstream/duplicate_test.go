package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// guarded is a handler with a DuplicateGuard, and the number of times that
// its handlers ran.
func guarded(t *testing.T, opts upstream.Options, guard *upstream.DuplicateGuardOptions) (*upstream.EventHandler, *int) {
	runs := new(int)
	opts.Duplicates = upstream.NewDuplicateGuard(guard)
	opts.Middleware = append(opts.Middleware, func(next upstream.HandlerFunc) upstream.HandlerFunc {
		return func(ctx context.Context, req upstream.Request) (upstream.Reply, error) {
			*runs++
			return next(ctx, req)
		}
	})
	return newHandler(t, &opts), runs
}

func TestDuplicates(t *testing.T) {
	var rec recorder
	h, runs := guarded(t, upstream.Options{Observe: rec.observe}, nil)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		resp := upstream.Text(fmt.Sprint("run ", *runs))
		resp.Metadata = map[string]string{"run": fmt.Sprint(*runs)}
		resp.Cookies = []*http.Cookie{{Name: "run", Value: fmt.Sprint(*runs)}}
		return resp, resp.SetState("run", *runs)
	})
	first := dump(post(h, event(typeMessage), "x"))
	for range 3 {
		if got := dump(post(h, event(typeMessage), "x")); got != first {
			t.Errorf("retry: got\n%s\nwant\n%s", got, first)
		}
	}
	resp := h.HandleHTTP(t.Context(), event(typeMessage), []byte("x"))
	resp.Body[0], resp.Header["Set-Cookie"] = '!', nil // what one caller does is nothing to the next
	if got := dump(post(h, event(typeMessage), "x")); got != first {
		t.Errorf("after a caller changed its answer: got\n%s\nwant\n%s", got, first)
	}
	if *runs != 1 {
		t.Errorf("the handler ran %d times, want 1", *runs)
	}
	for i, r := range rec.records() {
		if r.Duplicate != (i > 0) || r.Status != 200 {
			t.Errorf("record %d: Duplicate is %v, status %d", i, r.Duplicate, r.Status)
		}
	}
}

func TestWhatIsTheSameEvent(t *testing.T) {
	type request struct {
		header http.Header
		body   string
	}
	message := func(pairs ...string) request { return request{event(typeMessage, pairs...), "x"} }
	bare := func(header http.Header, body string) request {
		return request{without(header, "x-ms-client-request-id"), body}
	}
	mqtt := func(pairs ...string) request { return request{mqttEvent(typeMessage, pairs...), "x"} }
	connectBody := mqttConnectBody(5)
	for _, tt := range []struct {
		name          string
		first, second request
		same          bool
	}{
		{"all equal", message(), message(), true},
		{"hub in another case", message(), message("ce-hub", "CHAT"), true},
		{"type in another case", message(), message("ce-type", "Azure.WebPubSub.User.Message"), true},
		{"other time and state", message(), message("ce-time", "2026-09-01T08:00:03Z", "ce-connectionState", "x"), true},
		{"no request id", bare(event(typeMessage), "x"), bare(event(typeMessage), "x"), true},
		{"another body", message(), request{event(typeMessage), "y"}, false},
		{"another user", message(), message("ce-userId", "bob"), false},
		{"no user", message(), request{without(event(typeMessage), "ce-userId"), "x"}, false},
		{"another hub", message(), message("ce-hub", "chat2"), false},
		{"another connection", message(), message("ce-connectionId", "conn2"), false},
		{"another event id", message(), message("ce-id", "3"), false},
		{"another request id", message(), message("x-ms-client-request-id", "other"), false},
		{"another type", message(), request{event("azure.webpubsub.user.vote"), "x"}, false},
		{"no event id", request{without(event(typeMessage), "ce-id"), "x"}, request{without(event(typeMessage), "ce-id"), "x"}, false},
		{"text moved from one id to the next", message("ce-connectionId", "a", "ce-userId", "bc"), message("ce-connectionId", "ab", "ce-userId", "c"), false},
		{"connect", request{event(typeConnect), "{}"}, request{event(typeConnect), "{}"}, true},
		{"connect without request id", bare(event(typeConnect), "{}"), bare(event(typeConnect), "{}"), false},
		{"MQTT", mqtt(), mqtt(), true},
		{"MQTT, physical id only", bare(mqttEvent(typeMessage), "x"), bare(mqttEvent(typeMessage), "x"), true},
		{"MQTT, another physical connection", mqtt(), mqtt("ce-physicalConnectionId", "p2"), false},
		{"MQTT, another session", mqtt("ce-sessionId", "s1"), mqtt("ce-sessionId", "s2"), false},
		{
			"MQTT, neither physical nor request id",
			bare(event(typeMessage, "ce-subprotocol", "mqtt"), "x"), bare(event(typeMessage, "ce-subprotocol", "mqtt"), "x"), false,
		},
		{"MQTT connect", request{mqttEvent(typeConnect), connectBody}, request{mqttEvent(typeConnect), connectBody}, true},
		{
			"MQTT connect, another physical connection",
			bare(mqttEvent(typeConnect), connectBody), bare(mqttEvent(typeConnect, "ce-physicalConnectionId", "p2"), connectBody), false,
		},
		{"MQTT connect known by its body only", bare(event(typeConnect), connectBody), bare(event(typeConnect), connectBody), false},
	} {
		h, runs := guarded(t, upstream.Options{}, nil)
		for _, register := range registrations {
			register(h)
		}
		for _, r := range []request{tt.first, tt.second} {
			if w := post(h, r.header, r.body); w.Code/100 != 2 {
				t.Errorf("%s: got %d", tt.name, w.Code)
			}
		}
		if got := *runs == 1; got != tt.same {
			t.Errorf("%s: the handler ran %d times, want the same event: %v", tt.name, *runs, tt.same)
		}
	}
}

func TestDuplicatesAreVerified(t *testing.T) {
	h, runs := guarded(t, upstream.Options{Hubs: []string{"chat"}}, nil)
	h.HandleUserMessage(echo)
	post(h, event(typeMessage), "secret")
	for name, header := range map[string]http.Header{
		"bad signature":  event(typeMessage, "ce-signature", "sha256=00"),
		"foreign origin": event(typeMessage, "WebHook-Request-Origin", "evil.test"),
	} {
		if w := post(h, header, "secret"); w.Code/100 != 4 || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %q", name, w.Code, w.Body)
		}
	}
	if *runs != 1 {
		t.Errorf("the handler ran %d times, want 1", *runs)
	}
}

func TestWhatIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		leave func() error
		kept  bool
	}{
		"success":         {func() error { return nil }, true},
		"refusal":         {func() error { return upstream.NewError(403, "no") }, true},
		"429":             {func() error { return upstream.NewError(429, "no") }, true},
		"408":             {func() error { return upstream.NewError(408, "no") }, false},
		"503":             {func() error { return upstream.NewError(503, "no") }, false},
		"error":           {func() error { return errors.New("x") }, false},
		"panic":           {func() error { panic("x") }, false},
		"ErrAbortHandler": {func() error { panic(http.ErrAbortHandler) }, false},
		"Goexit":          {func() error { runtime.Goexit(); return nil }, false},
	} {
		// The second request comes during the first and waits for it.
		inBubble(t, name, func(t *testing.T) {
			h, runs := guarded(t, upstream.Options{}, nil)
			h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				run := *runs
				time.Sleep(time.Second)
				if run > 1 {
					return upstream.Text("second"), nil
				}
				return upstream.Text("first"), tt.leave()
			})
			var wg sync.WaitGroup
			var first, second *httptest.ResponseRecorder
			start := time.Now()
			wg.Go(func() { apart(func() { first = post(h, event(typeMessage), "x") }) })
			synctest.Wait()
			wg.Go(func() { second = post(h, event(typeMessage), "x") })
			wg.Wait()
			if tt.kept {
				if *runs != 1 || dump(first) != dump(second) || time.Since(start) != time.Second {
					t.Errorf("the handler ran %d times in %v, want once, in 1s; got %s and %s", *runs, time.Since(start), dump(first), dump(second))
				}
			} else if *runs != 2 || second.Body.String() != "second" || time.Since(start) != 2*time.Second {
				t.Errorf("the handler ran %d times in %v, want 2 in 2s; the retry got %s", *runs, time.Since(start), dump(second))
			}
		})
	}
}

func TestWaitingDuplicateIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		h, runs := guarded(t, upstream.Options{Observe: rec.observe}, nil)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(time.Minute)
			return upstream.Text("done"), nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { post(h, event(typeMessage), "x") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		wg.Go(func() {
			resp := h.HandleHTTP(ctx, event(typeMessage), []byte("x"))
			if resp.StatusCode != 503 || time.Since(start) != time.Second {
				t.Errorf("got %d after %v, want 503 after 1s", resp.StatusCode, time.Since(start))
			}
		})
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		if got := rec.records(); *runs != 1 || len(got) != 2 || !errors.Is(got[0].Err, context.Canceled) || got[1].Status != 200 {
			t.Errorf("%d runs, records %+v", *runs, got)
		}
	})
}

func TestDuplicateWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, runs := guarded(t, upstream.Options{}, &upstream.DuplicateGuardOptions{Window: 10 * time.Second})
		h.HandleUserMessage(echo)
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {10*time.Second - 1, 1}, {1, 2}, {9 * time.Second, 2}, {time.Second, 3}} {
			time.Sleep(tt.after)
			if post(h, event(typeMessage), "x"); *runs != tt.want {
				t.Errorf("after another %v: the handler ran %d times, want %d", tt.after, *runs, tt.want)
			}
		}
	})
}

func TestDuplicateMemory(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opts    upstream.DuplicateGuardOptions
		data    int
		send    int
		forgets int // how many of the sent ones run again, the oldest
	}{
		{"MaxAnswers", upstream.DuplicateGuardOptions{MaxAnswers: 3}, 1, 5, 2},
		{"MaxBytes", upstream.DuplicateGuardOptions{MaxBytes: 100_000}, 10_000, 12, 3}, // nine fit with what each costs
		{"an answer above an eighth", upstream.DuplicateGuardOptions{MaxBytes: 80_000}, 10_000, 1, 1},
		{"defaults", upstream.DuplicateGuardOptions{}, 1, 100, 0},
	} {
		h, runs := guarded(t, upstream.Options{}, &tt.opts)
		h.HandleUserMessage(echo)
		body := string(bytes.Repeat([]byte("x"), tt.data))
		for i := range tt.send {
			post(h, event(typeMessage, "ce-id", fmt.Sprint(i)), body)
		}
		for i := tt.send - 1; i >= tt.forgets; i-- { // newest first: asking does not change what is kept
			post(h, event(typeMessage, "ce-id", fmt.Sprint(i)), body)
		}
		if *runs != tt.send {
			t.Errorf("%s: %d of the newest were forgotten, want none", tt.name, *runs-tt.send)
		}
		for i := range tt.forgets {
			post(h, event(typeMessage, "ce-id", fmt.Sprint(i)), body)
		}
		if got := *runs - tt.send; got != tt.forgets {
			t.Errorf("%s: %d were forgotten, want %d", tt.name, got, tt.forgets)
		}
	}
	for name, opts := range map[string]upstream.DuplicateGuardOptions{
		"Window": {Window: -1}, "MaxAnswers": {MaxAnswers: -1}, "MaxBytes": {MaxBytes: -1},
	} {
		mustPanic(t, "negative "+name, func() { upstream.NewDuplicateGuard(&opts) })
	}
}

// TestLateAnswerIsForTheRetry: the handler overstays, its request is answered
// with 503, and the retry gets what it made of it.
func TestLateAnswerIsForTheRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, runs := guarded(t, upstream.Options{HandlerTimeout: 2 * time.Second}, nil)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(5 * time.Second)
			return upstream.Text("late"), nil
		})
		start := time.Now()
		for _, tt := range []struct {
			after time.Duration
			want  int
			body  string
		}{{2 * time.Second, 503, ""}, {4 * time.Second, 503, ""}, {5 * time.Second, 200, "late"}, {5 * time.Second, 200, "late"}} {
			w := post(h, event(typeMessage), "x")
			if w.Code != tt.want || w.Body.String() != tt.body || time.Since(start) != tt.after {
				t.Errorf("got %d %q after %v, want %d %q after %v", w.Code, w.Body, time.Since(start), tt.want, tt.body, tt.after)
			}
		}
		if *runs != 1 {
			t.Errorf("the handler ran %d times, want 1", *runs)
		}
		time.Sleep(time.Minute)
	})
}

// TestSharedGuard: two handlers of one hub behind different paths.
func TestSharedGuard(t *testing.T) {
	guard := upstream.NewDuplicateGuard(nil)
	first := answerMessage(t, &upstream.Options{Duplicates: guard}, upstream.Text("first"), nil)
	second := answerMessage(t, &upstream.Options{Duplicates: guard}, upstream.Text("second"), nil)
	post(first, event(typeMessage), "x")
	if got := post(second, event(typeMessage), "x").Body.String(); got != "first" {
		t.Errorf("got %q, want the first answer", got)
	}
}

// TestManyRetriesAtOnce: the race detector judges.
func TestManyRetriesAtOnce(t *testing.T) {
	h, runs := guarded(t, upstream.Options{}, &upstream.DuplicateGuardOptions{MaxBytes: 100_000})
	h.HandleUserMessage(echo)
	body := strings.Repeat("x", 1000)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if w := post(h, event(typeMessage), body); w.Code != 200 || w.Body.String() != body {
				t.Errorf("got %d", w.Code)
			}
		})
	}
	wg.Wait()
	if *runs != 1 {
		t.Errorf("the handler ran %d times, want 1", *runs)
	}
}

// A late refusal is as final as a late success.
func TestLateRefusalIsForTheRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, asked := 0, 0
		h := newHandler(t, &upstream.Options{
			HandlerTimeout: time.Second, Duplicates: upstream.NewDuplicateGuard(nil),
			HandleError: func(context.Context, error) int { asked++; return 0 },
		})
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			runs++
			time.Sleep(1500 * time.Millisecond)
			return nil, upstream.NewError(403, "no")
		})
		var got []int
		for range 3 {
			got = append(got, post(h, event(typeMessage), "x").Code)
			time.Sleep(3 * time.Second)
		}
		if want := []int{503, 403, 403}; !slices.Equal(got, want) || runs != 1 || asked != 1 {
			t.Errorf("got %v after %d runs and %d calls of HandleError, want %v after one each", got, runs, asked, want)
		}
	})
}

// A retry that waits runs no handler, and has nothing to tell about one.
func TestWaitingDuplicateTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink logSink
		var asked atomic.Int64
		h := newHandler(t, &upstream.Options{
			HandlerTimeout: time.Second, Duplicates: upstream.NewDuplicateGuard(nil), Logger: sink.logger(),
			HandleError: func(context.Context, error) int { asked.Add(1); return 0 },
		})
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(time.Minute)
			return nil, nil
		})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { post(h, event(typeMessage), "x") })
		}
		wg.Wait()
		time.Sleep(time.Hour)
		if got := len(sink.lines(t)); got != 3 || asked.Load() != 2 { // two refusals and one late handler
			t.Errorf("got %d log lines and %d calls of HandleError, want 3 and 2:\n%s", got, asked.Load(), sink.String())
		}
	})
}
