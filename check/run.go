package check

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Run judges the event handler behind a URL by all rules that the options
// choose. The URL may hold {hub} and {event}, as in the settings of a hub. A nil
// options is the same as a zero Options.
//
// An error without a report means that nothing was judged: it is an
// [*OptionError] for options that cannot be meant, an [*UnreachableError] when
// nobody is there, or that of the context. When the context ends later, its error
// comes with a report of what was judged until then.
func Run(ctx context.Context, url string, options *Options) (*Report, error) {
	var opts Options
	if options != nil {
		opts = *options
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	t, err := parseTarget(url)
	if err != nil {
		return nil, err
	}
	s := &session{ctx: ctx, opts: opts, target: t, client: newClient(&opts), hangs: map[traffic]int{}, hostileHangs: map[string]int{}, secrets: newScrubber(&opts, url)}
	defer s.client.CloseIdleConnections()
	return s.run()
}

// newClient returns a client that follows no redirect, as the service follows
// none, and asks for no compression.
func newClient(opts *Options) *http.Client {
	client := &http.Client{}
	if opts.HTTPClient != nil {
		*client = *opts.HTTPClient
	}
	if client.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableCompression = true
		transport.MaxResponseHeaderBytes = 256 << 10
		client.Transport = transport
	}
	client.Timeout = 0
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

func (s *session) run() (*Report, error) {
	s.start = time.Now()
	r := &Report{Target: wire.DisplayURL(s.target.template), Hub: s.opts.Hub, Origin: s.opts.Origin, Start: s.start}
	s.find()
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if unreachable(s.found.consent.err) {
		return nil, &UnreachableError{r.Target, s.found.consent.err}
	}
	r.Found = s.observations()
	for _, rule := range allRules {
		if !s.opts.wants(&rule) {
			continue
		}
		result := s.judge(rule)
		r.Results = append(r.Results, result)
		if s.opts.Observe != nil {
			s.opts.Observe(result)
		}
	}
	s.leave()
	r.Duration, r.Requests = time.Since(r.Start), s.requests
	return r, s.ctx.Err()
}

// unreachable reports whether there is nobody who could answer.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (s *session) observations() []Observation {
	f := &s.found
	consent := f.consent.String()
	switch {
	case f.open:
		consent += ", consents to every origin"
	case f.granted:
		consent += ", consents"
	case f.consent.accepted():
		consent += ", but no consent"
	}
	all := []Observation{{"handshake", f.consent.status, s.scrub(consent)}}
	if f.connect != nil {
		all = append(all, Observation{"connect", f.connect.status, s.scrub(f.connect.String())})
	}
	for _, e := range f.events {
		outcome := e.answer.String()
		if t := e.answer.contentType(); t != "" && len(e.answer.body) > 0 {
			outcome += ", " + t
		}
		all = append(all, Observation{e.name, e.answer.status, s.scrub(outcome)})
	}
	return all
}

// judge judges a rule, and sees whether the handler has survived it.
func (s *session) judge(rule Rule) Result {
	s.current, s.skipped, s.area = nil, "", rule.Area()
	f := s.applies(rule)
	undecided := f.verdict == NotJudged && s.over() != ""
	if f.verdict == 0 {
		f = rule.judge(s)
		if why := s.undecided(f); why != "" {
			f, undecided = open(why), true
		}
		if s.interrupted() && !rule.looksBack {
			f, undecided = open(ended), true
		} else if why := s.survived(rule); why != "" {
			rule.Severity = Must // whatever the rule is about, this ends all clients
			if f.verdict == Fails {
				why = f.text + "; " + why
			}
			f = fails(why).mend(fixDeath(rule))
		}
	}
	result := Result{Rule: rule, Verdict: f.verdict, Finding: s.scrub(f.text), Undecided: undecided, Exchanges: s.current}
	if f.verdict == Fails {
		if result.Fix = f.fix; f.fix == "" {
			result.Fix = rule.Fix
		}
	}
	return result
}

// fixDeath is how to mend a handler that did not survive a rule that is not
// about that.
func fixDeath(rule Rule) string {
	if rule.Hostile {
		return ""
	}
	return "Catch every exception where requests are handled, in asynchronous code too, and answer 500: its own log says what ended the process."
}

// applies returns why a rule is not judged, and otherwise nothing.
func (s *session) applies(rule Rule) finding {
	if why := s.over(); why != "" && !rule.looksBack {
		return open(why)
	}
	for _, need := range rule.needs {
		if why := need(&s.found); why != "" {
			return open(why)
		}
	}
	return finding{}
}

// Why rules are not judged that had not had their turn.
const (
	outOfTime = "the check has taken its time, which is limited to " // how much
	ended     = "the check was ended early"
)

// comeBack is how long a handler may take to be there again: somebody may start
// it again when it ends.
var comeBack = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}

// survived sees whether the handler still answers after a rule that it could
// have died from. It returns what is wrong, empty for nothing.
func (s *session) survived(rule Rule) string {
	if !rule.Hostile && !s.anyBroke() {
		return ""
	}
	if s.alive() {
		return ""
	}
	for _, pause := range comeBack {
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return ""
		}
		if s.alive() {
			return "the handler went away after this, and came back: its process has ended, and something started it again"
		}
	}
	s.dead = rule.ID
	return "the handler does not answer any more after this: its process has ended, or hangs as a whole"
}

// undecided returns why nothing can be said although a rule was judged: it could
// not send all that it wanted, or the handler had enough. A fault that an answer
// proves stays one.
func (s *session) undecided(f finding) string {
	limited := slices.ContainsFunc(s.current, func(x Exchange) bool { return x.Status == http.StatusTooManyRequests })
	if f.verdict == Fails && !strings.Contains(f.text, notSent) && !strings.Contains(f.text, "429") || f.verdict == NotJudged && s.skipped == "" {
		return ""
	}
	switch {
	case s.skipped != "":
		return s.skipped
	case limited && s.area != "delivery": // which sends much at once, and takes that for an answer
		return "the handler limits requests: it answered 429 Too Many Requests, also when asked slowly"
	}
	return ""
}

func (s *session) anyBroke() bool {
	for _, x := range s.current {
		if x.Status == 0 {
			return true
		}
	}
	return false
}

// alive reports whether anything answers. It is no part of what the report
// shows of a rule.
func (s *session) alive() bool {
	shown := s.current
	defer func() { s.current = shown }()
	if s.hangs[handshakes] >= maxHangs {
		a := s.attack(s.event(s.newTalk(), "azure.webpubsub.sys.connected"))
		return a.skipped || a.status != 0
	}
	a := s.ask(s.found.method, s.opts.Origin)
	return a.skipped || a.status != 0
}
