package protocol

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// What follows walks through JSON that is known to be valid, and therefore
// checks nothing. encoding/json alone would not do: it matches the names of
// members without case, and drops what is needed to refuse a repeated key.

const (
	jsonSpace   = " \t\r\n"
	scalarBytes = "+-.0123456789Eaeflnrstu" // of numbers, true, false and null
)

// The kinds of JSON values, as faults name them.
const (
	kindMissing = "missing"
	kindNull    = "null"
	kindBoolean = "a boolean"
	kindNumber  = "a number"
	kindString  = "a string"
	kindArray   = "an array"
	kindObject  = "an object"
)

func kindOf(value []byte) string {
	if len(value) == 0 {
		return kindMissing
	}
	switch value[0] {
	case '{':
		return kindObject
	case '[':
		return kindArray
	case '"':
		return kindString
	case 't', 'f':
		return kindBoolean
	case 'n':
		return kindNull
	}
	return kindNumber
}

// members ranges over the members of an object: their names, and the tokens
// of their values as they stand in the object. No object has no members.
func members(object []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		if len(object) == 0 {
			return
		}
		for rest := object[1:]; ; {
			rest = bytes.TrimLeft(rest, jsonSpace+",")
			if rest[0] == '}' {
				return
			}
			key := rest[:tokenLen(rest)]
			rest = bytes.TrimLeft(rest[len(key):], jsonSpace+":")
			value := rest[:tokenLen(rest)]
			rest = rest[len(value):]
			name, _ := unquote(key)
			if !yield(name, value) {
				return
			}
		}
	}
}

// tokenLen returns the length of the value at the beginning of text. It does
// not recurse, so that depth costs nothing.
func tokenLen(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLen(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		default:
			if depth == 0 {
				return i + len(text[i:]) - len(bytes.TrimLeft(text[i:], scalarBytes))
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// stringLen returns the length of a string with its quotes.
func stringLen(text []byte) int {
	i := 1
	for text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i + 1
}

// unquote returns the text of a string, which is a part of the token when
// nothing is escaped. It returns false when the text has half of a surrogate
// pair; U+FFFD takes its place.
func unquote(token []byte) (text []byte, ok bool) {
	inner := token[1 : len(token)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	err := json.Unmarshal(token, &s)
	return []byte(s), err == nil && !hasLoneSurrogate(inner)
}

// hasLoneSurrogate reports whether escapes name half of a surrogate pair.
func hasLoneSurrogate(inner []byte) bool {
	for {
		_, escape, found := bytes.Cut(inner, []byte{'\\'})
		if !found {
			return false
		}
		if escape[0] != 'u' {
			inner = escape[1:]
			continue
		}
		first := codeUnit(escape)
		inner = escape[len("u0000"):]
		if !utf16.IsSurrogate(first) {
			continue
		}
		if len(inner) < len(`\u0000`) || inner[0] != '\\' || inner[1] != 'u' ||
			utf16.DecodeRune(first, codeUnit(inner[1:])) == utf8.RuneError {
			return true
		}
		inner = inner[len(`\u0000`):]
	}
}

// codeUnit reads u and four hex digits.
func codeUnit(escape []byte) rune {
	n, _ := strconv.ParseUint(string(escape[1:5]), 16, 16)
	return rune(n)
}
