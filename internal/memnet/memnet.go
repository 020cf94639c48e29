// Package memnet is a network in memory: a listener and connections that work
// inside a testing/synctest bubble, where real sockets keep the clock from
// moving. Each direction of a connection buffers 64 KiB, as a socket does, so
// that a peer that does not read at the moment holds up nobody.
package memnet

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const bufferBytes = 64 << 10

// A Listener accepts connections made with its Dial.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener. It fails with [net.ErrClosed] when that was
// closed.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: addr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. It may be called more than once.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "memory" }

// String looks like a loopback address with a port, which is what servers
// expect in a RemoteAddr.
func (addr) String() string { return "127.0.0.1:0" }

// Pipe returns the two ends of a connection.
func Pipe() (net.Conn, net.Conn) {
	a, b := newStream(), newStream()
	return &conn{read: a, write: b}, &conn{read: b, write: a}
}

type conn struct{ read, write *stream }

func (c *conn) Read(p []byte) (int, error)  { return c.read.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.write.write(p) }
func (c *conn) LocalAddr() net.Addr         { return addr{} }
func (c *conn) RemoteAddr() net.Addr        { return addr{} }

// Close ends both directions. What was written can still be read.
func (c *conn) Close() error {
	c.read.closeReader()
	c.write.closeWriter()
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	c.read.readDeadline.set(c.read, t)
	c.write.writeDeadline.set(c.write, t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.readDeadline.set(c.read, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.writeDeadline.set(c.write, t)
	return nil
}

// A stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex // guards the fields below
	changed sync.Cond
	data    []byte

	readerClosed, writerClosed  bool
	readDeadline, writeDeadline deadline
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerClosed:
			return 0, net.ErrClosed
		case s.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			if len(s.data) == 0 {
				s.data = nil
			}
			s.changed.Broadcast()
			return n, nil
		case s.writerClosed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writerClosed:
			return n, net.ErrClosed
		case s.readerClosed:
			return n, io.ErrClosedPipe
		case s.writeDeadline.passed:
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		}
		if room := min(bufferBytes-len(s.data), len(p)); room > 0 {
			s.data = append(s.data, p[:room]...)
			n, p = n+room, p[room:]
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

func (s *stream) closeReader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readerClosed = true
	s.data = nil
	s.readDeadline.stop()
	s.changed.Broadcast()
}

func (s *stream) closeWriter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writerClosed = true
	s.writeDeadline.stop()
	s.changed.Broadcast()
}

// A deadline is guarded by the mutex of its stream.
type deadline struct {
	passed bool
	timer  *time.Timer
	round  int // tells a timer that was set before apart
}

func (d *deadline) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	round := d.round
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		s.changed.Broadcast()
		return
	}
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.round == round {
			d.passed = true
			s.changed.Broadcast()
		}
	})
}

func (d *deadline) stop() {
	d.round++
	if d.timer != nil {
		d.timer.Stop()
	}
}
