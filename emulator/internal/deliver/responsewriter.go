package deliver

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A responseWriter is what a handler in this process writes to. It keeps the
// rules of the one in net/http and holds no more than the service reads.
type responseWriter struct {
	live http.Header   // the handler's, which may change it at any time
	full chan struct{} // closed when there is more than the service reads

	mu     sync.Mutex // guards what follows; a handler that was left behind goes on
	status int        // 0 until the headers are written
	header http.Header
	length int64 // announced in Content-Length, -1 if not
	body   bytes.Buffer
	first  int  // how much of the body the headers may be guessed from, -1 for all of it
	over   bool // nobody takes what is written from now on
}

func newResponseWriter() *responseWriter {
	return &responseWriter{live: http.Header{}, full: make(chan struct{}), first: -1}
}

// Header implements [http.ResponseWriter].
func (w *responseWriter) Header() http.Header { return w.live }

// WriteHeader implements [http.ResponseWriter]. Informational headers go
// nowhere.
func (w *responseWriter) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status)) // as net/http does
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *responseWriter) writeHeader(status int) {
	informational := status/100 == 1 && status != http.StatusSwitchingProtocols
	if w.over || w.status != 0 || informational {
		return
	}
	w.status, w.header, w.length = status, w.live.Clone(), -1
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

// Write implements [http.ResponseWriter].
func (w *responseWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	switch {
	case w.over:
		return 0, http.ErrHandlerTimeout
	case w.status/100 == 1 || w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && int64(w.body.Len()+len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	room := wire.MaxAnswerBytes + 1 - w.body.Len() // with one more, the reader knows that there is too much
	if len(p) < room {
		return w.body.Write(p)
	}
	n, _ := w.body.Write(p[:room])
	w.over = true
	close(w.full)
	return n, io.ErrShortWrite
}

// Flush implements [http.Flusher]: it sends the headers, with what is known of
// the body by then, and keeps all until the handler returns.
func (w *responseWriter) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	if w.first < 0 {
		w.first = w.body.Len()
	}
}

// finish is the return of the handler.
func (w *responseWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	w.over = true
}

// leave leaves the handler behind.
func (w *responseWriter) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.body = bytes.Buffer{}
}

// response returns what a client of net/http makes of what was written.
func (w *responseWriter) response(req *http.Request) *http.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	data := w.body.Bytes()
	var body io.Reader = bytes.NewReader(data)
	if int64(len(data)) < w.length {
		body = io.MultiReader(body, brokenReader{})
	}
	return &http.Response{
		Status: statusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: sent(w.header, data[:w.guessable()]), Body: io.NopCloser(body), ContentLength: int64(len(data)), Request: req,
	}
}

func (w *responseWriter) guessable() int {
	if w.first < 0 {
		return w.body.Len()
	}
	return w.first
}

// brokenReader is the rest of a body that was announced and not written.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// sent returns a header as it arrives: net/http leaves out what is no header
// and trailers, trims values and guesses the type of a body.
func sent(h http.Header, body []byte) http.Header {
	_, typed := h["Content-Type"]
	arrived := make(http.Header, len(h)+1)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !wire.ValidToken(name) { // such as those of trailers, which have a colon
			continue
		}
		canonical := http.CanonicalHeaderKey(name)
		for _, value := range h[name] {
			arrived[canonical] = append(arrived[canonical], trimSpace(lineBreaks.Replace(value)))
		}
	}
	if !typed && len(body) > 0 && arrived.Get("Content-Encoding") == "" {
		arrived.Set("Content-Type", http.DetectContentType(body))
	}
	return arrived
}
