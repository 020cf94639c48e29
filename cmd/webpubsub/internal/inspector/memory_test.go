package inspector

import (
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// What is kept takes about as much memory as the store counts: an event that can
// be sent again does not bring its answer with it, nor the message that it came
// in.
func TestMemoryIsBounded(t *testing.T) {
	const (
		events  = 50
		large   = 900 << 10
		message = `{"type":"event","event":"message","dataType":"json","data":1,"more":"`
	)
	answer := []byte(strings.Repeat("x", large))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WebHook-Allowed-Origin", "*")
		w.Header().Set("Content-Type", "text/plain")
		if r.Method == http.MethodPost {
			_, _ = w.Write(answer)
		}
	})
	i := newInspector(t, nil)
	service := emulatortest.StartWith(t, &emulator.Options{
		Settings: emulator.Settings{Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{{Handler: handler, UserEventPattern: "*"}}}},
		Inspect:  i.Observe,
		Logger:   slog.New(slog.DiscardHandler),
	})
	client := service.Connect("chat", nil)
	before := heap()
	for range events {
		client.Send(message + strings.Repeat("x", large) + `"}`)
		client.Receive()
	}
	kept := 0
	for _, e := range i.store.entries {
		if e.x.resend != nil {
			kept++
		}
	}
	if kept != events {
		t.Fatalf("%d events are kept, want %d", kept, events)
	}
	// As much again, for what is no part of a request.
	got, limit := int64(heap())-int64(before), int64(2*i.store.bytes+8<<20)
	t.Logf("%d KiB for %d KiB in the books", got>>10, i.store.bytes>>10)
	if got > limit {
		t.Errorf("got %d KiB for %d KiB in the books", got>>10, i.store.bytes>>10)
	}
	runtime.KeepAlive(i)
}

// heap returns the bytes that are in use.
func heap() uint64 {
	for range 2 { // the second one frees what the first one finalized
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
