package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/demo"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
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
	return demo.Handler(demo.Parts{Chat: named("chat"), Service: service, Inspector: named("inspector"), Client: client})
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

// The page gets a URL that lets it in, at the address by which it knows this
// server.
func TestNegotiate(t *testing.T) {
	service := emulatortest.Start(t, nil)
	h := newHandler(t, service, service.ConnectionString())
	for _, host := range []string{"localhost:8080", "192.0.2.7:8080"} {
		r := httptest.NewRequest("POST", "/negotiate", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer struct{ URL string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(answer.URL)
		if err != nil || u.Scheme != "ws" || u.Host != host || u.Path != "/client/hubs/chat" {
			t.Errorf("got %q, want one for %s", answer.URL, host)
		}
		service.Connect("chat", &emulatortest.ConnectOptions{URL: answer.URL})
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/negotiate", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}
