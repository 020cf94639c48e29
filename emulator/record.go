package emulator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
)

// A Record tells of one thing that happened in the service. It shows names and
// outcomes, and never a token, a key or a payload.
type Record struct {
	Kind RecordKind
	Time time.Time // when it was over

	Hub          string // in lower case; empty in a Consent, and when it is not known
	ConnectionID string
	UserID       string
	Subprotocol  string // of Opened; empty for a simple client

	Event    string // of Delivered: "connect", "connected", "message" …
	URL      string // of the handler, without the values of its query
	Status   int    // that the handler answered or, of Refused, that the client got; 0 for none
	Attempts int    // how often an event was sent
	Again    bool   // the event was sent again by [Exchange.Resend]: nothing follows from the answer
	Duration time.Duration

	Reason string // of Closed: the service's word for it, like "Normal" or "SlowClient"
	Err    error  // why an event was not delivered, a client refused or consent not given, and what a client of Closed did wrong
	Hint   string // what to do about Err; may be empty
}

// A RecordKind says what a [Record] tells of.
type RecordKind int

// The kinds of records.
const (
	Opened    RecordKind = iota + 1 // a client is connected
	Recovered                       // a client of a reliable protocol is back
	Closed                          // a connection has ended for good
	Refused                         // a client was not admitted
	Delivered                       // an event was sent to a handler, or should have been
	Consent                         // a handler agreed to get events, or no longer does
)

// String returns the kind in one lower-case word.
func (k RecordKind) String() string {
	switch k {
	case Opened:
		return "opened"
	case Recovered:
		return "recovered"
	case Closed:
		return "closed"
	case Refused:
		return "refused"
	case Delivered:
		return "delivered"
	case Consent:
		return "consent"
	}
	return "unknown"
}

// record passes on what happened: to Observe, or else to the log.
func (s *Server) record(r Record) {
	if s.observe != nil {
		r.Time = time.Now()
		s.observe(r)
		return
	}
	level := slog.LevelDebug
	if r.Err != nil {
		level = slog.LevelWarn
	}
	var attrs []slog.Attr
	for _, attr := range []slog.Attr{
		slog.String("hub", r.Hub), slog.String("connection", r.ConnectionID), slog.String("user", r.UserID),
		slog.String("category", r.Reason), slog.Int("status", r.Status), slog.Any("error", r.Err), slog.String("hint", r.Hint),
	} {
		if v := attr.Value; v.String() != "" && !v.Equal(slog.IntValue(0)) && !v.Equal(slog.AnyValue(nil)) {
			attrs = append(attrs, attr)
		}
	}
	s.logger.LogAttrs(context.Background(), level, "client "+r.Kind.String(), attrs...)
}

// admitted is called when a session has got its WebSocket.
func (s *Server) admitted(session *session, kind RecordKind) {
	s.record(Record{Kind: kind, Hub: session.hub.name, ConnectionID: session.id, UserID: session.userID, Subprotocol: session.codec.Name()})
}

// closed is called when a session has ended.
func (s *Server) closed(session *session, e ending) {
	s.record(Record{
		Kind: Closed, Hub: session.hub.name, ConnectionID: session.id, UserID: session.userID,
		Duration: time.Since(session.opened), Reason: e.category, Err: e.fault(),
	})
	s.leaveHub(session.hub)
}

// refused is called when a client does not get a WebSocket to work with. What
// is not known of it yet is empty.
func (s *Server) refused(u *upgrade, why *refusal) {
	r := Record{Kind: Refused, UserID: u.claims.UserID, Status: why.status, Err: why, Hint: hintOf(why)}
	r.Hub, _ = u.hubName()
	if u.events != nil {
		r.ConnectionID = u.events.ID
	}
	s.record(r)
}

// delivered is called by the sender of events when there is an Observe.
func (s *Server) delivered(r deliver.Report) {
	kind := Delivered
	if r.Handshake {
		kind = Consent
	}
	s.record(Record{
		Kind: kind, Hub: r.Hub, ConnectionID: r.ConnectionID, UserID: r.UserID, Event: r.Event,
		URL: r.URL, Status: r.Status, Attempts: r.Attempts, Again: r.Again, Duration: r.Duration, Err: r.Err, Hint: hintOf(r.Err),
	})
}

func hintOf(err error) string {
	if hinter, ok := errors.AsType[deliver.Hinter](err); ok {
		return hinter.Hint()
	}
	return ""
}
