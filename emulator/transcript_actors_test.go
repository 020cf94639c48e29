package emulator_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An application shows what it is asked and answers what
// the transcript says.
type application struct {
	consents bool // whether the handshake is part of the transcript

	mu    sync.Mutex // guards the fields below
	calls []*call
	open  []*call // shown, to be answered
	over  bool
}

type call struct {
	request *http.Request
	body    []byte
	answer  chan string
}

func (app *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c := &call{request: r, body: body, answer: make(chan string, 1)}
	app.mu.Lock()
	if r.Method == http.MethodOptions && !app.consents || app.over {
		app.mu.Unlock()
		w.Header().Set("WebHook-Allowed-Origin", "*")
		return
	}
	app.calls = append(app.calls, c)
	app.mu.Unlock()
	select {
	case <-r.Context().Done():
	case answer := <-c.answer:
		status, rest, _ := strings.Cut(answer, "\n")
		header, payload := parseMessage(rest)
		if after, ok := strings.CutPrefix(rest, "\n"); ok {
			payload = after // there are no headers
		}
		maps.Copy(w.Header(), header)
		code, _ := strconv.Atoi(status)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, payload)
	}
}

// shownHeaders are those that differ between requests. The others are shown on
// demand, as is the body of connect.
var shownHeaders = regexp.MustCompile(`^(Ce-Type|Ce-Id|Ce-Userid|Ce-Subprotocol|Ce-Connectionid|Ce-Connectionstate|Content-Type|Cookie|X-Webpubsub-Metadata-.*)$`)

// take returns the oldest request that was not shown. Unless it is answered
// later, the answer is 204.
func (app *application) take(t *testing.T, all, later bool) string {
	t.Helper()
	app.mu.Lock()
	defer app.mu.Unlock()
	if len(app.calls) == 0 {
		return "none"
	}
	c := app.calls[0]
	app.calls = app.calls[1:]
	if later {
		app.open = append(app.open, c)
	} else {
		c.answer <- "204"
	}
	keys := slices.Sorted(maps.Keys(c.request.Header))
	if !all {
		keys = slices.DeleteFunc(keys, func(key string) bool { return !shownHeaders.MatchString(key) })
	}
	if !all && c.request.Header.Get("ce-type") == wire.TypeConnect {
		c.body = nil // it is long, and mostly the same
	}
	return formatMessage(c.request.Method+" "+c.request.URL.String(), c.request.Header, keys, c.body)
}

// reply answers the oldest request that was shown.
func (app *application) reply(t *testing.T, answer string) {
	t.Helper()
	app.mu.Lock()
	defer app.mu.Unlock()
	if len(app.open) == 0 {
		t.Fatal("there is no request to answer")
	}
	app.open[0].answer <- answer
	app.open = app.open[1:]
}

// close reports what was not shown and has all else answered at once.
func (app *application) close(t *testing.T) {
	app.mu.Lock()
	defer app.mu.Unlock()
	app.over = true
	for _, c := range app.calls {
		t.Errorf("the transcript does not show the request %s %q", c.request.Header.Get("ce-type"), c.body)
	}
	for _, c := range slices.Concat(app.calls, app.open) {
		c.answer <- "204"
	}
}

// An actor is a client: what it got is kept until the transcript asks for it.
type actor struct {
	line    *deafConn
	address string // without what a recovery adds
	offered []string

	mu       sync.Mutex // guards the fields below
	ws       *websocket.Conn
	response string // to the handshake
	frames   []string
	closed   string
}

const kindSuffix = ".webpubsub.azure.v1"

func (s *stage) dial(name string, params map[string]string, headers string) *actor {
	hub, token := params["hub"], params["token"]
	if hub == "" {
		hub = "chat"
	}
	var roles []string
	for _, role := range listOf(params["roles"]) {
		roles = append(roles, "webpubsub."+role)
	}
	address, err := s.service.ClientURL(hub, &emulator.TokenOptions{UserID: params["user"], Roles: roles, Groups: listOf(params["groups"])})
	s.check(err)
	u, err := url.Parse(address)
	s.check(err)
	if token != "" {
		u.RawQuery = url.Values{"access_token": {s.names.expand(token)}}.Encode()
	}
	if token == "none" {
		u.RawQuery = ""
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+params["query"], "&")
	a := &actor{address: u.String(), offered: listOf(params["subprotocol"])}
	for i, offer := range a.offered {
		if strings.HasPrefix(offer, "json") {
			a.offered[i] += kindSuffix
		}
	}
	header, _ := parseMessage(headers)
	s.start(name, a, a.address, header)
	return a
}

// recover connects as the client that lost its connection.
func (s *stage) recover(name string, lost *actor, params map[string]string) *actor {
	a := &actor{address: lost.address, offered: lost.offered}
	token := s.names.real[name+".token"]
	if params["token"] != "" {
		token = s.names.expand(params["token"])
	}
	s.start(name, a, a.address+"&"+url.Values{
		"awps_connection_id": {s.names.real[name+".id"]}, "awps_reconnection_token": {token},
	}.Encode(), nil)
	return a
}

// start connects and reads in the background: the application may have to be
// asked first.
func (s *stage) start(name string, a *actor, address string, header http.Header) {
	conn, err := s.service.Dial(s.t.Context())
	s.check(err)
	a.line = &deafConn{Conn: conn, closed: make(chan struct{})}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return a.line, nil }}
	s.t.Cleanup(a.drop)
	go func() {
		defer transport.CloseIdleConnections()
		ws, resp, err := websocket.Dial(context.Background(), address, &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Subprotocols: a.offered,
		})
		a.mu.Lock()
		a.ws = ws
		if resp != nil {
			resp.Header.Del("Content-Type") // always text/plain
			a.response = formatResponse(s.t, resp)
		}
		a.mu.Unlock()
		if err == nil {
			a.read(ws)
		}
	}()
	synctest.Wait()
}

func (a *actor) read(ws *websocket.Conn) {
	ws.SetReadLimit(-1)
	for {
		kind, payload, err := ws.Read(context.Background())
		a.mu.Lock()
		if err != nil {
			a.closed = "gone"
			if closed, ok := errors.AsType[websocket.CloseError](err); ok {
				a.closed = fmt.Sprint(int(closed.Code), " ", closed.Reason)
			}
			a.mu.Unlock()
			return
		}
		frame := string(payload)
		if kind == websocket.MessageBinary {
			frame = "binary: " + hex.EncodeToString(payload)
		}
		a.frames = append(a.frames, frame)
		a.mu.Unlock()
	}
}

func (a *actor) handshake() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.response
}

// take returns the frames that came since the last time.
func (a *actor) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	frames := strings.Join(a.frames, "\n")
	a.frames = nil
	return frames
}

func (a *actor) end() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed == "" {
		return "still open"
	}
	return strings.TrimSpace(a.closed)
}

// send sends each line in a frame of its own.
func (a *actor) send(t *testing.T, lines string) {
	t.Helper()
	if a.ws == nil {
		t.Fatal("the client is not connected: ", a.handshake())
	}
	for line := range strings.SplitSeq(lines, "\n") {
		kind, payload := websocket.MessageText, []byte(line)
		if digits, ok := strings.CutPrefix(line, "binary: "); ok {
			kind = websocket.MessageBinary
			payload, _ = hex.DecodeString(digits)
		}
		if err := a.ws.Write(t.Context(), kind, payload); err != nil {
			t.Fatalf("send %q: %v", line, err)
		}
	}
}

// close ends the connection with a closing handshake. Without a code, the frame
// has none.
func (a *actor) close(code int, reason string) {
	if code == 0 {
		code = int(websocket.StatusNoStatusRcvd)
	}
	_ = a.ws.Close(websocket.StatusCode(code), reason)
}

func (a *actor) drop() { _ = a.line.Close() }

// A deafConn is a network connection that can stop to hear, as one behind a
// router that lost its way.
type deafConn struct {
	net.Conn
	deaf   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.deaf.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
