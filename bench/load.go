package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"time"
)

const (
	connectionID = "0f9c97a2f0bf4706afe87a14e0797b11"
	message      = "A chat message of ordinary length, as people write them to each other all day long."
)

// event is a signed text event as the service sends it, with the tokens of the
// primary and the secondary key.
func event() []byte {
	return []byte("POST /eventhandler HTTP/1.1\r\n" +
		"Host: 127.0.0.1\r\n" +
		"WebHook-Request-Origin: demo.webpubsub.azure.com\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n" +
		"Content-Length: " + strconv.Itoa(len(message)) + "\r\n" +
		"ce-specversion: 1.0\r\n" +
		"ce-awpsversion: 1.0\r\n" +
		"ce-type: azure.webpubsub.user.message\r\n" +
		"ce-source: /hubs/chat/client/" + connectionID + "\r\n" +
		"ce-id: 2\r\n" +
		"ce-time: 2026-09-01T08:00:00Z\r\n" +
		"ce-signature: " + token(accessKey) + "," + token("the secondary key") + "\r\n" +
		"ce-connectionId: " + connectionID + "\r\n" +
		"ce-hub: chat\r\n" +
		"ce-eventName: message\r\n" +
		"ce-userId: alice\r\n" +
		"x-ms-client-request-id: 7d1f0a52-3a0e-4a54-9f6e-0a2d2b3c4d5e\r\n" +
		"\r\n" + message)
}

func token(key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(connectionID))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// A tally counts the answers of one turn.
type tally struct {
	measured int // those after the warm-up
	all      int
	looks    int // at connections, whether there was an answer or not
}

// measure keeps a server busy over a fixed number of connections. Every answer
// is checked. It goes round the connections and never sleeps: a server whose
// answer has to wake its client pays for that, and the faster one more rarely.
func measure(ctx context.Context, addr string, o options) (t tally, err error) {
	clients := make([]*client, o.connections)
	for i := range clients {
		if clients[i], err = dial(ctx, addr); err != nil {
			return t, err
		}
		defer clients[i].conn.Close()
	}
	request := event()
	from := time.Now().Add(o.warmup)
	until := from.Add(o.duration)
	for _, c := range clients {
		if err := c.send(request); err != nil {
			return t, err
		}
	}
	for now := time.Now(); now.Before(until); now = time.Now() {
		if ctx.Err() != nil {
			return t, context.Cause(ctx)
		}
		for _, c := range clients {
			t.looks++
			answered, err := c.poll()
			if err != nil {
				return t, err
			}
			if !answered {
				continue
			}
			t.all++
			if now.After(from) {
				t.measured++
			}
			if err := c.send(request); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// A client is one connection with one request under way.
type client struct {
	conn *net.TCPConn
	poller
	buf []byte
	n   int // bytes of the answer so far
}

func dial(ctx context.Context, addr string) (*client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn.(*net.TCPConn), buf: make([]byte, 16<<10)}
	c.poller, err = newPoller(c.conn)
	return c, err
}

func (c *client) send(request []byte) error {
	c.n = 0
	_, err := c.conn.Write(request)
	return err
}

// poll reads what has arrived and reports whether the answer is complete.
func (c *client) poll() (bool, error) {
	n, err := c.read(c.buf[c.n:])
	c.n += n
	if err != nil || n == 0 {
		return false, err
	}
	return complete(c.buf[:c.n])
}

var (
	statusLine    = []byte("HTTP/1.1 200 OK\r\n")
	lengthHeader  = []byte("\r\nContent-Length: " + strconv.Itoa(len(message)) + "\r\n")
	endOfHeader   = []byte("\r\n\r\n")
	expectedReply = []byte(message)
)

// complete checks an answer as far as it has arrived: status 200 and the
// message that was sent. That is all the HTTP it knows, so that it takes less
// time than any server.
func complete(answer []byte) (bool, error) {
	end := bytes.Index(answer, endOfHeader)
	if end < 0 {
		return false, nil
	}
	if !bytes.HasPrefix(answer, statusLine) || !bytes.Contains(answer[:end+2], lengthHeader) {
		return false, fmt.Errorf("unexpected answer: %q", answer)
	}
	body := answer[end+len(endOfHeader):]
	if len(body) < len(expectedReply) {
		return false, nil
	}
	if !bytes.Equal(body, expectedReply) {
		return false, fmt.Errorf("unexpected body: %q", body)
	}
	return true, nil
}
