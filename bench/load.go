package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
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
}

// measure keeps a server busy over a fixed number of connections. Every answer
// is checked.
func measure(ctx context.Context, addr string, o options) (tally, error) {
	request := event()
	tallies, errs := make([]tally, o.connections), make([]error, o.connections)
	from := time.Now().Add(o.warmup)
	until := from.Add(o.duration)
	var wg sync.WaitGroup
	for i := range o.connections {
		wg.Go(func() { tallies[i], errs[i] = exchange(ctx, addr, request, from, until) })
	}
	wg.Wait()
	var sum tally
	for _, t := range tallies {
		sum.measured += t.measured
		sum.all += t.all
	}
	return sum, errors.Join(errs...)
}

// patience is how long a connection may outlast its turn.
const patience = 5 * time.Second

// exchange sends one request after another over one connection and counts the
// answers, those between from and until apart.
func exchange(ctx context.Context, addr string, request []byte, from, until time.Time) (t tally, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return t, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until.Add(patience)); err != nil {
		return t, err
	}
	buf := make([]byte, 16<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return t, err
		}
		if err := readAnswer(conn, buf); err != nil {
			return t, err
		}
		t.all++
		switch now := time.Now(); {
		case now.After(until):
			return t, nil
		case now.After(from):
			t.measured++
		}
	}
	return t, context.Cause(ctx)
}

var (
	statusLine    = []byte("HTTP/1.1 200 OK\r\n")
	lengthHeader  = []byte("\r\nContent-Length: " + strconv.Itoa(len(message)) + "\r\n")
	endOfHeader   = []byte("\r\n\r\n")
	expectedReply = []byte(message)
)

// readAnswer reads one answer: status 200 and the message that was sent. That
// is all the HTTP it knows, so that it takes less time than any server.
func readAnswer(conn net.Conn, buf []byte) error {
	for n := 0; n < len(buf); {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		end := bytes.Index(buf[:n], endOfHeader)
		if end < 0 {
			continue
		}
		if !bytes.HasPrefix(buf, statusLine) || !bytes.Contains(buf[:end+2], lengthHeader) {
			return fmt.Errorf("unexpected answer: %q", buf[:n])
		}
		body := buf[end+len(endOfHeader) : n]
		if len(body) < len(expectedReply) {
			continue
		}
		if !bytes.Equal(body, expectedReply) {
			return fmt.Errorf("unexpected body: %q", body)
		}
		return nil
	}
	return errors.New("answer is too long")
}
