package demo_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/demo"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/internal/guard"
)

// named is a part that says its name and the path it was asked for.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name+" "+r.URL.EscapedPath())
	})
}

func newHandler(t *testing.T, service http.Handler, connectionString string) http.Handler {
	t.Helper()
	client, err := webpubsub.NewClient(connectionString, "chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	protection, err := guard.New(&guard.Options{OwnOrigin: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return demo.Handler(demo.Parts{
		Chat: named("chat"), Service: service, Inspector: named("inspector"), Client: client,
		Commands: demo.NewCommands("go run ./cmd/webpubsub", "http://localhost:8080", "k"), Guard: protection.Handler,
	})
}

func TestRoutes(t *testing.T) {
	h := newHandler(t, named("service"), "Endpoint=http://localhost:8080;AccessKey=k;Version=1.0;")
	for _, tt := range []struct{ path, want string }{
		{"/eventhandler", "chat /eventhandler"},
		{"/eventhandler/", "chat /eventhandler/"},
		{"/inspector", "inspector /inspector"},
		{"/inspector/stream", "inspector /inspector/stream"},
		{"/client/hubs/chat", "service /client/hubs/chat"},
		{"/api/hubs/chat/groups/a%2Fb//:send", "service /api/hubs/chat/groups/a%2Fb//:send"},
		{"/", "<!doctype html>"},
		{"/eventhandlers", "404 page not found"},
		{"/demo.go", "404 page not found"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost:8080"+tt.path, nil))
		if got := w.Body.String(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %.40q, want %q", tt.path, got, tt.want)
		}
	}
}

// Other pages of this machine may use the service, which looks for itself, and
// nothing else.
func TestOtherPages(t *testing.T) {
	h := newHandler(t, named("service"), "Endpoint=http://localhost:8080;AccessKey=k;Version=1.0;")
	for _, tt := range []struct {
		method, path, origin string
		status               int
	}{
		{"POST", "/negotiate", "http://localhost:8080", 200},
		{"POST", "/negotiate", "", 200},
		{"POST", "/negotiate", "http://localhost:5173", 403},
		{"DELETE", "/inspector/entries", "http://localhost:8080", 200},
		{"DELETE", "/inspector/entries", "http://localhost:5173", 403},
		{"POST", "/eventhandler", "http://localhost:5173", 403},
		{"POST", "/eventhandler", "", 200},
		{"GET", "/", "http://localhost:5173", 403},
		{"GET", "/client/hubs/chat", "http://localhost:5173", 200},
	} {
		r := httptest.NewRequest(tt.method, "http://localhost:8080"+tt.path, nil)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Code; got != tt.status {
			t.Errorf("%s %s from %q: got %d, want %d", tt.method, tt.path, tt.origin, got, tt.status)
		}
	}
}

// The page gets a URL that lets it in.
func TestNegotiate(t *testing.T) {
	service := emulatortest.Start(t, nil)
	h := newHandler(t, service, service.ConnectionString())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost:8080/negotiate", nil))
	var answer struct{ URL string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	service.Connect("chat", &emulatortest.ConnectOptions{URL: answer.URL})

	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8080/negotiate", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestCommands(t *testing.T) {
	h := newHandler(t, named("service"), "Endpoint=http://localhost:8080;AccessKey=k;Version=1.0;")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8080/commands", nil))
	var got demo.Commands
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := demo.Commands{
		Trigger: `go run ./cmd/webpubsub trigger say --to http://localhost:8080/eventhandler \
  --key k \
  --origin localhost --type json \
  --state eyJuYW1lIjoiVGVybWluYWwifQ== \
  --data '{"room":"lobby","id":"1","text":"Hello from the terminal"}'`,
		Dev: "go run ./cmd/webpubsub dev --upstream http://localhost:3000/eventhandler",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
