package emulator

import (
	"fmt"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

// handle does what the client asked for. Only events wait for the application,
// and they do so in a lane of their own: a slow handler holds up no pong.
func (s *session) handle(request protocol.Request) {
	switch r := request.(type) {
	case protocol.Ping:
		s.tell(protocol.Pong{})
	case protocol.SequenceAck:
		s.acknowledge(r.SequenceID)
	case protocol.JoinGroup:
		s.once(r.AckID, func() *protocol.Error { return s.joinGroup(r.Group) })
	case protocol.LeaveGroup:
		s.once(r.AckID, func() *protocol.Error { return s.leaveGroup(r.Group) })
	case protocol.SendToGroup:
		s.once(r.AckID, func() *protocol.Error { return s.sendToGroup(r) })
	case protocol.Event:
		s.userEvents.addWait(maxWaitingEvents, func() {
			s.once(r.AckID, func() *protocol.Error { return s.userEvent(r) })
		})
	case protocol.GroupState:
		s.once(r.AckID, func() *protocol.Error { return notSupported("Group state") })
	case protocol.Invoke:
		s.tell(protocol.InvokeResponse{InvocationID: r.InvocationID, Err: notSupported("Invoking an event")})
	case protocol.StreamStart:
		s.tell(protocol.StreamClosed{StreamID: r.StreamID, Err: notSupported("Streaming")})
	case protocol.StreamData:
		s.tell(noSuchStream(r.StreamID))
	case protocol.StreamEnd:
		s.tell(noSuchStream(r.StreamID))
	}
}

// maxWaitingEvents is how many events of one client wait for their turn before
// nothing more is read from it.
const maxWaitingEvents = 100

// once carries a request out and acknowledges it, unless a request with its ack
// id succeeded before.
func (s *session) once(ackID *uint64, carryOut func() *protocol.Error) {
	if ackID == nil {
		if failed := carryOut(); failed != nil {
			s.hub.server.logger.Warn("a client's request without ack id failed",
				"hub", s.hub.name, "connection", s.id, "error", failed.Name, "reason", failed.Message)
		}
		return
	}
	s.mu.Lock()
	done := s.acks.has(*ackID)
	s.mu.Unlock()
	if done {
		s.tell(protocol.Ack{ID: *ackID, Err: &protocol.Error{
			Name:    protocol.ErrorDuplicate,
			Message: fmt.Sprintf("Message with ack-id: %d has been processed", *ackID),
		}})
		return
	}
	failed := carryOut()
	if failed == nil {
		s.mu.Lock()
		s.acks.add(*ackID)
		s.mu.Unlock()
	}
	s.tell(protocol.Ack{ID: *ackID, Err: failed})
}

func (s *session) joinGroup(group string) *protocol.Error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if !s.roles.Allows(roles.JoinLeaveGroup, group) {
		return forbidden("join", group)
	}
	s.hub.join(s, group)
	return nil
}

func (s *session) leaveGroup(group string) *protocol.Error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if !s.roles.Allows(roles.JoinLeaveGroup, group) {
		return forbidden("leave", group)
	}
	s.hub.leave(s, group)
	return nil
}

func (s *session) sendToGroup(r protocol.SendToGroup) *protocol.Error {
	if !s.hub.permitted(s, roles.SendToGroup, r.Group) {
		if s.codec.Name() == "" {
			s.end(endForbidden)
		}
		return forbidden("send to", r.Group)
	}
	command := broker.Send{
		Target:  broker.Target{Kind: broker.Group, Name: r.Group},
		Message: protocol.DataMessage{Group: r.Group, FromUserID: s.userID, Data: r.Data, Metadata: r.Metadata},
		TTL:     time.Duration(r.TTLSeconds) * time.Second,
	}
	if r.NoEcho {
		command.Excluded = []string{s.id}
	}
	if err := s.hub.server.broker.Publish(s.ctx, s.hub.name, command); err != nil {
		s.hub.server.logger.Error("a message could not be published", "hub", s.hub.name, "connection", s.id, "error", err)
		return internalError()
	}
	return nil
}

func forbidden(verb, group string) *protocol.Error {
	return &protocol.Error{
		Name:    protocol.ErrorForbidden,
		Message: fmt.Sprintf("The client does not have permission to %s group '%s'.", verb, group),
	}
}

func internalError() *protocol.Error {
	return &protocol.Error{Name: protocol.ErrorInternal, Message: "Internal server error"}
}

func notSupported(what string) *protocol.Error {
	return &protocol.Error{Name: protocol.ErrorBadRequest, Message: what + " is not supported by this service."}
}

func noSuchStream(id string) protocol.StreamClosed {
	return protocol.StreamClosed{StreamID: id, Err: &protocol.Error{
		Name:    protocol.ErrorStreamNotFound,
		Message: fmt.Sprintf("There is no open stream '%s'.", id),
	}}
}
