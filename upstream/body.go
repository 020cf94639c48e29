package upstream

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// A requestBody is the body of an HTTP request.
type requestBody struct {
	w     http.ResponseWriter
	r     *http.Request
	taken bool // somebody has begun to read it
}

// abandonGrace is for what is on its way: a connection that is closed with
// unread data is reset, and the sender may lose the answer.
const abandonGrace = time.Second

// abandon refuses to read a body that nobody has taken. Without it net/http
// would read on, at the pace of the sender, before it sends the answer and
// again after that.
func (b *requestBody) abandon() {
	if b.taken || b.r.ContentLength == 0 {
		return
	}
	if b.r.ProtoMajor == 1 {
		b.w.Header().Set("Connection", "close")
	}
	_ = http.NewResponseController(b.w).SetReadDeadline(time.Now().Add(abandonGrace))
}

// setDeadline bounds the arrival of the body unless the server does, and
// returns what takes the bound away again: net/http reads on in the background
// to notice a client that goes away.
func (b *requestBody) setDeadline(timeout time.Duration) (release func()) {
	if s, ok := b.r.Context().Value(http.ServerContextKey).(*http.Server); timeout < 0 || ok && s.ReadTimeout > 0 {
		return func() {}
	}
	controller := http.NewResponseController(b.w)
	_ = controller.SetReadDeadline(time.Now().Add(timeout)) // documented to need a ResponseWriter that can
	return func() { _ = controller.SetReadDeadline(time.Time{}) }
}

// firstRead bounds what a claimed Content-Length makes us allocate up front.
const firstRead = 64 << 10

// read reads the whole body of an event, within the limits of the options.
func (b *requestBody) read(c *ConnectionContext, opts *Options) ([]byte, error) {
	limit := opts.MaxBodyBytes
	if limit >= 0 && b.r.ContentLength > limit {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	b.taken = true
	if b.r.Body == nil || b.r.ContentLength == 0 {
		return nil, nil
	}
	src := io.Reader(b.r.Body)
	if limit >= 0 {
		src = http.MaxBytesReader(b.w, b.r.Body, limit)
	}
	release := b.setDeadline(opts.ReadTimeout)
	data, err := readAll(src, b.r.ContentLength)
	switch {
	case err == nil:
		release()
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
