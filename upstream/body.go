package upstream

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// A requestBody is the body of an HTTP request that has not been read yet.
type requestBody struct {
	w        http.ResponseWriter
	r        *http.Request
	deadline bool // a read deadline is set
}

// openBody sets the read deadline, unless the server has one of its own.
func (h *EventHandler) openBody(w http.ResponseWriter, r *http.Request) *requestBody {
	b := &requestBody{w: w, r: r}
	if h.opts.ReadTimeout < 0 || r.ContentLength == 0 {
		return b
	}
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ReadTimeout > 0 {
		return b
	}
	b.deadline = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.opts.ReadTimeout)) == nil
	return b
}

// release takes the read deadline away again: net/http reads on in the
// background to notice a client that goes away.
func (b *requestBody) release() {
	if b.deadline {
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{})
	}
}

// abandon refuses to read the body. Without it net/http would read on, at the
// pace of the sender, before it sends the answer and again after that.
func (b *requestBody) abandon() {
	if b.r.ContentLength == 0 {
		return
	}
	if b.r.ProtoMajor == 1 {
		b.w.Header().Set("Connection", "close")
	}
	_ = http.NewResponseController(b.w).SetReadDeadline(time.Now())
}

// firstRead bounds what a claimed Content-Length makes us allocate up front.
const firstRead = 64 << 10

func (b *requestBody) read(c *ConnectionContext, limit int64) ([]byte, error) {
	if b.r.Body == nil || b.r.ContentLength == 0 {
		return nil, nil
	}
	src := io.Reader(b.r.Body)
	if limit >= 0 {
		if b.r.ContentLength > limit {
			b.abandon()
			return nil, &BodyTooLargeError{Limit: limit}
		}
		src = http.MaxBytesReader(b.w, b.r.Body, limit)
	}
	data, err := readAll(src, b.r.ContentLength)
	switch {
	case err == nil:
		b.release()
		return data, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &InvalidBodyError{c, http.StatusRequestTimeout, errors.New("it did not arrive in time")}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	return nil, &InvalidBodyError{c, http.StatusBadRequest, err}
}

// readAll is io.ReadAll with a first buffer of the announced size.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	size := min(max(announced, 511), firstRead) + 1 // one more, to see the end without growing
	data := make([]byte, 0, size)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
