package inspector

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/memnet"
)

// A pageServer serves an inspector on a network in memory.
type pageServer struct {
	*Inspector
	t         *testing.T
	server    *http.Server
	transport *http.Transport
	pages     []*viewPage
}

// serve calls test in a bubble. Its server has the time limit for answers that
// many have.
func serve(t *testing.T, options *Options, test func(t *testing.T, s *pageServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var opts Options
		if options != nil {
			opts = *options
		}
		opts.Logger = slog.New(slog.DiscardHandler)
		l := memnet.Listen()
		s := &pageServer{Inspector: New(&opts), t: t}
		s.server = &http.Server{Handler: s.Inspector, WriteTimeout: 10 * time.Second}
		s.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) }}
		go func() { _ = s.server.Serve(l) }()
		t.Cleanup(func() {
			s.Close()
			for _, p := range s.pages {
				_ = p.body.Close()
			}
			s.transport.CloseIdleConnections()
			if err := s.server.Shutdown(context.Background()); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		})
		test(t, s)
	})
}

// A viewPage reads a stream.
type viewPage struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func (s *pageServer) open() *viewPage {
	s.t.Helper()
	resp := s.get()
	if got, want := resp.StatusCode, http.StatusOK; got != want {
		s.t.Fatalf("status: got %d, want %d", got, want)
	}
	p := &viewPage{s.t, resp.Body, bufio.NewReader(resp.Body)}
	s.pages = append(s.pages, p)
	return p
}

func (s *pageServer) get() *http.Response {
	s.t.Helper()
	resp, err := (&http.Client{Transport: s.transport}).Get("http://memory.test/inspector/stream")
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// next returns the next block as one line: its event, and the IDs of entries.
func (p *viewPage) next() string {
	p.t.Helper()
	var lines []string
	for {
		line, err := p.in.ReadString('\n')
		switch {
		case err == io.EOF:
			return "end"
		case err != nil:
			return err.Error()
		case line == "\n":
			return p.words(strings.Join(lines, " "))
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

func (p *viewPage) words(block string) string {
	p.t.Helper()
	block = strings.TrimPrefix(block, "event: ")
	entries, ok := strings.CutPrefix(block, "entries data: ")
	if !ok {
		return strings.Replace(block, " data:", "", 1)
	}
	var batch []summary
	if err := json.Unmarshal([]byte(entries), &batch); err != nil {
		p.t.Fatalf("%v: %s", err, entries)
	}
	if len(batch) > 9 {
		return fmt.Sprintf("entries %d to %d", batch[0].ID, batch[len(batch)-1].ID)
	}
	words := "entries"
	for _, e := range batch {
		words += fmt.Sprint(" ", e.ID)
		if e.Pending {
			words += "…"
		}
	}
	return words
}

func (p *viewPage) want(blocks ...string) {
	p.t.Helper()
	for _, want := range blocks {
		if got := p.next(); got != want {
			p.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestStream(t *testing.T) {
	serve(t, &Options{Capacity: 7}, func(t *testing.T, s *pageServer) {
		observe(s.Inspector, event(1, "a"), ended(event(1, "a")), event(2, "b"))
		p := s.open()
		p.want("retry: 1000", `hello {"capacity":7}`, "entries 1 2…")
		start := time.Now()
		s.Observe(event(3, "c"))
		s.Observe(ended(event(2, "b")))
		p.want("entries 2 3…")
		if got := time.Since(start); got != gatherTime {
			t.Errorf("the first change came after %v, want %v", got, gatherTime)
		}
		s.Observe(ended(event(3, "c")))
		p.want("entries 3")
		if got, want := time.Since(start), gatherTime+batchInterval; got != want {
			t.Errorf("the next one came after %v, want %v", got, want)
		}
		s.store.clear()
		p.want("cleared {}")
		p.want(": ", ": ") // half a minute: longer than the server takes for other answers
		s.Observe(event(4, "d"))
		p.want("entries 4…")
	})
}

func TestStreamHeaders(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		resp := s.get()
		defer resp.Body.Close()
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}

func TestStreamStartsWithAllThereIs(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		for id := range uint64(450) {
			s.Observe(event(id+1, ""))
		}
		start := time.Now()
		s.open().want("retry: 1000", `hello {"capacity":1000}`, "entries 1 to 200", "entries 201 to 400", "entries 401 to 450")
		if got := time.Since(start); got != 0 {
			t.Errorf("it took %v, want no pause", got)
		}
	})
}

func TestStreamSkips(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		p := s.open()
		p.want("retry: 1000", `hello {"capacity":1000}`)
		start := time.Now()
		for id := range uint64(1450) {
			s.Observe(event(id+1, ""))
		}
		p.want(`skipped {"entries":450}`)
		p.want("entries 451 to 650", "entries 651 to 850", "entries 851 to 1050", "entries 1051 to 1250", "entries 1251 to 1450")
		if got, want := time.Since(start), gatherTime+4*batchInterval; got != want {
			t.Errorf("it took %v, want %v", got, want)
		}
	})
}

// A page that does not read holds up neither the service nor other pages, and is
// given up after a while.
func TestSlowViewer(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		slow, quick := s.open(), s.open()
		quick.want("retry: 1000", `hello {"capacity":1000}`)
		start := time.Now()
		last := uint64(0)
		for time.Since(start) < 2*writeTime {
			before := time.Now()
			for range 200 {
				last++
				s.Observe(event(last, ""))
			}
			if got := time.Since(before); got != 0 {
				t.Fatalf("observing took %v, want no waiting", got)
			}
			quick.want(fmt.Sprintf("entries %d to %d", last-199, last))
		}
		if got := len(s.store.viewers); got != 1 {
			t.Errorf("got %d viewers, want the quick one", got)
		}
		if _, err := io.Copy(io.Discard, slow.in); err == nil {
			t.Error("the slow stream ended as if it were complete")
		}
	})
}

func TestStreamEndsWithItsPage(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		p := s.open()
		p.want("retry: 1000")
		_ = p.body.Close()
		synctest.Wait()
		if got := len(s.store.viewers); got != 0 {
			t.Errorf("got %d viewers, want none", got)
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		idle, busy := s.open(), s.open()
		s.Observe(event(1, ""))
		for _, p := range []*viewPage{idle, busy} {
			p.want("retry: 1000", `hello {"capacity":1000}`, "entries 1…")
		}
		s.Observe(ended(event(1, "")))
		s.Close()
		start := time.Now()
		if err := s.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if got := time.Since(start); got > time.Second {
			t.Errorf("shutdown took %v", got)
		}
		idle.want("end")
		busy.want("end")
		s.Close()
	})
}

func TestTooManyViewers(t *testing.T) {
	serve(t, nil, func(t *testing.T, s *pageServer) {
		first := s.open()
		for range maxViewers - 1 {
			s.open()
		}
		resp := s.get()
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got, want := resp.StatusCode, http.StatusServiceUnavailable; got != want || !strings.Contains(string(text), `{"error":"`) {
			t.Errorf("got %d %s, want %d and an error", got, text, want)
		}
		_ = first.body.Close()
		synctest.Wait()
		s.open().want("retry: 1000")
	})
}

// A deadline that passes while nothing is sent would end a stream of HTTP/2.
func TestNoDeadlineWhileIdle(t *testing.T) {
	w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	s := newEventStream(w)
	s.comment()
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	if !w.limited || !w.deadline.IsZero() {
		t.Errorf("limited while writing: %t, want true; deadline after it: %v, want none", w.limited, w.deadline)
	}
}

type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	limited  bool // whether all was written with a deadline
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.limited = !w.deadline.IsZero()
	return w.ResponseRecorder.Write(p)
}
