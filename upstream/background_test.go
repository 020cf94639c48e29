package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// inBackground is a handler whose notifications take the time that their
// reason says, and the list of what it did.
func inBackground(t *testing.T, bg *upstream.Background, opts upstream.Options) (*upstream.EventHandler, *journal) {
	opts.Middleware = []upstream.Middleware{bg.Middleware}
	h := newHandler(t, &opts)
	j := &journal{start: time.Now()}
	h.HandleDisconnected(func(_ context.Context, e *upstream.DisconnectedEvent) error {
		j.note(e.ConnectionID + e.EventID + " begins")
		if d, err := time.ParseDuration(e.Reason); err == nil {
			time.Sleep(d)
		}
		j.note(e.ConnectionID + e.EventID + " ends")
		return nil
	})
	return h, j
}

// A journal notes what happened after how many seconds.
type journal struct {
	start time.Time
	mu    sync.Mutex
	notes []string // guarded by mu
}

func (j *journal) note(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, fmt.Sprintf("%vs %s", time.Since(j.start).Seconds(), what))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.notes)
}

// leave sends the event that connection conn has ended.
func leave(h http.Handler, conn, id, reason string) int {
	return post(h, event(typeDisconnected, "ce-connectionId", conn, "ce-id", id), `{"reason":"`+reason+`"}`).Code
}

func TestBackgroundAnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests, runs recorder
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Observe: runs.observe, Logger: new(logSink).logger()})
		h, j := inBackground(t, bg, upstream.Options{Observe: requests.observe})
		if got := leave(h, "a", "1", "60s"); got != 204 || time.Since(j.start) != 0 {
			t.Errorf("got %d after %v, want 204 at once", got, time.Since(j.start))
		}
		if got := requests.records(); len(got) != 1 || got[0].Background || got[0].Status != 204 {
			t.Errorf("records of the request: %+v", got)
		}
		time.Sleep(2 * time.Minute)
		got := runs.records()
		if len(got) != 1 {
			t.Fatalf("got %d records of the run, want 1", len(got))
		}
		want := upstream.Record{
			Hub: "chat", EventType: typeDisconnected, EventName: "disconnected", ConnectionID: "a", EventID: "1",
			Verified: true, Background: true, Status: 204, Duration: time.Minute,
		}
		if got[0] != want {
			t.Errorf("record of the run:\n got %+v\nwant %+v", got[0], want)
		}
		// It holds no goroutines while it is idle: the bubble ends without Shutdown.
	})
}

func TestBackgroundLeavesBlockingEventsAlone(t *testing.T) {
	bg := upstream.NewBackground(nil)
	if err := bg.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
	for _, register := range registrations {
		register(h)
	}
	for ceType, want := range map[string]int{
		typeConnect: 204, typeMessage: 200,
		typeConnected: 503, typeDisconnected: 503, typeGroupJoined: 503, typeGroupLeft: 503,
	} {
		w := post(h, event(ceType), "{}")
		if w.Code != want || want == 503 && w.Body.Len() > 0 {
			t.Errorf("%s after Shutdown: got %d %q, want %d", ceType, w.Code, w.Body, want)
		}
	}
}

func TestBackgroundOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 3, Logger: new(logSink).logger()})
		h, j := inBackground(t, bg, upstream.Options{})
		var want []string
		for i := range 20 {
			id := fmt.Sprint(i)
			leave(h, "a", id, "1s")
			want = append(want, fmt.Sprintf("%ds a%d begins", i, i), fmt.Sprintf("%ds a%d ends", i+1, i))
		}
		for i := range 20 {
			leave(h, "b", fmt.Sprint(i), "100ms")
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(j.all(), func(s string) bool { return strings.Contains(s, "s b") })
		if !slices.Equal(got, want) {
			t.Errorf("a: got %q, want %q", got, want)
		}
		if got := time.Since(j.start); got != 20*time.Second {
			t.Errorf("all was done after %v, want 20s", got)
		}
	})
}

// TestBackgroundIsFair: a connection with many slow events holds up nobody.
func TestBackgroundIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 2, Logger: new(logSink).logger()})
		h, j := inBackground(t, bg, upstream.Options{})
		for i := range 10 {
			leave(h, "slow", fmt.Sprint(i), "10s")
		}
		leave(h, "b", "0", "1s") // has the second worker
		leave(h, "c", "0", "1s") // waits for it
		leave(h, "d", "0", "1s")
		time.Sleep(9 * time.Second)
		want := []string{
			"0s slow0 begins", "0s b0 begins", "1s b0 ends", "1s c0 begins", "2s c0 ends", "2s d0 begins", "3s d0 ends",
		}
		got := j.all()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBackgroundTakesTurns: with one worker, connections alternate.
func TestBackgroundTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 1, Logger: new(logSink).logger()})
		h, j := inBackground(t, bg, upstream.Options{})
		for _, e := range []string{"a0", "a1", "a2", "b0", "b1"} {
			leave(h, e[:1], e[1:], "1s")
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range j.all() {
			if what, ok := strings.CutSuffix(n, " begins"); ok {
				got = append(got, strings.Fields(what)[1])
			}
		}
		if want := []string{"a0", "b0", "a1", "b1", "a2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestBackgroundQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 1, Queue: 2, Logger: new(logSink).logger()})
		h, _ := inBackground(t, bg, upstream.Options{Observe: rec.observe, Duplicates: upstream.NewDuplicateGuard(nil)})
		for _, tt := range []struct {
			conn string
			want int
		}{{"a", 204}, {"a", 204}, {"b", 204}, {"a", 503}, {"c", 503}} {
			if got := leave(h, tt.conn, fmt.Sprint(len(rec.records())), "10s"); got != tt.want {
				t.Errorf("event %d: got %d, want %d", len(rec.records()), got, tt.want)
			}
		}
		if last := rec.records()[4]; last.Err != upstream.ErrQueueFull {
			t.Errorf("got the error %v, want ErrQueueFull", last.Err)
		}
		time.Sleep(11 * time.Second)
		if got := leave(h, "c", "4", "10s"); got != 204 { // the retry of what was refused
			t.Errorf("with room again: got %d, want 204", got)
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

type valueKey struct{}

func TestBackgroundContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(nil)
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}, HandlerTimeout: time.Second})
		type seen struct{ value, err any }
		ran := make(chan seen, 1)
		h.HandleConnected(func(ctx context.Context, _ *upstream.ConnectedEvent) error {
			time.Sleep(time.Minute)
			ran <- seen{ctx.Value(valueKey{}), ctx.Err()}
			return nil
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
		if got := h.HandleHTTP(ctx, event(typeConnected), nil).StatusCode; got != 204 {
			t.Errorf("got %d, want 204", got)
		}
		cancel()
		if got, want := <-ran, (seen{"kept", nil}); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestBackgroundFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		fail   func() error
		status int
		says   string
	}{
		"error":            {func() error { return errors.New("it broke") }, 500, "it broke"},
		"authored":         {func() error { return upstream.NewError(409, "too late") }, 409, "too late"},
		"panic":            {func() error { panic("it broke") }, 500, "stack"},
		"ErrAbortHandler":  {func() error { panic(http.ErrAbortHandler) }, 500, "abort"},
		"Goexit":           {func() error { runtime.Goexit(); return nil }, 500, "ended its goroutine"},
		"typed nil":        {func() error { return (*pointerError)(nil) }, 500, "ERROR"},
		"typed nil, ours":  {func() error { return (*upstream.Error)(nil) }, 500, "ERROR"},
		"wrapped deadline": {func() error { return fmt.Errorf("store: %w", context.DeadlineExceeded) }, 500, "store"},
	} {
		inBubble(t, name, func(t *testing.T) {
			var sink logSink
			var requests, runs recorder
			bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 1, Logger: sink.logger(), Observe: runs.observe})
			h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}, Observe: requests.observe})
			h.HandleConnected(func(_ context.Context, e *upstream.ConnectedEvent) error {
				if e.EventID == "bad" {
					return tt.fail()
				}
				return nil
			})
			for _, id := range []string{"bad", "good", "good"} { // the worker goes on
				if got := post(h, event(typeConnected, "ce-id", id), "").Code; got != 204 {
					t.Errorf("got %d, want 204", got)
				}
			}
			if err := bg.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := runs.records()
			if len(got) != 3 || got[0].Status != tt.status || got[0].Err == nil || got[1].Status != 204 {
				t.Errorf("got records %+v, want the first with status %d, then 204", got, tt.status)
			}
			if len(requests.records()) != 3 || !strings.Contains(sink.String(), tt.says) {
				t.Errorf("%d request records, the log has no %q:\n%s", len(requests.records()), tt.says, sink.String())
			}
		})
	}
}

func TestBackgroundShutdownRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink logSink
		var runs recorder
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 1, Logger: sink.logger(), Observe: runs.observe})
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
		var cause error
		h.HandleConnected(func(ctx context.Context, e *upstream.ConnectedEvent) error {
			if e.EventID != "0" {
				t.Errorf("event %s ran after the shutdown", e.EventID)
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second) // to tidy up
			return ctx.Err()
		})
		for i := range 3 {
			post(h, event(typeConnected, "ce-id", fmt.Sprint(i)), "")
		}
		post(h, event(typeConnected, "ce-id", "other", "ce-connectionId", "conn2"), "")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errors.New("the deadline of the deployment"))
		defer cancel()
		start := time.Now()
		err := bg.Shutdown(ctx)
		if got := time.Since(start); err == nil || err.Error() != "the deadline of the deployment" || got != 5*time.Second {
			t.Errorf("got %v after %v, want the cause after 5s", err, got)
		}
		if got := post(h, event(typeConnected), "").Code; got != 503 {
			t.Errorf("during the shutdown: got %d, want 503", got)
		}
		if err := bg.Shutdown(t.Context()); err != nil || time.Since(start) != 6*time.Second {
			t.Errorf("second Shutdown: got %v after %v, want nil once the handler returned", err, time.Since(start))
		}
		if cause != upstream.ErrShutdown {
			t.Errorf("cause: got %v, want ErrShutdown", cause)
		}
		if got := sink.String(); strings.Count(got, "dropped at shutdown") != 1 || !strings.Contains(got, `"events":3`) {
			t.Errorf("the log does not tell of the 3 dropped events once:\n%s", got)
		}
		if got := runs.records(); len(got) != 1 {
			t.Errorf("got %d records, want 1", len(got))
		}
	})
}

func TestBackgroundShutdownByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Logger: new(logSink).logger()})
		h, j := inBackground(t, bg, upstream.Options{})
		leave(h, "a", "1", "5s")
		leave(h, "a", "2", "5s")
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := bg.Shutdown(t.Context()); err != nil || time.Since(j.start) != 10*time.Second {
					t.Errorf("got %v after %v, want nil after 10s", err, time.Since(j.start))
				}
			})
		}
		wg.Wait()
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := bg.Shutdown(done); err != nil {
			t.Errorf("nothing is left to wait for: got %v, want nil", err)
		}
	})
}

func TestNewBackgroundPanics(t *testing.T) {
	mustPanic(t, "negative Workers", func() { upstream.NewBackground(&upstream.BackgroundOptions{Workers: -1}) })
	mustPanic(t, "negative Queue", func() { upstream.NewBackground(&upstream.BackgroundOptions{Queue: -1}) })
}

// brokenError has a method that panics on a nil pointer, as many do.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "broken" }
func (e *brokenError) Unwrap() error { return e.err }

// A nil pointer deep in an error must not be looked into where nothing
// recovers any more.
func TestBrokenErrors(t *testing.T) {
	fails := func(context.Context, *upstream.DisconnectedEvent) error {
		var nothing *brokenError
		return fmt.Errorf("save: %w", nothing)
	}
	synctest.Test(t, func(t *testing.T) {
		var sink logSink
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Logger: sink.logger()})
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
		h.HandleDisconnected(fails)
		post(h, event(typeDisconnected), "{}")
		synctest.Wait()
		if got := sink.String(); !strings.Contains(got, "whose methods panic") {
			t.Errorf("in the background: the log does not say what was returned: %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var sink logSink
		h := newHandler(t, &upstream.Options{Logger: sink.logger(), HandlerTimeout: time.Second})
		h.HandleDisconnected(func(ctx context.Context, ev *upstream.DisconnectedEvent) error {
			time.Sleep(time.Minute)
			return fails(ctx, ev)
		})
		if got := post(h, event(typeDisconnected), "{}").Code; got != 503 {
			t.Errorf("late: got %d, want 503", got)
		}
		time.Sleep(time.Hour)
		if got := sink.String(); !strings.Contains(got, "whose methods panic") {
			t.Errorf("late: the log does not say what was returned: %s", got)
		}
	})
}

// One connection cannot take the queue of all others.
func TestBackgroundQueueIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 1, Queue: 8, Logger: new(logSink).logger()})
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
		h.HandleDisconnected(func(context.Context, *upstream.DisconnectedEvent) error {
			time.Sleep(time.Minute)
			return nil
		})
		send := func(connection string) int {
			return post(h, event(typeDisconnected, "ce-connectionId", connection), "{}").Code
		}
		accepted := 0
		for range 20 {
			if send("flood") == 204 {
				accepted++
			}
		}
		if got, want := accepted, 1+8/4; got != want {
			t.Errorf("of one connection: got %d events accepted, want %d", got, want)
		}
		if got := send("victim"); got != 204 {
			t.Errorf("another connection: got %d, want 204", got)
		}
		if err := bg.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBackgroundHandlerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		bg := upstream.NewBackground(&upstream.BackgroundOptions{HandlerTimeout: time.Second, Observe: rec.observe, Logger: new(logSink).logger()})
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
		h.HandleDisconnected(func(ctx context.Context, _ *upstream.DisconnectedEvent) error {
			<-ctx.Done()
			return ctx.Err()
		})
		post(h, event(typeDisconnected), "{}")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := rec.records(); len(got) != 1 || got[0].Duration != time.Second || !errors.Is(got[0].Err, upstream.ErrHandlerTimeout) {
			t.Errorf("got records %+v, want one of a second with ErrHandlerTimeout", got)
		}
	})
}

// The service has its answer and does not come again: what is lost is an error
// in the log.
func TestBackgroundLossIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink logSink
		bg := upstream.NewBackground(&upstream.BackgroundOptions{Logger: sink.logger()})
		h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}, Logger: new(logSink).logger()})
		h.HandleDisconnected(func(ctx context.Context, _ *upstream.DisconnectedEvent) error {
			<-ctx.Done()
			return ctx.Err()
		})
		post(h, event(typeDisconnected), "{}")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := bg.Shutdown(ctx); err == nil {
			t.Error("Shutdown returned nil, want the end of its context")
		}
		synctest.Wait()
		lines := sink.lines(t)
		if len(lines) != 1 || lines[0]["level"] != "ERROR" || !strings.Contains(sink.String(), "shut down") {
			t.Errorf("got %s, want one line at level ERROR", sink.String())
		}
	})
}
