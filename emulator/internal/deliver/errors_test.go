package deliver_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// failure sends one event in one attempt and returns its error, which has a
// hint.
func failure(t *testing.T, settings deliver.Handler, kind wire.Kind) deliver.Hinter {
	t.Helper()
	s := newSender(t, deliver.Options{Origin: "demo.example", RetryDelays: []time.Duration{}})
	_, err := s.Send(t.Context(), compile(t, settings), newConnection().NewEvent(kind, "e"))
	e := asError[deliver.Hinter](t, err)
	if e.Hint() == "" || strings.ContainsAny(e.Error()+e.Hint(), "\r\n") {
		t.Errorf("error %q, hint %q, want one line each", e, e.Hint())
	}
	return e
}

func TestStatusErrors(t *testing.T) {
	for _, tt := range []struct {
		status   int
		location string
		kind     wire.Kind
		path     string
		text     string // after the URL
		hint     string // is part of it
	}{
		{301, "/x/", wire.KindUser, "/x", "answered 301 Moved Permanently, to /x/", "register both /x and /x/"},
		{307, "http://u:s3cret@b/x?code=s3cret", wire.KindUser, "/x/", "answered 307 Temporary Redirect, to http://b/x?code=…", "register both /x and /x/"},
		{302, "://", wire.KindUser, "/x", "answered 302 Found, to nowhere: its Location is no URL", "follows no redirect"},
		{302, "", wire.KindUser, "/", "answered 302 Found", "register the path /"},
		{400, "", wire.KindUser, "/x", "answered 400 Bad Request", "its own log"},
		{401, "", wire.KindUser, "/x", "answered 401 Unauthorized", "the handler does not accept the signature: its AccessKey"},
		{401, "", wire.KindConnect, "/x", "answered 401 Unauthorized", "most likely meant to refuse this client; otherwise the handler does not accept the signature"},
		{403, "", wire.KindUser, "/x", "answered 403 Forbidden", "events from demo.example"},
		{404, "", wire.KindUser, "/x", "answered 404 Not Found", "register both /x and /x/ for POST"},
		{405, "", wire.KindUser, "/x", "answered 405 Method Not Allowed", "register both /x and /x/ for POST and OPTIONS"},
		{413, "", wire.KindUser, "/x", "answered 413 Request Entity Too Large", "1 MB"},
		{415, "", wire.KindUser, "/x", "answered 415 Unsupported Media Type", "content type"},
		{429, "", wire.KindUser, "/x", "answered 429 Too Many Requests", "does not try again"},
		{500, "", wire.KindUser, "/x", "answered 500 Internal Server Error", "its own log says why"},
		{599, "", wire.KindUser, "/x", "answered 599", "its own log says why"},
	} {
		b := backend{event: func(w http.ResponseWriter, _ *http.Request) {
			if tt.location != "" {
				w.Header().Set("Location", tt.location)
			}
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte("s3cret"))
		}}
		h := everything(&b)
		h.URLTemplate = "http://user:s3cret@a" + tt.path + "?code=s3cret"
		e := failure(t, h, tt.kind)
		if got, want := e.Error(), "http://a"+tt.path+"?code=… "+tt.text; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if !strings.Contains(e.Hint(), tt.hint) || strings.Contains(e.Hint(), "s3cret") {
			t.Errorf("%d: hint %q, want %q", tt.status, e.Hint(), tt.hint)
		}
		if got := asError[*deliver.StatusError](t, e).Status(); got != tt.status {
			t.Errorf("status %d, want %d", got, tt.status)
		}
	}
}

func TestAttemptsAreNamed(t *testing.T) {
	for _, answer := range []http.HandlerFunc{status(500), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }} {
		s := newSender(t, deliver.Options{RetryDelays: []time.Duration{0, 0}})
		_, err := s.Send(t.Context(), compile(t, everything(&backend{event: answer})), message(newConnection(), ""))
		if err == nil || !strings.HasSuffix(err.Error(), "(3 attempts)") {
			t.Errorf("got %v, want the number of attempts in it", err)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := refusing.Addr().String()
	if err := refusing.Close(); err != nil {
		t.Fatal(err)
	}
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer closing.Close()
	plain := httptest.NewServer(&backend{})
	defer plain.Close()
	encrypted := httptest.NewUnstartedServer(&backend{})
	encrypted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	encrypted.StartTLS()
	defer encrypted.Close()
	for _, tt := range []struct{ name, url, hint string }{
		{"nobody there", "http://" + address + "/x", "is the application running at " + address + "?"},
		{"closed", closing.URL, "closed the connection instead of answering"},
		{"https to http", strings.Replace(plain.URL, "http:", "https:", 1), "use http:// in the URL"},
		{"foreign certificate", encrypted.URL, "certificate is not trusted"},
		{"no such host", "http://host.invalid/x", "check the host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := failure(t, at(tt.url), wire.KindUser)
			h := asError[*deliver.HandshakeError](t, e)
			if h.Rule != deliver.RuleAnswer || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("got %v, hint %q; want %q", e, e.Hint(), tt.hint)
			}
			if n := asError[*deliver.NetworkError](t, e); n.Err == nil || !strings.Contains(e.Error(), n.Error()) {
				t.Errorf("error %q does not say what happened", e)
			}
		})
	}
}

func TestRootCAs(t *testing.T) {
	var b backend
	server := httptest.NewTLSServer(&b)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s := newSender(t, deliver.Options{RootCAs: roots})
	if _, err := s.Send(t.Context(), compile(t, at(server.URL)), message(newConnection(), "")); err != nil {
		t.Fatal(err)
	}
	if got := len(b.got()); got != 1 {
		t.Errorf("%d events, want 1", got)
	}
}

func TestOtherErrors(t *testing.T) {
	for _, tt := range []struct {
		err        error
		text, hint string
	}{
		{
			&deliver.UnsendableError{Header: "ce-type", Reason: "is no visible ASCII"},
			"the event cannot be sent: the header ce-type is no visible ASCII", "event names, metadata and connection states travel in HTTP headers: keep them ASCII",
		},
		{&deliver.CanceledError{Err: deliver.ErrShutdown}, "the event was given up: the service is shutting down", ""},
		{
			&deliver.NoHandlerError{Hub: "chat", Kind: wire.KindUser, Name: "vote"},
			`hub "chat" has no event handler to take user event "vote"`, `set the URL of an event handler for hub "chat", and the events that it takes`,
		},
		{
			&deliver.TimeoutError{URL: "http://a", Limit: time.Second, Body: true},
			"the answer of http://a did not end within 1s", "end the answer: the service waits for the whole of it before the client gets anything",
		},
		{
			&deliver.TimeoutError{URL: "http://a", Limit: time.Second},
			"http://a did not answer within 1s", "answer sooner: do what takes long after the answer, and send its result to the client then",
		},
	} {
		if got := tt.err.Error(); got != tt.text {
			t.Errorf("got  %s\nwant %s", got, tt.text)
		}
		if hinter, ok := errors.AsType[deliver.Hinter](tt.err); ok && hinter.Hint() != tt.hint {
			t.Errorf("got hint  %s\nwant hint %s", hinter.Hint(), tt.hint)
		}
	}
}

// TestConnectionIsUsedAgain counts the connections of many events, failed ones
// among them.
func TestConnectionIsUsedAgain(t *testing.T) {
	answers := inTurn(204, 400, 500, 200, 404, 204)
	connections := 0
	server := httptest.NewUnstartedServer(&backend{event: func(w http.ResponseWriter, r *http.Request) { answers(w, r) }})
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections++
		}
	}
	server.Start()
	s := newSender(t, deliver.Options{RetryDelays: []time.Duration{0}})
	handlers := compile(t, at(server.URL))
	for range 10 {
		_, _ = s.Send(t.Context(), handlers, message(newConnection(), "x"))
	}
	server.Close() // so that the count is ours
	if connections != 1 {
		t.Errorf("%d connections, want 1", connections)
	}
}

// TestNothingSecretIsShown fails an event in many ways and looks for what must
// not be shown in errors, hints, logs and reports.
func TestNothingSecretIsShown(t *testing.T) {
	var log bytes.Buffer
	var shown strings.Builder
	for _, answer := range []http.HandlerFunc{
		status(204), status(401), reply("s3cret", "Content-Type", "image/png"), reply("s3cret", "Content-Type", "application/json"),
		reply("s3cret", "Ce-Connectionstate", "s3crét"), reply("s3cret", "X-Webpubsub-Metadata-K", "s3crét"), reply("s3cret", "Content-Length", "9"),
	} {
		for _, kind := range []wire.Kind{wire.KindConnect, wire.KindUser} {
			options := deliver.Options{
				Keys: []string{"s3cret"}, RetryDelays: []time.Duration{},
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			}
			s, logged := newSender(t, options), deliver.New(&options)
			h := everything(&backend{event: answer})
			h.URLTemplate = "http://user:s3cret@a/x?code=s3cret&s3cret"
			e := newConnection().NewEvent(kind, "e")
			e.Body = []byte(`"s3cret"`)
			e.Metadata = map[string]string{"m": "s3cret"}
			_, err := s.Send(t.Context(), compile(t, h), e)
			if err == nil {
				err = errors.New("none")
			}
			fmt.Fprintf(&shown, "%v\n", err)
			if hinter, ok := errors.AsType[deliver.Hinter](err); ok {
				fmt.Fprintln(&shown, hinter.Hint())
			}
			for _, r := range append(s.reported(false), s.reported(true)...) {
				fmt.Fprintf(&shown, "%+v\n", r)
			}
			_, _ = logged.Send(t.Context(), compile(t, h), e)
			if err := logged.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	all := shown.String() + log.String()
	if strings.Contains(all, "s3cr") || strings.Contains(all, wire.Sign("conn1", "s3cret")) {
		t.Errorf("a secret is shown:\n%s", all)
	}
	if !strings.Contains(log.String(), "hint=") || !strings.Contains(log.String(), "event delivered") {
		t.Errorf("the log is %q, want failures with a hint and successes", log.String())
	}
}
