package emulatortest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// ConnectOptions say who connects and how. The zero value is an anonymous user
// with a token that gives no permissions, and the subprotocol
// json.webpubsub.azure.v1.
type ConnectOptions struct {
	UserID string
	Roles  []string
	Groups []string

	// Subprotocols are what the client offers, the preferred one first. If nil,
	// json.webpubsub.azure.v1. If empty and not nil, none, which makes it a
	// simple client.
	Subprotocols []string

	// URL replaces the one with a token for the fields above.
	URL string

	// Header is sent along with the opening handshake.
	Header http.Header
}

// receiveTime is how long a client waits for what its test expects.
const receiveTime = 10 * time.Second

// maxFrame is more than the service takes, so that a test sees what the service
// does about it.
const maxFrame = 32 << 20

// A Client is one WebSocket client of a test. Whatever goes wrong fails the
// test with [testing.TB.Fatal], so its methods must be called from the
// goroutine that runs the test, and not from others that the test has started.
type Client struct {
	service *Service
	t       testing.TB
	url     string
	header  http.Header
	offered []string // subprotocols

	ws    *websocket.Conn
	inbox *inbox // of ws

	connectionID      string
	reconnectionToken string
}

// Connect connects a client to a hub. A client with a subprotocol of the
// service has received its "connected" message when Connect returns; the
// service may get to know a simple client only a moment later. A client ends
// with the test. Connect must be called from the goroutine that runs the test.
func (s *Service) Connect(hub string, options *ConnectOptions) *Client {
	s.t.Helper()
	c, resp, err := s.TryConnect(hub, options)
	if err != nil {
		s.t.Fatalf("emulatortest: connect to hub %q: status %d, %v", hub, statusOf(resp), err)
	}
	return c
}

// TryConnect is Connect for clients that may be refused: the response then has
// the status and the text that the client gets.
func (s *Service) TryConnect(hub string, options *ConnectOptions) (*Client, *http.Response, error) {
	s.t.Helper()
	var opts ConnectOptions
	if options != nil {
		opts = *options
	}
	if opts.URL == "" {
		var err error
		opts.URL, err = s.ClientURL(hub, &emulator.TokenOptions{UserID: opts.UserID, Roles: opts.Roles, Groups: opts.Groups})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if opts.Subprotocols == nil {
		opts.Subprotocols = []string{"json.webpubsub.azure.v1"}
	}
	c := &Client{service: s, t: s.t, url: opts.URL, header: opts.Header, offered: opts.Subprotocols}
	resp, err := c.dial(opts.URL)
	if err != nil {
		return nil, resp, err
	}
	return c, resp, nil
}

// dial gives the client a WebSocket and takes the connected message from it.
func (c *Client) dial(address string) (*http.Response, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), receiveTime)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: c.service.client, HTTPHeader: c.header, Subprotocols: c.offered,
	})
	if err != nil {
		return resp, err
	}
	ws.SetReadLimit(maxFrame)
	c.ws, c.inbox = ws, readAll(ws)
	c.t.Cleanup(func() { _ = ws.CloseNow() })
	if strings.HasSuffix(strings.ToLower(ws.Subprotocol()), ".webpubsub.azure.v1") {
		c.greet()
	}
	return resp, nil
}

// greet takes the connected message.
func (c *Client) greet() {
	c.t.Helper()
	var connected struct{ Event, ConnectionID, ReconnectionToken string }
	text := c.Receive()
	if err := json.Unmarshal([]byte(text), &connected); err != nil || connected.Event != "connected" {
		c.t.Fatalf("emulatortest: the first message is %s, want the connected message", text)
	}
	c.connectionID, c.reconnectionToken = connected.ConnectionID, connected.ReconnectionToken
}

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// ConnectionID returns the id that the service gave to the connection, empty
// for simple clients.
func (c *Client) ConnectionID() string { return c.connectionID }

// ReconnectionToken returns what a client of a reliable protocol recovers with,
// from the latest connected message. It is empty for other clients.
func (c *Client) ReconnectionToken() string { return c.reconnectionToken }

// Send sends a text frame.
func (c *Client) Send(text string) {
	c.t.Helper()
	c.write(websocket.MessageText, []byte(text))
}

// SendBinary sends a binary frame.
func (c *Client) SendBinary(data []byte) {
	c.t.Helper()
	c.write(websocket.MessageBinary, data)
}

func (c *Client) write(kind websocket.MessageType, payload []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), receiveTime)
	defer cancel()
	if err := c.ws.Write(ctx, kind, payload); err != nil {
		c.t.Fatalf("emulatortest: send: %v", err)
	}
}

// Receive returns the next frame, which must be a text frame. It waits for ten
// seconds.
func (c *Client) Receive() string {
	c.t.Helper()
	f := c.receive()
	if f.binary {
		c.t.Fatalf("emulatortest: received the binary frame %x, want a text frame", f.payload)
	}
	return string(f.payload)
}

// ReceiveBinary returns the next frame, which must be a binary frame. It waits
// for ten seconds.
func (c *Client) ReceiveBinary() []byte {
	c.t.Helper()
	f := c.receive()
	if !f.binary {
		c.t.Fatalf("emulatortest: received the text frame %q, want a binary frame", f.payload)
	}
	return f.payload
}

// ReceiveNothing fails the test when a frame arrives within d, or has arrived
// and was not received, or when the connection ends. In a bubble of
// testing/synctest the wait takes no time.
func (c *Client) ReceiveNothing(d time.Duration) {
	c.t.Helper()
	switch f, ok := c.inbox.next(d); {
	case ok && f.err != nil:
		c.t.Fatalf("emulatortest: the connection has ended: %v", f.err)
	case ok:
		c.t.Fatalf("emulatortest: received %q, want nothing", f.payload)
	}
}

// ReceiveClose returns the code and the reason with which the service closed
// the connection, after what it sent before that was received. The code is
// 1006 when there was no closing handshake.
func (c *Client) ReceiveClose() (code int, reason string) {
	c.t.Helper()
	f := c.next()
	if f.err == nil {
		c.t.Fatalf("emulatortest: received %q, want the end of the connection", f.payload)
	}
	if closed, ok := errors.AsType[websocket.CloseError](f.err); ok {
		return int(closed.Code), closed.Reason
	}
	return int(websocket.StatusAbnormalClosure), ""
}

// receive returns the next frame of a connection that has not ended.
func (c *Client) receive() frame {
	c.t.Helper()
	f := c.next()
	if f.err != nil {
		c.t.Fatalf("emulatortest: receive: %v", f.err)
	}
	return f
}

func (c *Client) next() frame {
	c.t.Helper()
	f, ok := c.inbox.next(receiveTime)
	if !ok {
		c.t.Fatalf("emulatortest: nothing was received in %v", receiveTime)
	}
	return f
}

// Close ends the connection with a closing handshake.
func (c *Client) Close() {
	c.t.Helper()
	_ = c.ws.Close(websocket.StatusNormalClosure, "")
}

// Drop ends the network connection as a broken line does. A client of a
// reliable protocol can [Client.Recover].
func (c *Client) Drop() {
	c.t.Helper()
	_ = c.ws.CloseNow()
}

// Recover gives a client of a reliable protocol a new WebSocket for the
// connection that it had before [Client.Drop], and takes the new connected
// message. It offers the same subprotocols as before. What arrived on the old WebSocket and was not received is gone; the
// service sends again all data messages that the client has not acknowledged.
func (c *Client) Recover() {
	c.t.Helper()
	if c.reconnectionToken == "" {
		c.t.Fatalf("emulatortest: recover: the subprotocol is %q, want a reliable one", c.ws.Subprotocol())
	}
	u, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatalf("emulatortest: recover: %v", err)
	}
	query := u.Query()
	query.Del("access_token")
	query.Set("awps_connection_id", c.connectionID)
	query.Set("awps_reconnection_token", c.reconnectionToken)
	u.RawQuery = query.Encode()
	before := c.connectionID
	c.Drop()
	if resp, err := c.dial(u.String()); err != nil {
		c.t.Fatalf("emulatortest: recover: status %d, %v", statusOf(resp), err)
	}
	if c.connectionID != before {
		c.t.Fatalf("emulatortest: recover: the connection is %q, want %q", c.connectionID, before)
	}
}
