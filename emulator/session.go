package emulator

import (
	"context"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

// A session is one connection in the service's sense: what has a connection id,
// groups and permissions. With a reliable protocol it outlives its WebSocket.
//
// Locks are taken in the order session.turn, hub.mu, session.mu, conn.mu.
type session struct {
	// static after construction
	hub    *hub
	id     string
	userID string
	codec  protocol.Codec
	events *deliver.Connection
	ctx    context.Context // done when the session has ended
	cancel context.CancelFunc
	opened time.Time

	// guarded by hub.mu
	groups groupSet
	roles  *roles.Set

	userEvents lane // what the handler is asked, in the client's order
	notices    lane // what the handler is told

	// turn holds a value while a request is handled. It is no mutex, because
	// events may wait for room, and who waits for a mutex holds up the clock of
	// testing/synctest.
	turn chan struct{}

	mu        sync.Mutex // guards the fields below
	ended     bool
	slow      bool // about to be ended, because the client does not read
	transport *conn
	expiry    *time.Timer // ends a session whose transport is lost
	unacked   *unacked    // nil unless the protocol is reliable
	acks      ackHistory
}

// subject is the session as filters see it. hub.mu is held.
func (s *session) subject() odata.Subject {
	return odata.Subject{ConnectionID: s.id, UserID: s.userID, Protocol: s.codec.Name(), Groups: s.groups}
}

// run reads what the client sends until its WebSocket ends.
func (s *session) run(c *conn) {
	defer c.stop()
	for {
		frame, err := c.read()
		if err != nil {
			s.lost(c, err)
			return
		}
		request, err := s.codec.Decode(frame)
		if err != nil {
			s.hub.server.logger.Warn("a client sent what its protocol does not allow", "hub", s.hub.name, "connection", s.id, "reason", err.Error())
			s.end(endBadFrame(err))
			return
		}
		s.take(c, request)
	}
}

// take handles a request, unless the client has another WebSocket by now: there
// it repeats what was not acknowledged, which must not be carried out twice.
func (s *session) take(c *conn, request protocol.Request) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	current := s.transport == c
	s.mu.Unlock()
	if current {
		s.handle(request)
	}
}

// lost is called when a WebSocket of the session has ended. A reliable session
// waits for the client to come back.
func (s *session) lost(c *conn, err error) {
	defer func() { _ = c.ws.CloseNow() }() // or else it is never collected
	end, recoverable := endOfTransport(err)
	if s.unacked == nil || !recoverable {
		s.mu.Lock()
		current := s.transport == c
		s.mu.Unlock()
		if current {
			s.end(end)
		}
		c.abort()
		return
	}
	c.abort()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport != c || s.ended {
		return
	}
	s.transport = nil
	s.expiry = time.AfterFunc(s.hub.server.limits.RecoveryWindow, func() { s.end(endNotRecover) })
}

// attach gives the session a WebSocket, in place of the one that it may have.
// What the client has not acknowledged is sent again. It reports false when the
// session has ended.
func (s *session) attach(c *conn) bool {
	first, _ := s.codec.Encode(s.connected())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.transport != nil {
		s.transport.abort()
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.transport = c
	if first.Payload != nil {
		c.replay(first)
	}
	if s.unacked != nil {
		c.replay(s.unacked.frames(time.Now())...)
	}
	return true
}

// connected is the message that tells a client who it is.
func (s *session) connected() protocol.Connected {
	m := protocol.Connected{ConnectionID: s.id, UserID: s.userID}
	if s.codec.Reliable() {
		m.ReconnectionToken = s.hub.server.reconnectionToken(s.id)
	}
	return m
}

// send queues a data message for the client.
func (s *session) send(m *protocol.Encoded, ttl time.Duration) {
	frame := m.Frame(s.codec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if s.unacked != nil {
		var ok bool
		if frame, ok = s.unacked.add(s.codec, frame, ttl); !ok {
			s.endSlowly()
			return
		}
	}
	if s.transport != nil && !s.transport.send(frame) {
		s.endSlowly()
	}
}

// acknowledge forgets the messages that the client says it has, up to one.
func (s *session) acknowledge(sequenceID uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unacked != nil {
		s.unacked.ack(sequenceID)
	}
}

// tell queues a message that is about the connection itself. It is lost with
// the WebSocket.
func (s *session) tell(m protocol.Message) {
	frame, ok := s.codec.Encode(m)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport != nil && !s.transport.send(frame) {
		s.endSlowly()
	}
}

// endSlowly ends a session whose client does not keep up, on a goroutine of its
// own: the caller may hold hub.mu. s.mu is held.
func (s *session) endSlowly() {
	if !s.slow {
		s.slow = true
		s.hub.server.tasks.start(func() { s.end(endSlow) })
	}
}

// end ends the session for good. Only the first call has an effect.
func (s *session) end(e ending) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	c := s.transport
	s.transport = nil
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()

	s.cancel()
	s.hub.remove(s)
	if c != nil {
		if notice, ok := s.codec.Encode(protocol.Disconnected{Reason: e.notice}); ok && e.notice != "" {
			c.replay(notice)
		}
		c.close(e)
	}
	s.notifyDisconnected(e.reason)
	s.hub.server.closed(s, e)
}
