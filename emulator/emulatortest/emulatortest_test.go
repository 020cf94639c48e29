package emulatortest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const reliable = "json.reliable.webpubsub.azure.v1"

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := emulatortest.Start(t, newHandler())
		alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice", Subprotocols: []string{reliable}})
		if alice.ConnectionID() == "" || alice.ReconnectionToken() == "" {
			t.Errorf("got connection id %q and reconnection token %q", alice.ConnectionID(), alice.ReconnectionToken())
		}
		time.Sleep(time.Hour) // pings and pongs meanwhile
		alice.Send(`{"type":"ping"}`)
		if got, want := alice.Receive(), `{"type":"pong"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		alice.Close()
	})
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := emulatortest.Start(t, newHandler())
		alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice", Subprotocols: []string{"other", reliable}})
		id, token := alice.ConnectionID(), alice.ReconnectionToken()
		alice.Send(`{"type":"event","event":"message","dataType":"text","data":"hi"}`)
		reply := `{"type":"message","from":"server","dataType":"text","data":"hello, alice","sequenceId":1}`
		for i := range 3 { // the reply comes again until it is acknowledged
			if got := alice.Receive(); got != reply {
				t.Errorf("after %d recoveries: got %s, want %s", i, got, reply)
			}
			time.Sleep(10 * time.Second) // makes another token
			alice.Drop()
			time.Sleep(10 * time.Second)
			alice.Recover()
			if alice.ConnectionID() != id || alice.ReconnectionToken() == token {
				t.Errorf("got connection %q, want %q, and a new token", alice.ConnectionID(), id)
			}
			token = alice.ReconnectionToken()
		}
		alice.Receive()
		alice.Send(`{"type":"sequenceAck","sequenceId":1}`)
		synctest.Wait() // the service has read it
		alice.Recover() // without a Drop before
		alice.ReceiveNothing(time.Minute)
		alice.Close()
	})
}

func TestBinary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := emulatortest.Start(t, newHandler())
		c := service.Connect("chat", &emulatortest.ConnectOptions{
			UserID: "alice", Subprotocols: []string{}, Header: http.Header{"Origin": {"http://localhost"}}, Groups: []string{"room"},
		})
		c.SendBinary([]byte{0, 255})
		if got, want := c.Receive(), "hello, alice"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if c.ConnectionID() != "" {
			t.Errorf("got connection id %q of a simple client", c.ConnectionID())
		}
		sendBinary(t, service)
		if got, want := c.ReceiveBinary(), []byte{0, 255}; !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	})
}

// sendBinary has the application send two bytes to everyone.
func sendBinary(t testing.TB, service *emulatortest.Service) {
	t.Helper()
	client, err := webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SendToAll(context.Background(), webpubsub.Binary([]byte{0, 255}), nil); err != nil {
		t.Fatal(err)
	}
}

func TestListen(t *testing.T) {
	one, two := emulatortest.Listen(t, nil), emulatortest.Listen(t, &emulator.Options{Endpoint: "http://ignored"})
	if one.Endpoint() == two.Endpoint() || !strings.HasPrefix(one.Endpoint(), "http://127.0.0.1:") {
		t.Errorf("got endpoints %q and %q, want different ports of 127.0.0.1", one.Endpoint(), two.Endpoint())
	}
	two.Connect("chat", nil).Close()
}

// A failedTB is a test that may fail.
type failedTB struct {
	testing.TB
	failure string
}

func (t *failedTB) Fatal(args ...any) {
	t.failure = fmt.Sprint(args...)
	runtime.Goexit()
}

func (t *failedTB) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }

func TestFailures(t *testing.T) {
	refused := emulator.Settings{Default: emulatortest.AllEvents(http.NotFoundHandler())}
	tests := []struct {
		name string
		test func(testing.TB)
		want string
	}{
		{"bad options", func(t testing.TB) {
			emulatortest.StartWith(t, &emulator.Options{AccessKey: "short"})
		}, "AccessKey has 5 bytes"},
		{"refused", func(t testing.TB) {
			emulatortest.StartWith(t, &emulator.Options{Settings: refused}).Connect("chat", nil)
		}, "status 500"},
		{"bad hub", func(t testing.TB) { emulatortest.Start(t, nil).Connect("1", nil) }, "not the name of a hub"},
		{"nothing received", func(t testing.TB) { emulatortest.Start(t, nil).Connect("chat", nil).Receive() }, "nothing was received in 10s"},
		{"closed", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Send("{")
			c.Receive()
		}, "the frame is not valid JSON"},
		{"not closed", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Send(`{"type":"ping"}`)
			c.ReceiveClose()
		}, "want the end of the connection"},
		{"binary instead of text", func(t testing.TB) {
			service := emulatortest.Start(t, nil)
			c := service.Connect("chat", &emulatortest.ConnectOptions{Subprotocols: []string{}})
			synctest.Wait() // the service knows the client
			sendBinary(t, service)
			c.Receive()
		}, "received the binary frame 00ff, want a text frame"},
		{"text instead of binary", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Send(`{"type":"ping"}`)
			c.ReceiveBinary()
		}, "want a binary frame"},
		{"something", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Send(`{"type":"ping"}`)
			c.ReceiveNothing(time.Second)
		}, "pong"},
		{"nothing from a connection that has ended", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Drop()
			c.ReceiveNothing(time.Second)
		}, "the connection has ended"},
		{"recovery of a client that cannot", func(t testing.TB) {
			emulatortest.Start(t, nil).Connect("chat", nil).Recover()
		}, `the subprotocol is "json.webpubsub.azure.v1", want a reliable one`},
		{"recovery too late", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", &emulatortest.ConnectOptions{Subprotocols: []string{reliable}})
			c.Drop()
			time.Sleep(time.Minute)
			c.Recover()
		}, "The connection could not be recovered"},
		{"sent too late", func(t testing.TB) {
			c := emulatortest.Start(t, nil).Connect("chat", nil)
			c.Close()
			c.Send("{")
		}, "send"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tb := &failedTB{TB: t}
				done := make(chan struct{})
				go func() {
					defer close(done)
					tt.test(tb)
				}()
				<-done
				if !strings.Contains(tb.failure, tt.want) {
					t.Errorf("got failure %q, want %q in it", tb.failure, tt.want)
				}
			})
		})
	}
}
