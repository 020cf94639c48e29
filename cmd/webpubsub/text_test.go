package main

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"alice → 用户", "alice → 用户"},
		{"\x1b[31mred\n", `\x1b[31mred\n`},
		{"a\u202eb", `a\u202eb`},
		{"bad \xff byte", `bad \xff byte`},
		{`quotes " ' and \`, `quotes " ' and \`},
	} {
		if got := printable(test.in); got != test.want {
			t.Errorf("printable(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestWord(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"alice", "alice"},
		{"a/b,c;d@example", "a/b,c;d@example"},
		{"alice message → 200", `"alice message → 200"`},
		{`a"b`, `"a\"b"`},
		{"\x1b]0;x\a", `"\x1b]0;x\a"`},
		{strings.Repeat("é", 100), strings.Repeat("é", 40) + "…"},
	} {
		if got := word(test.in); got != test.want {
			t.Errorf("word(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"alice", "\x1b[2J", "a b", "\xff\xfe", "\u0085\u2028\u202e\ufeff", `\x1b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, shown := range []string{printable(s), word(s)} {
			if !utf8.ValidString(shown) {
				t.Errorf("%q is shown as invalid UTF-8: %q", s, shown)
			}
			for _, r := range shown {
				if !strconv.IsPrint(r) {
					t.Errorf("%q is shown with %q in it", s, r)
				}
			}
		}
		if w := word(s); strings.Contains(w, " ") && !strings.HasPrefix(w, `"`) {
			t.Errorf("word(%q) = %q, which is more than one", s, w)
		}
	})
}

func TestWithoutPassword(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"no JSON", `{"mqtt":`, `{"mqtt":`},
		{"not MQTT", `{"claims":{}}`, `{"claims":{}}`},
		{"none", `{"mqtt":{"password":null}}`, `{"mqtt":{"password":null}}`},
		{"set", `{"mqtt":{"password":"c2VjcmV0","username":"u"}}`, `{"mqtt":{"password":"(set)","username":"u"}}`},
		{"spelled otherwise", `{"MQTT": {"Password" : "c2VjcmV0"}}`, `{"MQTT": {"Password" : "(set)"}}`},
		{"twice", `{"query":{"p":["c2VjcmV0"]},"mqtt":{"password":"c2VjcmV0"}}`, `{"query":{"p":["(set)"]},"mqtt":{"password":"(set)"}}`},
		{"no text", `{"mqtt":{"password":[1,2,3]}}`, `{"mqtt":{"password":"(set)"}}`},
	} {
		if got := string(withoutPassword([]byte(test.in))); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
