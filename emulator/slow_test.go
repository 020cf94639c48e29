package emulator_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// A narrowConn is a network connection on which bytes arrive at a steady rate.
type narrowConn struct {
	net.Conn
	bytesPerSecond int
}

func (c *narrowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), 1<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.bytesPerSecond))
	return n, err
}

// A client on a narrow line may take as long as it needs, as long as it takes
// something: WriteTimeout is not for all that waits, nor do pings that wait
// behind a long message end the connection.
func TestSteadySlowClient(t *testing.T) {
	const (
		writeTimeout = 3 * time.Second
		rate         = 16 << 10 // a second
	)
	for _, tt := range []struct {
		name     string
		messages int
		size     int
	}{
		{"many messages", 200, 10_000},
		{"few long messages", 5, 500_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				records := &recordLog{}
				service := startQuiet(t, emulator.Options{
					Limits:  emulator.Limits{WriteTimeout: writeTimeout},
					Observe: records.add,
				})
				rest := serviceClient(t, service)
				ws := dialNarrow(t, service, rate)
				synctest.Wait() // the service knows the client
				for i := range tt.messages {
					if err := rest.SendToAll(t.Context(), webpubsub.Text(fmt.Sprint(i, strings.Repeat("x", tt.size))), nil); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				for i := range tt.messages {
					_, payload, err := ws.Read(t.Context())
					if err != nil {
						t.Fatalf("message %d, after %v: %v", i, time.Since(start), err)
					}
					if want := fmt.Sprint(i, strings.Repeat("x", tt.size)); string(payload) != want {
						t.Fatalf("message %d: got %.20q…", i, payload)
					}
				}
				if took := time.Since(start); took < 10*writeTimeout {
					t.Errorf("the line took %v only", took)
				}
				if got := records.reasons(); got != nil {
					t.Errorf("got closed %q, want none", got)
				}
			})
		})
	}
}

// dialNarrow connects a simple client over a narrow line.
func dialNarrow(t *testing.T, service *emulatortest.Service, rate int) *websocket.Conn {
	t.Helper()
	address, err := service.ClientURL("chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := service.Dial(ctx)
		return &narrowConn{conn, rate}, err
	}}
	ws, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// Messages whose time has passed take no room that others need.
func TestExpiredMessagesTakeNoRoom(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits emulator.Limits
	}{
		{"messages", emulator.Limits{QueuedMessages: 10}},
		{"bytes", emulator.Limits{QueuedBytes: 12_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := startQuiet(t, emulator.Options{Limits: tt.limits})
				rest := serviceClient(t, service)
				send := func(text string, ttl time.Duration) {
					t.Helper()
					m := webpubsub.Text(text + strings.Repeat("x", 1000))
					if err := rest.SendToAll(t.Context(), m, &webpubsub.SendOptions{TTL: ttl}); err != nil {
						t.Fatal(err)
					}
				}
				c := service.Connect("chat", &emulatortest.ConnectOptions{Subprotocols: []string{reliableProtocol}})
				c.Drop()
				synctest.Wait()
				send("kept", 0)
				for round := range 5 {
					for i := range 8 {
						send(fmt.Sprint(round, i), time.Second)
					}
					time.Sleep(2 * time.Second)
				}
				send("last", 0)
				c.Recover()
				for _, want := range []struct {
					text string
					id   int
				}{{"kept", 1}, {"last", 42}} {
					got := c.Receive()
					if !strings.Contains(got, want.text) || !strings.HasSuffix(got, fmt.Sprintf(`"sequenceId":%d}`, want.id)) {
						t.Errorf("got %s, want %s with number %d", got, want.text, want.id)
					}
				}
				c.ReceiveNothing(time.Minute)
			})
		})
	}
}
