//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// A poller reads from a connection without waiting.
type poller struct{ raw syscall.RawConn }

func newPoller(conn *net.TCPConn) (poller, error) {
	raw, err := conn.SyscallConn()
	return poller{raw}, err
}

// read returns 0 and no error when nothing has arrived.
func (p poller) read(buf []byte) (n int, err error) {
	var readErr error
	if err := p.raw.Read(func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), buf)
		return true // do not wait
	}); err != nil {
		return 0, err
	}
	switch {
	case errors.Is(readErr, syscall.EAGAIN), errors.Is(readErr, syscall.EINTR):
		return 0, nil
	case readErr != nil:
		return 0, readErr
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}
