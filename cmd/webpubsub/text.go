package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable returns a text fit for a terminal: what comes from clients and
// handlers may hold escape sequences, line breaks and marks that turn the
// direction of writing. They are shown as Go writes them.
func printable(s string) string {
	clean := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) })
	}
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		part := s[i : i+size]
		if clean(part) {
			b.WriteString(part)
		} else {
			b.WriteString(strings.Trim(strconv.Quote(part), `"`))
		}
		i += size
	}
	return b.String()
}

// maxWord is the longest name in a line of dev, in characters.
const maxWord = 40

// word returns a name as one word of a line. Names with spaces or quotes in
// them are quoted, so that none can pass for more of the line.
func word(s string) string {
	if utf8.RuneCountInString(s) > maxWord {
		s = string([]rune(s)[:maxWord]) + "…"
	}
	if strings.ContainsAny(s, " \"'") || printable(s) != s {
		return strconv.Quote(s)
	}
	return s
}

// pad fills a word up to a width in characters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// quantity returns a number and the word for what there is so much of.
func quantity(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
