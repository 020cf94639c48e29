package upstream

import (
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"time"
)

// A requestBody is the body of an HTTP request.
type requestBody struct {
	w     http.ResponseWriter
	r     *http.Request
	taken bool // it was read, to its end or as far as it goes
}

// abandonGrace is for what is on its way: a connection that is closed with
// unread data is reset, and the sender may lose the answer.
const abandonGrace = time.Second

// abandon refuses to read a body that nobody has taken, or the rest of it.
// Without it net/http would read on, at the pace of the sender, before it sends
// the answer and again after that.
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

// read reads the whole body of an event, within the limits of the options.
func (b *requestBody) read(c *ConnectionContext, opts *Options) ([]byte, error) {
	limit := opts.MaxBodyBytes
	if limit < 0 {
		limit = math.MaxInt64
	}
	if b.r.ContentLength > limit {
		return nil, &BodyTooLargeError{Limit: limit}
	}
	if b.r.Body == nil || b.r.Body == http.NoBody { // a ContentLength of 0 means unknown outside of servers
		return nil, nil
	}
	release := b.setDeadline(opts.ReadTimeout)
	data, err := readAll(b.r.Body, b.r.ContentLength, limit)
	b.taken = err != errLimit
	outer, isOuterLimit := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		release()
		return data, nil
	case err == errLimit:
		return nil, &BodyTooLargeError{Limit: limit}
	case isOuterLimit:
		return nil, &BodyTooLargeError{Limit: outer.Limit}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &InvalidBodyError{c, http.StatusRequestTimeout, errors.New("it did not arrive in time")}
	}
	return nil, &InvalidBodyError{c, http.StatusBadRequest, err}
}

// firstRead bounds what a claimed Content-Length makes us allocate up front.
const firstRead = 64 << 10

var errLimit = errors.New("upstream: body is too large")

// readAll is io.ReadAll with a limit, and with a first buffer of the announced
// size; announced is 0 or less when that is unknown.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	if announced <= 0 {
		announced = 511
	}
	data := make([]byte, 0, min(announced, firstRead)+1) // one more, to see the end without growing
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, errLimit
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}
