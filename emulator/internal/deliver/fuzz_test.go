package deliver_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// fuzzSender returns a Sender that tries once and logs nothing.
func fuzzSender(f *testing.F) *deliver.Sender {
	s := deliver.New(&deliver.Options{RetryDelays: []time.Duration{}, Logger: slog.New(slog.DiscardHandler)})
	f.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s
}

// FuzzURLTemplate checks that a template that compiles sends events to the host
// that it names, whatever hub and event are called, and that they arrive as
// data: a server that takes the URL apart finds them again.
func FuzzURLTemplate(f *testing.F) {
	for _, template := range []string{
		"http://a/{hub}/{event}", "https://user:pw@a:80/?h={hub}&e={event}", "http://a", "http://[::1]:1/%41{event}", "http://a/%4{hub}",
		"http://{hub}/", "http://a?{event}", "HTTP://A/{event}#x", "tunnel:///x", "http://a/{{hub}}", "http://a//{hub}/../{event}", "http://a:80:80/", "http://a/%{hub}",
	} {
		f.Add(template, "chat", "message")
		f.Add(template, "a/../b", "x?y=1&z#%41 ")
	}
	s := fuzzSender(f)
	f.Fuzz(func(t *testing.T, template, hub, event string) {
		var uris, hosts []string
		b := backend{event: func(_ http.ResponseWriter, r *http.Request) {
			uris, hosts = append(uris, r.RequestURI), append(hosts, r.Host)
		}}
		h := everything(&b)
		h.URLTemplate = template
		handlers, err := deliver.Compile([]deliver.Handler{h})
		if err != nil {
			if template != "" && strings.Contains(err.Error(), "\n") {
				t.Errorf("Compile: %q is not one line", err)
			}
			return
		}
		c := &deliver.Connection{ID: "c", Hub: hub}
		if _, err := s.Send(t.Context(), handlers, c.NewEvent(wire.KindUser, event)); err != nil {
			asError[*deliver.UnsendableError](t, err) // of a name that fits no header
			return
		}
		if template == "" {
			return
		}
		_, rest, _ := strings.Cut(template, "://")
		authority, target := rest, "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			authority, target = rest[:i], "/"+strings.TrimPrefix(rest[i:], "/")
		}
		host, err := url.PathUnescape(authority[strings.LastIndexByte(authority, '@')+1:])
		if err != nil || hosts[0] != host {
			t.Errorf("sent to host %q, want that of %q", hosts[0], template)
		}
		if got, want := marks(uris[0]), marks(target); got != want {
			t.Errorf("hub %q and event %q changed the structure of %q: %q", hub, event, template, uris[0])
		}
	})
}

// marks counts what gives a URL its structure.
func marks(target string) (n int) {
	for _, mark := range "/?&=#" {
		n += strings.Count(target, string(mark))
	}
	return n
}

// FuzzUserEventPattern checks patterns against a plain reading of them.
func FuzzUserEventPattern(f *testing.F) {
	for _, pattern := range []string{"", "*", " * ", "a", "A, b", "a,,b", ",", "a,*", "a.b", "\u017F"} {
		f.Add(pattern, "a")
		f.Add(pattern, "B")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		handlers, err := deliver.Compile([]deliver.Handler{{URLTemplate: "http://a", UserEventPattern: pattern}})
		trimmed := strings.TrimSpace(pattern)
		lower, listed, bad := strings.ToLower(name), false, false
		for _, element := range strings.Split(trimmed, ",") {
			element = strings.TrimSpace(element)
			listed = listed || element != "" && strings.ToLower(element) == lower
			bad = bad || strings.Contains(element, "*")
		}
		bad = bad && trimmed != "*"
		if (err != nil) != bad {
			t.Fatalf("Compile with pattern %q: %v, want an error = %v", pattern, err, bad)
		}
		want := err == nil && (trimmed == "*" || trimmed != "" && listed)
		if got := err == nil && handlers.Takes(wire.KindUser, name); got != want {
			t.Errorf("pattern %q takes %q = %v, want %v", pattern, name, got, want)
		}
	})
}

// FuzzAnswer checks that no answer breaks the service, and that what comes out
// of a good one can be given to a client and sent back to the handler.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []struct {
		status                         int
		contentType, state, meta, body string
	}{
		{200, "text/plain; charset=utf-8", "e30=", "v", "hi"},
		{200, "application/json", "", "a, b", `{"roles":[]}`},
		{204, "", "", "", ""},
		{200, "text/plain", " s ", "", "\xff"},
		{200, "APPLICATION/JSON;x", "ü", "", "1 2"},
		{200, "image/png", "\n", "\x00", "x"},
		{200, "application/x-protobuf", "", "", "\x00"},
		{302, "", "x", "", ""},
		{400, "text/plain", "x", "x", "no"},
		{200, "", "", "", `{"groups":["a"],"userId":""}`},
	} {
		f.Add(seed.status, seed.contentType, seed.state, seed.meta, []byte(seed.body))
	}
	s := fuzzSender(f)
	f.Fuzz(func(t *testing.T, code int, contentType, state, meta string, body []byte) {
		code = 200 + max(code, -code)%300
		b := backend{event: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{contentType}
			w.Header()["Ce-Connectionstate"] = []string{state}
			w.Header()["X-Webpubsub-Metadata-K"] = []string{meta}
			w.WriteHeader(code)
			_, _ = w.Write(body)
		}}
		handlers, err := deliver.Compile([]deliver.Handler{everything(&b)})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []wire.Kind{wire.KindConnect, wire.KindUser, wire.KindConnected} {
			c := newConnection()
			a, err := s.Send(t.Context(), handlers, c.NewEvent(kind, "e"))
			current, set := c.State()
			if err != nil {
				if hint := asError[deliver.Hinter](t, err).Hint(); hint == "" || strings.Contains(err.Error()+hint, "\n") {
					t.Errorf("error %q, hint %q, want one line each", err, hint)
				}
				if set {
					t.Errorf("a failed answer set the state %q", current)
				}
				continue
			}
			if set && !wire.ValidHeaderValue(current) {
				t.Errorf("the state became %q, which fits no header", current)
			}
			m, ok := a.Message()
			switch {
			case kind == wire.KindConnect && a.Connect() == nil:
				t.Error("nothing from a good answer to connect")
			case !ok:
			case m.DataType == wire.DataText && !utf8.Valid(m.Bytes), m.DataType == wire.DataJSON && !json.Valid(m.Bytes), m.DataType == wire.DataOther:
				t.Errorf("message %s %q cannot be given to a client", m.DataType, m.Bytes)
			case !wire.ValidHeaderValue(m.Metadata["k"]):
				t.Errorf("metadata %q", m.Metadata["k"])
			}
		}
	})
}
