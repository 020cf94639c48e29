package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

const (
	demoHost = "demo.webpubsub.azure.com"
	demoKey  = "7aab239577fd4f24bc919802fb629f5f"

	typeConnect      = "azure.webpubsub.sys.connect"
	typeConnected    = "azure.webpubsub.sys.connected"
	typeDisconnected = "azure.webpubsub.sys.disconnected"
	typeGroupJoined  = "azure.webpubsub.gp.joined"
	typeGroupLeft    = "azure.webpubsub.gp.left"
	typeMessage      = "azure.webpubsub.user.message"
)

// signed is the ce-signature of a connection id by the formula of the
// protocol's documents, on purpose not by the library's code.
func signed(connectionID string) string {
	mac := hmac.New(sha256.New, []byte(demoKey))
	mac.Write([]byte(connectionID))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// event returns the headers of a signed event. The pairs, name and value,
// replace what is there.
func event(ceType string, pairs ...string) http.Header {
	h := http.Header{
		"Webhook-Request-Origin": {demoHost},
		"Content-Type":           {"application/json; charset=utf-8"},
		"Ce-Awpsversion":         {"1.0"},
		"Ce-Specversion":         {"1.0"},
		"Ce-Type":                {ceType},
		"Ce-Source":              {"/hubs/chat/client/conn1"},
		"Ce-Eventname":           {ceType[strings.LastIndexByte(ceType, '.')+1:]},
		"Ce-Id":                  {"2"},
		"Ce-Time":                {"2026-09-01T08:00:00Z"},
		"Ce-Hub":                 {"chat"},
		"Ce-Connectionid":        {"conn1"},
		"Ce-Userid":              {"alice"},
		"X-Ms-Client-Request-Id": {"7d1f0a52"},
	}
	for pair := range slices.Chunk(pairs, 2) {
		h.Set(pair[0], pair[1])
	}
	if _, ok := h["Ce-Signature"]; !ok {
		h.Set("Ce-Signature", signed(h.Get("Ce-Connectionid")))
	}
	return h
}

// without returns h without the named headers.
func without(h http.Header, names ...string) http.Header {
	for _, name := range names {
		h.Del(name)
	}
	return h
}

func demoValidator(t testing.TB) upstream.RequestValidator {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator("Endpoint=https://" + demoHost + ";AccessKey=" + demoKey + ";Version=1.0;")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newHandler returns a handler that checks signatures, and that is silent
// unless the options name a logger.
func newHandler(t testing.TB, options *upstream.Options) *upstream.EventHandler {
	t.Helper()
	var opts upstream.Options
	if options != nil {
		opts = *options
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return upstream.NewEventHandler(demoValidator(t), &opts)
}

// do sends one request through a handler, without a network.
func do(h http.Handler, method, path string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	r.Header = header.Clone()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(h http.Handler, header http.Header, body string) *httptest.ResponseRecorder {
	return do(h, http.MethodPost, "/eventhandler", header, strings.NewReader(body))
}

// echo answers with the data of the event.
func echo(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return upstream.Text(string(req.Data)), nil
}

// apart runs fn on a goroutine of its own, and returns what it panicked with:
// neither a panic nor runtime.Goexit ends the test.
func apart(fn func()) (panicked any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		fn()
	}()
	<-done
	return panicked
}

// mustPanic reports a test failure unless fn panics.
func mustPanic(t *testing.T, name string, fn func()) {
	t.Helper()
	if apart(fn) == nil {
		t.Errorf("%s: no panic", name)
	}
}

// inBubble runs a row of a table in a bubble of its own.
func inBubble(t *testing.T, name string, fn func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, fn) })
}

// recorder collects what Observe is told.
type recorder struct {
	mu  sync.Mutex
	all []upstream.Record // guarded by mu
}

func (r *recorder) observe(_ context.Context, rec upstream.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, rec)
}

func (r *recorder) records() []upstream.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// logSink collects log lines.
type logSink struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *logSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// logger logs every level as JSON, one object on a line.
func (s *logSink) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines returns the log lines of a logger made by s.logger.
func (s *logSink) lines(t testing.TB) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(s.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// pipeListener is a listener without a network: with it a server works inside
// a synctest bubble.
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

func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

// startServer runs srv until the test, a bubble, ends; dial connects to it.
func startServer(t *testing.T, srv *http.Server) (dial func() net.Conn) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	served := make(chan error)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
		time.Sleep(time.Second) // of the bubble: net/http lingers on what it closes
	})
	return func() net.Conn {
		client, server := net.Pipe()
		l.conns <- server
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
}

// rawRequest is a POST as it is on the wire. The body is written as it is: the
// headers have to say how long it is.
func rawRequest(header http.Header, body string) string {
	var b strings.Builder
	b.WriteString("POST /eventhandler HTTP/1.1\r\nHost: handler.test\r\n")
	_ = header.Write(&b)
	return b.String() + "\r\n" + body
}

// talk writes a raw request and reads one whole response.
func talk(conn net.Conn, request string) (*http.Response, string, error) {
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}
