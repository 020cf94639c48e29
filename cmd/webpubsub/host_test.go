package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// Connections on which nobody has asked for anything do not hold up the end:
// browsers and HTTP clients keep some in reserve.
func TestUnusedConnections(t *testing.T) {
	server, err := emulator.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{emulator: server, web: &http.Server{Handler: server}, listeners: []net.Listener{listener}}
	talk := &bytes.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- (&app{stdout: io.Discard, stderr: talk}).serve(ctx, h) }()

	unused, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	answer, err := http.Head("http://" + listener.Addr().String() + "/api/health") // accepted after the unused one
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := unused.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the unused connection: %v, want its end", err)
	}
}

// named is a server that says its name.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

// The root leads to the inspector, for those who look. Only its own pages may
// use it, and a refusal advises no flag that would not help.
func TestWithInspector(t *testing.T) {
	h, err := withInspector(named("service"), named("inspector"), []string{"service.test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const own = "only pages of this server may use this, and not the page at "
	tests := []struct {
		method, url, origin string
		status              int
		want                string
	}{
		{"GET", "http://localhost:8080/inspector/", "", 200, "inspector"},
		{"GET", "http://localhost:8080/inspector", "", 200, "inspector"},
		{"GET", "http://localhost:8080/inspectors", "", 200, "service"},
		{"GET", "http://localhost:8080/api/health", "http://localhost:5173", 200, "service"},
		{"DELETE", "http://localhost:8080/inspector/entries", "http://localhost:8080", 200, "inspector"},
		{"DELETE", "http://localhost:8080/inspector/entries", "http://localhost:5173", 403, own + "http://localhost:5173\n"},
		{"DELETE", "http://localhost:8080/inspector/entries", "https://app.example", 403, own + "https://app.example\n"},
		{"GET", "http://service.test/inspector/", "", 200, "inspector"},
		{"GET", "http://evil.example/inspector/", "", 403, "this server is not known as evil.example; if that is its name, start it with --allow-host evil.example\n"},
		{"GET", "http://localhost:8080/", "", 302, "/inspector/"},
		{"HEAD", "http://localhost:8080/", "", 302, "/inspector/"},
		{"POST", "http://localhost:8080/", "", 200, "service"},
		{"GET", "http://localhost:8080//", "", 200, "service"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.url, nil)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Body.String()
		if w.Code == http.StatusFound {
			got = w.Header().Get("Location")
		}
		if w.Code != tt.status || got != tt.want {
			t.Errorf("%s %s from %q: got %d %q, want %d %q", tt.method, tt.url, tt.origin, w.Code, got, tt.status, tt.want)
		}
	}
}

// The demo has a flag for names and none for pages: its refusals say no more.
func TestDemoRefusals(t *testing.T) {
	h := newTestDemo(t, "demo.test")
	tests := []struct {
		method, host, path, origin string
		status                     int
		want                       string // the text of a refusal
	}{
		{"GET", "localhost:8080", "/", "", 200, ""},
		{"GET", "demo.test:8080", "/", "", 200, ""},
		{"HEAD", "demo.test:8080", "/api/health", "", 200, ""},
		{"POST", "demo.test:8080", "/negotiate", "http://demo.test:8080", 200, ""},
		{"HEAD", "localhost:8080", "/api/health", "http://localhost:5173", 200, ""},
		{"POST", "localhost:8080", "/negotiate", "http://localhost:5173", 403, "only pages of this server may use this, and not the page at http://localhost:5173"},
		{"DELETE", "localhost:8080", "/inspector/entries", "http://localhost:5173", 403, "only pages of this server may use this, and not the page at http://localhost:5173"},
		{"GET", "evil.example", "/", "", 403, "this server is not known as evil.example; if that is its name, start it with --allow-host evil.example"},
		{"GET", "evil.example", "/client/hubs/chat", "", 403, "this server is not known as evil.example; if that is its name, start it with --allow-host evil.example"},
		{"GET", "localhost:8080", "/client/hubs/chat", "http://evil.example", 403, "the page at http://evil.example may not use this server"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "http://"+tt.host+tt.path, nil)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != tt.status || tt.want != "" && got != tt.want {
			t.Errorf("%s %s%s from %q: got %d %.200q, want %d %q", tt.method, tt.host, tt.path, tt.origin, w.Code, got, tt.status, tt.want)
		}
	}
}

// newTestDemo returns the server of a demo that can be asked by a name.
func newTestDemo(t *testing.T, name string) http.Handler {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h, err := (&app{stdout: io.Discard, stderr: io.Discard}).newDemo(address{host: "127.0.0.1"}, []net.Listener{listener}, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return h.web.Handler
}
