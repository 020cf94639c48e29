package roles

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The limits of a [Pattern].
const (
	MaxPatternLength = 1024 // in characters
	MaxStars         = 5    // a ** is two of them
)

// A Pattern is a group name with wildcards: ? stands for one character but not
// for a dot, * for any characters but dots, ** for any characters, and \ takes
// the meaning from a \, * or ? after it. Everything else stands for itself, with
// case. The zero Pattern matches the empty name only.
//
// A Pattern does not change and is safe for concurrent use.
type Pattern struct {
	text   string
	prefix string // what precedes the first wildcard
	rest   []rune // characters, and the wildcards below
}

// No character is negative.
const (
	anyOne  rune = -1 - iota // ?
	anyRun                   // *
	anyText                  // **
)

// CompilePattern reads a pattern. The error says what is wrong with it, and
// does not repeat it.
func CompilePattern(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errors.New("the pattern is empty; ** stands for all groups")
	case !utf8.ValidString(text):
		return Pattern{}, errors.New("the pattern is not valid UTF-8")
	case utf8.RuneCountInString(text) > MaxPatternLength:
		return Pattern{}, fmt.Errorf("the pattern has more than %d characters", MaxPatternLength)
	}
	tokens, err := tokenize(text)
	if err != nil {
		return Pattern{}, err
	}
	n := 0
	for n < len(tokens) && tokens[n] >= 0 {
		n++
	}
	p := Pattern{text: text, prefix: string(tokens[:n])}
	if n < len(tokens) {
		p.rest = tokens[n:]
	}
	return p, nil
}

// tokenize turns wildcards and escapes into tokens. Two or more stars in a row
// are one **.
func tokenize(text string) ([]rune, error) {
	var tokens []rune
	stars := 0
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			if !strings.ContainsRune(`\*?`, c) {
				return nil, fmt.Errorf(`a backslash stands before %q, expected \, * or ? after it`, c)
			}
			tokens = append(tokens, c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == '?':
			tokens = append(tokens, anyOne)
		case c == '*':
			if stars++; stars > MaxStars {
				return nil, fmt.Errorf("the pattern has more than %d stars", MaxStars)
			}
			if last := len(tokens) - 1; last >= 0 && (tokens[last] == anyRun || tokens[last] == anyText) {
				tokens[last] = anyText
			} else {
				tokens = append(tokens, anyRun)
			}
		default:
			tokens = append(tokens, c)
		}
	}
	if escaped {
		return nil, errors.New(`the pattern ends with a backslash, expected \, * or ? after it`)
	}
	return tokens, nil
}

// String returns the text that the pattern was read from.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern covers a whole group name. The time it takes
// is bounded by the product of their lengths.
func (p Pattern) Match(group string) bool {
	rest, ok := strings.CutPrefix(group, p.prefix)
	switch {
	case !ok:
		return false
	case len(p.rest) == 0:
		return rest == ""
	case len(p.rest) == 1 && p.rest[0] == anyText:
		return true // the commonest pattern, tenant.**
	}
	// All ways to match are followed at once: reached[i] tells whether the
	// first i tokens cover what was read of the name.
	var states [MaxPatternLength + 1]bool
	reached := states[:len(p.rest)+1]
	reached[0] = true
	p.skip(reached)
	for _, c := range rest {
		if !p.step(reached, c) {
			return false
		}
	}
	return reached[len(p.rest)]
}

// literal returns the only name that the pattern matches, if it has no wildcards.
func (p Pattern) literal() (name string, ok bool) { return p.prefix, len(p.rest) == 0 }

// matchesAll reports whether the pattern is a lone **.
func (p Pattern) matchesAll() bool {
	return p.prefix == "" && len(p.rest) == 1 && p.rest[0] == anyText
}

// step reads one character, and reports whether there is still a way to match.
func (p Pattern) step(reached []bool, c rune) (alive bool) {
	// From the end, so that what each token looks at is still of the step before.
	for i := len(p.rest); i > 0; i-- {
		switch token := p.rest[i-1]; token {
		case anyText:
		case anyRun:
			reached[i] = reached[i] && c != '.'
		case anyOne:
			reached[i] = reached[i-1] && c != '.'
		default:
			reached[i] = reached[i-1] && c == token
		}
	}
	reached[0] = false
	return p.skip(reached)
}

// skip lets stars stand for nothing, and reports whether anything is reached.
func (p Pattern) skip(reached []bool) (alive bool) {
	for i, token := range p.rest {
		if token == anyRun || token == anyText {
			reached[i+1] = reached[i+1] || reached[i]
		}
		alive = alive || reached[i]
	}
	return alive || reached[len(p.rest)]
}
