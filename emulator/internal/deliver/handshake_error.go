package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A HandshakeRule is what an answer to the handshake has to be.
type HandshakeRule int

// The rules, in the order in which they are looked at.
const (
	ruleKept      HandshakeRule = iota
	RuleAnswer                  // there is an answer in time
	RuleStatus                  // its status is 2xx
	RuleHeader                  // it has the header WebHook-Allowed-Origin
	RuleOneOrigin               // each line of that has one origin
	RuleOrigin                  // one of the lines is * or the host of the service
)

// A HandshakeError reports that a handler does not consent to events. No event
// is sent then.
type HandshakeError struct {
	URL    string // that was asked, as it may be shown
	Method string // OPTIONS, or GET after OPTIONS was answered with 404
	Rule   HandshakeRule

	// Origin is the host of the service.
	Origin string

	// Status, AllowedOrigins and Location are the answer, if there was one.
	Status         int
	AllowedOrigins []string // the lines of WebHook-Allowed-Origin
	Location       string

	// Pause is how long the service does not ask again after this failure.
	Pause time.Duration

	// Err is a [*NetworkError] or a [*TimeoutError] when there was no answer.
	Err error

	path string
}

// sameAs reports whether two results are the same to somebody who was told of
// one of them.
func (e *HandshakeError) sameAs(other *HandshakeError) bool {
	if e == nil || other == nil {
		return e == other
	}
	return e.Rule == other.Rule && e.Status == other.Status
}

func (e *HandshakeError) Error() string {
	asked := fmt.Sprintf("handshake: %s %s", e.Method, e.URL)
	answered := asked + " was answered with " + statusText(e.Status)
	switch e.Rule {
	case RuleAnswer:
		return fmt.Sprintf("handshake: %v", e.Err)
	case RuleStatus:
		if e.Location != "" {
			answered += " to " + e.Location
		}
		if e.Method == http.MethodGet {
			answered += ", after 404 to OPTIONS"
		}
		return answered + ", want 2xx with WebHook-Allowed-Origin"
	case RuleHeader:
		return answered + " and without WebHook-Allowed-Origin"
	case RuleOneOrigin:
		return fmt.Sprintf("%s and WebHook-Allowed-Origin %s, want one origin in a line: the service takes a list for another host", answered, quoted(e.AllowedOrigins))
	}
	return fmt.Sprintf("%s and WebHook-Allowed-Origin %s, want a line with %q or %q", answered, quoted(e.AllowedOrigins), e.Origin, "*")
}

// quoted shows the lines of a header, long ones and many of them in part.
func quoted(lines []string) string {
	texts := make([]string, 0, 4)
	for i, line := range lines {
		if i == 3 {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, fmt.Sprintf("%.100q", line))
	}
	return strings.Join(texts, " and ")
}

// Unwrap returns why there was no answer.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Hint implements [Hinter].
func (e *HandshakeError) Hint() string {
	hint := e.fix()
	if e.Pause > 0 {
		hint += fmt.Sprintf("; the service asks again after %v", e.Pause)
	}
	return hint
}

func (e *HandshakeError) fix() string {
	switch e.Rule {
	case RuleAnswer:
		if hinter, ok := errors.AsType[Hinter](e.Err); ok {
			return hinter.Hint()
		}
		return "check the URL of the handler"
	case RuleStatus:
		return e.fixStatus()
	case RuleHeader:
		return "something else than the handler answers OPTIONS, such as CORS middleware or a gateway: let it pass to the handler on this path"
	case RuleOneOrigin:
		return "write a header line of its own for each origin, or one with *"
	}
	return fmt.Sprintf("the handler allows another service: the host of its Endpoint has to be %s", e.Origin)
}

func (e *HandshakeError) fixStatus() string {
	path := strings.TrimRight(e.path, "/")
	both := fmt.Sprintf("%s and %s/", path, path)
	if path == "" {
		both = "/"
	}
	switch {
	case e.Status/100 == 3:
		return fmt.Sprintf("the service follows no redirect: register %s, or set the URL of the handler to where it points", both)
	case e.Status == http.StatusNotFound:
		return fmt.Sprintf("register %s for OPTIONS, and check the URL of the handler: {event} in it is %q here", both, "validate")
	case e.Status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("register %s for OPTIONS as well as POST", both)
	case e.Status == http.StatusUnauthorized:
		return "let OPTIONS pass without authentication: the handshake has no signature and no token"
	case e.Status == http.StatusForbidden:
		return fmt.Sprintf("the handler allows another service: the host of its Endpoint has to be %s; or something in front of it asks for authentication", e.Origin)
	case e.Status >= 500:
		return "the application failed; its own log says why"
	}
	return "answer OPTIONS on this path with 200 and WebHook-Allowed-Origin, before anything else looks at the request"
}
