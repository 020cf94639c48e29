package page_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/page"
)

func TestHandler(t *testing.T) {
	h := page.Handler(fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>")},
		"app.js":     {Data: []byte("export {}")},
	})
	for _, tt := range []struct {
		path        string
		status      int
		contentType string
	}{
		{"/", 200, "text/html; charset=utf-8"},
		{"/app.js", 200, "text/javascript; charset=utf-8"},
		{"/none.js", 404, "text/plain; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:8080"+tt.path, nil))
		if got := w.Header().Get("Content-Type"); w.Code != tt.status || got != tt.contentType {
			t.Errorf("%s: got %d %q, want %d %q", tt.path, w.Code, got, tt.status, tt.contentType)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", tt.path, name, got, want)
			}
		}
	}
}

// The page talks to its own host, and no Host header adds to that.
func TestPolicy(t *testing.T) {
	h := page.Handler(fstest.MapFS{"index.html": {}})
	for _, tt := range []struct{ host, connect string }{
		{"localhost:8080", "connect-src 'self' ws://localhost:8080 wss://localhost:8080;"},
		{"[::1]:80", "connect-src 'self' ws://[::1]:80 wss://[::1]:80;"},
		{"a; script-src *", "connect-src 'self';"},
		{"*", "connect-src 'self';"},
		{"", "connect-src 'self';"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, tt.connect) || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") ||
			!strings.HasSuffix(policy, "; require-trusted-types-for 'script'; trusted-types 'none'") {
			t.Errorf("%q: got %s, want %s in it", tt.host, policy, tt.connect)
		}
	}
}
