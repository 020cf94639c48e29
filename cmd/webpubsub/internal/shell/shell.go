// Package shell writes words of commands that people paste into a terminal.
package shell

import "strings"

// Word returns s as one word of a command, in quotes if it needs any.
func Word(s string) string {
	if s != "" && !strings.ContainsFunc(s, needsQuotes) {
		return s
	}
	return Quote(s)
}

// needsQuotes reports whether a character may mean something to a shell: all do
// but those that are known to mean nothing anywhere in a word.
func needsQuotes(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:,@%+", r))
}

// Quote returns s as one word in single quotes, for POSIX shells and for fish.
// The quote itself cannot stand between them, and goes outside with a backslash.
// So does a backslash before a quote or another backslash: fish, other than
// POSIX, would read those as one.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		switch rest := s[i+1:]; {
		case s[i] == '\'', s[i] == '\\' && (rest == "" || rest[0] == '\\' || rest[0] == '\''):
			b.WriteString(`'\` + s[i:i+1] + `'`)
		default:
			b.WriteByte(s[i])
		}
	}
	b.WriteByte('\'')
	return b.String()
}
