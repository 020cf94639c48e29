package emulator

import (
	"net/http"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Exchange is one HTTP request with its answer, as it travelled: an event on
// its way to a handler, the question for a handler's consent, or a call of the
// REST data plane. Other than a [Record] it shows what is in them, payloads,
// states and signatures included; of the calls, it leaves out the token.
//
// Each is seen twice, with the same ID: when the request is about to be sent,
// and when it is over. Maps and slices are shared: do not change them.
type Exchange struct {
	ID    uint64 // of this service, in the order of the beginnings
	Kind  ExchangeKind
	Again uint64 // the ID of the event that was sent again by Resend; 0 for others

	Start    time.Time
	Done     bool // false while there is no answer yet
	Duration time.Duration

	Hub          string // in lower case; empty in a question for consent
	ConnectionID string // of an event
	UserID       string // of an event; empty before the handler named one
	Event        string // "connect", "connected", "message" …; "validate" for consent; empty for calls

	// RequestID is the x-ms-client-request-id of the request. Calls that package
	// webpubsub makes for an event, with the context of its handler, have that
	// of the event.
	RequestID string

	Method       string
	URL          string      // of the handler, or of a call: path and query
	Header       http.Header // of the request, with canonical keys
	Body         []byte
	Attempts     int         // how often an event was sent
	Status       int         // of the last answer; 0 for none
	AnswerHeader http.Header // of the last answer
	Answer       []byte      // its body, without what is beyond the limits of the service

	StateBefore string // ce-connectionState of an event
	StateAfter  string // what the answer made of it, if the service took the answer
	Recipients  int    // of a call: how many connections it was about

	Err  error  // why an event was not delivered or consent not given
	Hint string // what to do about Err; may be empty

	resend func()
}

// An ExchangeKind says what an [Exchange] is.
type ExchangeKind int

// The kinds of exchanges.
const (
	EventExchange   ExchangeKind = iota + 1 // an event to a handler
	ConsentExchange                         // the handshake before events ("abuse protection")
	CallExchange                            // a call of the REST data plane
)

// String returns the kind in one lower-case word.
func (k ExchangeKind) String() string {
	switch k {
	case EventExchange:
		return "event"
	case ConsentExchange:
		return "consent"
	case CallExchange:
		return "call"
	}
	return "unknown"
}

// CanResend reports whether [Exchange.Resend] has something to send: the
// Exchange is an event that was sent.
func (x *Exchange) CanResend() bool { return x.resend != nil }

// Resend sends the request of an event to its handler once more, unchanged,
// with the same event id: as the service does when it tries again. The answer
// goes to nobody, and the connection's state stays. What comes of it is another
// Exchange, with Again set; Resend returns when that is over. It does nothing
// for an Exchange that cannot be sent.
//
// The handler is the one that the event had, also after [Server.Apply] has put
// another in its place, and is not asked for consent again. An event may be sent
// again while it is still under way.
func (x *Exchange) Resend() {
	if x.resend != nil {
		x.resend()
	}
}

// inspectTransfer shows an event, or a question for consent, and later what
// became of it.
func (s *Server) inspectTransfer(t *deliver.Transfer) (over func()) {
	t.ID = s.exchanges.Add(1)
	x := Exchange{
		ID: t.ID, Kind: EventExchange, Again: t.Again, Start: t.Start,
		Hub: t.Hub, ConnectionID: t.ConnectionID, UserID: t.UserID, Event: t.Event,
		RequestID: wire.First(t.Header, wire.HeaderClientRequestID),
		Method:    t.Method, URL: t.Target, Header: t.Header, Body: t.Body,
		StateBefore: wire.First(t.Header, wire.HeaderConnectionState),
	}
	x.StateAfter = x.StateBefore
	if t.Handshake {
		x.Kind, x.Event = ConsentExchange, wire.EventValidate
	}
	if id, resend := t.ID, t.Resend; resend != nil {
		x.resend = func() { resend(id) } // without the rest of the transfer
	}
	s.inspect(x)
	return func() {
		x.Done, x.Duration = true, t.Duration
		x.Attempts, x.Status, x.AnswerHeader, x.Answer = t.Attempts, t.Status, t.AnswerHeader, t.AnswerBody
		x.Err, x.Hint = t.Err, hintOf(t.Err)
		if t.State != nil {
			x.StateAfter = *t.State
		}
		s.inspect(x)
	}
}
