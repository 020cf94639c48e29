package webpubsub

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Error is a refusal by the service, or by something on the way to it. Find
// it with [errors.AsType]:
//
//	if e, ok := errors.AsType[*webpubsub.Error](err); ok && e.StatusCode == http.StatusNotFound {
//
// Errors of other types mean that no answer came, or that an argument is wrong.
type Error struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is the service's name for the error, such as
	// "Info.Connection.NotExisted". It is empty when the answer has none.
	Code string
	// Message is the service's text for people, of at most 1024 bytes. Do not
	// compare it.
	Message string
	// Target is what the error is about, such as "Connection". It is often
	// empty.
	Target string
	// RetryAfter is for how long the service asks to be left alone, 0 when it
	// does not say.
	RetryAfter time.Duration
	// RequestID was sent as x-ms-client-request-id, with all attempts of one
	// call: what to name to the support of Azure. It is that of the event when
	// the call was made with the context of an event's handler.
	RequestID string
}

// Error returns the status, the code and the message.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the service answered %d", e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

const (
	maxErrorBody    = 64 << 10
	maxErrorCode    = 256
	maxErrorMessage = 1024
)

// newError reads an error from a response. Some proxies repeat the headers of
// a request in their answer, so the token is taken out of it.
func newError(resp *http.Response, token, requestID string) *Error {
	body, _ := readUpTo(resp.Body, maxErrorBody) // part of an explanation is better than none
	text := strings.ReplaceAll(string(body), token, "[token]")
	e := decodeError(text, resp.Header.Get(wire.HeaderContentType))
	e.StatusCode = resp.StatusCode
	// An answer to HEAD has no body.
	e.Code = cmp.Or(e.Code, oneLine(strings.ReplaceAll(resp.Header.Get("X-Ms-Error-Code"), token, "[token]"), maxErrorCode))
	if e.Message == "" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = "redirects are not followed; is the endpoint right?"
	}
	e.RetryAfter, _ = retryAfter(resp)
	e.RequestID = requestID
	return e
}

// decodeError reads the body of an error: the service's own form, the one that
// gateways of Azure have, in which all of it is a member "error", or plain
// text. Members of a wrong type are left out.
func decodeError(body, contentType string) *Error {
	type detail struct{ Code, Message, Target string }
	var d struct {
		detail
		Error detail
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil && !isTypeError(err) {
		if wire.MediaType(contentType) == wire.MediaText {
			return &Error{Message: oneLine(body, maxErrorMessage)}
		}
		return &Error{} // a page of HTML explains nothing
	}
	return &Error{
		Code:    oneLine(cmp.Or(d.Code, d.Error.Code), maxErrorCode),
		Message: oneLine(cmp.Or(d.Message, d.Error.Message), maxErrorMessage),
		Target:  oneLine(cmp.Or(d.Target, d.Error.Target), maxErrorCode),
	}
}

func isTypeError(err error) bool {
	_, ok := err.(*json.UnmarshalTypeError)
	return ok
}

// oneLine makes foreign text fit for an error and a log: valid, of one line,
// and not long.
func oneLine(s string, max int) string {
	s = s[:min(len(s), max)]
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}
