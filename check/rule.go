package check

import (
	"cmp"
	"slices"
	"strings"
)

// A Rule is one thing that a correct event handler does, and the judgement of
// whether a handler does it.
type Rule struct {
	// ID names the rule for ever: an area and a name, like
	// "handshake/multiple-origins".
	ID string

	// Title says what holds when the rule holds.
	Title string

	// Severity is Must in the result of any rule that the handler does not
	// survive.
	Severity Severity

	// Source is where the protocol says so: a document of the service, or what
	// else there is to go by.
	Source string

	// Reason says in a sentence what breaks otherwise, and Fix how to mend it.
	Reason string
	Fix    string

	// Hostile rules send what the service never sends, and an attacker may.
	Hostile bool

	needs     []need
	judge     func(*session) finding
	looksBack bool // at the answers to other rules, and sends nothing
}

// A Severity says how much depends on a rule.
type Severity int

// The severities, the gravest first.
const (
	// Must: without it, a real client or the service's delivery breaks, or a
	// forged or foreign request acts. A handler that is right fails none.
	Must Severity = iota + 1
	// Should: without it, quality or a margin of safety is lost.
	Should
	// Info is worth knowing.
	Info
)

// String returns the severity in one lower-case word.
func (s Severity) String() string {
	switch s {
	case Must:
		return "must"
	case Should:
		return "should"
	case Info:
		return "info"
	}
	return "unknown"
}

// MarshalText writes the severity as its word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads the word of a severity.
func ParseSeverity(word string) (Severity, bool) {
	for _, s := range []Severity{Must, Should, Info} {
		if strings.EqualFold(word, s.String()) {
			return s, true
		}
	}
	return 0, false
}

// Area returns the first part of the ID: what the rule is about.
func (r *Rule) Area() string {
	area, _, _ := strings.Cut(r.ID, "/")
	return area
}

// Rules returns all rules in the order in which they are judged.
func Rules() []Rule { return slices.Clone(allRules) }

// allRules begins with what the other rules rest upon, and ends with what may
// leave the handler in ruins.
var allRules = slices.Concat(
	handshakeRules,
	connectRules,
	signatureRules,
	originRules,
	notificationRules,
	eventRules,
	stateRules,
	headerRules,
	pathRules,
	deliveryRules,
	mqttRules,
	hostileRules,
	hygieneRules,
)

// A finding is what a rule comes to.
type finding struct {
	verdict Verdict
	text    string // what was found, where that is not as it should be
	fix     string // in place of the rule's own
}

// holds is the finding that all is well.
func holds() finding { return finding{verdict: Holds} }

// fails is the finding that the rule does not hold. The text says what came
// back and what should have.
func fails(text string) finding { return finding{verdict: Fails, text: text} }

// mend gives a finding a way to mend it that is more to the point than the
// rule's own.
func (f finding) mend(fix string) finding {
	f.fix = fix
	return f
}

// open is the finding that nothing can be said, and why.
func open(why string) finding { return finding{verdict: NotJudged, text: why} }

// firstBad returns the first finding that is not that all is well.
func firstBad(findings ...finding) finding {
	for _, f := range findings {
		if f.verdict != Holds {
			return f
		}
	}
	return holds()
}

// A Verdict says what a rule came to for a handler.
type Verdict int

// The verdicts.
const (
	Holds     Verdict = iota + 1
	Fails             // the handler does not do it
	NotJudged         // nothing can be said, or the rule is not about this handler
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Holds:
		return "holds"
	case Fails:
		return "fails"
	case NotJudged:
		return "not judged"
	}
	return "unknown"
}

// MarshalText writes the verdict as its word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// A need is what must have been found out for a rule to make sense. It returns
// why it is not so, empty if it is.
type need func(*found) string

// matches reports whether a rule is meant by a pattern: an ID, or an area.
func (r *Rule) matches(pattern string) bool {
	return cmp.Or(pattern == r.ID, pattern == r.Area())
}
