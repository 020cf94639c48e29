package deliver

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Connection is what handlers are told about a client's connection, and what
// they left on it: its state and its cookies.
//
// The exported fields belong to their owner, who may change them while no event
// of the connection is on its way: after the answer to connect, for instance.
// The methods are safe for concurrent use. An idle connection that no handler
// left anything on costs little more than the struct.
type Connection struct {
	// ID is the connection id, for MQTT the client id.
	ID string

	// Hub is the hub in lower case, as the service spells it.
	Hub string

	// UserID is the user, if known. Subprotocol is the negotiated one, if any;
	// connect does not carry it, unless it is MQTT.
	UserID      string
	Subprotocol string

	// PhysicalID and SessionID are of MQTT clients: the network connection,
	// and the session that connect makes.
	PhysicalID string
	SessionID  string

	mu     sync.Mutex // guards what follows
	lastID uint64     // of an event; 0 is connect's
	state  *string    // nil until a handler sets it
	jar    *cookiejar.Jar
}

// NewEvent returns an event of the connection that happens now. The name is
// that of a user event and empty for others. Events are numbered in the order
// of these calls: 0 for connect, then 1, 2 and so on.
func (c *Connection) NewEvent(kind wire.Kind, name string) *Event {
	e := &Event{Kind: kind, Name: name, conn: c, time: time.Now()}
	if kind == wire.KindConnect {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	e.id = c.lastID
	return e
}

// State returns the connection state, and whether it was ever set. It is set,
// and empty, when a handler has set it to an empty value.
func (c *Connection) State() (state string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == nil {
		return "", false
	}
	return *c.state, true
}

// maxCookies is how many cookies a connection has at most. A handler that sets
// a new one with each answer starts over.
const maxCookies = 50

// keep takes from a good answer what the service takes. It returns the state
// that the answer set, nil if it set none.
func (c *Connection) keep(kind wire.Kind, u *url.URL, h http.Header) (state *string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lines := h[wire.HeaderConnectionState]; len(lines) > 0 && kind.Blocking() {
		state = new(trimSpace(lines[len(lines)-1]))
		c.state = state
	}
	cookies := (&http.Response{Header: h}).Cookies()
	if len(cookies) == 0 {
		return state
	}
	if c.jar == nil || len(c.jar.Cookies(u))+len(cookies) > 2*maxCookies {
		c.jar, _ = cookiejar.New(nil) // never fails
	}
	c.jar.SetCookies(u, cookies[:min(len(cookies), maxCookies)])
	return state
}

// addCookies adds the cookies that the connection has for a URL.
func (c *Connection) addCookies(u *url.URL, h http.Header) {
	c.mu.Lock()
	jar := c.jar
	c.mu.Unlock()
	if jar == nil {
		return
	}
	r := &http.Request{Header: h}
	for _, cookie := range jar.Cookies(u) {
		r.AddCookie(cookie)
	}
}
