package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

// A bad name or parameter is refused before anything happens.
func TestBadInput(t *testing.T) {
	const body = `{"groups":["a"]}`
	long := strings.Repeat("é", 1025)
	permission := "/api/hubs/chat/permissions/sendToGroup/connections/c"
	tests := []struct{ method, path, body, target string }{
		{"POST", "/api/hubs/1chat/:send", "", "hub"},
		{"POST", "/api/hubs/ch%C3%A4t/:send", "", "hub"},
		{"POST", "/api/hubs/chat%0A/:send", "", "hub"},
		{"POST", "/api/hubs/a%2Fb/:send", "", "hub"},
		{"POST", "/api/hubs/" + strings.Repeat("a", 129) + "/:send", "", "hub"},
		{"HEAD", "/api/hubs/-/groups/g", "", ""},

		{"POST", "/api/hubs/chat/groups/%20%09/:send", "", "group"},
		{"PUT", "/api/hubs/chat/users/u/groups/" + long, "", "group"},
		{"DELETE", "/api/hubs/chat/groups/%20/connections/c", "", "group"},
		{"GET", "/api/hubs/chat/groups/%20/connections", "", "group"},

		{"POST", "/api/hubs/chat/users/%FF/:send", "", "path"},
		{"POST", "/api/hubs/chat/:send?filter=%FF", "", "query"},
		{"POST", "/api/hubs/chat/:send?filter=%", "", "query"},
		{"POST", "/api/hubs/chat/:send?a;b", "", "query"},

		{"POST", "/api/hubs/chat/:send?messageTtlSeconds=-1", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/users/u/:send?messageTtlSeconds=301", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/groups/g/:send?messageTtlSeconds=", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/connections/c/:send?messageTtlSeconds=1.5", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/:send?messageTtlSeconds=1&messageTtlSeconds=1", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/:send?messageTtlSeconds=99999999999999999999", "", "messageTtlSeconds"},
		{"POST", "/api/hubs/chat/:send?filter=userId%20lt", "", "filter"},
		{"POST", "/api/hubs/chat/users/u/:send?filter=userId%20lt", "", "filter"},
		{"POST", "/api/hubs/chat/groups/g/:send?filter=true&filter=true", "", "filter"},
		{"POST", "/api/hubs/chat/:closeConnections?reason=a&reason=b", "", "reason"},
		{"DELETE", "/api/hubs/chat/connections/c?reason=a&reason=b", "", "reason"},

		{"GET", "/api/hubs/chat/groups/g/connections?maxpagesize=0", "", "maxpagesize"},
		{"GET", "/api/hubs/chat/groups/g/connections?maxpagesize=201", "", "maxpagesize"},
		{"GET", "/api/hubs/chat/groups/g/connections?top=0", "", "top"},
		{"GET", "/api/hubs/chat/groups/g/connections?top=2147483648", "", "top"},
		{"GET", "/api/hubs/chat/groups/g/connections?top=", "", "top"},
		{"GET", "/api/hubs/chat/groups/g/connections?continuationToken=", "", "continuationToken"},
		{"GET", "/api/hubs/chat/groups/g/connections?continuationToken=AAAA", "", "continuationToken"},
		{"GET", "/api/hubs/chat/groups/g/connections?continuationToken=AAAAAAAAAAAAAAAA", "", "continuationToken"},
		{"GET", "/api/hubs/chat/groups/g/connections?continuationToken=!", "", "continuationToken"},
		{"GET", "/api/hubs/chat/groups/g/connections?continuationToken=a&continuationToken=a", "", "continuationToken"},

		{"PUT", "/api/hubs/chat/permissions/sendToGroups/connections/c?targetName=g", "", "permission"},
		{"PUT", "/api/hubs/chat/permissions/3/connections/c?targetName=g", "", "permission"},
		{"PUT", permission, "", "targetName"},
		{"DELETE", permission + "?targetName=", "", "targetName"},
		{"HEAD", permission + "?targetName=%20", "", ""},
		{"PUT", permission + "?targetName=" + long, "", "targetName"},
		{"PUT", permission + "?targetName=a&targetName=b", "", "targetName"},

		{"POST", "/api/hubs/chat/:generateToken?minutesToExpire=0", "", "minutesToExpire"},
		{"POST", "/api/hubs/chat/:generateToken?minutesToExpire=2147483648", "", "minutesToExpire"},
		{"POST", "/api/hubs/chat/:generateToken?userId=a&userId=b", "", "userId"},
		{"POST", "/api/hubs/chat/:generateToken?group=a&group=", "", "group"},
		{"POST", "/api/hubs/chat/:generateToken?clientType=mqtt", "", "clientType"},
		{"POST", "/api/hubs/chat/:generateToken?clientType=other", "", "clientType"},
		{"POST", "/api/hubs/chat/:generateToken?clientType=Default&clientType=Default", "", "clientType"},

		{"POST", "/api/hubs/chat/:addToGroups", "", "body"},
		{"POST", "/api/hubs/chat/:addToGroups", "null", "body"},
		{"POST", "/api/hubs/chat/:addToGroups", "[]", "body"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":["a"],"filters":"false"}`, "body"},
		{"POST", "/api/hubs/chat/:addToGroups", body + "{}", "body"},
		{"POST", "/api/hubs/chat/:addToGroups", "{}", "groups"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":null}`, "groups"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":[]}`, "groups"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":"a"}`, "groups"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":["a",1]}`, "groups"},
		{"POST", "/api/hubs/chat/:addToGroups", `{"groups":["a",null]}`, "groups"},
		{"POST", "/api/hubs/chat/:removeFromGroups", `{"groups":["a"," "]}`, "groups"},
		{"POST", "/api/hubs/chat/:removeFromGroups", `{"groups":["a"],"filter":1}`, "filter"},
		{"POST", "/api/hubs/chat/:removeFromGroups", `{"groups":["a"],"filter":"userId lt"}`, "filter"},
		{"POST", "/api/hubs/chat/:removeFromGroups", "\ufeff" + body, "body"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path+" "+tt.body, func(t *testing.T) {
			s := newService()
			s.broker.reply = always(broker.Reply{Count: 1})
			w := s.do(newRequest(tt.method, tt.path, tt.body, "Content-Type", "application/json"))
			if got := checkError(t, w, tt.method, http.StatusBadRequest, "Error.BadRequest").Target; got != tt.target {
				t.Errorf("target = %q, want %q; body %s", got, tt.target, w.Body)
			}
			checkIssued(t, s)
			if got := s.options; got != nil {
				t.Errorf("tokens issued: %+v, want none", got)
			}
			if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") {
				t.Errorf("log = %q, want one warning", log)
			}
		})
	}
}

// A broken filter is found without a look at the body.
func TestFilterBeforeBody(t *testing.T) {
	s := newService()
	w := s.do(httptest.NewRequest("POST", "/api/hubs/chat/:send?filter=userId%20lt", brokenBody()))
	if got, want := checkError(t, w, "POST", http.StatusBadRequest, "Error.BadRequest").Target, "filter"; got != want {
		t.Errorf("target = %q, want %q", got, want)
	}
}

func TestBody(t *testing.T) {
	tests := []struct {
		contentType, body string
		want              protocol.Data
	}{
		{"", "\x00\xff", protocol.Data{Type: "binary", Bytes: []byte("\x00\xff")}},
		{" ", "", protocol.Data{Type: "binary", Bytes: []byte{}}},
		{"application/octet-stream; charset=klingon", "\xff", protocol.Data{Type: "binary", Bytes: []byte("\xff")}},
		{"Application/X-Protobuf", "\x08\xff", protocol.Data{Type: "protobuf", Bytes: []byte("\x08\xff")}},
		{"application/json", ` {"a": 1} `, protocol.Data{Type: "json", Bytes: []byte(` {"a": 1} `)}},
		{"application/json;charset=UTF-8", `"é"`, protocol.Data{Type: "json", Bytes: []byte(`"é"`)}},
		{"application/json; charset=utf-16", "\"\x00\xe9\x00\"\x00", protocol.Data{Type: "json", Bytes: []byte(`"é"`)}},
		{"text/plain", "", protocol.Data{Type: "text", Bytes: []byte{}}},
		{"TEXT/PLAIN ; charset=\"utf-8\"", "é", protocol.Data{Type: "text", Bytes: []byte("é")}},
		{"text/plain", "a\xffb", protocol.Data{Type: "text", Bytes: []byte("a\uFFFDb")}},
		{"text/plain; charset=us-ascii", "a", protocol.Data{Type: "text", Bytes: []byte("a")}},
		{"text/plain; charset=ISO-8859-1", "\xe9\x80", protocol.Data{Type: "text", Bytes: []byte("é\u0080")}},
		{"text/plain; charset=utf-16", "\xfe\xff\x00\xe9", protocol.Data{Type: "text", Bytes: []byte("é")}},
		{"text/plain; charset=utf-16", "\xff\xfe\xe9\x00", protocol.Data{Type: "text", Bytes: []byte("é")}},
		{"text/plain; charset=utf-16le", "\x3d\xd8\x00\xde\x00", protocol.Data{Type: "text", Bytes: []byte("😀\uFFFD")}},
		{"text/plain; charset=utf-16be", "\xd8\x3d", protocol.Data{Type: "text", Bytes: []byte("\uFFFD")}},
		{"text/plain", strings.Repeat("a", maxBody), protocol.Data{Type: "text", Bytes: []byte(strings.Repeat("a", maxBody))}},
	}
	for _, tt := range tests {
		t.Run(tt.contentType, func(t *testing.T) {
			s := newService()
			r := newRequest("POST", "/api/hubs/chat/:send", tt.body)
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			if w := s.do(r); w.Code != http.StatusAccepted || w.Body.Len() > 0 {
				t.Errorf("answer = %d %s, want 202 without a body", w.Code, w.Body)
			}
			checkIssued(t, s, issued{"chat", false, broker.Send{Message: protocol.DataMessage{Data: tt.want}}})
		})
	}
}

func TestBadBody(t *testing.T) {
	const send = "/api/hubs/chat/connections/c/:send"
	long := strings.Repeat("a", maxBody+1)
	unsized := newRequest("POST", send, long)
	unsized.ContentLength = -1
	tests := []struct {
		name   string
		r      *http.Request
		status int
		code   string
	}{
		{"content type", newRequest("POST", send, "", "Content-Type", "application/xml"), 415, "Error.UnsupportedMediaType"},
		{"two content types", newRequest("POST", send, "", "Content-Type", "text/plain", "Content-Type", "text/plain"), 415, "Error.UnsupportedMediaType"},
		{"malformed content type", newRequest("POST", send, "", "Content-Type", `text/plain; charset="`), 415, "Error.UnsupportedMediaType"},
		{"charset", newRequest("POST", send, "", "Content-Type", "text/plain; charset=utf-7"), 415, "Error.UnsupportedMediaType"},
		{"compressed", newRequest("POST", send, "", "Content-Encoding", "gzip"), 415, "Error.UnsupportedMediaType"},
		{"text for groups", newRequest("POST", "/api/hubs/chat/:addToGroups", `{"groups":["a"]}`, "Content-Type", "text/plain"), 415, "Error.UnsupportedMediaType"},
		{"no type for groups", newRequest("POST", "/api/hubs/chat/:removeFromGroups", `{"groups":["a"]}`), 415, "Error.UnsupportedMediaType"},
		{"malformed type for groups", newRequest("POST", "/api/hubs/chat/:removeFromGroups", `{"groups":["a"]}`, "Content-Type", "a/b/c"), 415, "Error.UnsupportedMediaType"},
		{"too long", newRequest("POST", send, long), 413, "Error.PayloadTooLarge"},
		{"too long, without a length", unsized, 413, "Error.PayloadTooLarge"},
		{"too long for groups", newRequest("POST", "/api/hubs/chat/:addToGroups", long, "Content-Type", "application/json"), 413, "Error.PayloadTooLarge"},
		{"broken off", httptest.NewRequest("POST", send, brokenBody()), 400, "Error.BadRequest"},
		{"no JSON", newRequest("POST", send, "{", "Content-Type", "application/json"), 400, "Error.BadRequest"},
		{"empty JSON", newRequest("POST", send, "", "Content-Type", "application/json"), 400, "Error.BadRequest"},
		{"JSON that is no UTF-8", newRequest("POST", send, "\"\xff\"", "Content-Type", "application/json"), 400, "Error.BadRequest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService()
			checkError(t, s.do(tt.r), "POST", tt.status, tt.code)
			checkIssued(t, s)
		})
	}
}

func TestMetadata(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		want   map[string]string
	}{
		{"none", []string{"X-Other", "a"}, nil},
		{"lower case keys", []string{"X-WebPubSub-Metadata-Trace-ID", "a b"}, map[string]string{"trace-id": "a b"}},
		{"the last line", []string{"x-webpubsub-metadata-a", "1", "X-WEBPUBSUB-METADATA-A", "2"}, map[string]string{"a": "2"}},
		{"the last element", []string{"X-WebPubSub-Metadata-A", "1, 2 "}, map[string]string{"a": "2"}},
		{"no value", []string{"X-WebPubSub-Metadata-A", ""}, map[string]string{"a": ""}},
		{"longest value", []string{"X-WebPubSub-Metadata-A", strings.Repeat("v", 1024)}, map[string]string{"a": strings.Repeat("v", 1024)}},
		{"longest key", []string{"X-WebPubSub-Metadata-" + strings.Repeat("k", 256), "v"}, map[string]string{strings.Repeat("k", 256): "v"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService()
			s.do(newRequest("POST", "/api/hubs/chat/:send", "", tt.header...))
			if len(s.broker.issued) != 1 {
				t.Fatalf("commands = %v, want one; log %s", s.broker.issued, s.log)
			}
			if diff := cmp.Diff(tt.want, s.broker.issued[0].Command.(broker.Send).Message.Metadata); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadMetadata(t *testing.T) {
	var total []string
	for _, key := range strings.Split("a b c d e f g h", " ") {
		total = append(total, "X-WebPubSub-Metadata-"+key, strings.Repeat("v", 1024))
	}
	tests := []struct {
		name   string
		header []string
	}{
		{"key", []string{"X-WebPubSub-Metadata-a b", "v"}},
		{"long key", []string{"X-WebPubSub-Metadata-" + strings.Repeat("k", 257), "v"}},
		{"long value", []string{"X-WebPubSub-Metadata-A", strings.Repeat("v", 1025)}},
		{"value outside ASCII", []string{"X-WebPubSub-Metadata-A", "é"}},
		{"total", total},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService()
			r := newRequest("POST", "/api/hubs/chat/:send", "")
			for i := 0; i < len(tt.header); i += 2 {
				// A name with a space is not made canonical.
				name := http.CanonicalHeaderKey(tt.header[i])
				if strings.Contains(name, " ") {
					name = "X-Webpubsub-Metadata-A b"
				}
				r.Header[name] = []string{tt.header[i+1]}
			}
			if got, want := checkError(t, s.do(r), "POST", http.StatusBadRequest, "Error.BadRequest").Target, "metadata"; got != want {
				t.Errorf("target = %q, want %q", got, want)
			}
			checkIssued(t, s)
		})
	}
}
