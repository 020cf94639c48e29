package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
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
	return h.preflight(context.Background(), wire.Canonical(header))
}

// Parse verifies and decodes a POST request from its headers and its body. A
// refused one is an error that knows its status (see the errors of this
// package); it is logged and observed, so there is nothing left to do but to
// answer it.
func (h *EventHandler) Parse(ctx context.Context, header http.Header, body []byte) (Request, error) {
	x := h.begin(ctx)
	var req Request
	out := x.protect(func() outcome {
		var err error
		if req, err = x.parse(wire.Canonical(header), body); err != nil {
			return x.fail(err)
		}
		return outcome{}
	})
	if out.err != nil {
		x.finish(out)
		return nil, out.err
	}
	return req, nil
}

// Handle runs the handler of a request that [EventHandler.Parse] returned. The
// response is never nil: it is an error response when the handler fails or
// panics.
func (h *EventHandler) Handle(ctx context.Context, req Request) *Response {
	x := h.begin(ctx)
	x.conn, x.verified = req.Connection(), true
	return x.finish(x.protect(func() outcome { return x.answer(req) }))
}

// HandleHTTP is [EventHandler.Parse] and [EventHandler.Handle] in one: from
// the headers and the body of a POST request to the response. It is for hosts
// other than net/http, such as serverless functions; header keys may have any
// case. The response is never nil.
func (h *EventHandler) HandleHTTP(ctx context.Context, header http.Header, body []byte) *Response {
	x := h.begin(ctx)
	return x.finish(x.protect(func() outcome {
		req, err := x.parse(wire.Canonical(header), body)
		if err != nil {
			return x.fail(err)
		}
		return x.answer(req)
	}))
}

// ServeHTTP implements [http.Handler] for any path and both methods of the
// handshake. What is no request of Web PubSub is answered with 400 or 405.
func (h *EventHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, nil) }

// Wrap returns a handler that serves the requests of Web PubSub on every path
// and passes all others to next, among them the events of hubs that are not
// in [Options.Hubs].
func (h *EventHandler) Wrap(next http.Handler) http.Handler {
	if isNil(next) {
		panic("upstream: Wrap of a nil http.Handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, next) })
}

func (h *EventHandler) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch door := recognise(r); {
	case door == doorHandshake:
		h.preflight(r.Context(), r.Header).writeTo(w)
	case door == doorEvent:
		h.serveEvent(w, r, next)
	case door == doorForeign && next != nil:
		next.ServeHTTP(w, r)
	default:
		x := h.begin(r.Context())
		x.finish(x.turnAway(r)).writeTo(w)
	}
}

func (h *EventHandler) serveEvent(w http.ResponseWriter, r *http.Request, next http.Handler) {
	x := h.begin(context.WithValue(r.Context(), httpRequestKey{}, r))
	passOn := false
	out := x.protect(func() outcome {
		body := h.openBody(w, r)
		req, err := x.admit(r.Header)
		if _, foreign := errors.AsType[*HubNotFoundError](err); foreign && next != nil {
			passOn = true
			body.release()
			return outcome{}
		}
		if err != nil {
			body.abandon()
			return x.fail(err)
		}
		data, err := body.read(x.conn, h.opts.MaxBodyBytes)
		if err == nil {
			err = x.decode(req, data)
		}
		if err != nil {
			return x.fail(err)
		}
		return x.answer(req)
	})
	if passOn {
		next.ServeHTTP(w, r)
		return
	}
	x.finish(out).writeTo(w)
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
	case asks && len(wire.ParseOrigins(r.Header[wire.HeaderRequestOrigin])) > 0, r.Method == http.MethodOptions && marked:
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

func (h *EventHandler) preflight(ctx context.Context, header http.Header) *Response {
	x := h.begin(ctx)
	x.handshake = true
	return x.finish(x.protect(func() outcome {
		origins := wire.ParseOrigins(header[wire.HeaderRequestOrigin])
		x.origins = strings.Join(origins, ", ")
		refuse := func(status int, err error) outcome {
			return outcome{resp: &Response{StatusCode: status, Header: http.Header{"Allow": {allowedMethods}}}, err: err}
		}
		if len(origins) == 0 {
			return refuse(http.StatusBadRequest, &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderRequestOrigin)})
		}
		allowed := []string{"*"}
		if !h.open {
			allowed = nil
			for _, o := range origins {
				if allows(h.validator, o) {
					allowed = append(allowed, o)
				}
			}
		}
		if len(allowed) == 0 {
			return refuse(http.StatusForbidden, &ValidationFailedError{reason: errForeignOrigin})
		}
		x.verified = true
		return outcome{resp: &Response{StatusCode: http.StatusOK, Header: http.Header{
			"Allow":                  {allowedMethods},
			wire.HeaderAllowedOrigin: allowed, // one line each: the service compares whole lines
		}}}
	}))
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
	bytesIn   int64
}

// An outcome is how an exchange ends: with resp, and with err when that is not
// a success.
type outcome struct {
	resp      *Response
	err       error
	duplicate bool
	abort     any // a panic with http.ErrAbortHandler, on its way to the server
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
	if v := wire.First(header, wire.HeaderAWPSVersion); v != "" && v != wire.AWPSVersion && !strings.HasPrefix(v, "1.") {
		x.h.warnOnce(x.ctx, "version "+v, x.conn, "upstream: the service speaks another version of the protocol; events are read as version 1")
	}
	return req, nil
}

func (x *exchange) validate() error {
	if !x.h.open {
		if len(x.conn.Origins) == 0 {
			return &HeaderNotFoundError{Key: wire.OnWire(wire.HeaderRequestOrigin)}
		}
		allowed := false
		for _, o := range x.conn.Origins {
			allowed = allowed || allows(x.h.validator, o)
		}
		if !allowed {
			return &ValidationFailedError{Context: x.conn, reason: errForeignOrigin}
		}
	}
	if err := x.h.validator.Validate(x.ctx, x.conn); err != nil {
		return &ValidationFailedError{Context: x.conn, reason: err}
	}
	return nil
}

func (x *exchange) decode(req Request, body []byte) error {
	x.bytesIn = int64(len(body))
	if x.h.opts.Duplicates != nil {
		x.conn.digest = sha256.Sum256(body)
	}
	return req.decode(body)
}

// answer runs the handler of a verified request, within HandlerTimeout if
// there is one.
func (x *exchange) answer(req Request) outcome {
	if x.h.opts.HandlerTimeout > 0 {
		return x.h.answerInTime(x.ctx, req)
	}
	return x.h.answer(x.ctx, req)
}

// answerInTime lets a handler that overstays run on by itself: nothing can
// stop it, but the service need not wait for it.
func (h *EventHandler) answerInTime(ctx context.Context, req Request) outcome {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, h.opts.HandlerTimeout, ErrHandlerTimeout)
	defer cancel()
	done, left := make(chan outcome), make(chan struct{})
	go func() {
		out := outcome{err: errGoroutineEnded}
		defer func() {
			if p := recover(); p != nil {
				out = outcome{abort: p}
			}
			select {
			case done <- out:
			case <-left:
				h.logLate(ctx, req.Connection(), time.Since(start), out.err)
			}
		}()
		out = h.answer(ctx, req)
	}()
	select {
	case out := <-done:
		switch {
		case out.abort != nil:
			panic(out.abort)
		case out.resp == nil:
			return h.fail(ctx, req, out.err)
		}
		return out
	case <-ctx.Done():
		close(left)
		return h.fail(ctx, req, context.Cause(ctx))
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
		if p := recover(); p != nil {
			out = h.fail(ctx, req, caught(p))
		}
	}()
	fn := h.handlerFor(req)
	if fn == nil {
		return h.unhandled(ctx, req)
	}
	reply, err := fn(ctx, req)
	if err != nil {
		return h.fail(ctx, req, err)
	}
	if isNil(reply) {
		return outcome{resp: noContent()}
	}
	resp, change, err := reply.render(req)
	if err != nil {
		return h.fail(ctx, req, err)
	}
	if change.replaced {
		h.log(ctx, slog.LevelWarn, req.Connection(), "upstream: the connection's state could not be read as a JSON object and is replaced")
	}
	return outcome{resp: resp}
}

// unhandled answers an event that nobody registered for. System events of a
// connection are always welcome: without a handler the service accepts a
// client by itself.
func (h *EventHandler) unhandled(ctx context.Context, req Request) outcome {
	c := req.Connection()
	switch req.kind() {
	case wire.KindConnect, wire.KindConnected, wire.KindDisconnected:
		return outcome{resp: noContent()}
	}
	if h.opts.RejectUnhandled {
		return h.fail(ctx, req, &HandlerNotFoundError{Context: c})
	}
	h.warnOnce(ctx, "event "+strings.ToLower(c.EventType), c,
		"upstream: no handler for this event; it and others of its type are answered with 204")
	return outcome{resp: noContent()}
}

// fail answers an error before there is a decoded request.
func (x *exchange) fail(err error) outcome { return x.h.fail(x.ctx, nil, err) }

// fail turns an error into a response. req is nil when the error came before
// the handler.
func (h *EventHandler) fail(ctx context.Context, req Request, err error) outcome {
	if context.Cause(ctx) == ErrHandlerTimeout && errors.Is(err, context.DeadlineExceeded) {
		err = ErrHandlerTimeout // the handler obeyed its context
	}
	status, authored := statusOf(err)
	if gaveUp(ctx, err) {
		status = http.StatusServiceUnavailable // nobody reads it
	}
	status = h.chooseStatus(ctx, status, err)
	resp := &Response{StatusCode: status, Header: http.Header{}}
	if connect, ok := req.(*ConnectRequest); ok && connect.IsMQTT() {
		version := 0
		if connect.MQTT != nil {
			version = connect.MQTT.ProtocolVersion
		}
		if body, err := mqttFailure(version, status, authored); err == nil {
			resp.Header[wire.HeaderContentType] = []string{wire.ContentTypeJSON}
			resp.Body = body
		}
		return outcome{resp: resp, err: err}
	}
	if text := authoredText(authored); text != "" {
		resp.Header[wire.HeaderContentType] = []string{wire.ContentTypeText}
		resp.Header["X-Content-Type-Options"] = []string{"nosniff"}
		resp.Body = []byte(text)
	}
	return outcome{resp: resp, err: err}
}

func authoredText(err error) string {
	switch e := err.(type) {
	case *Error:
		return e.message
	case *MQTTConnectError:
		return e.Reason
	}
	return ""
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

// turnAway answers what is no event and no handshake.
func (x *exchange) turnAway(r *http.Request) outcome {
	if r.Method == http.MethodPost {
		return x.fail(errNotWebPubSub)
	}
	out := x.fail(errWrongMethod)
	out.resp.Header["Allow"] = []string{allowedMethods}
	return out
}

// protect keeps a panic of a validator, a hook or this library from taking the
// connection with it.
func (x *exchange) protect(do func() outcome) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = outcome{
				resp: &Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}},
				err:  caught(p),
			}
		}
	}()
	return do()
}

// caught makes an error of a recovered panic. [http.ErrAbortHandler] goes on:
// it is how a handler asks the server to drop the connection.
func caught(p any) error {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	return &panicError{p, debug.Stack()}
}

// finish logs and observes an exchange, once.
func (x *exchange) finish(out outcome) *Response {
	r := Record{
		Verified:  x.verified,
		Handshake: x.handshake,
		Duplicate: out.duplicate,
		Status:    out.resp.StatusCode,
		Duration:  time.Since(x.start),
		BytesIn:   x.bytesIn,
		BytesOut:  int64(len(out.resp.Body)),
		Err:       out.err,
	}
	if x.conn != nil {
		r.setConnection(x.conn)
	}
	reporter{x.h.opts.Logger, x.h.opts.Observe}.report(x.ctx, x.conn, x.origins, r)
	return out.resp
}

func noContent() *Response {
	return &Response{StatusCode: http.StatusNoContent, Header: http.Header{}}
}

// A requestBody is the body of an HTTP request that has not been read yet.
type requestBody struct {
	w        http.ResponseWriter
	r        *http.Request
	deadline bool // a read deadline is set
}

// openBody sets the read deadline, unless the server has one of its own.
func (h *EventHandler) openBody(w http.ResponseWriter, r *http.Request) *requestBody {
	b := &requestBody{w: w, r: r}
	if h.opts.ReadTimeout < 0 || r.ContentLength == 0 {
		return b
	}
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ReadTimeout > 0 {
		return b
	}
	b.deadline = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.opts.ReadTimeout)) == nil
	return b
}

// release takes the read deadline away again: net/http reads on in the
// background to notice a client that goes away.
func (b *requestBody) release() {
	if b.deadline {
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{})
	}
}

// abandon refuses to read the body. Without it net/http would read on before
// it sends the answer, at the pace of the sender.
func (b *requestBody) abandon() {
	if b.r.ProtoMajor == 1 && b.r.ContentLength != 0 {
		b.w.Header().Set("Connection", "close")
	}
}

// firstRead bounds what a claimed Content-Length makes us allocate up front.
const firstRead = 64 << 10

func (b *requestBody) read(c *ConnectionContext, limit int64) ([]byte, error) {
	if b.r.Body == nil || b.r.ContentLength == 0 {
		return nil, nil
	}
	src := io.Reader(b.r.Body)
	if limit >= 0 {
		if b.r.ContentLength > limit {
			b.abandon()
			return nil, &BodyTooLargeError{Limit: limit}
		}
		src = http.MaxBytesReader(b.w, b.r.Body, limit)
	}
	data, err := readAll(src, b.r.ContentLength)
	switch {
	case err == nil:
		b.release()
		return data, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &InvalidBodyError{c, http.StatusRequestTimeout, errors.New("it did not arrive in time")}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	return nil, &InvalidBodyError{c, http.StatusBadRequest, err}
}

// readAll is io.ReadAll with a first buffer of the announced size.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	size := min(max(announced, 511), firstRead) + 1 // one more, to see the end without growing
	data := make([]byte, 0, size)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
