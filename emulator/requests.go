package emulator

import (
	"fmt"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

// handle does what the client asked for. Only events wait for the application,
// and they do so in the session's lane: a slow handler holds up no pong, unless
// too many events wait for it. What is waited for then is given up when the
// client is gone.
func (s *session) handle(request protocol.Request, gone <-chan struct{}) {
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
		s.lane.addWait(maxWaitingEvents, gone, func() {
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
const maxWaitingEvents = 16

// once carries a request out and acknowledges it, unless a request with its ack
// id succeeded before.
func (s *session) once(ackID *uint64, carryOut func() *protocol.Error) {
	if ackID == nil {
		_ = carryOut()
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
	return s.changeGroups("join", group, func() *protocol.Error {
		if len(s.groups) >= maxGroups && !s.groups.Has(group) {
			return &protocol.Error{
				Name:    protocol.ErrorBadRequest,
				Message: fmt.Sprintf("The client is in %d groups and can join no further one.", maxGroups),
			}
		}
		s.hub.join(s, group)
		return nil
	})
}

func (s *session) leaveGroup(group string) *protocol.Error {
	return s.changeGroups("leave", group, func() *protocol.Error {
		s.hub.leave(s, group)
		return nil
	})
}

// maxGroups is how many groups a client can join by itself. The service has no
// such limit.
const maxGroups = 10_000

// changeGroups calls change with hub.mu held, if the client may change its
// membership. A client that is gone may do so no more.
func (s *session) changeGroups(verb, group string, change func() *protocol.Error) *protocol.Error {
	allowed, failed := false, (*protocol.Error)(nil)
	s.hub.mu.Lock()
	if s.hub.sessions[s.id] == s && s.roles.Allows(roles.JoinLeaveGroup, group) {
		allowed, failed = true, change()
	}
	s.hub.mu.Unlock()
	if !allowed {
		return s.forbidden(verb, group)
	}
	return failed
}

func (s *session) sendToGroup(r protocol.SendToGroup) *protocol.Error {
	if !s.hub.permitted(s, roles.SendToGroup, r.Group) {
		if s.codec.Name() == "" {
			s.end(endForbidden)
		}
		return s.forbidden("send to", r.Group)
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

// maxComplaints is how many refusals of one client are logged at most.
const maxComplaints = 10

// forbidden refuses what the roles of the client do not allow. The log says it
// too, because a client without ack id hears nothing.
func (s *session) forbidden(verb, group string) *protocol.Error {
	err := &protocol.Error{
		Name:    protocol.ErrorForbidden,
		Message: fmt.Sprintf("The client does not have permission to %s group '%s'.", verb, group),
	}
	if s.complaints++; s.complaints <= maxComplaints {
		s.hub.server.logger.Warn("a client is not allowed to do this", "hub", s.hub.name, "connection", s.id,
			"user", s.userID, "reason", err.Message)
	}
	return err
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
