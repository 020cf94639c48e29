package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// goroutineID is the first word after "goroutine" in a stack.
func goroutineID() string {
	stack := make([]byte, 64)
	return strings.Fields(string(stack[:runtime.Stack(stack, false)]))[1]
}

func TestNoHandlerTimeout(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		if _, ok := ctx.Deadline(); ok {
			t.Error("the context has a deadline")
		}
		return upstream.Text(goroutineID()), nil
	})
	if got, want := post(h, event(typeMessage), "").Body.String(), goroutineID(); got != want {
		t.Errorf("the handler ran on goroutine %s, want that of the request, %s", got, want)
	}
}

func TestHandlerTimeout(t *testing.T) {
	const limit = 3 * time.Second
	ignore := func(d time.Duration) upstream.UserEventFunc {
		return func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(d)
			return upstream.Text("late"), nil
		}
	}
	for _, tt := range []struct {
		name   string
		fn     upstream.UserEventFunc
		status int
		after  time.Duration
		late   string // what the log says later
	}{
		{"in time", ignore(limit - 1), 200, limit - 1, ""},
		{"ignores its context", ignore(time.Minute), 503, limit, "its result is not sent"},
		{"obeys its context", func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			<-ctx.Done()
			if context.Cause(ctx) != upstream.ErrHandlerTimeout {
				t.Errorf("cause: got %v, want ErrHandlerTimeout", context.Cause(ctx))
			}
			return nil, ctx.Err()
		}, 503, limit, ""},
		{"has a deadline of its own", func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}, 500, time.Second, ""},
		{"panics in time", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			panic("early")
		}, 500, 0, ""},
		{"ends its goroutine", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			runtime.Goexit()
			return nil, nil
		}, 500, 0, ""},
		{"panics late", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(time.Minute)
			panic("late panic")
		}, 503, limit, "late panic"},
		{"invalid late", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(time.Minute)
			return &upstream.UserEventResponse{Data: []byte("x"), ContentType: "image/png"}, nil
		}, 503, limit, "invalid response"},
		{"aborts late", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			time.Sleep(time.Minute)
			panic(http.ErrAbortHandler)
		}, 503, limit, "HandlerTimeout"},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var sink logSink
			var rec recorder
			var asked atomic.Int64
			h := newHandler(t, &upstream.Options{
				HandlerTimeout: limit, Logger: sink.logger(), Observe: rec.observe,
				HandleError: func(context.Context, error) int { asked.Add(1); return 0 },
			})
			h.HandleUserMessage(tt.fn)
			start := time.Now()
			w := post(h, event(typeMessage), "")
			if got := time.Since(start); w.Code != tt.status || got != tt.after || tt.status != 200 && w.Body.Len() > 0 {
				t.Errorf("got %d %q after %v, want %d after %v", w.Code, w.Body, got, tt.status, tt.after)
			}
			time.Sleep(2 * time.Minute)
			lines := sink.lines(t)
			wantLines, wantAsked := 1, int64(1)
			if tt.status == 200 {
				wantAsked = 0
			}
			if tt.late != "" {
				wantLines = 2
				if last := lines[len(lines)-1]; !strings.Contains(sink.String(), tt.late) || last["status"] == 500.0 && last["err"] == nil {
					t.Errorf("the log does not say %q of the late result, or calls it a failure: %v", tt.late, last)
				}
			}
			if len(lines) != wantLines {
				t.Errorf("got %d log lines, want %d:\n%s", len(lines), wantLines, sink.String())
			}
			if got := rec.records(); len(got) != 1 || got[0].Status != tt.status {
				t.Errorf("got records %+v, want one of status %d", got, tt.status)
			}
			if asked.Load() != wantAsked {
				t.Errorf("HandleError was called %d times, want %d", asked.Load(), wantAsked)
			}
		})
	}
}

func TestHandlerTimeoutIsNotTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &upstream.Options{HandlerTimeout: time.Hour})
		h.HandleUserMessage(func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		resp := h.HandleHTTP(ctx, event(typeMessage), nil)
		if got := time.Since(start); resp.StatusCode < 500 || got != time.Second {
			t.Errorf("got %d after %v, want 5xx after 1s", resp.StatusCode, got)
		}
	})
}

// TestHandlerTimeoutAnswersMQTT in the form of its protocol.
func TestHandlerTimeoutAnswersMQTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &upstream.Options{HandlerTimeout: time.Second})
		h.HandleConnect(func(ctx context.Context, _ *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
			time.Sleep(time.Minute)
			return nil, nil
		})
		w := post(h, mqttEvent(typeConnect), mqttConnectBody(5))
		if got, want := w.Body.String(), `{"mqtt":{"code":136}}`; w.Code != 503 || got != want {
			t.Errorf("got %d %s, want 503 %s", w.Code, got, want)
		}
		time.Sleep(time.Hour)
	})
}

// misbehaviour is what user code may do instead of returning.
var misbehaviour = map[string]func(){
	"value":   func() { panic("secret value") },
	"error":   func() { panic(errors.New("secret value")) },
	"nil map": func() { maps.Copy(map[string]int(nil), map[string]int{"a": 1}) },
	"nil":     func() { panic(nil) },
}

// places are where user code runs.
var places = map[string]func(*testing.T, *upstream.Options, func()) http.Handler{
	"handler": func(t *testing.T, opts *upstream.Options, misbehave func()) http.Handler {
		h := newHandler(t, opts)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			misbehave()
			return nil, nil
		})
		return h
	},
	"middleware": func(t *testing.T, opts *upstream.Options, misbehave func()) http.Handler {
		opts.Middleware = []upstream.Middleware{func(upstream.HandlerFunc) upstream.HandlerFunc {
			return func(context.Context, upstream.Request) (upstream.Reply, error) { misbehave(); return nil, nil }
		}}
		h := newHandler(t, opts)
		h.HandleUserMessage(echo)
		return h
	},
	"Validate": func(_ *testing.T, opts *upstream.Options, misbehave func()) http.Handler {
		return upstream.NewEventHandler(validatorFunc(func() error { misbehave(); return nil }), opts)
	},
	"AllowsOrigin": func(_ *testing.T, opts *upstream.Options, misbehave func()) http.Handler {
		return upstream.NewEventHandler(originFunc(misbehave), opts)
	},
	"HandleError": func(t *testing.T, opts *upstream.Options, misbehave func()) http.Handler {
		opts.HandleError = func(context.Context, error) int { misbehave(); return 0 }
		h := newHandler(t, opts)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			return nil, errors.New("x")
		})
		return h
	},
}

type originFunc func()

func (originFunc) Validate(context.Context, *upstream.ConnectionContext) error { return nil }
func (f originFunc) AllowsOrigin(string) bool                                  { f(); return true }

func TestPanics(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Minute} {
		for place, build := range places {
			for what, misbehave := range misbehaviour {
				var sink logSink
				var rec recorder
				h := build(t, &upstream.Options{Logger: sink.logger(), Observe: rec.observe, HandlerTimeout: limit}, misbehave)
				var w *httptest.ResponseRecorder
				if p := apart(func() { w = post(h, event(typeMessage), "") }); p != nil {
					t.Errorf("%s in %s, HandlerTimeout %v: panicked: %v", what, place, limit, p)
					continue
				}
				if w.Code != 500 || w.Body.Len() > 0 || len(w.Header()) > 0 {
					t.Errorf("%s in %s, HandlerTimeout %v: got %d %v %q, want a bare 500", what, place, limit, w.Code, w.Header(), w.Body)
				}
				if got := strings.Count(sink.String(), `"stack"`); got != 1 || !strings.Contains(sink.String(), "timeout_test.go") {
					t.Errorf("%s in %s, HandlerTimeout %v: %d stacks in the log, want 1:\n%s", what, place, limit, got, sink.String())
				}
				if got := rec.records(); len(got) != 1 || got[0].Status != 500 || got[0].Err == nil {
					t.Errorf("%s in %s, HandlerTimeout %v: got records %+v, want one of status 500", what, place, limit, got)
				}
			}
		}
	}
}

// TestHandleErrorPanicsEverywhere: it is also called for what is no event.
func TestHandleErrorPanicsEverywhere(t *testing.T) {
	for name, send := range map[string]func(http.Handler){
		"bad signature": func(h http.Handler) { post(h, event(typeMessage, "ce-signature", "x"), "") },
		"bad body":      func(h http.Handler) { post(h, event(typeConnect), "{") },
		"wrong method":  func(h http.Handler) { do(h, "PUT", "/", event(typeMessage), nil) },
		"no event":      func(h http.Handler) { post(h, http.Header{}, "") },
	} {
		var rec recorder
		h := newHandler(t, &upstream.Options{Observe: rec.observe, HandleError: func(context.Context, error) int { panic("x") }})
		if p := apart(func() { send(h) }); p != nil || len(rec.records()) != 1 {
			t.Errorf("%s: panicked with %v and made %d records, want no panic and 1", name, p, len(rec.records()))
		}
	}
}

func TestPanicInObserve(t *testing.T) {
	var sink logSink
	calls := 0
	h := newHandler(t, &upstream.Options{Logger: sink.logger(), Observe: func(context.Context, upstream.Record) {
		calls++
		panic("x")
	}})
	h.HandleUserMessage(echo)
	if w := post(h, event(typeMessage), "hi"); w.Code != 200 || w.Body.String() != "hi" || calls != 1 {
		t.Errorf("got %d %q after %d calls, want 200 hi after 1", w.Code, w.Body, calls)
	}
	if got := strings.Count(sink.String(), `"stack"`); got != 1 {
		t.Errorf("%d stacks in the log, want 1", got)
	}
	if r := h.Preflight(http.Header{"Webhook-Request-Origin": {demoHost}}); r.StatusCode != 200 {
		t.Errorf("handshake: got %d, want 200", r.StatusCode)
	}
}

// TestAbort: the two ways out that are not answered are still seen by Observe.
func TestAbort(t *testing.T) {
	for what, tt := range map[string]struct {
		leave func()
		want  any
	}{
		"ErrAbortHandler": {func() { panic(http.ErrAbortHandler) }, http.ErrAbortHandler},
		"Goexit":          {runtime.Goexit, nil},
	} {
		for place, build := range places {
			var rec recorder
			h := build(t, &upstream.Options{Observe: rec.observe, Logger: new(logSink).logger()}, tt.leave)
			if p := apart(func() { post(h, event(typeMessage), "") }); p != tt.want {
				t.Errorf("%s in %s: got the panic %v, want %v", what, place, p, tt.want)
			}
			if got := rec.records(); len(got) != 1 || got[0].Err == nil {
				t.Errorf("%s in %s: got records %+v, want one with an error", what, place, got)
			}
		}
		if what == "Goexit" {
			continue // with HandlerTimeout it is an error like any other, see TestHandlerTimeout
		}
		var rec recorder
		h := places["handler"](t, &upstream.Options{HandlerTimeout: time.Minute, Observe: rec.observe}, tt.leave)
		if p := apart(func() { post(h, event(typeMessage), "") }); p != tt.want {
			t.Errorf("%s with HandlerTimeout: got the panic %v, want %v", what, p, tt.want)
		}
	}
}

// TestConnectionSurvivesPanic on a real server: the next request goes over the
// same connection.
func TestConnectionSurvivesPanic(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		if bytes.Equal(req.Data, []byte("panic")) {
			panic("x")
		}
		return upstream.Text("fine"), nil
	})
	srv := httptest.NewServer(h)
	defer srv.Close()
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	for _, tt := range []struct {
		data string
		want int
	}{{"panic", 500}, {"hi", 200}} {
		r, err := http.NewRequestWithContext(ctx, "POST", srv.URL, strings.NewReader(tt.data))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = event(typeMessage)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: got %d, want %d", tt.data, resp.StatusCode, tt.want)
		}
	}
	if !reused {
		t.Error("the second request needed a new connection")
	}
}

// A handler that outlives its request may do with it what it likes.
func TestLateHandlerOwnsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Logger: new(logSink).logger()})
		h := newHandler(t, &upstream.Options{
			HandlerTimeout: time.Second, Middleware: []upstream.Middleware{bg.Middleware},
			Observe: func(context.Context, upstream.Record) {},
		})
		h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
			<-ctx.Done()
			req.MQTT, req.PhysicalConnectionID, req.Hub = nil, "", "mine"
			return nil, nil
		})
		h.HandleDisconnected(func(_ context.Context, ev *upstream.DisconnectedEvent) error {
			ev.Hub, ev.ConnectionID = "mine", "mine"
			return nil
		})
		for range 50 {
			post(h, event(typeConnect, "ce-physicalConnectionId", "p"), `{"mqtt":{"protocolVersion":5}}`)
			post(h, event(typeDisconnected), "{}")
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
