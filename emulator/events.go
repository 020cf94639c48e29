package emulator

import (
	"errors"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// userEvent asks the application and passes its answer on to the client.
func (s *session) userEvent(r protocol.Event) *protocol.Error {
	config := s.hub.config()
	event := s.events.NewEvent(wire.KindUser, r.Name)
	event.ContentType, event.Body, event.Metadata = contentTypeOf(r.Data.Type), r.Data.Bytes, r.Metadata
	answer, err := s.hub.server.sender.Send(s.ctx, config.handlers, event)
	if err != nil {
		s.eventFailed(err, config.closeOnFailure)
		return internalError()
	}
	if m, ok := answer.Message(); ok {
		s.send(protocol.NewEncoded(protocol.DataMessage{
			Data:     protocol.Data{Type: m.DataType, Bytes: m.Bytes},
			Metadata: m.Metadata,
		}), 0)
	}
	return nil
}

// eventFailed ends the connection of a simple client, which cannot be told
// otherwise, and of any that the settings want to lose. The sender has logged
// why.
func (s *session) eventFailed(err error, closeOnFailure bool) {
	if s.ctx.Err() != nil || s.codec.Name() != "" && !closeOnFailure {
		return
	}
	if _, ok := errors.AsType[*deliver.NoHandlerError](err); ok {
		s.end(endNoHandler)
		return
	}
	s.end(endEventFailed)
}

// contentTypeOf returns the content type of a client's data. An event with
// metadata and no data is empty text.
func contentTypeOf(dataType string) string {
	switch dataType {
	case wire.DataJSON:
		return wire.MediaJSON
	case wire.DataProtobuf:
		return wire.MediaProtobuf
	case wire.DataBinary:
		return wire.MediaBinary
	}
	return wire.ContentTypeText
}

// tell delivers a notice. The sender logs what goes wrong, and nobody else is
// to know. Notices survive their session.
func (s *Server) tell(handlers *deliver.Handlers, event *deliver.Event) {
	_, _ = s.sender.Send(s.life, handlers, event)
}

// maxWaitingNotices is how many events of one client may wait before those about
// groups are lost.
const maxWaitingNotices = 1000

func (s *session) groupJoined(group string) { s.groupEvent(wire.KindGroupJoined, group) }
func (s *session) groupLeft(group string)   { s.groupEvent(wire.KindGroupLeft, group) }

func (s *session) groupEvent(kind wire.Kind, group string) {
	handlers := s.hub.config().handlers
	if !handlers.Takes(kind, group) {
		return
	}
	event := s.events.NewEvent(kind, "")
	event.Group = group
	if !s.lane.tryAdd(maxWaitingNotices, func() { s.hub.server.tell(handlers, event) }) {
		s.hub.server.lostNotices.Do(func() {
			s.hub.server.logger.Error("events about groups are lost, because the handler does not keep up; this is logged once",
				"hub", s.hub.name, "connection", s.id)
		})
	}
}

func (s *session) notifyConnected() {
	if handlers := s.hub.config().handlers; handlers.Takes(wire.KindConnected, "") {
		event := s.events.NewEvent(wire.KindConnected, "")
		s.lane.add(func() { s.hub.server.tell(handlers, event) })
	}
}

// notifyDisconnected is the last event of a session.
func (s *session) notifyDisconnected(reason string) {
	handlers := s.hub.config().handlers
	event := disconnectedEvent(handlers, s.events, reason)
	s.lane.add(func() {
		if event != nil {
			s.hub.server.tell(handlers, event)
		}
		s.cancel(nil)
	})
}

// disconnectedEvent returns nil when no handler takes it.
func disconnectedEvent(handlers *deliver.Handlers, c *deliver.Connection, reason string) *deliver.Event {
	if !handlers.Takes(wire.KindDisconnected, "") {
		return nil
	}
	event := c.NewEvent(wire.KindDisconnected, "")
	body := wire.DisconnectedBody{}
	if reason != "" {
		body.Reason = &reason
	}
	event.Body, _ = wire.Marshal(body) // a string can be marshalled
	return event
}
