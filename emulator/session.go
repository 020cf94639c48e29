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
// Locks are taken in the order turn, hub.mu, session.mu, conn.mu.
type session struct {
	// static after construction
	hub    *hub
	id     string
	userID string
	codec  protocol.Codec
	events *deliver.Connection
	opened time.Time
	ctx    context.Context         // of the client's events
	cancel context.CancelCauseFunc // gives them up

	// guarded by hub.mu
	groups groupSet
	roles  *roles.Set

	lane lane // what the handler is asked and told, in order

	// turn holds a value while a request is handled. It is no mutex, because
	// events may wait for room, and who waits for a mutex holds up the clock of
	// testing/synctest.
	turn       chan struct{}
	complaints int // that the log has got about the client; guarded by turn

	mu        sync.Mutex // guards the fields below
	ended     bool
	slow      bool // about to be ended, because the client does not read
	transport *conn
	losses    int      // of transports; tells a timer whether it is still meant
	unacked   *unacked // nil unless the protocol is reliable
	acks      ackHistory
}

// subject is the session as filters see it. hub.mu is held.
func (s *session) subject() odata.Subject {
	return odata.Subject{ConnectionID: s.id, UserID: s.userID, Protocol: s.codec.Name(), Groups: s.groups}
}

// run reads what the client sends until its WebSocket ends.
func (s *session) run(c *conn) {
	defer c.release()
	for {
		frame, err := c.read()
		if err != nil {
			s.lost(c, err)
			return
		}
		request, err := s.codec.Decode(frame)
		if err != nil {
			s.end(endBadFrame(err))
			c.drain()
			return
		}
		s.take(c, request)
	}
}

// take handles a request, unless the session has ended or the client has
// another WebSocket by now: there it repeats what was not acknowledged, which
// must not be carried out twice.
func (s *session) take(c *conn, request protocol.Request) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	current := s.transport == c
	s.mu.Unlock()
	if current {
		s.handle(request, c.gone)
	}
}

// lost is called when a WebSocket of the session has ended. A reliable session
// waits for the client to come back.
func (s *session) lost(c *conn, err error) {
	end, recoverable := endOfTransport(c, err)
	s.mu.Lock()
	if s.transport != c {
		s.mu.Unlock()
		return
	}
	if s.unacked == nil || !recoverable {
		s.mu.Unlock()
		s.end(end)
		return
	}
	s.transport = nil
	s.losses++
	loss := s.losses
	time.AfterFunc(s.hub.server.limits.RecoveryWindow, func() { s.expire(loss) })
	s.mu.Unlock()
}

// cut breaks the WebSocket, if there is one. The read loop notices it.
func (s *session) cut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport == nil {
		return false
	}
	s.transport.abort()
	return true
}

// expire ends a session whose client has not come back since a loss.
func (s *session) expire(loss int) {
	s.mu.Lock()
	away := s.transport == nil && s.losses == loss
	s.mu.Unlock()
	tasks := &s.hub.server.tasks
	if away && tasks.enter() {
		defer tasks.leave()
		s.end(endNotRecover)
	}
}

// attach gives the session a WebSocket, in place of the one that it may have.
// What the client has not acknowledged is sent again. It reports false when the
// session has ended.
func (s *session) attach(c *conn) bool {
	greeting, greets := s.codec.Encode(s.connected())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.transport != nil {
		s.transport.abort()
	}
	s.transport = c
	if greets {
		c.replay(greeting)
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
	s.unacked = nil
	s.mu.Unlock()

	if e.abrupt {
		s.cancel(&e)
	}
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
