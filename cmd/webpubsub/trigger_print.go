package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/trigger"
)

// The steps of webpubsub trigger.
const (
	stepHandshake = "handshake"
	stepEvent     = "event"
)

// How much of a body is shown to people.
const (
	maxBodyShown  = 2000 // bytes
	maxLinesShown = 30
)

// An exchangeLine is an exchange for machines.
type exchangeLine struct {
	Step       string        `json:"step"`
	Request    requestPart   `json:"request"`
	Response   *responsePart `json:"response"`
	DurationMS float64       `json:"durationMs"`
	Verdict    *verdictPart  `json:"verdict,omitempty"`
}

type requestPart struct {
	Method  string          `json:"method"`
	URL     string          `json:"url"`
	Headers []trigger.Field `json:"headers"`
	bodyPart
}

type responsePart struct {
	Status  int             `json:"status"`
	Headers []trigger.Field `json:"headers"`
	bodyPart
}

// A bodyPart has one member, depending on whether the body is UTF-8.
type bodyPart struct {
	Body       string `json:"body,omitempty"`
	BodyBase64 []byte `json:"bodyBase64,omitempty"`
}

type verdictPart struct {
	OK     bool     `json:"ok"`
	Effect string   `json:"effect"`
	Error  string   `json:"error,omitempty"`
	Hint   string   `json:"hint,omitempty"`
	Notes  []string `json:"notes,omitempty"`
}

// printExchange prints what was sent, what came back, and what that means. The
// error is errReported when something is wrong. A nil verdict says nothing.
func (a *app) printExchange(step string, x *trigger.Exchange, v *trigger.Verdict) error {
	var err error
	if a.json {
		err = a.printJSON(lineOf(step, x, v))
	} else {
		_, err = io.WriteString(a.stdout, textOf(x, v))
	}
	if err == nil && v != nil && !v.OK {
		err = errReported
	}
	return err
}

func lineOf(step string, x *trigger.Exchange, v *trigger.Verdict) exchangeLine {
	line := exchangeLine{
		Step:       step,
		Request:    requestPart{Method: x.Method, URL: x.URL, Headers: x.Fields, bodyPart: bodyOf(withoutPassword(x.Body))},
		DurationMS: milliseconds(x.Duration),
	}
	if r := x.Response; r != nil {
		line.Response = &responsePart{Status: r.Status, Headers: r.Fields, bodyPart: bodyOf(r.Body)}
	}
	if v != nil {
		line.Verdict = &verdictPart{OK: v.OK, Effect: v.Effect, Error: v.Reason, Hint: v.Hint, Notes: v.Notes}
	}
	return line
}

func bodyOf(body []byte) bodyPart {
	if utf8.Valid(body) {
		return bodyPart{Body: string(body)}
	}
	return bodyPart{BodyBase64: body}
}

// milliseconds returns a duration with the precision of a microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

func textOf(x *trigger.Exchange, v *trigger.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s\n", x.Method, printable(x.URL))
	writeMessage(&b, "> ", x.Fields, withoutPassword(x.Body))
	if r := x.Response; r != nil {
		fmt.Fprintf(&b, "\n< %s  (%s)\n", trigger.Status(r.Status), short(x.Duration))
		writeMessage(&b, "< ", r.Fields, r.Body)
	}
	b.WriteString("\n")
	if v == nil {
		return b.String()
	}
	if v.OK {
		fmt.Fprintf(&b, "ok: %s\n", printable(v.Effect))
	} else {
		fmt.Fprintf(&b, "error: %s\neffect: %s\n", printable(v.Reason), printable(v.Effect))
	}
	for _, note := range v.Notes {
		fmt.Fprintf(&b, "note: %s\n", printable(note))
	}
	if v.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", printable(v.Hint))
	}
	b.WriteString("\n")
	return b.String()
}

func writeMessage(b *strings.Builder, prefix string, fields []trigger.Field, body []byte) {
	for _, f := range fields {
		fmt.Fprintf(b, "%s%s: %s\n", prefix, printable(f.Name), printable(f.Value))
	}
	if len(body) == 0 {
		return
	}
	fmt.Fprintf(b, "%s\n", strings.TrimSpace(prefix))
	shown := body[:min(len(body), maxBodyShown)]
	if !utf8.Valid(body) {
		fmt.Fprintf(b, "%s%x\n", prefix, shown[:min(len(shown), 64)])
		fmt.Fprintf(b, "%s(%s, not text)\n", prefix, quantity(len(body), "byte"))
		return
	}
	lines := strings.Split(strings.ToValidUTF8(string(shown), ""), "\n")
	cut := len(shown) < len(body) || len(lines) > maxLinesShown
	for _, line := range lines[:min(len(lines), maxLinesShown)] {
		fmt.Fprintf(b, "%s%s\n", prefix, printable(strings.TrimSuffix(line, "\r")))
	}
	if cut {
		fmt.Fprintf(b, "%s… (%s in all)\n", prefix, quantity(len(body), "byte"))
	}
}

// withoutPassword returns a body to show. The password of an MQTT client is in
// the body of connect; all else stays as it is, in its order.
func withoutPassword(body []byte) []byte {
	var content struct {
		MQTT struct{ Password json.RawMessage }
	}
	if json.Unmarshal(body, &content) != nil || len(content.MQTT.Password) <= len(`""`) || string(content.MQTT.Password) == "null" {
		return body
	}
	return bytes.ReplaceAll(body, content.MQTT.Password, []byte(`"(set)"`))
}

// short returns a duration as people say it.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
