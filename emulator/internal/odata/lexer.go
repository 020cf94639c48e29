package odata

import (
	"fmt"
	"strings"
)

type tokenKind int

const (
	tokenEnd   tokenKind = iota
	tokenWord            // a name, an operator, true, false or null
	tokenInt             // digits with or without a sign
	tokenText            // a quoted string
	tokenPunct           // ( ) or ,
)

// A token is one element of a filter.
type token struct {
	kind   tokenKind
	offset int
	raw    string // as written
	value  string // a word in lower case, a string without its quotes
}

func (t token) is(kind tokenKind, value string) bool { return t.kind == kind && t.value == value }

// String describes the token in an error.
func (t token) String() string {
	const most = 40
	switch {
	case t.kind == tokenEnd:
		return "the end of the filter"
	case len(t.raw) > most:
		return fmt.Sprintf("%q…", t.raw[:most])
	}
	return fmt.Sprintf("%q", t.raw)
}

// next reads the token at or after an offset of a filter.
func next(text string, offset int) (token, error) {
	for offset < len(text) && strings.IndexByte(" \t\r\n", text[offset]) >= 0 {
		offset++
	}
	t := token{offset: offset}
	rest := text[offset:]
	if rest == "" {
		return t, nil
	}
	switch c := rest[0]; {
	case isLetter(c):
		t.kind = tokenWord
		t.raw = rest[:span(rest, isWordByte)]
		t.value = strings.ToLower(t.raw)
	case isDigit(c), c == '+', c == '-':
		t.kind = tokenInt
		t.raw = rest[:1+span(rest[1:], isDigit)]
		t.value = t.raw
		after := rest[len(t.raw):]
		if !isDigit(t.raw[len(t.raw)-1]) || after != "" && (isWordByte(after[0]) || after[0] == '.') {
			return t, &SyntaxError{offset, "expected a whole number"}
		}
	case c == '\'':
		n, ok := quoted(rest)
		if !ok {
			return t, &SyntaxError{offset, "a string has no closing quote; inside one, a quote is written twice"}
		}
		t.kind, t.raw = tokenText, rest[:n]
		t.value = strings.ReplaceAll(rest[1:n-1], "''", "'")
	case strings.IndexByte("(),", c) >= 0:
		t.kind, t.raw, t.value = tokenPunct, rest[:1], rest[:1]
	default:
		return t, &SyntaxError{offset, fmt.Sprintf("%q has no meaning outside a string; strings stand in single quotes", c)}
	}
	return t, nil
}

// quoted returns the length of the quoted string that s starts with.
func quoted(s string) (n int, ok bool) {
	for n = 1; n < len(s); n++ {
		if s[n] != '\'' {
			continue
		}
		if n+1 == len(s) || s[n+1] != '\'' {
			return n + 1, true
		}
		n++
	}
	return 0, false
}

// span returns how many bytes at the start of s satisfy in.
func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) }
