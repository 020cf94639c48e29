package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

func someRule(id string, severity check.Severity) check.Rule {
	return check.Rule{ID: id, Title: "The handler is right", Severity: severity, Reason: "The reason.", Fix: "The fix.", Source: "the source"}
}

func someReport() *check.Report {
	exchanges := []check.Exchange{
		{Method: "OPTIONS", URL: "http://h.test/e", Header: []string{"WebHook-Request-Origin: a"}, Status: 200, Duration: time.Millisecond},
		{
			Method: "POST", URL: "http://h.test/e", Header: []string{"ce-id: 7", "ce-time: now", "ce-type: azure.webpubsub.user.message", "x-own: 1"}, Body: "one\ntwo\r\n",
			Status: 500, AnswerHeader: []string{"Content-Type: text/plain", "server: x"}, Answer: strings.Repeat("long ", 100), Duration: 2 * time.Millisecond,
		},
		{Method: "POST", URL: "http://h.test/e", Error: "no answer within 5s", Duration: 5 * time.Second},
	}
	return &check.Report{
		Target: "http://h.test/e", Hub: "chat", Origin: "localhost", Requests: 1, Duration: 40 * time.Millisecond,
		Found: []check.Observation{observed("handshake", "200 OK, consents"), observed("connect", "200 OK"), observed("my event", "500 Internal Server Error")},
		Results: []check.Result{
			{Rule: someRule("alpha/one", check.Must), Verdict: check.Holds, Exchanges: exchanges[:1]},
			{Rule: someRule("alpha/two", check.Must), Verdict: check.NotJudged, Finding: "nobody knows"},
			{Rule: someRule("beta/three", check.Must), Verdict: check.Fails, Finding: "got 500 Internal Server Error to ce-id 7", Fix: "Mend it.", Exchanges: exchanges},
			{Rule: someRule("beta/four", check.Info), Verdict: check.Fails, Finding: "got less", Fix: "Think of it.", Exchanges: exchanges},
			{Rule: someRule("gamma/five", check.Should), Verdict: check.NotJudged, Finding: "nobody knows"},
		},
	}
}

const somePrinted = `
found    handshake   200 OK, consents
         connect     200 OK
         "my event"  500 Internal Server Error

✓ alpha         1 rule holds, 1 rule is not judged
✗ beta          1 must fails, 1 thing to know

  ✗ must   beta/three  The handler is right
    got 500 Internal Server Error to ce-id 7

    > POST http://h.test/e  (request 2 of 3)
    > ce-id: 7
    > ce-type: azure.webpubsub.user.message
    > x-own: 1
    > …
    >
    > one
    > two
    < 500 Internal Server Error  (2ms)
    < Content-Type: text/plain
    < …
    <
    < LONG…

    why     The reason.
    fix     Mend it.
    source  the source

  · info   beta/four  The handler is right
    got less

– gamma         1 rule is not judged

not judged, because
– nobody knows
  alpha/two, gamma/five

hint: --only beta/three judges by this rule alone, and --verbose shows whole requests

1 of 2 musts fails; 2 rules are not judged; 1 request in 40ms
`

func reportText(t *testing.T, p checkPrinter, r *check.Report) string {
	t.Helper()
	var b strings.Builder
	p.w = &b
	if err := p.report(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCheckPrinter(t *testing.T) {
	want := strings.Replace(somePrinted, "LONG", strings.Repeat("long ", 40), 1)
	if got := reportText(t, checkPrinter{}, someReport()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCheckPrinterVerbose(t *testing.T) {
	got := reportText(t, checkPrinter{verbose: true}, someReport())
	for _, want := range []string{
		"  ✓ must   alpha/one  The handler is right\n    OPTIONS http://h.test/e → 200 OK  1ms\n",
		"(request 1 of 3)", "    > ce-time: now\n", "    < server: x\n", "    < no answer within 5s  (5s)\n", strings.Repeat("long ", 100) + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestCheckPrinterColours(t *testing.T) {
	got := reportText(t, checkPrinter{colors: true}, someReport())
	for _, want := range []string{"\x1b[32m✓\x1b[0m alpha", "\x1b[31m✗\x1b[0m beta", "\x1b[2m–\x1b[0m gamma", "\x1b[31m1 of 2 musts fails;"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%q", want, got)
		}
	}
}

// Nothing that a handler says reaches the terminal as it is.
func TestCheckPrinterHostile(t *testing.T) {
	const text = "\x1b]0;x\a\u202e\xff\u0085"
	r := someReport()
	r.Found = []check.Observation{observed(text, text), observed("connect", "403 "+text), observed(text, text)}
	for i := range r.Results {
		result := &r.Results[i]
		result.Finding, result.Fix = text, text
		result.Exchanges = []check.Exchange{{Method: "POST", URL: text, Header: []string{text}, Body: text, Status: 200, AnswerHeader: []string{text}, Answer: text}, {Error: text}}
	}
	for _, p := range []checkPrinter{{}, {verbose: true}} {
		for line := range strings.SplitSeq(reportText(t, p, r), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return !strconv.IsPrint(r) }) {
				t.Errorf("a line is %q", line)
			}
		}
	}
}

func TestVerdict(t *testing.T) {
	result := func(severity check.Severity, verdict check.Verdict) check.Result {
		return check.Result{Rule: someRule("a/b", severity), Verdict: verdict}
	}
	for _, test := range []struct {
		want    string
		results []check.Result
	}{
		{"no must and no should was judged", nil},
		{"no must and no should was judged; 1 rule is not judged", []check.Result{result(check.Must, check.NotJudged), result(check.Info, check.Fails)}},
		{"the only must holds", []check.Result{result(check.Must, check.Holds)}},
		{"all 2 musts hold, 1 of 1 should fails", []check.Result{result(check.Must, check.Holds), result(check.Must, check.Holds), result(check.Should, check.Fails)}},
		{"2 of 3 musts fail", []check.Result{result(check.Must, check.Holds), result(check.Must, check.Fails), result(check.Must, check.Fails)}},
	} {
		got := verdict(&check.Report{Results: test.results, Requests: 12, Duration: 1234 * time.Millisecond})
		if want := test.want + "; 12 requests in 1.2s"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestVerdictInDoubt(t *testing.T) {
	held := check.Result{Rule: someRule("a/b", check.Must), Verdict: check.Holds}
	open := check.Result{Rule: someRule("a/c", check.Must), Verdict: check.NotJudged, Undecided: true, Finding: "there was\x1b no time"}
	wrong := check.Result{Rule: someRule("a/d", check.Must), Verdict: check.Fails}
	for _, test := range []struct {
		found   []string // of handshake, connect and message
		results []check.Result
		want    string
	}{
		{[]string{"200 OK, consents", "403 Forbidden", "200 OK"}, []check.Result{held}, "too little was judged to say that the handler is right, because no client got in (connect: 403 Forbidden): the only must holds"},
		{[]string{"200 OK, consents", "", "400 Bad Request"}, []check.Result{held}, "too little was judged to say that the handler is right, because no event was accepted (message: 400 Bad Request): the only must holds"},
		{[]string{"200 OK, consents", "200 OK", "200 OK"}, []check.Result{held, open}, `too little was judged to say that the handler is right, because there was\x1b no time: the only must holds; 1 rule is not judged`},
		{[]string{"200 OK, consents", "403 Forbidden", "200 OK"}, []check.Result{wrong}, "little was judged, because no client got in (connect: 403 Forbidden): 1 of 1 must fails"},
	} {
		r := &check.Report{Results: test.results, Requests: 3, Duration: time.Second}
		for i, outcome := range test.found {
			if outcome != "" {
				r.Found = append(r.Found, observed([]string{"handshake", "connect", "message"}[i], outcome))
			}
		}
		if got, want := verdict(r), test.want+"; 3 requests in 1s"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFirstAdvice(t *testing.T) {
	for _, test := range []struct{ fails, want string }{
		{"", ""},
		{"path/any", "--only path/any judges"},
		{"path/any state/kept", "begin with path/any,"},
		{"path/any signature/missing signature/forged", "begin with signature/missing,"},
		{"signature/missing event/answer connect/user", "begin with event/answer,"},
		{"event/answer connect/answer", "begin with connect/answer,"},
		{"connect/answer handshake/get handshake/consent", "begin with handshake/consent,"},
	} {
		r := &check.Report{Results: []check.Result{{Rule: someRule("handshake/should", check.Should), Verdict: check.Fails}}}
		for _, id := range strings.Fields(test.fails) {
			r.Results = append(r.Results, check.Result{Rule: someRule(id, check.Must), Verdict: check.Fails})
		}
		if got := firstAdvice(r); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", test.fails, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("é", 60)
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"a b", "a b"},
		{long + " " + long, long + "\n  " + long},
		{strings.Repeat(long, 2) + " a", strings.Repeat(long, 2) + "\n  a"},
		{long[:len(long)-2] + " " + strings.Repeat("x", 38), long[:len(long)-2] + " " + strings.Repeat("x", 38)},
	} {
		if got := wrap(test.in, "  "); got != test.want {
			t.Errorf("wrap(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestTellingExchange(t *testing.T) {
	exchanges := []check.Exchange{{Status: 200}, {Status: 500}, {Error: "no answer within 5s"}, {Status: 401}}
	for _, test := range []struct {
		finding string
		want    int
	}{
		{"got 500 Internal Server Error, want 2xx", 1},
		{"message got 200 OK without a signature", 0},
		{"got no answer within 5s, want 2xx", 2},
		{"two answers differ", 3},
	} {
		if got := tellingExchange(&check.Result{Finding: test.finding, Exchanges: exchanges}); got != test.want {
			t.Errorf("%q: got %d, want %d", test.finding, got, test.want)
		}
	}
	if got := tellingExchange(&check.Result{Finding: "got nothing"}); got != -1 {
		t.Errorf("without exchanges: got %d", got)
	}
}

func TestAdvice(t *testing.T) {
	fails := check.Result{Rule: someRule("a/b", check.Must), Verdict: check.Fails}
	for _, test := range []struct {
		name  string
		found []string // of handshake, connect and message; an empty one was not sent
		want  string   // the beginning, or a part after …
	}{
		{"all is well", []string{"200 OK, consents", "200 OK", "200 OK, text/plain"}, "begin with a/b"},
		{"nothing at the path", []string{"404 Not Found", "404 Not Found", "405 Method Not Allowed"}, "is the path right?"},
		{"no path, but consent", []string{"200 OK, consents", "404 Not Found", "404 Not Found"}, "the handler refuses the client with 404 Not Found"},
		{"another key", []string{"200 OK, consents", "401 Unauthorized", "401 Unauthorized"}, "all events are refused: is the key"},
		{"another host", []string{"403 Forbidden", "403 Forbidden", "403 Forbidden, text/plain"}, "all events are refused: does the handler"},
		{"broken", []string{"200 OK, consents", "500 Internal Server Error", "503 Service Unavailable"}, "the application fails"},
		{"redirects", []string{"308 Permanent Redirect to \"/\"", "308 Permanent Redirect", "301 Moved Permanently"}, "the service follows no redirect"},
		{"client refused", []string{"200 OK, consents", "403 Forbidden", "200 OK"}, "the handler refuses the client with 403"},
		{"no such event", []string{"200 OK, consents", "", "400 Bad Request"}, "the handler refuses all user events"},
		{"events hang", []string{"200 OK, consents", "", "no answer within 5s"}, "the application takes connections"},
		{"all hangs", []string{"no answer within 5s", "no answer within 5s", "no answer within 5s"}, "the application takes connections"},
		{"closes", []string{"no answer: the connection was closed instead", "no answer: the connection was closed instead"}, "the application closes"},
		{"untrusted", []string{"no answer: tls: failed to verify certificate: x509: …"}, "the certificate"},
		{"no TLS", []string{"no answer: http: server gave HTTP response to HTTPS client"}, "the application speaks no TLS"},
		{"TLS", []string{`no answer: net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01"`}, "does the application speak TLS"},
		{"nothing at all", nil, ""},
	} {
		r := &check.Report{Results: []check.Result{fails, fails}}
		for i, outcome := range test.found {
			if outcome != "" {
				r.Found = append(r.Found, observed([]string{"handshake", "connect", "message"}[i], outcome))
			}
		}
		got := (&checkPrinter{keyName: "the key of --key"}).advice(r)
		if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestNoHandler(t *testing.T) {
	page := check.Exchange{Method: "POST", Status: 200, Answer: "\n<!DOCTYPE HTML><title>Shop"}
	text := check.Exchange{Method: "POST", Status: 200, Answer: "echo"}
	for _, test := range []struct {
		name      string
		found     []string
		exchanges []check.Exchange
		want      string
	}{
		{"pages", []string{"200 OK, but no consent", "200 OK", "200 OK, text/html"}, []check.Exchange{page, page}, "web page"},
		{"a text labelled HTML", []string{"200 OK, but no consent", "200 OK", "200 OK, text/html"}, []check.Exchange{page, text}, ""},
		{"pages of errors", []string{"200 OK, but no consent", "401 Unauthorized", "401 Unauthorized, text/html"}, nil, ""},
		{"not found", []string{"404 Not Found", "404 Not Found", "404 Not Found"}, nil, "404 Not Found"},
		{"consent", []string{"200 OK, consents", "404 Not Found", "404 Not Found"}, nil, ""},
		{"consent to all", []string{"200 OK, consents to every origin", "404 Not Found", "404 Not Found"}, nil, ""},
	} {
		r := &check.Report{Results: []check.Result{{Exchanges: test.exchanges}}}
		for i, outcome := range test.found {
			r.Found = append(r.Found, observed([]string{"handshake", "connect", "message"}[i], outcome))
		}
		if got := noHandler(r); !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDataOf(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"a":1}`, "json"}, {"5", "json"}, {"hello", "text"}, {`{"a":`, "text"}, {"\xff", "binary"}, {"", "text"},
	} {
		if got := dataOf([]byte(test.in)).DataType(); string(got) != test.want {
			t.Errorf("%q is %s, want %s", test.in, got, test.want)
		}
	}
}

func TestListOf(t *testing.T) {
	got := listOf([]string{"a, b,,", "", "c"})
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// observed returns an observation whose outcome may begin with a status.
func observed(what, outcome string) check.Observation {
	o := check.Observation{What: what, Outcome: outcome}
	_, _ = fmt.Sscan(outcome, &o.Status)
	return o
}
