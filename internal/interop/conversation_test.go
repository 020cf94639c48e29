package interop

import (
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// TestStateIsCarried holds a conversation whose connection state wanders
// through both servers, as in a fleet of handlers in two languages: what one
// writes, the other reads.
func TestStateIsCarried(t *testing.T) {
	js, _ := startJS(t)
	ours := startGo(t)
	for _, tt := range []struct {
		name  string
		route [3]*peer // who handles connect, the first and the second event
	}{
		{"ours alone", [3]*peer{ours, ours, ours}},
		{"JavaScript alone", [3]*peer{js, js, js}},
		{"ours, JavaScript, ours", [3]*peer{ours, js, ours}},
		{"JavaScript, ours, JavaScript", [3]*peer{js, ours, js}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var carried []string
			for i, step := range []struct {
				req  request
				want answer
			}{
				{connectAs("do=state"), answer{Status: 204, State: `{"n":1}`}},
				{user("count", "text/plain", ""), answer{Status: 200, Type: "text/plain", Body: "2", State: `{"n":2}`}},
				{user("count", "text/plain", ""), answer{Status: 200, Type: "text/plain", Body: "3", State: `{"n":3}`}},
			} {
				if carried != nil {
					step.req = step.req.with(wire.HeaderConnectionState, carried...)
				}
				got, header, err := tt.route[i].exchange(t, step.req)
				if err != nil {
					t.Fatal(err)
				}
				if got != step.want {
					t.Fatalf("step %d:\n got %+v\nwant %+v", i+1, got, step.want)
				}
				carried = header[wire.HeaderConnectionState]
			}
		})
	}
}

// TestNotificationsArrive looks behind the answers to notifications, which say
// nothing: both servers have to call their handlers with the same data.
func TestNotificationsArrive(t *testing.T) {
	js, _ := startJS(t)
	for _, side := range []struct {
		name string
		peer *peer
	}{{"ours", startGo(t)}, {"JavaScript", js}} {
		t.Run(side.name, func(t *testing.T) {
			for _, req := range []request{
				system("sys.connected", "{}").with("ce-connectionState", state(`{"n":7}`)),
				system("gp.joined", `{"group":"room 1"}`),
				system("gp.left", `{"group":"room 1"}`),
				system("sys.disconnected", `{"reason":"bye"}`),
				system("sys.disconnected", `{"reason":null}`),
				overMQTT(system("sys.disconnected", `{"reason":null,"mqtt":{"initiatedByClient":true,"disconnectPacket":{"code":4,"userProperties":null}}}`)),
				overMQTT(system("sys.disconnected", `{"reason":null,"mqtt":{"initiatedByClient":false,"disconnectPacket":null}}`)),
			} {
				side.peer.send(t, req)
			}
			want := answer{
				Status: 200, Type: "application/json",
				Body: `["connected 7","joined room 1","left room 1","disconnected bye -","disconnected - -","disconnected - 4","disconnected - -"]`,
			}
			if got := side.peer.send(t, user("notified", "text/plain", "")); got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestFailureLeavesTheServerAlive documents the greatest difference. A handler
// that fails later than its first await is a rejected promise that the
// middleware never looks at: Node ends the process, and the requests of all
// other connections with it. Ours is an error like any other: a bare 500.
func TestFailureLeavesTheServerAlive(t *testing.T) {
	js, jsEnded := startJS(t)
	ours := startGo(t)
	failing := user("reject", "text/plain", "hello")

	if got, want := ours.send(t, failing), (answer{Status: 500}); got != want {
		t.Errorf("ours:\n got %+v\nwant %+v", got, want)
	}
	if got := ours.send(t, user("message", "text/plain", "hello")); got != hello {
		t.Errorf("ours, afterwards:\n got %+v\nwant %+v", got, hello)
	}

	if got, _, err := js.exchange(t, failing); err == nil {
		t.Errorf("JavaScript:\n got %+v\nwant no answer", got)
	}
	select {
	case err := <-jsEnded:
		if err == nil {
			t.Error("JavaScript: the process ended well, want an uncaught rejection")
		}
	case <-time.After(10 * time.Second):
		t.Error("JavaScript: the process lives, want it to have ended")
	}
}
