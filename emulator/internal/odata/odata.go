// Package odata reads the filters of the REST data plane, which choose
// connections by user, id, groups and subprotocol:
//
//	userId in ('ann', 'bob') and not ('banned' in groups)
//
// The grammar is the one that Microsoft publishes (reference-odata-filter and
// includes/filter.ebnf of the Azure Web PubSub documents). What null means,
// where ordering applies and how text is counted is taken from Microsoft's
// emulator:
//
//   - gt, ge, lt and le take numbers, and are false when a side is null.
//   - eq and ne take two values of one type. Null equals null and nothing else.
//   - contains, startswith and endswith of null are false, indexof of null is
//     -1, concat of null and a text is the text, and any other function of null
//     is null. So is a substring that does not lie within its text.
//   - Text is compared with case, and counted and cut in UTF-16 code units.
package odata

import "fmt"

// The limits of a filter. The documents warn of more than 100 clauses, and
// Microsoft's emulator refuses to go deeper than 100.
const (
	MaxLength  = 64 << 10 // in bytes
	MaxClauses = 100      // conditions that and and or combine
	MaxDepth   = 100      // parentheses, functions and nots within each other
)

// A Filter is a condition on connections. A nil Filter is met by all of them.
// Filters do not change after [Parse] and are safe for concurrent use.
type Filter struct {
	text string
	cond *node
}

// A Subject is a connection that a filter is asked about.
type Subject struct {
	ConnectionID string
	UserID       string // empty is null: an anonymous connection
	Protocol     string // the subprotocol; empty is null: a simple client
	Groups       Groups // nil for none
}

// Groups are the groups of a connection. It is an interface so that asking for
// one of them needs no list of all.
type Groups interface {
	// Has reports whether the connection is in a group, compared with case.
	Has(group string) bool

	// Len is the number of the connection's groups.
	Len() int
}

// A SyntaxError reports a filter that cannot be used.
type SyntaxError struct {
	Offset int    // in bytes, of the part that is wrong
	Reason string // what is wrong, and what was expected
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid filter at byte %d: %s", e.Offset, e.Reason)
}

// Parse reads a filter. Types are checked here, so that a filter that Parse
// accepts can be asked about any connection. The names of properties, operators,
// functions and literals are read without regard to case.
//
// An empty text is no filter: Parse returns nil, which all connections meet, as
// the REST operations have it. The error is a *[SyntaxError].
func Parse(text string) (*Filter, error) {
	if text == "" {
		return nil, nil
	}
	cond, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &Filter{text, cond}, nil
}

// String returns the text that the filter was read from.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.text
}

// Match reports whether a connection meets the filter.
func (f *Filter) Match(s Subject) bool {
	return f == nil || f.cond == nil || f.cond.holds(&s)
}
