package guard_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/guard"
)

// newGuard returns a guard of a command that has both flags.
func newGuard(t testing.TB, options *guard.Options) *guard.Guard {
	t.Helper()
	var opts guard.Options
	if options != nil {
		opts = *options
	}
	opts.HostFlag, opts.OriginFlag = "--allow-host", "--allow-origin"
	g, err := guard.New(&opts)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request has a Host header and further headers in pairs.
func request(method, host string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/client/hubs/chat?access_token=S3cret", nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// check compares an error with its wanted part; an empty one is success.
func check(t *testing.T, what string, got error, want string) {
	t.Helper()
	switch {
	case want == "" && got != nil:
		t.Errorf("%s: got error %q, want none", what, got)
	case want != "" && (got == nil || !strings.Contains(got.Error(), want)):
		t.Errorf("%s: got error %v, want one with %q", what, got, want)
	}
}

func TestHost(t *testing.T) {
	plain := newGuard(t, nil)
	named := newGuard(t, &guard.Options{AllowedHosts: []string{"Emulator.Test", "web_1", "3f2a9c", "::1", "[::1]", "10.0.0.1"}})
	any := newGuard(t, &guard.Options{AllowedHosts: []string{"*"}})
	const no, bad = "--allow-host", "names no host"
	tests := []struct {
		guard *guard.Guard
		host  string
		want  string
	}{
		{plain, "localhost", ""},
		{plain, "localhost:8080", ""},
		{plain, "LocalHost.:8080", ""},
		{plain, "app.localhost:8080", ""},
		{plain, "127.0.0.1:8080", ""},
		{plain, "127.1.2.3", ""},
		{plain, "[::1]:8080", ""},
		{plain, "[::1]", ""},
		{plain, "[::ffff:127.0.0.1]:8080", ""},
		{plain, "0.0.0.0:8080", ""},
		{plain, "192.168.1.20:8080", ""},
		{plain, "[2001:db8::1]:8080", ""},
		{plain, "evil.example", "start it with --allow-host evil.example"},
		{plain, "EVIL.example.:8080", "start it with --allow-host evil.example"},
		{plain, "localhost.evil.example", no},
		{plain, "evillocalhost", no},
		{plain, "127.0.0.1.evil.example", no},
		{plain, "127.1", no},
		{plain, "2130706433:8080", no},
		{plain, "0x7f000001", no},
		{plain, "127.0.0.01", no},
		{plain, "emulator.test", no},
		{plain, "127.0.0.1.", bad},
		{plain, "", bad},
		{plain, ".", bad},
		{plain, ".localhost", bad},
		{plain, "localhost..", bad},
		{plain, "evil..localhost", bad},
		{plain, "localhost:", bad},
		{plain, "localhost:0", bad},
		{plain, "localhost:08080", bad},
		{plain, "localhost:65536", bad},
		{plain, "localhost:80:80", bad},
		{plain, "localhost:+80", bad},
		{plain, "::1", bad},
		{plain, "::1:8080", bad},
		{plain, "::1.localhost", bad},
		{plain, "::1.localhost:8080", bad},
		{plain, "[::1", bad},
		{plain, "[::1]8080", bad},
		{plain, "[[::1]]", bad},
		{plain, "[127.0.0.1]", bad},
		{plain, "[localhost]", bad},
		{plain, "[fe80::1%25eth0]", bad},
		{plain, "[::1%eth0]:8080", bad},
		{plain, "evil.example@localhost", bad},
		{plain, "evil.example/localhost", bad},
		{plain, "evil.example#.localhost", bad},
		{plain, "evil.example?.localhost", bad},
		{plain, `evil.example\.localhost`, bad},
		{plain, "evil.example%2elocalhost", bad},
		{plain, "evil.example .localhost", bad},
		{plain, "evil.example\x00.localhost", bad},
		{plain, "loca\u017fhost", bad},
		{plain, "\uff4cocalhost", bad},
		{plain, strings.Repeat("a", 300) + ".localhost", bad},
		{named, "emulator.test:8080", ""},
		{named, "EMULATOR.TEST.", ""},
		{named, "web_1:8080", ""},
		{named, "3f2a9c:8080", ""},
		{named, "localhost", ""},
		{named, "x.emulator.test", no},
		{named, "emulator.test.evil.example", no},
		{any, "evil.example", ""},
		{any, "evil.example/localhost", bad},
	}
	for _, tt := range tests {
		check(t, tt.host, tt.guard.Check(request("GET", tt.host)), tt.want)
	}
}

func TestOrigin(t *testing.T) {
	plain := newGuard(t, nil)
	open := newGuard(t, &guard.Options{
		AllowedHosts:   []string{"emulator.test"},
		AllowedOrigins: []string{"https://App.Example/", "http://other.example:3000", "http://[2001:db8::7]:80", "chrome-extension://abcdef"},
	})
	null := newGuard(t, &guard.Options{AllowedOrigins: []string{"null"}})
	any := newGuard(t, &guard.Options{AllowedOrigins: []string{"*"}})
	const no, bad = "--allow-origin", "is no origin"
	tests := []struct {
		guard  *guard.Guard
		host   string
		origin string
		want   string
	}{
		{plain, "localhost:8080", "http://localhost:8080", ""},
		{plain, "localhost:8080", "http://localhost:5173", ""},
		{plain, "localhost:8080", "https://localhost", ""},
		{plain, "localhost:8080", "http://app.localhost:3000", ""},
		{plain, "localhost:8080", "http://127.0.0.1:3000", ""},
		{plain, "localhost:8080", "http://[::1]:3000", ""},
		{plain, "127.0.0.1:8080", "HTTP://LOCALHOST.:3000", ""},
		{plain, "192.168.1.20:8080", "http://192.168.1.20:8080", ""},
		{plain, "192.168.1.20", "http://192.168.1.20", ""},
		{plain, "192.168.1.20", "https://192.168.1.20", ""},
		{plain, "192.168.1.20:443", "https://192.168.1.20", ""},
		{plain, "[2001:db8::1]:8080", "http://[2001:DB8:0::1]:8080", ""},
		{plain, "192.168.1.20:8080", "http://192.168.1.20:3000", no},
		{plain, "192.168.1.20:8080", "http://192.168.1.20", no},
		{plain, "192.168.1.20", "http://192.168.1.20:8080", no},
		{plain, "localhost:8080", "http://evil.example", "start the server with --allow-origin http://evil.example"},
		{plain, "localhost:8080", "https://EVIL.example.:443", "start the server with --allow-origin https://evil.example"},
		{plain, "localhost:8080", "http://[2001:db8::1]:81", "--allow-origin http://[2001:db8::1]:81"},
		{plain, "localhost:8080", "http://localhost.evil.example", no},
		{plain, "localhost:8080", "http://evillocalhost", no},
		{plain, "localhost:8080", "http://127.0.0.1.evil.example", no},
		{plain, "localhost:8080", "http://emulator.test", no},
		{plain, "localhost:8080", "chrome-extension://localhost", "--allow-origin chrome-extension://localhost"},
		{plain, "localhost:8080", "file://localhost", no},
		{plain, "localhost:8080", "file://", bad},
		{plain, "localhost:8080", "null", "--allow-origin null"},
		{plain, "localhost:8080", "", bad},
		{plain, "localhost:8080", "localhost:8080", bad},
		{plain, "localhost:8080", "//localhost:8080", bad},
		{plain, "localhost:8080", "http:localhost:8080", bad},
		{plain, "localhost:8080", "http://localhost:8080/", bad},
		{plain, "localhost:8080", "http://localhost:8080/x", bad},
		{plain, "localhost:8080", "http://evil.example@localhost:8080", bad},
		{plain, "localhost:8080", "http://evil.example http://localhost", bad},
		{plain, "localhost:8080", "http://localhost, http://evil.example", bad},
		{plain, "localhost:8080", " http://localhost", bad},
		{plain, "localhost:8080", "1http://localhost", bad},
		{plain, "localhost:8080", "NULL", bad},
		{plain, "localhost:8080", "*", bad},
		{plain, "evil.example", "http://evil.example", "--allow-host"},
		{plain, "evil.example", "http://localhost", "--allow-host"},
		{open, "localhost", "https://app.example", ""},
		{open, "localhost", "https://app.example:443", ""},
		{open, "localhost", "http://other.example:3000", ""},
		{open, "localhost", "http://[2001:db8::7]", ""},
		{open, "localhost", "chrome-extension://abcdef", ""},
		{open, "emulator.test:8080", "http://emulator.test:8080", ""},
		{open, "localhost", "http://app.example", no},
		{open, "localhost", "https://app.example:8443", no},
		{open, "localhost", "http://other.example", no},
		{open, "localhost", "https://x.app.example", no},
		{open, "localhost", "http://emulator.test:8080", no},
		{open, "localhost", "null", no},
		{null, "localhost", "null", ""},
		{null, "localhost", "http://evil.example", no},
		{any, "localhost", "http://evil.example", ""},
		{any, "localhost", "null", ""},
		{any, "evil.example", "http://evil.example", "--allow-host"},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			r := request(method, tt.host, "Origin", tt.origin, "Sec-Fetch-Site", "cross-site")
			check(t, method+" "+tt.host+" from "+tt.origin, tt.guard.Check(r), tt.want)
		}
	}
	check(t, "two origins", plain.Check(request("GET", "localhost", "Origin", "http://localhost", "Origin", "http://evil.example")), "more than one Origin")
}

func TestSite(t *testing.T) {
	plain := newGuard(t, &guard.Options{AllowedHosts: []string{"emulator.test"}})
	const no = "another site's page"
	tests := []struct {
		method, host, site, mode, dest string
		want                           string
	}{
		{"GET", "localhost", "", "", "", ""},
		{"POST", "localhost", "", "", "", ""},
		{"GET", "localhost", "none", "navigate", "document", ""},
		{"POST", "localhost", "same-origin", "cors", "empty", ""},
		{"GET", "localhost", "same-site", "no-cors", "image", ""},
		{"POST", "127.0.0.1:8080", "same-site", "no-cors", "empty", ""},
		{"GET", "emulator.test", "same-site", "no-cors", "image", no},
		{"GET", "192.168.1.20", "same-site", "no-cors", "image", no},
		{"GET", "localhost", "cross-site", "no-cors", "image", no},
		{"GET", "localhost", "cross-site", "no-cors", "script", no},
		{"HEAD", "localhost", "cross-site", "no-cors", "empty", no},
		{"GET", "localhost", "cross-site", "navigate", "iframe", no},
		{"GET", "localhost", "cross-site", "navigate", "object", no},
		{"GET", "localhost", "cross-site", "navigate", "document", ""},
		{"GET", "emulator.test", "same-site", "navigate", "document", ""},
		{"POST", "localhost", "cross-site", "navigate", "document", no},
		{"GET", "localhost", "later", "no-cors", "empty", no},
	}
	for _, tt := range tests {
		header := []string{"Sec-Fetch-Mode", tt.mode, "Sec-Fetch-Dest", tt.dest}
		if tt.site != "" {
			header = append(header, "Sec-Fetch-Site", tt.site)
		}
		check(t, strings.Join([]string{tt.method, tt.host, tt.site, tt.mode, tt.dest}, " "), plain.Check(request(tt.method, tt.host, header...)), tt.want)
	}
	any := newGuard(t, &guard.Options{AllowedOrigins: []string{"*"}})
	check(t, "any origin", any.Check(request("GET", "localhost", "Sec-Fetch-Site", "cross-site")), "")
}

// What is for the server's own pages is closed to all others of this machine.
// Programs pass.
func TestOwnOrigin(t *testing.T) {
	own := newGuard(t, &guard.Options{OwnOrigin: true, AllowedHosts: []string{"emulator.test"}})
	const page, site = "only pages of this server", "another site's page"
	tests := []struct {
		method, host, origin, site string
		want                       string
	}{
		{"GET", "localhost:8080", "", "", ""},
		{"POST", "localhost:8080", "", "", ""},
		{"GET", "localhost:8080", "", "none", ""},
		{"GET", "localhost:8080", "", "same-origin", ""},
		{"POST", "localhost:8080", "http://localhost:8080", "same-origin", ""},
		{"POST", "LOCALHOST:8080", "http://localhost.:8080", "", ""},
		{"POST", "localhost", "http://localhost", "", ""},
		{"POST", "localhost", "https://localhost", "", ""},
		{"DELETE", "127.0.0.1:8080", "http://127.0.0.1:8080", "", ""},
		{"DELETE", "[::1]:8080", "http://[::1]:8080", "", ""},
		{"POST", "emulator.test:8080", "http://emulator.test:8080", "", ""},
		{"POST", "192.168.1.20:8080", "http://192.168.1.20:8080", "", ""},
		{"POST", "localhost:8080", "http://localhost:5173", "same-site", page},
		{"DELETE", "localhost:8080", "http://localhost:5173", "", page},
		{"POST", "localhost:8080", "http://localhost", "", page},
		{"POST", "localhost:8080", "http://127.0.0.1:8080", "", page},
		{"POST", "localhost:8080", "http://app.localhost:8080", "", page},
		{"POST", "localhost:8080", "chrome-extension://localhost:8080", "", page},
		{"POST", "localhost:8080", "http://evil.example", "", page},
		{"POST", "localhost:8080", "null", "", "pages without an origin"},
		{"GET", "localhost:8080", "", "same-site", site},
		{"POST", "localhost:8080", "", "same-site", site},
		{"GET", "localhost:8080", "", "cross-site", site},
		{"GET", "evil.example", "", "", "--allow-host evil.example"},
	}
	for _, tt := range tests {
		r := request(tt.method, tt.host)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		check(t, strings.Join([]string{tt.method, tt.host, tt.origin, tt.site}, " "), own.Check(r), tt.want)
	}
	link := request("GET", "localhost:8080", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	check(t, "a link", own.Check(link), "")
	_, err := guard.New(&guard.Options{OwnOrigin: true, AllowedOrigins: []string{"*"}})
	check(t, "other origins, too", err, "OwnOrigin allows no other origins")
}

// Nobody is advised a flag that is not there.
func TestNoFlags(t *testing.T) {
	for _, own := range []bool{false, true} {
		g, err := guard.New(&guard.Options{OwnOrigin: own})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*http.Request{
			request("GET", "evil.example"),
			request("GET", "localhost", "Origin", "http://evil.example"),
			request("GET", "localhost", "Origin", "null"),
		} {
			if err := g.Check(r); err == nil || strings.ContainsAny(err.Error(), ";-") {
				t.Errorf("%s from %s: got %v, want a refusal and no more", r.Host, r.Header.Get("Origin"), err)
			}
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, host := range []string{"", "localhost:8080", "http://localhost", "*.example", "a b", "::1%eth0", "[::1"} {
		if _, err := guard.New(&guard.Options{AllowedHosts: []string{host}}); err == nil {
			t.Errorf("host %q is accepted, want an error", host)
		}
	}
	for _, origin := range []string{"", "app.example", "https://", "https://app.example/path", "https://*.example", "https://u@app.example", "https://app.example//"} {
		if _, err := guard.New(&guard.Options{AllowedOrigins: []string{origin}}); err == nil {
			t.Errorf("origin %q is accepted, want an error", origin)
		}
	}
}

func TestHandler(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(t, &guard.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))

	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("POST", "localhost:8080", "Origin", "http://localhost:5173"))
	if w.Code != http.StatusNoContent || log.Len() > 0 {
		t.Errorf("got status %d and log %q, want 204 and none", w.Code, log.String())
	}
	for name := range w.Header() {
		t.Errorf("the guard adds the header %s", name)
	}

	w = httptest.NewRecorder()
	h.ServeHTTP(w, request("POST", "localhost:8080", "Origin", "http://evil.example"))
	const want = "the page at http://evil.example may not use this server; to allow it, start the server with --allow-origin http://evil.example\n"
	if w.Code != http.StatusForbidden || w.Body.String() != want {
		t.Errorf("got %d %q, want 403 %q", w.Code, w.Body, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if got := log.String(); !strings.Contains(got, "http://evil.example") || strings.Contains(got, "S3cret") {
		t.Errorf("got log %q, want the origin and not the query", got)
	}
}

func TestOptionsAreCopied(t *testing.T) {
	opts := &guard.Options{AllowedHosts: []string{"a.test"}, AllowedOrigins: []string{"http://a.test"}}
	g := newGuard(t, opts)
	opts.AllowedHosts[0], opts.AllowedOrigins[0] = "*", "*"
	check(t, "host", g.Check(request("GET", "evil.example")), "--allow-host")
	check(t, "origin", g.Check(request("GET", "localhost", "Origin", "http://evil.example")), "--allow-origin")
}
