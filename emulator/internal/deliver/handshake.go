package deliver

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A consent is whether a handler lets the service send events to a URL: the
// service asks before it sends any, and about once a minute after that. This is
// the "abuse protection" of CloudEvents webhooks.
type consent struct {
	mu       sync.Mutex      // guards what follows
	running  chan struct{}   // closed at the end of the check that runs, nil if none does
	known    bool            // a check has ended
	result   *HandshakeError // of the last one, nil for consent
	failures int             // in a row
	next     time.Time       // no check before
}

// A consentKey is what a consent is for. Handlers in this process may share a
// URL, and are different all the same.
type consentKey struct {
	url       string
	inProcess *local
}

// maxConsents bounds the consents that are remembered. There are as many as
// there are hubs and handlers in the settings, old settings included.
const maxConsents = 4096

// consent returns nil if the handler lets the service send events.
//
// The first event waits for the answer. Consent is renewed in the background,
// and meanwhile the old one counts. A failure stands until it may be tried
// again, and the event that comes then waits for the answer: who has mended a
// handler and tries it is not told of the fault that was.
func (s *Sender) consent(ctx context.Context, h *handler, hub string) error {
	u, err := h.url(hub, wire.EventValidate)
	if err != nil {
		return err
	}
	c := s.consentOf(consentKey{u.String(), h.inProcess})
	c.mu.Lock()
	running := s.startCheck(c, h, u)
	known, result := c.known, c.result
	c.mu.Unlock()
	if running != nil && (!known || result != nil) {
		select {
		case <-running:
		case <-ctx.Done():
			return &CanceledError{Err: context.Cause(ctx)}
		}
		c.mu.Lock()
		known, result = c.known, c.result
		c.mu.Unlock()
	}
	switch {
	case !known:
		return &CanceledError{Err: ErrShutdown}
	case result != nil:
		return result
	}
	return nil
}

func (s *Sender) consentOf(key consentKey) *consent {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.consents[key]
	if c == nil {
		if len(s.consents) >= maxConsents {
			clear(s.consents) // whoever is still in use is asked again
		}
		c = &consent{}
		s.consents[key] = c
	}
	return c
}

// startCheck starts a check if one is due, and returns the channel of the one
// that runs, nil if none does. The consent is locked.
func (s *Sender) startCheck(c *consent, h *handler, u *url.URL) <-chan struct{} {
	if c.running != nil || time.Now().Before(c.next) {
		return c.running
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	c.running = make(chan struct{})
	s.tasks.Go(func() { s.check(c, h, u) })
	return c.running
}

// check asks the handler and notes what it said. A change is reported before
// the events that wait for it go on.
func (s *Sender) check(c *consent, h *handler, u *url.URL) {
	start := time.Now()
	result, r := s.handshake(h, u)
	if s.life.Err() == nil && s.note(c, result) { // else the answer, if any, is that of the shutdown
		s.report(r, start, result.orNil())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.running)
	c.running = nil
}

// note keeps a result and reports whether it is another one than before.
func (s *Sender) note(c *consent, result *HandshakeError) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = !c.known || !result.sameAs(c.result)
	c.next = time.Now().Add(s.pause(c, result))
	c.known, c.result = true, result
	return changed
}

// pause counts failures and returns the time until the next check.
func (s *Sender) pause(c *consent, result *HandshakeError) time.Duration {
	if result == nil {
		c.failures = 0
		return s.opts.HandshakeRefresh
	}
	pause := s.opts.MinBackoff
	for range c.failures {
		if pause *= 2; pause >= s.opts.MaxBackoff {
			pause = s.opts.MaxBackoff
			break
		}
	}
	c.failures++
	result.Pause = pause
	return pause
}

// handshake asks the handler, with OPTIONS and after a 404 with GET. The error
// is nil for consent.
func (s *Sender) handshake(h *handler, u *url.URL) (*HandshakeError, Report) {
	x := &exchange{
		transport: h.transport(s), method: http.MethodOptions, url: u, limit: s.opts.HandshakeTimeout, delays: s.opts.RetryDelays,
		header: http.Header{
			wire.HeaderRequestOrigin: {s.opts.Origin},
			wire.HeaderAWPSVersion:   {wire.AWPSVersion},
			"User-Agent":             {""},
		},
	}
	result, r := s.ask(x)
	if r.Status == http.StatusNotFound {
		again := *x
		again.method, again.attempts = http.MethodGet, 0
		return s.ask(&again)
	}
	return result, r
}

// ask sends the question in one way.
func (s *Sender) ask(x *exchange) (*HandshakeError, Report) {
	r := Report{Handshake: true, URL: display(x.url)}
	result := &HandshakeError{URL: r.URL, Method: x.method, Origin: s.opts.Origin, path: x.url.EscapedPath()}
	trace, start := s.tracing(), time.Now()
	trace.begin(x, r, nil)
	reply, err := s.exchange(s.life, x)
	r.Attempts = x.attempts
	if err != nil {
		result.Rule, result.Err = RuleAnswer, err
	} else {
		r.Status = reply.status
		result.Status = reply.status
		result.AllowedOrigins = reply.header[wire.HeaderAllowedOrigin]
		result.Location = displayLocation(reply.status, reply.header)
		result.Rule = judge(reply.status, result.AllowedOrigins, s.opts.Origin)
		if result.Rule == ruleKept {
			result = nil
		}
	}
	traced := r
	traced.Start, traced.Duration, traced.Err = start, time.Since(start), result.orNil()
	trace.end(traced, reply, nil)
	return result, r
}

// orNil returns the error as one that can be compared with nil.
func (e *HandshakeError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// judge decides whether an answer is consent. The origin is a bare host in
// lower case. Each line counts as a whole: as the service does, it takes no
// list.
func judge(status int, lines []string, origin string) HandshakeRule {
	allows := func(value string) bool { return value == "*" || wire.OriginHost(value) == origin }
	switch {
	case status/100 != 2:
		return RuleStatus
	case len(lines) == 0:
		return RuleHeader
	case slices.ContainsFunc(lines, func(line string) bool { return allows(trimSpace(line)) }):
		return ruleKept
	case slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, ",") && slices.ContainsFunc(strings.Split(line, ","), func(v string) bool { return allows(trimSpace(v)) })
	}):
		return RuleOneOrigin
	}
	return RuleOrigin
}
