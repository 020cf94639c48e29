package emulator_test

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// Ten thousand connections leave nothing behind: neither those that say goodbye
// nor those that are cut.
func TestNothingLeftBehind(t *testing.T) {
	batches, size := 10, 1000
	if testing.Short() || raceEnabled {
		batches, size = 5, 100
	}
	service := startQuiet(t, emulator.Options{
		Settings: emulator.Settings{Default: emulatortest.AllEvents(echo)},
		Limits:   emulator.Limits{RecoveryWindow: time.Millisecond, WriteTimeout: 100 * time.Millisecond},
	})
	openAndDrop(t, service, size) // what is made once is made now
	goroutines, memory := settled(t, 0, 0)
	for range batches {
		openAndDrop(t, service, size)
	}
	const slack = 1 << 20
	settled(t, goroutines+10, memory+slack)
}

// settled waits until there are no more goroutines and no more bytes in use
// than given, and returns how many there are. Zero waits until both are steady.
func settled(t *testing.T, maxGoroutines int, maxBytes uint64) (goroutines int, bytes uint64) {
	t.Helper()
	for range 100 {
		lastGoroutines, lastBytes := goroutines, bytes
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		goroutines, bytes = runtime.NumGoroutine(), m.HeapAlloc
		if maxGoroutines > 0 && goroutines <= maxGoroutines && bytes <= maxBytes ||
			maxGoroutines == 0 && goroutines == lastGoroutines && bytes <= lastBytes {
			return goroutines, bytes
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Fatalf("got %d goroutines and %d bytes, want at most %d and %d", goroutines, bytes, maxGoroutines, maxBytes)
	return 0, 0
}

func openAndDrop(t *testing.T, service *emulatortest.Service, size int) {
	t.Helper()
	address, err := service.ClientURL("chat", &emulator.TokenOptions{UserID: "alice", Groups: []string{"room"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return service.Dial(ctx) }}
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			open := make([]*websocket.Conn, 0, size/20)
			for range size / 20 {
				ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{
					HTTPClient:   &http.Client{Transport: transport},
					Subprotocols: []string{[]string{"json.webpubsub.azure.v1", "json.reliable.webpubsub.azure.v1"}[i%2]},
				})
				if err != nil {
					t.Error(err)
					return
				}
				open = append(open, ws)
			}
			for n, ws := range open {
				_, _, err := ws.Read(ctx) // connected
				if err != nil {
					t.Error(err)
				}
				if n%2 == 0 {
					_ = ws.Close(websocket.StatusNormalClosure, "")
				} else {
					_ = ws.CloseNow()
				}
			}
		})
	}
	wg.Wait()
}
