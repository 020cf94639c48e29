package check

import (
	"fmt"
	"slices"
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
	// Undecided is set when a rule that is about the handler was not judged,
	// because too little could be sent or came back.
	Undecided bool
	// Fix says how to mend it. It is empty unless the rule fails.
	Fix string
	// Exchanges are the requests and answers that led to this.
	Exchanges []Exchange
}

// OK reports whether all musts hold, and enough was judged to say so.
func (r *Report) OK() bool { return r.Count(Must, Fails) == 0 && !r.Inconclusive() }

// Inconclusive reports whether too little was judged to call the handler right:
// a must was left undecided, or the handler accepted no event, or not the client
// that the options describe.
func (r *Report) Inconclusive() bool {
	if slices.ContainsFunc(r.Results, func(result Result) bool { return result.Undecided && result.Rule.Severity == Must }) {
		return true
	}
	if !slices.ContainsFunc(r.Results, func(result Result) bool { return result.Rule.Area() != "handshake" }) {
		return false // that is all that was asked for
	}
	accepted := func(o Observation) bool { return o.Status/100 == 2 }
	events := r.Found[min(1, len(r.Found)):]
	refused := slices.ContainsFunc(events, func(o Observation) bool { return o.What == "connect" && !accepted(o) })
	return refused || len(events) > 0 && !slices.ContainsFunc(events, accepted)
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
