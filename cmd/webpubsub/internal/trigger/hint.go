package trigger

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// paths returns the path of a request without and with a slash at its end.
func paths(x *Exchange) string {
	path := strings.TrimRight(x.url.EscapedPath(), "/")
	if path == "" {
		return "/"
	}
	return path + " and " + path + "/"
}

// handshakeHint says how to mend a handler that refused its consent.
func handshakeHint(x *Exchange, origins []string) string {
	switch status := x.Response.Status; {
	case status/100 == 3:
		return "the service follows no redirect: register " + paths(x) + ", or give --to where it points"
	case status == http.StatusNotFound:
		return "register " + paths(x) + " for OPTIONS, and check --to: {event} in it is \"validate\" here"
	case status == http.StatusMethodNotAllowed:
		return "register " + paths(x) + " for OPTIONS as well as POST"
	case status == http.StatusUnauthorized:
		return "let OPTIONS pass without authentication: the handshake has no signature and no token"
	case status == http.StatusForbidden:
		return "the handler allows another service: the host of its endpoint has to be " + strings.Join(origins, " or ") + ", or pass that of its own with --origin"
	case status >= 500:
		return "the application failed; its own log says why"
	}
	return "answer OPTIONS on this path with 200 and WebHook-Allowed-Origin, before anything else looks at the request"
}

// statusHint says what a status other than 2xx may come from.
func (e *Event) statusHint(x *Exchange) string {
	switch status := x.Response.Status; {
	case status/100 == 3:
		return "the service follows no redirect: register " + paths(x) + ", or give --to where it points"
	case status == http.StatusUnauthorized && len(e.Keys) == 0:
		return e.orRefused("the handler expects a signature: leave out --unsigned")
	case status == http.StatusUnauthorized:
		return e.orRefused("the handler does not accept the signature: its AccessKey has to be the one that --key or the connection string in the environment gives")
	case status == http.StatusForbidden:
		return e.orRefused("the handler does not accept events from " + strings.Join(e.Origins, ", ") + ": the host of its endpoint has to be that, or pass its own with --origin")
	case status == http.StatusNotFound:
		return "register " + paths(x) + " for POST, and let the handler take this hub and this event"
	case status == http.StatusMethodNotAllowed:
		return "register " + paths(x) + " for POST and OPTIONS, without a redirect between the two"
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
func (e *Event) orRefused(hint string) string {
	if e.Kind() == wire.KindConnect {
		return "if the handler did not mean to refuse this client: " + hint
	}
	return hint
}

// stateText shows a connection state, decoded if it is JSON in base64 as most
// SDKs write it.
func stateText(state string) string {
	if state == "" {
		return "an empty one"
	}
	if decoded, err := base64.StdEncoding.DecodeString(state); err == nil && json.Valid(decoded) {
		return fmt.Sprintf("%.500s", decoded)
	}
	return fmt.Sprintf("%.500q", state)
}
