package webpubsub_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// A call is an operation and the request that it has to make.
type call struct {
	name   string
	do     do
	method string
	uri    string // after /api/hubs/chat, without the version
	body   string
	header map[string]string // beside those that all requests have
	status int               // the success of it
	answer string
	repeat bool // whether it may be done twice
}

const text, jsonType = "text/plain", "application/json"

func calls(t *testing.T) []call {
	hello := webpubsub.Text("hello")
	return []call{
		{
			name:   "SendToAll",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.SendToAll(ctx, hello, nil) },
			method: "POST", uri: "/:send", body: "hello", header: map[string]string{"Content-Type": text}, status: 202,
		},
		{
			name: "SendToAll with all options",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.SendToAll(ctx, mustJSON(t, map[string]any{"a": "<&>"}), &webpubsub.SendOptions{
					Excluded: []string{"c 1", "c&2"},
					Filter:   webpubsub.Filter("userId ne ?", "it's+me"),
					TTL:      300 * time.Second,
				})
			},
			method: "POST",
			uri:    "/:send?excluded=c%201&excluded=c%262&filter=userId%20ne%20'it''s%2Bme'&messageTtlSeconds=300",
			body:   `{"a":"<&>"}`, header: map[string]string{"Content-Type": jsonType}, status: 202,
		},
		{
			name: "SendToGroup",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				m := webpubsub.Binary([]byte{0, 0xff})
				m.Metadata = map[string]string{"Color": "light blue"}
				return c.SendToGroup(ctx, "lobby", m, &webpubsub.SendOptions{Excluded: []string{"c1"}, TTL: time.Second})
			},
			method: "POST", uri: "/groups/lobby/:send?excluded=c1&messageTtlSeconds=1", body: "\x00\xff",
			header: map[string]string{"Content-Type": "application/octet-stream", "X-WebPubSub-Metadata-Color": "light blue"}, status: 202,
		},
		{
			name: "SendToUser",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.SendToUser(ctx, "bob", webpubsub.Protobuf([]byte{10}), &webpubsub.SendOptions{Filter: "x"})
			},
			method: "POST", uri: "/users/bob/:send?filter=x", body: "\n",
			header: map[string]string{"Content-Type": "application/x-protobuf"}, status: 202,
		},
		{
			name: "SendToConnection",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.SendToConnection(ctx, "c1", hello, &webpubsub.SendOptions{TTL: time.Minute})
			},
			method: "POST", uri: "/connections/c1/:send?messageTtlSeconds=60", body: "hello",
			header: map[string]string{"Content-Type": text}, status: 202,
		},
		{
			name:   "ConnectionExists",
			do:     yes(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.ConnectionExists(ctx, "c1") }),
			method: "HEAD", uri: "/connections/c1", status: 200, repeat: true,
		},
		{
			name:   "GroupExists",
			do:     yes(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.GroupExists(ctx, "lobby") }),
			method: "HEAD", uri: "/groups/lobby", status: 200, repeat: true,
		},
		{
			name:   "UserExists",
			do:     yes(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.UserExists(ctx, "bob") }),
			method: "HEAD", uri: "/users/bob", status: 200, repeat: true,
		},
		{
			name: "CloseConnection",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.CloseConnection(ctx, "c1", &webpubsub.CloseOptions{Reason: "good bye"})
			},
			method: "DELETE", uri: "/connections/c1?reason=good%20bye", status: 204, repeat: true,
		},
		{
			name:   "CloseAllConnections",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.CloseAllConnections(ctx, nil) },
			method: "POST", uri: "/:closeConnections", status: 204,
		},
		{
			name: "CloseGroupConnections",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.CloseGroupConnections(ctx, "lobby", &webpubsub.CloseOptions{Reason: "night", Excluded: []string{"c1", "c2"}})
			},
			method: "POST", uri: "/groups/lobby/:closeConnections?excluded=c1&excluded=c2&reason=night", status: 204,
		},
		{
			name:   "CloseUserConnections",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.CloseUserConnections(ctx, "bob", nil) },
			method: "POST", uri: "/users/bob/:closeConnections", status: 204,
		},
		{
			name: "AddConnectionToGroup",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.AddConnectionToGroup(ctx, "c1", "lobby")
			},
			method: "PUT", uri: "/groups/lobby/connections/c1", status: 200, repeat: true,
		},
		{
			name: "RemoveConnectionFromGroup",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.RemoveConnectionFromGroup(ctx, "c1", "lobby")
			},
			method: "DELETE", uri: "/groups/lobby/connections/c1", status: 204, repeat: true,
		},
		{
			name: "RemoveConnectionFromAllGroups",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.RemoveConnectionFromAllGroups(ctx, "c1")
			},
			method: "DELETE", uri: "/connections/c1/groups", status: 204, repeat: true,
		},
		{
			name:   "AddUserToGroup",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.AddUserToGroup(ctx, "bob", "lobby") },
			method: "PUT", uri: "/users/bob/groups/lobby", status: 200, repeat: true,
		},
		{
			name: "RemoveUserFromGroup",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.RemoveUserFromGroup(ctx, "bob", "lobby")
			},
			method: "DELETE", uri: "/users/bob/groups/lobby", status: 204, repeat: true,
		},
		{
			name:   "RemoveUserFromAllGroups",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.RemoveUserFromAllGroups(ctx, "bob") },
			method: "DELETE", uri: "/users/bob/groups", status: 204, repeat: true,
		},
		{
			name: "AddConnectionsToGroups",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.AddConnectionsToGroups(ctx, []string{"a", "."}, "userId eq 'bob'")
			},
			method: "POST", uri: "/:addToGroups", body: `{"groups":["a","."],"filter":"userId eq 'bob'"}`,
			header: map[string]string{"Content-Type": jsonType}, status: 200, repeat: true,
		},
		{
			name: "RemoveConnectionsFromGroups",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.RemoveConnectionsFromGroups(ctx, []string{"a"}, "")
			},
			method: "POST", uri: "/:removeFromGroups", body: `{"groups":["a"]}`,
			header: map[string]string{"Content-Type": jsonType}, status: 200, repeat: true,
		},
		{
			name: "GroupConnections",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				for _, err := range c.GroupConnections(ctx, "lobby", &webpubsub.GroupConnectionsOptions{PageSize: 20, Limit: 70}) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			method: "GET", uri: "/groups/lobby/connections?maxpagesize=20&top=70", status: 200, answer: `{"value":[]}`, repeat: true,
		},
		{
			name: "GrantPermission",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.GrantPermission(ctx, "c1", webpubsub.PermissionSendToGroup, "a&b")
			},
			method: "PUT", uri: "/permissions/sendToGroup/connections/c1?targetName=a%26b", status: 200, repeat: true,
		},
		{
			name: "RevokePermission",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				return c.RevokePermission(ctx, "c1", webpubsub.PermissionJoinLeaveGroup, "..")
			},
			method: "DELETE", uri: "/permissions/joinLeaveGroup/connections/c1?targetName=..", status: 204, repeat: true,
		},
		{
			name: "HasPermission",
			do: yes(func(ctx context.Context, c *webpubsub.Client) (bool, error) {
				return c.HasPermission(ctx, "c1", webpubsub.PermissionJoinLeaveGroup, "lobby")
			}),
			method: "HEAD", uri: "/permissions/joinLeaveGroup/connections/c1?targetName=lobby", status: 200, repeat: true,
		},
		{
			name: "GenerateClientToken",
			do: func(ctx context.Context, c *webpubsub.Client) error {
				_, err := c.GenerateClientToken(ctx, &webpubsub.ClientAccessOptions{
					UserID: "bob", Roles: []string{"r1", "r2"}, Groups: []string{"a", "b"},
					Lifetime: 5 * time.Minute, Protocol: webpubsub.ClientProtocolMQTT,
				})
				return err
			},
			method: "POST", uri: "/:generateToken?userId=bob&role=r1&role=r2&group=a&group=b&minutesToExpire=5&clientType=MQTT",
			status: 200, answer: `{"token":"abc"}`, repeat: true,
		},
		{
			name:   "Health",
			do:     func(ctx context.Context, c *webpubsub.Client) error { return c.Health(ctx) },
			method: "HEAD", uri: "/api/health", status: 200, repeat: true,
		},
	}
}

// yes turns a question into an operation that fails on no.
func yes(ask func(context.Context, *webpubsub.Client) (bool, error)) do {
	return func(ctx context.Context, c *webpubsub.Client) error {
		ok, err := ask(ctx, c)
		if err == nil && !ok {
			return io.ErrUnexpectedEOF
		}
		return err
	}
}

// uriOf returns the request URI that a call has to make.
func uriOf(c call) string {
	path, query, found := strings.Cut(c.uri, "?")
	if c.name != "Health" {
		path = "/api/hubs/chat" + path
	}
	path += "?api-version=2024-12-01"
	if found {
		path += "&" + query
	}
	return path
}

func TestOperations(t *testing.T) {
	for _, tt := range calls(t) {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				checkRequest(t, r, tt)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			client, err := webpubsub.NewClient("Endpoint="+server.URL+";AccessKey="+accessKey, "chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.do(t.Context(), client); err != nil {
				t.Error(err)
			}
			if requests != 1 {
				t.Errorf("got %d requests, want 1", requests)
			}
		})
	}
}

func checkRequest(t *testing.T, r *http.Request, want call) {
	if r.Method != want.method {
		t.Errorf("got method %s, want %s", r.Method, want.method)
	}
	if got, want := r.RequestURI, uriOf(want); got != want {
		t.Errorf("got URI\n     %s\nwant %s", got, want)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != want.body {
		t.Errorf("got body %q (%v), want %q", body, err, want.body)
	}
	if got := r.Header.Get("Content-Type"); got != want.header["Content-Type"] {
		t.Errorf("got Content-Type %q, want %q", got, want.header["Content-Type"])
	}
	for name, value := range want.header {
		if got := r.Header.Get(name); got != value {
			t.Errorf("got %s %q, want %q", name, got, value)
		}
	}
	if int(r.ContentLength) != len(want.body) {
		t.Errorf("got Content-Length %d, want %d", r.ContentLength, len(want.body))
	}
	if id := r.Header.Get("X-Ms-Client-Request-Id"); len(id) != 36 {
		t.Errorf("got X-Ms-Client-Request-Id %q, want a UUID", id)
	}
	checkToken(t, r.Header.Get("Authorization"), "http://"+r.Host+r.RequestURI, time.Now())
}

// Each operation knows the status of its success, and takes no other for it: a
// page that answers 200 to everything is no Web PubSub.
func TestForeignStatus(t *testing.T) {
	for _, tt := range calls(t) {
		for _, code := range []int{200, 201, 202, 204, 206, 302, 307} {
			if code == tt.status {
				continue
			}
			s := answering(status(code, tt.answer, "Location", "https://evil.test/"))
			e := serviceError(t, tt.do(t.Context(), s.client(t, nil)))
			if e.StatusCode != code || len(s.requests) != 1 {
				t.Errorf("%s: got status %d after %d requests, want %d after 1", tt.name, e.StatusCode, len(s.requests), code)
			}
		}
	}
}

// What does not exist is an answer to a question.
func TestNo(t *testing.T) {
	for _, tt := range calls(t) {
		s := answering(status(http.StatusNotFound, "", "x-ms-error-code", "Info.Connection.NotExisted"))
		err := tt.do(t.Context(), s.client(t, nil))
		if tt.method == http.MethodHead && tt.name != "Health" {
			if err != io.ErrUnexpectedEOF {
				t.Errorf("%s: got error %v, want no", tt.name, err)
			}
			continue
		}
		if e := serviceError(t, err); e.StatusCode != 404 || e.Code != "Info.Connection.NotExisted" {
			t.Errorf("%s: got %+v", tt.name, e)
		}
		if !strings.HasPrefix(err.Error(), "webpubsub: "+strings.Fields(tt.name)[0]+": ") {
			t.Errorf("%s: error %q does not name it", tt.name, err)
		}
	}
}

// A name comes out of the path as it went in.
func TestNames(t *testing.T) {
	for _, name := range []string{
		"a/b", "../b", "a%2Fb", "%", "a?b#c", "a b", "a+b", "Zoë", "😀", ":send", "a&b=c", "'", "!*'()~", "...", "\x00\n", "a;b,c@d$e",
	} {
		s := answering(status(http.StatusOK, ""))
		if err := s.client(t, nil).AddConnectionToGroup(t.Context(), name, name); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		req, err := http.NewRequest("PUT", "http://localhost:8080"+s.requests[0].URL.RequestURI(), nil)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("PUT /api/hubs/chat/groups/{group}/connections/{id}", func(_ http.ResponseWriter, r *http.Request) {
			if r.PathValue("group") != name || r.PathValue("id") != name {
				t.Errorf("got group %q and connection %q, want %q", r.PathValue("group"), r.PathValue("id"), name)
			}
		})
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, req); w.Code != 200 {
			t.Errorf("%q: %s leads to status %d", name, req.URL.RequestURI(), w.Code)
		}
		checkToken(t, s.requests[0].Header.Get("Authorization"), endpoint+s.requests[0].URL.RequestURI(), time.Now())
	}
}
