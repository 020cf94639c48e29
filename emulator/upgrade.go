package emulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An upgrade is a client's request for a WebSocket on its way to a session.
type upgrade struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	query   url.Values
	offered []string // subprotocols, in the client's order
	hub     *hub

	claims      access.Claims  // of no token: zero
	simple      protocol.Codec // of a client without a known subprotocol
	codec       protocol.Codec
	subprotocol string // to answer with, as the client spelled it
	events      *deliver.Connection
	asked       bool // whether the application has admitted the client
}

// accept answers the handshake. The error is a refusal that has been answered.
func (u *upgrade) accept() (*conn, error) {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true} // the guard in front has looked at Host and Origin
	if u.subprotocol != "" {
		options.Subprotocols = []string{u.subprotocol}
	}
	limits := u.server.limits
	hijacked := &hijacker{ResponseWriter: u.w, writeTimeout: limits.WriteTimeout}
	ws, err := websocket.Accept(hijacked, u.r, options)
	if err != nil {
		return nil, &refusal{text: "The WebSocket handshake failed", cause: err}
	}
	ws.SetReadLimit(int64(limits.MessageBytes))
	return &conn{
		ws: ws, socket: hijacked.socket, limits: limits,
		tasks: &u.server.tasks, life: u.server.life, gone: make(chan struct{}),
	}, nil
}

// handshakeFailed tells the application that a client it admitted is gone.
func (u *upgrade) handshakeFailed() {
	handlers := u.hub.config().handlers
	if event := disconnectedEvent(handlers, u.events, "The WebSocket handshake failed."); event != nil && u.asked {
		u.server.tasks.start(func() { u.server.tell(handlers, event) })
	}
}

// open makes the session and starts it.
func (u *upgrade) open(c *conn) {
	allowed, ignored := roles.New(u.claims.Roles)
	for _, role := range ignored {
		u.server.logger.Warn("a role has no effect", "hub", u.hub.name, "connection", u.events.ID, "role", role.Role, "reason", role.Reason)
	}
	s := &session{
		hub: u.hub, id: u.events.ID, userID: u.claims.UserID, codec: u.codec, events: u.events,
		roles: allowed, opened: time.Now(), lane: lane{tasks: &u.server.tasks}, turn: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancelCause(u.server.life)
	if s.codec.Reliable() {
		s.unacked = &unacked{maxMessages: u.server.limits.QueuedMessages, maxBytes: u.server.limits.QueuedBytes}
	}
	u.server.admitted(s, Opened)
	u.hub.add(s, c, u.claims.Groups)
	u.start(s, c)
}

// start has the session use its new WebSocket.
func (u *upgrade) start(s *session, c *conn) {
	c.keepAlive(s.hub.config().keepAlive)
	u.server.tasks.start(func() { s.run(c) })
	if u.server.tasks.isClosed() {
		s.end(endShutdown)
	}
}

// recovers reports whether a client wants a connection back that it lost.
func (u *upgrade) recovers() bool {
	return u.last("awps_connection_id") != "" && u.last("awps_reconnection_token") != ""
}

// recover gives a session its client back. Where that is impossible the client
// gets a WebSocket that is closed with 1008, which tells it to stop trying.
func (u *upgrade) recover(hubName string) error {
	s, err := u.lostSession(hubName)
	if err != nil {
		return u.refuseRecovery(hubName, err)
	}
	c, err := u.accept()
	if err != nil {
		return err
	}
	if !s.attach(c) {
		c.dismiss(endUnrecoverable)
		return &refusal{text: "The connection could not be recovered: it has ended"}
	}
	u.server.admitted(s, Recovered)
	u.start(s, c)
	return nil
}

// lostSession returns the session that a client wants back. The protocol stays
// what it was.
func (u *upgrade) lostSession(hubName string) (*session, error) {
	id := u.last("awps_connection_id")
	if err := u.server.keys.VerifyReconnection(u.last("awps_reconnection_token"), id); err != nil {
		return nil, err
	}
	s := u.server.session(hubName, id)
	if s == nil || !s.codec.Reliable() {
		return nil, errors.New("the connection is not there, or no longer")
	}
	i := slices.IndexFunc(u.offered, func(offered string) bool { return strings.EqualFold(offered, s.codec.Name()) })
	if i < 0 {
		return nil, fmt.Errorf("the client offers %q, and the connection speaks %s", u.offered, s.codec.Name())
	}
	u.subprotocol = u.offered[i]
	return s, nil
}

// refuseRecovery closes a WebSocket that it has opened for that only. It counts
// as a connection until then.
func (u *upgrade) refuseRecovery(hubName string, why error) error {
	h, err := u.server.enterHub(hubName)
	if err != nil {
		return err
	}
	defer u.server.leaveHub(h)
	_, u.subprotocol, _ = protocol.Negotiate(u.offered)
	c, err := u.accept()
	if err != nil {
		return err
	}
	c.dismiss(endUnrecoverable)
	return &refusal{text: "The connection could not be recovered", cause: why}
}

// newConnectionID returns an id that nobody can guess.
func newConnectionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// checkUserID reports a user that could stand in no event.
func checkUserID(id string) error {
	if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the user id holds a control character, which no event could carry")
	}
	return nil
}

// checkGroups reports a name that no group can have.
func checkGroups(groups []string) error {
	for _, group := range groups {
		if !wire.ValidGroup(group) {
			return fmt.Errorf("the group %.40q is not valid: expected 1 to %d characters, not only white space", group, wire.MaxGroupName)
		}
	}
	return nil
}
