package emulatortest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
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

	// Subprotocol is what the client offers. "-" offers none, which makes it a
	// simple client.
	Subprotocol string

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
// test.
type Client struct {
	t  testing.TB
	ws *websocket.Conn

	connectionID      string
	reconnectionToken string

	arrived chan struct{} // has an element after each change of frames
	mu      sync.Mutex    // guards frames
	frames  []frame
}

type frame struct {
	payload string
	err     error
}

// Connect connects a client to a hub. A client with a subprotocol has received
// its "connected" message when Connect returns. It ends with the test.
func (s *Service) Connect(hub string, options *ConnectOptions) *Client {
	s.t.Helper()
	c, resp, err := s.TryConnect(hub, options)
	if err != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		s.t.Fatalf("emulatortest: connect to hub %q: status %d, %v", hub, status, err)
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
	dial := &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: opts.Header}
	if opts.Subprotocol != "-" {
		dial.Subprotocols = []string{cmp.Or(opts.Subprotocol, "json.webpubsub.azure.v1")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), receiveTime)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, opts.URL, dial)
	if err != nil {
		return nil, resp, err
	}
	ws.SetReadLimit(maxFrame)
	c := &Client{t: s.t, ws: ws, arrived: make(chan struct{}, 1)}
	go c.read()
	s.t.Cleanup(func() { _ = ws.CloseNow() })
	if strings.HasSuffix(ws.Subprotocol(), ".webpubsub.azure.v1") {
		c.greet()
	}
	return c, resp, nil
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

func (c *Client) read() {
	for {
		_, payload, err := c.ws.Read(context.Background())
		c.mu.Lock()
		c.frames = append(c.frames, frame{string(payload), err})
		c.mu.Unlock()
		select {
		case c.arrived <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// ConnectionID returns the id that the service gave to the connection, empty
// for simple clients.
func (c *Client) ConnectionID() string { return c.connectionID }

// ReconnectionToken returns what a client of a reliable protocol recovers with.
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

// Receive returns the next frame. It waits for ten seconds.
func (c *Client) Receive() string {
	c.t.Helper()
	f := c.next()
	if f.err != nil {
		c.t.Fatalf("emulatortest: receive: %v", f.err)
	}
	return f.payload
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

func (c *Client) next() frame {
	c.t.Helper()
	late := time.NewTimer(receiveTime)
	defer late.Stop()
	for {
		if f, ok := c.take(); ok {
			return f
		}
		select {
		case <-c.arrived:
		case <-late.C:
			c.t.Fatalf("emulatortest: nothing was received in %v", receiveTime)
		}
	}
}

// take takes a frame that has arrived.
func (c *Client) take() (f frame, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.frames) == 0 {
		return frame{}, false
	}
	f, c.frames = c.frames[0], c.frames[1:]
	return f, true
}

// Close ends the connection with a closing handshake.
func (c *Client) Close() {
	c.t.Helper()
	_ = c.ws.Close(websocket.StatusNormalClosure, "")
}

// Drop ends the network connection as a broken line does. A client of a
// reliable protocol can recover.
func (c *Client) Drop() {
	c.t.Helper()
	_ = c.ws.CloseNow()
}
