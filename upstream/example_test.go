package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// The examples use the access key of the local emulators, which is public.
// Yours comes from the environment.
func newValidator() *upstream.AccessKeyValidator {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		log.Fatal(err)
	}
	return v
}

var quiet = slog.New(slog.DiscardHandler)

// show sends an event to h and prints the answer.
func show(h http.Handler, ev upstreamtest.Event) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, upstreamtest.NewRequest(ev))
	fmt.Println(strings.TrimSpace(fmt.Sprint(rec.Code, " ", rec.Body)))
}

func Example() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		user := req.Query.Get("user")
		if user == "" {
			return nil, upstream.NewError(http.StatusUnauthorized, "say who you are")
		}
		return &upstream.ConnectResponse{UserID: user, Groups: []string{"lobby"}}, nil
	})
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("you said " + string(req.Data)), nil
	})

	show(h, upstreamtest.Event{Type: upstreamtest.TypeConnect, Connect: &upstreamtest.ConnectData{
		Query: map[string][]string{"user": {"alice"}},
	}})
	show(h, upstreamtest.Event{Type: upstreamtest.TypeConnect})
	show(h, upstreamtest.Event{Data: upstreamtest.Text("hello")})
	// Output:
	// 200 {"userId":"alice","groups":["lobby"]}
	// 401 say who you are
	// 200 you said hello
}

func ExampleNewAccessKeyValidator() {
	const endpoint = "Endpoint=https://demo.webpubsub.azure.com;AccessKey="
	v, err := upstream.NewAccessKeyValidator(endpoint+"primary", endpoint+"secondary")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v, v.AllowsOrigin("demo.webpubsub.azure.com"))

	// Later, when the secondary key was regenerated:
	err = v.Replace(endpoint+"primary", endpoint)
	fmt.Println(err)
	// Output:
	// AccessKeyValidator["demo.webpubsub.azure.com"] true
	// upstream: connection string 2 of 2: it has no AccessKey
}

// A validator that asks for a bearer token, as the service sends one with a
// managed identity.
type tokenValidator struct{ token string }

func (v tokenValidator) Validate(_ context.Context, c *upstream.ConnectionContext) error {
	if c.Header.Get("Authorization") != "Bearer "+v.token {
		return errors.New("wrong bearer token")
	}
	return nil
}

func (tokenValidator) AllowsOrigin(host string) bool { return host == "localhost" }

func ExampleValidateAll() {
	v := upstream.ValidateAll(newValidator(), tokenValidator{"t-1"})
	h := upstream.NewEventHandler(v, &upstream.Options{Logger: quiet})

	show(h, upstreamtest.Event{})
	show(h, upstreamtest.Event{Header: http.Header{"Authorization": {"Bearer t-1"}}})
	// Output:
	// 401
	// 204
}

func ExampleValidateByOrigin() {
	keys := newValidator() // for localhost
	other, err := upstream.NewAccessKeyValidator("Endpoint=https://demo.webpubsub.azure.com;AccessKey=another key")
	if err != nil {
		log.Fatal(err)
	}
	h := upstream.NewEventHandler(upstream.ValidateByOrigin(keys, other), &upstream.Options{Logger: quiet})

	show(h, upstreamtest.Event{Origins: []string{"localhost"}})
	show(h, upstreamtest.Event{Origins: []string{"demo.webpubsub.azure.com"}}) // signed with the key of localhost
	// Output:
	// 204
	// 401
}

func ExampleEventHandler_Mount() {
	h := upstream.NewEventHandler(newValidator(), nil)
	mux := http.NewServeMux()
	h.Mount(mux, "/eventhandler")

	for _, path := range []string{"/eventhandler", "/eventhandler/", "/eventhandler/validate"} {
		r := upstreamtest.NewHandshake("localhost")
		r.URL.Path = path
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		fmt.Println(path, rec.Code, rec.Header().Get("WebHook-Allowed-Origin"))
	}
	// Output:
	// /eventhandler 200 localhost
	// /eventhandler/ 200 localhost
	// /eventhandler/validate 200 localhost
}

func ExampleEventHandler_Wrap() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("an event"), nil
	})
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a page") })
	wrapped := h.Wrap(site)

	show(wrapped, upstreamtest.Event{})
	rec := httptest.NewRecorder()
	wrapped.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(rec.Code, rec.Body)
	// Output:
	// 200 an event
	// 200 a page
}

// HandleHTTP serves hosts that hand over headers and a body: serverless
// functions, other HTTP servers, message queues.
func ExampleEventHandler_HandleHTTP() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.JSON(map[string]int{"length": len(req.Data)})
	})
	header := upstreamtest.NewRequest(upstreamtest.Event{}).Header

	resp := h.HandleHTTP(context.Background(), header, []byte("hello"))
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"), string(resp.Body))
	// Output: 200 application/json; charset=utf-8 {"length":5}
}

func ExampleEventHandler_Preflight() {
	h := upstream.NewEventHandler(newValidator(), nil)
	resp := h.Preflight(http.Header{"WebHook-Request-Origin": {"localhost, demo.contoso.com"}})
	fmt.Println(resp.StatusCode, resp.Header.Values("WebHook-Allowed-Origin"))
	// Output: 200 [localhost]
}

func ExampleEventHandler_Parse() {
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	r := upstreamtest.NewRequest(upstreamtest.Event{Type: upstreamtest.TypeGroupJoined})

	req, err := h.Parse(context.Background(), r.Header, []byte(`{"group":"lobby"}`))
	if err != nil {
		log.Fatal(err)
	}
	joined := req.(*upstream.GroupJoinedEvent)
	fmt.Println(joined.Hub, joined.Group, req.Blocking())

	r.Header.Del("ce-hub")
	_, err = h.Parse(context.Background(), r.Header, nil)
	if missing, ok := errors.AsType[*upstream.HeaderNotFoundError](err); ok {
		fmt.Println(missing.Key, missing.StatusCode())
	}
	// Output:
	// chat lobby false
	// ce-hub 400
}

// A host that parses requests itself answers refused ones with their status.
func ExampleStatusCode() {
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	r := upstreamtest.NewRequest(upstreamtest.Event{}, upstreamtest.ForeignOrigin)
	_, err := h.Parse(context.Background(), r.Header, nil)
	fmt.Println(upstream.StatusCode(err))
	// Output: 403
}

func ExampleEventHandler_HandleUserEvent() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleUserEvent("room.join", func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("joined " + string(req.Data)), nil
	})
	h.HandleUserEvent("*", func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return nil, upstream.Errorf(http.StatusNotFound, "there is no event %s", req.EventName)
	})

	show(h, upstreamtest.Event{Type: upstreamtest.UserEventType("Room.Join"), Data: upstreamtest.Text("tea")})
	show(h, upstreamtest.Event{Type: upstreamtest.UserEventType("dance")})
	// Output:
	// 200 joined tea
	// 404 there is no event dance
}

func ExampleTyped() {
	type vote struct{ Option int }
	type result struct {
		Option int `json:"option"`
		Votes  int `json:"votes"`
	}
	votes := map[int]int{}
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	h.HandleUserEvent("vote", upstream.Typed(func(ctx context.Context, req *upstream.UserEventRequest, v vote) (result, error) {
		votes[v.Option]++
		return result{v.Option, votes[v.Option]}, nil
	}))

	ev := upstreamtest.Event{Type: upstreamtest.UserEventType("vote"), Data: upstreamtest.JSON(vote{Option: 2})}
	show(h, ev)
	show(h, ev)
	ev.Data = upstreamtest.JSON("two")
	show(h, ev)
	// Output:
	// 200 {"option":2,"votes":1}
	// 200 {"option":2,"votes":2}
	// 400
}

// A handler of JSON that changes the connection's state as well.
func ExampleUserEventRequest_Decode() {
	type cart struct{ Items []string }
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	h.HandleUserEvent("add", upstream.WithState(func(ctx context.Context, req *upstream.UserEventRequest, c *cart) (*upstream.UserEventResponse, error) {
		var item string
		if err := req.Decode(&item); err != nil {
			return nil, err
		}
		c.Items = append(c.Items, item)
		return upstream.JSON(len(c.Items))
	}))
	add := upstreamtest.Event{Type: upstreamtest.UserEventType("add"), Data: upstreamtest.JSON("tea")}
	show(h, add)
	add.Data = upstreamtest.JSON(42)
	show(h, add)
	// Output:
	// 200 1
	// 400
}

func ExampleWithState() {
	type visit struct {
		Messages int `json:"messages"`
	}
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleUserMessage(upstream.WithState(func(ctx context.Context, req *upstream.UserEventRequest, v *visit) (*upstream.UserEventResponse, error) {
		v.Messages++
		return upstream.Text(fmt.Sprint("message ", v.Messages)), nil
	}))

	before, _ := upstream.NewState(visit{Messages: 41})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{State: before}))
	after, _ := upstream.RawState(rec.Header().Get("ce-connectionState"))
	var v visit
	err := after.Decode(&v)
	fmt.Println(rec.Body, v.Messages, err)
	// Output: message 42 42 <nil>
}

func ExampleConnectResponse_SetState() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		resp := &upstream.ConnectResponse{}
		return resp, resp.SetState("key", "a")
	})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{Type: upstreamtest.TypeConnect}))
	fmt.Println(rec.Code, rec.Header().Get("ce-connectionState"))
	// Output: 204 eyJrZXkiOiJhIn0=
}

// A state in a form of your own. The other SDKs cannot read it.
func ExampleRawState() {
	state, err := upstream.RawState("cart=42; step 2")
	fmt.Println(state.Raw(), err)
	_, err = upstream.RawState("two\nlines")
	fmt.Println(err)
	// Output:
	// cart=42; step 2 <nil>
	// upstream: connection state must be visible ASCII text without outer spaces
}

func ExampleStateOf() {
	type session struct {
		Name string `json:"name"`
	}
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleDisconnected(func(ctx context.Context, ev *upstream.DisconnectedEvent) error {
		s, err := upstream.StateOf[session](ev)
		fmt.Println(s.Name, "left:", ev.Reason)
		return err
	})
	state, _ := upstream.NewState(session{"alice"})
	show(h, upstreamtest.Event{Type: upstreamtest.TypeDisconnected, State: state, Reason: "bye"})
	// Output:
	// alice left: bye
	// 204
}

func ExampleDotNetState() {
	state, err := upstream.NewState(upstream.DotNetState{"testKey": []byte("value")})
	fmt.Println(state.Raw(), err)
	// Output: eyJ0ZXN0S2V5IjoiZG1Gc2RXVT0ifQ== <nil>
}

func ExampleNewMQTTConnectError() {
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if string(req.MQTT.Password) != "secret" {
			return nil, upstream.NewMQTTConnectError(upstream.MQTT5BadUserNameOrPassword, "wrong password")
		}
		return nil, nil
	})
	for _, version := range []int{upstream.MQTTVersion5, upstream.MQTTVersion311} {
		show(h, upstreamtest.Event{Type: upstreamtest.TypeConnect, Connect: &upstreamtest.ConnectData{
			MQTT: &upstream.MQTTConnect{ProtocolVersion: version, Username: "sensor", Password: []byte("guess")},
		}})
	}
	// Output:
	// 401 {"mqtt":{"code":134,"reason":"wrong password"}}
	// 401 {"mqtt":{"code":4,"reason":"wrong password"}}
}

// An error of the database is for the log; the outside reads what was written
// for it.
func ExampleError_WithCause() {
	errDatabase := errors.New("pq: password authentication failed")
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Logger: quiet})
	h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return nil, upstream.NewError(http.StatusServiceUnavailable, "try again later").WithCause(errDatabase)
	})
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return nil, errDatabase
	})
	show(h, upstreamtest.Event{Type: upstreamtest.TypeConnect})
	show(h, upstreamtest.Event{})
	// Output:
	// 503 try again later
	// 500
}

func ExampleMiddleware() {
	// A middleware that lets each user send so many messages.
	const limit = 1
	sent := map[string]int{}
	limited := func(next upstream.HandlerFunc) upstream.HandlerFunc {
		return func(ctx context.Context, req upstream.Request) (upstream.Reply, error) {
			if req.Blocking() {
				user := req.Connection().UserID
				if sent[user]++; sent[user] > limit {
					return nil, upstream.NewError(http.StatusTooManyRequests, "slow down")
				}
			}
			return next(ctx, req)
		}
	}
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{
		Middleware: []upstream.Middleware{limited},
		Logger:     quiet,
	})
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("welcome"), nil
	})
	show(h, upstreamtest.Event{UserID: "alice"})
	show(h, upstreamtest.Event{UserID: "alice"})
	// Output:
	// 200 welcome
	// 429 slow down
}

func ExampleOptions_observe() {
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{
		Logger: quiet,
		Observe: func(ctx context.Context, r upstream.Record) {
			event := "unverified"
			if r.Verified {
				event = r.EventType
			}
			fmt.Println(event, r.Status, r.Err)
		},
	})
	h.ServeHTTP(httptest.NewRecorder(), upstreamtest.NewRequest(upstreamtest.Event{}))
	h.ServeHTTP(httptest.NewRecorder(), upstreamtest.NewRequest(upstreamtest.Event{}, upstreamtest.BadSignature))
	// Output:
	// azure.webpubsub.user.message 204 <nil>
	// unverified 401 upstream: validation failed: ce-signature was not made with any of the access keys
}

func ExampleBackground() {
	bg := upstream.NewBackground(&upstream.BackgroundOptions{Workers: 4})
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Middleware: []upstream.Middleware{bg.Middleware}})
	h.HandleDisconnected(func(ctx context.Context, ev *upstream.DisconnectedEvent) error {
		fmt.Println("tidied up after", ev.ConnectionID)
		return nil
	})
	show(h, upstreamtest.Event{Type: upstreamtest.TypeDisconnected, ConnectionID: "c-1"})

	// At the end of the program: first the server's Shutdown, then this.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(bg.Shutdown(ctx))
	// Unordered output:
	// 204
	// tidied up after c-1
	// <nil>
}

func ExampleDuplicateGuard() {
	orders := 0
	h := upstream.NewEventHandler(newValidator(), &upstream.Options{Duplicates: upstream.NewDuplicateGuard(nil)})
	h.HandleUserEvent("order", func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		orders++
		return upstream.Text(fmt.Sprint("order ", orders)), nil
	})
	order := upstreamtest.Event{Type: upstreamtest.UserEventType("order"), ID: "7", RequestID: "r-7", Data: upstreamtest.Text("tea")}
	show(h, order)
	show(h, order) // the service did not get the first answer and sends the event again
	fmt.Println("handled:", orders)
	// Output:
	// 200 order 1
	// 200 order 1
	// handled: 1
}

func ExampleHTTPRequest() {
	h := upstream.NewEventHandler(newValidator(), nil)
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text(upstream.HTTPRequest(ctx).URL.Query().Get("code")), nil
	})
	r := upstreamtest.NewRequest(upstreamtest.Event{})
	r.URL.RawQuery = "code=42"
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	fmt.Println(rec.Body)
	// Output: 42
}
