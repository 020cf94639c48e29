package upstreamtest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func TestValidate(t *testing.T) {
	allow := func(status int, lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["WebHook-Allowed-Origin"] = lines // not canonical: a client would not mind
			w.WriteHeader(status)
		}
	}
	tests := []struct {
		name    string
		handler http.Handler
		origins []string
		method  string
		reason  string // empty: consent
	}{
		{name: "EventHandler", handler: newEventHandler(t, nil)},
		{name: "EventHandler, another host", handler: newEventHandler(t, nil), origins: []string{"a.example"}, reason: "403 Forbidden"},
		{name: "EventHandler, one of two", handler: newEventHandler(t, nil), origins: []string{"a.example", "LOCALHOST"}},
		{name: "star", handler: allow(204, "*")},
		{name: "without case", handler: allow(200, "LocalHost")},
		{name: "one of several lines", handler: allow(200, "a.example", "localhost")},
		{name: "a joined line", handler: allow(200, "a.example, localhost"), reason: `is ["a.example, localhost"], want one line`},
		{name: "a URL", handler: allow(200, "https://localhost"), reason: "want one line"},
		{name: "a prefix", handler: allow(200, "local"), reason: "want one line"},
		{name: "no header", handler: allow(200), reason: "WebHook-Allowed-Origin is []"},
		{name: "star, but refused", handler: allow(401, "*"), reason: "OPTIONS was answered with 401 Unauthorized"},
		{name: "405", handler: allow(405, "*"), reason: "405 Method Not Allowed"},
		{name: "redirect", handler: allow(301, "*"), reason: "with and without a trailing slash"},
		{name: "404", handler: http.NotFoundHandler(), method: "GET", reason: "GET was answered with 404"},
		{
			name: "404, but GET", method: "GET",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := upstreamtest.NewService(t, tt.handler, &upstreamtest.ServiceOptions{Origins: tt.origins})
			h := svc.Validate()
			if got, want := h.Refused(), tt.reason != ""; got != want || !strings.Contains(h.Reason, tt.reason) {
				t.Errorf("Refused() = %v for the reason %q, want %v and %q in it", got, h.Reason, want, tt.reason)
			}
			if got, want := h.Method, cmp.Or(tt.method, http.MethodOptions); got != want {
				t.Errorf("got method %s, want %s", got, want)
			}
		})
	}
}

// TestConsent says when the service asks: before the first client, and again
// only while the handler has not consented.
func TestConsent(t *testing.T) {
	var log []string
	consent := false
	svc := upstreamtest.NewService(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log = append(log, strings.TrimSpace(r.Method+" "+r.Header.Get("ce-eventName")))
		if consent {
			w.Header().Set("WebHook-Allowed-Origin", "*")
		}
	}), nil)

	c := svc.Connect(t.Context(), &upstreamtest.Client{MQTT: &upstream.MQTTConnect{}})
	if !c.Refused() || c.StatusCode != 500 || !strings.Contains(c.Reason, "handshake failed") || c.Connack.Code != 128 {
		t.Errorf("without consent: got %d %q, CONNACK %+v", c.StatusCode, c.Reason, c.Connack)
	}
	if got := c.Close(""); got != nil {
		t.Errorf("Close of a refused client sent something: %+v", got)
	}
	consent = true
	for range 2 {
		if c := svc.Connect(t.Context(), nil); c.Refused() {
			t.Errorf("with consent: %s", c.Reason)
		}
	}
	want := []string{"OPTIONS", "OPTIONS", "POST connect", "POST connected", "POST connect", "POST connected"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

// TestConversation is what the kit is for: a whole handler, as its author
// would test it.
func TestConversation(t *testing.T) {
	h := newEventHandler(t, nil)
	var log []string
	note := func(c *upstream.ConnectionContext, format string, args ...any) {
		line := fmt.Sprintf("%s %s %s ", c.EventID, c.EventName, c.UserID) + fmt.Sprintf(format, args...)
		log = append(log, strings.TrimSpace(line))
	}
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		note(req.Connection(), "%q", req.Claims["role"])
		if req.Query.Get("ticket") == "" {
			return nil, upstream.NewError(http.StatusForbidden, "no ticket")
		}
		resp := &upstream.ConnectResponse{
			UserID: "Alice", Groups: []string{"lobby"}, Roles: []string{},
			Cookies: []*http.Cookie{{Name: "node", Value: "7", Path: "/eventhandler"}},
		}
		return resp, resp.SetState("n", 0)
	})
	h.HandleConnected(func(_ context.Context, e *upstream.ConnectedEvent) error {
		note(e.Connection(), "%s %v", e.Subprotocol, e.Cookies())
		return nil
	})
	h.HandleUserEvent("count", upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, s *struct{ N int }) (*upstream.UserEventResponse, error) {
		s.N++
		return upstream.JSON(s.N)
	}))
	h.HandleGroupJoined(func(_ context.Context, e *upstream.GroupJoinedEvent) error {
		note(e.Connection(), "%s", e.Group)
		return nil
	})
	h.HandleGroupLeft(func(_ context.Context, e *upstream.GroupLeftEvent) error {
		note(e.Connection(), "%s", e.Group)
		return upstream.NewError(http.StatusTeapot, "")
	})
	h.HandleDisconnected(func(_ context.Context, e *upstream.DisconnectedEvent) error {
		s, err := upstream.StateOf[map[string]int](e)
		note(e.Connection(), "%s %v", e.Reason, s)
		return err
	})

	svc := upstreamtest.NewService(t, h, nil)
	if c := svc.Connect(t.Context(), nil); !c.Refused() || c.StatusCode != 403 || string(c.Body) != "no ticket" || c.Connected != nil {
		t.Errorf("no ticket: got %+v", c)
	}
	c := svc.Connect(t.Context(), &upstreamtest.Client{
		UserID: "alice", Roles: []string{"r"}, Groups: []string{"g"},
		Query:        url.Values{"ticket": {"1"}},
		Subprotocols: []string{"x", "json.webpubsub.azure.v1"},
	})
	if c.Refused() || c.StatusCode != 200 || c.UserID != "Alice" || c.Roles == nil || len(c.Roles) > 0 || c.Subprotocol != "json.webpubsub.azure.v1" {
		t.Fatalf("got %+v", c)
	}
	var n int
	for want := 1; want <= 2; want++ {
		if err := c.Event("count", upstreamtest.Text("")).Decode(&n); err != nil || n != want {
			t.Errorf("count: got %d, %v, want %d", n, err, want)
		}
	}
	c.Join("red")
	if r := c.Leave("lobby"); !r.Failed() || r.StatusCode != 418 {
		t.Errorf("Leave: got %+v", r)
	}
	if got, want := c.Groups(), []string{"red"}; !slices.Equal(got, want) {
		t.Errorf("got groups %q, want %q", got, want)
	}
	if first, second := c.Close("bye"), c.Close("again"); first != second || first.StatusCode != 204 {
		t.Errorf("Close: got %+v, then %+v", first, second)
	}
	want := []string{
		`0 connect  []`,
		`0 connect alice ["r"]`,
		`1 connected Alice json.webpubsub.azure.v1 [node=7]`,
		`4 joined Alice red`,
		`5 left Alice lobby`,
		`6 disconnected Alice bye map[N:2]`,
	}
	if !slices.Equal(log, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
}

// TestConnectAnswers says what the service makes of any answer to connect.
func TestConnectAnswers(t *testing.T) {
	client := upstreamtest.Client{
		UserID: "token", Roles: []string{"r"}, Groups: []string{"g"},
		Subprotocols: []string{"custom", "protobuf.webpubsub.azure.v1", "json.webpubsub.azure.v1"},
	}
	type outcome struct {
		UserID      string
		Roles       []string
		Groups      []string
		Subprotocol string
		State       string
	}
	token := outcome{"token", []string{"r"}, []string{"g"}, "protobuf.webpubsub.azure.v1", ""}
	with := func(change func(*outcome)) *outcome {
		o := token
		change(&o)
		return &o
	}
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   *outcome // nil: refused
		code   int      // when refused
		reason string
	}{
		{name: "204", status: 204, want: &token},
		{name: "204 with a body", status: 204, body: "{", want: &token},
		{name: "empty", status: 202, want: &token},
		{name: "null", status: 200, body: " null ", want: &token},
		{name: "nulls", status: 200, body: `{"userId":null,"groups":null,"roles":null,"subprotocol":null}`, want: &token},
		{name: "empty lists", status: 200, body: `{"groups":[],"roles":[]}`, want: with(func(o *outcome) { o.Roles = []string{} })},
		{name: "no user", status: 200, body: `{"userId":""}`, want: with(func(o *outcome) { o.UserID = "" })},
		{
			name: "all", status: 200, body: `{"userId":"u","groups":["a","b"],"roles":["x"],"subprotocol":"custom"}`,
			header: http.Header{"ce-connectionState": {"old", " new "}},
			want:   &outcome{"u", []string{"x"}, []string{"a", "b"}, "custom", "new"},
		},
		{name: "401", status: 401, body: "no", code: 401, reason: "401 Unauthorized"},
		{name: "500", status: 500, code: 500, reason: "500 Internal Server Error"},
		{name: "redirect", status: 307, code: 307, reason: "trailing slash"},
		{name: "not JSON", status: 200, body: "ok", code: 500, reason: "is not a JSON object"},
		{name: "half", status: 200, body: `{"userId":`, code: 500, reason: "not valid JSON"},
		{name: "wrong type", status: 200, body: `{"userId":1}`, code: 500, reason: "userId"},
		{name: "null role", status: 200, body: `{"roles":[null]}`, code: 500, reason: "roles"},
		{name: "blank group", status: 200, body: `{"groups":[" "]}`, code: 500, reason: "groups"},
		{name: "blank subprotocol", status: 200, body: `{"subprotocol":""}`, code: 500, reason: "subprotocol"},
		{name: "foreign subprotocol", status: 200, body: `{"subprotocol":"mqtt"}`, code: 500, reason: `is "mqtt", the client offered ["custom"`},
		{name: "too long", status: 200, body: `{}` + strings.Repeat(" ", 16<<20), code: 500, reason: "bytes"},
		{name: "odd state", status: 204, header: http.Header{"ce-connectionState": {"ä"}}, code: 500, reason: "state"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := upstreamtest.NewService(t, answer(tt.status, tt.header, tt.body), nil).Connect(t.Context(), &client)
			if tt.want == nil {
				if !c.Refused() || c.StatusCode != tt.code || !strings.Contains(c.Reason, tt.reason) {
					t.Errorf("got %d for the reason %q, want %d and %q in it", c.StatusCode, c.Reason, tt.code, tt.reason)
				}
				return
			}
			if c.Refused() || c.StatusCode != tt.status {
				t.Fatalf("got %d %s, want %d", c.StatusCode, c.Reason, tt.status)
			}
			if got := (outcome{c.UserID, c.Roles, c.Groups(), c.Subprotocol, c.State().Raw()}); !reflect.DeepEqual(got, *tt.want) {
				t.Errorf("got %+v, want %+v", got, *tt.want)
			}
		})
	}
}

// TestSubprotocolChoice says what the service speaks without being told.
func TestSubprotocolChoice(t *testing.T) {
	for want, offered := range map[string][]string{
		"":                                 {"a", "b"},
		"json.webpubsub.azure.v1":          {"a", "json.webpubsub.azure.v1", "json.reliable.webpubsub.azure.v1"},
		"json.reliable.webpubsub.azure.v1": {"json.reliable.webpubsub.azure.v1", "json.webpubsub.azure.v1"},
	} {
		c := upstreamtest.NewService(t, answer(204, nil, ""), nil).Connect(t.Context(), &upstreamtest.Client{Subprotocols: offered})
		if c.Subprotocol != want {
			t.Errorf("offered %q: got %q, want %q", offered, c.Subprotocol, want)
		}
	}
}

// TestConnectBody says what the service tells about a client, and what it
// keeps to itself.
func TestConnectBody(t *testing.T) {
	var got *upstream.ConnectRequest
	h := newEventHandler(t, nil)
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		got = req
		return nil, nil
	})
	client := &upstreamtest.Client{
		UserID: "alice", Roles: []string{"r1", "r2"}, Groups: []string{"g"},
		Claims:             map[string][]string{"role": {"r3"}, "exp": {"1"}},
		Query:              url.Values{"a": {"1"}, "ACCESS_TOKEN": {"secret"}},
		Headers:            http.Header{"X-A": {"1"}, "Authorization": {"secret"}},
		ClientCertificates: []upstream.ClientCertificate{{Thumbprint: "ff"}},
	}
	upstreamtest.NewService(t, h, nil).Connect(t.Context(), client)
	want := &upstreamtest.ConnectData{
		Claims:             map[string][]string{"sub": {"alice"}, "role": {"r3"}, "webpubsub.group": {"g"}, "exp": {"1"}},
		Query:              url.Values{"a": {"1"}},
		Headers:            http.Header{"X-A": {"1"}},
		Subprotocols:       []string{},
		ClientCertificates: []upstream.ClientCertificate{{Thumbprint: "ff"}},
	}
	if got := (&upstreamtest.ConnectData{
		Claims: got.Claims, Query: got.Query, Headers: got.Headers, Subprotocols: got.Subprotocols,
		ClientCertificates: got.ClientCertificates,
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if client.Query.Get("ACCESS_TOKEN") == "" || client.Headers.Get("Authorization") == "" {
		t.Error("Connect changed the Client")
	}
}

// TestEventHeaders says which headers change from event to event, and that a
// redelivery changes none.
func TestEventHeaders(t *testing.T) {
	type delivery struct{ id, requestID, state, body string }
	var all []delivery
	h := consenting(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all = append(all, delivery{
			r.Header.Get("ce-id"), r.Header.Get("x-ms-client-request-id"), strings.Join(r.Header["Ce-Connectionstate"], "|"), string(body),
		})
		w.Header().Set("ce-connectionState", fmt.Sprintf("after%d", len(all)))
		if len(all) == 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), nil)
	c.Send(upstreamtest.Text("a"))
	c.Redeliver()
	c.Send(upstreamtest.Text("b"))
	c.Close("bye")
	c.Redeliver()

	var got []string
	for _, d := range all {
		got = append(got, strings.Join([]string{d.id, d.state, d.body}, " "))
	}
	want := []string{
		`0  {"claims":{},"query":{},"headers":{},"subprotocols":[],"clientCertificates":[]}`,
		`1 after1 {}`,
		`2 after1 a`, // connected does not change the state
		`2 after1 a`, // neither does a failure, but the retry does
		`3 after4 b`,
		`4 after5 {"reason":"bye"}`,
		`4 after5 {"reason":"bye"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	ids := map[string]string{}
	for _, d := range all {
		if earlier, ok := ids[d.requestID]; ok && earlier != d.id {
			t.Errorf("events %s and %s share the request id %s", earlier, d.id, d.requestID)
		}
		ids[d.requestID] = d.id
	}
	if got, want := len(ids), 5; got != want {
		t.Errorf("got %d request ids for 5 events with 2 redeliveries: %v", got, ids)
	}
}

// TestReplies says what the service makes of any answer to a user event.
func TestReplies(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   upstreamtest.Data
		reason string // empty: success
		state  string // "before" unless the answer changes it
	}{
		{name: "204", status: 204, state: "before"},
		{name: "empty", status: 200, header: http.Header{"Content-Type": {"image/png"}}, state: "before"},
		{name: "text", status: 201, header: http.Header{"Content-Type": {"Text/Plain"}}, body: "hi", want: upstreamtest.Data{Bytes: []byte("hi"), ContentType: "Text/Plain"}, state: "before"},
		{name: "sniffed", status: 200, body: "hi", want: upstreamtest.Text("hi"), state: "before"},
		{name: "no type", status: 200, header: http.Header{"Content-Type": nil}, body: "hi", want: upstreamtest.Data{Bytes: []byte("hi")}, state: "before"},
		{name: "JSON", status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: "1", want: upstreamtest.JSON(1), state: "before"},
		{name: "protobuf", status: 200, header: http.Header{"Content-Type": {"application/x-protobuf"}}, body: "p", want: upstreamtest.Protobuf([]byte("p")), state: "before"},
		{name: "binary", status: 200, header: http.Header{"Content-Type": {"application/octet-stream"}}, body: "b", want: upstreamtest.Binary([]byte("b")), state: "before"},
		{
			name: "metadata", status: 200, header: http.Header{"X-WebPubSub-Metadata-Trace": {"a", "b, c "}}, body: "hi",
			want:  upstreamtest.Data{Bytes: []byte("hi"), ContentType: "text/plain; charset=utf-8", Metadata: map[string]string{"trace": "c"}},
			state: "before",
		},
		{
			name: "metadata only", status: 200, header: http.Header{"X-WebPubSub-Metadata-A": {"1"}, "Content-Type": {"application/json"}},
			want:  upstreamtest.Data{ContentType: "text/plain; charset=utf-8", Metadata: map[string]string{"a": "1"}},
			state: "before",
		},
		{name: "no user properties", status: 200, header: http.Header{"Mqtt-A": {"1"}}, body: "hi", want: upstreamtest.Text("hi"), state: "before"},
		{name: "state", status: 204, header: http.Header{"Ce-Connectionstate": {"after"}}, state: "after"},
		{name: "empty state", status: 204, header: http.Header{"Ce-Connectionstate": {""}}, state: ""},
		{name: "400", status: 400, header: http.Header{"Ce-Connectionstate": {"after"}}, body: "no", reason: "400 Bad Request", state: "before"},
		{name: "500", status: 500, reason: "500", state: "before"},
		{name: "redirect", status: 308, reason: "trailing slash", state: "before"},
		{name: "image", status: 200, header: http.Header{"Content-Type": {"image/png"}, "Ce-Connectionstate": {"after"}}, body: "x", reason: "image/png", state: "before"},
		{name: "state too long", status: 204, header: http.Header{"Ce-Connectionstate": {strings.Repeat("a", 8001)}}, reason: "8001 bytes", state: "before"},
		{name: "too long", status: 200, body: strings.Repeat(" ", 16<<20+1), reason: "16777217 bytes", state: "before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := consenting(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("ce-eventName") == "connect" {
					w.Header().Set("ce-connectionState", "before")
					return
				}
				answer(tt.status, tt.header, tt.body).ServeHTTP(w, r)
			})
			c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), nil)
			r := c.Send(upstreamtest.Text("hello"))
			if got, want := r.Failed(), tt.reason != ""; got != want || !strings.Contains(r.Reason, tt.reason) || r.StatusCode != tt.status {
				t.Errorf("got %d, Failed() = %v for the reason %q, want %d, %v and %q", r.StatusCode, got, r.Reason, tt.status, want, tt.reason)
			}
			if string(r.Body) != tt.body {
				t.Errorf("got body %.20q, want %.20q", r.Body, tt.body)
			}
			if !reflect.DeepEqual(r.Data, tt.want) {
				t.Errorf("got %+v, want %+v", r.Data, tt.want)
			}
			if got := c.State(); got.Raw() != tt.state || got.IsZero() {
				t.Errorf("got state %q, want %q", got.Raw(), tt.state)
			}
		})
	}
}

func TestReplyDecode(t *testing.T) {
	c := upstreamtest.NewService(t, newEchoHandler(t, nil), nil).Connect(t.Context(), nil)
	r := c.Send(upstreamtest.JSON(map[string]int{"a": 1}))
	var v struct{ A int }
	if err := r.Decode(&v); err != nil || v.A != 1 || r.DataType() != upstream.DataTypeJSON {
		t.Errorf("got %+v, %v, %s", v, err, r.DataType())
	}
	if err := c.Send(upstreamtest.JSON(json.RawMessage("{"))).Decode(&v); err == nil || !strings.Contains(err.Error(), `"{"`) {
		t.Errorf("got %v, want an error that shows the reply", err)
	}
}

func TestFaultsInConversation(t *testing.T) {
	c := upstreamtest.NewService(t, newEchoHandler(t, nil), nil).Connect(t.Context(), nil)
	if r := c.Send(upstreamtest.Text("a"), upstreamtest.BadSignature); !r.Failed() || r.StatusCode != 401 {
		t.Errorf("got %d, want 401", r.StatusCode)
	}
	if r := c.Redeliver(); r.Failed() || r.Text() != "a" {
		t.Errorf("the retry got %+v, want the right signature and %q", r, "a")
	}
}

func TestCookies(t *testing.T) {
	var got []string
	set := ""
	h := consenting(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Cookie"))
		if set != "" {
			w.Header().Set("Set-Cookie", set)
		}
		if r.Header.Get("ce-eventName") == "fail" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	svc := upstreamtest.NewService(t, h, nil)
	c := svc.Connect(t.Context(), nil)
	for _, step := range []struct{ event, set string }{
		{"ok", "a=1; Secure; HttpOnly"},
		{"fail", "b=2"},
		{"ok", "a=; Max-Age=0"},
		{"ok", ""},
	} {
		set = step.set
		c.Event(step.event, upstreamtest.Text(""))
	}
	set = ""
	svc.Connect(t.Context(), nil)
	if want := []string{"", "", "", "a=1", "a=1", "", "", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestURL sends every event where the settings of the service say.
func TestURL(t *testing.T) {
	mux := http.NewServeMux()
	var got []string
	mux.HandleFunc("/hubs/{hub}/on/{event}", func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.RequestURI+" "+r.PathValue("event"))
		w.Header().Set("WebHook-Allowed-Origin", "*")
	})
	svc := upstreamtest.NewService(t, mux, &upstreamtest.ServiceOptions{Hub: "sales", URL: "/hubs/{hub}/on/{event}?code=1"})
	svc.Connect(t.Context(), nil).Event("vote/now", upstreamtest.Text(""))
	want := []string{
		"/hubs/sales/on/validate?code=1 validate",
		"/hubs/sales/on/connect?code=1 connect",
		"/hubs/sales/on/connected?code=1 connected",
		"/hubs/sales/on/vote%2Fnow?code=1 vote/now",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var got []error
	c := upstreamtest.NewService(t, consenting(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Context().Err())
	}), nil).Connect(ctx, nil)
	cancel()
	c.Send(upstreamtest.Text(""))
	c.Close("")
	if want := []error{nil, nil, context.Canceled, nil}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDuplicates(t *testing.T) {
	h := newEventHandler(t, &upstream.Options{Duplicates: upstream.NewDuplicateGuard(nil)})
	runs := 0
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		runs++
		return upstream.Text(fmt.Sprint(runs)), nil
	})
	c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), nil)
	got := []string{
		c.Send(upstreamtest.Text("x")).Text(), c.Redeliver().Text(), c.Send(upstreamtest.Text("x")).Text(),
	}
	if want := []string{"1", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	var events atomic.Int64
	svc := upstreamtest.NewService(t, consenting(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ce-connectionState", fmt.Sprint(events.Add(1)))
		w.Header().Set("Set-Cookie", "a=1")
	}), nil)
	var wg sync.WaitGroup
	var ids sync.Map
	for range 4 {
		wg.Go(func() {
			c := svc.Connect(t.Context(), &upstreamtest.Client{Groups: []string{"g"}})
			if _, taken := ids.LoadOrStore(c.ID, true); taken {
				t.Errorf("two connections %q", c.ID)
			}
			for range 4 {
				wg.Go(func() { c.Send(upstreamtest.Text("")); c.State() })
				wg.Go(func() { c.Join("h"); c.Groups() })
			}
		})
	}
	wg.Wait()
	if got, want := events.Load(), int64(4*(2+4+4)); got != want {
		t.Errorf("got %d events, want %d", got, want)
	}
}

// TestFakeTime runs a conversation inside a bubble: a minute passes at once.
func TestFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newEventHandler(t, &upstream.Options{HandlerTimeout: time.Minute})
		var stamps []time.Time
		h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			stamps = append(stamps, req.Time)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), nil)
		start := time.Now()
		if got := c.Send(upstreamtest.Text("")).StatusCode; got != http.StatusServiceUnavailable {
			t.Errorf("got %d, want 503", got)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("the answer took %v, want a minute", got)
		}
		synctest.Wait() // for the handler that was given up
		c.Redeliver()
		synctest.Wait()
		if len(stamps) != 2 || !stamps[0].Equal(start) || !stamps[1].Equal(start) {
			t.Errorf("got ce-time %v, want %v twice", stamps, start)
		}
	})
}

func TestMisuse(t *testing.T) {
	connect := func(tb testing.TB) *upstreamtest.Conn {
		return upstreamtest.NewService(tb, answer(204, nil, ""), nil).Connect(t.Context(), nil)
	}
	refused := func(tb testing.TB) *upstreamtest.Conn {
		return upstreamtest.NewService(tb, answer(403, nil, ""), nil).Connect(t.Context(), nil)
	}
	tests := []struct {
		name string
		do   func(testing.TB)
		want string // empty: no complaint
	}{
		{"no misuse", func(tb testing.TB) { connect(tb).Close("") }, ""},
		{"a refused client is no misuse", func(tb testing.TB) { refused(tb).Close("") }, ""},
		{"nil handler", func(tb testing.TB) { upstreamtest.NewService(tb, nil, nil) }, "nil http.Handler"},
		{"URL with host", func(tb testing.TB) {
			upstreamtest.NewService(tb, answer(204, nil, ""), &upstreamtest.ServiceOptions{URL: "http://a.example/"})
		}, "want a path"},
		{"Send when refused", func(tb testing.TB) { refused(tb).Send(upstreamtest.Text("")) }, "message on conn1, which was refused: the handler answered 403 Forbidden"},
		{"Join when refused", func(tb testing.TB) { refused(tb).Join("g") }, "which was refused"},
		{"Redeliver when refused", func(tb testing.TB) { refused(tb).Redeliver() }, "which was refused"},
		{"Send when closed", func(tb testing.TB) { c := connect(tb); c.Close(""); c.Send(upstreamtest.Text("")) }, "message on conn1, which is closed"},
		{"Leave when closed", func(tb testing.TB) { c := connect(tb); c.Close(""); c.Leave("g") }, "left on conn1, which is closed"},
		{"event without name", func(tb testing.TB) { connect(tb).Event(" ", upstreamtest.Text("")) }, "without a name"},
		{"event with an impossible name", func(tb testing.TB) { connect(tb).Event("größe", upstreamtest.Text("")) }, "cannot send ce-"},
		{"group without name", func(tb testing.TB) { connect(tb).Join("") }, "group without a name"},
		{"CloseMQTT", func(tb testing.TB) { connect(tb).CloseMQTT("", upstream.MQTTDisconnect{}) }, "does not speak MQTT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tb := report(t, tt.do)
			if got := tb.text(); tb.fatal != (tt.want != "") || !strings.Contains(got, tt.want) || len(tb.lines) > 1 {
				t.Errorf("got %q (fatal: %v), want %q", got, tb.fatal, tt.want)
			}
		})
	}
}
