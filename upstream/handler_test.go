package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
)

func TestNewEventHandlerPanics(t *testing.T) {
	var typedNil *upstream.AccessKeyValidator
	for name, fn := range map[string]func(){
		"nil validator":       func() { upstream.NewEventHandler(nil, nil) },
		"typed nil validator": func() { upstream.NewEventHandler(typedNil, nil) },
		"blank hub":           func() { newHandler(t, &upstream.Options{Hubs: []string{"chat", " "}}) },
		"nil middleware":      func() { newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{nil}}) },
		"Wrap(nil)":           func() { newHandler(t, nil).Wrap(nil) },
		"Wrap of a typed nil": func() { newHandler(t, nil).Wrap((*http.ServeMux)(nil)) },
		"Mount on a taken path": func() {
			mux := http.NewServeMux()
			newHandler(t, nil).Mount(mux, "/eventhandler")
			newHandler(t, nil).Mount(mux, "/eventhandler/")
		},
	} {
		mustPanic(t, name, fn)
	}
}

// registrations registers one handler of every kind.
var registrations = map[string]func(*upstream.EventHandler){
	"connect": func(h *upstream.EventHandler) {
		h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return nil, nil })
	},
	"connected": func(h *upstream.EventHandler) {
		h.HandleConnected(func(context.Context, *upstream.ConnectedEvent) error { return nil })
	},
	"disconnected": func(h *upstream.EventHandler) {
		h.HandleDisconnected(func(context.Context, *upstream.DisconnectedEvent) error { return nil })
	},
	"joined": func(h *upstream.EventHandler) {
		h.HandleGroupJoined(func(context.Context, *upstream.GroupJoinedEvent) error { return nil })
	},
	"left": func(h *upstream.EventHandler) {
		h.HandleGroupLeft(func(context.Context, *upstream.GroupLeftEvent) error { return nil })
	},
	"message":      func(h *upstream.EventHandler) { h.HandleUserMessage(echo) },
	"custom event": func(h *upstream.EventHandler) { h.HandleUserEvent("Vote", echo) },
	"any event":    func(h *upstream.EventHandler) { h.HandleUserEvent("*", echo) },
}

func TestRegistrationPanics(t *testing.T) {
	for name, register := range registrations {
		mustPanic(t, name+" twice", func() {
			h := newHandler(t, nil)
			register(h)
			register(h)
		})
		for door, first := range map[string]func(*upstream.EventHandler){
			"an event":     func(h *upstream.EventHandler) { post(h, event(typeMessage), "") },
			"a handshake":  func(h *upstream.EventHandler) { h.Preflight(http.Header{}) },
			"Parse":        func(h *upstream.EventHandler) { _, _ = h.Parse(t.Context(), http.Header{}, nil) },
			"bare nothing": func(h *upstream.EventHandler) { do(h, http.MethodPut, "/", http.Header{}, nil) },
		} {
			mustPanic(t, name+" after "+door, func() {
				h := newHandler(t, nil)
				first(h)
				register(h)
			})
		}
	}

	h := newHandler(t, nil)
	h.HandleUserEvent("Vote", echo)
	h.HandleUserEvent("*", echo)
	for name, fn := range map[string]func(){
		"nil connect":                   func() { h.HandleConnect(nil) },
		"nil connected":                 func() { h.HandleConnected(nil) },
		"nil disconnected":              func() { h.HandleDisconnected(nil) },
		"nil joined":                    func() { h.HandleGroupJoined(nil) },
		"nil left":                      func() { h.HandleGroupLeft(nil) },
		"nil message":                   func() { h.HandleUserMessage(nil) },
		"nil custom":                    func() { h.HandleUserEvent("other", nil) },
		"nil Typed":                     func() { upstream.Typed[int, int](nil) },
		"nil WithState":                 func() { upstream.WithState[struct{}](nil) },
		"same name in another case":     func() { h.HandleUserEvent("VOTE", echo) },
		"no name":                       func() { h.HandleUserEvent("", echo) },
		"blank name":                    func() { h.HandleUserEvent(" ", echo) },
		"outer space":                   func() { h.HandleUserEvent("a ", echo) },
		"line break":                    func() { h.HandleUserEvent("a\nb", echo) },
		"a name no header can carry":    func() { h.HandleUserEvent("größe", echo) },
		"pattern":                       func() { h.HandleUserEvent("chat.*", echo) },
		"middleware that returns nil":   func() { nilMiddleware(t).HandleUserMessage(echo) },
		"message as a custom event too": func() { h.HandleUserMessage(echo); h.HandleUserEvent("Message", echo) },
	} {
		mustPanic(t, name, fn)
	}
}

func nilMiddleware(t *testing.T) *upstream.EventHandler {
	return newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{
		func(upstream.HandlerFunc) upstream.HandlerFunc { return nil },
	}})
}

func TestEventNamesChooseTheHandler(t *testing.T) {
	h := newHandler(t, nil)
	for _, name := range []string{"message", "Chat.Send", "*"} {
		h.HandleUserEvent(name, func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			return upstream.Text(name + " got " + req.EventName), nil
		})
	}
	for _, tt := range []struct{ ceType, eventName, want string }{
		{"azure.webpubsub.user.message", "message", "message got message"},
		{"AZURE.WebPubSub.User.MESSAGE", "message", "message got MESSAGE"},
		{"azure.webpubsub.user.chat.send", "chat.send", "Chat.Send got chat.send"},
		{"azure.webpubsub.user.Chat.SEND", "chat.send", "Chat.Send got Chat.SEND"},
		{"azure.webpubsub.user.other", "other", "* got other"},
		{"azure.webpubsub.user.message", "other", "message got message"}, // the type decides
		{"azure.webpubsub.user.other", "message", "* got other"},
		{"azure.webpubsub.user.connect", "connect", "* got connect"}, // a user may call it that
		{"azure.webpubsub.user.*", "*", "* got *"},
	} {
		w := post(h, event(tt.ceType, "ce-eventName", tt.eventName), "")
		if got := w.Body.String(); w.Code != http.StatusOK || got != tt.want {
			t.Errorf("%s with ce-eventName %s: got %d %q, want 200 %q", tt.ceType, tt.eventName, w.Code, got, tt.want)
		}
	}
}

func TestUnhandled(t *testing.T) {
	events := []struct {
		ceType, body string
		strict       int
	}{
		{typeConnect, `{}`, 204},
		{typeConnected, `{}`, 204},
		{typeDisconnected, `{"reason":null}`, 204},
		{typeGroupJoined, `{"group":"a"}`, 404},
		{typeGroupLeft, `{"group":"a"}`, 404},
		{typeMessage, "", 404},
		{"azure.webpubsub.user.vote", "", 404},
		{"azure.webpubsub.sys.tomorrow", "any text", 404},
		{"azure.webpubsub.tomorrow", "", 404},
	}
	lenient, strict := newHandler(t, nil), newHandler(t, &upstream.Options{RejectUnhandled: true})
	for _, tt := range events {
		if w := post(lenient, event(tt.ceType), tt.body); w.Code != 204 || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %q, want an empty 204", tt.ceType, w.Code, w.Body)
		}
		if w := post(strict, event(tt.ceType), tt.body); w.Code != tt.strict || w.Body.Len() > 0 {
			t.Errorf("%s with RejectUnhandled: got %d %q, want an empty %d", tt.ceType, w.Code, w.Body, tt.strict)
		}
	}
}

func TestMiddleware(t *testing.T) {
	var applied int
	var trace []string
	note := func(name string) upstream.Middleware {
		return func(next upstream.HandlerFunc) upstream.HandlerFunc {
			applied++
			return func(ctx context.Context, req upstream.Request) (upstream.Reply, error) {
				trace = append(trace, fmt.Sprintf("%s in %T", name, req))
				reply, err := next(ctx, req)
				trace = append(trace, fmt.Sprintf("%s out %T", name, reply))
				return reply, err
			}
		}
	}
	h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{note("a"), note("b")}})
	h.HandleUserMessage(echo)
	h.HandleConnected(func(context.Context, *upstream.ConnectedEvent) error { return nil })
	for range 3 {
		post(h, event(typeMessage), "x")
	}
	if got, want := applied, 4; got != want {
		t.Errorf("two middlewares over two handlers were applied %d times, want %d", got, want)
	}
	got := trace[:4]
	want := []string{
		"a in *upstream.UserEventRequest", "b in *upstream.UserEventRequest",
		"b out *upstream.UserEventResponse", "a out *upstream.UserEventResponse",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	trace = nil
	post(h, event(typeConnected), "{}")
	if got, want := trace[len(trace)-1], "a out <nil>"; got != want {
		t.Errorf("reply of a notification: got %q, want %q", got, want)
	}
}

func TestMiddlewareReplies(t *testing.T) {
	refusal := upstream.NewError(403, "not you")
	for _, tt := range []struct {
		name   string
		ceType string
		reply  upstream.Reply
		err    error
		want   int
	}{
		{"the right one", typeMessage, upstream.Text("x"), nil, 200},
		{"none", typeMessage, nil, nil, 204},
		{"typed nil", typeMessage, (*upstream.UserEventResponse)(nil), nil, 204},
		{"typed nil of the wrong type", typeMessage, (*upstream.ConnectResponse)(nil), nil, 204},
		{"of connect to a user event", typeMessage, &upstream.ConnectResponse{}, nil, 500},
		{"of a user event to connect", typeConnect, upstream.Text("x"), nil, 500},
		{"to a notification", typeConnected, upstream.Text("x"), nil, 500},
		{"an embedded nil", typeMessage, struct{ upstream.Reply }{}, nil, 500},
		{"refusal", typeMessage, nil, refusal, 403},
		{"refusal with a reply", typeMessage, upstream.Text("x"), refusal, 403},
		{"wrapped refusal", typeMessage, nil, fmt.Errorf("inner: %w", refusal), 403},
		{"joined refusal", typeMessage, nil, errors.Join(errors.New("inner"), refusal), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHandler(t, &upstream.Options{Middleware: []upstream.Middleware{
				func(upstream.HandlerFunc) upstream.HandlerFunc {
					return func(context.Context, upstream.Request) (upstream.Reply, error) { return tt.reply, tt.err }
				},
			}})
			for _, register := range registrations {
				register(h)
			}
			w := post(h, event(tt.ceType), "{}")
			if w.Code != tt.want {
				t.Errorf("got %d, want %d", w.Code, tt.want)
			}
			if got := w.Body.String(); w.Code == 500 && got != "" || w.Code == 403 && got != "not you" {
				t.Errorf("body of %d: %q", w.Code, got)
			}
		})
	}
}

func TestOptionsAreCopied(t *testing.T) {
	opts := &upstream.Options{
		Hubs:       []string{"chat"},
		Middleware: []upstream.Middleware{func(next upstream.HandlerFunc) upstream.HandlerFunc { return next }},
		Logger:     slog.New(slog.DiscardHandler),
	}
	h := upstream.NewEventHandler(demoValidator(t), opts)
	opts.Hubs[0] = "other"
	opts.Middleware[0] = nil
	opts.MaxBodyBytes = 1
	opts.HandleError = func(context.Context, error) int { return 499 }
	h.HandleUserMessage(echo)
	if w := post(h, event(typeMessage), "hello"); w.Code != 200 || w.Body.String() != "hello" {
		t.Errorf("got %d %q, want 200 hello", w.Code, w.Body)
	}
	if w := post(h, event(typeMessage, "ce-hub", "other"), "hello"); w.Code != 404 {
		t.Errorf("other hub: got %d, want 404", w.Code)
	}
}

func TestHubs(t *testing.T) {
	h := newHandler(t, &upstream.Options{Hubs: []string{"Chat", "news"}})
	for hub, want := range map[string]int{"chat": 204, "CHAT": 204, "Chat": 204, "news": 204, "chat2": 404, "cha": 404, "chat,news": 404} {
		if got := post(h, event(typeConnected, "ce-hub", hub), "{}").Code; got != want {
			t.Errorf("hub %s: got %d, want %d", hub, got, want)
		}
	}
}

// TestMount goes through a real server and a client that follows no redirect,
// as the service does, and finds the pages of the application where they were.
func TestMount(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text(upstream.HTTPRequest(ctx).PathValue("hub")), nil
	})
	for _, path := range []string{"/eventhandler", "/eventhandler/", "/api/hubs/{hub}/events"} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page") })
		h.Mount(mux, path)
		srv := httptest.NewServer(mux)
		t.Cleanup(srv.Close)
		client := srv.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		send := func(method, path string, header http.Header) *http.Response {
			r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = header
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp
		}
		base := strings.TrimRight(strings.ReplaceAll(path, "{hub}", "chat"), "/")
		handshake := http.Header{"Webhook-Request-Origin": {demoHost}, "Ce-Awpsversion": {"1.0"}}
		for _, at := range []string{base, base + "/", base + "/validate", base + "/a/b/", base + "/message?code=x"} {
			for method, header := range map[string]http.Header{"OPTIONS": handshake, "GET": handshake} {
				if got := send(method, at, header); got.StatusCode != 200 || got.Header.Get("WebHook-Allowed-Origin") != demoHost {
					t.Errorf("%s mounted, %s %s: got %d, allowed %q", path, method, at, got.StatusCode, got.Header["Webhook-Allowed-Origin"])
				}
			}
			if got := send("POST", at, event(typeMessage)); got.StatusCode != 200 && got.StatusCode != 204 {
				t.Errorf("%s mounted, POST %s: got %d", path, at, got.StatusCode)
			}
			if got := send("PUT", at, event(typeMessage)); got.StatusCode != 405 {
				t.Errorf("%s mounted, PUT %s: got %d, want 405", path, at, got.StatusCode)
			}
		}
		if got := send("GET", "/", http.Header{}); got.StatusCode != 200 {
			t.Errorf("%s mounted, GET / of the application: got %d, want 200", path, got.StatusCode)
		}
	}
}

func TestMountAtRoot(t *testing.T) {
	for _, path := range []string{"", "/"} {
		mux := http.NewServeMux()
		newHandler(t, nil).Mount(mux, path)
		for _, at := range []string{"/", "/validate", "/a/b"} {
			if got := do(mux, "POST", at, event(typeConnected), strings.NewReader("{}")).Code; got != 204 {
				t.Errorf("mounted at %q, POST %s: got %d, want 204", path, at, got)
			}
		}
	}
}
