package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd is many WebSocket clients that do no more than count the messages
// they get and answer pings.
type crowd struct {
	conns    []net.Conn
	received atomic.Int64
	failed   atomic.Pointer[error]
}

// connect connects n clients and returns when all of them are greeted.
func connect(ctx context.Context, s *server, n int) (*crowd, error) {
	c := &crowd{conns: make([]net.Conn, n)}
	var group sync.WaitGroup
	var failed atomic.Pointer[error]
	turns := make(chan struct{}, 64)
	for i := range n {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			if err := c.add(ctx, s, i); err != nil {
				failed.Store(&err)
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		c.close()
		return nil, *err
	}
	return c, nil
}

// add connects one client, reads its greeting, and starts to count.
func (c *crowd) add(ctx context.Context, s *server, i int) error {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	c.conns[i] = conn
	request := "GET " + s.Path + " HTTP/1.1\r\nHost: " + s.Addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if s.Subprotocol != "" {
		request += "Sec-WebSocket-Protocol: " + s.Subprotocol + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 2<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if s.Hello != "" {
		if err := write(conn, opText, []byte(s.Hello)); err != nil {
			return err
		}
	}
	if _, _, err := readFrame(r, nil); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	go c.count(conn, r)
	return nil
}

// The opcodes of frames.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// count counts messages until the connection ends. A text frame of Centrifuge
// holds several, one on each line, and an empty object is its ping.
func (c *crowd) count(conn net.Conn, r *bufio.Reader) {
	var buffer []byte
	for {
		opcode, payload, err := readFrame(r, buffer)
		if err != nil {
			return
		}
		buffer = payload[:0]
		switch {
		case opcode == opText && string(payload) == "{}":
			err = write(conn, opText, payload)
		case opcode == opText:
			c.received.Add(int64(1 + bytes.Count(bytes.TrimSpace(payload), []byte("\n"))))
		case opcode == opPing:
			err = write(conn, opPong, payload)
		case opcode == opClose:
			err = fmt.Errorf("the server closed a connection: %q", payload)
		}
		if err != nil {
			c.failed.CompareAndSwap(nil, &err)
			return
		}
	}
}

// wait returns when n messages have been received.
func (c *crowd) wait(ctx context.Context, n int) error {
	deadline := time.Now().Add(2 * time.Minute)
	for c.received.Load() < int64(n) {
		if err := c.failed.Load(); err != nil {
			return *err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d messages arrived", c.received.Load(), n)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// readFrame reads a frame without fragments, into buffer if it fits.
func readFrame(r *bufio.Reader, buffer []byte) (opcode byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	opcode = head[0] & 0x0f
	if head[0]&0x80 == 0 || head[1]&0x80 != 0 {
		return 0, nil, errors.New("a frame is fragmented or masked")
	}
	length := uint64(head[1])
	switch length {
	case 126:
		_, err = io.ReadFull(r, head[:2])
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(r, head[:8])
		length = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil || length > 1<<20 {
		return 0, nil, errors.Join(err, errors.New("a frame is broken"))
	}
	if uint64(cap(buffer)) < length {
		buffer = make([]byte, length)
	}
	payload = buffer[:length]
	_, err = io.ReadFull(r, payload)
	return opcode, payload, err
}

// write writes a short frame with a mask of zeros, which changes nothing.
func write(conn net.Conn, opcode byte, payload []byte) error {
	frame := append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := conn.Write(frame)
	return err
}
