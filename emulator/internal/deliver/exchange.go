package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An exchange is one request and its answer, with as many attempts as it takes.
type exchange struct {
	transport http.RoundTripper
	method    string
	url       *url.URL
	header    http.Header
	body      []byte
	limit     time.Duration   // from the first attempt to the headers of the last answer
	delays    []time.Duration // before further attempts
	wantBody  bool            // of a good answer

	attempts int // made so far
}

// A reply is an answer as it came. The body is nil unless it was wanted and
// came whole.
type reply struct {
	status int
	header http.Header // with canonical keys
	body   []byte
}

// The causes by which an attempt ends itself.
var (
	errLimit     = errors.New("deliver: no headers in time")
	errBodyLimit = errors.New("deliver: no end of the body in time")
)

// What is read of an answer that failed, and for how long.
const (
	maxFailureBytes = 64 << 10
	failureTime     = 5 * time.Second
)

// exchange sends a request until there is an answer that is not to be tried
// again. The error is one of this package.
func (s *Sender) exchange(ctx context.Context, x *exchange) (*reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(x.limit, func() { cancel(errLimit) })
	defer limit.Stop()
	var last error // of the attempts before
	for {
		x.attempts++
		r, err := s.attempt(ctx, x, limit)
		network, broken := errors.AsType[*NetworkError](err)
		switch {
		case err == nil && !retried(r.status):
			return r, nil
		case err == errLimit || ctx.Err() != nil:
			return nil, x.ended(ctx, last)
		case err == nil:
			last = errors.New(statusText(r.status))
		case broken:
			last = network.Err
		default:
			return nil, err
		}
		if x.attempts > len(x.delays) || s.isDraining() {
			return r, err
		}
		select {
		case <-time.After(x.delays[x.attempts-1]):
		case <-s.draining:
			return r, err
		case <-ctx.Done():
			return nil, x.ended(ctx, last)
		}
	}
}

// retried reports whether the service tries again after an answer.
func retried(status int) bool {
	return status == http.StatusRequestTimeout || status/100 == 5
}

// ended says why the context of an exchange ended.
func (x *exchange) ended(ctx context.Context, last error) error {
	cause := context.Cause(ctx)
	if cause == nil || cause == errLimit { // nil while the limit is about to end it
		return &TimeoutError{URL: display(x.url), Limit: x.limit, Attempts: x.attempts, Last: last}
	}
	return &CanceledError{Attempts: x.attempts, Last: last, Err: cause}
}

// attempt sends a request once. The limit stops when the headers of a good
// answer are there.
func (s *Sender) attempt(ctx context.Context, x *exchange, limit *time.Timer) (*reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := x.transport.RoundTrip(x.request(ctx))
	if err != nil {
		s.logPanic(ctx, x, err)
		return nil, &NetworkError{URL: display(x.url), Host: x.url.Host, Attempts: x.attempts, Err: err}
	}
	defer resp.Body.Close()
	r := &reply{status: resp.StatusCode, header: wire.Canonical(resp.Header)}
	if r.status/100 != 2 || !x.wantBody {
		stop := time.AfterFunc(failureTime, func() { cancel(errBodyLimit) })
		defer stop.Stop()
		r.body, _ = readUpTo(resp.Body, maxFailureBytes) // the status says enough
		return r, nil
	}
	if !limit.Stop() {
		return nil, errLimit
	}
	stop := time.AfterFunc(s.opts.BodyTimeout, func() { cancel(errBodyLimit) })
	defer stop.Stop()
	r.body, err = readUpTo(resp.Body, wire.MaxAnswerBytes)
	switch {
	case err == nil:
		return r, nil
	case context.Cause(ctx) == errBodyLimit:
		return nil, &TimeoutError{URL: display(x.url), Limit: s.opts.BodyTimeout, Body: true, Attempts: x.attempts}
	case err == errTooLong:
		return nil, &AnswerError{
			URL: display(x.url), Status: r.status, Reason: fmt.Sprintf("it has more than %d MB", wire.MaxAnswerBytes>>20),
			Fix: "answer with less; large data belongs in a storage that the client reads from",
		}
	}
	return nil, &AnswerError{
		URL: display(x.url), Status: r.status, Reason: "its body broke off", Err: err,
		Fix: "look for a panic in the application's log, and for a Content-Length that is not that of the body",
	}
}

var errTooLong = errors.New("deliver: body is too long")

// readUpTo reads all of a body unless it is longer than limit.
func readUpTo(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, errTooLong
	case err != nil:
		return nil, err
	}
	return data, nil
}

// request returns the request of one attempt.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: x.method, URL: x.url, Host: x.url.Host, Header: x.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(x.body)),
	}
	if x.url.User != nil {
		password, _ := x.url.User.Password()
		r.Header = x.header.Clone()
		r.SetBasicAuth(x.url.User.Username(), password)
	}
	if len(x.body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
		r.Body, _ = r.GetBody()
	}
	return r.WithContext(ctx)
}

// logPanic writes the stack of a handler in this process that panicked, as a
// server of net/http does.
func (s *Sender) logPanic(ctx context.Context, x *exchange, err error) {
	panicked, ok := errors.AsType[*panicError](err)
	if !ok || panicked.value == http.ErrAbortHandler {
		return
	}
	s.opts.Logger.ErrorContext(ctx, "handler panicked", "url", display(x.url), "panic", fmt.Sprint(panicked.value), "stack", string(panicked.stack))
}
