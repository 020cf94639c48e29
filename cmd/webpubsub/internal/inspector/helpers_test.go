package inspector

import (
	"net/http"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
)

var started = time.Date(2026, 11, 24, 2, 9, 41, 123456789, time.UTC)

// event returns the beginning of an event of the hub chat.
func event(id uint64, requestID string) emulator.Exchange {
	return emulator.Exchange{
		ID: id, Kind: emulator.EventExchange, Start: started, Hub: "chat", ConnectionID: "c1", UserID: "alice",
		Event: "message", RequestID: requestID, Method: http.MethodPost, URL: "http://localhost:3000/eventhandler",
		Header: http.Header{"Ce-Type": {"azure.webpubsub.user.message"}, "Ce-Id": {"1"}}, Body: []byte("hello"), Attempts: 1,
	}
}

// apiCall returns the beginning of a call for the hub chat.
func apiCall(id uint64, requestID string) emulator.Exchange {
	return emulator.Exchange{
		ID: id, Kind: emulator.CallExchange, Start: started, Hub: "chat", RequestID: requestID, Method: http.MethodPost,
		URL: "/api/hubs/chat/:send?api-version=2024-12-01", Header: http.Header{"Content-Type": {"text/plain"}}, Attempts: 1,
	}
}

// ended returns the end of an exchange.
func ended(x emulator.Exchange) emulator.Exchange {
	x.Done, x.Duration, x.Status = true, 1250*time.Microsecond, http.StatusOK
	x.AnswerHeader, x.Answer = http.Header{"Content-Type": {"text/plain"}}, []byte("hi")
	return x
}

func newInspector(t testing.TB, options *Options) *Inspector {
	i := New(options)
	t.Cleanup(i.Close)
	return i
}

func observe(i *Inspector, exchanges ...emulator.Exchange) {
	for _, x := range exchanges {
		i.Observe(x)
	}
}
