package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
)

// inProcess is the transport to a handler in this process: it shows the handler
// what a server of net/http would, and takes its answer as a client of that
// server would, without a socket between them.
//
// A handler that does not return in time is left behind: nothing can stop it,
// but what it still writes goes nowhere. A panic breaks the connection, as it
// does in a server.
type inProcess struct {
	local *local
	spawn func(func()) // starts a goroutine that the sender's Shutdown waits for
}

// A local is a handler in this process. It is a type so that handlers can be
// told apart by their pointers: a function is not comparable.
type local struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Context().Err() != nil {
		return nil, context.Cause(req.Context())
	}
	// A server's context knows of the client that goes away and of nothing
	// else: neither its deadline nor its values travel.
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(req.Context(), cancel)
	r, err := received(ctx, req)
	if err != nil {
		cancel()
		return nil, err
	}
	w := newResponseWriter()
	returned := make(chan error, 1)
	t.spawn(func() {
		defer cancel()
		defer stop()
		err := errGoexit
		defer func() { returned <- err }()
		err = call(t.local, w, r)
	})
	select {
	case err := <-returned:
		if err != nil {
			return nil, err
		}
	case <-w.full:
		cancel()
	case <-req.Context().Done():
		w.leave()
		return nil, context.Cause(req.Context())
	}
	return w.response(req), nil
}

// received returns the request as a server of net/http reads it.
func received(ctx context.Context, req *http.Request) (*http.Request, error) {
	uri := req.URL.RequestURI()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, fmt.Errorf("deliver: the path of the URL of the handler is not valid: %w", errors.Unwrap(err))
	}
	r := &http.Request{
		Method: req.Method, URL: u, RequestURI: uri, Host: req.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: req.Header.Clone(), Body: http.NoBody, ContentLength: req.ContentLength,
		RemoteAddr: "127.0.0.1:1",
	}
	if req.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: req.URL.Hostname()}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Del("User-Agent") // how a client says that it sends none
	}
	if req.Body != nil {
		r.Body = req.Body
	}
	if req.Body != nil || req.Method == http.MethodPost {
		r.Header.Set("Content-Length", strconv.FormatInt(req.ContentLength, 10))
	}
	return r.WithContext(ctx), nil
}

// A panicError is what a handler panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	if e.value == http.ErrAbortHandler {
		return "the handler broke off the answer"
	}
	return "the handler panicked"
}

// errGoexit is what remains of a handler that ends its goroutine, as the
// FailNow of a test does.
var errGoexit = errors.New("the handler ended its goroutine")

// call runs a handler until it returns or panics.
func call(h http.Handler, w *responseWriter, r *http.Request) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, debug.Stack()}
		}
	}()
	h.ServeHTTP(w, r)
	w.finish()
	return nil
}
