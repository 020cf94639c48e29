package emulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A refusal is what a client gets instead of a WebSocket.
type refusal struct {
	status int
	text   string
	cause  error // for the log; nil when text says it all
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.text + ": " + r.cause.Error()
	}
	return r.text
}

func (r *refusal) Unwrap() error { return r.cause }

// An upgrade is a client's request for a WebSocket on its way to a session.
type upgrade struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	hub     *hub
	query   url.Values
	offered []string // subprotocols, in the client's order

	claims      access.Claims // of no token: zero
	simple      protocol.Codec
	codec       protocol.Codec
	subprotocol string // to answer with, as the client spelled it
	events      *deliver.Connection
}

// serveClient is the client endpoint.
func (s *Server) serveClient(w http.ResponseWriter, r *http.Request) {
	err := s.upgrade(w, r)
	if err == nil {
		return
	}
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		refused = &refusal{status: http.StatusInternalServerError, text: "Internal server error", cause: err}
	}
	s.refused(r, refused)
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	http.Error(w, refused.text, refused.status)
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) error {
	name, err := hubOf(r.URL)
	if err != nil {
		return err
	}
	if !websocketRequested(r) {
		return &refusal{status: http.StatusBadRequest, text: "This is the address of WebSocket clients: expected a GET request with the headers of a WebSocket handshake."}
	}
	query := r.URL.Query()
	recovers := query.Has("awps_connection_id") && query.Has("awps_reconnection_token")
	h, err := s.enterHub(name, recovers)
	if err != nil {
		return err
	}
	u := &upgrade{server: s, w: w, r: r, hub: h, query: query, offered: offeredSubprotocols(r.Header)}
	if recovers {
		defer s.leaveHub(h)
		return u.recover()
	}
	if err := u.admit(); err != nil {
		s.leaveHub(h)
		return err
	}
	return nil
}

// hubOf takes the hub from a client URL: /client/hubs/{hub} or /client/?hub=.
func hubOf(u *url.URL) (string, error) {
	name := u.Query().Get("hub")
	if rest, ok := strings.CutPrefix(u.Path, "/client/hubs/"); ok {
		name = strings.TrimSuffix(rest, "/")
	} else if strings.Trim(u.Path, "/") != "client" {
		return "", &refusal{status: http.StatusNotFound, text: "Not found: clients connect to /client/hubs/{hub}."}
	}
	if !wire.ValidHub(name) {
		return "", &refusal{status: http.StatusBadRequest, text: "The name of the hub is not valid: expected a letter, then up to 127 letters, digits and any of _`,.[]"}
	}
	return strings.ToLower(name), nil
}

func websocketRequested(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Header.Get("Sec-WebSocket-Key") != ""
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

// admit checks a request, asks the application, and opens the WebSocket.
func (u *upgrade) admit() error {
	if err := u.authenticate(); err != nil {
		return err
	}
	if err := u.chooseMode(); err != nil {
		return err
	}
	u.negotiate()
	u.events = &deliver.Connection{ID: newConnectionID(), Hub: u.hub.name, UserID: u.claims.UserID}
	asked, err := u.askApplication()
	if err != nil {
		return err
	}
	u.events.UserID, u.events.Subprotocol = u.claims.UserID, u.subprotocol
	c, err := u.accept()
	if err != nil {
		u.server.leaveHub(u.hub)
		if asked {
			u.handshakeFailed()
		}
		return nil // Accept has answered
	}
	u.open(c)
	return nil
}

// handshakeFailed tells the application that the client it admitted is gone.
func (u *upgrade) handshakeFailed() {
	if event := disconnectedEvent(u.hub, u.events, "The WebSocket handshake failed."); event != nil {
		handlers := u.hub.config().handlers
		u.server.tasks.start(func() { u.server.tell(handlers, event) })
	}
}

// authenticate reads the access token. It may travel in the query or in a
// header.
func (u *upgrade) authenticate() error {
	token := cmp.Or(u.last("access_token"), bearer(u.r.Header))
	if token == "" {
		if u.hub.config().anonymous {
			return nil
		}
		return &refusal{status: http.StatusUnauthorized, text: "An access token is missing: expected ?access_token= or an Authorization header."}
	}
	claims, err := u.server.keys.VerifyClient(token, u.server.hosts(u.r), u.hub.name)
	if err != nil {
		if bad, ok := errors.AsType[*access.Error](err); ok && bad.Claim {
			return &refusal{status: http.StatusBadRequest, text: "A claim of the access token is malformed.", cause: err}
		}
		return &refusal{status: http.StatusUnauthorized, text: "The access token is not valid.", cause: err}
	}
	for _, group := range claims.Groups {
		if !wire.ValidGroup(group) {
			return &refusal{status: http.StatusBadRequest, text: "A group in the claim webpubsub.group is not valid: expected 1 to 1024 characters, not only white space."}
		}
	}
	u.claims = *claims
	return nil
}

// chooseMode reads what simple clients say about themselves in the query. It is
// checked for all clients.
func (u *upgrade) chooseMode() error {
	u.simple = protocol.SimpleEvent()
	switch mode := u.last("webpubsub_mode"); {
	case mode == "", strings.EqualFold(mode, "sendEvent"):
		return nil
	case !strings.EqualFold(mode, "sendToGroup"):
		return &refusal{status: http.StatusBadRequest, text: "webpubsub_mode is not valid: expected sendEvent or sendToGroup."}
	}
	group := u.last("group")
	if !wire.ValidGroup(group) {
		return &refusal{status: http.StatusBadRequest, text: "webpubsub_mode=sendToGroup needs a group: expected 1 to 1024 characters, not only white space."}
	}
	noEcho := false
	if value := u.last("noEcho"); value != "" {
		var err error
		if noEcho, err = strconv.ParseBool(strings.ToLower(value)); err != nil || len(value) < len("true") {
			return &refusal{status: http.StatusBadRequest, text: "noEcho is not valid: expected true or false."}
		}
	}
	u.simple = protocol.SimpleGroup(group, noEcho)
	return nil
}

// last returns the last value of a query parameter, whose name has no case.
func (u *upgrade) last(name string) string {
	value := ""
	for _, key := range slices.Sorted(maps.Keys(u.query)) {
		if strings.EqualFold(key, name) {
			value = u.query[key][len(u.query[key])-1]
		}
	}
	return value
}

// negotiate takes the protocol that the client's offer leads to by itself.
func (u *upgrade) negotiate() {
	var ok bool
	if u.codec, u.subprotocol, ok = protocol.Negotiate(u.offered); !ok {
		u.codec = u.simple
	}
}

// askApplication sends the connect event, if a handler takes it, and applies
// the answer.
func (u *upgrade) askApplication() (asked bool, err error) {
	handlers := u.hub.config().handlers
	if !handlers.Takes(wire.KindConnect, "") {
		return false, nil
	}
	event := u.events.NewEvent(wire.KindConnect, "")
	if event.Body, err = wire.Marshal(u.connectBody()); err != nil {
		return false, err
	}
	answer, err := u.server.sender.Send(u.r.Context(), handlers, event)
	if err != nil {
		return false, u.rejection(err)
	}
	return true, u.apply(answer.Connect())
}

// rejection is what the client gets when the application did not admit it.
func (u *upgrade) rejection(err error) error {
	rejected, ok := errors.AsType[*deliver.StatusError](err)
	if !ok || rejected.Status() < 400 {
		return &refusal{status: http.StatusInternalServerError, text: "The connect event could not be delivered.", cause: err}
	}
	text := http.StatusText(rejected.Status())
	if u.server.forwardRefusals && rejected.Status() < 500 && len(rejected.Answer.Body) > 0 {
		text = string(rejected.Answer.Body)
	}
	return &refusal{status: rejected.Status(), text: text, cause: err}
}

func (u *upgrade) connectBody() *wire.ConnectBody {
	body := &wire.ConnectBody{Claims: wire.Lists{}, Query: wire.Lists{}, Headers: wire.Lists{}, Subprotocols: u.offered, ClientCertificates: []wire.ClientCertificate{}}
	for name, values := range u.claims.All {
		body.Claims[name] = values
	}
	for name, values := range u.query {
		if !strings.EqualFold(name, "access_token") {
			body.Query[name] = values
		}
	}
	for name, values := range u.r.Header {
		if name != "Authorization" && !strings.HasPrefix(name, "X-Asrs-Internal-") {
			body.Headers[name] = values
		}
	}
	body.Headers["Host"] = []string{u.r.Host}
	return body
}

// apply lets the application's answer win over the token.
func (u *upgrade) apply(answer *wire.ConnectAnswer) error {
	if answer.UserID != nil {
		u.claims.UserID = *answer.UserID
	}
	if len(answer.Groups) > 0 {
		u.claims.Groups = answer.Groups
	}
	if answer.Roles != nil {
		u.claims.Roles = answer.Roles
	}
	if answer.Subprotocol == "" {
		return nil
	}
	i := slices.IndexFunc(u.offered, func(offered string) bool { return strings.EqualFold(offered, answer.Subprotocol) })
	if i < 0 {
		return &refusal{
			status: http.StatusInternalServerError,
			text:   "The application chose a subprotocol that the client did not offer.",
			cause:  fmt.Errorf("the answer to connect says %q, the client offered %q", answer.Subprotocol, u.offered),
		}
	}
	var ok bool
	if u.codec, ok = protocol.Lookup(u.offered[i]); !ok {
		u.codec = u.simple
	}
	u.subprotocol = u.offered[i]
	return nil
}

// accept answers the handshake.
func (u *upgrade) accept() (*conn, error) {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true} // the guard in front has looked at Host and Origin
	if u.subprotocol != "" {
		options.Subprotocols = []string{u.subprotocol}
	}
	hijacked := &hijacker{ResponseWriter: u.w}
	ws, err := websocket.Accept(hijacked, u.r, options)
	if err != nil {
		return nil, err
	}
	limits := u.server.limits
	ws.SetReadLimit(int64(limits.MessageBytes))
	return &conn{ws: ws, socket: hijacked.socket, limits: limits, tasks: &u.server.tasks}, nil
}

// open makes the session and starts it.
func (u *upgrade) open(c *conn) {
	allowed, ignored := roles.New(u.claims.Roles)
	for _, role := range ignored {
		u.server.logger.Warn("a role has no effect", "hub", u.hub.name, "connection", u.events.ID, "role", role.Role, "reason", role.Reason)
	}
	s := &session{
		hub: u.hub, id: u.events.ID, userID: u.claims.UserID, codec: u.codec, events: u.events,
		roles: allowed, opened: time.Now(), turn: make(chan struct{}, 1),
		userEvents: lane{tasks: &u.server.tasks}, notices: lane{tasks: &u.server.tasks},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.codec.Reliable() {
		s.unacked = &unacked{maxMessages: u.server.limits.QueuedMessages, maxBytes: u.server.limits.QueuedBytes}
	}
	s.attach(c)
	s.notifyConnected()
	u.hub.add(s, u.claims.Groups)
	u.start(s, c, Opened)
}

// start has the session use its new WebSocket.
func (u *upgrade) start(s *session, c *conn, kind RecordKind) {
	u.server.admitted(s, kind)
	c.keepAlive(u.hub.config().keepAlive)
	u.server.tasks.start(func() { s.run(c) })
	if u.server.isClosing() {
		s.end(endShutdown)
	}
}

// recover gives a session its client back. Where that is impossible the client
// gets a WebSocket that is closed with 1008, which tells it to stop trying.
func (u *upgrade) recover() error {
	id := u.last("awps_connection_id")
	s := u.hub.session(id)
	if s == nil || s.unacked == nil || u.server.keys.VerifyReconnection(u.last("awps_reconnection_token"), id) != nil {
		s = nil
	}
	u.simple = protocol.SimpleEvent()
	u.negotiate()
	c, err := u.accept()
	if err != nil {
		return nil // Accept has answered
	}
	if s == nil || u.codec != s.codec || !s.attach(c) {
		c.close(ending{code: websocket.StatusPolicyViolation, text: "The connection could not be recovered."})
		u.server.logger.Warn("a connection could not be recovered", "hub", u.hub.name, "connection", id)
		return nil
	}
	u.start(s, c, Recovered)
	return nil
}

// bearer returns the token of an Authorization header, empty for none.
func bearer(header http.Header) string {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// newConnectionID returns an id that nobody can guess.
func newConnectionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
