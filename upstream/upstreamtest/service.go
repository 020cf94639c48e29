package upstreamtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// ServiceOptions configure a [Service].
type ServiceOptions struct {
	// Hub is the hub of all clients. Default: [Hub].
	Hub string
	// URL is where the events go: a path, with {hub} and {event} in it where
	// the settings of the service have them. Default: "/eventhandler".
	URL string
	// Keys are the access keys that sign. Default: [AccessKey].
	Keys []string
	// Origins are the hosts of the service. Default: [Origin].
	Origins []string
}

// A Service plays the service for one handler, in process: each call below is
// a request to the handler, and returns after its answer. It is safe for
// concurrent use, like the handlers that it calls.
//
// It never sends a request again by itself; see [Conn.Redeliver]. It does not
// recover from a panic of the handler: the test fails with its stack.
type Service struct {
	t       testing.TB
	handler http.Handler
	opts    ServiceOptions
	jarURL  *url.URL // stands for the handler in the cookie jars

	mu        sync.Mutex // guards what follows
	consented bool
	conns     int
}

// NewService returns a service whose events go to h. A nil options is the same
// as a zero ServiceOptions.
func NewService(t testing.TB, h http.Handler, options *ServiceOptions) *Service {
	t.Helper()
	if h == nil {
		t.Fatal("upstreamtest: NewService with a nil http.Handler")
	}
	s := &Service{t: t, handler: h}
	if options != nil {
		s.opts = *options
	}
	s.opts.Hub = cmp.Or(s.opts.Hub, Hub)
	s.opts.URL = cmp.Or(s.opts.URL, "/eventhandler")
	s.opts.Keys = slices.Clone(s.opts.Keys)
	s.opts.Origins = slices.Clone(s.opts.Origins)
	u, err := url.Parse(s.opts.URL)
	if err != nil || !strings.HasPrefix(s.opts.URL, "/") {
		t.Fatalf("upstreamtest: ServiceOptions.URL is %q, want a path", s.opts.URL)
	}
	s.jarURL = &url.URL{Scheme: "https", Host: Origin, Path: u.Path}
	return s
}

// A Handshake is how the service judged the handler's answer to the question
// whether it may send events.
type Handshake struct {
	// Method is OPTIONS, or GET when OPTIONS was answered with 404.
	Method         string
	StatusCode     int
	AllowedOrigins []string // the lines of WebHook-Allowed-Origin
	// Reason is what is missing for consent. It is empty when there is
	// consent.
	Reason string
}

// Refused reports whether the service may not send events.
func (h *Handshake) Refused() bool { return h.Reason != "" }

// Validate asks the handler for consent, as the service does about once a
// minute. Consent is a 2xx status together with a line WebHook-Allowed-Origin
// that is a star or one of the service's hosts, and nothing else.
func (s *Service) Validate() *Handshake {
	s.t.Helper()
	req := NewHandshake(s.opts.Origins...)
	a := s.serve(wire.EventValidate, req)
	if a.status == http.StatusNotFound {
		req = NewHandshake(s.opts.Origins...)
		req.Method = http.MethodGet
		a = s.serve(wire.EventValidate, req)
	}
	h := &Handshake{Method: req.Method, StatusCode: a.status, AllowedOrigins: a.header[wire.HeaderAllowedOrigin]}
	asked := wire.ParseOrigins(req.Header[wire.HeaderRequestOrigin])
	consent := slices.ContainsFunc(h.AllowedOrigins, func(line string) bool {
		return line == "*" || slices.ContainsFunc(asked, func(host string) bool { return strings.EqualFold(host, line) })
	})
	switch {
	case !a.ok():
		h.Reason = fmt.Sprintf("%s was answered with %s", req.Method, a.statusText())
	case !consent:
		h.Reason = fmt.Sprintf("WebHook-Allowed-Origin is %q, want one line that is %q or one of %q", h.AllowedOrigins, "*", asked)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consented = !h.Refused()
	return h
}

// A Client is a client as it comes to the service. Its zero value has a token
// without claims and offers no subprotocol.
type Client struct {
	// ConnectionID is the connection; for MQTT the client id. Default:
	// "conn1", "conn2" and so on.
	ConnectionID string

	// UserID, Roles and Groups are in the client's access token.
	UserID string
	Roles  []string
	Groups []string
	// Claims are further claims of the token. They win over the three above.
	Claims map[string][]string

	// Query and Headers are of the client's request. The service keeps the
	// query parameter access_token and the header Authorization to itself.
	Query   url.Values
	Headers http.Header
	// Subprotocols are what the client offers, in its order of preference.
	// Default: "mqtt" for MQTT clients, none for others.
	Subprotocols       []string
	ClientCertificates []upstream.ClientCertificate
	// MQTT makes this an MQTT client. Its default protocol version is 5.
	MQTT *upstream.MQTTConnect
}

// Connect lets a client connect: it sends connect, applies the answer as the
// service does and, if the client may come in, sends connected. A nil client
// is the same as a zero Client.
//
// The service sends no event without consent: unless [Service.Validate] got
// it already, Connect asks first. A client of a handler that does not consent
// is refused with 500, and the handler sees no event of it.
//
// The context is that of the requests; only the notifications survive its end.
func (s *Service) Connect(ctx context.Context, client *Client) *Conn {
	s.t.Helper()
	if client == nil {
		client = &Client{}
	}
	c := s.newConn(ctx, client)
	if h := s.consent(); h.Refused() {
		c.refuse("the handshake failed: " + h.Reason)
		return c
	}
	c.connect(client)
	if !c.Refused() {
		c.Connected = c.send(Event{Type: TypeConnected}, nil)
	}
	return c
}

// consent returns a refused handshake unless there is consent.
func (s *Service) consent() *Handshake {
	s.t.Helper()
	s.mu.Lock()
	consented := s.consented
	s.mu.Unlock()
	if consented {
		return &Handshake{}
	}
	return s.Validate()
}

func (s *Service) newConn(ctx context.Context, client *Client) *Conn {
	s.mu.Lock()
	s.conns++
	n := s.conns
	s.mu.Unlock()
	jar, _ := cookiejar.New(nil) // never fails
	c := &Conn{
		t:       s.t,
		service: s,
		ctx:     ctx,
		jar:     jar,
		ID:      cmp.Or(client.ConnectionID, fmt.Sprintf("conn%d", n)),
		UserID:  client.UserID,
		Roles:   slices.Clone(client.Roles),
		groups:  slices.Clone(client.Groups),
	}
	if client.MQTT != nil {
		c.Subprotocol = wire.SubprotocolMQTT
		c.PhysicalConnectionID = wire.NewRequestID()
		c.Connack = &Connack{}
		c.mqttVersion = cmp.Or(client.MQTT.ProtocolVersion, upstream.MQTTVersion5)
	}
	return c
}

// data returns what the service tells about the client.
func (client *Client) data() *ConnectData {
	d := &ConnectData{
		Claims:             map[string][]string{},
		Query:              maps.Clone(client.Query),
		Headers:            client.Headers.Clone(),
		Subprotocols:       client.Subprotocols,
		ClientCertificates: client.ClientCertificates,
	}
	for claim, values := range map[string][]string{
		"sub":             {client.UserID},
		"role":            client.Roles,
		"webpubsub.group": client.Groups,
	} {
		if len(values) > 0 && values[0] != "" {
			d.Claims[claim] = values
		}
	}
	maps.Copy(d.Claims, client.Claims)
	maps.DeleteFunc(d.Query, func(k string, _ []string) bool { return strings.EqualFold(k, "access_token") })
	d.Headers.Del("Authorization")
	if client.MQTT != nil {
		m := *client.MQTT
		m.ProtocolVersion = cmp.Or(m.ProtocolVersion, upstream.MQTTVersion5)
		d.MQTT = &m
	}
	return d
}

// post sends an event. What cannot be sent is a mistake in the test.
func (s *Service) post(ctx context.Context, ev Event, faults []Fault) *answer {
	s.t.Helper()
	ev.Hub, ev.Keys, ev.Origins = s.opts.Hub, s.opts.Keys, s.opts.Origins
	req, err := newRequest(ev, faults)
	if err != nil {
		s.t.Fatal("upstreamtest: ", err)
	}
	return s.serve(ev.name(), req.WithContext(ctx))
}

// serve runs the handler on a request about the event with this name.
func (s *Service) serve(name string, req *http.Request) *answer {
	req = To(strings.NewReplacer("{hub}", url.PathEscape(s.opts.Hub), "{event}", url.PathEscape(name)).Replace(s.opts.URL), req)
	req.RequestURI = req.URL.RequestURI()
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req)
	resp := rec.Result()
	a := &answer{status: resp.StatusCode, header: wire.Canonical(resp.Header), body: rec.Body.Bytes()}
	// A server of net/http drops the body of a 204 and guesses a missing type.
	if a.status == http.StatusNoContent {
		a.body = nil
	}
	if _, typed := a.header[wire.HeaderContentType]; !typed && len(a.body) > 0 && a.header.Get("Content-Encoding") == "" {
		a.header.Set(wire.HeaderContentType, http.DetectContentType(a.body))
	}
	return a
}

// An answer is what a handler answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) ok() bool { return a.status/100 == 2 }

func (a *answer) statusText() string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if a.status/100 == 3 {
		text += ", and the service follows no redirect: register the path with and without a trailing slash"
	}
	return text
}

// state returns the state that the answer sets, the zero State if none.
func (a *answer) state() (upstream.State, error) {
	lines := a.header[wire.HeaderConnectionState]
	if len(lines) == 0 {
		return upstream.State{}, nil
	}
	return upstream.RawState(strings.Trim(lines[len(lines)-1], " \t"))
}
