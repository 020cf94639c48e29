package emulator

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A refusal is what a client gets instead of a WebSocket. As an error it is for
// the log.
type refusal struct {
	status int
	text   string // for the client and the log
	cause  error  // for the log; nil when text says it all
	body   string // for the client instead of text; empty for text
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return strings.TrimSuffix(r.text, ".") + ": " + r.cause.Error()
	}
	return r.text
}

func (r *refusal) Unwrap() error { return r.cause }

func badRequest(text string) error { return &refusal{status: http.StatusBadRequest, text: text} }

// serveClient is the client endpoint.
func (s *Server) serveClient(w http.ResponseWriter, r *http.Request) {
	u := &upgrade{server: s, w: w, r: r, query: r.URL.Query(), offered: offeredSubprotocols(r.Header)}
	err := u.run()
	if err == nil {
		return
	}
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		refused = &refusal{status: http.StatusInternalServerError, text: "Internal server error", cause: err}
	}
	s.refused(u, refused)
	if refused.status == 0 {
		return // somebody else has answered
	}
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body := refused.text
	if refused.body != "" {
		body = refused.body
	}
	http.Error(w, body, refused.status)
}

// run makes a client's request a WebSocket, of a new session or of one that is
// recovered.
func (u *upgrade) run() error {
	name, err := u.hubName()
	if err != nil {
		return err
	}
	if err := checkHandshake(u.r); err != nil {
		return err
	}
	if u.recovers() {
		return u.recover(name)
	}
	if u.hub, err = u.server.enterHub(name); err != nil {
		return err
	}
	admitted := false
	defer func() {
		if !admitted {
			u.server.leaveHub(u.hub)
		}
	}()
	if err := u.admit(); err != nil {
		return err
	}
	c, err := u.accept()
	if err != nil {
		u.handshakeFailed()
		return err
	}
	admitted = true
	u.open(c)
	return nil
}

// hubName takes the hub from a client URL: /client/hubs/{hub} or /client/?hub=.
// It returns it in lower case.
func (u *upgrade) hubName() (string, error) {
	name := u.last("hub")
	if rest, ok := strings.CutPrefix(u.r.URL.Path, "/client/hubs/"); ok {
		name = strings.TrimSuffix(rest, "/")
	} else if strings.Trim(u.r.URL.Path, "/") != "client" {
		return "", &refusal{status: http.StatusNotFound, text: "Not found: clients connect to /client/hubs/{hub}."}
	}
	if !wire.ValidHub(name) {
		return "", badRequest("The name of the hub is not valid: expected a letter, then up to 127 letters, digits and any of _`,.[]")
	}
	return strings.ToLower(name), nil
}

// checkHandshake reports what is no opening handshake (RFC 6455, 4.2.1), before
// the application is asked about its sender.
func checkHandshake(r *http.Request) error {
	const expected = "This is the address of WebSocket clients: expected a GET request over HTTP/1.1 with "
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1 || !r.ProtoAtLeast(1, 1):
		return badRequest(expected + "the headers of a WebSocket handshake.")
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return badRequest(expected + "Upgrade: websocket.")
	case !hasToken(r.Header["Connection"], "upgrade"):
		return badRequest(expected + "Connection: Upgrade.")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return badRequest(expected + "Sec-WebSocket-Version: 13.")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get("Sec-WebSocket-Key")))
	if err != nil || len(key) != 16 || len(r.Header["Sec-Websocket-Key"]) != 1 {
		return badRequest(expected + "one Sec-WebSocket-Key of 16 bytes in base64.")
	}
	return nil
}

// hasToken reports whether the lines of a header list a token, without regard to
// case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(element), token) {
				return true
			}
		}
	}
	return false
}

func offeredSubprotocols(header http.Header) []string {
	offered := []string{}
	for _, line := range header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				offered = append(offered, name)
			}
		}
	}
	return offered
}

// last returns the last value of a query parameter, whose name has no case.
func (u *upgrade) last(name string) (value string) {
	for _, key := range slices.Sorted(maps.Keys(u.query)) {
		if strings.EqualFold(key, name) {
			value = u.query[key][len(u.query[key])-1]
		}
	}
	return value
}

// bearer returns the token of an Authorization header, empty for none.
func bearer(header http.Header) string {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
