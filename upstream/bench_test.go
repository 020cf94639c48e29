package upstream_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// bare is the least that a check of one key and one token can be.
func bare(key []byte, connectionID, signature string) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(connectionID))
	got, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

func BenchmarkSignature(b *testing.B) {
	signature := signed("conn1")
	b.Run("ours", func(b *testing.B) {
		v := demoValidator(b)
		c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: signature, Origins: []string{demoHost}}
		b.ReportAllocs()
		for b.Loop() {
			if err := v.Validate(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		key := []byte(demoKey)
		b.ReportAllocs()
		for b.Loop() {
			if !bare(key, "conn1", signature) {
				b.Fatal("not valid")
			}
		}
	})
}

// benchmarkEvent sends one event again and again.
func benchmarkEvent(b *testing.B, h *upstream.EventHandler, header http.Header, body string) {
	b.Helper()
	data := []byte(body)
	b.ReportAllocs()
	for b.Loop() {
		if got := h.HandleHTTP(b.Context(), header, data).StatusCode; got >= 300 {
			b.Fatalf("got status %d", got)
		}
	}
}

func BenchmarkTextEvent(b *testing.B) {
	h := newHandler(b, nil)
	h.HandleUserMessage(echo)
	benchmarkEvent(b, h, event(typeMessage, "Content-Type", "text/plain; charset=utf-8"), "hello")
}

func BenchmarkConnect(b *testing.B) {
	h := newHandler(b, nil)
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return &upstream.ConnectResponse{
			UserID:      req.Query.Get("user"),
			Groups:      []string{"lobby"},
			Roles:       []string{"webpubsub.sendToGroup"},
			Subprotocol: req.Subprotocols[0],
		}, nil
	})
	benchmarkEvent(b, h, event(typeConnect), connectBody)
}

// connectBody is what the service says about an ordinary client.
const connectBody = `{
	"claims": {"sub": ["alice"], "role": ["webpubsub.sendToGroup", "webpubsub.joinLeaveGroup"], "exp": ["1788252000"]},
	"query": {"user": ["alice"], "tag": ["a", "b"]},
	"headers": {"User-Agent": ["demo"], "Sec-WebSocket-Protocol": ["json.webpubsub.azure.v1"], "Cookie": ["session=1"]},
	"subprotocols": ["json.webpubsub.azure.v1"],
	"clientCertificates": []
}`

func BenchmarkStateChange(b *testing.B) {
	header := event(typeMessage, "ce-connectionState", encoded(`{"count":1,"name":"alice","tags":["a","b"]}`))
	b.Run("SetState", func(b *testing.B) {
		h := newHandler(b, nil)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			resp := upstream.Text("ok")
			return resp, resp.SetState("count", 2)
		})
		benchmarkEvent(b, h, header, "hello")
	})
	b.Run("WithState", func(b *testing.B) {
		type session struct {
			Count int      `json:"count"`
			Name  string   `json:"name"`
			Tags  []string `json:"tags"`
		}
		h := newHandler(b, nil)
		h.HandleUserMessage(upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, s *session) (*upstream.UserEventResponse, error) {
			s.Count++
			return upstream.Text("ok"), nil
		}))
		benchmarkEvent(b, h, header, "hello")
	})
}

// Replacing keys must not slow down those who check with them.
func BenchmarkParallel(b *testing.B) {
	for _, replacing := range []bool{false, true} {
		name := "steady"
		if replacing {
			name = "keys replaced"
		}
		b.Run(name, func(b *testing.B) {
			v := keyValidator(b, demoKey)
			h := silentHandler(v)
			h.HandleUserMessage(echo)
			header := event(typeMessage, "Content-Type", "text/plain; charset=utf-8")
			body := []byte("hello")

			var stop atomic.Bool
			var wg sync.WaitGroup
			if replacing {
				wg.Go(func() { replaceUntil(b, v, &stop) })
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if got := h.HandleHTTP(b.Context(), header, body).StatusCode; got != http.StatusOK {
						b.Errorf("got status %d, want 200", got)
						return
					}
				}
			})
			stop.Store(true)
			wg.Wait()
		})
	}
}

// replaceUntil puts other keys beside the one in use, over and over.
func replaceUntil(tb testing.TB, v *upstream.AccessKeyValidator, stop *atomic.Bool) {
	endpoint := "Endpoint=https://" + demoHost + ";AccessKey="
	for i := 0; !stop.Load(); i++ {
		if err := v.Replace(endpoint+demoKey, endpoint+wire.Sign("key", string(rune('a'+i%26)))); err != nil {
			tb.Error(err)
			return
		}
	}
}
