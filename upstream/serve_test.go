package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

func TestHandshake(t *testing.T) {
	var userCode int
	opts := &upstream.Options{
		HandleError: func(context.Context, error) int { userCode++; return 418 },
		Middleware: []upstream.Middleware{func(upstream.HandlerFunc) upstream.HandlerFunc {
			return func(context.Context, upstream.Request) (upstream.Reply, error) { userCode++; return nil, nil }
		}},
	}
	h := newHandler(t, opts)
	h.HandleUserEvent("*", echo)
	open := upstream.NewEventHandler(upstream.InsecureSkipValidation(), &upstream.Options{Logger: new(logSink).logger()})
	for _, tt := range []struct {
		name    string
		open    bool
		origins []string
		status  int
		allowed []string
	}{
		{"one host", false, []string{demoHost}, 200, []string{demoHost}},
		{"spelling kept", false, []string{"DEMO.webpubsub.azure.COM"}, 200, []string{"DEMO.webpubsub.azure.COM"}},
		{"comma and space", false, []string{"demo.contoso.com, " + demoHost}, 200, []string{demoHost}},
		{"comma alone, several lines", false, []string{"a.test,b.test", demoHost}, 200, []string{demoHost}},
		{"port", false, []string{demoHost + ":443"}, 200, []string{demoHost + ":443"}},
		{"the same twice", false, []string{demoHost, demoHost}, 200, []string{demoHost}},
		{"foreign", false, []string{"evil.test"}, 403, nil},
		{"prefix", false, []string{demoHost + ".evil.test"}, 403, nil},
		{"suffix", false, []string{"x" + demoHost}, 403, nil},
		{"URL", false, []string{"https://" + demoHost}, 403, nil},
		{"star", false, []string{"*"}, 403, nil},
		{"any, unrestricted", true, []string{"evil.test, b.test"}, 200, []string{"*"}},
		{"blank, unrestricted", true, []string{" , "}, 400, nil},
		{"blank", false, []string{""}, 400, nil},
		{"none", false, nil, 400, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := h
			if tt.open {
				h = open
			}
			header := http.Header{"Ce-Awpsversion": {"1.0"}, "Webhook-Request-Origin": tt.origins}
			check := func(door string, status int, got http.Header) {
				t.Helper()
				if status != tt.status || !slices.Equal(got["Webhook-Allowed-Origin"], tt.allowed) {
					t.Errorf("%s: got %d %q, want %d %q", door, status, got["Webhook-Allowed-Origin"], tt.status, tt.allowed)
				}
				if got, want := got.Get("Allow"), "POST, OPTIONS"; got != want {
					t.Errorf("%s: got Allow %q, want %q", door, got, want)
				}
			}
			for _, path := range []string{"/", "/eventhandler", "/eventhandler/validate", "/a/b/c/"} {
				for _, method := range []string{http.MethodOptions, http.MethodGet} {
					if method == http.MethodGet && tt.status == 400 {
						continue // without an origin a GET is no handshake
					}
					w := do(h, method, path, header, nil)
					check(method+" "+path, w.Code, w.Header())
					if w.Body.Len() > 0 {
						t.Errorf("%s %s: body %q", method, path, w.Body)
					}
				}
			}
			r := h.Preflight(http.Header{"webhook-request-origin": tt.origins})
			check("Preflight", r.StatusCode, r.Header)
		})
	}
	if userCode != 0 {
		t.Errorf("a handshake ran user code %d times", userCode)
	}
}

func TestRecognise(t *testing.T) {
	h := newHandler(t, nil)
	for _, tt := range []struct {
		name    string
		method  string
		header  http.Header
		mounted int
		wrapped int // 299: passed on
	}{
		{"event", "POST", event(typeConnected), 204, 204},
		{"event of version 1.7", "POST", event(typeConnected, "ce-awpsversion", "1.7"), 204, 204},
		{"event of version 2.0", "POST", event(typeConnected, "ce-awpsversion", "2.0"), 204, 204},
		{"event without version", "POST", without(event(typeConnected), "ce-awpsversion"), 204, 204},
		{"upper-case type without version", "POST", without(event("AZURE.WEBPUBSUB.SYS.CONNECTED"), "ce-awpsversion"), 204, 204},
		{"foreign type with version", "POST", event("foo.bar"), 400, 400},
		{"azure.sys.message with version", "POST", event("azure.sys.message"), 400, 400},
		{"foreign type", "POST", without(event("foo.bar"), "ce-awpsversion"), 400, 299},
		{"no type", "POST", without(event(typeConnected), "ce-awpsversion", "ce-type"), 400, 299},
		{"ordinary POST", "POST", http.Header{}, 400, 299},
		{"ordinary GET", "GET", http.Header{}, 405, 299},
		{"CORS preflight", "OPTIONS", http.Header{"Origin": {"https://a.test"}, "Access-Control-Request-Method": {"POST"}}, 405, 299},
		{"PUT of an event", "PUT", event(typeConnected), 405, 405},
		{"DELETE of an event without version", "DELETE", without(event(typeConnected), "ce-awpsversion"), 405, 405},
		{"GET marked, no origin", "GET", http.Header{"Ce-Awpsversion": {"1.0"}}, 405, 405},
		{"OPTIONS marked, no origin", "OPTIONS", http.Header{"Ce-Awpsversion": {"1.0"}}, 400, 400},
		{"OPTIONS with an event's type only", "OPTIONS", http.Header{"Ce-Type": {typeConnected}}, 405, 405},
		{"GET with empty origin", "GET", http.Header{"Webhook-Request-Origin": {""}}, 405, 299},
		{"HEAD with origin", "HEAD", http.Header{"Webhook-Request-Origin": {demoHost}}, 405, 299},
		{"PUT", "PUT", http.Header{}, 405, 299},
		{"odd method", "INVALID", http.Header{}, 405, 299},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != "{}" {
					t.Errorf("next found the body %q, want {}", body)
				}
				w.WriteHeader(299)
			})
			w := do(h, tt.method, "/", tt.header, strings.NewReader("{}"))
			if w.Code != tt.mounted {
				t.Errorf("mounted: got %d, want %d", w.Code, tt.mounted)
			}
			if w.Code == 405 && w.Header().Get("Allow") != "POST, OPTIONS" {
				t.Errorf("405 with Allow %q", w.Header()["Allow"])
			}
			if got := do(h.Wrap(next), tt.method, "/", tt.header, strings.NewReader("{}")).Code; got != tt.wrapped {
				t.Errorf("wrapped: got %d, want %d", got, tt.wrapped)
			}
		})
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (b untouchable) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, io.EOF
}

func TestNothingIsReadBeforeValidation(t *testing.T) {
	h := newHandler(t, &upstream.Options{Hubs: []string{"chat"}})
	passed := 0
	wrapped := h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { passed++; w.WriteHeader(299) }))
	for _, tt := range []struct {
		name   string
		header http.Header
		want   int
		passOn bool
	}{
		{"no ce-type", without(event(typeMessage), "ce-type"), 400, false},
		{"empty ce-type", event(typeMessage, "ce-type", ""), 400, false},
		{"no ce-hub", without(event(typeMessage), "ce-hub"), 400, false},
		{"empty ce-hub", event(typeMessage, "ce-hub", ""), 400, false},
		{"no ce-connectionId", without(event(typeMessage), "ce-connectionId"), 400, false},
		{"no origin", without(event(typeMessage), "WebHook-Request-Origin"), 400, false},
		{"blank origin", event(typeMessage, "WebHook-Request-Origin", ", ,"), 400, false},
		{"foreign origin", event(typeMessage, "WebHook-Request-Origin", "evil.test"), 403, false},
		{"origin by prefix", event(typeMessage, "WebHook-Request-Origin", demoHost+".evil.test"), 403, false},
		{"no signature", without(event(typeMessage), "ce-signature"), 401, false},
		{"signature of another connection", event(typeMessage, "ce-signature", signed("conn2")), 401, false},
		{"signature and foreign hub", event(typeMessage, "ce-signature", "sha256=00", "ce-hub", "other"), 401, false},
		{"signature and foreign type", event("foo.bar", "ce-signature", "sha256=00"), 401, false},
		{"signature and no name", event("azure.webpubsub.user.", "ce-signature", "sha256=00"), 401, false},
		{"foreign type", event("foo.bar"), 400, false},
		{"nameless user event", event("azure.webpubsub.user."), 400, false},
		{"unknown hub", event(typeMessage, "ce-hub", "other"), 404, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := do(h, "POST", "/", tt.header, untouchable{t})
			if w.Code != tt.want || w.Body.Len() > 0 {
				t.Errorf("got %d %q, want an empty %d", w.Code, w.Body, tt.want)
			}
			before := passed
			do(wrapped, "POST", "/", tt.header, untouchable{t})
			if got := passed > before; got != tt.passOn {
				t.Errorf("passed on: got %v, want %v", got, tt.passOn)
			}
		})
	}
}

// dump is all that a caller sees of an answer.
func dump(w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	_ = w.Header().Write(&b)
	return b.String() + w.Body.String()
}

func TestOutsidersLearnNothing(t *testing.T) {
	h := newHandler(t, &upstream.Options{Hubs: []string{"chat"}, RejectUnhandled: true, MaxBodyBytes: 10})
	h.HandleUserMessage(echo)
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return nil, nil })
	reached := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) }
	for fault, pairs := range map[string][]string{
		"bad signature":   {"ce-signature", "sha256=" + strings.Repeat("0", 64)},
		"empty signature": {"ce-signature", ""},
		"foreign origin":  {"WebHook-Request-Origin", "evil.test"},
		"no origin":       {"WebHook-Request-Origin", ""},
		"no connection":   {"ce-connectionId", ""},
	} {
		for name, door := range map[string]http.Handler{"mounted": h, "wrapped": h.Wrap(http.HandlerFunc(reached))} {
			want := dump(post(door, event(typeMessage, pairs...), "x"))
			for variant, got := range map[string]string{
				"unknown hub":    dump(post(door, event(typeMessage, append(pairs, "ce-hub", "other")...), "x")),
				"unhandled":      dump(post(door, event("azure.webpubsub.user.vote", pairs...), "x")),
				"nameless":       dump(post(door, event("azure.webpubsub.user.", pairs...), "x")),
				"connect":        dump(post(door, event(typeConnect, pairs...), "{}")),
				"group":          dump(post(door, event(typeGroupJoined, pairs...), "{}")),
				"unknown type":   dump(post(door, event("azure.webpubsub.sys.x", pairs...), "x")),
				"foreign type":   dump(post(door, event("foo.bar", pairs...), "x")),
				"large body":     dump(post(door, event(typeMessage, pairs...), strings.Repeat("x", 1000))),
				"broken body":    dump(post(door, event(typeConnect, pairs...), "{")),
				"MQTT":           dump(post(door, event(typeConnect, append(pairs, "ce-subprotocol", "mqtt")...), "{}")),
				"another client": dump(post(door, event(typeMessage, append(pairs, "ce-userId", "bob", "ce-id", "9")...), "x")),
			} {
				if got != want {
					t.Errorf("%s, %s: %s is answered\n%s, the known event\n%s", fault, name, variant, got, want)
				}
			}
		}
	}
}

func TestParse(t *testing.T) {
	state, err := upstream.RawState("opaque text")
	if err != nil {
		t.Fatal(err)
	}
	full := func(ceType string) http.Header {
		return event(ceType, "ce-subprotocol", "json.webpubsub.azure.v1", "ce-connectionState", "opaque text", "ce-sessionId", "s1", "ce-physicalConnectionId", "p1",
			"WebHook-Request-Origin", demoHost+", demo.contoso.com")
	}
	contextOf := func(header http.Header, name string) upstream.ConnectionContext {
		return upstream.ConnectionContext{
			ConnectionID: "conn1", Hub: "chat", UserID: "alice",
			EventType: header.Get("ce-type"), EventName: name, EventID: "2", RequestID: "7d1f0a52",
			Subprotocol: "json.webpubsub.azure.v1", Signature: signed("conn1"),
			Origin: demoHost, Origins: []string{demoHost, "demo.contoso.com"},
			Time: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC), State: state, Header: header,
			PhysicalConnectionID: "p1", SessionID: "s1",
		}
	}
	h := newHandler(t, nil)
	for _, tt := range []struct {
		ceType, body string
		blocking     bool
		want         func(http.Header) upstream.Request
	}{
		{typeConnect, `{"claims":{"sub":["alice"]}}`, true, func(hd http.Header) upstream.Request {
			return &upstream.ConnectRequest{ConnectionContext: contextOf(hd, "connect"), Claims: map[string][]string{"sub": {"alice"}}}
		}},
		{typeMessage, `{"a":1}`, true, func(hd http.Header) upstream.Request {
			return &upstream.UserEventRequest{
				ConnectionContext: contextOf(hd, "message"), Data: []byte(`{"a":1}`),
				ContentType: "application/json; charset=utf-8", DataType: upstream.DataTypeJSON,
			}
		}},
		{typeConnected, `not even JSON`, false, func(hd http.Header) upstream.Request {
			return &upstream.ConnectedEvent{ConnectionContext: contextOf(hd, "connected")}
		}},
		{typeDisconnected, `{"reason":"bye"}`, false, func(hd http.Header) upstream.Request {
			return &upstream.DisconnectedEvent{ConnectionContext: contextOf(hd, "disconnected"), Reason: "bye"}
		}},
		{"azure.webpubsub.SYS.Disconnected", `{"reason":null,"tomorrow":[]}`, false, func(hd http.Header) upstream.Request {
			return &upstream.DisconnectedEvent{ConnectionContext: contextOf(hd, "disconnected")}
		}},
		{typeDisconnected, `{}`, false, func(hd http.Header) upstream.Request {
			return &upstream.DisconnectedEvent{ConnectionContext: contextOf(hd, "disconnected")}
		}},
		{typeGroupJoined, `{"group":"a/b"}`, false, func(hd http.Header) upstream.Request {
			return &upstream.GroupJoinedEvent{ConnectionContext: contextOf(hd, "joined"), Group: "a/b"}
		}},
		{typeGroupLeft, `{}`, false, func(hd http.Header) upstream.Request {
			return &upstream.GroupLeftEvent{ConnectionContext: contextOf(hd, "left")}
		}},
		{"azure.webpubsub.sys.tomorrow", "raw", false, func(hd http.Header) upstream.Request {
			return &upstream.UnknownEvent{ConnectionContext: contextOf(hd, "tomorrow"), Data: []byte("raw"), ContentType: "application/json; charset=utf-8"}
		}},
	} {
		header := full(tt.ceType)
		got, err := h.Parse(t.Context(), header, []byte(tt.body))
		if err != nil {
			t.Errorf("%s %s: %v", tt.ceType, tt.body, err)
			continue
		}
		// As JSON, because the exported fields count; State is opaque.
		if got, want := asJSON(t, got), asJSON(t, tt.want(header)); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", tt.ceType, tt.body, got, want)
		}
		if got := got.Connection().State; got != state {
			t.Errorf("%s: got %v, want %v", tt.ceType, got, state)
		}
		if got.Blocking() != tt.blocking {
			t.Errorf("%s: Blocking is %v", tt.ceType, got.Blocking())
		}
		if resp := h.Handle(t.Context(), got); resp.StatusCode != 204 {
			t.Errorf("%s: Handle answers %d, want 204", tt.ceType, resp.StatusCode)
		}
	}
}

// asJSON is the type of v and its exported fields.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%T %s", v, data)
}

func TestParseHeaders(t *testing.T) {
	h := newHandler(t, nil)
	parse := func(header http.Header) *upstream.ConnectionContext {
		t.Helper()
		req, err := h.Parse(t.Context(), header, nil)
		if err != nil {
			t.Fatal(err)
		}
		return req.Connection()
	}
	for _, user := range []string{"a,b", "a/b", "用户,a/b %20", "a%20b", `"q"`, "a b", "ünï"} {
		if got := parse(event(typeMessage, "ce-userId", user)).UserID; got != user {
			t.Errorf("user id: got %q, want %q", got, user)
		}
	}
	optional := parse(without(event(typeMessage), "ce-userId", "ce-id", "ce-time", "ce-source", "ce-eventName", "ce-specversion",
		"ce-awpsversion", "ce-subprotocol", "Content-Type", "x-ms-client-request-id"))
	if optional.UserID != "" || optional.EventID != "" || !optional.Time.IsZero() || optional.EventName != "message" || !optional.State.IsZero() {
		t.Errorf("without the optional headers: got %+v", optional)
	}
	for value, want := range map[string]time.Time{
		"2026-09-01T08:00:00.5+02:00": time.Date(2026, 9, 1, 6, 0, 0, 5e8, time.UTC),
		"yesterday":                   {},
		"2026-09-01":                  {},
	} {
		if got := parse(event(typeMessage, "ce-time", value)).Time; !got.Equal(want) {
			t.Errorf("ce-time %q: got %v, want %v", value, got, want)
		}
	}
	if c := parse(event(typeMessage, "ce-connectionState", "")); c.State.IsZero() || c.State.Raw() != "" {
		t.Errorf("empty state: got %v, want present and empty", c.State)
	}
	twice := event(typeMessage)
	twice["Ce-Userid"] = []string{"alice", "mallory"}
	twice["Ce-Signature"] = []string{"sha256=00", signed("conn1")}
	if c := parse(twice); c.UserID != "alice" || c.Signature != "sha256=00,"+signed("conn1") {
		t.Errorf("two lines: got user %q, signature %q", c.UserID, c.Signature)
	}
	odd := http.Header{}
	for k, v := range event(typeMessage, "ce-userId", "Bob", "mqtt-a", "1", "ce-subprotocol", "mqtt", "x-webpubsub-metadata-k", "v") {
		odd[strings.ToLower(k)] = v
	}
	req, err := h.Parse(t.Context(), odd, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	user, ok := req.(*upstream.UserEventRequest)
	if !ok || user.UserID != "Bob" || user.Metadata["k"] != "v" || len(user.UserProperties) != 1 || user.Header.Get("ce-hub") != "chat" {
		t.Errorf("lower-case keys: got %+v", req)
	}
	if got := h.HandleHTTP(t.Context(), odd, nil).StatusCode; got != 204 {
		t.Errorf("HandleHTTP with lower-case keys: got %d, want 204", got)
	}
}

func TestParseErrors(t *testing.T) {
	h := newHandler(t, &upstream.Options{Hubs: []string{"chat"}, MaxBodyBytes: 4})
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		status int
		is     func(error) bool
	}{
		{"nil header", nil, "", 400, header("ce-type")},
		{"no hub", without(event(typeMessage), "ce-hub"), "", 400, header("ce-hub")},
		{"no connection id", without(event(typeMessage), "ce-connectionId"), "", 400, header("ce-connectionId")},
		{"no origin", without(event(typeMessage), "WebHook-Request-Origin"), "", 400, header("WebHook-Request-Origin")},
		{"foreign origin", event(typeMessage, "WebHook-Request-Origin", "a.test"), "", 403, func(err error) bool {
			e, ok := errors.AsType[*upstream.ValidationFailedError](err)
			return ok && e.Context.ConnectionID == "conn1" && e.Unwrap() != nil
		}},
		{"no signature", without(event(typeMessage), "ce-signature"), "", 401, func(err error) bool {
			e, ok := errors.AsType[*upstream.ValidationFailedError](err)
			return ok && e.Context.UserID == "alice"
		}},
		{"foreign type", event("foo.Bar"), "", 400, func(err error) bool {
			e, ok := errors.AsType[*upstream.InvalidEventTypeError](err)
			return ok && e.EventType == "foo.Bar" && e.Context.Hub == "chat"
		}},
		{"nameless", event("azure.webpubsub.user."), "", 400, func(err error) bool {
			e, ok := errors.AsType[*upstream.InvalidEventNameError](err)
			return ok && e.EventName == "" && e.Context.Hub == "chat"
		}},
		{"hub", event(typeMessage, "ce-hub", "x"), "", 404, func(err error) bool {
			e, ok := errors.AsType[*upstream.HubNotFoundError](err)
			return ok && e.Context.Hub == "x"
		}},
		{"large", event(typeMessage), "12345", 413, func(err error) bool {
			e, ok := errors.AsType[*upstream.BodyTooLargeError](err)
			return ok && e.Limit == 4
		}},
		{"disconnected", event(typeDisconnected), "[]", 400, invalidBody},
		{"disconnected, empty", event(typeDisconnected), "", 400, invalidBody},
		{"group", event(typeGroupJoined), "{", 400, invalidBody},
		{"group left", event(typeGroupLeft), "null", 400, invalidBody},
	} {
		req, err := h.Parse(t.Context(), tt.header, []byte(tt.body))
		coded, ok := err.(interface{ StatusCode() int })
		if req != nil || !ok || coded.StatusCode() != tt.status || !tt.is(err) {
			t.Errorf("%s: got %v, %#v, want status %d", tt.name, req, err, tt.status)
		}
		if resp := h.HandleHTTP(t.Context(), tt.header, []byte(tt.body)); resp.StatusCode != tt.status || len(resp.Body) > 0 {
			t.Errorf("%s: HandleHTTP answers %d %q, want an empty %d", tt.name, resp.StatusCode, resp.Body, tt.status)
		}
	}
}

func header(key string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*upstream.HeaderNotFoundError](err)
		return ok && e.Key == key
	}
}

func invalidBody(err error) bool {
	e, ok := errors.AsType[*upstream.InvalidBodyError](err)
	return ok && e.Context.ConnectionID == "conn1"
}

// TestConcurrency sends through all doors at once; the race detector judges.
func TestConcurrency(t *testing.T) {
	var rec recorder
	bg := upstream.NewBackground(&upstream.BackgroundOptions{Queue: 10_000, Observe: rec.observe, Logger: new(logSink).logger()})
	h := newHandler(t, &upstream.Options{
		Hubs: []string{"chat"}, Middleware: []upstream.Middleware{bg.Middleware}, Observe: rec.observe, HandlerTimeout: time.Minute,
		Duplicates: upstream.NewDuplicateGuard(&upstream.DuplicateGuardOptions{MaxAnswers: 16}),
	})
	for _, register := range registrations {
		register(h)
	}
	wrapped := h.Wrap(http.NotFoundHandler())
	const goroutines, rounds = 16, 25
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				id := fmt.Sprint((g + i) % 8)
				message := event(typeMessage, "ce-id", id)
				if w := post(h, message, "hi"+id); w.Code != 200 || w.Body.String() != "hi"+id {
					t.Errorf("got %d %q", w.Code, w.Body)
				}
				post(wrapped, event(typeMessage, "ce-hub", "other"), "x")
				post(h, event(typeConnected, "ce-id", fmt.Sprint("c", g, i)), "{}")
				post(h, event("azure.webpubsub.sys.unknown"+id), "")
				h.HandleHTTP(t.Context(), message, []byte("hi"+id))
				h.Preflight(http.Header{"Webhook-Request-Origin": {demoHost}})
				if req, err := h.Parse(t.Context(), event(typeConnect), []byte(`{}`)); err == nil {
					h.Handle(t.Context(), req)
				}
				post(h, event(typeMessage, "ce-signature", "sha256=00"), "")
			}
		})
	}
	wg.Wait()
	if err := bg.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inBackground := 0
	for _, r := range rec.records() {
		if r.Background {
			inBackground++
		}
	}
	if got, want := inBackground, goroutines*rounds; got != want {
		t.Errorf("background handled %d events, want %d", got, want)
	}
	if got, want := len(rec.records()), goroutines*rounds*8; got != want { // seven of the eight requests are ours, one runs again in the background
		t.Errorf("got %d records, want %d", got, want)
	}
}

func TestStatusCode(t *testing.T) {
	for want, errs := range map[int][]error{
		400: {&upstream.HeaderNotFoundError{Key: "ce-hub"}, &upstream.InvalidBodyError{}, &upstream.InvalidEventTypeError{}, &upstream.InvalidEventNameError{}, &upstream.InvalidConnectRequestError{}},
		401: {&upstream.ValidationFailedError{}},
		403: {upstream.NewError(403, "no").WithCause(&upstream.HubNotFoundError{})},
		404: {&upstream.HubNotFoundError{}, &upstream.HandlerNotFoundError{}},
		413: {&upstream.BodyTooLargeError{}, &http.MaxBytesError{}},
		500: {errors.New("x"), &upstream.InvalidResponseError{}},
		503: {upstream.ErrQueueFull, upstream.ErrShutdown, upstream.ErrHandlerTimeout},
	} {
		for _, err := range errs {
			if got := upstream.StatusCode(err); got != want || err.Error() == "" {
				t.Errorf("StatusCode(%T) = %d, want %d", err, got, want)
			}
		}
	}
}

// typedNil is a validator with the classic mistake.
type typedNil struct{}

func (typedNil) AllowsOrigin(string) bool { return true }
func (typedNil) Validate(context.Context, *upstream.ConnectionContext) error {
	var err *upstream.Error
	return err
}

func TestValidatorReturnsNilPointer(t *testing.T) {
	h := upstream.NewEventHandler(typedNil{}, &upstream.Options{Logger: new(logSink).logger()})
	if got := post(h, event(typeMessage), "").Code; got != 401 {
		t.Errorf("got %d, want 401", got)
	}
}
