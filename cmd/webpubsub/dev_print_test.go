package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// printed returns what a printer makes of records that all come before it
// starts.
func printed(p *eventPrinter, records ...emulator.Record) string {
	var b bytes.Buffer
	p.w = &b
	for _, r := range records {
		p.observe(r)
	}
	stop := make(chan struct{})
	close(stop)
	p.run(stop)
	return b.String()
}

func newTestPrinter(json bool) *eventPrinter {
	return newEventPrinter(&app{json: json, stdout: &lockedWriter{}}, "chat")
}

func at(seconds int) time.Time { return time.Date(2026, 1, 2, 12, 0, seconds, 0, time.UTC) }

func TestPrinterExplainsOnce(t *testing.T) {
	cause := errors.New("the handler is broken")
	got := printed(
		newTestPrinter(false),
		emulator.Record{Kind: emulator.Delivered, Time: at(1), Hub: "chat", UserID: "alice", Event: "connect", URL: "http://localhost/", Status: 500, Attempts: 1, Duration: time.Second, Err: cause, Hint: "mend it"},
		emulator.Record{Kind: emulator.Refused, Time: at(1), Hub: "news", Status: 500, Err: fmt.Errorf("not admitted: %w", cause), Hint: "mend it"},
		emulator.Record{Kind: emulator.Refused, Time: at(9), Hub: "chat", Status: 500, Err: cause},
	)
	want := `12:00:01 alice        connect       → 500  1s      http://localhost/
         the handler is broken
         hint: mend it
12:00:01 news/-       refused       → 500
12:00:09 -            refused       → 500
         the handler is broken
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An event that somebody sent again does not look like one of the client.
func TestPrinterAgain(t *testing.T) {
	r := emulator.Record{
		Kind: emulator.Delivered, Time: at(1), Hub: "chat", UserID: "alice", Event: "message", URL: "http://localhost/",
		Status: 200, Attempts: 1, Again: true, Duration: time.Second,
	}
	for json, want := range map[bool]string{
		false: "12:00:01 alice        message       → 200  1s      http://localhost/ (again)\n",
		true:  `{"kind":"delivered","time":"2026-01-02T12:00:01Z","hub":"chat","userId":"alice","event":"message","url":"http://localhost/","status":200,"attempts":1,"again":true,"durationMs":1000}` + "\n",
	} {
		if got := printed(newTestPrinter(json), r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What a client chooses cannot reach the terminal, with or without our own
// colours.
func TestPrinterEscapes(t *testing.T) {
	const hostile = "\x1b]0;x\a\n\u202e"
	for _, kind := range []emulator.RecordKind{emulator.Opened, emulator.Recovered, emulator.Closed, emulator.Refused, emulator.Delivered, emulator.Consent} {
		p := newTestPrinter(false)
		p.colors = true
		got := printed(p, emulator.Record{
			Kind: kind, Hub: hostile, ConnectionID: hostile, UserID: hostile, Subprotocol: hostile, Event: hostile, URL: hostile,
			Reason: hostile, Err: errors.New(hostile), Hint: hostile,
		})
		if strings.ContainsAny(got, "\a\u202e") || strings.Contains(got, "\x1b]") || strings.Count(got, "\n") != 3 {
			t.Errorf("%v: %q", kind, got)
		}
		if !strings.Contains(got, "\x1b[0m") {
			t.Errorf("%v: %q has no colours", kind, got)
		}
	}
}

func TestPrinterDoesNotWait(t *testing.T) {
	records := make([]emulator.Record, maxWaitingRecords+5)
	for i := range records {
		records[i] = emulator.Record{Kind: emulator.Opened, UserID: "alice"}
	}
	for json, want := range map[bool]string{
		false: "… 5 lines left out: the terminal is slower than the clients\n",
		true:  `{"kind":"lost","records":5}` + "\n",
	} {
		got := printed(newTestPrinter(json), records...)
		if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != maxWaitingRecords+1 {
			t.Errorf("got %.200q and %d lines, want %q first", got, strings.Count(got, "\n"), want)
		}
	}
}
