package roles_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"room", []string{"room"}, []string{"Room", "rooms", "roo", ""}},
		{"chat-*", []string{"chat-", "chat-1"}, []string{"chat.1", "chat-a.b", "xchat-1"}},
		{"a.*", []string{"a.b", "a."}, []string{"a", "a.b.c", "b.a"}},
		{"a.**", []string{"a.b", "a.b.c", "a."}, []string{"a", "b.a.b"}},
		{"a.?1", []string{"a.x1", "a.11", "a.é1", "a.😀1"}, []string{"a.1", "a..1", "a.xx1"}},
		{`a\*b`, []string{"a*b"}, []string{"aXb", "ab", `a\*b`}},
		{`\?\\\*`, []string{`?\*`}, []string{`x\*`, `?\x`}},
		{"?", []string{"a", "é"}, []string{"", ".", "ab"}},
		{"*", []string{"", "abc"}, []string{".", "a.b"}},
		{"**", []string{"", "abc", "a.b.c"}, nil},
		{"*****", []string{"", "a.b"}, nil},
		{"*?", []string{"a", "ab"}, []string{"", "a.", "."}},
		{"?*.x", []string{"a.x", "ab.x"}, []string{".x", "a.b.x"}},
		{"**.x", []string{".x", "a.x", "a.b.x", ".x.x"}, []string{"x", "a.xx"}},
		{"*.*.*.*.*", []string{"a.b.c.d.e", "...."}, []string{"a.b.c.d", "a.b.c.d.e.f"}},
		{"a**b*c", []string{"abc", "a.bxc", "abb.bc", "ab.bxbc"}, []string{"ab.c", "abcx"}},
		{"*a.a*c", []string{"a.ac", "xa.axc"}, []string{"a.a.ac", "a.a.c"}},
		{"a.b", []string{"a.b"}, []string{"axb"}},
		{"[a]+(x|y)$", []string{"[a]+(x|y)$"}, []string{"a"}},
	}
	for _, tt := range tests {
		p, err := roles.CompilePattern(tt.pattern)
		if err != nil {
			t.Errorf("CompilePattern(%q): %v", tt.pattern, err)
			continue
		}
		if p.String() != tt.pattern {
			t.Errorf("String = %q, want %q", p, tt.pattern)
		}
		for _, g := range tt.yes {
			if !p.Match(g) {
				t.Errorf("%q does not match %q", tt.pattern, g)
			}
		}
		for _, g := range tt.no {
			if p.Match(g) {
				t.Errorf("%q matches %q", tt.pattern, g)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                        "empty",
		"\xff*":                   "UTF-8",
		strings.Repeat("é", 1025): "1024 characters",
		"******":                  "5 stars",
		"*a*b*c**d*":              "5 stars",
		`\`:                       "backslash",
		`a\\\`:                    "backslash",
		`a\n`:                     "backslash",
		`\.`:                      "backslash",
	} {
		if p, err := roles.CompilePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CompilePattern(%q) = %v, %v, want an error about %s", pattern, p, err, want)
		}
	}
}

// A matcher that tries one way after the other takes 1000^5 steps for the last
// of these: it would not come back.
func TestPatternTimeIsBounded(t *testing.T) {
	name := strings.Repeat("a", 1024)
	for _, pattern := range []string{
		"**a**ab",
		"*a*a*a*a*b",
		strings.Repeat("?", 1015) + "*a*a*a*ab",
		"*" + strings.Repeat("a", 500) + "*" + strings.Repeat("a", 500) + "*b",
	} {
		p, err := roles.CompilePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.Match(name) {
			t.Errorf("%q matches a name without b", pattern)
		}
	}
}

func TestZeroPattern(t *testing.T) {
	var p roles.Pattern
	if !p.Match("") || p.Match("g") {
		t.Error("the zero Pattern does not match the empty name alone")
	}
}

// wildcards translates a pattern by replacing one piece after the other.
var wildcards = regexp.MustCompile(`\\[\\*?]|\*+|\?|[^\\*?]+|\\`)

func asRegexp(pattern string) *regexp.Regexp {
	expr := wildcards.ReplaceAllStringFunc(pattern, func(piece string) string {
		switch {
		case piece == "?":
			return "[^.]"
		case piece == "*":
			return "[^.]*"
		case piece[0] == '*':
			return ".*"
		case piece[0] == '\\':
			return regexp.QuoteMeta(piece[1:])
		}
		return regexp.QuoteMeta(piece)
	})
	return regexp.MustCompile(`(?s)\A` + expr + `\z`)
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"a.*", "a.b"},
		{"a**b*c", "a.bbc"},
		{"*a.a*c", "a.a.ac"},
		{`\*\?\\?`, `*?\x`},
		{"**.x", "a.b.x"},
		{"*?*?*", "abc"},
		{"??", "é😀"},
		{"\n*", "\n"},
		{`\`, ""},
		{"******", ""},
		{"a?", "a\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, group string) {
		p, err := roles.CompilePattern(pattern)
		if err != nil {
			return
		}
		if !utf8.ValidString(pattern) || utf8.RuneCountInString(pattern) > roles.MaxPatternLength {
			t.Fatalf("CompilePattern(%q): no error", pattern)
		}
		got := p.Match(group)
		if len(pattern) > 200 || !utf8.ValidString(group) {
			return // regexp programs are limited, and regexp reads invalid bytes as U+FFFD
		}
		if want := asRegexp(pattern).MatchString(group); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, group, got, want)
		}
		// A name with its special characters escaped is a pattern for itself.
		literal := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(group)
		if exact, err := roles.CompilePattern(literal); err == nil && !exact.Match(group) {
			t.Errorf("%q does not match %q", literal, group)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	p, err := roles.CompilePattern("tenant.*.room-?")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Match("tenant.contoso.room-7")
	}
}
