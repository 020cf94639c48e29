package emulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/emulator/internal/rest"
	"github.com/gowebpubsub/webpubsub/internal/guard"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Server is a Web PubSub service: an [http.Handler] to which clients and
// server SDKs connect. All its methods are safe for concurrent use.
type Server struct {
	// static after construction
	endpoint        *url.URL
	accessKey       string
	keys            access.Keys
	limits          Limits
	forwardRefusals bool
	logger          *slog.Logger
	observe         func(Record)
	inspect         func(Exchange)
	broker          broker.Broker
	sender          *deliver.Sender
	handler         http.Handler // everything behind the guard

	life     context.Context // of what nobody waits for; ends with a Shutdown that took too long
	end      context.CancelCauseFunc
	settings atomic.Pointer[hubConfigs]
	tasks    tasks

	lostNotices sync.Once     // logged
	exchanges   atomic.Uint64 // that were shown to inspect

	mu          sync.Mutex // guards the fields below
	hubs        map[string]*hub
	connections int // sessions and upgrades under way
}

// New returns a service. A nil options is the same as a zero Options. The error
// says which option is wrong and what was expected.
func New(options *Options) (*Server, error) {
	var opts Options
	if options != nil {
		opts = *options
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	endpoint, err := parseEndpoint(opts.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &Server{
		endpoint:        endpoint,
		accessKey:       opts.AccessKey,
		keys:            opts.keys(),
		limits:          opts.Limits,
		forwardRefusals: opts.ForwardRefusals,
		logger:          opts.Logger,
		observe:         opts.Observe,
		inspect:         opts.Inspect,
		broker:          &broker.Memory{},
		hubs:            map[string]*hub{},
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	if err := s.Apply(opts.Settings); err != nil {
		return nil, err
	}
	delivery := opts.delivery(endpoint.Hostname())
	if s.observe != nil {
		delivery.Observe = s.delivered
	}
	calls := s.broker
	if s.inspect != nil {
		delivery.Trace = s.inspectTransfer
		calls = counting{s.broker}
	}
	s.sender = deliver.New(delivery)
	api := rest.New(&rest.Options{
		Broker:       calls,
		Authorize:    func(r *http.Request) error { return s.keys.VerifyREST(bearer(r.Header), s.hosts(r), r.URL) },
		Issue:        s.issue,
		MaxBodyBytes: int64(opts.Limits.MessageBytes),
		Logger:       opts.Logger,
	})
	if s.inspect != nil {
		api = s.inspectCalls(api)
	}
	protection, err := guard.New(&guard.Options{
		AllowedHosts:   append(slices.Clone(opts.AllowedHosts), endpoint.Hostname()),
		AllowedOrigins: opts.AllowedOrigins,
		HostFlag:       "--allow-host", // of webpubsub dev
		OriginFlag:     "--allow-origin",
		Logger:         opts.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("emulator: %w", err)
	}
	s.handler = protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.route(w, r, api) }))
	return s, nil
}

// ServeHTTP serves the client endpoint below /client and the REST data plane
// below /api.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.tasks.enter():
		defer s.tasks.leave()
	case s.life.Err() == nil && strings.HasPrefix(r.URL.Path, "/api/"):
		// The application still gets the last events, and does what it does
		// with them.
	default:
		http.Error(w, errClosing.text, errClosing.status)
		return
	}
	s.handler.ServeHTTP(w, r)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, api http.Handler) {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first {
	case "client":
		s.serveClient(w, r)
	case "api":
		api.ServeHTTP(w, r)
	default:
		http.Error(w, "Not found: this is a Web PubSub service, with clients at /client/hubs/{hub} and the REST data plane at /api.", http.StatusNotFound)
	}
}

// Apply replaces the settings while the service runs. Nobody is disconnected;
// the next event of each connection goes by the new settings. When they are
// wrong, the error says where, and the old ones stay.
func (s *Server) Apply(settings Settings) error {
	compiled, err := settings.compile()
	if err != nil {
		return err
	}
	s.settings.Store(compiled)
	return nil
}

// ConnectionString returns what SDKs are configured with, like the connection
// string of a resource of Azure.
func (s *Server) ConnectionString() string {
	return "Endpoint=" + s.endpoint.String() + ";AccessKey=" + s.accessKey + ";Version=1.0;"
}

// Endpoint returns the address of the service, like http://localhost:8080.
func (s *Server) Endpoint() string { return s.endpoint.String() }

// ClientURL returns a URL for a client to connect to, with an access token. A
// nil options is the same as a zero TokenOptions. The error says that the name
// of the hub is not valid.
func (s *Server) ClientURL(hub string, options *TokenOptions) (string, error) {
	if !wire.ValidHub(hub) {
		return "", errors.New("emulator: not the name of a hub: expected a letter, then up to 127 letters, digits and any of _`,.[]")
	}
	var opts TokenOptions
	if options != nil {
		opts = *options
	}
	token, err := s.sign(s.endpoint.String()+"/client/hubs/"+url.PathEscape(hub), opts)
	if err != nil {
		return "", err
	}
	client := *s.endpoint
	client.Scheme = strings.Replace(client.Scheme, "http", "ws", 1)
	client = *client.JoinPath("client", "hubs", url.PathEscape(hub))
	client.RawQuery = url.Values{"access_token": {token}}.Encode()
	return client.String(), nil
}

// issue is the operation :generateToken.
func (s *Server) issue(_ *http.Request, hub string, opts rest.TokenOptions) (string, error) {
	return s.sign(s.endpoint.String()+"/client/hubs/"+url.PathEscape(hub), TokenOptions{
		UserID: opts.UserID, Roles: opts.Roles, Groups: opts.Groups, Lifetime: opts.Lifetime,
	})
}

func (s *Server) sign(audience string, opts TokenOptions) (string, error) {
	return access.Sign(s.accessKey, audience, access.SignOptions{
		UserID: opts.UserID, Roles: opts.Roles, Groups: opts.Groups, Lifetime: opts.Lifetime,
	})
}

func (s *Server) reconnectionToken(connectionID string) string {
	token, err := access.SignReconnection(s.accessKey, connectionID)
	if err != nil {
		s.logger.Error("no reconnection token could be made", "connection", connectionID, "error", err)
	}
	return token
}

// hosts are the names under which a token may know this service.
func (s *Server) hosts(r *http.Request) []string {
	return []string{s.endpoint.Host, r.Host}
}

var errClosing = &refusal{status: http.StatusServiceUnavailable, text: "The service is shutting down."}

// enterHub returns a hub for one more connection, and makes it for the first.
// leaveHub undoes it.
func (s *Server) enterHub(name string) (*hub, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connections >= s.limits.Connections {
		return nil, &refusal{status: http.StatusTooManyRequests, text: "The service has as many connections as it may."}
	}
	h := s.hubs[name]
	if h == nil {
		h = &hub{name: name, server: s, sessions: map[string]*session{}, byUser: map[string]sessionSet{}, byGroup: map[string]sessionSet{}}
		stop, err := s.broker.Subscribe(name, h.serve)
		if err != nil {
			return nil, err
		}
		h.stop = stop
		s.hubs[name] = h
	}
	h.users++
	s.connections++
	return h, nil
}

func (s *Server) leaveHub(h *hub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections--
	if h.users--; h.users == 0 {
		h.stop()
		delete(s.hubs, h.name)
	}
}

// session returns the session of a connection id, or nil.
func (s *Server) session(hubName, id string) *session {
	s.mu.Lock()
	h := s.hubs[hubName]
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.sessions[id]
}

// Cut breaks the network connection of a client, as a bad network does: the
// client is told nothing. With a reliable protocol it can come back and miss
// nothing; any other is gone. It reports whether there was a connection to cut.
func (s *Server) Cut(hub, connectionID string) bool {
	session := s.session(strings.ToLower(hub), connectionID)
	return session != nil && session.cut()
}

// sessions returns all sessions of this moment.
func (s *Server) sessions() (all []*session) {
	s.mu.Lock()
	hubs := slices.Collect(maps.Values(s.hubs))
	s.mu.Unlock()
	for _, h := range hubs {
		h.mu.RLock()
		all = slices.AppendSeq(all, maps.Values(h.sessions))
		h.mu.RUnlock()
	}
	return all
}

// Shutdown ends the service: clients are told to go away with code 1001, new
// ones are refused, and the events that follow from it are delivered; handlers
// may make calls of the data plane until then. It waits for all of that, or for
// the end of the context, whose error it then returns; what is still under way
// is given up.
func (s *Server) Shutdown(ctx context.Context) error {
	s.tasks.close()
	s.sender.Drain()
	for _, session := range s.sessions() {
		session.end(endShutdown)
	}
	err := s.tasks.wait(ctx)
	s.end(errClosing)
	return cmp.Or(err, s.sender.Shutdown(ctx))
}
