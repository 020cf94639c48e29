package trigger

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func answered(status int, h http.Header, body string) *Exchange {
	return &Exchange{
		Method: http.MethodPost, URL: "http://localhost/eventhandler", url: &url.URL{Scheme: "http", Host: "localhost", Path: "/eventhandler"},
		Response: &Response{Status: status, Header: h, Body: []byte(body)},
	}
}

func message(subprotocol string) *Event {
	return &Event{Type: wire.UserType("message"), Subprotocol: subprotocol, Keys: []string{"k"}, Origins: []string{"localhost"}}
}

// The known answers say what clients of both kinds get.
func TestJudgeKnownReplies(t *testing.T) {
	for _, reply := range vectors.Load().MediaTypes.ServiceReply.Cases {
		t.Run(reply.ID, func(t *testing.T) {
			h := http.Header{}
			if reply.ContentType != nil {
				h.Set(wire.HeaderContentType, *reply.ContentType)
			}
			x := answered(reply.Status, h, reply.Body)
			simple, json := message("").judge(x), message(wire.SubprotocolJSON).judge(x)
			if want := reply.Outcome != "failure"; simple.OK != want || json.OK != want {
				t.Fatalf("simple %v, JSON %v, want %v", simple, json, want)
			}
			switch reply.Outcome {
			case "none":
				wantEffect(t, simple, "no message")
				wantEffect(t, json, "no message, and an ack of success")
			case "message":
				wantEffect(t, json, "of type "+*reply.DataType)
				if reply.SimpleFrame != nil {
					wantEffect(t, simple, "a "+*reply.SimpleFrame+" frame")
				}
			case "failure":
				wantEffect(t, simple, "1011")
				wantEffect(t, json, "failed ack")
			}
		})
	}
}

func wantEffect(t *testing.T, v Verdict, want string) {
	t.Helper()
	if !strings.Contains(v.Effect, want) {
		t.Errorf("effect %q, want %q in it", v.Effect, want)
	}
}

func TestJudgeHandshake(t *testing.T) {
	line := func(lines ...string) http.Header { return http.Header{wire.HeaderAllowedOrigin: lines} }
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		ok     bool
		hint   string
	}{
		{"all", 200, line("*"), true, ""},
		{"the host", 204, line("localhost"), true, ""},
		{"upper case and a port", 200, line("LOCALHOST:8080"), true, ""},
		{"a second line", 200, line("demo.example", "localhost"), true, ""},
		{"another host", 200, line("demo.example"), false, "has to be localhost"},
		{"a longer host", 200, line("localhost.example"), false, "has to be localhost"},
		{"a URL", 200, line("http://localhost"), false, "has to be localhost"},
		{"a list", 200, line("demo.example, localhost"), false, "a header line of its own"},
		{"empty", 200, line(""), false, "has to be localhost"},
		{"none", 200, http.Header{}, false, "CORS"},
		{"the wrong header", 200, http.Header{wire.HeaderRequestOrigin: {"*"}}, false, "CORS"},
		{"redirect", 301, line("*"), false, "no redirect"},
		{"unauthorized", 401, line("*"), false, "without authentication"},
		{"forbidden", 403, line("*"), false, "has to be localhost"},
		{"not found", 404, line("*"), false, "/eventhandler and /eventhandler/"},
		{"no OPTIONS", 405, line("*"), false, "as well as POST"},
		{"another 4xx", 418, line("*"), false, "before anything else"},
		{"failed", 500, line("*"), false, "its own log"},
	} {
		v := message("").judgeHandshake(answered(test.status, test.header, ""))
		if v.OK != test.ok || !strings.Contains(v.Hint, test.hint) {
			t.Errorf("%s: got %+v, want ok %v and the hint %q", test.name, v, test.ok, test.hint)
		}
	}
}

func TestJudgeStatus(t *testing.T) {
	for _, test := range []struct {
		typ    string
		status int
		effect string
		hint   string
		retry  bool
	}{
		{wire.TypeConnect, 401, "refused with 401", "if the handler did not mean to", false},
		{wire.TypeConnect, 302, "refused with 500", "no redirect", false},
		{wire.TypeConnect, 503, "refused with 503", "its own log", true},
		{wire.TypeConnected, 404, "logs the failure", "for POST", false},
		{wire.UserType("message"), 401, "1011", "does not accept the signature", false},
		{wire.UserType("message"), 403, "1011", "its own with --origin", false},
		{wire.UserType("message"), 405, "1011", "POST and OPTIONS", false},
		{wire.UserType("message"), 408, "1011", "its own log", true},
		{wire.UserType("message"), 413, "1011", "1 MB", false},
		{wire.UserType("message"), 415, "1011", "content type", false},
		{wire.UserType("message"), 429, "1011", "after 429", false},
		{wire.UserType("message"), 400, "1011", "refused the event", false},
	} {
		e := message("")
		e.Type = test.typ
		v := e.judge(answered(test.status, http.Header{}, ""))
		if v.OK || !strings.Contains(v.Effect, test.effect) || !strings.Contains(v.Hint, test.hint) || (len(v.Notes) > 0) != test.retry {
			t.Errorf("%s, %d: got %+v, want effect %q, hint %q, retry %v", test.typ, test.status, v, test.effect, test.hint, test.retry)
		}
	}
}

func TestJudgeUnusable(t *testing.T) {
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, test := range []struct {
		name   string
		typ    string
		header http.Header
		body   string
		reason string
	}{
		{"compressed", wire.UserType("message"), header(wire.HeaderContentEncoding, "gzip"), "x", "Content-Encoding"},
		{"state", wire.UserType("message"), header(wire.HeaderConnectionState, "é"), "", "ce-connectionState"},
		{"metadata", wire.UserType("message"), header(wire.PrefixMetadata+"A", "é"), "", "metadata"},
		{"no UTF-8", wire.UserType("message"), header(wire.HeaderContentType, "text/plain"), "\xff", "not valid UTF-8"},
		{"connect", wire.TypeConnect, nil, "[]", "is not a JSON object"},
		{"blank group", wire.TypeConnect, nil, `{"groups":[" "]}`, "groups"},
		{"not offered", wire.TypeConnect, nil, `{"subprotocol":"b"}`, `the client offers ["a"]`},
	} {
		e := message("")
		e.Type, e.Body = test.typ, []byte(`{"subprotocols":["a"]}`)
		v := e.judge(answered(200, test.header, test.body))
		if v.OK || !strings.Contains(v.Reason, test.reason) || v.Hint == "" {
			t.Errorf("%s: got %+v, want the reason %q and a hint", test.name, v, test.reason)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Event{URLTemplate: "http://localhost/{hub}/{event}", Type: wire.TypeConnect, Hub: "chat", ConnectionID: "c", Origins: []string{"localhost"}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Event)
	}{
		{"no URL", func(e *Event) { e.URLTemplate = "localhost:3000" }},
		{"another scheme", func(e *Event) { e.URLTemplate = "ftp://localhost" }},
		{"no host", func(e *Event) { e.URLTemplate = "http:///path" }},
		{"fragment", func(e *Event) { e.URLTemplate = "http://localhost/#a" }},
		{"hub", func(e *Event) { e.Hub = "7up" }},
		{"type", func(e *Event) { e.Type = "com.example.type" }},
		{"user", func(e *Event) { e.UserID = "a\r\nX-Evil: 1" }},
		{"state", func(e *Event) { e.State = new("a\nb") }},
		{"connection id", func(e *Event) { e.ConnectionID = "é" }},
		{"metadata name", func(e *Event) { e.Metadata = []wire.UserProperty{{Name: "a b", Value: "c"}} }},
		{"metadata value", func(e *Event) { e.Metadata = []wire.UserProperty{{Name: "a", Value: "\n"}} }},
	} {
		e := good
		test.change(&e)
		if err := e.Check(); err == nil {
			t.Errorf("%s: accepted, want an error", test.name)
		}
	}
}

func TestDisplay(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"http://localhost/x", "http://localhost/x"},
		{"https://user:pass@localhost/x?code=secret&secret&b=", "https://localhost/x?code=…&=…&b=…"},
	} {
		u, err := url.Parse(test.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := display(u); got != test.want {
			t.Errorf("display(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// Whatever a handler answers, there is a verdict that says what happens, and
// why and what to do if it is wrong.
func FuzzJudge(f *testing.F) {
	f.Add(0, 200, "text/plain", "", "hi")
	f.Add(1, 200, "application/json", "e30=", `{"userId":"a","groups":["g"],"roles":[]}`)
	f.Add(2, 404, "", "", "")
	f.Add(3, 403, "application/json", "", `{"mqtt":{"code":135}}`)
	f.Add(4, 500, "\xff", "\x1b", "\xff\xfe")
	f.Fuzz(func(t *testing.T, kind, status int, contentType, state, body string) {
		events := []*Event{
			message(""),
			{Type: wire.TypeConnect, Body: []byte("{}")},
			{Type: wire.TypeConnected},
			{Type: wire.TypeConnect, MQTTVersion: wire.MQTT5},
			message(wire.SubprotocolJSON), message(wire.SubprotocolMQTT),
			{Type: wire.TypeGroupLeft},
		}
		e := events[uint(kind)%uint(len(events))]
		h := http.Header{wire.HeaderContentType: {contentType}, wire.HeaderConnectionState: {state}, wire.HeaderAllowedOrigin: {state}}
		x := answered(status, h, body)
		for _, v := range []Verdict{e.judge(x), e.judgeHandshake(x)} {
			if v.Effect == "" || v.OK != (v.Reason == "") || v.OK == (v.Hint != "") {
				t.Errorf("verdict %+v does not say what happens, why, or what to do", v)
			}
			if v.OK && status/100 != 2 {
				t.Errorf("status %d is taken for success: %+v", status, v)
			}
		}
	})
}

func TestJudgeNoAnswer(t *testing.T) {
	x := &Exchange{Err: errors.New("connection refused"), Hint: "start it"}
	if v := message("").judge(x); v.OK || v.Reason != "connection refused" || v.Hint != "start it" || len(v.Notes) != 1 {
		t.Errorf("got %+v, want the error, its hint and that it is sent again", v)
	}
	x.Err = &timeoutError{}
	if v := message("").judge(x); v.OK || len(v.Notes) != 0 {
		t.Errorf("got %+v, want no further attempt", v)
	}
}
