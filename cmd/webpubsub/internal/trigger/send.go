package trigger

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// HandshakeTimeout limits the time of each question for consent.
const HandshakeTimeout = 10 * time.Second

// An Exchange is one request and what came back.
type Exchange struct {
	Method string
	URL    string // as it may be shown
	Fields []Field
	Body   []byte

	Response *Response     // nil if there was none
	Err      error         // why there was no whole response, fit to be shown
	Hint     string        // what to do about Err
	Duration time.Duration // until the end of the response

	url *url.URL
}

// A Response is an answer to a request.
type Response struct {
	Status int
	Header http.Header // with canonical keys
	Fields []Field     // the same, fit to be shown
	Body   []byte
}

// errLimit ends a request that takes too long.
var errLimit = errors.New("trigger: time limit")

// Handshake asks for consent as the service does before it sends any event:
// with OPTIONS, and after a 404 with GET.
func (e *Event) Handshake(ctx context.Context) ([]*Exchange, Verdict) {
	var asked []*Exchange
	for _, method := range []string{http.MethodOptions, http.MethodGet} {
		x := e.exchange(ctx, method, wire.EventValidate, e.handshakeFields(), nil, HandshakeTimeout)
		asked = append(asked, x)
		if x.Response == nil || x.Response.Status != http.StatusNotFound {
			break
		}
	}
	return asked, e.judgeHandshake(asked[len(asked)-1])
}

// Send sends the event, and gives the handler this long to answer.
func (e *Event) Send(ctx context.Context, timeout time.Duration) (*Exchange, Verdict) {
	x := e.exchange(ctx, http.MethodPost, e.Name(), e.fields(), e.Body, timeout)
	return x, e.judge(x)
}

func (e *Event) exchange(ctx context.Context, method, event string, fields []Field, body []byte, timeout time.Duration) *Exchange {
	x := &Exchange{Method: method, Fields: fields, Body: body}
	u, err := e.url(event)
	if err != nil {
		x.Err = err
		return x
	}
	x.url, x.URL = u, display(u)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errLimit)
	defer cancel()
	start := time.Now()
	x.Response, err = x.roundTrip(ctx)
	x.Duration = time.Since(start)
	if err != nil {
		x.explain(ctx, err, timeout)
	}
	return x
}

// roundTrip sends the request on a connection of its own, and follows no
// redirect.
func (x *Exchange) roundTrip(ctx context.Context) (*Response, error) {
	request, err := http.NewRequestWithContext(ctx, x.Method, x.url.String(), bytes.NewReader(x.Body))
	if err != nil {
		return nil, err
	}
	request.Header = header(x.Fields)
	if user := x.url.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
		x.Fields = append(x.Fields, Field{"Authorization", "Basic (hidden)"})
	}
	if x.Method == http.MethodPost {
		x.Fields = append(x.Fields, Field{"Content-Length", strconv.Itoa(len(x.Body))})
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the service asks for none
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 1 << 20,
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	r := &Response{Status: answer.StatusCode, Header: answer.Header, Fields: fieldsOf(answer.Header)}
	r.Body, err = io.ReadAll(io.LimitReader(answer.Body, wire.MaxAnswerBytes+1))
	switch {
	case err != nil:
		return nil, &bodyError{r.Status, err}
	case len(r.Body) > wire.MaxAnswerBytes:
		return nil, &bodyError{r.Status, errTooLong}
	}
	return r, nil
}

// A bodyError reports an answer that did not come whole.
type bodyError struct {
	status int
	err    error
}

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

var errTooLong = fmt.Errorf("it has more than %d MB", wire.MaxAnswerBytes>>20)

// explain says why there is no answer, and what to do about it.
func (x *Exchange) explain(ctx context.Context, err error, timeout time.Duration) {
	broken, ok := errors.AsType[*bodyError](err)
	switch {
	case ok && broken.err == errTooLong:
		x.Err = fmt.Errorf("%s answered %s, but the answer cannot be used: %w", x.URL, Status(broken.status), broken)
		x.Hint = "answer with less; large data belongs in a storage that the client reads from"
	case ok:
		x.Err = fmt.Errorf("%s answered %s, but the body of the answer did not come whole: %w", x.URL, Status(broken.status), broken)
		x.Hint = "look for a panic in the application's log, and for a Content-Length that is not that of the body"
	default:
		x.Err = fmt.Errorf("%s gave no answer: %w", x.URL, err)
		x.Hint = networkHint(err, x.url.Host)
	}
	switch {
	case context.Cause(ctx) == errLimit:
		x.Err = &timeoutError{x.URL, timeout}
		x.Hint = "answer sooner: do what takes long after the answer, and send its result to the client then"
	case ctx.Err() != nil:
		x.Err, x.Hint = context.Cause(ctx), ""
	}
}

// A timeoutError reports a handler that took too long.
type timeoutError struct {
	url   string
	limit time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("%s did not answer within %v", e.url, e.limit)
}

func networkHint(err error, host string) string {
	var (
		noHost    *net.DNSError
		op        *net.OpError
		noTLS     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
	)
	switch {
	case errors.As(err, &noHost):
		return "check the host in --to"
	case errors.As(err, &op) && op.Op == "dial":
		return "is the application running at " + host + "? In a container, localhost is the container itself"
	case errors.As(err, &noTLS):
		return "the application speaks no TLS there: use http:// in --to"
	case errors.As(err, &authority), errors.As(err, &name):
		return "the certificate is not trusted: use http:// on this machine, or have SSL_CERT_FILE name its authority"
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert, for which net/http has no type
		return "the application speaks TLS there: use https:// in --to"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the application closed the connection instead of answering: look for a panic in its log"
	}
	return "check --to, and what stands between"
}
