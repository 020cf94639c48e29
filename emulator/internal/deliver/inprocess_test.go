package deliver_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// TestLooksLikeAServersRequest shows one handler the same events in process and
// by a server of net/http, and compares everything that it sees.
func TestLooksLikeAServersRequest(t *testing.T) {
	type seen struct {
		Method, Proto, Host, RequestURI, URL, Path, RawPath string
		ContentLength                                       int64
		TransferEncoding                                    []string
		Header                                              http.Header
		Body                                                string
		NilBody, NoBody, Form, HasAddress, Deadline         bool
	}
	var got []seen
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, deadline := r.Context().Deadline()
		s := seen{
			Method: r.Method, Proto: r.Proto, Host: r.Host, RequestURI: r.RequestURI,
			URL: r.URL.String(), Path: r.URL.Path, RawPath: r.URL.RawPath,
			ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding, Header: r.Header.Clone(),
			NilBody: r.Body == nil, NoBody: r.Body == http.NoBody, HasAddress: strings.Contains(r.RemoteAddr, ":"), Deadline: deadline,
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.Body = string(body)
		for _, name := range []string{"X-Ms-Client-Request-Id", "Ce-Time"} {
			if s.Header.Get(name) == "" && r.Method == http.MethodPost {
				t.Errorf("no %s", name)
			}
			s.Header.Del(name)
		}
		got = append(got, s)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("WebHook-Allowed-Origin", "*")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	server := httptest.NewServer(h)
	defer server.Close()
	template := strings.Replace(server.URL, "http://", "http://user:pw@", 1) + "/x%2Fy/{hub}/{event}?q={event}&r"
	socket, process := at(template), everything(h)
	process.URLTemplate = template
	var runs [][]seen
	for _, settings := range []deliver.Handler{socket, process} {
		got = nil
		s := newSender(t, deliver.Options{Keys: []string{primaryKey}})
		handlers := compile(t, settings)
		c := newConnection()
		c.UserID = "ü,ä"
		first := message(c, "hello")
		first.Metadata = map[string]string{"a": " x  y "}
		first.UserProperties = []wire.UserProperty{{Name: "n", Value: "1"}, {Name: "n", Value: "2"}}
		for _, e := range []*deliver.Event{first, c.NewEvent(wire.KindConnected, ""), c.NewEvent(wire.KindUser, "e b")} {
			if _, err := s.Send(t.Context(), handlers, e); err != nil {
				t.Fatal(err)
			}
		}
		runs = append(runs, got)
	}
	if got, want := len(runs[0]), 5; got != want {
		t.Errorf("%d requests, want %d: OPTIONS, GET and three times POST", got, want)
	}
	if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
		t.Errorf("requests (-server +in process):\n%s", diff)
	}
}

// TestAnswersLikeAServer has one handler answer in process and by a server of
// net/http, and compares what becomes of it.
func TestAnswersLikeAServer(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":       func(http.ResponseWriter, *http.Request) {},
		"204":           status(204),
		"text, guessed": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
		"empty write":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) },
		"no guess":      reply("hello"),
		"guess in parts": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "\x00")
			_, _ = io.WriteString(w, "b")
		},
		"status twice": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(500) },
		"status late":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")); w.WriteHeader(500) },
		"header late": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.Header().Set("ce-connectionState", "late")
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("x"))
		},
		"body of 204": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		},
		"body of 304":         reply304,
		"odd header":          reply("x", "a b", "1", "X-Space", "  a\r\nb\t ", "x-lower", "2", "X-Lower", "3", "Trailer:X", "4"),
		"state":               reply("x", "ce-connectionState", " s "),
		"metadata":            reply("x", "x-webpubsub-metadata-k", "1"),
		"right length":        reply("xy", "Content-Length", "2"),
		"less than length":    reply("x", "Content-Length", "2"),
		"more than length":    moreThanLength,
		"no number as length": reply("x", "Content-Length", "two"),
		"flush": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write([]byte("x"))
		},
		"flush in between": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write([]byte{0})
		},
		"trailer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("x"))
			w.Header().Set("Trailer:Ce-Connectionstate", "x")
		},
		"panic":      func(http.ResponseWriter, *http.Request) { panic("on purpose") },
		"abort":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"bad status": status(99),
		"long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
		},
		"long failure": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
		},
		"unread body with failure": status(413),
	} {
		t.Run(name, func(t *testing.T) {
			b := backend{event: answer}
			server := httptest.NewUnstartedServer(&b)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.Start()
			defer server.Close()
			process := everything(&b)
			process.URLTemplate = server.URL
			var results []string
			for _, settings := range []deliver.Handler{at(server.URL), process} {
				results = append(results, outcome(t, settings))
			}
			if diff := cmp.Diff(results[0], results[1]); diff != "" {
				t.Errorf("outcome (-server +in process):\n%s", diff)
			}
		})
	}
}

func reply304(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(304)
	_, _ = w.Write([]byte("x"))
}

func moreThanLength(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1")
	_, _ = w.Write([]byte("x"))
	if _, err := w.Write([]byte("y")); err != http.ErrContentLength {
		panic(err)
	}
}

// outcome tells what becomes of an event.
func outcome(t *testing.T, settings deliver.Handler) string {
	t.Helper()
	s := newSender(t, deliver.Options{RetryDelays: []time.Duration{}})
	c := newConnection()
	a, err := s.Send(t.Context(), compile(t, settings), message(c, "hello"))
	if status, ok := err.(*deliver.StatusError); ok {
		a = status.Answer
	}
	text := fmt.Sprintf("error %T\n", err)
	if a != nil {
		m, ok := a.Message()
		a.Header.Del("Date")
		a.Header.Del("Content-Length") // which a server adds to short answers
		text += fmt.Sprintf("status %d\nheader %q\nbody %.50q of %d\nmessage %v %s %q %v\n", a.Status, a.Header, a.Body, len(a.Body), ok, m.DataType, m.ContentType, m.Metadata)
	}
	state, ok := c.State()
	return text + fmt.Sprintf("state %q %v", state, ok)
}

func TestPanicIsLogged(t *testing.T) {
	for _, tt := range []struct {
		handler http.HandlerFunc
		logged  bool
		text    string
	}{
		{func(http.ResponseWriter, *http.Request) { panic("on purpose") }, true, "the handler panicked"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "the handler broke off the answer"},
		{func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, false, "the handler ended its goroutine"},
	} {
		var log bytes.Buffer
		b := backend{event: tt.handler}
		s := newSender(t, deliver.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), RetryDelays: []time.Duration{}})
		_, err := s.Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
		if e := asError[*deliver.NetworkError](t, err); !strings.Contains(e.Error(), tt.text) || e.Hint() == "" {
			t.Errorf("got %v, want %q", e, tt.text)
		}
		if got := strings.Contains(log.String(), "on purpose") && strings.Contains(log.String(), "inprocess_test.go"); got != tt.logged {
			t.Errorf("%s: logged with stack = %v, want %v: %s", tt.text, got, tt.logged, log.String())
		}
	}
}

// TestEndlessAnswer has a handler that writes for ever: it is stopped at the
// cap, and no more is held of it.
func TestEndlessAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed error
		cancelled := make(chan struct{})
		b := backend{event: func(w http.ResponseWriter, r *http.Request) {
			chunk := make([]byte, 1<<20)
			w.Header().Set("Content-Type", "text/plain")
			for failed == nil {
				_, failed = w.Write(chunk)
			}
			if n, err := w.Write(chunk); n != 0 || err == nil {
				t.Errorf("a further Write = %d, %v; want an error", n, err)
			}
			<-r.Context().Done()
			close(cancelled)
		}}
		_, err := newSender(t, deliver.Options{}).Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
		if e := asError[*deliver.AnswerError](t, err); !strings.Contains(e.Reason, "more than 16 MB") {
			t.Errorf("got %v", e)
		}
		<-cancelled
	})
}

// TestLeftBehind has a handler that goes on when its event has failed.
func TestLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan []error, 1)
		b := backend{event: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			w.Header().Set("X-Late", "1")
			w.WriteHeader(200)
			_, err := w.Write([]byte("late"))
			ended <- []error{err, r.Context().Err()}
		}}
		s := newSender(t, deliver.Options{Timeout: time.Second})
		_, err := s.Send(t.Context(), compile(t, everything(&b)), message(newConnection(), ""))
		asError[*deliver.TimeoutError](t, err)
		if got := <-ended; slices.Contains(got, nil) {
			t.Errorf("errors of Write and of the context are %v, want both", got)
		}
	})
}
