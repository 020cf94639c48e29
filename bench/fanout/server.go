package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
)

// The names of the servers.
const (
	nameCentrifuge = "centrifuge"
	nameEmulator   = "emulator, json"
	nameReliable   = "emulator, json.reliable"
)

// usage is what a server has used up to now.
type usage struct {
	Resident int64         // bytes of memory, after a garbage collection
	CPU      time.Duration // user and system
}

// serve runs one of the servers until stdin ends. It prints its address and how
// to connect.
func serve(name string, stdin io.Reader, stdout io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage", reportUsage)
	var ready contender
	if name == nameCentrifuge {
		ready, err = serveCentrifuge(mux)
	} else {
		ready, err = serveEmulator(mux, addr, name)
	}
	if err != nil {
		return err
	}
	ready.Addr = addr
	mux.HandleFunc("POST /broadcast", func(w http.ResponseWriter, r *http.Request) {
		messages, _ := strconv.Atoi(r.URL.Query().Get("messages"))
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		payload, _ := json.Marshal(strings.Repeat("x", size-2))
		for range messages {
			if err := ready.publish(r.Context(), payload); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = server.Close()
	}()
	if err := json.NewEncoder(stdout).Encode(ready.Entrance); err != nil {
		return err
	}
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// reportUsage answers with the usage of this process.
func reportUsage(w http.ResponseWriter, _ *http.Request) {
	used, err := ownUsage()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(used)
}

// An Entrance is how clients get in.
type Entrance struct {
	Addr        string
	Path        string
	Subprotocol string
	Hello       string // what a client sends first
}

type contender struct {
	Entrance
	publish func(ctx context.Context, payload []byte) error
}

func serveCentrifuge(mux *http.ServeMux) (contender, error) {
	const channel = "all"
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError})
	if err != nil {
		return contender{}, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "user"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return contender{}, err
	}
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{UseWriteBufferPool: true}))
	return contender{
		Entrance: Entrance{Path: "/connection/websocket", Hello: `{"id":1,"connect":{}}`},
		publish: func(_ context.Context, payload []byte) error {
			_, err := node.Publish(channel, payload)
			return err
		},
	}, nil
}

func serveEmulator(mux *http.ServeMux, addr, name string) (contender, error) {
	const hub = "bench"
	s, err := emulator.New(&emulator.Options{Endpoint: "http://" + addr, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return contender{}, err
	}
	mux.Handle("/client/", s)
	mux.Handle("/api/", s)
	client, err := webpubsub.NewClient(s.ConnectionString(), hub, &webpubsub.ClientOptions{
		HTTPClient: &http.Client{Transport: inProcess{s}},
	})
	if err != nil {
		return contender{}, err
	}
	url, err := s.ClientURL(hub, &emulator.TokenOptions{UserID: "user"})
	if err != nil {
		return contender{}, err
	}
	subprotocol := "json.webpubsub.azure.v1"
	if name == nameReliable {
		subprotocol = "json.reliable.webpubsub.azure.v1"
	}
	return contender{
		Entrance: Entrance{Path: strings.TrimPrefix(url, "ws://"+addr), Subprotocol: subprotocol},
		publish: func(ctx context.Context, payload []byte) error {
			return client.SendToAll(ctx, webpubsub.Message{Data: payload, ContentType: "application/json"}, nil)
		},
	}, nil
}

// inProcess calls a handler without a socket, because Centrifuge publishes
// without one.
type inProcess struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}
