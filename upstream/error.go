package upstream

import (
	"errors"
	"fmt"
	"net/http"
)

// An Error is an error that the author of a handler wrote for the outside: the
// only one whose text leaves the process. Every other error becomes a bare
// status and a line in the log.
//
// What the text reaches: the service forwards the status of a refused connect
// to the client, and for MQTT the text too. Error answers to user events reach
// MQTT clients only.
type Error struct {
	status  int
	message string
	cause   error
}

// NewError returns an error that answers with this status and, as plain text,
// this message. It panics unless status is between 400 and 599.
//
// Refuse with 4xx: the service sends a request that failed with 408 or 5xx
// again, up to three times.
func NewError(status int, message string) *Error {
	if status < 400 || status > 599 {
		panic(fmt.Sprintf("upstream: NewError with status %d, want 400 to 599", status))
	}
	return &Error{status: status, message: message}
}

// Errorf is [NewError] with a formatted message. It does not wrap: whatever is
// formatted is text for the outside. Use [Error.WithCause] to keep an error
// for the log.
func Errorf(status int, format string, args ...any) *Error {
	return NewError(status, fmt.Sprintf(format, args...))
}

// WithCause returns a copy of e that unwraps to err. The cause is for logs and
// for [Options.HandleError]; it never leaves the process.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Error returns the message, and the cause behind it.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.message
	}
	return e.message + ": " + e.cause.Error()
}

// StatusCode returns the HTTP status to answer with.
func (e *Error) StatusCode() int { return e.status }

// Message returns the text for the outside.
func (e *Error) Message() string { return e.message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// An answerer is an error that decides the status of the answer. The
// unexported method keeps errors from elsewhere, whose StatusCode may mean
// something else, from choosing what the service sees.
type answerer interface {
	Error() string
	StatusCode() int
	answers()
}

func (*Error) answers()            {}
func (*MQTTConnectError) answers() {}

// A HeaderNotFoundError reports a request without a header that every event
// has. Status 400.
type HeaderNotFoundError struct {
	// Key is the name of the header as the protocol spells it: "ce-hub".
	Key string
}

func (e *HeaderNotFoundError) Error() string { return "upstream: no " + e.Key + " header" }

// StatusCode returns 400.
func (*HeaderNotFoundError) StatusCode() int { return http.StatusBadRequest }

func (*HeaderNotFoundError) answers() {}

// An InvalidConnectRequestError reports a connect event whose body cannot be
// understood. Status 400.
type InvalidConnectRequestError struct {
	// Key is the member at fault, such as "claims". It is empty when the body
	// as a whole is no JSON object.
	Key string
	err error
}

func (e *InvalidConnectRequestError) Error() string {
	if e.err == nil {
		return "upstream: invalid body of connect: " + e.Key
	}
	return "upstream: invalid body of connect: " + e.err.Error()
}

// StatusCode returns 400.
func (*InvalidConnectRequestError) StatusCode() int { return http.StatusBadRequest }

// Unwrap returns the reason.
func (e *InvalidConnectRequestError) Unwrap() error { return e.err }

func (*InvalidConnectRequestError) answers() {}

// An InvalidEventTypeError reports a request whose ce-type is not one of Web
// PubSub's. Status 400.
type InvalidEventTypeError struct {
	Context   *ConnectionContext
	EventType string
}

func (e *InvalidEventTypeError) Error() string {
	return fmt.Sprintf("upstream: event type %q is not one of Web PubSub's", clip(e.EventType))
}

// StatusCode returns 400.
func (*InvalidEventTypeError) StatusCode() int { return http.StatusBadRequest }

func (*InvalidEventTypeError) answers() {}

// An InvalidEventNameError reports a user event without a name. Status 400.
type InvalidEventNameError struct {
	Context   *ConnectionContext
	EventName string
}

func (e *InvalidEventNameError) Error() string {
	return fmt.Sprintf("upstream: invalid name of a user event: %q", clip(e.EventName))
}

// StatusCode returns 400.
func (*InvalidEventNameError) StatusCode() int { return http.StatusBadRequest }

func (*InvalidEventNameError) answers() {}

// A ValidationFailedError reports a request that did not prove to come from
// the service. It unwraps to the reason, which is for the log: the answer has
// no detail.
type ValidationFailedError struct {
	Context *ConnectionContext
	reason  error
}

func (e *ValidationFailedError) Error() string {
	if e.reason == nil {
		return "upstream: validation failed"
	}
	return "upstream: validation failed: " + e.reason.Error()
}

// StatusCode returns 403 for a foreign origin and 401 for a missing or wrong
// proof. A validator that could not decide says so with an [*Error], whose
// status is used instead: 503 makes the service try again.
func (e *ValidationFailedError) StatusCode() int {
	if errors.Is(e.reason, errForeignOrigin) {
		return http.StatusForbidden
	}
	if authored, ok := errors.AsType[*Error](e.reason); ok {
		return authored.status
	}
	return http.StatusUnauthorized
}

// Unwrap returns the reason.
func (e *ValidationFailedError) Unwrap() error { return e.reason }

func (*ValidationFailedError) answers() {}

var errForeignOrigin = errors.New("none of the origins is allowed")

// A HubNotFoundError reports a verified event for a hub that is not among
// [Options.Hubs]. Status 404; behind Wrap the next handler gets the request
// instead.
type HubNotFoundError struct {
	Context *ConnectionContext
}

func (e *HubNotFoundError) Error() string {
	if e.Context == nil {
		return "upstream: the hub is not served here"
	}
	return fmt.Sprintf("upstream: hub %q is not served here", clip(e.Context.Hub))
}

// StatusCode returns 404.
func (*HubNotFoundError) StatusCode() int { return http.StatusNotFound }

func (*HubNotFoundError) answers() {}

// A HandlerNotFoundError reports a verified event without a handler, where
// [Options.RejectUnhandled] is set. Status 404.
type HandlerNotFoundError struct {
	Context *ConnectionContext
}

func (e *HandlerNotFoundError) Error() string {
	if e.Context == nil {
		return "upstream: no handler for the event"
	}
	return fmt.Sprintf("upstream: no handler for %q", clip(e.Context.EventType))
}

// StatusCode returns 404.
func (*HandlerNotFoundError) StatusCode() int { return http.StatusNotFound }

func (*HandlerNotFoundError) answers() {}

// An InvalidBodyError reports a body that cannot be understood or did not
// arrive whole. Status 400; 408 when it did not arrive in time, 415 when it is
// compressed.
type InvalidBodyError struct {
	Context *ConnectionContext
	status  int // 0 means 400
	err     error
}

func (e *InvalidBodyError) Error() string {
	if e.err == nil {
		return "upstream: invalid body"
	}
	return "upstream: invalid body: " + e.err.Error()
}

// StatusCode returns 400, 408 or 415.
func (e *InvalidBodyError) StatusCode() int {
	if e.status == 0 {
		return http.StatusBadRequest
	}
	return e.status
}

// Unwrap returns the reason.
func (e *InvalidBodyError) Unwrap() error { return e.err }

func (*InvalidBodyError) answers() {}

// A BodyTooLargeError reports a body above [Options.MaxBodyBytes]. Status 413.
type BodyTooLargeError struct {
	// Limit is the largest body accepted, in bytes.
	Limit int64
}

func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("upstream: body is larger than %d bytes", e.Limit)
}

// StatusCode returns 413.
func (*BodyTooLargeError) StatusCode() int { return http.StatusRequestEntityTooLarge }

func (*BodyTooLargeError) answers() {}

// A busyError is a refusal that asks the service to come again: status 503.
type busyError struct{ text string }

func (e *busyError) Error() string { return "upstream: " + e.text }

// StatusCode returns 503.
func (*busyError) StatusCode() int { return http.StatusServiceUnavailable }

func (*busyError) answers() {}

// The errors of events that were not handled for want of room or time. They
// are answered with 503, which makes the service try again.
var (
	// ErrQueueFull reports that a [Background] holds as many events as it may.
	ErrQueueFull = error(&busyError{"background queue is full"})
	// ErrShutdown reports that a [Background] is shutting down. It is the
	// cancellation cause of handlers that were still running.
	ErrShutdown = error(&busyError{"background is shut down"})
	// ErrHandlerTimeout reports a handler that took longer than
	// [Options.HandlerTimeout].
	ErrHandlerTimeout = error(&busyError{"handler took longer than HandlerTimeout"})
)

// A doorError reports a request that is none of Web PubSub's.
type doorError struct {
	status int
	text   string
}

func (e *doorError) Error() string { return "upstream: " + e.text }

func (e *doorError) StatusCode() int { return e.status }

func (*doorError) answers() {}

var (
	errNotWebPubSub = &doorError{
		http.StatusBadRequest,
		"not a request of Web PubSub: it has neither ce-awpsversion nor a ce-type of Web PubSub",
	}
	errWrongMethod = &doorError{
		http.StatusMethodNotAllowed,
		"neither an event (POST) nor a handshake (OPTIONS or GET with WebHook-Request-Origin)",
	}
)

// An InvalidResponseError reports an answer of a handler that the service
// would refuse, or that means nothing to it. It is a mistake in the handler:
// the service gets a bare 500, the log says what to change.
type InvalidResponseError struct {
	// Field is the field of the response at fault.
	Field string
	// Reason says what is wrong and what would be right.
	Reason string
}

func (e *InvalidResponseError) Error() string {
	return "upstream: invalid response: " + e.Field + " " + e.Reason
}

// A panicError is a panic of a handler, a validator or a hook.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("upstream: panic: %v", e.value) }

// errGoroutineEnded reports a handler that called runtime.Goexit, as the
// FailNow of a test does.
var errGoroutineEnded = errors.New("upstream: handler ended its goroutine")

// checkError makes an error from elsewhere safe to look into: a nil pointer in
// it, which is not a nil error, or a method that panics would otherwise take
// the process along where nothing recovers any more.
func checkError(err error) (checked error) {
	if err == nil {
		return nil
	}
	if isNil(err) {
		return fmt.Errorf("upstream: a nil %T was returned as an error; return nil itself", err)
	}
	defer func() {
		if recover() != nil {
			checked = fmt.Errorf("upstream: an error of type %T was returned whose methods panic", err)
		}
	}()
	_ = err.Error()
	_ = errors.Is(err, errGoroutineEnded)
	_, _ = errors.AsType[answerer](err)
	return err
}

// StatusCode returns the status that this library answers an error with, before
// [Options.HandleError] is asked: that of the errors of this package, and 500
// for all others. It is for hosts that answer the errors of
// [EventHandler.Parse] themselves, and for HandleError.
func StatusCode(err error) int {
	status, _ := statusOf(err)
	return status
}

// statusOf returns the status that answers err, and the error whose text may
// go out with it, nil when there is none. It is the one place that maps errors
// to answers: the outermost error that knows its status decides.
func statusOf(err error) (status int, authored error) {
	if e, ok := errors.AsType[answerer](err); ok && !isNil(e) {
		switch e.(type) {
		case *Error, *MQTTConnectError:
			authored = e
		}
		return e.StatusCode(), authored
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, nil
	}
	return http.StatusInternalServerError, nil
}
