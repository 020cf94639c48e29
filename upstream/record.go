package upstream

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"
)

// A Record describes one finished request. It is what metrics and traces are
// made of; see [Options.Observe].
type Record struct {
	// Hub, EventType, EventName, ConnectionID and EventID are those of the
	// request. They are what the sender claims until Verified is true: do not
	// make labels of a metric from them before that, for they are unbounded.
	Hub          string
	EventType    string
	EventName    string
	ConnectionID string
	EventID      string
	// Verified tells that the request passed validation.
	Verified bool
	// Handshake tells that the service asked for consent.
	Handshake bool
	// Duplicate tells that a stored answer was given; see [DuplicateGuard].
	Duplicate bool
	// Background tells that this is not a request but the later run of one
	// in a [Background].
	Background bool

	// Status is the status of the answer. A Background run has none to give:
	// it is 204, or what its error would have been answered with.
	Status int
	// Duration is the time from the first look at the headers to the answer.
	Duration time.Duration
	// BytesIn and BytesOut are the sizes of the two bodies, 0 for a Background
	// run.
	BytesIn  int64
	BytesOut int64
	// Err is why the status is not a success: a refusal by this library, or
	// what the handler returned. It may hold more than may be shown outside.
	Err error
}

// The keys of the library's log records. Values come from an allow-list: no
// claims, query, headers, state, data, keys or signatures.
const (
	logHub          = "hub"
	logEvent        = "event"
	logConnectionID = "connection_id"
	logUserID       = "user_id"
	logOrigin       = "origin"
	logStatus       = "status"
	logDuration     = "duration"
	logErr          = "err"
	logStack        = "stack"
)

// logAttrs returns the allow-listed attributes of a connection.
func (c *ConnectionContext) logAttrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String(logHub, clip(c.Hub)),
		slog.String(logEvent, clip(c.EventType)),
		slog.String(logConnectionID, clip(c.ConnectionID)))
	if c.UserID != "" {
		attrs = append(attrs, slog.String(logUserID, clip(c.UserID)))
	}
	return attrs
}

// clip shortens what a sender chose before it goes into a log.
func clip(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// LogValue implements [slog.LogValuer] with an allow-list of attributes.
func (r Record) LogValue() slog.Value {
	c := &ConnectionContext{Hub: r.Hub, EventType: r.EventType, ConnectionID: r.ConnectionID}
	return slog.GroupValue(r.logAttrs(c, "")...)
}

func (r *Record) setConnection(c *ConnectionContext) {
	r.Hub, r.EventType, r.EventName, r.ConnectionID, r.EventID = c.Hub, c.EventType, c.EventName, c.ConnectionID, c.EventID
}

// A reporter tells log and metrics about what is finished.
type reporter struct {
	logger  *slog.Logger
	observe func(context.Context, Record)
}

// report writes the one line that each request gets, and calls the hook. c is
// nil when there is no event; origins are those of a handshake.
func (p reporter) report(ctx context.Context, c *ConnectionContext, origins string, r Record) {
	level, message := verdict(ctx, r)
	if p.logger.Enabled(ctx, level) {
		p.logger.LogAttrs(ctx, level, message, r.logAttrs(c, origins)...)
	}
	if p.observe != nil {
		p.callObserve(ctx, r)
	}
}

func (p reporter) callObserve(ctx context.Context, r Record) {
	defer func() {
		if v := recover(); v != nil {
			p.logger.LogAttrs(ctx, slog.LevelError, "upstream: Observe panicked", slog.Any(logErr, v), slog.String(logStack, string(debug.Stack())))
		}
	}()
	p.observe(ctx, r)
}

func (r *Record) logAttrs(c *ConnectionContext, origins string) []slog.Attr {
	var attrs []slog.Attr
	if c != nil {
		attrs = c.logAttrs()
		if !r.Verified {
			origins = strings.Join(c.Origins, ", ")
		}
	}
	if origins != "" {
		attrs = append(attrs, slog.String(logOrigin, clip(origins)))
	}
	attrs = append(attrs, slog.Int(logStatus, r.Status), slog.Duration(logDuration, r.Duration))
	if r.Err != nil {
		attrs = append(attrs, slog.String(logErr, r.Err.Error()))
	}
	if p, ok := errors.AsType[*panicError](r.Err); ok {
		attrs = append(attrs, slog.String(logStack, string(p.stack)))
	}
	return attrs
}

// verdict chooses the level and the message of a request's line.
func verdict(ctx context.Context, r Record) (slog.Level, string) {
	_, authored := statusOf(r.Err)
	_, panicked := errors.AsType[*panicError](r.Err)
	switch {
	case r.Err == nil && r.Handshake:
		return slog.LevelDebug, "upstream: handshake answered"
	case r.Err == nil && r.Duplicate:
		return slog.LevelDebug, "upstream: duplicate answered"
	case r.Err == nil:
		return slog.LevelDebug, "upstream: event answered"
	case panicked:
		return slog.LevelError, "upstream: recovered from a panic"
	case r.Background: // the service has its answer and does not come again
		return slog.LevelError, "upstream: handler failed in the background"
	case gaveUp(ctx, r.Err):
		return slog.LevelDebug, "upstream: the service gave up the request"
	case r.Handshake:
		return slog.LevelWarn, "upstream: handshake refused"
	case !r.Verified:
		return slog.LevelWarn, "upstream: request refused"
	case authored != nil && r.Status < 500:
		return slog.LevelInfo, "upstream: handler refused the event"
	case r.Status < 500 || isBusy(r.Err):
		return slog.LevelWarn, "upstream: request refused"
	}
	return slog.LevelError, "upstream: handler failed"
}

// log writes a line about a connection that is not the line of its request.
func (h *EventHandler) log(ctx context.Context, level slog.Level, c *ConnectionContext, message string, attrs ...slog.Attr) {
	if !h.opts.Logger.Enabled(ctx, level) {
		return
	}
	if c != nil {
		attrs = append(c.logAttrs(), attrs...)
	}
	h.opts.Logger.LogAttrs(ctx, level, message, attrs...)
}

// warnOnce warns unless it did so before for this key.
func (h *EventHandler) warnOnce(ctx context.Context, key string, c *ConnectionContext, message string) {
	if h.warned.first(key) {
		h.log(ctx, slog.LevelWarn, c, message)
	}
}

// warnOfEvent is warnOnce for an event type. Clients choose those, and must not
// use up the room of the other warnings.
func (h *EventHandler) warnOfEvent(ctx context.Context, c *ConnectionContext, message string) {
	if h.unhandledTypes.first(strings.ToLower(c.EventType)) {
		h.log(ctx, slog.LevelWarn, c, message)
	}
}

// logLate tells what became of a handler after its request was answered for
// it. A handler that obeyed its context has nothing to tell.
func (h *EventHandler) logLate(ctx context.Context, c *ConnectionContext, d time.Duration, err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return
	}
	level, attrs := slog.LevelWarn, []slog.Attr{slog.Duration(logDuration, d)}
	if context.Cause(ctx) != ErrHandlerTimeout {
		level = slog.LevelDebug // it was the service that gave up
	}
	if err != nil {
		attrs = append(attrs, slog.String(logErr, err.Error()))
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		level = slog.LevelError
		attrs = append(attrs, slog.String(logStack, string(p.stack)))
	}
	h.log(ctx, level, c, "upstream: a handler ended after its request was answered; its result is not sent", attrs...)
}

// gaveUp reports whether err only says that the request behind ctx is gone.
func gaveUp(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

func isBusy(err error) bool {
	_, ok := errors.AsType[*busyError](err)
	return ok
}
