package odata_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
)

// groups is the simplest [odata.Groups].
type groups []string

func (g groups) Has(name string) bool {
	for _, member := range g {
		if member == name {
			return true
		}
	}
	return false
}

func (g groups) Len() int { return len(g) }

func TestMatch(t *testing.T) {
	ann := odata.Subject{
		ConnectionID: "c-1", UserID: "Ann", Protocol: "json.webpubsub.azure.v1",
		Groups: groups{"red", "o'hara", "Blue"},
	}
	anonymous := odata.Subject{ConnectionID: "c-2"}
	tests := []struct {
		filter         string
		ann, anonymous bool
	}{
		// Properties, comparisons and case.
		{`userId eq 'Ann'`, true, false},
		{`userId eq 'ann'`, false, false},
		{`USERID EQ 'Ann'`, true, false},
		{`connectionid ne 'c-2'`, true, false},
		{`Protocol eq 'json.webpubsub.azure.v1'`, true, false},
		{`protocol eq null`, false, true},
		{`userId eq'Ann'`, true, false},
		{"\tuserId\r\neq 'Ann' ", true, false},
		{`'Ann' eq userId`, true, false},
		{`true`, true, true},
		{`(FALSE)`, false, false},
		{`true ne false`, true, true},
		{`('red' in groups) eq true`, true, false},

		// Numbers.
		{`length(userId) gt 2`, true, false},
		{`length(userId) ge 3`, true, false},
		{`length(userId) lt 3`, false, false},
		{`length(userId) le +3`, true, false},
		{`-1 lt 0`, true, true},
		{`2147483647 gt -2147483648`, true, true},
		{`007 eq 7`, true, true},

		// Null.
		{`userId eq null`, false, true},
		{`userId ne null`, true, false},
		{`userId ne 'Bob'`, true, true},
		{`null eq null`, true, true},
		{`null ne null`, false, false},
		{`null eq 1`, false, false},
		{`true eq null`, false, false},
		{`null ge null`, false, false},
		{`length(userId) le 100`, true, false},
		{`length(userId) eq null`, false, true},
		{`length(null) eq null`, true, true},
		{`tolower(userId) eq null`, false, true},
		{`userId eq ''`, false, false},
		{`contains(userId, 'n')`, true, false},
		{`contains('n', userId)`, false, false},
		{`not contains(userId, 'n')`, false, true},
		{`startswith(userId, null)`, false, false},
		{`indexof(userId, 'n') eq -1`, false, true},
		{`concat(userId, 'x') eq 'x'`, false, true},
		{`concat('x', userId) eq 'x'`, false, true},
		{`concat(userId, null) eq null`, false, true},
		{`substring(userId, 0) eq null`, false, true},
		{`null in groups`, false, false},
		{`userId in groups`, false, false},

		// In.
		{`'red' in groups`, true, false},
		{`'Red' in groups`, false, false},
		{`'o''hara' IN (groups)`, true, false},
		{`'red' in ((groups))`, true, false},
		{`tolower('RED') in groups`, true, false},
		{`userId in ('Bob', 'Ann')`, true, false},
		{`userId in ('Bob')`, false, false},
		{`userId in ('Bob', null)`, false, true},
		{`userId in (concat('A','nn'))`, true, false},
		{`length(groups) in (1, 2, 3)`, true, false},
		{`null in ('a', null)`, true, true},
		{`true in (false, true)`, true, true},
		{`length(groups) eq 0`, false, true},
		{`length((groups)) eq 3`, true, false},

		// Precedence.
		{`true or false and false`, true, true},
		{`(true or false) and false`, false, false},
		{`false and false or true`, true, true},
		{`not false and false`, false, false},
		{`not (false and false)`, true, true},
		{`not not true`, true, true},
		{`not('red' in groups)`, false, true},
		{`length(userId) gt 0 and length(userId) lt 3 or length(userId) gt 2 and length(userId) lt 4`, true, false},

		// Functions.
		{`TOUPPER(userId) eq 'ANN'`, true, false},
		{`tolower ( userId ) eq 'ann'`, true, false},
		{`trim('  x	') eq 'x'`, true, true},
		{`startswith(userId, 'An')`, true, false},
		{`endswith(userId, 'nn')`, true, false},
		{`endswith(userId, '')`, true, false},
		{`indexof(userId, 'n') eq 1`, true, false},
		{`indexof(userId, '') eq 0`, true, false},
		{`substring(userId, 1) eq 'nn'`, true, false},
		{`substring(userId, 1, 1) eq 'n'`, true, false},
		{`substring(userId, 3) eq ''`, true, false},
		{`substring(userId, 4) eq null`, true, true},
		{`substring(userId, -1) eq null`, true, true},
		{`substring(userId, 1, 3) eq null`, true, true},
		{`substring(userId, 1, -1) eq null`, true, true},
		{`substring(userId, indexof(userId, 'n')) eq 'nn'`, true, false},
		{`substring('abc', length(userId)) eq ''`, true, false},

		// Text is measured in UTF-16 code units.
		{`length('é') eq 1`, true, true},
		{`length('😀') eq 2`, true, true},
		{`indexof('😀x', 'x') eq 2`, true, true},
		{`substring('😀x', 2) eq 'x'`, true, true},
		{`substring('é😀', 0, 1) eq 'é'`, true, true},
		{`substring('😀', 0, 1) eq '` + "\uFFFD" + `'`, true, true},
		{`'''' eq '` + `''` + `'`, true, true},
	}
	for _, tt := range tests {
		f, err := odata.Parse(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if got := f.Match(ann); got != tt.ann {
			t.Errorf("%s: of a user = %v, want %v", tt.filter, got, tt.ann)
		}
		if got := f.Match(anonymous); got != tt.anonymous {
			t.Errorf("%s: of an anonymous client = %v, want %v", tt.filter, got, tt.anonymous)
		}
		if f.String() != tt.filter {
			t.Errorf("String = %q, want %q", f.String(), tt.filter)
		}
	}
}

func TestNoFilter(t *testing.T) {
	none, err := odata.Parse("")
	if none != nil || err != nil {
		t.Errorf("Parse of nothing = %v, %v, want nil", none, err)
	}
	for name, f := range map[string]*odata.Filter{"nil": none, "zero": {}} {
		if !f.Match(odata.Subject{}) || f.String() != "" {
			t.Errorf("a %s filter: Match = %v, String = %q", name, f.Match(odata.Subject{}), f.String())
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct {
		filter string
		offset int
		reason string // part of it
	}{
		{` `, 1, "found the end of the filter, expected a value"},
		{`userId`, 0, "the filter is a string, expected a condition"},
		{`1`, 0, "the filter is a number"},
		{`null`, 0, "the filter is null"},
		{`groups`, 0, "the filter is the groups"},
		{`user eq 'a'`, 0, `found "user", expected userId, connectionId, groups, protocol, a function`},
		{`userId is 'a'`, 7, `found "is", expected an operator or the end`},
		{`userId eq 'a' eq true`, 14, `found "eq"`},
		{`userId eq`, 9, "found the end of the filter, expected a value"},
		{`userId eq "a"`, 10, "single quotes"},
		{`userId eq 'a`, 10, "no closing quote"},
		{`userId eq 'a''`, 10, "no closing quote"},
		{`userId = 'a'`, 7, `has no meaning`},
		{`userId eq 1`, 10, `"eq" compares a string with a number, expected two values of one type`},
		{`true ne 'a'`, 8, "compares a condition with a string"},
		{`groups eq 'a'`, 0, "length(groups)"},
		{`groups eq null`, 0, "length(groups)"},
		{`'a' eq groups`, 7, "length(groups)"},
		{`userId lt 'a'`, 0, "compares numbers, but this side is a string"},
		{`1 lt true`, 5, "this side is a condition"},
		{`true and 'a'`, 9, `"and" combines conditions, but this side is a string`},
		{`1 or true`, 0, "this side is a number"},
		{`null and true`, 0, "this side is null"},
		{`not length(userId) gt 5`, 4, "not is followed by a number"},
		{`not 'a'`, 4, "not is followed by a string"},
		{`not null`, 4, "not is followed by null"},
		{`userId in 'a'`, 10, "followed by a string, expected groups or a list"},
		{`userId in ()`, 11, "expected a value"},
		{`userId in ('a',)`, 15, "expected a value"},
		{`userId in ('a' 'b')`, 15, "expected a comma or )"},
		{`userId in ('a', 1)`, 16, `"in" compares a string with a number`},
		{`userId in ('a', groups)`, 16, "length(groups)"},
		{`1 in groups`, 0, "the groups are asked for a number"},
		{`groups in groups`, 0, "the groups are asked for the groups"},
		{`groups in ('a')`, 0, "length(groups)"},
		{`userId in`, 9, "expected a value"},
		{`(true`, 5, "expected an operator or )"},
		{`true)`, 4, `found ")", expected an operator or the end`},
		{`length`, 6, `expected ( after the function "length"`},
		{`length() eq 1`, 7, "expected a value"},
		{`length('a','b') eq 1`, 0, `"length" has 2 arguments, expected 1`},
		{`substring('a') eq 'a'`, 0, "has 1 arguments, expected 2 or 3"},
		{`substring('a','b') eq 'a'`, 14, `argument 2 of "substring" is a string, expected a number`},
		{`substring('a',null) eq 'a'`, 14, `is null, expected a number`},
		{`tolower(1) eq 'a'`, 8, `argument 1 of "tolower" is a number, expected null or a string`},
		{`tolower(groups) eq 'a'`, 8, "is the groups"},
		{`length(1) eq 1`, 7, "expected null or a string or the groups"},
		{`replace('a','b','c') eq 'a'`, 0, `found "replace"`},
		{`2147483648 eq 1`, 0, "out of range"},
		{`-2147483649 eq 1`, 0, "out of range"},
		{`1.5 eq 1`, 0, "whole number"},
		{`1x eq 1`, 0, "whole number"},
		{`- 1 eq 1`, 0, "whole number"},
		{`userId/name eq 'a'`, 6, "has no meaning"},
	}
	for _, tt := range tests {
		f, err := odata.Parse(tt.filter)
		e, ok := errors.AsType[*odata.SyntaxError](err)
		if !ok {
			t.Errorf("%s: got %v, %v, want a *SyntaxError", tt.filter, f, err)
			continue
		}
		if e.Offset != tt.offset || !strings.Contains(e.Reason, tt.reason) {
			t.Errorf("%s: got %d %q, want %d %q", tt.filter, e.Offset, e.Reason, tt.offset, tt.reason)
		}
		if want := fmt.Sprintf("byte %d: %s", e.Offset, e.Reason); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: Error = %q, want it to end with %q", tt.filter, err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	nest := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	long := func(n int) string { return `userId eq '` + strings.Repeat("a", n-len(`userId eq ''`)) + `'` }
	tests := []struct {
		name   string
		filter func(n int) string
		most   int
		reason string
	}{
		{"parentheses", func(n int) string { return nest("(", "true", ")", n) }, odata.MaxDepth, "levels"},
		{"nots", func(n int) string { return nest("not ", "true", "", n) }, odata.MaxDepth, "levels"},
		{"functions", func(n int) string { return nest("trim(", "'a'", ")", n) + " eq 'a'" }, odata.MaxDepth, "levels"},
		{"lists", func(n int) string { return nest("true in (", "true", ")", n) }, odata.MaxDepth, "levels"},
		{"or", func(n int) string { return nest("'g' in groups or ", "true", "", n-1) }, odata.MaxClauses, "conditions"},
		{"and", func(n int) string { return nest("(true and true) and ", "(true and true)", "", n/2-1) }, odata.MaxClauses, "conditions"},
		{"length", long, odata.MaxLength, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := odata.Parse(tt.filter(tt.most)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := odata.Parse(tt.filter(tt.most + 2))
			if e, ok := errors.AsType[*odata.SyntaxError](err); !ok || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("above the limit: got %v, want a *SyntaxError about %s", err, tt.reason)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// A filter is evaluated once for each connection of a hub.
func TestMatchDoesNotAllocate(t *testing.T) {
	members := groups{"g0", "g1"}
	for _, filter := range []string{
		`'g1' in groups`,
		`userId in ('a', 'b') or length(groups) gt 1 and not startswith(userId, 'x')`,
		`substring(userId, 1, 2) eq 'bc' and indexof(userId, 'c') eq 2`,
	} {
		f, err := odata.Parse(filter)
		if err != nil {
			t.Fatal(err)
		}
		// A pointer, as a hub has one, is what makes the interface free.
		s := odata.Subject{ConnectionID: "c", UserID: "abc", Groups: &members}
		if got := testing.AllocsPerRun(100, func() { f.Match(s) }); got != 0 {
			t.Errorf("%s: %v allocations for one connection, want 0", filter, got)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	f, err := odata.Parse(`'g1' in groups and userId ne 'x'`)
	if err != nil {
		b.Fatal(err)
	}
	members := groups{"g0", "g1"}
	s := odata.Subject{ConnectionID: "c", UserID: "abc", Groups: &members}
	b.ReportAllocs()
	for b.Loop() {
		f.Match(s)
	}
}
