package odata_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
)

// An expr is an expression as the test has it: written by render, and computed
// by eval from the rules alone, with values that are nil, bool, int or string.
type expr struct {
	head string // operator, function, property, "list" or "literal"
	args []expr
	lit  any
}

func TestMatchAgreesWithTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawBool(t, 4)
		text := render(t, e, 0)
		f, err := odata.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 3 {
			s := odata.Subject{
				ConnectionID: rapid.SampledFrom([]string{"c", "aB"}).Draw(t, "connection"),
				UserID:       rapid.SampledFrom([]string{"", "a", "aB", "é😀a", "it's"}).Draw(t, "user"),
				Protocol:     rapid.SampledFrom([]string{"", "a"}).Draw(t, "protocol"),
				Groups:       groups(rapid.SliceOfN(drawText(), 0, 3).Draw(t, "groups")),
			}
			if got, want := f.Match(s), eval(e, s); got != want {
				t.Fatalf("%s\nof %+v = %v, want %v", text, s, got, want)
			}
		}
	})
}

func drawText() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"", "a", "aB", "B", " a ", "é😀a", "😀", "it's", "g", "and", "a,(b)"})
}

func drawBool(t *rapid.T, depth int) expr {
	if depth == 0 {
		return expr{head: "literal", lit: rapid.Bool().Draw(t, "bool")}
	}
	switch head := rapid.SampledFrom([]string{
		"and", "or", "not", "eq", "ne", "gt", "ge", "lt", "le", "in", "groups",
		"contains", "startswith", "endswith",
	}).Draw(t, "condition"); head {
	case "and", "or":
		return expr{head: head, args: []expr{drawBool(t, depth-1), drawBool(t, depth-1)}}
	case "not":
		return expr{head: head, args: []expr{drawBool(t, depth-1)}}
	case "eq", "ne":
		draw := drawScalar(t)
		return expr{head: head, args: []expr{draw(t, depth-1), draw(t, depth-1)}}
	case "gt", "ge", "lt", "le":
		return expr{head: head, args: []expr{drawIntOrNull(t, depth-1), drawIntOrNull(t, depth-1)}}
	case "in":
		draw := drawScalar(t)
		list := expr{head: "list"}
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			list.args = append(list.args, draw(t, depth-1))
		}
		return expr{head: head, args: []expr{draw(t, depth-1), list}}
	case "groups":
		return expr{head: "in", args: []expr{drawString(t, depth-1), {head: "groups"}}}
	default:
		return expr{head: head, args: []expr{drawString(t, depth-1), drawString(t, depth-1)}}
	}
}

// drawScalar chooses what two values to be compared are drawn from.
func drawScalar(t *rapid.T) func(*rapid.T, int) expr {
	return []func(*rapid.T, int) expr{drawBool, drawIntOrNull, drawString}[rapid.IntRange(0, 2).Draw(t, "type")]
}

func drawInt(t *rapid.T, depth int) expr {
	choice := 0
	if depth > 0 {
		choice = rapid.IntRange(0, 3).Draw(t, "number")
	}
	switch choice {
	case 1:
		return expr{head: "length", args: []expr{drawString(t, depth-1)}}
	case 2:
		return expr{head: "length", args: []expr{{head: "groups"}}}
	case 3:
		return expr{head: "indexof", args: []expr{drawString(t, depth-1), drawString(t, depth-1)}}
	}
	return expr{head: "literal", lit: rapid.IntRange(-2, 4).Draw(t, "int")}
}

func drawIntOrNull(t *rapid.T, depth int) expr {
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return expr{head: "literal"}
	}
	return drawInt(t, depth)
}

func drawString(t *rapid.T, depth int) expr {
	choices := []string{"literal", "null", "userId", "connectionId", "protocol"}
	if depth > 0 {
		choices = append(choices, "tolower", "toupper", "trim", "concat", "substring", "substring3")
	}
	switch head := rapid.SampledFrom(choices).Draw(t, "string"); head {
	case "literal":
		return expr{head: head, lit: drawText().Draw(t, "text")}
	case "null":
		return expr{head: "literal"}
	case "tolower", "toupper", "trim":
		return expr{head: head, args: []expr{drawString(t, depth-1)}}
	case "concat":
		return expr{head: head, args: []expr{drawString(t, depth-1), drawString(t, depth-1)}}
	case "substring":
		return expr{head: head, args: []expr{drawString(t, depth-1), drawInt(t, depth-1)}}
	case "substring3":
		return expr{head: "substring", args: []expr{drawString(t, depth-1), drawInt(t, depth-1), drawInt(t, depth-1)}}
	default:
		return expr{head: head}
	}
}

// The operators from the loosest to the tightest; 0 takes everything.
var precedences = map[string]int{
	"or": 1, "and": 2, "in": 3, "eq": 3, "ne": 3, "gt": 3, "ge": 3, "lt": 3, "le": 3, "not": 4,
}

// render writes an expression for a place that takes operators of at least the
// given precedence, with parentheses where they are needed and now and then
// where they are not.
func render(t *rapid.T, e expr, least int) string {
	space := func() string { return rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(t, "space") }
	word := func(w string) string {
		return rapid.SampledFrom([]string{w, w, strings.ToUpper(w), strings.ToLower(w)}).Draw(t, "case")
	}
	list := func() string {
		var items []string
		for _, arg := range e.args {
			items = append(items, render(t, arg, 0))
		}
		return "(" + strings.Join(items, ","+space()) + ")"
	}
	p, isOperator := precedences[e.head]
	var text string
	switch {
	case e.head == "literal":
		text = renderLiteral(t, e.lit)
		if e.lit == nil {
			text = word(text)
		}
	case e.head == "list":
		return list()
	case e.head == "not":
		text = word("not") + space() + render(t, e.args[0], p)
	case isOperator:
		left, right := p, p+1 // and and or join from the left, the rest do not join
		if p == 3 {
			left = p + 1
		}
		text = render(t, e.args[0], left) + space() + word(e.head) + space() + render(t, e.args[1], right)
	case len(e.args) > 0:
		text = word(e.head) + list()
	default:
		text = word(e.head)
	}
	if isOperator && p < least || rapid.IntRange(0, 9).Draw(t, "parentheses") == 0 {
		return "(" + text + ")"
	}
	return text
}

func renderLiteral(t *rapid.T, v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case int:
		if v >= 0 && rapid.Bool().Draw(t, "sign") {
			return fmt.Sprintf("+%d", v)
		}
		return fmt.Sprint(v)
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// eval computes an expression in the plainest way.
func eval(e expr, s odata.Subject) any {
	v := make([]any, len(e.args))
	for i, arg := range e.args {
		v[i] = eval(arg, s)
	}
	switch e.head {
	case "literal":
		return e.lit
	case "list":
		return v
	case "connectionId":
		return orNull(s.ConnectionID)
	case "userId":
		return orNull(s.UserID)
	case "protocol":
		return orNull(s.Protocol)
	case "groups":
		var names []any
		for _, g := range s.Groups.(groups) {
			names = append(names, g)
		}
		return names
	case "and":
		return v[0].(bool) && v[1].(bool)
	case "or":
		return v[0].(bool) || v[1].(bool)
	case "not":
		return !v[0].(bool)
	case "eq":
		return v[0] == v[1]
	case "ne":
		return v[0] != v[1]
	case "in":
		return slices.Contains(v[1].([]any), v[0])
	case "gt", "ge", "lt", "le":
		return evalOrder(e.head, v)
	}
	return evalFunction(e.head, v)
}

func evalOrder(head string, v []any) any {
	if slices.Contains(v, nil) {
		return false
	}
	a, b := v[0].(int), v[1].(int)
	return map[string]bool{"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[head]
}

func evalFunction(head string, v []any) any {
	if slices.Contains(v, nil) {
		switch {
		case head == "contains" || head == "startswith" || head == "endswith":
			return false
		case head == "indexof":
			return -1
		case head == "concat" && v[0] == nil:
			return v[1]
		case head == "concat":
			return v[0]
		}
		return nil
	}
	if names, ok := v[0].([]any); ok {
		return len(names)
	}
	text := v[0].(string)
	all := utf16.Encode([]rune(text))
	switch head {
	case "tolower":
		return strings.ToLower(text)
	case "toupper":
		return strings.ToUpper(text)
	case "trim":
		return strings.TrimSpace(text)
	case "concat":
		return text + v[1].(string)
	case "contains":
		return strings.Contains(text, v[1].(string))
	case "startswith":
		return strings.HasPrefix(text, v[1].(string))
	case "endswith":
		return strings.HasSuffix(text, v[1].(string))
	case "length":
		return len(all)
	case "indexof":
		part := utf16.Encode([]rune(v[1].(string)))
		for i := range len(all) - len(part) + 1 {
			if slices.Equal(all[i:i+len(part)], part) {
				return i
			}
		}
		return -1
	}
	// substring
	start, end := v[1].(int), len(all)
	if len(v) == 3 {
		end = start + v[2].(int)
	}
	if start < 0 || end < start || end > len(all) {
		return nil
	}
	return string(utf16.Decode(all[start:end]))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
