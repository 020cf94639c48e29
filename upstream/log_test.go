package upstream_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// mark is in everything that must not reach a log.
const mark = "s3cr3t"

// secretEvent returns headers that hold a secret wherever there is room for one.
func secretEvent(t *testing.T, ceType string, pairs ...string) http.Header {
	t.Helper()
	state, err := upstream.NewState(map[string]string{"token": mark})
	if err != nil {
		t.Fatal(err)
	}
	return event(ceType, append([]string{
		"Authorization", "Bearer " + mark, "Cookie", "sid=" + mark, "ce-connectionState", state.Raw(),
		"x-webpubsub-metadata-k", mark, "mqtt-k", mark, "X-Unknown", mark, "ce-source", mark, "x-ms-client-request-id", mark,
	}, pairs...)...)
}

// secretBodies are bodies with a secret in every member, good and bad ones.
func secretBodies(t *testing.T) map[string][]string {
	t.Helper()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"k": mark}, Bytes: []byte(mark)}))
	connect, err := json.Marshal(map[string]any{
		"claims": map[string]any{mark: []string{mark}}, "query": map[string]any{"access_token": []string{mark}},
		"headers": map[string]any{"Authorization": []string{mark}}, "subprotocols": []string{"bearer." + mark},
		"clientCertificates": []any{map[string]string{"thumbprint": mark, "content": certificate}},
		"mqtt": map[string]any{
			"protocolVersion": 5, "username": mark, "password": []byte(mark), "userProperties": []any{map[string]string{"name": mark, "value": mark}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		typeConnect: {
			string(connect), mark, `{"` + mark, `{"claims":"` + mark + `"}`, `{"claims":{"` + mark + `":{}}}`, `{"query":["` + mark + `"]}`,
			`{"headers":["` + mark + `"]}`, `{"clientCertificates":["` + mark + `"]}`, `{"mqtt":{"password":"` + mark + `!"}}`,
			`{"mqtt":{"protocolVersion":"` + mark + `"}}`, `{"subprotocols":{"` + mark + `":1}}`,
		},
		typeMessage:                       {mark, `{"token":"` + mark + `"}`, "\xff" + mark},
		typeConnected:                     {mark},
		typeDisconnected:                  {`{"reason":"` + mark + `"}`, `{"reason":{"` + mark + `":1}}`, `{"reason":` + mark, `{"mqtt":{"disconnectPacket":"` + mark + `"}}`},
		typeGroupJoined:                   {`{"group":"` + mark + `"}`, `{"group":["` + mark + `"]}`, mark},
		typeGroupLeft:                     {`{"group":{"` + mark + `":1}}`},
		"azure.webpubsub.sys.tomorrow":    {mark},
		"azure.webpubsub.user.unhandled":  {mark},
		"azure.webpubsub.user.typed":      {mark, `{"a":"` + mark + `"}`},
		"azure.webpubsub.user.state":      {mark},
		"azure.webpubsub.user.wrongState": {mark},
	}
}

// registerSecretive registers handlers that end in every way, with answers
// that hold secrets too.
func registerSecretive(h *upstream.EventHandler, outcome func() error) {
	cookies := []*http.Cookie{{Name: "sid", Value: mark}}
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		resp := &upstream.ConnectResponse{Cookies: cookies}
		return resp, errors.Join(resp.SetState("k", mark), outcome())
	})
	message := func(_ context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		resp := upstream.Text(mark)
		resp.Cookies, resp.Metadata = cookies, map[string]string{"k": mark}
		return resp, errors.Join(resp.SetState("k", mark), outcome())
	}
	h.HandleUserMessage(message)
	h.HandleConnected(func(context.Context, *upstream.ConnectedEvent) error { return outcome() })
	h.HandleDisconnected(func(context.Context, *upstream.DisconnectedEvent) error { return outcome() })
	h.HandleGroupJoined(func(context.Context, *upstream.GroupJoinedEvent) error { return outcome() })
	h.HandleUserEvent("typed", upstream.Typed(func(context.Context, *upstream.UserEventRequest, struct{ A int }) (int, error) { return 0, nil }))
	h.HandleUserEvent("state", upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, s *map[string]string) (*upstream.UserEventResponse, error) {
		(*s)["more"] = mark
		return nil, outcome()
	}))
	h.HandleUserEvent("wrongState", func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		_, err := upstream.StateOf[map[string]int](req)
		return nil, err
	})
}

func TestNoSecretIsLogged(t *testing.T) {
	secrets := []string{mark, demoKey, signed("conn1"), signed("conn1")[len("sha256="):], "czNjcjN0"} // czNjcjN0 is the mark in base64
	state, err := upstream.NewState(map[string]string{"token": mark})
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, state.Raw())
	outcomes := map[string]func() error{
		"success": func() error { return nil },
		"refusal": func() error { return upstream.NewError(403, "not you") },
		"failure": func() error { return errors.New("no database") },
	}
	for name, outcome := range outcomes {
		for _, format := range []string{"text", "json"} {
			var sink logSink
			options := &slog.HandlerOptions{Level: slog.LevelDebug - 100}
			var handler slog.Handler = slog.NewTextHandler(&sink, options)
			if format == "json" {
				handler = slog.NewJSONHandler(&sink, options)
			}
			logger := slog.New(handler)
			requests := 0
			h := newHandler(t, &upstream.Options{
				Logger: logger, Duplicates: upstream.NewDuplicateGuard(nil),
				Observe: func(context.Context, upstream.Record) { requests++ },
				HandleError: func(_ context.Context, err error) int {
					logger.Info("HandleError", "err", err)
					return 0
				},
				Middleware: []upstream.Middleware{func(next upstream.HandlerFunc) upstream.HandlerFunc {
					return func(ctx context.Context, req upstream.Request) (upstream.Reply, error) {
						logger.Info("middleware", "req", req, "connection", req.Connection(), "value", *req.Connection(), "state", req.Connection().State)
						return next(ctx, req)
					}
				}},
			})
			registerSecretive(h, outcome)
			for ceType, bodies := range secretBodies(t) {
				for _, body := range bodies {
					for _, pairs := range [][]string{
						nil, nil, // the second one is a duplicate
						{"ce-subprotocol", "mqtt", "ce-physicalConnectionId", "p", "ce-sessionId", mark},
						{"ce-connectionState", mark},
						{"ce-signature", "sha256=" + mark},
						{"WebHook-Request-Origin", "evil.test"},
						{"ce-hub", ""},
						{"Content-Type", mark},
					} {
						post(h, secretEvent(t, ceType, pairs...), body)
						if req, err := h.Parse(t.Context(), secretEvent(t, ceType, pairs...), []byte(body)); err == nil {
							logger.Info("x", "req", req)
							h.Handle(t.Context(), req)
						} else {
							logger.Info("x", "err", err)
						}
					}
				}
			}
			h.Preflight(http.Header{"Webhook-Request-Origin": {demoHost}, "Authorization": {mark}, "Cookie": {mark}})
			logger.Info("x", "validator", demoValidator(t))
			if requests < 100 {
				t.Fatalf("only %d requests", requests)
			}
			for _, secret := range secrets {
				for line := range strings.Lines(sink.String()) {
					if strings.Contains(line, secret) {
						t.Errorf("%s, %s: the log holds %q: %s", name, format, secret, line)
						break
					}
				}
			}
		}
	}
}

// TestRecordShowsNoSecret: Observe is where applications log.
func TestRecordShowsNoSecret(t *testing.T) {
	for name, handler := range map[string]func(*logSink) slog.Handler{
		"text": func(s *logSink) slog.Handler { return slog.NewTextHandler(s, nil) },
		"json": func(s *logSink) slog.Handler { return slog.NewJSONHandler(s, nil) },
	} {
		var sink logSink
		logger := slog.New(handler(&sink))
		h := newHandler(t, &upstream.Options{Observe: func(_ context.Context, r upstream.Record) { logger.Info("request", "record", r) }})
		post(h, secretEvent(t, typeMessage, "ce-signature", "sha256="+mark), mark)
		post(h, secretEvent(t, "foo.bar"), mark)
		if got := sink.String(); strings.Contains(got, mark) || !strings.Contains(got, "conn1") {
			t.Errorf("%s: a Record that is logged shows a secret, or nothing at all: %s", name, got)
		}
	}
}

// TestSubprotocolsAreNotLogged: they are a header of the client, in which
// browsers hide tokens, and a handler may have chosen one of its query.
func TestSubprotocolsAreNotLogged(t *testing.T) {
	var sink logSink
	h := answerConnect(t, &upstream.Options{Logger: sink.logger()}, &upstream.ConnectResponse{Subprotocol: "x-" + mark}, nil)
	post(h, event(typeConnect), `{"subprotocols":["bearer.`+mark+`"]}`)
	if got := sink.String(); strings.Contains(got, mark) || !strings.Contains(got, "Subprotocol is none") {
		t.Errorf("got %s", got)
	}
}

func TestLogLines(t *testing.T) {
	leave := map[string]func() error{
		"fine": func() error { return nil }, "refused": func() error { return upstream.NewError(403, "not you") },
		"failed": func() error { return errors.New("no database") }, "panicked": func() error { panic("x") },
		"busy": func() error { return upstream.ErrQueueFull },
	}
	always := []string{"time", "level", "msg", "status", "duration"}
	connection := append([]string{"hub", "event", "connection_id", "user_id"}, always...)
	for _, tt := range []struct {
		name  string
		send  func(*upstream.EventHandler)
		level string
		keys  []string
	}{
		{"fine", func(h *upstream.EventHandler) { post(h, event(typeMessage), "fine") }, "DEBUG", connection},
		{"no user", func(h *upstream.EventHandler) { post(h, without(event(typeMessage), "ce-userId"), "fine") }, "DEBUG", slices.DeleteFunc(slices.Clone(connection), func(k string) bool { return k == "user_id" })},
		{"no handler", func(h *upstream.EventHandler) { post(h, event(typeConnected), "{}") }, "DEBUG", connection},
		{"handshake", func(h *upstream.EventHandler) { h.Preflight(http.Header{"Webhook-Request-Origin": {demoHost}}) }, "DEBUG", append([]string{"origin"}, always...)},
		{"refused", func(h *upstream.EventHandler) { post(h, event(typeMessage), "refused") }, "INFO", append([]string{"err"}, connection...)},
		{"failed", func(h *upstream.EventHandler) { post(h, event(typeMessage), "failed") }, "ERROR", append([]string{"err"}, connection...)},
		{"panicked", func(h *upstream.EventHandler) { post(h, event(typeMessage), "panicked") }, "ERROR", append([]string{"err", "stack"}, connection...)},
		{"busy", func(h *upstream.EventHandler) { post(h, event(typeMessage), "busy") }, "WARN", append([]string{"err"}, connection...)},
		{"bad body", func(h *upstream.EventHandler) { post(h, event(typeConnect), "{") }, "WARN", append([]string{"err"}, connection...)},
		{"too large", func(h *upstream.EventHandler) { post(h, event(typeMessage), strings.Repeat("x", 100)) }, "WARN", append([]string{"err"}, connection...)},
		{"unknown hub", func(h *upstream.EventHandler) { post(h, event(typeMessage, "ce-hub", "x"), "") }, "WARN", append([]string{"err"}, connection...)},
		{"bad signature", func(h *upstream.EventHandler) { post(h, event(typeMessage, "ce-signature", "x"), "") }, "WARN", append([]string{"err", "origin"}, connection...)},
		{"foreign origin", func(h *upstream.EventHandler) { post(h, event(typeMessage, "WebHook-Request-Origin", "a.test"), "") }, "WARN", append([]string{"err", "origin"}, connection...)},
		{"handshake refused", func(h *upstream.EventHandler) { h.Preflight(http.Header{"Webhook-Request-Origin": {"a.test"}}) }, "WARN", append([]string{"err", "origin"}, always...)},
		{"no event", func(h *upstream.EventHandler) { post(h, http.Header{}, "") }, "WARN", append([]string{"err"}, always...)},
		{"wrong method", func(h *upstream.EventHandler) { do(h, "PUT", "/", http.Header{}, nil) }, "WARN", append([]string{"err"}, always...)},
	} {
		var sink logSink
		h := newHandler(t, &upstream.Options{Logger: sink.logger(), Hubs: []string{"chat"}, MaxBodyBytes: 50})
		h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			return nil, leave[string(req.Data)]()
		})
		tt.send(h)
		lines := sink.lines(t)
		if len(lines) != 1 {
			t.Errorf("%s: got %d lines, want 1:\n%s", tt.name, len(lines), sink.String())
			continue
		}
		var keys []string
		for k := range lines[0] {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		slices.Sort(tt.keys)
		if got := lines[0]["level"]; got != tt.level || !slices.Equal(keys, tt.keys) {
			t.Errorf("%s: got level %v and keys %q, want %s and %q", tt.name, got, keys, tt.level, tt.keys)
		}
	}
}

func TestWarningsComeOnce(t *testing.T) {
	var sink logSink
	h := newHandler(t, &upstream.Options{Logger: sink.logger(), HandleError: func(context.Context, error) int { return 200 }})
	warnings := func(pairs ...string) int {
		before := strings.Count(sink.String(), `"level":"WARN"`)
		for range 3 {
			post(h, event("azure.webpubsub.user.vote", pairs...), "")
		}
		return strings.Count(sink.String(), `"level":"WARN"`) - before
	}
	for _, tt := range []struct {
		name  string
		pairs []string
		want  int
	}{
		{"no handler", nil, 1},
		{"no handler, again in another case", []string{"ce-type", "azure.webpubsub.user.VOTE"}, 0},
		{"no handler for another name", []string{"ce-type", "azure.webpubsub.user.other"}, 1},
		{"unknown type", []string{"ce-type", "azure.webpubsub.sys.tomorrow"}, 1},
		{"version 2", []string{"ce-awpsversion", "2.0"}, 1},
		{"version 1.1", []string{"ce-awpsversion", "1.1"}, 0},
		{"status of HandleError", []string{"ce-signature", "x"}, 3 + 1}, // three refusals
	} {
		if got := warnings(tt.pairs...); got != tt.want {
			t.Errorf("%s: got %d warnings, want %d", tt.name, got, tt.want)
		}
	}
	before := len(sink.String())
	for i := range 3000 { // clients choose the names: what is remembered has a bound
		h.HandleHTTP(t.Context(), event(fmt.Sprint("azure.webpubsub.user.n", i)), nil)
	}
	if got := strings.Count(sink.String()[before:], `"level":"WARN"`); got >= 1000 {
		t.Errorf("3000 names made %d warnings, want less than 1000", got)
	}
	if !strings.Contains(sink.String(), "requests are not validated") {
		upstream.NewEventHandler(upstream.InsecureSkipValidation(), &upstream.Options{Logger: sink.logger()})
	}
	if got := strings.Count(sink.String(), "requests are not validated"); got != 1 {
		t.Errorf("InsecureSkipValidation warned %d times, want 1", got)
	}
}

func TestLongNamesAreClipped(t *testing.T) {
	long := strings.Repeat("größe", 2000)
	for name, send := range map[string]func(*upstream.EventHandler){
		"hub":          func(h *upstream.EventHandler) { post(h, event(typeMessage, "ce-hub", long), "") },
		"type":         func(h *upstream.EventHandler) { post(h, event("foo."+long), "") },
		"event":        func(h *upstream.EventHandler) { post(h, event("azure.webpubsub.user."+long), "") },
		"connection":   func(h *upstream.EventHandler) { post(h, event(typeMessage, "ce-connectionId", long), "") },
		"user":         func(h *upstream.EventHandler) { post(h, event(typeMessage, "ce-userId", long), "") },
		"origin":       func(h *upstream.EventHandler) { post(h, event(typeMessage, "WebHook-Request-Origin", long), "") },
		"handshake":    func(h *upstream.EventHandler) { h.Preflight(http.Header{"Webhook-Request-Origin": {long}}) },
		"subprotocols": func(h *upstream.EventHandler) { post(h, event(typeConnect), `{"subprotocols":["`+long+`"]}`) },
	} {
		var sink logSink
		h := newHandler(t, &upstream.Options{Logger: sink.logger(), Hubs: []string{"chat"}, RejectUnhandled: true})
		h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
			return &upstream.ConnectResponse{Subprotocol: "mine"}, nil
		})
		send(h)
		if got := len(sink.String()); got == 0 || got > 1500 || strings.Contains(sink.String(), `\ufffd`) {
			t.Errorf("%s: the log line takes %d bytes, want at most 1500 and valid text:\n%.300s…", name, got, sink.String())
		}
	}
}

func TestDefaultLogger(t *testing.T) {
	var sink logSink
	before := slog.Default()
	slog.SetDefault(sink.logger())
	defer slog.SetDefault(before)
	h := upstream.NewEventHandler(demoValidator(t), nil)
	post(h, event(typeConnected), "{}")
	if got := len(sink.lines(t)); got != 1 {
		t.Errorf("got %d lines in slog.Default, want 1", got)
	}
}

// TestObserve: exactly one record for every way in which a request can end.
func TestObserve(t *testing.T) {
	verified := upstream.Record{Hub: "chat", EventType: typeMessage, EventName: "message", ConnectionID: "conn1", EventID: "2", Verified: true}
	with := func(r upstream.Record, change func(*upstream.Record)) upstream.Record {
		change(&r)
		return r
	}
	answered := func(status int, in, out int64) upstream.Record {
		return with(verified, func(r *upstream.Record) { r.Status, r.BytesIn, r.BytesOut = status, in, out })
	}
	refused := func(status int) upstream.Record {
		return with(verified, func(r *upstream.Record) { r.Status, r.Verified = status, false })
	}
	handler := func(data string) func(*testing.T, *upstream.EventHandler) {
		return func(_ *testing.T, h *upstream.EventHandler) { post(h, event(typeMessage), data) }
	}
	for _, tt := range []struct {
		name  string
		send  func(*testing.T, *upstream.EventHandler)
		want  upstream.Record
		fails bool
	}{
		{"answer", handler("hello"), answered(200, 5, 5), false},
		{"empty answer", handler(""), answered(204, 0, 0), false},
		{"refusal", handler("refuse"), answered(403, 6, 3), true},
		{"failure", handler("fail"), answered(500, 4, 0), true},
		{"panic", handler("panic"), answered(500, 5, 0), true},
		{"late", handler("late"), answered(503, 4, 0), true},
		{"Goexit", handler("exit"), answered(500, 4, 0), true},
		{"HandleHTTP", func(t *testing.T, h *upstream.EventHandler) {
			h.HandleHTTP(t.Context(), event(typeMessage), []byte("hello"))
		}, answered(200, 5, 5), false},
		{"Parse and Handle", func(t *testing.T, h *upstream.EventHandler) {
			req, err := h.Parse(t.Context(), event(typeMessage), []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			h.Handle(t.Context(), req)
		}, answered(200, 5, 5), false},
		{"Parse fails", func(t *testing.T, h *upstream.EventHandler) {
			_, _ = h.Parse(t.Context(), event(typeMessage, "ce-signature", "x"), nil)
		}, refused(401), true},
		{"bad signature", func(_ *testing.T, h *upstream.EventHandler) { post(h, event(typeMessage, "ce-signature", "x"), "x") }, refused(401), true},
		{"foreign origin", func(_ *testing.T, h *upstream.EventHandler) {
			post(h, event(typeMessage, "WebHook-Request-Origin", "a.test"), "x")
		}, refused(403), true},
		{"no hub", func(_ *testing.T, h *upstream.EventHandler) { post(h, event(typeMessage, "ce-hub", ""), "x") }, with(refused(400), func(r *upstream.Record) { r.Hub = "" }), true},
		{"unknown hub", func(_ *testing.T, h *upstream.EventHandler) { post(h, event(typeMessage, "ce-hub", "x"), "x") }, with(answered(404, 0, 0), func(r *upstream.Record) { r.Hub = "x" }), true},
		{"too large", func(_ *testing.T, h *upstream.EventHandler) { post(h, event(typeMessage), strings.Repeat("x", 100)) }, answered(413, 0, 0), true},
		{"handshake", func(_ *testing.T, h *upstream.EventHandler) {
			do(h, "OPTIONS", "/", http.Header{"Webhook-Request-Origin": {demoHost}}, nil)
		}, upstream.Record{Status: 200, Verified: true, Handshake: true}, false},
		{"handshake refused", func(_ *testing.T, h *upstream.EventHandler) {
			do(h, "GET", "/", http.Header{"Webhook-Request-Origin": {"a.test"}}, nil)
		}, upstream.Record{Status: 403, Handshake: true}, true},
		{"handshake without origin", func(_ *testing.T, h *upstream.EventHandler) { h.Preflight(nil) }, upstream.Record{Status: 400, Handshake: true}, true},
		{"no event", func(_ *testing.T, h *upstream.EventHandler) { post(h, http.Header{}, "x") }, upstream.Record{Status: 400}, true},
		{"wrong method", func(_ *testing.T, h *upstream.EventHandler) { do(h, "PUT", "/", http.Header{}, nil) }, upstream.Record{Status: 405}, true},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var rec recorder
			h := newHandler(t, &upstream.Options{Observe: rec.observe, Hubs: []string{"chat"}, MaxBodyBytes: 50, HandlerTimeout: time.Second})
			h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				switch string(req.Data) {
				case "refuse":
					return nil, upstream.NewError(403, "no!")
				case "fail":
					return nil, errors.New("x")
				case "panic":
					panic("x")
				case "late":
					time.Sleep(time.Minute)
				case "exit":
					runtime.Goexit()
				}
				return upstream.Text(string(req.Data)), nil
			})
			tt.send(t, h)
			time.Sleep(time.Hour)
			synctest.Wait()
			got := rec.records()
			if len(got) != 1 {
				t.Fatalf("got %d records, want 1: %+v", len(got), got)
			}
			if failed := got[0].Err != nil; failed != tt.fails {
				t.Errorf("got the error %v, want one: %v", got[0].Err, tt.fails)
			}
			if got := with(got[0], func(r *upstream.Record) { r.Err, r.Duration = nil, 0 }); got != tt.want {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestPassedOnIsNotObserved: it is somebody else's request.
func TestPassedOnIsNotObserved(t *testing.T) {
	var rec recorder
	var sink logSink
	h := newHandler(t, &upstream.Options{Observe: rec.observe, Logger: sink.logger(), Hubs: []string{"chat"}}).Wrap(http.NotFoundHandler())
	post(h, http.Header{}, "x")
	post(h, event(typeMessage, "ce-hub", "other"), "x")
	if len(rec.records()) != 0 || sink.String() != "" {
		t.Errorf("got %d records and the log %q, want none", len(rec.records()), sink.String())
	}
}

// Requests end up in somebody's %v.
func TestRequestsAsText(t *testing.T) {
	h := newHandler(t, nil)
	header := event(typeConnect, "ce-connectionState", encoded(`{"k":"`+mark+`"}`), "x-secret", mark)
	req, err := h.Parse(t.Context(), header, []byte(`{"query":{"token":["`+mark+`"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		got := fmt.Sprintf(verb, req)
		if strings.Contains(got, mark) || strings.Contains(got, "sha256") || !strings.Contains(got, "conn1") {
			t.Errorf("%s: got %s", verb, got)
		}
	}
}
