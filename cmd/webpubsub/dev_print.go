package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// maxWaitingRecords is how many records wait to be printed. A terminal that
// stands still must not hold up the service: further ones are counted.
const maxWaitingRecords = 4096

// An eventPrinter prints what happens in the service, one thing in a line.
type eventPrinter struct {
	w      io.Writer
	json   bool
	colors bool
	hub    string // that is not worth mentioning; empty for none

	records chan emulator.Record
	lost    atomic.Int64
	told    []telling // what was explained last; belongs to run
}

// A telling is an error that was explained.
type telling struct {
	err  error
	time time.Time
}

// An error is explained once in a while: that of a failed connect is also that
// of the client who is refused, and one handshake fails many events.
const (
	tellAgainAfter = 2 * time.Second
	maxTold        = 32
)

func newEventPrinter(a *app, hub string) *eventPrinter {
	return &eventPrinter{
		w: a.stdout, json: a.json, colors: a.colors(a.stdout), hub: strings.ToLower(hub),
		records: make(chan emulator.Record, maxWaitingRecords),
	}
}

// observe takes a record for printing. It does not wait.
func (p *eventPrinter) observe(r emulator.Record) {
	select {
	case p.records <- r:
	default:
		p.lost.Add(1)
	}
}

// run prints until it is told to stop, and then what is left.
func (p *eventPrinter) run(stop <-chan struct{}) {
	for {
		select {
		case r := <-p.records:
			p.print(r)
		case <-stop:
			for range len(p.records) {
				p.print(<-p.records)
			}
			return
		}
	}
}

func (p *eventPrinter) print(r emulator.Record) {
	_, _ = io.WriteString(p.w, p.gap()+p.text(r)) // there is nobody to tell
}

func (p *eventPrinter) text(r emulator.Record) string {
	if p.json {
		return jsonLine(recordLineOf(r))
	}
	return p.lineOf(r)
}

// gap tells of records that were not printed.
func (p *eventPrinter) gap() string {
	lost := p.lost.Swap(0)
	switch {
	case lost == 0:
		return ""
	case p.json:
		return jsonLine(lostLine{Kind: "lost", Records: lost})
	}
	return fmt.Sprintf("… %s left out: the terminal is slower than the clients\n", quantity(int(lost), "line"))
}

// jsonLine encodes what consists of text and numbers, which cannot fail.
func jsonLine(v any) string {
	line, _ := wire.Marshal(v)
	return string(line) + "\n"
}

// The widths of the columns of a line. Longer words push the rest aside.
const (
	whoWidth     = 12
	whatWidth    = 13
	outcomeWidth = 7
	timeWidth    = 7
)

// lineOf returns the line of a record, and below it what is wrong and what to
// do.
func (p *eventPrinter) lineOf(r emulator.Record) string {
	var b strings.Builder
	b.WriteString(p.paint(faint, r.Time.Format(time.TimeOnly)) + " " + pad(p.who(r), whoWidth) + " ")
	switch r.Kind {
	case emulator.Delivered:
		p.delivered(&b, r)
	case emulator.Consent:
		p.consent(&b, r)
	case emulator.Refused:
		b.WriteString(p.paint(red, pad("refused", whatWidth)) + " " + p.outcome(r))
	case emulator.Closed:
		fmt.Fprintf(&b, "%s %s after %s", pad("closed", whatWidth), printable(cmp.Or(r.Reason, "Normal")), short(r.Duration))
	default:
		fmt.Fprintf(&b, "%s %s", pad(r.Kind.String(), whatWidth), cmp.Or(printable(r.Subprotocol), "simple client"))
	}
	line := strings.TrimRight(b.String(), " ") + "\n"
	if r.Err == nil || p.explained(r) {
		return line
	}
	line += "         " + p.paint(red, printable(r.Err.Error())) + "\n"
	if r.Hint != "" {
		line += "         " + p.paint(yellow, "hint: "+printable(r.Hint)) + "\n"
	}
	return line
}

// explained reports whether the error of a record was explained a moment ago,
// and otherwise remembers that it is now.
func (p *eventPrinter) explained(r emulator.Record) bool {
	p.told = slices.DeleteFunc(p.told, func(t telling) bool { return r.Time.Sub(t.time) > tellAgainAfter })
	if slices.ContainsFunc(p.told, func(t telling) bool { return errors.Is(r.Err, t.err) }) {
		return true
	}
	if len(p.told) == maxTold {
		p.told = p.told[1:]
	}
	p.told = append(p.told, telling{r.Err, r.Time})
	return false
}

func (p *eventPrinter) delivered(b *strings.Builder, r emulator.Record) {
	took := ""
	if r.Attempts > 0 {
		took = short(r.Duration)
	}
	fmt.Fprintf(b, "%s %s %s %s", pad(word(r.Event), whatWidth), p.outcome(r), pad(took, timeWidth), printable(r.URL))
	switch {
	case r.Again:
		b.WriteString(" (again)")
	case r.Attempts > 1:
		fmt.Fprintf(b, " (%d attempts)", r.Attempts)
	}
}

func (p *eventPrinter) consent(b *strings.Builder, r emulator.Record) {
	what := "consent"
	if r.Err != nil {
		what = "no consent"
	}
	fmt.Fprintf(b, "%s %s %s %s", pad(what, whatWidth), p.outcome(r), pad(short(r.Duration), timeWidth), printable(r.URL))
}

// outcome returns an arrow and a status.
func (p *eventPrinter) outcome(r emulator.Record) string {
	status := "-"
	if r.Status != 0 {
		status = fmt.Sprint(r.Status)
	}
	colour := green
	if r.Err != nil || r.Status >= http.StatusBadRequest {
		colour = red
	}
	return p.paint(colour, pad("→ "+status, outcomeWidth-1))
}

// who returns the user or, without one, the beginning of the connection id, and
// before that the hub if there can be several.
func (p *eventPrinter) who(r emulator.Record) string {
	who := "-"
	switch {
	case r.UserID != "":
		who = word(r.UserID)
	case r.ConnectionID != "":
		who = "#" + word(r.ConnectionID[:min(len(r.ConnectionID), 8)])
	}
	if r.Hub != "" && r.Hub != p.hub {
		who = word(r.Hub) + "/" + who
	}
	return who
}

// A colour is an SGR parameter of ECMA-48.
type colour string

const (
	faint  colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

func (p *eventPrinter) paint(c colour, text string) string {
	if !p.colors {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// A recordLine is a record for machines.
type recordLine struct {
	Kind         string  `json:"kind"`
	Time         string  `json:"time"`
	Hub          string  `json:"hub,omitempty"`
	ConnectionID string  `json:"connectionId,omitempty"`
	UserID       string  `json:"userId,omitempty"`
	Subprotocol  string  `json:"subprotocol,omitempty"`
	Event        string  `json:"event,omitempty"`
	URL          string  `json:"url,omitempty"`
	Status       int     `json:"status,omitempty"`
	Attempts     int     `json:"attempts,omitempty"`
	Again        bool    `json:"again,omitempty"`
	DurationMS   float64 `json:"durationMs,omitempty"`
	Reason       string  `json:"reason,omitempty"`
	Error        string  `json:"error,omitempty"`
	Hint         string  `json:"hint,omitempty"`
}

// A lostLine tells machines how many records are missing before the next one.
type lostLine struct {
	Kind    string `json:"kind"` // "lost"
	Records int64  `json:"records"`
}

func recordLineOf(r emulator.Record) recordLine {
	line := recordLine{
		Kind: r.Kind.String(), Time: r.Time.UTC().Format(time.RFC3339Nano), Hub: r.Hub, ConnectionID: r.ConnectionID, UserID: r.UserID,
		Subprotocol: r.Subprotocol, Event: r.Event, URL: r.URL, Status: r.Status, Attempts: r.Attempts, Again: r.Again,
		DurationMS: milliseconds(r.Duration), Reason: r.Reason, Hint: r.Hint,
	}
	if r.Err != nil {
		line.Error = r.Err.Error()
	}
	return line
}
