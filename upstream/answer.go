package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// answer runs the handler of a verified request, within HandlerTimeout if
// there is one.
func (x *exchange) answer(req Request) outcome {
	ctx := wire.WithRequestID(x.ctx, x.conn.RequestID)
	if x.h.opts.HandlerTimeout > 0 || !req.Blocking() {
		mine := *x.conn // the handler may outlive the exchange, and change the request
		x.conn = &mine
	}
	if x.h.opts.HandlerTimeout > 0 {
		return x.h.answerInTime(ctx, req, x.conn)
	}
	return x.h.answer(ctx, req)
}

// answerInTime lets a handler that overstays run on by itself: nothing can
// stop it, but the service need not wait for it. c is for the log: the request
// is the handler's alone.
func (h *EventHandler) answerInTime(ctx context.Context, req Request, c *ConnectionContext) outcome {
	start, form := time.Now(), formOf(req)
	ctx, cancel := context.WithTimeoutCause(ctx, h.opts.HandlerTimeout, ErrHandlerTimeout)
	defer cancel()
	done, left := make(chan outcome), make(chan struct{})
	go func() {
		out := outcome{err: errGoroutineEnded}
		defer func() {
			if p := recover(); p != nil {
				out = outcome{err: caught(p)}
			}
			select {
			case done <- out:
			case <-left:
				h.logLate(ctx, c, time.Since(start), out.err)
			}
		}()
		out = h.answer(ctx, req)
	}()
	select {
	case out := <-done:
		switch {
		case out.err == errGoroutineEnded, errors.Is(out.err, ErrHandlerTimeout):
			return h.fail(ctx, form, out.err)
		case out.err == http.ErrAbortHandler && out.answer == nil:
			panic(out.err) // on its way to the server
		case out.answer == nil: // HandleError panicked
			return outcome{answer: failure(http.StatusInternalServerError, nil), err: out.err}
		}
		return out
	case <-ctx.Done():
		close(left)
		return h.fail(ctx, form, context.Cause(ctx))
	}
}

// answer gives the stored answer to a duplicate and runs the handler for
// everything else.
func (h *EventHandler) answer(ctx context.Context, req Request) outcome {
	if h.opts.Duplicates == nil {
		return h.run(ctx, req)
	}
	return h.opts.Duplicates.once(ctx, h, req)
}

// run calls the handler and renders its reply.
func (h *EventHandler) run(ctx context.Context, req Request) (out outcome) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			out = h.handlerFailed(ctx, req, caught(p))
		}
	}()
	fn := h.handlerFor(req)
	if fn == nil {
		return h.unhandled(ctx, req)
	}
	reply, err := fn(ctx, req)
	if err = checkError(err); err != nil {
		return h.handlerFailed(ctx, req, err)
	}
	if isNil(reply) {
		return outcome{answer: noContent()}
	}
	rendered, change, err := reply.render(req)
	if err != nil {
		return h.handlerFailed(ctx, req, err)
	}
	if change.replaced {
		h.log(ctx, slog.LevelWarn, req.Connection(),
			"upstream: the connection's state could not be read as a JSON object and is replaced")
	}
	return outcome{answer: rendered}
}

// handlerFailed answers an error of a handler. After HandlerTimeout whoever has
// waited for the handler answers; what the handler refused is only kept, for
// the service's next try.
func (h *EventHandler) handlerFailed(ctx context.Context, req Request, err error) outcome {
	if context.Cause(ctx) != ErrHandlerTimeout {
		return h.fail(ctx, formOf(req), err)
	}
	late := outcome{err: fmt.Errorf("%w: %w", ErrHandlerTimeout, err)}
	if status, authored := statusOf(err); keepable(status) {
		late.answer = formOf(req).failure(status, authored)
	}
	return late
}

// unhandled answers an event that nobody registered for. System events of a
// connection are always welcome: without a handler the service accepts a
// client by itself.
func (h *EventHandler) unhandled(ctx context.Context, req Request) outcome {
	c := req.Connection()
	switch req.kind() {
	case wire.KindConnect, wire.KindConnected, wire.KindDisconnected:
		return outcome{answer: noContent()}
	}
	if h.opts.RejectUnhandled {
		return h.fail(ctx, form{}, &HandlerNotFoundError{Context: c})
	}
	h.warnOfEvent(ctx, c, "upstream: no handler for this event; it and others of its type are answered with 204")
	return outcome{answer: noContent()}
}

// fail answers an error before there is a decoded request.
func (x *exchange) fail(err error) outcome { return x.h.fail(x.ctx, form{}, err) }

// fail turns an error into an answer.
func (h *EventHandler) fail(ctx context.Context, form form, err error) outcome {
	status, authored := statusOf(err)
	if gaveUp(ctx, err) {
		status = http.StatusServiceUnavailable // nobody reads it
	}
	status = h.chooseStatus(ctx, status, err)
	if e, ok := authored.(*MQTTConnectError); ok {
		h.checkMQTTCode(ctx, e.Code)
	}
	return outcome{answer: form.failure(status, authored), err: err}
}

// A form is how an error answer looks: an MQTT connect is refused with a body
// of its own.
type form struct {
	mqttConnect bool
	version     int // of the MQTT protocol, 0 when the request does not say
}

func formOf(req Request) form {
	connect, ok := req.(*ConnectRequest)
	if !ok || !connect.IsMQTT() {
		return form{}
	}
	f := form{mqttConnect: true}
	if connect.MQTT != nil {
		f.version = connect.MQTT.ProtocolVersion
	}
	return f
}

func (f form) failure(status int, authored error) *answer {
	if f.mqttConnect {
		return mqttFailure(f.version, status, authored)
	}
	return failure(status, authored)
}

// failure is the answer to an error: its status, and the text of authored
// errors.
func failure(status int, authored error) *answer {
	a := newAnswer(status)
	text := ""
	switch e := authored.(type) {
	case *Error:
		text = e.message
	case *MQTTConnectError:
		text = e.Reason
	}
	if text != "" {
		a.add(wire.HeaderContentType, wire.ContentTypeText)
		a.add("X-Content-Type-Options", "nosniff")
		a.body = []byte(text)
	}
	return a
}

// checkMQTTCode warns of a code that no client understands.
func (h *EventHandler) checkMQTTCode(ctx context.Context, code MQTTCode) {
	if _, known := wire.MQTTStatus(int(code)); !known {
		h.warnOnce(ctx, fmt.Sprint("MQTT code ", int(code)), nil,
			fmt.Sprintf("upstream: %d is no code that refuses an MQTT client; it sees an unspecified error", code))
	}
}

// chooseStatus asks Options.HandleError. An error stays an error: a status
// outside 4xx and 5xx would accept a client that was refused.
func (h *EventHandler) chooseStatus(ctx context.Context, status int, err error) int {
	if h.opts.HandleError == nil {
		return status
	}
	chosen := h.opts.HandleError(ctx, err)
	if chosen >= 400 && chosen <= 599 {
		return chosen
	}
	if chosen != 0 {
		h.warnOnce(ctx, "HandleError", nil, "upstream: HandleError returned a status outside 400 to 599; it is ignored")
	}
	return status
}

func noContent() *answer { return newAnswer(http.StatusNoContent) }
