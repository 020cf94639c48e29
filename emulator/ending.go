package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

// An ending says why a connection ends, to everyone who is told. As an error it
// is why an event of the client was given up.
type ending struct {
	category string               // in the terms of the service's metrics (concept-metrics)
	code     websocket.StatusCode // of the close frame; 0 for none
	text     string               // of the close frame
	notice   string               // of the "disconnected" message before it; empty for none
	reason   string               // of the disconnected event
	now      bool                 // without waiting for what is queued for the client
	abrupt   bool                 // events of the client that are under way are given up
	cause    error                // what the client did wrong, in full; nil where reason says it
}

// fault returns what somebody should mend, nil for endings that are as they
// should be and for those that a failed event explains.
func (e *ending) fault() error {
	switch e.category {
	case "BadRequest", "SlowClient", "PingTimeout", "Unauthorized":
		return cmp.Or(e.cause, errors.New(e.reason))
	}
	return nil
}

func (e *ending) Error() string { return "the client is gone: " + e.reason }

// The endings that are always the same. A client of a reliable protocol may
// try to recover after any code but 1008; it then learns that there is nothing
// left to recover.
var (
	endNormal        = ending{category: "Normal"}
	endLost          = ending{category: "Normal", reason: "The connection was lost.", abrupt: true}
	endSilent        = ending{category: "PingTimeout", reason: "The client did not answer a ping.", abrupt: true}
	endStalled       = ending{category: "SlowClient", reason: "The client took nothing of what was sent to it.", abrupt: true}
	endNotRecover    = ending{category: "Normal", reason: "The connection was lost and not recovered in time.", abrupt: true}
	endShutdown      = endWith("ServiceReload", websocket.StatusGoingAway, "The service is shutting down.")
	endForbidden     = endWith("Unauthorized", websocket.StatusPolicyViolation, "The client does not have permission to send to the group.")
	endEventFailed   = endWith("SendEventFailed", websocket.StatusInternalError, "The event could not be delivered.")
	endNoHandler     = endWith("EventHandlerNotFound", websocket.StatusInternalError, "No event handler takes the event.")
	endTooLarge      = ending{category: "BadRequest", reason: "The message is too large."} // the WebSocket layer has sent 1009
	endUnrecoverable = ending{code: websocket.StatusPolicyViolation, text: "The connection could not be recovered."}
	endSlow          = ending{
		category: "SlowClient", code: websocket.StatusPolicyViolation, text: "The client reads too slowly.",
		reason: "The client reads too slowly.", now: true, abrupt: true,
	}
)

// endWith is the ending that tells everyone the same.
func endWith(category string, code websocket.StatusCode, text string) ending {
	return ending{category: category, code: code, text: text, reason: text}
}

// endByApplication is the ending that the application asked for.
func endByApplication(reason string) ending {
	text := "Application server closed the connection."
	if reason != "" {
		text += " Reason: " + reason
	}
	return ending{category: "ClosedByAppServer", code: websocket.StatusNormalClosure, notice: text, reason: text}
}

// maxCloseReason is the longest text of a close frame (RFC 6455, 5.5).
const maxCloseReason = 123

// endBadFrame is the ending of a client that sent what its protocol does not
// allow. The text says what that was.
func endBadFrame(err error) ending {
	text := err.Error()
	for len(text) > maxCloseReason {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	code := websocket.StatusInvalidFramePayloadData
	if bad, ok := errors.AsType[*protocol.FrameError](err); ok && bad.WrongKind {
		code = websocket.StatusUnsupportedData
	}
	e := endWith("BadRequest", code, text)
	e.cause = fmt.Errorf("the client sent what its protocol does not allow: %w", err)
	return e
}

// endOfTransport is how a connection without recovery ends when reading from
// it fails, and how any ends when the client closed it. recoverable tells that
// a client may come back.
func endOfTransport(c *conn, err error) (e ending, recoverable bool) {
	var closed websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return endTooLarge, false
	case c.fault.Load() != nil:
		return *c.fault.Load(), true
	case !errors.As(err, &closed):
		return endLost, true
	case closed.Code == websocket.StatusNormalClosure, closed.Code == websocket.StatusNoStatusRcvd:
		return endNormal, false
	}
	return ending{category: "Normal", reason: fmt.Sprintf("The client closed the connection with code %d.", closed.Code)}, true
}
