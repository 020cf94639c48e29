// Package protocol is what clients and the service say to each other over a
// WebSocket, apart from its form on the wire, and the codecs that give it a
// form. A hub and a session know requests and messages only; a new subprotocol
// is a new [Codec].
//
// The facts come from the client protocol specification and the subprotocol
// references of Azure Web PubSub (reference-json-webpubsub-subprotocol and its
// siblings on learn.microsoft.com), and where they are silent from Microsoft's
// emulator.
package protocol

// Data is a payload.
type Data struct {
	// Type is one of [wire.DataText], [wire.DataJSON], [wire.DataBinary] and
	// [wire.DataProtobuf], or empty when there is no payload at all.
	Type string

	// Bytes is UTF-8 text, JSON text, the bytes themselves, or the encoded
	// google.protobuf.Any.
	Bytes []byte
}

// A Frame is one WebSocket message.
type Frame struct {
	Binary  bool
	Payload []byte
}

// A Request is what a client asks for: one of the types below.
type Request interface{ request() }

// JoinGroup asks to become a member of a group, LeaveGroup to be one no longer.
type (
	JoinGroup struct {
		Group string
		AckID *uint64
	}
	LeaveGroup struct {
		Group string
		AckID *uint64
	}
)

// SendToGroup publishes to the members of a group.
type SendToGroup struct {
	Group      string
	AckID      *uint64
	NoEcho     bool // not to the sender
	Data       Data
	Metadata   map[string]string
	TTLSeconds int // 0 to 300; 0 is for ever
}

// Event is an event for the application's handler.
type Event struct {
	Name     string
	AckID    *uint64
	Data     Data
	Metadata map[string]string
}

// Ping asks for a Pong.
type Ping struct{}

// SequenceAck acknowledges all messages up to a sequence id.
type SequenceAck struct{ SequenceID uint64 }

// Invoke is an event that is answered with an InvokeResponse.
type Invoke struct {
	InvocationID string
	Event        string
	Data         Data
}

// CancelInvocation gives an invocation up.
type CancelInvocation struct{ InvocationID string }

// StreamStart opens a stream into a group; StreamData and StreamEnd belong to
// one that is open.
type (
	StreamStart struct {
		StreamID string
		Group    string
	}
	StreamData struct{ StreamID string }
	StreamEnd  struct{ StreamID string }
)

// GroupState is any request about the state that members keep in a group.
type GroupState struct {
	Group string
	AckID *uint64
}

// InvokeResult is the client's answer to a call by the service. The service
// makes no such calls today.
type InvokeResult struct{ InvocationID string }

func (JoinGroup) request()        {}
func (LeaveGroup) request()       {}
func (SendToGroup) request()      {}
func (Event) request()            {}
func (Ping) request()             {}
func (SequenceAck) request()      {}
func (Invoke) request()           {}
func (CancelInvocation) request() {}
func (StreamStart) request()      {}
func (StreamData) request()       {}
func (StreamEnd) request()        {}
func (GroupState) request()       {}
func (InvokeResult) request()     {}

// A Message is what the service says to a client: one of the types below.
type Message interface{ message() }

// Connected is the first message of a connection.
type Connected struct {
	ConnectionID      string
	UserID            string
	ReconnectionToken string // of reliable protocols
}

// Disconnected is the last message of a connection that the application closed.
type Disconnected struct{ Reason string }

// Ack tells what became of a request. Without an Err it succeeded.
type Ack struct {
	ID  uint64
	Err *Error
}

// Error says why a request failed.
type Error struct{ Name, Message string }

// The names of errors.
const (
	ErrorForbidden      = "Forbidden"
	ErrorInternal       = "InternalServerError"
	ErrorDuplicate      = "Duplicate"
	ErrorBadRequest     = "BadRequest"
	ErrorStreamNotFound = "StreamNotFound"
)

// DataMessage is a payload, from a group when Group is set and from the
// application otherwise.
type DataMessage struct {
	Group      string
	FromUserID string // the publisher, when it has a name
	Data       Data
	Metadata   map[string]string
}

// Pong answers Ping.
type Pong struct{}

// InvokeResponse answers Invoke. Without an Err it succeeded.
type InvokeResponse struct {
	InvocationID string
	Data         Data
	Err          *Error
}

// StreamClosed ends a stream for its publisher. Without an Err all went well.
type StreamClosed struct {
	StreamID string
	Err      *Error
}

func (Connected) message()      {}
func (Disconnected) message()   {}
func (Ack) message()            {}
func (DataMessage) message()    {}
func (Pong) message()           {}
func (InvokeResponse) message() {}
func (StreamClosed) message()   {}

// A Codec gives requests and messages the form of one protocol. Codecs are
// safe for concurrent use.
type Codec interface {
	// Name is the subprotocol in the opening handshake, empty for simple
	// clients.
	Name() string

	// Reliable reports whether data messages are numbered, kept until they are
	// acknowledged, and sent again after a lost transport.
	Reliable() bool

	// Form names the form of unnumbered messages. Codecs with one form encode a
	// message to the same bytes, so that a broadcast is encoded once for each
	// form.
	Form() Form

	// Decode reads a frame. The error is a *FrameError. The request may share
	// the frame's bytes, which are not to be changed afterwards.
	Decode(Frame) (Request, error)

	// Encode writes a message, without a number. The frame may share the
	// message's bytes. JSON data is not checked: it has to be valid. Encode
	// returns false when clients of this protocol get no such message.
	Encode(Message) (Frame, bool)

	// Number adds a sequence id to a DataMessage that Encode wrote. It does not
	// change the frame's bytes, which others share.
	Number(Frame, uint64) Frame
}

// A Form is a way to write messages.
type Form int

// The forms.
const (
	FormSimple Form = iota
	FormJSON
)

// A FrameError reports a frame that is refused. Its text says what was wrong
// and what was expected, and goes to the log.
type FrameError struct {
	// WrongKind is set for text where binary was expected or the reverse.
	WrongKind bool
	Reason    string
}

func (e *FrameError) Error() string { return e.Reason }
