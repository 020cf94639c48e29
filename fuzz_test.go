package webpubsub_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub"
)

// Whatever a value contains, a filter has it as one literal and nothing else.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "bob", "it's", "'", "''", "' or true or '", "?", "\\'", "\x00", "é\xff"} {
		f.Add(s, "x")
		f.Add("a", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		filter := webpubsub.Filter("userId eq ? and '?' ne ?", a, b)
		rest, ok := strings.CutPrefix(filter, "userId eq ")
		first, rest := readLiteral(rest)
		rest, ok2 := strings.CutPrefix(rest, " and '?' ne ")
		second, rest := readLiteral(rest)
		if !ok || !ok2 || first != a || second != b || rest != "" {
			t.Errorf("Filter of %q and %q: %q reads as %q, %q and a rest of %q", a, b, filter, first, second, rest)
		}
	})
}

// readLiteral reads a string literal of OData as its grammar has it.
func readLiteral(s string) (value, rest string) {
	if !strings.HasPrefix(s, "'") {
		return "", s
	}
	s = s[1:]
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			return value, s
		}
		value += s[:i]
		if s = s[i+1:]; !strings.HasPrefix(s, "'") {
			return value, s
		}
		value += "'"
		s = s[1:]
	}
}

// An error is short, of one line, valid text, and without the token.
func FuzzErrorBody(f *testing.F) {
	f.Add(404, `{"code":"Info.Connection.NotExisted","message":"m","target":"Connection","details":null}`, "application/json", "1", "")
	f.Add(500, `{"error":{"code":"a","message":"b\nc"}}`, "", "-1", "A.B")
	f.Add(400, "you sent TOKEN", "text/plain; charset=utf-8", "99999999999999999999", "TOKEN")
	f.Add(429, "\xff\x00\u2028", "text/plain", "Sat, 01 Jan 2000 00:00:09 GMT", "\u202e")
	f.Add(307, `{"code":{},"message":[],"error":7}`, "text/html", "Sat, 99 Jan 2000", "")
	f.Add(302, "[[[[[", ";;;", "0", "")
	f.Fuzz(func(t *testing.T, code int, body, contentType, retryAfter, errorCode string) {
		var token string
		s := &service{}
		s.respond = func(req *http.Request) (*http.Response, error) {
			token = req.Header.Get("Authorization")[len("Bearer "):]
			return status(code, strings.ReplaceAll(body, "TOKEN", token),
				"Content-Type", contentType, "Retry-After", retryAfter, "x-ms-error-code", strings.ReplaceAll(errorCode, "TOKEN", token)), nil
		}
		err := s.client(t, &webpubsub.ClientOptions{MaxRetries: -1}).Health(t.Context())
		if code == 200 {
			if err != nil {
				t.Error(err)
			}
			return
		}
		e := serviceError(t, err)
		text := err.Error()
		if e.StatusCode != code || e.RetryAfter < 0 {
			t.Errorf("got %+v", e)
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 2<<10 {
			t.Errorf("got text %q", text)
		}
		if strings.Contains(text, token) {
			t.Errorf("the text shows the token: %q", text)
		}
	})
}

// Whatever a page says, the next request goes to the same path of the same
// host, with a token for exactly its URL.
func FuzzPage(f *testing.F) {
	f.Add(`{"value":[{"connectionId":"c1","userId":"u"}],"nextLink":"http://localhost:8080/x?a=b"}`)
	f.Add(`{"value":[],"nextLink":"https://evil.test/x?a=b&c=%2F#d"}`)
	f.Add(`{"nextLink":"//evil.test?a=b\r\nHost: evil.test"}`)
	f.Add(`{"nextLink":"?%zz ' + é"}`)
	f.Add(`{"value":[null],"NEXTLINK":"?a"}`)
	f.Add(`{"value":{}}`)
	f.Fuzz(func(t *testing.T, page string) {
		s := answering(status(200, page), status(200, `{"value":[]}`))
		for _, err := range s.client(t, nil).GroupConnections(t.Context(), "lobby", nil) {
			if err != nil && !strings.HasPrefix(err.Error(), "webpubsub: GroupConnections: ") {
				t.Errorf("got error %v", err)
			}
		}
		for _, req := range s.requests {
			if got, want := req.URL.Scheme+"://"+req.URL.Host+req.URL.EscapedPath(), endpoint+"/api/hubs/chat/groups/lobby/connections"; got != want {
				t.Errorf("got a request to %q, want %q", got, want)
			}
			uri := req.URL.RequestURI()
			if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Errorf("got request URI %q", uri)
			}
			if got := claims(t, req.Header.Get("Authorization")[len("Bearer "):])["aud"]; got != endpoint+uri {
				t.Errorf("got audience %q, want %q", got, endpoint+uri)
			}
		}
		if len(s.requests) > 2 {
			t.Errorf("got %d requests", len(s.requests))
		}
	})
}

// A name is one segment of the path, and readers get it back.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "%2F", "a b+c", "?#", "é", "\xff", ":send", "'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := answering(status(202, ""))
		err := s.client(t, nil).SendToUser(t.Context(), name, webpubsub.Text("x"), &webpubsub.SendOptions{Filter: name})
		if refused := name == "" || name == "." || name == ".."; refused != (err != nil) {
			t.Fatalf("%q: got error %v", name, err)
		}
		if err != nil {
			return
		}
		u := s.requests[0].URL
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 7 {
			t.Fatalf("%q: got path %q", name, u.EscapedPath())
		}
		if got, err := url.PathUnescape(segments[5]); err != nil || got != name {
			t.Errorf("got name %q (%v), want %q", got, err, name)
		}
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil || query.Get("filter") != name || len(query) != 2 {
			t.Errorf("got query %v (%v), want filter %q", query, err, name)
		}
	})
}
