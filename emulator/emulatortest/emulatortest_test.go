package emulatortest_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := emulatortest.Start(t, newHandler())
		alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice", Subprotocol: "json.reliable.webpubsub.azure.v1"})
		if alice.ConnectionID() == "" || alice.ReconnectionToken() == "" {
			t.Errorf("got connection id %q and reconnection token %q", alice.ConnectionID(), alice.ReconnectionToken())
		}
		time.Sleep(time.Hour) // pings and pongs meanwhile
		alice.Send(`{"type":"ping"}`)
		if got, want := alice.Receive(), `{"type":"pong"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		alice.Drop()
		recovery := fmt.Sprintf("/client/hubs/chat?awps_connection_id=%s&awps_reconnection_token=%s", alice.ConnectionID(), alice.ReconnectionToken())
		again := service.Connect("chat", &emulatortest.ConnectOptions{
			URL: strings.Replace(service.Endpoint(), "http", "ws", 1) + recovery, Subprotocol: "json.reliable.webpubsub.azure.v1",
		})
		if again.ConnectionID() != alice.ConnectionID() {
			t.Errorf("got connection id %q, want %q", again.ConnectionID(), alice.ConnectionID())
		}
		again.Close()
	})
}

func TestBinary(t *testing.T) {
	service := emulatortest.Start(t, newHandler())
	c := service.Connect("chat", &emulatortest.ConnectOptions{
		UserID: "alice", Subprotocol: "-", Header: http.Header{"Origin": {"http://localhost"}},
	})
	c.SendBinary([]byte{0, 255})
	if got, want := c.Receive(), "hello, alice"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if c.ConnectionID() != "" {
		t.Errorf("got connection id %q of a simple client", c.ConnectionID())
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
