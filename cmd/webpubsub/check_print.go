package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A checkPrinter shows people what a check has come to: what fails in full, the
// rest in few lines.
type checkPrinter struct {
	w       io.Writer
	colors  bool
	verbose bool
	keyName string
}

// The marks in front of areas and rules.
const (
	markHolds = "✓"
	markFails = "✗"
	markInfo  = "·"
	markOpen  = "–"
)

func (p *checkPrinter) paint(c colour, text string) string {
	if !p.colors {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// head says what is about to be checked: the rest may take its time.
func (p *checkPrinter) head(target string, o *check.Options) {
	var b strings.Builder
	fmt.Fprintf(&b, "handler  %s\n", printable(wire.DisplayURL(target)))
	fmt.Fprintf(&b, "service  hub %s, host %s, %s\n", printable(o.Hub), printable(o.Origin), p.keyName)
	fmt.Fprintf(&b, "events   %s\n", printable(strings.Join(o.Events, ", ")))
	_, _ = io.WriteString(p.w, b.String()) // the report meets the same error
}

// report prints all but the head.
func (p *checkPrinter) report(r *check.Report) error {
	var b strings.Builder
	if what := noHandler(r); what != "" {
		fmt.Fprintf(&b, "\n%s\n", p.paint(red, what))
	}
	p.found(&b, r.Found)
	b.WriteString("\n")
	for _, area := range areasOf(r.Results) {
		p.area(&b, area, r.Results)
	}
	p.notJudged(&b, r.Results)
	if hint := p.advice(r); hint != "" {
		gap(&b)
		fmt.Fprintf(&b, "%s\n", p.paint(yellow, "hint: "+printable(hint)))
	}
	colour := green
	if !r.OK() {
		colour = red
	}
	gap(&b)
	fmt.Fprintf(&b, "%s\n", p.paint(colour, verdict(r)))
	_, err := io.WriteString(p.w, b.String())
	return err
}

// found prints what the handler does with what the service sends first.
func (p *checkPrinter) found(b *strings.Builder, found []check.Observation) {
	width := 0
	for _, o := range found {
		width = max(width, len([]rune(word(o.What))))
	}
	for i, o := range found {
		label := "found"
		if i > 0 {
			label = ""
		} else {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%s%s  %s\n", pad(label, len("handler  ")), pad(word(o.What), width), printable(o.Outcome))
	}
}

// areasOf returns the areas of rules in their order.
func areasOf(results []check.Result) []string {
	var areas []string
	for i := range results {
		if area := results[i].Rule.Area(); !slices.Contains(areas, area) {
			areas = append(areas, area)
		}
	}
	return areas
}

// areaWidth is the width of the column of areas. Longer ones push the rest
// aside.
const areaWidth = 13

// area prints an area in a line, and below it the rules that fail.
func (p *checkPrinter) area(b *strings.Builder, area string, results []check.Result) {
	var t tally
	for i := range results {
		if results[i].Rule.Area() == area {
			t.add(&results[i])
		}
	}
	fmt.Fprintf(b, "%s %s %s\n", p.areaMark(&t), pad(printable(area), areaWidth), &t)
	for i := range results {
		result := &results[i]
		if result.Rule.Area() != area {
			continue
		}
		switch result.Verdict {
		case check.Fails:
			p.failed(b, result)
		case check.Holds:
			if p.verbose {
				p.held(b, result)
			}
		}
	}
	if t.failed() > 0 {
		gap(b)
	}
}

func (p *checkPrinter) areaMark(t *tally) string {
	switch {
	case t.fails[check.Must] > 0:
		return p.paint(red, markFails)
	case t.fails[check.Should] > 0:
		return p.paint(yellow, markFails)
	case t.holds+t.failed() > 0:
		return p.paint(green, markHolds)
	}
	return p.paint(faint, markOpen)
}

// notJudged prints the rules that were not judged, by reason.
func (p *checkPrinter) notJudged(b *strings.Builder, results []check.Result) {
	var reasons []string
	rules := map[string][]*check.Rule{}
	for i := range results {
		r := &results[i]
		if r.Verdict != check.NotJudged {
			continue
		}
		if rules[r.Finding] == nil {
			reasons = append(reasons, r.Finding)
		}
		rules[r.Finding] = append(rules[r.Finding], &r.Rule)
	}
	if len(reasons) > 0 {
		gap(b)
		b.WriteString("not judged, because\n")
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "%s %s\n", p.paint(faint, markOpen), wrap(printable(reason), "  "))
		fmt.Fprintf(b, "  %s\n", p.paint(faint, wrap(p.names(rules[reason]), "  ")))
	}
}

// fewRules is how many rules are named one by one.
const fewRules = 4

// names names rules, or only says how many of each area there are.
func (p *checkPrinter) names(rules []*check.Rule) string {
	var ids, areas []string
	inArea := map[string]int{}
	for _, r := range rules {
		ids = append(ids, r.ID)
		if inArea[r.Area()]++; inArea[r.Area()] == 1 {
			areas = append(areas, r.Area())
		}
	}
	if p.verbose || len(rules) <= fewRules {
		return strings.Join(ids, ", ")
	}
	for i, area := range areas {
		areas[i] = fmt.Sprintf("%d of %s", inArea[area], area)
	}
	return strings.Join(areas, ", ")
}

// gap leaves a line empty.
func gap(b *strings.Builder) {
	if !strings.HasSuffix(b.String(), "\n\n") {
		b.WriteString("\n")
	}
}

// lineWidth is where texts are wrapped.
const lineWidth = 100

// wrap breaks a text into lines. All but the first begin with the indent.
func wrap(text, indent string) string {
	var b strings.Builder
	column := len(indent)
	for i, part := range strings.Fields(text) {
		length := len([]rune(part))
		switch {
		case i == 0:
		case column+1+length > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(part)
		column += length
	}
	return b.String()
}
