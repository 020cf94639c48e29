package inspector

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// A sentRequest is what a server sees of a request.
type sentRequest struct {
	Method, Path string
	Header       http.Header
	Body         string
}

// curlCases are the requests of which commands are made. The paths stand for
// URLs.
var curlCases = []struct {
	name string
	want sentRequest
}{
	{"a message", sentRequest{"POST", "/eventhandler", http.Header{"Ce-Type": {"azure.webpubsub.user.message"}, "Content-Type": {"text/plain"}}, "hello"}},
	{"a query", sentRequest{"POST", "/api/x?code=a%26b&c=$HOME", nil, "hello"}},
	{"no body", sentRequest{"POST", "/", nil, ""}},
	{"no body and a content type", sentRequest{"POST", "/", http.Header{"Content-Type": {"application/json"}}, ""}},
	{"consent", sentRequest{"OPTIONS", "/eventhandler", http.Header{"Webhook-Request-Origin": {"localhost"}}, ""}},
	{"consent by GET", sentRequest{"GET", "/eventhandler", http.Header{"Webhook-Request-Origin": {"localhost"}}, ""}},
	{"patterns in the URL", sentRequest{"POST", "/{a,b}/[1-3]", nil, "x"}},
	{"dots in the URL", sentRequest{"POST", "/a/../b/./c", nil, "x"}},
	{"a quote in the URL", sentRequest{"POST", "/it's", nil, "x"}},

	{"an empty header", sentRequest{"POST", "/", http.Header{"Ce-Connectionstate": {""}}, "x"}},
	{"quotes in headers", sentRequest{"POST", "/", http.Header{"X-Webpubsub-Metadata-K": {`it's "$(id)" and ` + "`id`" + ` \' \n; #`}}, "x"}},
	{"a quote in the name of a header", sentRequest{"POST", "/", http.Header{"Mqtt-It's": {"!"}}, "x"}},
	{"another script", sentRequest{"POST", "/", http.Header{"Ce-Userid": {"用户,a/b %20"}}, "你好"}},
	{"two lines of one header", sentRequest{"POST", "/", http.Header{"Mqtt-A": {"1", "2"}}, "x"}},
	{"cookies", sentRequest{"POST", "/", http.Header{"Cookie": {"a=1; b=2"}}, "x"}},
	{"a user agent", sentRequest{"POST", "/", http.Header{"User-Agent": {"test"}}, "x"}},
	{"an at sign in a header", sentRequest{"POST", "/", http.Header{"Ce-Userid": {"@/etc/passwd"}}, "x"}},

	{"a body like a file", sentRequest{"POST", "/", nil, "@/etc/passwd"}},
	{"a body like an option", sentRequest{"POST", "/", nil, "--help"}},
	{"quotes in the body", sentRequest{"POST", "/", nil, `it's "$(id)" $HOME ` + "`id`" + ` \' \\ \n; # & | < > * ? ~ !!`}},
	{"only quotes", sentRequest{"POST", "/", nil, "''''"}},
	{"line feeds", sentRequest{"POST", "/", nil, "\na\n\nb\n"}},
	{"carriage returns", sentRequest{"POST", "/", nil, "a\r\nb\r"}},
	{"a backslash at the end of a line", sentRequest{"POST", "/", nil, "a\\\nb\\"}},
	{"backslashes and quotes", sentRequest{"POST", "/", http.Header{"X-Webpubsub-Metadata-K": {`C:\it's\\'\`}}, `\'\\'' {"a":"it's \"x\" \\n"}`}},
	{"a tab", sentRequest{"POST", "/", nil, "a\tb"}},
	{"an escape sequence", sentRequest{"POST", "/", nil, "\x1b]0;x\a"}},
	{"one in a single character", sentRequest{"POST", "/", nil, "\u009b31m \u0080"}},
	{"a mark that turns the writing", sentRequest{"POST", "/", nil, "a\u202eb \u2066c"}},
	{"what nobody sees", sentRequest{"POST", "/", nil, "a\u200bb\u2028c\ufeff"}},
	{"NUL", sentRequest{"POST", "/", nil, "a\x00b"}},
	{"no UTF-8", sentRequest{"POST", "/", nil, "\xff\xfe\n"}},
	{"percent signs", sentRequest{"POST", "/", nil, "%s%d%%"}},
	{"long text", sentRequest{"POST", "/", nil, strings.Repeat("it's %s\\n ", 20_000)}},
	{"long bytes", sentRequest{"POST", "/", nil, strings.Repeat("\x00\n'", 70_000)}},
	{"longer than what curl asks for", sentRequest{"POST", "/", nil, strings.Repeat("a", 1<<20)}},
}

func (r *sentRequest) exchange(origin string) *exchange {
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""}
	}
	return keep(emulator.Exchange{Kind: emulator.EventExchange, Method: r.Method, URL: origin + r.Path, Header: h, Body: []byte(r.Body)})
}

// The commands do what they say, with the shell and the curl that are there.
func TestCurlSendsTheSame(t *testing.T) {
	for _, program := range []string{"sh", "curl", "base64"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	var got sentRequest
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Del("Content-Length")
		got = sentRequest{r.Method, r.RequestURI, r.Header, string(body)}
	}))
	defer server.Close()
	for _, tt := range curlCases {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want.Header == nil {
				want.Header = http.Header{}
			}
			got = sentRequest{}
			shell := exec.CommandContext(t.Context(), "sh", "-e")
			shell.Stdin = strings.NewReader(curl(want.exchange(server.URL)))
			if out, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(out), "200 OK") {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +\n%.2000s", diff)
			}
		})
	}
}

func TestCurl(t *testing.T) {
	x := event(1, "r1")
	x.Header.Set("ce-connectionState", "")
	x.Body = []byte("it's")
	want := `curl -i -X POST 'http://localhost:3000/eventhandler' \
  -H 'ce-type: azure.webpubsub.user.message' \
  -H 'ce-id: 1' \
  -H 'ce-connectionState;' \
  -H 'User-Agent:' \
  -H 'Accept:' \
  -H 'Content-Type:' \
  --data-raw 'it'\''s'`
	if got := curl(keep(x)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// There is no text that a terminal takes for such a header.
func TestNoCurl(t *testing.T) {
	for _, value := range []string{"a\r\nb: c", "\x00", "\xff", "a\tb", "\u009b31m", "a\u202eb"} {
		x := event(1, "")
		x.Header.Set("ce-userId", value)
		if got := curl(keep(x)); got != "" {
			t.Errorf("%q: got %s, want nothing", value, got)
		}
	}
}

func TestCurlCasesWithoutShell(t *testing.T) {
	for _, tt := range curlCases {
		t.Run(tt.name, func(t *testing.T) { checkCurl(t, tt.want) })
	}
}

// FuzzCurl reads the commands as a shell and curl do.
func FuzzCurl(f *testing.F) {
	for _, tt := range curlCases {
		if len(tt.want.Body) < 1000 {
			f.Add(tt.want.Path, "Ce-Userid", "alice", []byte(tt.want.Body))
		}
		for name, values := range tt.want.Header {
			f.Add(tt.want.Path, name, values[0], []byte(tt.want.Body))
		}
	}
	f.Fuzz(func(t *testing.T, path, name, value string, body []byte) {
		if http.CanonicalHeaderKey(name) != name || name == "" || strings.ContainsAny(name, " :;@") || name == "Content-Length" ||
			strings.Trim(value, " ") != value || strings.ContainsAny(value, "\n\t") || strings.ContainsAny(path, "\n\t") {
			return // no header, or no URL
		}
		checkCurl(t, sentRequest{"POST", path, http.Header{name: {value}}, string(body)})
	})
}

func checkCurl(t *testing.T, want sentRequest) {
	t.Helper()
	command := curl(want.exchange("http://localhost:3000"))
	if command == "" {
		for _, values := range want.Header {
			if !isPasteable([]byte(values[0])) {
				return
			}
		}
		for name := range want.Header {
			if !isPasteable([]byte(name)) {
				return
			}
		}
		if !isPasteable([]byte(want.Path)) {
			return
		}
		t.Fatalf("no command for %+v", want)
	}
	if i := strings.IndexFunc(command, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }); i >= 0 {
		t.Errorf("%q does more in a terminal than it shows", command[i:])
	}
	got := parsed(t, command)
	got.Path = strings.TrimPrefix(got.Path, "http://localhost:3000")
	if values := want.Header["User-Agent"]; len(values) == 1 && values[0] == "" {
		delete(want.Header, "User-Agent")
	}
	if want.Header == nil {
		want.Header = http.Header{}
	}
	// The comparison knows no case: the documents' spelling is another.
	lower := func(h http.Header) map[string][]string {
		l := make(map[string][]string)
		for name, values := range h {
			l[strings.ToLower(name)] = values
		}
		return l
	}
	if got.Method != want.Method || got.Path != want.Path || got.Body != want.Body || !cmp.Equal(lower(got.Header), lower(want.Header)) {
		t.Errorf("got %.2000q\nwant %.2000q\nfrom %.2000s", fmt.Sprint(got), fmt.Sprint(want), command)
	}
}

// parsed is the request of a command, without curl's own headers. The path is
// the URL.
func parsed(t *testing.T, command string) (r sentRequest) {
	t.Helper()
	r.Header = http.Header{}
	var input string
	pipeline := shellWords(t, command, false)
	if diff := cmp.Diff(pipeline, shellWords(t, command, true)); diff != "" {
		t.Fatalf("POSIX -, fish +\n%.2000s", diff)
	}
	for _, words := range pipeline {
		switch {
		case len(words) == 3 && words[0] == "printf" && words[1] == "%s":
			input = words[2]
		case len(words) == 2 && words[0] == "base64" && words[1] == "-d":
			decoded, err := base64.StdEncoding.DecodeString(input)
			if err != nil {
				t.Fatal(err)
			}
			input = string(decoded)
		case words[0] == "curl":
			r.read(t, words[1:], input)
		default:
			t.Fatalf("unexpected command %q", words)
		}
	}
	return r
}

func (r *sentRequest) read(t *testing.T, args []string, input string) {
	t.Helper()
	glob, tidy := true, true
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		switch flag {
		case "-i":
			continue
		case "-g":
			glob = false
			continue
		case "--path-as-is":
			tidy = false
			continue
		}
		if !strings.HasPrefix(flag, "-") && r.Path == "" {
			r.Path = flag
			continue
		}
		if len(args) == 0 {
			t.Fatalf("%s has no value", flag)
		}
		value := args[0]
		args = args[1:]
		switch {
		case flag == "-X":
			r.Method = value
		case flag == "--data-raw":
			r.Body = value
		case flag == "--data-binary" && value == "@-":
			r.Body = input
		case flag == "-H":
			name, content, ok := strings.Cut(value, ": ")
			switch {
			case ok:
				r.Header[name] = append(r.Header[name], content)
			case strings.HasSuffix(value, ";"):
				r.Header[strings.TrimSuffix(value, ";")] = []string{""}
			case !strings.HasSuffix(value, ":"):
				t.Fatalf("unexpected header %q", value)
			}
		default:
			t.Fatalf("unexpected %q with %q", flag, value)
		}
	}
	if glob && strings.ContainsAny(r.Path, "[]{}") || tidy && strings.Contains(r.Path, "/.") {
		t.Fatalf("curl changes %q", r.Path)
	}
}

// shellWords splits what a POSIX shell would, or fish: pipelines of words that
// stand in single quotes or have none of the characters that mean something.
func shellWords(t *testing.T, command string, fish bool) (pipeline [][]string) {
	t.Helper()
	var words []string
	var word []byte
	inWord := false
	end := func() {
		if inWord {
			words = append(words, string(word))
		}
		word, inWord = nil, false
	}
	for i := 0; i < len(command); i++ {
		switch c := command[i]; {
		case c == '\'':
			inWord = true
			for i++; i < len(command) && command[i] != '\''; i++ {
				if fish && command[i] == '\\' && i+1 < len(command) && (command[i+1] == '\\' || command[i+1] == '\'') {
					i++
				}
				word = append(word, command[i])
			}
			if i == len(command) {
				t.Fatalf("a quote is open: %q", command)
			}
		case c == '\\' && i+1 < len(command):
			i++
			if command[i] != '\n' {
				word, inWord = append(word, command[i]), true
			}
		case c == ' ':
			end()
		case c == '|':
			end()
			pipeline, words = append(pipeline, words), nil
		case strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-@%", c) >= 0:
			word, inWord = append(word, c), true
		default:
			t.Fatalf("%q at %d means something to a shell: %q", c, i, command)
		}
	}
	end()
	return append(pipeline, words)
}
