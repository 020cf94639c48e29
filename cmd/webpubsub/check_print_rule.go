package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/trigger"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// ruleIndent is in front of what is said of a rule.
const ruleIndent = "    "

// title prints the line of a rule.
func (p *checkPrinter) title(b *strings.Builder, mark string, r *check.Rule) {
	fmt.Fprintf(b, "  %s %s %s  %s\n", mark, pad(r.Severity.String(), len("should")), r.ID, r.Title)
}

// held prints a rule that holds, and its requests in a line each.
func (p *checkPrinter) held(b *strings.Builder, r *check.Result) {
	p.title(b, p.paint(green, markHolds), &r.Rule)
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		fmt.Fprintf(b, "%s%s\n", ruleIndent, p.paint(faint, fmt.Sprintf("%s %s → %s  %s", x.Method, printable(x.URL), outcomeOf(x), short(x.Duration))))
	}
}

// failed prints a rule that fails: what was found, the request that shows it,
// why that matters, and how to mend it. Of what is only worth knowing, it prints
// what was found.
func (p *checkPrinter) failed(b *strings.Builder, r *check.Result) {
	mark, colour := markFails, red
	switch r.Rule.Severity {
	case check.Should:
		colour = yellow
	case check.Info:
		mark, colour = markInfo, faint
	}
	gap(b)
	p.title(b, p.paint(colour, mark), &r.Rule)
	fmt.Fprintf(b, "%s%s\n", ruleIndent, p.paint(colour, wrap(printable(r.Finding), ruleIndent)))
	if r.Rule.Severity == check.Info && !p.verbose {
		return
	}
	p.exchanges(b, r)
	for _, part := range []struct{ label, text string }{{"why", r.Rule.Reason}, {"fix", r.Fix}, {"source", r.Rule.Source}} {
		label := ruleIndent + pad(part.label, len("source  "))
		fmt.Fprintf(b, "%s%s\n", label, wrap(printable(part.text), strings.Repeat(" ", len(label))))
	}
}

// exchanges prints the request that shows what is wrong, or all of them.
func (p *checkPrinter) exchanges(b *strings.Builder, r *check.Result) {
	if p.verbose {
		for i := range r.Exchanges {
			p.exchange(b, r, i)
		}
	} else if i := tellingExchange(r); i >= 0 {
		p.exchange(b, r, i)
	}
	b.WriteString("\n")
}

// tellingExchange returns the exchange that the finding is most likely about:
// the last one with the answer that it names, else the last one; -1 for none.
func tellingExchange(r *check.Result) int {
	for i := len(r.Exchanges) - 1; i >= 0; i-- {
		if x := &r.Exchanges[i]; strings.Contains(r.Finding, "got "+outcomeOf(x)) || x.Error != "" && strings.Contains(r.Finding, x.Error) {
			return i
		}
	}
	return len(r.Exchanges) - 1
}

func (p *checkPrinter) exchange(b *strings.Builder, r *check.Result, i int) {
	x := &r.Exchanges[i]
	count := ""
	if len(r.Exchanges) > 1 {
		count = fmt.Sprintf("  (request %d of %d)", i+1, len(r.Exchanges))
	}
	fmt.Fprintf(b, "\n%s> %s %s%s\n", ruleIndent, x.Method, printable(x.URL), p.paint(faint, count))
	p.message(b, "> ", x.Header, requestMatters(r), x.Body)
	fmt.Fprintf(b, "%s< %s  (%s)\n", ruleIndent, outcomeOf(x), short(x.Duration))
	p.message(b, "< ", x.AnswerHeader, answerMatters(r), x.Answer)
}

// outcomeOf says what came back.
func outcomeOf(x *check.Exchange) string {
	if x.Error != "" {
		return printable(x.Error)
	}
	return trigger.Status(x.Status)
}

// message prints the headers that matter, and the body.
func (p *checkPrinter) message(b *strings.Builder, prefix string, header []string, matters func(name string) bool, body string) {
	hidden := false
	for _, line := range header {
		if name, _, _ := strings.Cut(line, ": "); !p.verbose && !matters(name) {
			hidden = true
			continue
		}
		fmt.Fprintf(b, "%s%s%s\n", ruleIndent, prefix, printable(line))
	}
	if hidden {
		fmt.Fprintf(b, "%s%s%s\n", ruleIndent, prefix, p.paint(faint, "…"))
	}
	if body == "" {
		return
	}
	fmt.Fprintf(b, "%s%s\n", ruleIndent, strings.TrimSpace(prefix))
	for _, line := range p.bodyLines(body) {
		fmt.Fprintf(b, "%s%s%s\n", ruleIndent, prefix, line)
	}
}

// everyday are the headers of each request that say little about it.
var everyday = []string{
	wire.HeaderSpecVersion, wire.HeaderAWPSVersion, wire.HeaderEventName, wire.HeaderSource, wire.HeaderID, wire.HeaderTime, wire.HeaderHub,
	wire.HeaderUserID, wire.HeaderSubprotocol, wire.HeaderClientRequestID, "User-Agent",
}

// answerHeaders are those of an answer that the service looks at.
var answerHeaders = []string{wire.HeaderContentType, wire.HeaderAllowedOrigin, wire.HeaderConnectionState, "Location", "Allow", "Retry-After"}

// requestMatters returns which headers of a request have to do with a result.
func requestMatters(r *check.Result) func(name string) bool {
	return func(name string) bool {
		return !slices.Contains(everyday, http.CanonicalHeaderKey(name)) || mentions(r, name)
	}
}

// answerMatters returns which headers of an answer have to do with a result.
func answerMatters(r *check.Result) func(name string) bool {
	return func(name string) bool {
		return slices.Contains(answerHeaders, http.CanonicalHeaderKey(name)) || mentions(r, name)
	}
}

// mentions reports whether a result names a header.
func mentions(r *check.Result, name string) bool {
	text := strings.Join([]string{r.Rule.ID, r.Rule.Title, r.Rule.Reason, r.Fix, r.Finding}, " ")
	return strings.Contains(name, "-") && strings.Contains(strings.ToLower(text), strings.ToLower(name))
}

// How much of a body is shown.
const (
	maxCheckLines = 8
	maxCheckLine  = 200 // characters
)

func (p *checkPrinter) bodyLines(body string) []string {
	lines := strings.Split(strings.TrimRight(body, "\r\n"), "\n")
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if runes := []rune(line); len(runes) > maxCheckLine && !p.verbose {
			line = string(runes[:maxCheckLine]) + "…"
		}
		lines[i] = printable(line)
	}
	if len(lines) > maxCheckLines && !p.verbose {
		lines = append(lines[:maxCheckLines], "…")
	}
	return lines
}
