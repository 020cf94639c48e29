package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// A Report tells what became of an event, or that the consent of a handler
// changed. It holds nothing that must not be shown.
type Report struct {
	// Handshake is set for a change of consent. Of the fields below it has
	// URL, Status, Attempts, Duration and Err.
	Handshake bool

	Hub          string
	Type         string // the ce-type
	Event        string // the ce-eventName
	ConnectionID string
	UserID       string

	URL      string // of the handler, without user and without the values of its query
	Status   int    // of the last answer, 0 without any
	Attempts int    // 0 for an event that was not sent
	Start    time.Time
	Duration time.Duration
	Err      error // nil if all went well

	// Again is set for an event that somebody sent again: nothing follows from
	// the answer.
	Again bool
}

// report completes a report and passes it on: to Observe, or else to the log.
func (s *Sender) report(r Report, start time.Time, err error) Report {
	r.Start, r.Duration, r.Err = start, time.Since(start), err
	if s.opts.Observe != nil {
		s.opts.Observe(r)
	} else {
		s.log(r)
	}
	return r
}

func (s *Sender) log(r Report) {
	attrs := make([]slog.Attr, 0, 11)
	text := "event delivered"
	if r.Err != nil {
		text = "event failed"
	}
	if r.Handshake {
		text = "handler consents to events"
		if r.Err != nil {
			text = "handler does not consent to events"
		}
	} else {
		attrs = append(attrs, slog.String("hub", r.Hub), slog.String("event", r.Event),
			slog.String("connection_id", r.ConnectionID), slog.String("user_id", r.UserID))
	}
	attrs = append(attrs, slog.String("url", r.URL), slog.Int("status", r.Status),
		slog.Int("attempts", r.Attempts), slog.Duration("duration", r.Duration))
	if r.Again {
		attrs = append(attrs, slog.Bool("again", true))
	}
	level := slog.LevelDebug
	if r.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("err", r.Err))
		if hinter, ok := errors.AsType[Hinter](r.Err); ok {
			attrs = append(attrs, slog.String("hint", hinter.Hint()))
		}
	}
	s.opts.Logger.LogAttrs(context.Background(), level, text, attrs...)
}
