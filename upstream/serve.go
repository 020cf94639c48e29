package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// This file is the order of work on a request, the same through every door:
// recognise it, check its origin and its proof on headers alone, then its hub
// and type, then read the body, decode it, run the handler and answer.

// Preflight answers the handshake by which the service asks, about once a
// minute, whether it may send events: 200 with WebHook-Allowed-Origin, or a
// refusal. It needs the headers of an OPTIONS or GET request, and runs no
// handler. (CloudEvents HTTP webhook, "abuse protection".)
func (h *EventHandler) Preflight(header http.Header) *Response {
	return h.preflight(context.Background(), wire.Canonical(header)).response()
}

// Parse verifies and decodes a POST request from its headers and its body. A
// refused one is an error of this package; it is logged and observed, so there
// is nothing left to do but to answer it: with [StatusCode] and an empty body.
// What [Options.HandleError] chooses shows in log and [Record] only.
func (h *EventHandler) Parse(ctx context.Context, header http.Header, body []byte) (Request, error) {
	x := h.begin(ctx)
	var req Request
	_, err := x.conclude(func() outcome {
		var err error
		if req, err = x.parse(wire.Canonical(header), body); err != nil {
			return x.fail(err)
		}
		return outcome{} // Handle concludes it
	})
	if err != nil {
		return nil, err
	}
	return req, nil
}

// Handle runs the handler of a request that [EventHandler.Parse] returned. The
// response is never nil: it is an error response when the handler fails or
// panics.
func (h *EventHandler) Handle(ctx context.Context, req Request) *Response {
	if isNil(req) {
		panic("upstream: Handle of a nil Request")
	}
	x := h.begin(ctx)
	x.conn, x.verified = req.Connection(), true
	a, _ := x.conclude(func() outcome { return x.answer(req) })
	return a.response()
}

// HandleHTTP is [EventHandler.Parse] and [EventHandler.Handle] in one: from
// the headers and the body of a POST request to the response. It is for hosts
// other than net/http, such as serverless functions; header keys may have any
// case. The response is never nil.
//
// The request keeps header and body. A host that uses their memory again, as
// fasthttp does, has to pass copies.
func (h *EventHandler) HandleHTTP(ctx context.Context, header http.Header, body []byte) *Response {
	x := h.begin(ctx)
	a, _ := x.conclude(func() outcome {
		req, err := x.parse(wire.Canonical(header), body)
		if err != nil {
			return x.fail(err)
		}
		return x.answer(req)
	})
	return a.response()
}

// ServeHTTP implements [http.Handler] for any path and both methods of the
// handshake. What is no request of Web PubSub is answered with 400 or 405.
func (h *EventHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, nil) }

// Wrap returns a handler that serves the requests of Web PubSub on every path
// and passes all others to next, among them the events of hubs that are not
// in [Options.Hubs]. Handshakes and refusals stay here: EventHandlers that are
// chained by Wrap share one validator, others have paths of their own.
func (h *EventHandler) Wrap(next http.Handler) http.Handler {
	if isNil(next) {
		panic("upstream: Wrap of a nil http.Handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, next) })
}

func (h *EventHandler) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	body := requestBody{w: w, r: r}
	var a *answer
	switch door := recognise(r); {
	case door == doorForeign && next != nil: // next answers
	case door == doorEvent:
		a = h.serveEvent(r, &body, next != nil)
	case door == doorHandshake:
		a = h.preflight(r.Context(), r.Header)
	default:
		a = h.turnAway(r)
	}
	if a == nil {
		next.ServeHTTP(w, r)
		return
	}
	body.abandon()
	a.writeTo(w)
}

// serveEvent answers an event. The answer is nil for a foreign hub if those are
// to be passed on.
func (h *EventHandler) serveEvent(r *http.Request, body *requestBody, passOn bool) *answer {
	x := h.begin(context.WithValue(r.Context(), httpRequestKey{}, r))
	a, _ := x.conclude(func() outcome {
		req, err := x.admit(r.Header)
		if _, foreign := errors.AsType[*HubNotFoundError](err); foreign && passOn {
			return outcome{}
		}
		if err == nil {
			var data []byte
			if data, err = body.read(x.conn, &h.opts); err == nil {
				err = x.decode(req, data)
			}
		}
		if err != nil {
			return x.fail(err)
		}
		return x.answer(req)
	})
	return a
}

// turnAway answers what is no event and no handshake.
func (h *EventHandler) turnAway(r *http.Request) *answer {
	x := h.begin(r.Context())
	a, _ := x.conclude(func() outcome {
		if r.Method == http.MethodPost {
			return x.fail(errNotWebPubSub)
		}
		out := x.fail(errWrongMethod)
		out.answer.add("Allow", allowedMethods)
		return out
	})
	return a
}

// A door is what kind of request stands before the handler.
type door int

const (
	doorForeign     door = iota // not a request of Web PubSub
	doorHandshake               // the service asks for consent
	doorEvent                   // an event
	doorWrongMethod             // marked as Web PubSub's, but not a POST
)

// recognise looks at method and headers. The service marks its requests with
// ce-awpsversion, which the public header tables do not list; a ce-type of
// Web PubSub's does as well, and so does the origin alone in the handshake.
func recognise(r *http.Request) door {
	_, marked := r.Header[wire.HeaderAWPSVersion]
	asks := r.Method == http.MethodOptions || r.Method == http.MethodGet
	switch {
	case asks && wire.HasOrigin(r.Header[wire.HeaderRequestOrigin]), r.Method == http.MethodOptions && marked:
		return doorHandshake
	case !marked:
		if kind, _ := wire.ParseType(wire.First(r.Header, wire.HeaderType)); kind == wire.KindForeign {
			return doorForeign
		}
	}
	if r.Method != http.MethodPost {
		return doorWrongMethod
	}
	return doorEvent
}

const allowedMethods = "POST, OPTIONS"

func (h *EventHandler) preflight(ctx context.Context, header http.Header) *answer {
	x := h.begin(ctx)
	x.handshake = true
	a, _ := x.conclude(func() outcome {
		origins := wire.ParseOrigins(header[wire.HeaderRequestOrigin])
		if len(origins) == 0 {
			return refuseHandshake(http.StatusBadRequest, &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderRequestOrigin)})
		}
		x.origins = strings.Join(origins, ", ")
		allowed := h.allowedOrigins(origins)
		if len(allowed) == 0 {
			return refuseHandshake(http.StatusForbidden, &ValidationFailedError{reason: errForeignOrigin})
		}
		x.verified = true
		a := newAnswer(http.StatusOK)
		a.add("Allow", allowedMethods)
		for _, o := range allowed {
			a.add(wire.HeaderAllowedOrigin, o) // one line each: the service compares whole lines
		}
		return outcome{answer: a}
	})
	return a
}

// allowedOrigins returns what to consent to: the allowed ones of the origins,
// in their spelling.
func (h *EventHandler) allowedOrigins(origins []string) []string {
	if h.open {
		return []string{"*"}
	}
	return slices.DeleteFunc(origins, func(o string) bool { return !allows(h.validator, o) })
}

func refuseHandshake(status int, err error) outcome {
	a := newAnswer(status)
	a.add("Allow", allowedMethods)
	return outcome{answer: a, err: err}
}

// An exchange is one request on its way to its answer.
type exchange struct {
	h     *EventHandler
	ctx   context.Context
	start time.Time

	conn      *ConnectionContext // nil until headers were read
	origins   string             // of a handshake
	verified  bool
	handshake bool
}

// An outcome is how an exchange ends: with an answer, and with err when that is
// not a success. Without an answer somebody else ends it.
type outcome struct {
	answer    *answer
	err       error
	duplicate bool
}

func (h *EventHandler) begin(ctx context.Context) exchange {
	if !h.serving.Load() {
		h.serving.Store(true)
	}
	return exchange{h: h, ctx: ctx, start: time.Now()}
}

func (x *exchange) parse(header http.Header, body []byte) (Request, error) {
	req, err := x.admit(header)
	if err != nil {
		return nil, err
	}
	if limit := x.h.opts.MaxBodyBytes; limit >= 0 && int64(len(body)) > limit {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	return req, x.decode(req, body)
}

// admit judges a request by its headers: required ones first, then origin and
// proof, and only then what it asks for, so that nobody learns from a refusal
// which hubs and events exist.
func (x *exchange) admit(header http.Header) (Request, error) {
	kind, name := wire.ParseType(wire.First(header, wire.HeaderType))
	req := newRequest(kind)
	x.conn = req.Connection()
	if err := x.conn.setHeaders(header, name); err != nil {
		return nil, err
	}
	if err := x.validate(); err != nil {
		return nil, err
	}
	x.verified = true
	switch {
	case kind == wire.KindForeign:
		return nil, &InvalidEventTypeError{Context: x.conn, EventType: x.conn.EventType}
	case kind == wire.KindUser && strings.TrimSpace(name) == "":
		return nil, &InvalidEventNameError{Context: x.conn, EventName: name}
	case !x.h.servesHub(x.conn.Hub):
		return nil, &HubNotFoundError{Context: x.conn}
	}
	if e := wire.First(header, wire.HeaderContentEncoding); e != "" && !strings.EqualFold(e, "identity") {
		return nil, &InvalidBodyError{x.conn, http.StatusUnsupportedMediaType, errors.New("it has a Content-Encoding, which the service does not use")}
	}
	if v := wire.First(header, wire.HeaderAWPSVersion); v != "" && v != wire.AWPSVersion && !strings.HasPrefix(v, "1.") {
		x.h.warnOnce(x.ctx, "version "+v, x.conn,
			"upstream: the service speaks another version of the protocol; events are read as version 1")
	}
	return req, nil
}

func (x *exchange) validate() error {
	if !x.h.open {
		if len(x.conn.Origins) == 0 {
			return &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderRequestOrigin)}
		}
		if !slices.ContainsFunc(x.conn.Origins, func(o string) bool { return allows(x.h.validator, o) }) {
			return &ValidationFailedError{Context: x.conn, reason: errForeignOrigin}
		}
	}
	if err := checkError(x.h.validator.Validate(x.ctx, x.conn)); err != nil {
		return &ValidationFailedError{Context: x.conn, reason: err}
	}
	return nil
}

func (x *exchange) decode(req Request, body []byte) error {
	x.conn.bodySize = len(body)
	if x.h.opts.Duplicates != nil {
		digest := sha256.Sum256(body)
		x.conn.digest = digest[:]
	}
	return req.decode(body)
}

// conclude runs an exchange and finishes it, however it ends. A panic of a
// validator, a hook or this library is an answer of 500; two ways out are
// finished but not stopped: [http.ErrAbortHandler], by which a handler asks the
// server to drop the connection, and the end of the goroutine.
func (x *exchange) conclude(do func() outcome) (a *answer, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		p := recover()
		err = caught(p)
		a = x.finish(outcome{answer: failure(http.StatusInternalServerError, nil), err: err})
		if p == http.ErrAbortHandler {
			panic(p)
		}
	}()
	out := do()
	returned = true
	if out.answer == nil {
		return nil, nil
	}
	return x.finish(out), out.err
}

// caught makes an error of what recover returned.
func caught(p any) error {
	switch p {
	case nil:
		return errGoroutineEnded
	case http.ErrAbortHandler:
		return http.ErrAbortHandler
	}
	return &panicError{p, debug.Stack()}
}

// finish logs and observes an exchange, once.
func (x *exchange) finish(out outcome) *answer {
	if out.err == nil && x.h.opts.Observe == nil && !x.h.opts.Logger.Enabled(x.ctx, slog.LevelDebug) {
		return out.answer // nobody listens
	}
	r := Record{
		Verified:  x.verified,
		Handshake: x.handshake,
		Duplicate: out.duplicate,
		Status:    out.answer.status,
		Duration:  time.Since(x.start),
		BytesOut:  int64(len(out.answer.body)),
		Err:       out.err,
	}
	if x.conn != nil {
		r.setConnection(x.conn)
		r.BytesIn = int64(x.conn.bodySize)
	}
	reporter{x.h.opts.Logger, x.h.opts.Observe}.report(x.ctx, x.conn, x.origins, r)
	return out.answer
}
