package emulatortest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// t stands for the *testing.T of a test function, which an example does not have.
var t = &exampleTB{}

type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()                      {}
func (*exampleTB) Output() io.Writer            { return io.Discard }
func (*exampleTB) Context() context.Context     { return context.Background() }
func (*exampleTB) Error(args ...any)            { log.Fatal(args...) }
func (*exampleTB) Fatal(args ...any)            { log.Fatal(args...) }
func (*exampleTB) Fatalf(f string, args ...any) { log.Fatalf(f, args...) }
func (t *exampleTB) Cleanup(f func())           { t.cleanups = append(t.cleanups, f) }

// end does what happens at the end of a test.
func (t *exampleTB) end() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		f := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		f()
	}
}

// newHandler returns the application under test, made with the package upstream.
func newHandler() http.Handler {
	v, err := upstream.NewAccessKeyValidator("Endpoint=" + emulator.DefaultEndpoint + ";AccessKey=" + emulator.DefaultAccessKey)
	if err != nil {
		log.Fatal(err)
	}
	h := upstream.NewEventHandler(v, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if req.UserID == "mallory" {
			return nil, upstream.NewError(http.StatusForbidden, "not you")
		}
		return &upstream.ConnectResponse{Groups: []string{"lobby"}}, nil
	})
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("hello, " + req.UserID), nil
	})
	return h
}

func ExampleStart() {
	defer t.end() // a test does this by itself
	service := emulatortest.Start(t, newHandler())
	alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice"})
	alice.Send(`{"type":"event","event":"message","ackId":1,"dataType":"text","data":"hi"}`)
	fmt.Println(alice.Receive())
	fmt.Println(alice.Receive())
	// Output:
	// {"type":"message","from":"server","dataType":"text","data":"hello, alice"}
	// {"type":"ack","ackId":1,"success":true}
}

func ExampleStartWith() {
	defer t.end()
	settings := emulatortest.AllEvents(newHandler())
	settings.AllowAnonymous = true
	service := emulatortest.StartWith(t, &emulator.Options{
		Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{"open": settings}},
	})
	c := service.Connect("open", &emulatortest.ConnectOptions{
		URL:          strings.Replace(service.Endpoint(), "http", "ws", 1) + "/client/hubs/open",
		Subprotocols: []string{}, // a simple client
	})
	c.Send("hi")
	fmt.Println(c.Receive())
	// Output: hello,
}

func ExampleListen() {
	defer t.end()
	service := emulatortest.Listen(t, nil)
	resp, err := http.Head(service.Endpoint() + "/api/health") // any program can
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleService_TryConnect() {
	defer t.end()
	service := emulatortest.Start(t, newHandler())
	_, resp, err := service.TryConnect("chat", &emulatortest.ConnectOptions{UserID: "mallory"})
	fmt.Println(err != nil, resp.Status)
	// Output: true 403 Forbidden
}

func ExampleService_HTTPClient() {
	defer t.end()
	service := emulatortest.Start(t, newHandler())
	client, err := webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()})
	if err != nil {
		log.Fatal(err)
	}
	alice := service.Connect("chat", nil)
	if err := client.SendToGroup(context.Background(), "lobby", webpubsub.Text("welcome"), nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(alice.Receive())
	// Output: {"type":"message","from":"group","fromUserId":null,"group":"lobby","dataType":"text","data":"welcome"}
}

func ExampleClient_ReceiveClose() {
	defer t.end()
	service := emulatortest.Start(t, nil)
	c := service.Connect("chat", nil)
	c.Send("not JSON")
	fmt.Println(c.ReceiveClose())
	// Output: 1007 the frame is not valid JSON: error at byte 2
}

func ExampleClient_Recover() {
	defer t.end()
	service := emulatortest.Start(t, newHandler())
	alice := service.Connect("chat", &emulatortest.ConnectOptions{
		UserID: "alice", Subprotocols: []string{"json.reliable.webpubsub.azure.v1"},
	})
	alice.Drop()
	alice.Recover() // the connection of before, with its groups
	alice.Send(`{"type":"event","event":"message","dataType":"text","data":"hi"}`)
	fmt.Println(alice.Receive())
	// Output: {"type":"message","from":"server","dataType":"text","data":"hello, alice","sequenceId":1}
}

func ExampleClient_ReceiveNothing() {
	defer t.end()
	service := emulatortest.Start(t, newHandler())
	alice := service.Connect("chat", nil)
	alice.ReceiveNothing(time.Millisecond) // in a bubble of testing/synctest it could be an hour
	fmt.Println("silence")
	// Output: silence
}
