package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/rest"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

const versions = "2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, 2024-12-01"

// Every operation does what it is there for.
func TestOperations(t *testing.T) {
	const filter = "userId eq 'ann'"
	const query = "?excluded=c1&filter=userId%20eq%20%27ann%27&messageTtlSeconds=300&excluded=c2&reason=so+long"
	var (
		all        = broker.Target{}
		group      = broker.Target{Kind: broker.Group, Name: "g 1"}
		user       = broker.Target{Kind: broker.User, Name: "u+1"}
		connection = broker.Target{Kind: broker.Connection, Name: "c1"}
		excluded   = []string{"c1", "c2"}
		hi         = protocol.DataMessage{Data: protocol.Data{Type: "text", Bytes: []byte("hi")}}
		groupHi    = protocol.DataMessage{Group: "g 1", Data: hi.Data}
		found      = broker.Reply{Count: 1}
		ttl        = 300 * time.Second
	)
	tests := []struct {
		method, path string
		body         string
		reply        broker.Reply
		status       int
		published    broker.Command
		asked        broker.Command
		code         string // of a 404
		want         string // the body
	}{
		{method: "HEAD", path: "/api/health", status: 200},

		{method: "POST", path: "/api/hubs/Chat/:send" + query, body: "hi", status: 202, published: broker.Send{Target: all, Excluded: excluded, Filter: mustFilter(t, filter), Message: hi, TTL: ttl}},
		{method: "POST", path: "/api/hubs/chat/groups/g%201/:send" + query, body: "hi", status: 202, published: broker.Send{Target: group, Excluded: excluded, Filter: mustFilter(t, filter), Message: groupHi, TTL: ttl}},
		{method: "POST", path: "/api/hubs/chat/users/u+1/:send" + query, body: "hi", status: 202, published: broker.Send{Target: user, Filter: mustFilter(t, filter), Message: hi, TTL: ttl}},
		{method: "POST", path: "/api/hubs/chat/connections/c1/:send" + query, body: "hi", status: 202, published: broker.Send{Target: connection, Message: hi, TTL: ttl}},
		{method: "POST", path: "/api/hubs/chat/:send", body: "hi", status: 202, published: broker.Send{Message: hi}},

		{method: "POST", path: "/api/hubs/chat/:closeConnections" + query, status: 204, asked: broker.Close{Target: all, Excluded: excluded, Reason: "so long"}},
		{method: "POST", path: "/api/hubs/chat/groups/g%201/:closeConnections" + query, status: 204, asked: broker.Close{Target: group, Excluded: excluded, Reason: "so long"}},
		{method: "POST", path: "/api/hubs/chat/users/u+1/:closeConnections", status: 204, asked: broker.Close{Target: user}},
		{method: "DELETE", path: "/api/hubs/chat/connections/c1" + query, status: 204, asked: broker.Close{Target: connection, Reason: "so long"}},

		{method: "HEAD", path: "/api/hubs/chat/connections/c1", reply: found, status: 200, asked: broker.Count{Target: connection}},
		{method: "HEAD", path: "/api/hubs/chat/connections/c1", status: 404, asked: broker.Count{Target: connection}, code: "Warning.Connection.NotExisted"},
		{method: "HEAD", path: "/api/hubs/chat/groups/g%201", reply: found, status: 200, asked: broker.Count{Target: group}},
		{method: "HEAD", path: "/api/hubs/chat/groups/g%201", status: 404, asked: broker.Count{Target: group}, code: "Warning.Group.NotExisted"},
		{method: "HEAD", path: "/api/hubs/chat/users/u+1", reply: broker.Reply{Count: 7}, status: 200, asked: broker.Count{Target: user}},
		{method: "HEAD", path: "/api/hubs/chat/users/u+1", status: 404, asked: broker.Count{Target: user}, code: "Warning.User.NotExisted"},

		{method: "PUT", path: "/api/hubs/chat/groups/g%201/connections/c1", reply: found, status: 200, asked: broker.Join{Target: connection, Groups: []string{"g 1"}}},
		{method: "PUT", path: "/api/hubs/chat/groups/g%201/connections/c1", status: 404, asked: broker.Join{Target: connection, Groups: []string{"g 1"}}, code: "Error.Connection.NotExisted"},
		{method: "DELETE", path: "/api/hubs/chat/groups/g%201/connections/c1", status: 204, asked: broker.Leave{Target: connection, Groups: []string{"g 1"}}},
		{method: "DELETE", path: "/api/hubs/chat/connections/c1/groups", status: 204, asked: broker.Leave{Target: connection}},
		{method: "PUT", path: "/api/hubs/chat/users/u+1/groups/g%201", reply: found, status: 200, asked: broker.Join{Target: user, Groups: []string{"g 1"}}},
		{method: "PUT", path: "/api/hubs/chat/users/u+1/groups/g%201", status: 200, asked: broker.Join{Target: user, Groups: []string{"g 1"}}},
		{method: "DELETE", path: "/api/hubs/chat/users/u+1/groups/g%201", status: 204, asked: broker.Leave{Target: user, Groups: []string{"g 1"}}},
		{method: "DELETE", path: "/api/hubs/chat/users/u+1/groups", status: 204, asked: broker.Leave{Target: user}},

		{method: "POST", path: "/api/hubs/chat/:addToGroups", body: `{"groups":["a","b"],"filter":"userId eq 'ann'"}`, status: 200, asked: broker.Join{Groups: []string{"a", "b"}, Filter: mustFilter(t, filter)}},
		{method: "POST", path: "/api/hubs/chat/:addToGroups", body: `{"Groups":["a"],"filter":null}`, status: 200, asked: broker.Join{Groups: []string{"a"}}},
		{method: "POST", path: "/api/hubs/chat/:removeFromGroups", body: `{"groups":["a"],"filter":""}`, status: 200, asked: broker.Leave{Groups: []string{"a"}}},

		{method: "GET", path: "/api/hubs/chat/groups/g%201/connections", status: 200, asked: broker.Members{Group: "g 1", Limit: 201}, want: `{"value":[]}`},

		{method: "HEAD", path: "/api/hubs/chat/permissions/sendToGroup/connections/c1?targetName=g%2F1", reply: found, status: 200, asked: broker.Permitted{ConnectionID: "c1", Permission: roles.SendToGroup, Group: "g/1"}},
		{method: "HEAD", path: "/api/hubs/chat/permissions/JOINLEAVEGROUP/connections/c1?targetName=g", status: 404, asked: broker.Permitted{ConnectionID: "c1", Permission: roles.JoinLeaveGroup, Group: "g"}, code: "Info.Connection.NotExisted"},
		{method: "PUT", path: "/api/hubs/chat/permissions/1/connections/c1?targetName=g", reply: found, status: 200, asked: broker.Grant{ConnectionID: "c1", Permission: roles.SendToGroup, Group: "g"}},
		{method: "PUT", path: "/api/hubs/chat/permissions/2/connections/c1?targetName=g", status: 404, asked: broker.Grant{ConnectionID: "c1", Permission: roles.JoinLeaveGroup, Group: "g"}, code: "Info.Connection.NotExisted"},
		{method: "PUT", path: "/api/hubs/chat/permissions/sendToGroup/connections/c1?targetName=g", reply: broker.Reply{Count: 1, Full: true}, status: 409, asked: broker.Grant{ConnectionID: "c1", Permission: roles.SendToGroup, Group: "g"}, code: "Error.Connection.Conflict"},
		{method: "DELETE", path: "/api/hubs/chat/permissions/sendToGroup/connections/c1?targetName=g", reply: broker.Reply{Full: true}, status: 409, asked: broker.Revoke{ConnectionID: "c1", Permission: roles.SendToGroup, Group: "g"}, code: "Error.Connection.Conflict"},
		{method: "DELETE", path: "/api/hubs/chat/permissions/joinLeaveGroup/connections/c1?targetName=g", status: 204, asked: broker.Revoke{ConnectionID: "c1", Permission: roles.JoinLeaveGroup, Group: "g"}},

		{method: "POST", path: "/api/hubs/chat/:generateToken", status: 200, want: `{"token":"the-token"}`},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			s := newService()
			s.broker.reply = always(tt.reply)
			contentType := "text/plain"
			if strings.HasPrefix(tt.body, "{") {
				contentType = "application/json; charset=utf-8"
			}
			w := s.do(newRequest(tt.method, tt.path, tt.body, "Content-Type", contentType))
			if tt.code != "" {
				checkError(t, w, tt.method, tt.status, tt.code)
			} else if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, tt.status, tt.want)
			}
			if got, want := w.Header().Get("api-supported-versions"), versions; got != want && tt.path != "/api/health" {
				t.Errorf("api-supported-versions = %q, want %q", got, want)
			}
			switch {
			case tt.published != nil:
				checkIssued(t, s, issued{"chat", false, tt.published})
			case tt.asked != nil:
				checkIssued(t, s, issued{"chat", true, tt.asked})
			default:
				checkIssued(t, s)
			}
			if got, want := strings.Contains(s.log.String(), "level=WARN"), tt.status == 409; got != want {
				t.Errorf("a warning in the log: %v, want %v; log %s", got, want, s.log)
			}
		})
	}
}

// The body of an error is that of the service, as recorded from it.
func TestErrorBody(t *testing.T) {
	s := newService()
	w := s.do(newRequest("PUT", "/api/hubs/chat/permissions/joinLeaveGroup/connections/conn1?api-version=2023-07-01&targetName=group1", ""))
	got := w.Body.String()
	want := "{\"code\":\"Info.Connection.NotExisted\",\"message\":\"Connection `conn1` is not found.\",\"target\":\"Connection\",\"details\":null,\"innererror\":null}"
	if got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
}

func TestHealth(t *testing.T) {
	s := newService()
	s.denied = errTest
	w := s.do(newRequest("HEAD", "/api/health?api-version=whatever", ""))
	if w.Code != http.StatusOK || len(w.Header()) != 0 {
		t.Errorf("answer = %d %v, want 200 without headers", w.Code, w.Header())
	}
}

func TestUnknownPath(t *testing.T) {
	for _, path := range []string{
		"/", "/api", "/api/", "/api/health/", "/api/hubs/chat", "/api/hubs/chat/", "/api/hubs/chat/:invoke", "/api/hubs/chat/:SEND",
		"//api/health", "/api/hubs/chat//:send", "/api/hubs//:send", "/api/hubs/chat/users//groups", "/api/hubs/chat/./:send",
		"/api/hubs/chat/users/u/groups/g/connections/c/d/e", "/api/hubs/chat/groups/a/b/:send",
	} {
		s := newService()
		w := s.do(newRequest("POST", "http://localhost"+path, ""))
		checkError(t, w, "POST", http.StatusNotFound, "Error.NotFound")
		if t.Failed() {
			t.Fatalf("that was %s", path)
		}
	}
}

func TestWrongMethod(t *testing.T) {
	tests := []struct{ method, path, allow string }{
		{"GET", "/api/health", "HEAD"},
		{"OPTIONS", "/api/hubs/chat/:send", "POST"},
		{"GET", "/api/hubs/chat/connections/c", "DELETE, HEAD"},
		{"HEAD", "/api/hubs/chat/groups/g/connections", "GET"},
		{"POST", "/api/hubs/chat/groups/g/connections/c", "DELETE, PUT"},
		{"get", "/api/hubs/chat/permissions/sendToGroup/connections/c", "DELETE, HEAD, PUT"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			s := newService()
			w := s.do(newRequest(tt.method, tt.path, ""))
			checkError(t, w, tt.method, http.StatusMethodNotAllowed, "Error.MethodNotAllowed")
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("Allow = %q, want %q", got, tt.allow)
			}
			checkIssued(t, s)
		})
	}
}

func TestVersion(t *testing.T) {
	tests := []struct {
		query string
		ok    bool
	}{
		{"", true},
		{"?api-version=2021-10-01", true},
		{"?API-Version=2024-12-01", true},
		{"?api-version=", false},
		{"?api-version=2021-05-01-preview", false},
		{"?api-version=2024-12-01,2023-07-01", false},
		{"?api-version=2024-12-01&api-version=2024-12-01", false},
		{"?api-version=2024-12-01&Api-Version=2024-12-01", false},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			s := newService()
			w := s.do(newRequest("DELETE", "/api/hubs/chat/connections/c"+tt.query, ""))
			if tt.ok {
				if w.Code != http.StatusNoContent {
					t.Errorf("status = %d, want 204", w.Code)
				}
				return
			}
			if got, want := checkError(t, w, "DELETE", http.StatusBadRequest, "Error.BadRequest").Target, "api-version"; got != want {
				t.Errorf("target = %q, want %q", got, want)
			}
			checkIssued(t, s)
		})
	}
}

// A request without a valid token learns that and no more, and a bad name is
// no business of its sender.
func TestUnauthorized(t *testing.T) {
	for _, method := range []string{"HEAD", "DELETE"} {
		s := newService()
		s.denied = errTest
		w := s.do(newRequest(method, "/api/hubs/1/connections/c?reason=secret", "", "Authorization", "Bearer secret"))
		body := checkError(t, w, method, http.StatusUnauthorized, "Error.Unauthorized")
		if got, want := w.Header().Get("WWW-Authenticate"), "Bearer"; got != want {
			t.Errorf("WWW-Authenticate = %q, want %q", got, want)
		}
		if strings.Contains(body.Message, errTest.Error()) {
			t.Errorf("message = %q, want it without the reason", body.Message)
		}
		log := s.log.String()
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, errTest.Error()) || !strings.Contains(log, "level=WARN") {
			t.Errorf("log = %q, want one warning with the reason", log)
		}
		if strings.Contains(log, "secret") {
			t.Errorf("log = %q, want it without token and query", log)
		}
		checkIssued(t, s)
	}
}

func TestBrokerFailure(t *testing.T) {
	requests := []*http.Request{
		newRequest("POST", "/api/hubs/chat/:send", ""),
		newRequest("DELETE", "/api/hubs/chat/connections/c", ""),
		newRequest("HEAD", "/api/hubs/chat/users/u", ""),
		newRequest("PUT", "/api/hubs/chat/groups/g/connections/c", ""),
		newRequest("GET", "/api/hubs/chat/groups/g/connections", ""),
		newRequest("HEAD", "/api/hubs/chat/permissions/sendToGroup/connections/c?targetName=g", ""),
		newRequest("PUT", "/api/hubs/chat/permissions/sendToGroup/connections/c?targetName=g", ""),
		newRequest("DELETE", "/api/hubs/chat/permissions/sendToGroup/connections/c?targetName=g", ""),
		newRequest("POST", "/api/hubs/chat/:generateToken", ""),
	}
	for _, r := range requests {
		t.Run(r.Method+" "+r.URL.Path, func(t *testing.T) {
			s := newService()
			s.broker.err, s.failed = errTest, errTest
			body := checkError(t, s.do(r), r.Method, http.StatusInternalServerError, "Error.InternalServerError")
			if strings.Contains(body.Message, errTest.Error()) {
				t.Errorf("message = %q, want it without the reason", body.Message)
			}
			if log := s.log.String(); !strings.Contains(log, errTest.Error()) || !strings.Contains(log, "level=ERROR") {
				t.Errorf("log = %q, want an error with the reason", log)
			}
		})
	}
}

// A caller that leaves is no fault of the service.
func TestCallerLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newService()
	s.broker.err = ctx.Err()
	w := s.do(newRequest("POST", "/api/hubs/chat/:send", "").WithContext(ctx))
	checkError(t, w, "POST", http.StatusInternalServerError, "Error.InternalServerError")
	if log := s.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("log = %q, want no error in it", log)
	}
}

// What a caller chooses does not fill the log.
func TestLogIsBounded(t *testing.T) {
	s := newService()
	s.do(newRequest("GET", "/"+strings.Repeat("%20", 10_000), ""))
	if got, want := s.log.Len(), 2000; got > want || got == 0 {
		t.Errorf("log has %d bytes, want some, and %d at most", got, want)
	}
}

func TestGenerateToken(t *testing.T) {
	tests := []struct {
		query string
		want  rest.TokenOptions
	}{
		{"", rest.TokenOptions{Lifetime: time.Hour}},
		{"?userId=ann&role=webpubsub.sendToGroup&role=webpubsub.joinLeaveGroup.a&group=a&group=b%2Fc&minutesToExpire=1&clientType=default", rest.TokenOptions{
			UserID: "ann", Roles: []string{"webpubsub.sendToGroup", "webpubsub.joinLeaveGroup.a"}, Groups: []string{"a", "b/c"}, Lifetime: time.Minute,
		}},
		{"?USERID=ann&ClientType=", rest.TokenOptions{UserID: "ann", Lifetime: time.Hour}},
	}
	for _, tt := range tests {
		s := newService()
		w := s.do(newRequest("POST", "/api/hubs/Chat/:generateToken"+tt.query, ""))
		if got, want := w.Body.String(), `{"token":"the-token"}`; got != want {
			t.Errorf("%s: body = %s, want %s", tt.query, got, want)
		}
		if got, want := w.Header().Get("Content-Type"), "application/json; charset=utf-8"; got != want {
			t.Errorf("%s: Content-Type = %q, want %q", tt.query, got, want)
		}
		if diff := cmp.Diff([]rest.TokenOptions{tt.want}, s.options); diff != "" || !slices.Equal(s.hubs, []string{"chat"}) {
			t.Errorf("%s: issued for hub %q (-want +got):\n%s", tt.query, s.hubs, diff)
		}
	}
}

// The longest life that can be asked for lies in the future.
func TestGenerateTokenForever(t *testing.T) {
	s := newService()
	s.do(newRequest("POST", "/api/hubs/chat/:generateToken?minutesToExpire=2147483647", ""))
	if got, want := s.options[0].Lifetime, 200*365*24*time.Hour; got < want {
		t.Errorf("Lifetime = %v, want at least %v", got, want)
	}
}

func TestDefaults(t *testing.T) {
	h := rest.New(&rest.Options{
		Broker:    &fakeBroker{},
		Authorize: func(*http.Request) error { return nil },
		Issue:     func(*http.Request, string, rest.TokenOptions) (string, error) { return "", nil },
	})
	for length, want := range map[int]int{rest.DefaultMaxBodyBytes: 202, rest.DefaultMaxBodyBytes + 1: 413} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, newRequest("POST", "/api/hubs/chat/:send", strings.Repeat("a", length)))
		if w.Code != want {
			t.Errorf("%d bytes: status = %d, want %d", length, w.Code, want)
		}
	}
}

func TestNewPanics(t *testing.T) {
	authorize := func(*http.Request) error { return nil }
	issue := func(*http.Request, string, rest.TokenOptions) (string, error) { return "", nil }
	for _, o := range []*rest.Options{
		nil,
		{Authorize: authorize, Issue: issue},
		{Broker: &fakeBroker{}, Issue: issue},
		{Broker: &fakeBroker{}, Authorize: authorize},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%+v) returned, want a panic", o)
				}
			}()
			rest.New(o)
		}()
	}
}
