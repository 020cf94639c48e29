package upstream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Defaults of [BackgroundOptions].
const (
	DefaultBackgroundWorkers = 8
	DefaultBackgroundQueue   = 256
)

// BackgroundOptions configure a [Background].
type BackgroundOptions struct {
	// Workers is how many events are handled at the same time. 0 means
	// [DefaultBackgroundWorkers].
	Workers int
	// Queue is how many events may wait while all workers, or the one that
	// has the connection, are busy. 0 means
	// [DefaultBackgroundQueue].
	Queue int
	// HandlerTimeout is when the context of a handler ends. 0 means never:
	// [Options.HandlerTimeout] does not reach into the background. A handler
	// that ignores its context occupies its worker all the same.
	HandlerTimeout time.Duration
	// Observe is called once for every event that was handled, with
	// Record.Background set. It must be safe for concurrent use.
	Observe func(ctx context.Context, r Record)
	// Logger gets a line for each event: at level debug, or error when its
	// handler failed. Nil means [slog.Default].
	Logger *slog.Logger
}

// A Background moves the handlers of events that are not blocking off the
// request: connected, disconnected, group joined and group left. The service
// gets its answer at once. Use its Middleware method in [Options.Middleware].
//
// The contract:
//
//  1. Blocking events are untouched: the service waits for their answer.
//  2. The events of one connection are handled one after another, in the order
//     of their arrival. Events of different connections are not ordered. A
//     slow connection occupies one worker and no more; when all workers are
//     busy, events wait.
//  3. At most Queue events wait, and at most a quarter of them, but at least
//     one, are of one connection. Past that an event is refused with
//     [ErrQueueFull], a 503, and the service sends it again.
//  4. The handler's context keeps the values of the request's context, but not
//     its cancellation. It ends with HandlerTimeout, and when a shutdown runs
//     out of time, with [ErrShutdown] as its cause.
//  5. The service has its answer already, so an error of the handler reaches
//     the log and Observe only. A panic is an error like any other.
//  6. What waits in memory is lost with the process: call Shutdown.
//
// It holds no goroutines while it has nothing to do.
type Background struct {
	opts   BackgroundOptions
	ctx    context.Context // ends the handlers
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool             // guarded by mu
	queued  int              // guarded by mu; events that wait
	workers int              // guarded by mu
	lanes   map[string]*lane // guarded by mu; the connections that have events
	ready   []*lane          // guarded by mu; those of them that wait for a worker
	idle    chan struct{}    // guarded by mu; closed when the last worker ends, nil while nobody waits
}

// A lane holds the events of one connection that wait. It is either ready or
// with one worker, never both, and that is what keeps its order.
type lane struct {
	key  string
	jobs []job
}

type job struct {
	ctx  context.Context
	req  Request
	next HandlerFunc
}

// NewBackground returns a Background. A nil options is the same as a zero
// BackgroundOptions. Several EventHandlers may share one.
func NewBackground(options *BackgroundOptions) *Background {
	var opts BackgroundOptions
	if options != nil {
		opts = *options
	}
	opts.Workers = cmp.Or(opts.Workers, DefaultBackgroundWorkers)
	opts.Queue = cmp.Or(opts.Queue, DefaultBackgroundQueue)
	opts.Logger = cmp.Or(opts.Logger, slog.Default())
	if opts.Workers < 0 || opts.Queue < 0 || opts.HandlerTimeout < 0 {
		panic("upstream: BackgroundOptions has a negative value")
	}
	b := &Background{opts: opts, lanes: map[string]*lane{}}
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	return b
}

// Middleware is the [Middleware] that queues events. Middleware outside of it
// sees an event when it is queued, middleware inside when it is handled.
func (b *Background) Middleware(next HandlerFunc) HandlerFunc {
	return func(ctx context.Context, req Request) (Reply, error) {
		if req.Blocking() {
			return next(ctx, req)
		}
		return nil, b.enqueue(job{context.WithoutCancel(ctx), req, next})
	}
}

func (b *Background) enqueue(j job) error {
	c := j.req.Connection()
	key := strings.ToLower(c.Hub) + "/" + c.ConnectionID
	b.mu.Lock()
	defer b.mu.Unlock()
	l, busy := b.lanes[key]
	switch {
	case b.closed:
		return ErrShutdown
	case !busy && b.workers < b.opts.Workers:
		b.workers++
		l = &lane{key: key}
		b.lanes[key] = l
		go b.work(l, j)
		return nil
	case b.queued >= b.opts.Queue, busy && len(l.jobs) >= max(1, b.opts.Queue/4):
		return ErrQueueFull
	}
	if !busy {
		l = &lane{key: key}
		b.lanes[key] = l
		b.ready = append(b.ready, l)
	}
	l.jobs = append(l.jobs, j)
	b.queued++
	return nil
}

// work handles one event after another until none waits. A handler that ends
// its goroutine takes the worker along; another one goes on in its place.
func (b *Background) work(l *lane, j job) {
	more := true
	defer func() {
		if more {
			if l, j, more = b.next(l); more {
				go b.work(l, j)
			}
		}
	}()
	for more {
		b.run(j)
		l, j, more = b.next(l)
	}
}

// next takes the lane that a worker is done with and gives it its next event.
// Each lane gets one turn and goes to the end of the line.
func (b *Background) next(done *lane) (l *lane, j job, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(done.jobs) > 0 {
		b.ready = append(b.ready, done)
	} else {
		delete(b.lanes, done.key)
	}
	if len(b.ready) == 0 {
		b.workers--
		if b.workers == 0 && b.idle != nil {
			close(b.idle)
			b.idle = nil
		}
		return nil, job{}, false
	}
	l, b.ready = b.ready[0], b.ready[1:]
	j, l.jobs = l.jobs[0], l.jobs[1:]
	b.queued--
	return l, j, true
}

// run handles one event, and stands for the request that is long answered.
func (b *Background) run(j job) {
	ctx, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	defer context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })()
	if b.opts.HandlerTimeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, b.opts.HandlerTimeout, ErrHandlerTimeout)
		defer stop()
	}
	start := time.Now()
	err := errGoroutineEnded
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
		if cause := context.Cause(ctx); err != nil && (cause == ErrShutdown || cause == ErrHandlerTimeout) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		r := Record{Background: true, Verified: true, Status: http.StatusNoContent, Duration: time.Since(start), Err: err}
		if err != nil {
			r.Status, _ = statusOf(err)
		}
		r.setConnection(j.req.Connection())
		reporter{b.opts.Logger, b.opts.Observe}.report(ctx, j.req.Connection(), "", r)
	}()
	_, err = j.next(ctx, j.req)
	err = checkError(err)
}

// Shutdown refuses further events with [ErrShutdown] and waits until those it
// holds are handled: shut down the HTTP server first. When ctx ends earlier,
// the contexts of the running handlers end, waiting events are dropped and
// logged, and Shutdown returns the cause of ctx without waiting on. It can be
// called again.
func (b *Background) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	if b.workers == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		b.cancel(ErrShutdown)
		b.dropQueued(ctx)
		return context.Cause(ctx)
	}
}

func (b *Background) dropQueued(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queued > 0 {
		b.opts.Logger.LogAttrs(ctx, slog.LevelError, "upstream: events dropped at shutdown", slog.Int("events", b.queued))
	}
	for _, l := range b.lanes {
		l.jobs = nil
	}
	for _, l := range b.ready {
		delete(b.lanes, l.key)
	}
	b.ready, b.queued = nil, 0
}
