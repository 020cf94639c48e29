package upstream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Defaults of [Options].
const (
	DefaultMaxBodyBytes = 2 << 20
	DefaultReadTimeout  = 30 * time.Second
)

// Options configure an [EventHandler]. The zero value of every field is a safe
// default.
type Options struct {
	// Hubs are the hubs to serve, compared without case. Events of others are
	// answered with 404, or passed on by Wrap. Empty serves all.
	Hubs []string

	// MaxBodyBytes is the largest body to accept; a larger one is answered
	// with 413. 0 means [DefaultMaxBodyBytes], 2 MiB: client messages are 1 MB
	// at most. Negative means no limit.
	MaxBodyBytes int64

	// ReadTimeout is how long the body of a request may take to arrive, where
	// the http.Server has no ReadTimeout of its own. 0 means
	// [DefaultReadTimeout], 30 s; negative means no limit. It needs a
	// ResponseWriter that supports read deadlines, as those of net/http do.
	ReadTimeout time.Duration

	// HandlerTimeout is how long a handler may take. Its context ends then,
	// and if it does not return the request is answered with 503 all the
	// same; what it returns later is not sent, but Duplicates keeps it for
	// the service's next try. 0 means no limit, and costs nothing; otherwise
	// each handler runs on a goroutine of its own. The service waits 100 s.
	// It does not reach into a [Background].
	HandlerTimeout time.Duration

	// RejectUnhandled answers 404 to user events, group events and unknown
	// events that have no handler. By default they are answered with 204 and
	// logged once for each name, because a failed user event may cost the
	// client its connection.
	RejectUnhandled bool

	// Middleware wraps every handler; the first one is outermost. It is
	// applied when a handler is registered.
	Middleware []Middleware

	// Duplicates recognises events that the service sends again and gives the
	// first answer without running the handler. Nil means off.
	Duplicates *DuplicateGuard

	// HandleError is called for every refused request and every handler
	// error, with the request's context. It may choose another status of the
	// 4xx or 5xx family; 0 keeps the default. It is not called for the
	// handshake. It must be safe for concurrent use.
	HandleError func(ctx context.Context, err error) (status int)

	// Observe is called once for every request that this handler answers, also
	// for refused ones and for the handshake; a request that Parse accepts is
	// observed by Handle. It must be safe for concurrent use.
	Observe func(ctx context.Context, r Record)

	// Logger gets one line for each request: at level debug for an answered
	// event, info for a refusal by a handler, warn for a refusal by this
	// library, error for a failed handler. Nil means [slog.Default]. Claims,
	// query, headers, state, data and signatures are never logged.
	Logger *slog.Logger
}

// The types of handlers. A handler may be called by several goroutines at
// once. Its context ends when the service gives up the request.
type (
	// A ConnectFunc decides whether a client may connect. Return an error made
	// by [NewError] to refuse it. A nil response accepts it as its token says.
	ConnectFunc func(context.Context, *ConnectRequest) (*ConnectResponse, error)
	// A UserEventFunc handles what a client sent. A nil response only
	// acknowledges it.
	UserEventFunc func(context.Context, *UserEventRequest) (*UserEventResponse, error)
	// A ConnectedFunc learns of an open connection.
	ConnectedFunc func(context.Context, *ConnectedEvent) error
	// A DisconnectedFunc learns of the end of a connection.
	DisconnectedFunc func(context.Context, *DisconnectedEvent) error
	// A GroupJoinedFunc learns that a connection has joined a group.
	GroupJoinedFunc func(context.Context, *GroupJoinedEvent) error
	// A GroupLeftFunc learns that a connection has left a group.
	GroupLeftFunc func(context.Context, *GroupLeftEvent) error
)

// A HandlerFunc is any handler in the form that a [Middleware] sees. Its Reply
// is nil for events that are not blocking.
type HandlerFunc func(context.Context, Request) (Reply, error)

// A Middleware wraps handlers. It sees verified, decoded events and what the
// handler made of them. What concerns HTTP belongs around the EventHandler
// instead, as func(http.Handler) http.Handler.
type Middleware func(next HandlerFunc) HandlerFunc

// An EventHandler receives the events of Azure Web PubSub, verifies and
// decodes them, calls the handler registered for each, and answers. It is an
// [http.Handler], and it works without net/http through [EventHandler.HandleHTTP].
//
// Register handlers first and serve then: registration panics after the first
// request. All other methods are safe for concurrent use.
type EventHandler struct {
	opts      Options
	validator RequestValidator
	open      bool // the validator lets every request pass

	serving atomic.Bool // set by the first request; registration is over then
	system  map[wire.Kind]HandlerFunc
	user    map[string]HandlerFunc // by name in lower case

	warned         onceEach
	unhandledTypes onceEach
}

// anyEvent is the name that stands for every user event without a handler.
const anyEvent = "*"

// NewEventHandler returns an EventHandler with nothing registered: it accepts
// every client that the service lets in and acknowledges every event. A nil
// options is the same as a zero Options. It panics if v is nil; to accept
// unverified requests, say so with [InsecureSkipValidation].
func NewEventHandler(v RequestValidator, options *Options) *EventHandler {
	if isNil(v) {
		panic("upstream: nil RequestValidator")
	}
	var opts Options
	if options != nil {
		opts = *options
	}
	opts.Hubs = slices.Clone(opts.Hubs)
	opts.Middleware = slices.Clone(opts.Middleware)
	opts.MaxBodyBytes = cmp.Or(opts.MaxBodyBytes, DefaultMaxBodyBytes)
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, DefaultReadTimeout)
	opts.Logger = cmp.Or(opts.Logger, slog.Default())
	if slices.ContainsFunc(opts.Hubs, isBlank) {
		panic("upstream: Options.Hubs has a blank element")
	}
	if slices.ContainsFunc(opts.Middleware, func(m Middleware) bool { return m == nil }) {
		panic("upstream: Options.Middleware has a nil element")
	}
	open := skipsValidation(v)
	if open {
		opts.Logger.Warn("upstream: requests are not validated; anybody who reaches this handler can act as any user")
	}
	return &EventHandler{
		opts:      opts,
		validator: v,
		open:      open,
		system:    map[wire.Kind]HandlerFunc{},
		user:      map[string]HandlerFunc{},
	}
}

// HandleConnect registers the handler of connect events. Without one, every
// client is accepted with what its access token grants.
//
// Like all registration it panics if fn is nil, if there is one already, and
// after the first request.
func (h *EventHandler) HandleConnect(fn ConnectFunc) {
	h.register(wire.KindConnect, fn == nil, func(ctx context.Context, req Request) (Reply, error) {
		resp, err := fn(ctx, req.(*ConnectRequest))
		if resp == nil {
			return nil, err
		}
		return resp, err
	})
}

// HandleConnected registers the handler of connected events.
func (h *EventHandler) HandleConnected(fn ConnectedFunc) {
	h.register(wire.KindConnected, fn == nil, func(ctx context.Context, req Request) (Reply, error) {
		return nil, fn(ctx, req.(*ConnectedEvent))
	})
}

// HandleDisconnected registers the handler of disconnected events.
func (h *EventHandler) HandleDisconnected(fn DisconnectedFunc) {
	h.register(wire.KindDisconnected, fn == nil, func(ctx context.Context, req Request) (Reply, error) {
		return nil, fn(ctx, req.(*DisconnectedEvent))
	})
}

// HandleGroupJoined registers the handler of group joined events.
func (h *EventHandler) HandleGroupJoined(fn GroupJoinedFunc) {
	h.register(wire.KindGroupJoined, fn == nil, func(ctx context.Context, req Request) (Reply, error) {
		return nil, fn(ctx, req.(*GroupJoinedEvent))
	})
}

// HandleGroupLeft registers the handler of group left events.
func (h *EventHandler) HandleGroupLeft(fn GroupLeftFunc) {
	h.register(wire.KindGroupLeft, fn == nil, func(ctx context.Context, req Request) (Reply, error) {
		return nil, fn(ctx, req.(*GroupLeftEvent))
	})
}

// HandleUserMessage registers the handler of the event "message", which is
// what clients without a subprotocol send.
func (h *EventHandler) HandleUserMessage(fn UserEventFunc) { h.HandleUserEvent("message", fn) }

// HandleUserEvent registers the handler of one user event. Names match without
// case. The name "*" takes every user event that has no handler of its own;
// other patterns do not exist here.
func (h *EventHandler) HandleUserEvent(name string, fn UserEventFunc) {
	switch {
	case name == "" || !wire.ValidHeaderValue(name):
		panic(fmt.Sprintf("upstream: %q cannot be the name of a user event: it travels in a header", name))
	case name != anyEvent && strings.Contains(name, anyEvent):
		panic(fmt.Sprintf("upstream: %q looks like a pattern; only %q is one", name, anyEvent))
	}
	key := strings.ToLower(name)
	h.checkRegistration(name, fn == nil, h.user[key] != nil)
	h.user[key] = h.wrap(func(ctx context.Context, req Request) (Reply, error) {
		resp, err := fn(ctx, req.(*UserEventRequest))
		if resp == nil {
			return nil, err
		}
		return resp, err
	})
}

func (h *EventHandler) register(kind wire.Kind, missing bool, fn HandlerFunc) {
	h.checkRegistration(kind.String(), missing, h.system[kind] != nil)
	h.system[kind] = h.wrap(fn)
}

func (h *EventHandler) checkRegistration(name string, missing, exists bool) {
	switch {
	case missing:
		panic("upstream: nil handler for " + name)
	case exists:
		panic("upstream: a second handler for " + name)
	case h.serving.Load():
		panic("upstream: handler for " + name + " registered after the first request")
	}
}

// wrap applies the middleware from the inside out.
func (h *EventHandler) wrap(fn HandlerFunc) HandlerFunc {
	for _, m := range slices.Backward(h.opts.Middleware) {
		fn = m(fn)
		if fn == nil {
			panic("upstream: a Middleware returned nil")
		}
	}
	return fn
}

// Mount registers h for a path on a [http.ServeMux], with and without a
// trailing slash and for the methods that the service uses: the service
// follows no redirect, and {event} in its URL template adds a segment. The
// path may hold wildcards, as in "/hubs/{hub}/events". Other methods are the
// mux's to refuse, unseen by Logger and Observe, and it redirects paths that are not clean, such as those of
// events that a client named "." or "..".
func (h *EventHandler) Mount(mux *http.ServeMux, path string) {
	path = strings.TrimRight(path, "/")
	for _, method := range []string{http.MethodPost, http.MethodOptions, http.MethodGet} {
		if path != "" {
			mux.Handle(method+" "+path, h)
		}
		mux.Handle(method+" "+path+"/", h)
	}
}

// handlerFor returns the handler of a request, nil when there is none.
func (h *EventHandler) handlerFor(req Request) HandlerFunc {
	if req.kind() != wire.KindUser {
		return h.system[req.kind()]
	}
	if fn := h.user[strings.ToLower(req.Connection().EventName)]; fn != nil {
		return fn
	}
	return h.user[anyEvent]
}

// servesHub reports whether hub is among Options.Hubs.
func (h *EventHandler) servesHub(hub string) bool {
	return len(h.opts.Hubs) == 0 || slices.ContainsFunc(h.opts.Hubs, func(served string) bool {
		return strings.EqualFold(served, hub)
	})
}

// onceEach remembers what was already warned of, up to a bound: the names in
// it are chosen by clients.
type onceEach struct {
	mu   sync.Mutex
	seen map[string]struct{} // guarded by mu
}

const maxWarnings = 1000

// first reports whether key is new and there is room to remember it.
func (o *onceEach) first(key string) bool {
	key = clip(key)
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.seen[key]; ok || len(o.seen) >= maxWarnings {
		return false
	}
	if o.seen == nil {
		o.seen = make(map[string]struct{})
	}
	o.seen[strings.Clone(key)] = struct{}{}
	return true
}
