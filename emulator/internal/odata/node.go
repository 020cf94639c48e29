package odata

import (
	"math/bits"
	"strings"
)

// A kind is a set of types. Every node has one type; what a place in a filter
// takes may be several.
type kind uint8

const (
	kindNull kind = 1 << iota // the literal; other types may be null as well
	kindBool
	kindInt
	kindText
	kindGroups
)

var kindNames = [...]string{"null", "a condition", "a number", "a string", "the groups"}

func (k kind) String() string {
	var names []string
	for ; k != 0; k &= k - 1 {
		names = append(names, kindNames[bits.TrailingZeros8(uint8(k))])
	}
	return strings.Join(names, " or ")
}

type op uint8

const (
	opNull op = iota
	opBool
	opInt
	opText

	opConnectionID
	opUserID
	opProtocol
	opGroups

	opNot
	opAnd
	opOr
	opEq
	opNe
	opGt
	opGe
	opLt
	opLe
	opIn // the first argument among the others
	opInGroups

	opToLower
	opToUpper
	opTrim
	opSubstring
	opConcat
	opContains
	opStartsWith
	opEndsWith
	opIndexOf
	opLength
)

// A node is an expression. It is one type with a switch over op, and not an
// interface, so that a *Subject that goes down a filter stays on the stack.
type node struct {
	op     op
	kind   kind
	offset int // in the text, of the first byte
	args   []*node
	text   string // of opText
	num    int    // of opInt; 1 for true of opBool
}

var properties = map[string]node{
	"connectionid": {op: opConnectionID, kind: kindText},
	"userid":       {op: opUserID, kind: kindText},
	"protocol":     {op: opProtocol, kind: kindText},
	"groups":       {op: opGroups, kind: kindGroups},
	"true":         {op: opBool, kind: kindBool, num: 1},
	"false":        {op: opBool, kind: kindBool},
	"null":         {op: opNull, kind: kindNull},
}

var comparisons = map[string]op{"eq": opEq, "ne": opNe, "gt": opGt, "ge": opGe, "lt": opLt, "le": opLe}

// A function says what a function takes and gives. The parameters after the
// first required ones may be left out.
type function struct {
	op       op
	result   kind
	params   []kind
	required int
}

const (
	maybeText = kindText | kindNull
	sized     = kindText | kindNull | kindGroups
)

var functions = map[string]function{
	"tolower":    {opToLower, kindText, []kind{maybeText}, 1},
	"toupper":    {opToUpper, kindText, []kind{maybeText}, 1},
	"trim":       {opTrim, kindText, []kind{maybeText}, 1},
	"substring":  {opSubstring, kindText, []kind{maybeText, kindInt, kindInt}, 2},
	"concat":     {opConcat, kindText, []kind{maybeText, maybeText}, 2},
	"contains":   {opContains, kindBool, []kind{maybeText, maybeText}, 2},
	"startswith": {opStartsWith, kindBool, []kind{maybeText, maybeText}, 2},
	"endswith":   {opEndsWith, kindBool, []kind{maybeText, maybeText}, 2},
	"indexof":    {opIndexOf, kindInt, []kind{maybeText, maybeText}, 2},
	"length":     {opLength, kindInt, []kind{sized}, 1},
}
