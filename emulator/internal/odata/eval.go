package odata

import (
	"slices"
	"strings"
	"unicode/utf16"
)

// holds is the value of a condition. No condition is ever null: that is where
// the functions and comparisons of null end.
func (n *node) holds(s *Subject) bool {
	switch n.op {
	case opBool:
		return n.num != 0
	case opNot:
		return !n.args[0].holds(s)
	case opAnd:
		return n.args[0].holds(s) && n.args[1].holds(s)
	case opOr:
		return n.args[0].holds(s) || n.args[1].holds(s)
	case opEq:
		return equal(s, n.args[0], n.args[1])
	case opNe:
		return !equal(s, n.args[0], n.args[1])
	case opGt, opGe, opLt, opLe:
		return n.ordered(s)
	case opIn:
		return slices.ContainsFunc(n.args[1:], func(item *node) bool { return equal(s, n.args[0], item) })
	case opInGroups:
		group, ok := n.args[0].string(s)
		return ok && s.Groups != nil && s.Groups.Has(group)
	case opContains, opStartsWith, opEndsWith:
		return n.finds(s)
	}
	return false
}

// equal compares two nodes of one type, or with null. A null string is "" and a
// null number 0, so that comparing value and ok compares everything.
func equal(s *Subject, a, b *node) bool {
	switch max(a.kind, b.kind) {
	case kindBool:
		return a.kind == b.kind && a.holds(s) == b.holds(s)
	case kindInt:
		av, aok := a.int(s)
		bv, bok := b.int(s)
		return av == bv && aok == bok
	case kindText:
		av, aok := a.string(s)
		bv, bok := b.string(s)
		return av == bv && aok == bok
	}
	return true // null and null
}

func (n *node) ordered(s *Subject) bool {
	a, aok := n.args[0].int(s)
	b, bok := n.args[1].int(s)
	if !aok || !bok {
		return false
	}
	switch n.op {
	case opGt:
		return a > b
	case opGe:
		return a >= b
	case opLt:
		return a < b
	}
	return a <= b
}

func (n *node) finds(s *Subject) bool {
	text, ok1 := n.args[0].string(s)
	part, ok2 := n.args[1].string(s)
	if !ok1 || !ok2 {
		return false
	}
	switch n.op {
	case opStartsWith:
		return strings.HasPrefix(text, part)
	case opEndsWith:
		return strings.HasSuffix(text, part)
	}
	return strings.Contains(text, part)
}

// int is the value of a number; ok is false for null.
func (n *node) int(s *Subject) (v int, ok bool) {
	switch n.op {
	case opInt:
		return n.num, true
	case opLength:
		if n.args[0].kind == kindGroups {
			if s.Groups == nil {
				return 0, true
			}
			return s.Groups.Len(), true
		}
		text, ok := n.args[0].string(s)
		return units(text), ok
	case opIndexOf:
		text, ok1 := n.args[0].string(s)
		part, ok2 := n.args[1].string(s)
		i := strings.Index(text, part)
		if !ok1 || !ok2 || i < 0 {
			return -1, true
		}
		return units(text[:i]), true
	}
	return 0, false
}

// string is the value of a string; ok is false for null.
func (n *node) string(s *Subject) (v string, ok bool) {
	switch n.op {
	case opText:
		return n.text, true
	case opConnectionID:
		return s.ConnectionID, true
	case opUserID:
		return s.UserID, s.UserID != ""
	case opProtocol:
		return s.Protocol, s.Protocol != ""
	case opToLower:
		v, ok = n.args[0].string(s)
		return strings.ToLower(v), ok
	case opToUpper:
		v, ok = n.args[0].string(s)
		return strings.ToUpper(v), ok
	case opTrim:
		v, ok = n.args[0].string(s)
		return strings.TrimSpace(v), ok
	case opConcat:
		a, aok := n.args[0].string(s)
		b, bok := n.args[1].string(s)
		return a + b, aok || bok
	case opSubstring:
		return n.substring(s)
	}
	return "", false
}

func (n *node) substring(s *Subject) (string, bool) {
	text, ok1 := n.args[0].string(s)
	start, ok2 := n.args[1].int(s)
	length := units(text) - start
	ok3 := true
	if len(n.args) == 3 {
		length, ok3 = n.args[2].int(s)
	}
	if !ok1 || !ok2 || !ok3 {
		return "", false
	}
	return substring(text, start, length)
}

// substring cuts length code units out of a text; ok is false when they do not
// lie within it. Half of a surrogate pair becomes U+FFFD.
func substring(text string, start, length int) (_ string, ok bool) {
	total := units(text)
	if start < 0 || start > total || length < 0 || length > total-start {
		return "", false
	}
	if total == len(text) { // ASCII
		return text[start : start+length], true
	}
	all := utf16.Encode([]rune(text))
	return string(utf16.Decode(all[start : start+length])), true
}

// units is the length of a text in UTF-16 code units.
func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
