// Package deliver sends the events of a hub to the handlers of the application,
// as the service does: it asks for consent first, signs, tries again, keeps the
// state and the cookies of each connection, and judges the answers.
//
// The facts come from the CloudEvents reference of Azure Web PubSub
// (reference-cloud-events and its MQTT counterpart on learn.microsoft.com), and
// where that is silent, as it is about all times and limits, from Microsoft's
// emulator, which copies the service.
//
// Every error of this package that an application can mend is a type with a
// text of one line that says what happened and a [Hinter] that says what to do.
// Neither shows a body, a signature, a cookie or the value of a query
// parameter.
package deliver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Defaults of [Options], those of Microsoft's emulator where it has them.
const (
	DefaultOrigin           = "localhost"
	DefaultTimeout          = 100 * time.Second
	DefaultBodyTimeout      = 100 * time.Second
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultHandshakeRefresh = 60 * time.Second
	DefaultMinBackoff       = time.Second
	DefaultMaxBackoff       = 60 * time.Second
)

// DefaultRetryDelays returns how long the service waits before the second, the
// third and the fourth attempt.
func DefaultRetryDelays() []time.Duration {
	return []time.Duration{time.Second, 3 * time.Second, 5 * time.Second}
}

// Options configure a [Sender]. The zero value of every field is its default.
type Options struct {
	// Origin is the host of the service, which handlers are told and have to
	// allow. A port is left out, as the service's hosts have none. Default:
	// [DefaultOrigin].
	Origin string

	// Keys are the access keys that sign events, the primary one first. Without
	// any, events carry no signature, as those of a resource whose access keys
	// are turned off.
	Keys []string

	// RootCAs are the certificate authorities that https handlers may have.
	// Default: those of the system.
	RootCAs *x509.CertPool

	// Transport carries requests to handlers outside of this process. It must
	// follow no redirect. Default: one of the Sender's own, with the proxy of
	// the environment and RootCAs.
	Transport http.RoundTripper

	// Timeout limits the time from the first attempt to deliver an event until
	// the headers of the last answer, with the pauses between the attempts.
	// Default: [DefaultTimeout].
	Timeout time.Duration

	// BodyTimeout limits the time that the body of the answer takes after
	// that. Default: [DefaultBodyTimeout].
	BodyTimeout time.Duration

	// RetryDelays are the pauses before further attempts, after 408, 5xx and
	// network errors. Nil means [DefaultRetryDelays]; an empty list means one
	// attempt.
	RetryDelays []time.Duration

	// HandshakeTimeout is Timeout for each request of the handshake. Default:
	// [DefaultHandshakeTimeout].
	HandshakeTimeout time.Duration

	// HandshakeRefresh is how long consent is good without another question.
	// Default: [DefaultHandshakeRefresh].
	HandshakeRefresh time.Duration

	// MinBackoff is the pause after a failed handshake. It doubles with each
	// further failure up to MaxBackoff. Default: [DefaultMinBackoff] and
	// [DefaultMaxBackoff].
	MinBackoff time.Duration
	MaxBackoff time.Duration

	// Logger gets a line for each event and for each change of consent unless
	// there is an Observe: at level debug when all is well and warn otherwise.
	// It also gets the panics of handlers in this process, with their stack, at
	// level error. Nil means [slog.Default].
	Logger *slog.Logger

	// Observe is called once for each event, after its answer, and once for
	// each change of a handler's consent, instead of a line in the log. It must
	// be safe for concurrent use.
	Observe func(Report)

	// Trace is called with every request to a handler before it is sent, and
	// what it returns when the rest of the Transfer is filled in. Both must be
	// safe for concurrent use, and must not wait.
	Trace func(*Transfer) (over func())
}

// A Sender delivers events. It is safe for concurrent use.
type Sender struct {
	opts      Options
	transport http.RoundTripper
	own       *http.Transport // transport, unless the options bring one

	draining chan struct{}   // closed when nothing is tried again
	drain    sync.Once       // closes draining
	life     context.Context // of the checks for consent
	end      context.CancelCauseFunc

	mu       sync.Mutex // guards what follows
	closed   bool
	consents map[consentKey]*consent
	tasks    sync.WaitGroup // Add only while closed is false
}

// ErrShutdown is why a Sender that was shut down does not ask a handler for
// consent.
var ErrShutdown = errors.New("the service is shutting down")

// New returns a Sender. A nil options is the same as a zero Options. It panics
// when the origin is no host. Shut it down in the end.
func New(options *Options) *Sender {
	var opts Options
	if options != nil {
		opts = *options
	}
	origin := wire.OriginHost(cmp.Or(opts.Origin, DefaultOrigin))
	if origin == "" {
		panic("deliver: the origin is not the name of a host")
	}
	opts.Origin = origin
	opts.Keys = slices.DeleteFunc(slices.Clone(opts.Keys), func(key string) bool { return key == "" })
	opts.Timeout = cmp.Or(opts.Timeout, DefaultTimeout)
	opts.BodyTimeout = cmp.Or(opts.BodyTimeout, DefaultBodyTimeout)
	if opts.RetryDelays == nil {
		opts.RetryDelays = DefaultRetryDelays()
	}
	opts.RetryDelays = slices.Clone(opts.RetryDelays)
	opts.HandshakeTimeout = cmp.Or(opts.HandshakeTimeout, DefaultHandshakeTimeout)
	opts.HandshakeRefresh = cmp.Or(opts.HandshakeRefresh, DefaultHandshakeRefresh)
	opts.MinBackoff = cmp.Or(opts.MinBackoff, DefaultMinBackoff)
	opts.MaxBackoff = max(cmp.Or(opts.MaxBackoff, DefaultMaxBackoff), opts.MinBackoff)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	s := &Sender{opts: opts, transport: opts.Transport, draining: make(chan struct{}), consents: map[consentKey]*consent{}}
	s.life, s.end = context.WithCancelCause(context.Background())
	if s.transport == nil {
		s.own = newTransport(opts.RootCAs)
		s.transport = s.own
	}
	return s
}

// newTransport returns a transport that asks for no compression, as the service
// asks for none: the cap on answers then counts the bytes that travel.
func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // which leaves the loopback out
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    100,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// Drain has every event tried once from now on: the service is about to end,
// and a handler that is gone already is not to hold it up.
func (s *Sender) Drain() { s.drain.Do(func() { close(s.draining) }) }

func (s *Sender) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Shutdown ends the checks for consent that run in the background and waits for
// them, and for handlers in this process that were left behind, or for the end
// of the context, whose error it then returns. Events that are on their way go
// on, and further ones are sent where there is consent already. It may be called
// more than once.
func (s *Sender) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(ErrShutdown)
	ended := make(chan struct{})
	go func() {
		s.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
	return nil
}

// spawn starts a goroutine that Shutdown waits for, unless that was called
// already.
func (s *Sender) spawn(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go fn()
		return
	}
	s.tasks.Go(fn)
}

// Send delivers an event to the first of the handlers that takes it and returns
// the answer, or an error of this package: the event failed then.
//
// Of a blocking event it takes the connection state out of a good answer, and
// of any event the cookies. The end of the context gives the event up; for
// events that are to survive the client, pass a context that does.
func (s *Sender) Send(ctx context.Context, handlers *Handlers, e *Event) (*Answer, error) {
	start := time.Now()
	h := handlers.match(e)
	if h == nil {
		err := &NoHandlerError{Hub: e.conn.Hub, Kind: e.Kind, Name: e.subject(), Takes: handlers.describe()}
		if e.Kind == wire.KindUser { // of the others, most are not taken
			s.tracing().end(s.report(e.report(), start, err), nil, nil)
		}
		return nil, err
	}
	d := &delivery{
		sender: s, kind: e.Kind, mqtt: e.conn.Subprotocol == wire.SubprotocolMQTT, event: e.report(), trace: s.tracing(),
	}
	answer, err := d.run(ctx, h, e)
	if err == nil {
		d.state = e.conn.keep(e.Kind, d.x.url, d.reply.header)
	}
	d.report(start, err)
	return answer, err
}

// A delivery is an event on its way to one handler.
type delivery struct {
	sender *Sender
	kind   wire.Kind
	mqtt   bool     // the client speaks it
	event  Report   // what is known of the event before it is sent
	x      exchange // zero until the event can be sent

	reply *reply
	state *string // that the answer set
	trace *tracing
}

// report tells how it ended.
func (d *delivery) report(start time.Time, err error) {
	d.trace.end(d.sender.report(d.known(), start, err), d.reply, d.state)
}

// known is what there is to report so far.
func (d *delivery) known() Report {
	r := d.event
	r.Attempts = d.x.attempts
	if d.reply != nil {
		r.Status = d.reply.status
	}
	return r
}

// run sends the event for the first time.
func (d *delivery) run(ctx context.Context, h *handler, e *Event) (*Answer, error) {
	s := d.sender
	url, err := h.url(e.conn.Hub, e.eventName())
	if err != nil {
		return nil, err
	}
	d.event.URL = display(url)
	header, err := e.header(s.opts.Origin, s.opts.Keys)
	if err != nil {
		return nil, err
	}
	if err := s.consent(ctx, h, e.conn.Hub); err != nil {
		return nil, err
	}
	e.conn.addCookies(url, header)
	d.x = exchange{
		transport: h.transport(s), method: http.MethodPost, url: url, header: header, body: e.body(),
		limit: s.opts.Timeout, delays: s.opts.RetryDelays, wantBody: true,
	}
	if d.trace != nil {
		// It is a part of the client's message, and is kept longer than that.
		d.x.body = bytes.Clone(d.x.body)
	}
	return d.exchange(ctx)
}

// exchange sends the request and judges the answer.
func (d *delivery) exchange(ctx context.Context) (answer *Answer, err error) {
	d.trace.begin(&d.x, d.known(), d.resend())
	if d.reply, err = d.sender.exchange(ctx, &d.x); err != nil {
		return nil, err
	}
	answer = &Answer{Status: d.reply.status, Header: d.reply.header, Body: d.reply.body}
	if answer.Status/100 != 2 {
		return nil, newStatusError(&d.x, d.kind, d.sender.opts.Origin, answer)
	}
	if err := answer.read(d.kind, d.mqtt); err != nil {
		err.URL = d.event.URL
		return nil, err
	}
	return answer, nil
}

// transport returns what carries requests to the handler.
func (h *handler) transport(s *Sender) http.RoundTripper {
	if h.inProcess != nil {
		return inProcess{h.inProcess, s.spawn}
	}
	return s.transport
}
