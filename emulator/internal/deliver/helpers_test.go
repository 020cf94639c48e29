package deliver_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The public default key of Microsoft's emulator, and another one.
const (
	primaryKey   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
	secondaryKey = "a5f2815d0d0c4b00bd27e832432f91ab"
)

// A sender is a Sender of a test, with what it reported.
type sender struct {
	*deliver.Sender
	mu      sync.Mutex
	reports []deliver.Report
}

// newSender returns a Sender that logs nothing unless the options say so.
func newSender(t *testing.T, options deliver.Options) *sender {
	t.Helper()
	s := &sender{}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	options.Observe = func(r deliver.Report) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reports = append(s.reports, r)
	}
	s.Sender = deliver.New(&options)
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// reported returns the reports about events, or about consent.
func (s *sender) reported(handshake bool) []deliver.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.reports), func(r deliver.Report) bool { return r.Handshake != handshake })
}

func compile(t testing.TB, settings ...deliver.Handler) *deliver.Handlers {
	t.Helper()
	handlers, err := deliver.Compile(settings)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return handlers
}

// everything returns the settings of a handler in this process that takes all
// events.
func everything(h http.Handler) deliver.Handler {
	return deliver.Handler{
		InProcess: h, UserEventPattern: "*",
		SystemEvents: []string{"connect", "connected", "disconnected"}, GroupEvents: []string{"joined", "left"},
	}
}

// at returns the settings of a handler behind a URL that takes all events.
func at(url string) deliver.Handler {
	h := everything(nil)
	h.URLTemplate = url
	return h
}

// A backend is a handler that consents, and keeps the requests that it got.
type backend struct {
	mu         sync.Mutex
	events     []received
	handshakes []received
	// event answers events; nil answers 204. handshake answers handshakes; nil
	// consents.
	event, handshake http.HandlerFunc
}

// received is one request.
type received struct {
	*http.Request
	body string
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	b.mu.Lock()
	kind, answer := &b.events, b.event
	if r.Method != http.MethodPost {
		kind, answer = &b.handshakes, b.handshake
	}
	*kind = append(*kind, received{r, string(body)})
	b.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("WebHook-Allowed-Origin", "*")
	}
}

// got returns the events so far.
func (b *backend) got() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// asked returns the methods of the handshakes so far.
func (b *backend) asked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var methods []string
	for _, r := range b.handshakes {
		methods = append(methods, r.Method)
	}
	return strings.Join(methods, " ")
}

func newConnection() *deliver.Connection { return &deliver.Connection{ID: "conn1", Hub: "chat"} }

// message returns the user event "message" with a text.
func message(c *deliver.Connection, text string) *deliver.Event {
	e := c.NewEvent(wire.KindUser, "message")
	e.ContentType, e.Body = wire.ContentTypeText, []byte(text)
	return e
}

// status returns a handler that answers with a status and nothing else.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// asError returns err as an E, or fails the test.
func asError[E error](t testing.TB, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got error %v (%T), want a %T", err, err, e)
	}
	return e
}

// overPipes serves a handler in memory and returns the transport to it: real
// HTTP for a bubble, in which sockets do not work.
func overPipes(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	transport := &http.Transport{
		DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			select {
			case l.conns <- server:
				return client, nil
			case <-l.closed:
				return nil, net.ErrClosed
			}
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		serving.Wait()
	})
	return transport
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
