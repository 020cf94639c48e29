package shell_test

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/shell"
)

func TestWord(t *testing.T) {
	for s, want := range map[string]string{
		"":                       `''`,
		"/home/me/ca.pem":        `/home/me/ca.pem`,
		"http://localhost:3000/": `http://localhost:3000/`,
		"/home/me/my ca.pem":     `'/home/me/my ca.pem'`,
		`C:\Users\me`:            `'C:\Users\me'`,
		"~me":                    `'~me'`,
		"*":                      `'*'`,
		"a\nb":                   "'a\nb'",
		"it's":                   `'it'\''s'`,
		"é":                      `'é'`,
	} {
		if got := shell.Word(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"":           `''`,
		"a b":        `'a b'`,
		"'":          `''\'''`,
		`"$HOME" \n`: `'"$HOME" \n'`,
		`\`:          `''\\''`,
		`a\\b`:       `'a'\\'\b'`,
		`\'`:         `''\\''\'''`,
	} {
		if got := shell.Quote(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

// words are hard to quote.
var words = []string{
	"", "a", "a b", "it's", `\`, `\\`, `a\\\b`, `\'`, `'\`, `\\''\\`, "$(id)`id`", "!!", "a\nb\n", "é~*",
	`{"a":"it's \"x\" \\\\ \u0041"}`,
}

// The shells that are there read what was written.
func TestShells(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its bash is that of another system")
	}
	for _, name := range []string{"sh", "bash", "zsh", "fish"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		for _, s := range words {
			for _, word := range []string{shell.Word(s), shell.Quote(s)} {
				out, err := exec.CommandContext(t.Context(), path, "-c", "printf '[%s]' "+word).Output()
				if got, want := string(out), "["+s+"]"; err != nil || got != want {
					t.Errorf("%s: %s is %q, want %q (%v)", name, word, got, want, err)
				}
			}
		}
	}
}

// FuzzQuote reads words by the rules of POSIX and by those of fish.
func FuzzQuote(f *testing.F) {
	for _, s := range words {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, word := range []string{shell.Word(s), shell.Quote(s)} {
			for _, fish := range []bool{false, true} {
				if got, ok := read(word, fish); !ok || got != s {
					t.Errorf("%q is %q (%t), want %q, fish: %t", word, got, ok, s, fish)
				}
			}
		}
	})
}

// read returns what a shell makes of a word. It is not ok if that is no single
// word, or is one that means something else.
func read(word string, fish bool) (s string, ok bool) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(word); i++ {
		c, rest := word[i], word[i+1:]
		switch {
		case c == '\\' && rest != "" && (!quoted || fish && (rest[0] == '\\' || rest[0] == '\'')):
			i++
			b.WriteByte(word[i])
		case c == '\'':
			quoted = !quoted
		case !quoted && (c >= 0x80 || strings.IndexByte(" \t\n~*?[]{}()<>|&;#$`\"!^=\\", c) >= 0):
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), word != "" && !quoted
}
