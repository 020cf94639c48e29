package emulator

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The buffers of an upgraded connection. net/http's have 4 KiB each, which is
// most of what an idle connection would cost.
const (
	readBuffer  = 1 << 10
	writeBuffer = 128 // control frames fit; for the rest see socket
	batchBuffer = 32 << 10
)

// A socket is the network connection below a WebSocket. Between startBatch and
// endBatch it collects what is written, so that the frames of a batch leave in
// one system call. A peer that takes nothing for the time limit breaks it.
type socket struct {
	net.Conn
	writeTimeout time.Duration

	// lock holds a value while batch is in use. It is no mutex, because writing
	// may take long, and who waits for a mutex holds up the clock of
	// testing/synctest.
	lock  chan struct{}
	batch *[]byte // nil outside of a batch
}

var batches = sync.Pool{New: func() any { return new(make([]byte, 0, batchBuffer)) }}

func (s *socket) startBatch() {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	s.batch = batches.Get().(*[]byte)
}

func (s *socket) endBatch() error {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	batch := s.batch
	s.batch = nil
	err := s.send(*batch)
	*batch = (*batch)[:0]
	batches.Put(batch)
	return err
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if s.batch == nil {
		return len(p), s.send(p)
	}
	if len(*s.batch)+len(p) > batchBuffer {
		if err := s.send(*s.batch); err != nil {
			return 0, err
		}
		*s.batch = (*s.batch)[:0]
	}
	if len(p) > batchBuffer {
		return len(p), s.send(p)
	}
	*s.batch = append(*s.batch, p...)
	return len(p), nil
}

// send writes p in parts, each of which has the time limit for itself. lock is
// held.
func (s *socket) send(p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), batchBuffer)]
		if err := s.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
			return err
		}
		if _, err := s.Conn.Write(part); err != nil {
			return err
		}
		p = p[len(part):]
	}
	return nil
}

// A hijacker hands out a connection with small buffers and keeps its socket.
type hijacker struct {
	http.ResponseWriter
	writeTimeout time.Duration
	socket       *socket // after Hijack
}

// Hijack implements [http.Hijacker]. What net/http has read of the client's
// first frames moves to the new buffer.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{}) // those of the server were for the request
	h.socket = &socket{Conn: conn, writeTimeout: h.writeTimeout, lock: make(chan struct{}, 1)}
	early := rw.Reader.Buffered()
	r := bufio.NewReaderSize(io.MultiReader(io.LimitReader(rw.Reader, int64(early)), conn), max(readBuffer, early))
	if _, err := r.Peek(early); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return h.socket, bufio.NewReadWriter(r, bufio.NewWriterSize(h.socket, writeBuffer)), nil
}
