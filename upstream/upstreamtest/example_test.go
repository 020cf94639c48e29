package upstreamtest_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// t stands for the *testing.T of a test function, which an example does not have.
var t = &exampleTB{}

type exampleTB struct {
	testing.TB
	failed bool
}

func (*exampleTB) Helper()                      {}
func (*exampleTB) Context() context.Context     { return context.Background() }
func (*exampleTB) Fatal(args ...any)            { log.Fatal(args...) }
func (*exampleTB) Fatalf(f string, args ...any) { log.Fatalf(f, args...) }
func (t *exampleTB) Failed() bool               { return t.failed }

func (t *exampleTB) Errorf(f string, args ...any) {
	fmt.Printf(f+"\n", args...)
	t.failed = true
}

// newHandler returns the handler under test: it greets, and counts greetings
// in the state of the connection.
func newHandler() http.Handler {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		log.Fatal(err)
	}
	h := upstream.NewEventHandler(v, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if req.UserID == "" {
			return nil, upstream.NewError(http.StatusUnauthorized, "say who you are")
		}
		return &upstream.ConnectResponse{Groups: []string{"lobby"}}, nil
	})
	type state struct{ Greetings int }
	h.HandleUserMessage(upstream.WithState(func(_ context.Context, req *upstream.UserEventRequest, s *state) (*upstream.UserEventResponse, error) {
		s.Greetings++
		return upstream.Text(fmt.Sprintf("%s to you, %s (%d)", req.Data, req.UserID, s.Greetings)), nil
	}))
	return h
}

func ExampleNewRequest() {
	h := newHandler()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{
		UserID: "alice",
		Data:   upstreamtest.Text("hello"),
	}))
	fmt.Println(rec.Code, rec.Body)
	// Output: 200 hello to you, alice (1)
}

func ExampleFault() {
	h := newHandler()
	for _, fault := range []upstreamtest.Fault{
		upstreamtest.BadSignature,
		upstreamtest.ForeignOrigin,
		upstreamtest.MissingHeader("ce-hub"),
		upstreamtest.Oversize(3 << 20),
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, upstreamtest.NewRequest(upstreamtest.Event{}, fault))
		fmt.Println(rec.Code)
	}
	// Output:
	// 401
	// 403
	// 400
	// 413
}

func ExampleNewHandshake() {
	rec := httptest.NewRecorder()
	newHandler().ServeHTTP(rec, upstreamtest.NewHandshake())
	fmt.Println(rec.Code, rec.Header().Get("WebHook-Allowed-Origin"))
	// Output: 200 localhost
}

// A request goes to any URL, here through a real client to a real server.
func ExampleTo() {
	server := httptest.NewServer(newHandler())
	defer server.Close()
	req := upstreamtest.NewRequest(upstreamtest.Event{Type: upstreamtest.TypeConnect})
	resp, err := http.DefaultClient.Do(upstreamtest.To(server.URL+"/eventhandler", req))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 401
}

func ExampleService() {
	svc := upstreamtest.NewService(t, newHandler(), nil)

	stranger := svc.Connect(t.Context(), nil)
	fmt.Println(stranger.StatusCode, string(stranger.Body))

	alice := svc.Connect(t.Context(), &upstreamtest.Client{UserID: "alice"})
	fmt.Println(alice.Refused(), alice.Groups())
	fmt.Println(alice.Send(upstreamtest.Text("hello")).Text())
	fmt.Println(alice.Send(upstreamtest.Text("hello again")).Text())
	alice.Close("")
	// Output:
	// 401 say who you are
	// false [lobby]
	// hello to you, alice (1)
	// hello again to you, alice (2)
}

func ExampleService_Validate() {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WebHook-Request-Origin", "*") // a mistake that was made before
	})
	fmt.Println(upstreamtest.NewService(t, h, nil).Validate().Reason)
	// Output: WebHook-Allowed-Origin is [], want one line that is "*" or one of ["localhost"]
}

func ExampleConn_Redeliver() {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		log.Fatal(err)
	}
	h := upstream.NewEventHandler(v, &upstream.Options{
		Duplicates: upstream.NewDuplicateGuard(nil),
		Logger:     slog.New(slog.DiscardHandler),
	})
	orders := 0
	h.HandleUserEvent("order", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		orders++
		return upstream.Text("ordered"), nil
	})

	c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), nil)
	c.Event("order", upstreamtest.JSON(map[string]any{"item": "tea"}))
	fmt.Println(c.Redeliver().Text(), orders)
	// Output: ordered 1
}

// An MQTT client is one with Client.MQTT.
func ExampleConnack() {
	c := upstreamtest.NewService(t, newHandler(), nil).Connect(t.Context(), &upstreamtest.Client{
		MQTT: &upstream.MQTTConnect{ProtocolVersion: upstream.MQTTVersion5},
	})
	fmt.Println(c.StatusCode, c.Connack.Code == upstream.MQTT5NotAuthorized, c.Connack.Reason)
	// Output: 401 true say who you are
}

// A validator that compares hosts by prefix lets strangers in.
func ExampleTestValidator() {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		log.Fatal(err)
	}
	upstreamtest.TestValidator(t, sloppy{v}, upstreamtest.Event{})
	// Output:
	// AllowsOrigin("localhost.attacker.example") = true, want false: compare whole hosts with "localhost"
	// AllowsOrigin("localhostx") = true, want false: compare whole hosts with "localhost"
}

type sloppy struct{ *upstream.AccessKeyValidator }

func (sloppy) AllowsOrigin(host string) bool { return strings.HasPrefix(host, upstreamtest.Origin) }
