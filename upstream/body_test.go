package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

func TestBodyLimit(t *testing.T) {
	const limit = 100
	for _, tt := range []struct {
		name   string
		limit  int64
		size   int
		status int
	}{
		{"below", limit, limit - 1, 200},
		{"exact", limit, limit, 200},
		{"one more", limit, limit + 1, 413},
		{"far above", limit, 10 << 20, 413},
		{"default, exact", 0, upstream.DefaultMaxBodyBytes, 200},
		{"default, one more", 0, upstream.DefaultMaxBodyBytes + 1, 413},
		{"none", -1, upstream.DefaultMaxBodyBytes + 1, 200},
	} {
		h := newHandler(t, &upstream.Options{MaxBodyBytes: tt.limit})
		h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			return upstream.Text(fmt.Sprint(len(req.Data))), nil
		})
		body := strings.Repeat("x", tt.size)
		want := ""
		if tt.status == 200 {
			want = fmt.Sprint(tt.size)
		}
		announced := post(h, event(typeMessage), body)
		chunked := do(h, "POST", "/", event(typeMessage), io.MultiReader(strings.NewReader(body))) // of unknown length
		if announced.Code != tt.status || announced.Body.String() != want {
			t.Errorf("%s, announced: got %d %s, want %d %s", tt.name, announced.Code, announced.Body, tt.status, want)
		}
		if chunked.Code != tt.status || chunked.Body.String() != want {
			t.Errorf("%s, chunked: got %d %s, want %d %s", tt.name, chunked.Code, chunked.Body, tt.status, want)
		}
		if got := h.HandleHTTP(t.Context(), event(typeMessage), []byte(body)); got.StatusCode != tt.status {
			t.Errorf("%s, HandleHTTP: got %d, want %d", tt.name, got.StatusCode, tt.status)
		}
	}
}

func TestAnnouncedTooLargeIsNotRead(t *testing.T) {
	r := newHandler(t, &upstream.Options{MaxBodyBytes: 10})
	req, err := http.NewRequestWithContext(t.Context(), "POST", "/", untouchable{t})
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.ContentLength = event(typeMessage), 11
	w := &plainWriter{header: http.Header{}}
	r.ServeHTTP(w, req)
	if w.status != 413 {
		t.Errorf("got %d, want 413", w.status)
	}
}

// plainWriter is a ResponseWriter that can do no more than it has to.
type plainWriter struct {
	header http.Header
	status int
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) WriteHeader(status int)      { w.status = status }
func (w *plainWriter) Write(p []byte) (int, error) { return len(p), nil }

// failing is a body that breaks off with an error of the transport.
type failing struct{ err error }

func (b failing) Read(p []byte) (int, error) { return 0, b.err }

func TestBodyThatBreaksOff(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		t.Error("the handler ran on half a body")
		return nil, nil
	})
	for _, err := range []error{io.ErrUnexpectedEOF, io.ErrClosedPipe, errors.New("secret detail"), net.ErrClosed} {
		w := do(h, "POST", "/", event(typeMessage), io.MultiReader(strings.NewReader("half"), failing{err}))
		if w.Code != 400 || w.Body.Len() > 0 {
			t.Errorf("%v: got %d %q, want an empty 400", err, w.Code, w.Body)
		}
	}
}

// TestBodiesOnTheWire writes requests by hand, good and broken ones.
func TestBodiesOnTheWire(t *testing.T) {
	chunked := []string{"Transfer-Encoding", "chunked"}
	for _, tt := range []struct {
		name  string
		pairs []string
		body  string
		want  int // 0: the client is gone and sees nothing
		data  string
	}{
		{"announced", []string{"Content-Length", "5"}, "hello", 200, "hello"},
		{"none", []string{"Content-Length", "0"}, "", 204, ""},
		{"chunked", chunked, "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200, "hello"},
		{"chunked with trailer", chunked, "5\r\nhello\r\n0\r\nce-userId: mallory\r\n\r\n", 200, "hello"},
		{"chunked and empty", chunked, "0\r\n\r\n", 204, ""},
		{"broken chunk length", chunked, "zz\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"chunk longer than said", chunked, "3\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"chunked above the limit", chunked, "7d1\r\n" + strings.Repeat("x", 2001) + "\r\n0\r\n\r\n", 413, ""},
		{"shorter than announced", []string{"Content-Length", "50"}, "hello", 0, ""},
		{"vanishing inside a chunk", chunked, "50\r\nhello", 0, ""},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var rec recorder
			h := newHandler(t, &upstream.Options{Observe: rec.observe, MaxBodyBytes: 2000})
			h.HandleUserMessage(echo)
			conn := startServer(t, &http.Server{Handler: h})()
			request := rawRequest(event(typeMessage, tt.pairs...), tt.body)
			if tt.want == 0 {
				if _, err := io.WriteString(conn, request); err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				synctest.Wait()
			} else if resp, body, err := talk(conn, request); err != nil || resp.StatusCode != tt.want || body != tt.data {
				t.Errorf("got %v %q, %v, want %d %q", resp, body, err, tt.want, tt.data)
			}
			want := tt.want
			if want == 0 {
				want = 400
			}
			if got := rec.records(); len(got) != 1 || got[0].Status != want {
				t.Errorf("got records %+v, want one of status %d", got, want)
			}
		})
	}
}

// trickle writes the head of a request and then one byte each second until
// the other side hangs up.
func trickle(conn net.Conn, header http.Header) {
	method := "POST"
	if m := header.Get("method"); m != "" {
		method = m
	}
	if _, err := io.WriteString(conn, method+strings.TrimPrefix(rawRequest(header, ""), "POST")); err != nil {
		return
	}
	for range time.Tick(time.Second) {
		if _, err := io.WriteString(conn, "x"); err != nil {
			return
		}
	}
}

func TestTricklingBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   upstream.Options
		server time.Duration
		after  time.Duration
	}{
		{"default", upstream.Options{}, 0, upstream.DefaultReadTimeout},
		{"own", upstream.Options{ReadTimeout: 3500 * time.Millisecond}, 0, 3500 * time.Millisecond},
		{"the server's goes before ours", upstream.Options{ReadTimeout: time.Minute}, 5 * time.Second, 5 * time.Second},
		{"the server's, ours is off", upstream.Options{ReadTimeout: -1}, 5 * time.Second, 5 * time.Second},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var rec recorder
			tt.opts.Observe = rec.observe
			h := newHandler(t, &tt.opts)
			h.HandleUserMessage(echo)
			conn := startServer(t, &http.Server{Handler: h, ReadTimeout: tt.server})()
			start := time.Now()
			go trickle(conn, event(typeMessage, "Content-Length", "1000000"))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != 408 {
				t.Fatalf("got %v, %v, want 408", resp, err)
			}
			if got := time.Since(start); got != tt.after {
				t.Errorf("answered after %v, want %v", got, tt.after)
			}
			if got := rec.records(); len(got) != 1 || got[0].Status != 408 {
				t.Errorf("got records %+v", got)
			}
		})
	}
}

// TestRefusedTricklingBody: a caller without proof gets its answer at once and
// cannot hold the connection by sending slowly.
func TestRefusedTricklingBody(t *testing.T) {
	refused := event(typeMessage, "ce-signature", "sha256=00")
	for _, tt := range []struct {
		name   string
		pairs  []string
		opts   upstream.Options
		status int
	}{
		{"announced", []string{"Content-Length", "100000"}, upstream.Options{}, 401},
		{"announced, large", []string{"Content-Length", "1000000000"}, upstream.Options{}, 401},
		{"chunked", []string{"Transfer-Encoding", "chunked"}, upstream.Options{}, 401},
		{"chunked, no ReadTimeout", []string{"Transfer-Encoding", "chunked"}, upstream.Options{ReadTimeout: -1}, 401},
		{"too large", []string{"Content-Length", "100000", "ce-signature", signed("conn1")}, upstream.Options{MaxBodyBytes: 10}, 413},
		{"handshake", []string{"Content-Length", "100000", "method", "OPTIONS", "WebHook-Request-Origin", "a.test"}, upstream.Options{}, 403},
		{"wrong method", []string{"Content-Length", "100000", "method", "PUT"}, upstream.Options{}, 405},
		{"not of Web PubSub", []string{"Content-Length", "100000", "ce-awpsversion", "", "ce-type", "x"}, upstream.Options{}, 400},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			var closed atomic.Bool
			start := time.Now()
			srv := &http.Server{Handler: newHandler(t, &tt.opts), ConnState: func(_ net.Conn, s http.ConnState) {
				if s == http.StateClosed {
					closed.Store(true)
				}
			}}
			conn := startServer(t, srv)()
			header := refused.Clone()
			for i := 0; i < len(tt.pairs); i += 2 {
				header.Set(tt.pairs[i], tt.pairs[i+1])
			}
			if header.Get("ce-awpsversion") == "" {
				header.Del("ce-awpsversion")
			}
			go trickle(conn, header)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != tt.status {
				t.Fatalf("got %v, %v, want %d", resp, err, tt.status)
			}
			if got := time.Since(start); got != 0 {
				t.Errorf("answered after %v, want at once", got)
			}
			time.Sleep(5 * time.Second)
			if !closed.Load() {
				t.Errorf("the connection is still served 5 s after the refusal")
			}
		})
	}
}

// TestRefusalReachesTheSender: a connection that is closed while the body is
// still on its way is reset, and takes the answer along.
func TestRefusalReachesTheSender(t *testing.T) {
	srv := httptest.NewServer(newHandler(t, nil))
	defer srv.Close()
	for _, size := range []int{100, 20_000, 250_000, 1_000_000} {
		for range 5 {
			r, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL, strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = event(typeMessage, "ce-signature", "sha256=00")
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Errorf("body of %d bytes: %v", size, err)
				break
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 401 {
				t.Errorf("body of %d bytes: got %d, want 401", size, resp.StatusCode)
			}
		}
	}
}

// TestReadTimeoutIsForTheBodyOnly: not for the handler, and not for the next
// request of the connection.
func TestReadTimeoutIsForTheBodyOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &upstream.Options{ReadTimeout: time.Second})
		h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(time.Minute):
				return upstream.Text(string(req.Data)), nil
			}
		})
		conn := startServer(t, &http.Server{Handler: h})()
		for _, pairs := range [][]string{{"Content-Length", "2"}, {"Content-Length", "2"}, {"Content-Length", "2"}} {
			resp, body, err := talk(conn, rawRequest(event(typeMessage, pairs...), "hi"))
			if err != nil || resp.StatusCode != 200 || body != "hi" {
				t.Fatalf("got %v %q, %v, want 200 hi", resp, body, err)
			}
			time.Sleep(time.Minute) // an idle connection stays open
		}
	})
}

func TestNoReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &upstream.Options{ReadTimeout: -1})
		h.HandleUserMessage(echo)
		conn := startServer(t, &http.Server{Handler: h})()
		go func() {
			_, _ = io.WriteString(conn, rawRequest(event(typeMessage, "Content-Length", "4"), "sl"))
			time.Sleep(time.Hour)
			_, _ = io.WriteString(conn, "ow")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("got %v, %v, want 200", resp, err)
		}
	})
}

// TestPassedOnBody: what Wrap passes on has no deadline of ours.
func TestPassedOnBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &upstream.Options{ReadTimeout: time.Second, Hubs: []string{"other"}})
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
		conn := startServer(t, &http.Server{Handler: h.Wrap(next)})()
		go func() {
			_, _ = io.WriteString(conn, rawRequest(event(typeMessage, "Content-Length", "4"), "sl"))
			time.Sleep(time.Minute)
			_, _ = io.WriteString(conn, "ow")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "slow" {
			t.Errorf("got %q, %v, want slow", got, err)
		}
	})
}

// TestClientGoesAway: the context of the handler ends with the request.
func TestClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		h := newHandler(t, &upstream.Options{Observe: rec.observe})
		h.HandleUserMessage(func(ctx context.Context, _ *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		conn := startServer(t, &http.Server{Handler: h})()
		if _, err := io.WriteString(conn, rawRequest(event(typeMessage, "Content-Length", "2"), "hi")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		if got := rec.records(); len(got) != 1 || got[0].Status != 503 || !errors.Is(got[0].Err, context.Canceled) {
			t.Errorf("got %+v, want one record of 503 and context.Canceled", got)
		}
	})
}

// A limit outside of the library is a limit too.
func TestMaxBytesHandler(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(echo)
	if got := post(http.MaxBytesHandler(h, 3), event(typeMessage), "hello").Code; got != 413 {
		t.Errorf("got %d, want 413", got)
	}
}

// Outside of servers, a ContentLength of 0 means that it is unknown.
func TestBodyOfUnknownLength(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(echo)
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("hello")))
	r.ContentLength = 0
	r.Header = event(typeMessage)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != "hello" {
		t.Errorf("got %q, want hello", got)
	}
}

// The service compresses nothing, and what cannot be read reaches no handler.
func TestContentEncoding(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(echo)
	for encoding, want := range map[string]int{"gzip": 415, "x": 415, "Identity": 200, "": 200} {
		if got := post(h, event(typeMessage, "Content-Encoding", encoding), "hi").Code; got != want {
			t.Errorf("%q: got %d, want %d", encoding, got, want)
		}
	}
}
