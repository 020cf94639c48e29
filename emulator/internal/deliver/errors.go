package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Hinter is an error that knows how it can be mended: in one line, for the
// author of the handler.
type Hinter interface {
	error
	Hint() string
}

// A NoHandlerError reports an event that no handler takes. It is no fault for
// system and group events; the service then goes on as if there were none.
type NoHandlerError struct {
	Hub  string
	Kind wire.Kind
	// Name is that of the user event, or the group.
	Name string
	// Takes says of each handler of the hub what it takes.
	Takes []string
}

func (e *NoHandlerError) Error() string {
	what := e.Kind.String()
	if e.Name != "" {
		what = fmt.Sprintf("%s %q", what, e.Name)
	}
	if len(e.Takes) == 0 {
		return fmt.Sprintf("hub %q has no event handler to take %s", e.Hub, what)
	}
	return fmt.Sprintf("no event handler of hub %q takes %s: %s", e.Hub, what, strings.Join(e.Takes, "; "))
}

// Hint implements [Hinter].
func (e *NoHandlerError) Hint() string {
	switch {
	case len(e.Takes) == 0:
		return fmt.Sprintf("set the URL of an event handler for hub %q, and the events that it takes", e.Hub)
	case e.Kind == wire.KindUser:
		return fmt.Sprintf("add %q to the user event pattern of a handler, or make the pattern *", e.Name)
	}
	return "add the event to what a handler takes"
}

// An UnsendableError reports an event with a header that the service cannot
// send. It is not tried again.
type UnsendableError struct {
	Header string
	Reason string
}

func (e *UnsendableError) Error() string {
	return fmt.Sprintf("the event cannot be sent: the header %s %s", e.Header, e.Reason)
}

// Hint implements [Hinter].
func (e *UnsendableError) Hint() string {
	return "event names, metadata and connection states travel in HTTP headers: keep them ASCII"
}

// A CanceledError reports an event that was given up before its answer: its
// client went away, or the service ends.
type CanceledError struct {
	Attempts int
	Last     error // how the attempt before ended; nil for the first
	Err      error // what ended the context
}

func (e *CanceledError) Error() string {
	if e.Last == nil {
		return "the event was given up: " + e.Err.Error()
	}
	return fmt.Sprintf("the event was given up%s, the last ended with %q: %v", times(e.Attempts), e.Last.Error(), e.Err)
}

// Unwrap returns what ended the context.
func (e *CanceledError) Unwrap() error { return e.Err }

// A TimeoutError reports a handler that took too long. It is not asked again.
type TimeoutError struct {
	URL      string
	Limit    time.Duration
	Body     bool // the headers of the answer came, and its body did not end
	Attempts int
	// Last is what the last attempt that ended in time came to, nil if none
	// did.
	Last error
}

func (e *TimeoutError) Error() string {
	if e.Body {
		return fmt.Sprintf("the answer of %s did not end within %v", e.URL, e.Limit)
	}
	text := fmt.Sprintf("%s did not answer within %v", e.URL, e.Limit)
	if e.Last != nil {
		text += fmt.Sprintf(" (%d attempts; before that: %v)", e.Attempts, e.Last)
	}
	return text
}

// Unwrap returns what came before.
func (e *TimeoutError) Unwrap() error { return e.Last }

// Timeout tells package net and its users that this is a timeout.
func (e *TimeoutError) Timeout() bool { return true }

// Hint implements [Hinter].
func (e *TimeoutError) Hint() string {
	if e.Body {
		return "end the answer: the service waits for the whole of it before the client gets anything"
	}
	return "answer sooner: do what takes long after the answer, and send its result to the client then"
}

// A NetworkError reports that the handler could not be reached, or broke off.
type NetworkError struct {
	URL      string // as it may be shown
	Host     string // and port, of the URL
	Attempts int
	Err      error
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%s gave no answer: %v%s", e.URL, e.Err, times(e.Attempts))
}

// Unwrap returns the last attempt's error.
func (e *NetworkError) Unwrap() error { return e.Err }

// Hint implements [Hinter].
func (e *NetworkError) Hint() string {
	var (
		panicked  *panicError
		noHost    *net.DNSError
		op        *net.OpError
		noTLS     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
	)
	switch {
	case errors.As(e.Err, &panicked):
		return "the handler panicked; the log has its stack"
	case errors.As(e.Err, &noHost):
		return "check the host in the URL of the handler"
	case errors.As(e.Err, &op) && op.Op == "dial":
		return fmt.Sprintf("is the application running at %s? In a container, localhost is the container itself", e.Host)
	case errors.As(e.Err, &noTLS):
		return "the application speaks no TLS there: use http:// in the URL of the handler"
	case errors.As(e.Err, &authority), errors.As(e.Err, &name):
		return "the certificate is not trusted: use http:// on this machine, or add its authority to the roots"
	case strings.Contains(e.Err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert; net/http has no error type for it
		return "the application speaks TLS there: use https:// in the URL of the handler"
	case errors.Is(e.Err, io.EOF), errors.Is(e.Err, io.ErrUnexpectedEOF):
		return "the application closed the connection instead of answering: look for a panic in its log"
	}
	return "check the URL of the handler and what stands between"
}

// A StatusError reports an answer with another status than 2xx.
type StatusError struct {
	URL      string
	Attempts int
	// Location is where a redirect points, as it may be shown.
	Location string
	// Answer is what the handler said, with a body of at most 64 KB: none when
	// it was longer. MQTT clients get to see it.
	Answer *Answer

	kind   wire.Kind
	origin string
	paths  [2]string // without and with a trailing slash
}

func newStatusError(x *exchange, kind wire.Kind, origin string, a *Answer) *StatusError {
	path := strings.TrimRight(x.url.EscapedPath(), "/")
	err := &StatusError{
		URL: display(x.url), Attempts: x.attempts, Answer: a,
		kind: kind, origin: origin, paths: [2]string{path, path + "/"},
	}
	err.Location = displayLocation(a.Status, a.Header)
	return err
}

// Status returns the status of the answer.
func (e *StatusError) Status() int { return e.Answer.Status }

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answered %s%s", e.URL, statusText(e.Status()), times(e.Attempts))
	if e.Location != "" {
		text += ", to " + e.Location
	}
	return text
}

// Hint implements [Hinter].
func (e *StatusError) Hint() string {
	both := fmt.Sprintf("register both %s and %s", e.paths[0], e.paths[1])
	if e.paths[0] == "" {
		both = "register the path /"
	}
	switch status := e.Status(); {
	case status/100 == 3:
		return "the service follows no redirect: " + both + ", or set the URL of the handler to where it points"
	case status == http.StatusUnauthorized:
		return e.orRefused("the handler does not accept the signature: its AccessKey has to be the one of this service")
	case status == http.StatusForbidden:
		return e.orRefused(fmt.Sprintf("the handler does not accept events from %s: the host of its Endpoint has to be that", e.origin))
	case status == http.StatusNotFound:
		return both + " for POST, and let the handler take this hub and this event"
	case status == http.StatusMethodNotAllowed:
		return both + " for POST and OPTIONS, without a redirect between the two"
	case status == http.StatusRequestEntityTooLarge:
		return "raise the limit for bodies in the application: events of clients have up to 1 MB"
	case status == http.StatusUnsupportedMediaType:
		return "let the application take the content type of the event as it is"
	case status == http.StatusTooManyRequests:
		return "the application limits requests; the service does not try again after 429"
	case status >= 500, status == http.StatusRequestTimeout:
		return "the application failed; its own log says why"
	}
	return e.orRefused("the application refused the event; its own log says why")
}

// orRefused leaves room for a handler that refuses clients as it should.
func (e *StatusError) orRefused(hint string) string {
	switch {
	case e.kind != wire.KindConnect:
		return hint
	case len(e.Answer.Body) > 0:
		return "the application gave a reason, so it most likely meant to refuse this client; otherwise " + hint
	}
	return "if the handler did not mean to refuse this client: " + hint
}

// An AnswerError reports an answer that the service can do nothing with,
// although its status is good.
type AnswerError struct {
	URL    string
	Status int
	Reason string // what is wrong with the answer
	Fix    string // what to do about it
	Err    error  // the cause, if there is one to look at
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("%s answered %s, but the answer cannot be used: %s", e.URL, statusText(e.Status), e.Reason)
}

// Unwrap returns the cause, which may be nil.
func (e *AnswerError) Unwrap() error { return e.Err }

// Hint implements [Hinter].
func (e *AnswerError) Hint() string { return e.Fix }

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("%d", status)
}

// times tells of more attempts than one.
func times(attempts int) string {
	if attempts < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d attempts)", attempts)
}

// displayLocation returns where a redirect points, as it may be shown.
func displayLocation(status int, h http.Header) string {
	location := wire.First(h, "Location")
	if status/100 != 3 || location == "" {
		return ""
	}
	u, err := url.Parse(location)
	if err != nil {
		return "nowhere: its Location is no URL"
	}
	return fmt.Sprintf("%.200s", display(u))
}
