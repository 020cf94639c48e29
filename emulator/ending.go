package emulator

import (
	"errors"
	"fmt"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

// An ending says why a connection ends, to everyone who is told.
type ending struct {
	category string               // in the terms of the service's metrics (concept-metrics)
	code     websocket.StatusCode // of the close frame; 0 for none
	text     string               // of the close frame
	notice   string               // of the "disconnected" message before it; empty for none
	reason   string               // of the disconnected event
	now      bool                 // without waiting for what is queued
}

// The endings that are always the same. A client of a reliable protocol may
// try to recover after any code but 1008; it then learns that there is nothing
// left to recover.
var (
	endNormal      = ending{category: "Normal"}
	endLost        = ending{category: "PingTimeout", reason: "The connection was lost."}
	endNotRecover  = ending{category: "PingTimeout", reason: "The connection was lost and not recovered in time."}
	endShutdown    = ending{category: "ServiceReload", code: websocket.StatusGoingAway, text: "The service is shutting down.", reason: "The service is shutting down."}
	endSlow        = ending{category: "SlowClient", code: websocket.StatusPolicyViolation, text: "The client reads too slowly.", reason: "The client reads too slowly.", now: true}
	endForbidden   = ending{category: "Unauthorized", code: websocket.StatusPolicyViolation, text: "The client does not have permission to send to the group.", reason: "The client does not have permission to send to the group."}
	endEventFailed = ending{category: "SendEventFailed", code: websocket.StatusInternalError, text: "The event could not be delivered.", reason: "The event could not be delivered."}
	endNoHandler   = ending{category: "EventHandlerNotFound", code: websocket.StatusInternalError, text: "The event could not be delivered.", reason: "No event handler takes the event."}
	endTooLarge    = ending{category: "BadRequest", reason: "The message is too large."} // the WebSocket layer has sent 1009
)

// endByApplication is the ending that the application asked for.
func endByApplication(reason string) ending {
	text := "Application server closed the connection."
	if reason != "" {
		text += " Reason: " + reason
	}
	return ending{category: "ClosedByAppServer", code: websocket.StatusNormalClosure, notice: text, reason: text}
}

// endBadFrame is the ending of a client that sent what its protocol does not
// allow.
func endBadFrame(err error) ending {
	e := ending{category: "BadRequest", code: websocket.StatusInvalidFramePayloadData, text: "The message could not be parsed."}
	if bad, ok := errors.AsType[*protocol.FrameError](err); ok && bad.WrongKind {
		e.code, e.text = websocket.StatusUnsupportedData, "The protocol does not support this kind of frame."
	}
	e.reason = e.text
	return e
}

// endOfTransport is how a connection without recovery ends when reading from
// it fails, and how any ends when the client closed it. recoverable tells that
// a client may come back.
func endOfTransport(err error) (e ending, recoverable bool) {
	var closed websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return endTooLarge, false
	case !errors.As(err, &closed):
		return endLost, true
	case closed.Code == websocket.StatusNormalClosure, closed.Code == websocket.StatusNoStatusRcvd:
		return endNormal, false
	}
	return ending{category: "Normal", reason: fmt.Sprintf("The client closed the connection with code %d.", closed.Code)}, true
}
