package check

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Report is what a check has come to.
type Report struct {
	Target string `json:"target"`
	Hub    string `json:"hub"`
	Origin string `json:"origin"`

	// Found says what the handler does with what the service sends first.
	Found []Observation `json:"found"`

	// Results are those of the rules that were chosen, in the order of
	// [Rules].
	Results []Result `json:"results"`

	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"-"`
	Requests int           `json:"requests"` // that were sent
}

// An Observation is what came back for one of the first requests.
type Observation struct {
	What    string `json:"what"`             // "handshake", "connect", or the name of a user event
	Status  int    `json:"status,omitempty"` // of the answer, 0 without one
	Outcome string `json:"outcome"`
}

// A Result is what a rule has come to.
type Result struct {
	Rule    Rule
	Verdict Verdict
	// Finding says what was found when the rule fails, and why it was not
	// judged when it was not.
	Finding string
	// Fix says how to mend it. It is empty unless the rule fails.
	Fix string
	// Exchanges are the requests and answers that led to this.
	Exchanges []Exchange
}

// OK reports whether all musts hold, and enough was judged to say so.
func (r *Report) OK() bool { return r.Count(Must, Fails) == 0 && !r.Inconclusive() }

// Inconclusive reports whether there was no time left for all rules, or the
// handler accepted none of the events that it is said to serve, before anything
// was changed in them: of rules about events, little can be judged then.
func (r *Report) Inconclusive() bool {
	if slices.ContainsFunc(r.Results, func(result Result) bool {
		return result.Verdict == NotJudged && result.Rule.Severity == Must && strings.HasPrefix(result.Finding, outOfTime)
	}) {
		return true
	}
	if !slices.ContainsFunc(r.Results, func(result Result) bool { return result.Rule.Area() != "handshake" }) {
		return false // that is all that was asked for
	}
	events := r.Found[min(1, len(r.Found)):]
	return len(events) > 0 && !slices.ContainsFunc(events, func(o Observation) bool { return o.Status/100 == 2 })
}

// Count returns how many rules of a severity have come to a verdict.
func (r *Report) Count(severity Severity, verdict Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Rule.Severity == severity && result.Verdict == verdict {
			n++
		}
	}
	return n
}

// An UnreachableError reports that there is nobody to check.
type UnreachableError struct {
	Target string
	Err    error
}

// Error returns the target and the reason.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("check: %s cannot be reached: %s", e.Target, reasonOf(e.Err))
}

// Unwrap returns the error of the network.
func (e *UnreachableError) Unwrap() error { return e.Err }
