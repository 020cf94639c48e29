package main

import (
	"fmt"
	"strings"

	"github.com/gowebpubsub/webpubsub/check"
)

// verdict says in a line what a report comes to.
func verdict(r *check.Report) string {
	var parts []string
	for _, severity := range []check.Severity{check.Must, check.Should} {
		if text := verdictOf(severity, r.Count(severity, check.Fails), r.Count(severity, check.Holds)); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		parts = []string{"no must and no should was judged"}
	}
	text := strings.Join(parts, ", ")
	if r.Inconclusive() {
		doubt := "too little was judged to say that the handler is right"
		if r.Count(check.Must, check.Fails) > 0 {
			doubt = "little was judged"
		}
		if why := inTheWay(r); why != "" {
			doubt += ", because " + printable(why)
		}
		text = doubt + ": " + text
	}
	notJudged := 0
	for i := range r.Results {
		if r.Results[i].Verdict == check.NotJudged {
			notJudged++
		}
	}
	if notJudged > 0 {
		text += "; " + plural(notJudged, "rule", "is not judged", "are not judged")
	}
	return fmt.Sprintf("%s; %s in %s", text, quantity(r.Requests, "request"), short(r.Duration))
}

// inTheWay says what kept the check from judging more.
func inTheWay(r *check.Report) string {
	o := outcomesOf(r.Found)
	switch {
	case o.connect >= 0 && o.connect/100 != 2:
		return fmt.Sprintf("no client got in (connect: %s)", r.Found[1].Outcome)
	case len(o.events) > 0 && !any2xx(o.events):
		first := r.Found[len(r.Found)-len(o.events)]
		return fmt.Sprintf("no event was accepted (%s: %s)", first.What, first.Outcome)
	}
	for i := range r.Results {
		if result := &r.Results[i]; result.Undecided && result.Rule.Severity == check.Must {
			return result.Finding
		}
	}
	return ""
}

func verdictOf(severity check.Severity, fails, holds int) string {
	switch {
	case fails == 1:
		return fmt.Sprintf("1 of %s fails", quantity(fails+holds, severity.String()))
	case fails > 0:
		return fmt.Sprintf("%d of %s fail", fails, quantity(fails+holds, severity.String()))
	case holds == 1:
		return fmt.Sprintf("the only %v holds", severity)
	case holds > 0:
		return "all " + plural(holds, severity.String(), "holds", "hold")
	}
	return ""
}

// A tally has the numbers of the rules of an area.
type tally struct {
	fails           map[check.Severity]int
	holds, notKnown int
}

func (t *tally) add(r *check.Result) {
	switch r.Verdict {
	case check.Holds:
		t.holds++
	case check.Fails:
		if t.fails == nil {
			t.fails = map[check.Severity]int{}
		}
		t.fails[r.Rule.Severity]++
	default:
		t.notKnown++
	}
}

func (t *tally) failed() int {
	n := 0
	for _, some := range t.fails {
		n += some
	}
	return n
}

// String returns the numbers that are not 0, in words.
func (t *tally) String() string {
	var parts []string
	for _, severity := range []check.Severity{check.Must, check.Should} {
		if n := t.fails[severity]; n > 0 {
			parts = append(parts, plural(n, severity.String(), "fails", "fail"))
		}
	}
	if t.holds > 0 {
		parts = append(parts, plural(t.holds, "rule", "holds", "hold"))
	}
	if n := t.fails[check.Info]; n > 0 {
		parts = append(parts, quantity(n, "thing")+" to know")
	}
	if t.notKnown > 0 {
		parts = append(parts, plural(t.notKnown, "rule", "is not judged", "are not judged"))
	}
	return strings.Join(parts, ", ")
}

// plural returns a number, what there is so much of, and what that does.
func plural(n int, what, one, several string) string {
	if n == 1 {
		return quantity(n, what) + " " + one
	}
	return quantity(n, what) + " " + several
}
