package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

// statuses are all that an answer can have, apart from those of mistakes of our
// own.
var statuses = []int{200, 202, 204, 400, 401, 404, 405, 409, 413, 415}

func FuzzREST(f *testing.F) {
	for _, seed := range []struct{ method, path, query, contentType, body string }{
		{"HEAD", "/api/health", "", "", ""},
		{"POST", "/api/hubs/chat/:send", "api-version=2024-12-01&excluded=a&filter=userId+eq+null&messageTtlSeconds=3", "text/plain", "hi"},
		{"POST", "/api/hubs/chat/groups/g%2F1/:send", "", "application/json; charset=utf-16", "1\x00"},
		{"POST", "/api/hubs/chat/users/u/:closeConnections", "reason=%F0%9F%98%80", "", ""},
		{"POST", "/api/hubs/chat/:addToGroups", "", "application/json", `{"groups":["a"],"filter":"'a' in groups"}`},
		{"POST", "/api/hubs/chat/:generateToken", "userId=u&role=r&group=g&minutesToExpire=2147483647", "", ""},
		{"GET", "/api/hubs/chat/groups/g/connections", "top=3&maxpagesize=1&continuationToken=AAAAAAAAAAAAAAAA", "", ""},
		{"PUT", "/api/hubs/chat/permissions/1/connections/c", "targetName=g", "", ""},
		{"HEAD", "/api/hubs/chat/permissions/sendToGroup/connections/c", "targetName=g", "", ""},
		{"PATCH", "/api/hubs/chat/users/u/groups/g", "a;b", "a/b", "\xff"},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.contentType, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path == "" {
			t.Skip("no path that a server would pass on")
		}
		u.RawQuery = query
		s := newService()
		s.broker.reply = always(broker.Reply{Count: len(body) % 2, Full: len(query)%2 > 0, Members: []broker.Member{{ConnectionID: "a"}, {ConnectionID: "b"}}})
		if strings.Contains(contentType, "denied") {
			s.denied = errTest
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header["Content-Type"] = []string{contentType}
		w := s.do(r)

		if !slices.Contains(statuses, w.Code) {
			t.Fatalf("status = %d, want one of %v", w.Code, statuses)
		}
		if w.Code >= 400 {
			checkError(t, w, method, w.Code, w.Header().Get("x-ms-error-code"))
			if got := w.Header().Get("x-ms-error-code"); got == "" {
				t.Fatal("no x-ms-error-code")
			}
		} else if w.Body.Len() > 0 && (method == http.MethodHead || w.Code != 200 || !json.Valid(w.Body.Bytes())) {
			t.Fatalf("answer = %d %q", w.Code, w.Body)
		}
		// What was refused has not been done, what succeeded has been once.
		done, refused := len(s.broker.issued)+len(s.options), w.Code >= 400 && w.Code != 404 && w.Code != 409
		if refused && done != 0 || done > 1 {
			t.Fatalf("status %d, and %d commands: %+v", w.Code, done, s.broker.issued)
		}
		for _, i := range s.broker.issued {
			if i.Hub == "" || i.Hub != strings.ToLower(i.Hub) {
				t.Fatalf("hub = %q", i.Hub)
			}
			if send, ok := i.Command.(broker.Send); ok && send.Message.Data.Type == "text" && !utf8.Valid(send.Message.Data.Bytes) {
				t.Fatalf("text = %q, want UTF-8", send.Message.Data.Bytes)
			}
		}
	})
}

// Every name arrives as it is if it is sent as it must be: percent-encoded. Only
// a slash cannot be said, and stays encoded.
func FuzzPath(f *testing.F) {
	for _, name := range []string{"a", "a b", "a+b", "a/b", "%2F", "%2f%252F", ".", "..", "é", "a\xff", "", "%", "?#", ":send", "\x00", "😀"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := newService()
		s.broker.reply = always(broker.Reply{Count: 1})
		r := newRequest("HEAD", "http://localhost/api/hubs/chat/users/"+url.PathEscape(name), "")
		w := s.do(r)
		switch {
		case name == "":
			checkError(t, w, "HEAD", http.StatusNotFound, "Error.NotFound")
		case !utf8.ValidString(name):
			checkError(t, w, "HEAD", http.StatusBadRequest, "Error.BadRequest")
		default:
			want := broker.Target{Kind: broker.User, Name: strings.ReplaceAll(name, "/", "%2F")}
			checkIssued(t, s, issued{"chat", true, broker.Count{Target: want}})
		}

		// How much of a name is encoded makes no difference.
		again := newService()
		again.broker.reply = s.broker.reply
		var all strings.Builder
		for i := range len(name) {
			all.WriteString("%" + string("0123456789ABCDEF"[name[i]>>4]) + string("0123456789ABCDEF"[name[i]&15]))
		}
		again.do(newRequest("HEAD", "http://localhost/api/hubs/chat/users/"+all.String(), ""))
		if diff := cmp.Diff(s.broker.issued, again.broker.issued); diff != "" {
			t.Errorf("encoded in part and in whole (-part +whole):\n%s", diff)
		}
	})
}

// The examples of Microsoft's emulator.
func TestPath(t *testing.T) {
	tests := []struct{ path, want string }{
		{"tenant%2Falice", "tenant%2Falice"},
		{"tenant%2falice", "tenant%2falice"},
		{"tenant%252Falice", "tenant%2Falice"},
		{"alice%20smith", "alice smith"},
		{"alice+bob", "alice+bob"},
		{"%2e%2e", ".."},
		{":send", ":send"},
	}
	for _, tt := range tests {
		s := newService()
		s.do(newRequest("HEAD", "http://localhost/api/hubs/chat/groups/"+tt.path, ""))
		checkIssued(t, s, issued{"chat", true, broker.Count{Target: broker.Target{Kind: broker.Group, Name: tt.want}}})
	}
	s := newService()
	s.do(newRequest("POST", "/api/hubs/chat/%3Asend", ""))
	if len(s.broker.issued) != 1 {
		t.Errorf("an encoded colon: %d commands, want 1; log %s", len(s.broker.issued), s.log)
	}
}
