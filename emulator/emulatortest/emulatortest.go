// Package emulatortest gives a test a Web PubSub service of its own, with
// nothing to install and in no time:
//
//	service := emulatortest.Start(t, handler)
//	alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice"})
//	alice.Send(`{"type":"event","event":"message","ackId":1,"dataType":"text","data":"hi"}`)
//	reply := alice.Receive()
//
// The handler gets real, signed requests, and the client speaks through a real
// WebSocket. Everything happens in memory, so it works in a bubble of
// testing/synctest, where retries and time limits take no time either. For
// clients in other processes there is [Listen].
package emulatortest

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/memnet"
)

// A Service is a service that lives as long as its test. Its methods may be
// called from any goroutine of the test, but for Connect and TryConnect, which
// may fail the test.
type Service struct {
	*emulator.Server

	t      testing.TB
	dial   func(context.Context) (net.Conn, error)
	client *http.Client
}

// Start starts a service in memory that sends all events of all hubs to
// handler, those about groups included, and ends it with the test. A nil handler
// gets no events.
func Start(t testing.TB, handler http.Handler) *Service {
	t.Helper()
	return StartWith(t, optionsFor(handler))
}

// StartWith is Start for a test that has an opinion about the service's
// options. Nil options are defaults.
func StartWith(t testing.TB, options *emulator.Options) *Service {
	t.Helper()
	listener := memnet.Listen()
	return start(t, listener, listener.Dial, options)
}

// Listen is StartWith on a port of 127.0.0.1, for clients and handlers that are
// other programs. It does not work inside a bubble. The options' Endpoint is
// the address of the port.
func Listen(t testing.TB, options *emulator.Options) *Service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal("emulatortest: ", err)
	}
	opts := clone(options)
	opts.Endpoint = "http://" + listener.Addr().String()
	return start(t, listener, func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	}, opts)
}

// AllEvents returns settings of a hub that sends all its events to a handler in
// this process, those that come before and after a connection included.
func AllEvents(handler http.Handler) emulator.HubSettings {
	return emulator.HubSettings{EventHandlers: []emulator.EventHandler{{
		Handler:          handler,
		SystemEvents:     []string{"connect", "connected", "disconnected"},
		UserEventPattern: "*",
		GroupEvents:      []string{"joined", "left"},
	}}}
}

func optionsFor(handler http.Handler) *emulator.Options {
	if handler == nil {
		return nil
	}
	return &emulator.Options{Settings: emulator.Settings{Default: AllEvents(handler)}}
}

func clone(options *emulator.Options) *emulator.Options {
	if options == nil {
		return &emulator.Options{}
	}
	opts := *options
	return &opts
}

// shutdownTime is how long clients and handlers have at the end of a test.
const shutdownTime = 10 * time.Second

func start(t testing.TB, listener net.Listener, dial func(context.Context) (net.Conn, error), options *emulator.Options) *Service {
	t.Helper()
	opts := clone(options)
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.NewTextHandler(t.Output(), nil)))
	server, err := emulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // ends with Close
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error("emulatortest: the service did not end: ", err)
		}
		_ = web.Close()
		transport.CloseIdleConnections()
	})
	return &Service{Server: server, t: t, dial: dial, client: &http.Client{Transport: transport}}
}

// HTTPClient returns a client whose requests reach the service, whatever host
// they name. Give it to a service client:
//
//	client, err := webpubsub.NewClient(service.ConnectionString(), "chat",
//		&webpubsub.ClientOptions{HTTPClient: service.HTTPClient()})
func (s *Service) HTTPClient() *http.Client { return s.client }

// Dial returns a network connection to the service.
func (s *Service) Dial(ctx context.Context) (net.Conn, error) { return s.dial(ctx) }
