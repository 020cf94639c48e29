package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An Exchange is a request of a check and its answer, as a report shows them:
// signatures and long bodies are cut.
type Exchange struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	// Header and AnswerHeader are lines in the form "name: value".
	Header       []string      `json:"headers"`
	Body         string        `json:"body,omitempty"`
	Status       int           `json:"status,omitempty"` // 0 without an answer
	AnswerHeader []string      `json:"answerHeaders,omitempty"`
	Answer       string        `json:"answer,omitempty"`
	Duration     time.Duration `json:"-"`
	DurationMS   float64       `json:"durationMs"`
	Error        string        `json:"error,omitempty"` // why there is no answer
}

// traffic is a kind of request: those of one kind hang together.
type traffic int

const (
	handshakes traffic = iota
	connects
	userEvents
	notifications
	hostilities
)

func (t traffic) String() string {
	return []string{"handshakes", "connect events", "user events", "notifications", "hostile requests"}[t]
}

// maxHangs is how many requests of a kind may overstay before no more of it
// are sent.
const maxHangs = 2

// An answer is what came back for a request.
type answer struct {
	status int // 0 for none
	header http.Header
	body   []byte
	took   time.Duration

	hung    bool  // there was no end of it in time
	err     error // why there is no answer
	skipped bool  // the request was not sent
}

// accepted reports whether the handler took the request.
func (a *answer) accepted() bool { return a.status/100 == 2 }

// refused reports whether the handler said no to the request as such.
func (a *answer) refused() bool { return a.status/100 == 4 }

// broken reports whether there was no answer, one of an inner fault, or one
// that leads elsewhere.
func (a *answer) broken() bool { return !a.accepted() && !a.refused() }

// notSent is what came back when nothing was sent.
const notSent = "nothing was sent"

// String says what came back.
func (a *answer) String() string {
	switch {
	case a.skipped:
		return notSent
	case a.hung:
		return fmt.Sprintf("no answer within %v", a.took.Round(100*time.Millisecond))
	case a.err != nil:
		return "no answer: " + reasonOf(a.err)
	}
	text := fmt.Sprint(a.status)
	if name := http.StatusText(a.status); name != "" {
		text += " " + name
	}
	if location := wire.First(a.header, "Location"); location != "" {
		text += fmt.Sprintf(" to %.200q", location)
	}
	return text
}

// contentType returns the media type of the answer, empty if it names none.
func (a *answer) contentType() string { return wire.First(a.header, wire.HeaderContentType) }

// reasonOf returns why there was no answer, without the URL.
func reasonOf(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed instead"
	case errors.As(err, &op) && op.Op == "dial":
		return op.Err.Error()
	case errors.As(err, &op):
		return "the connection broke: " + op.Err.Error()
	}
	return withoutURL(err).Error()
}

// exchange sends a request and keeps it for the report. It is sent again where
// the service would do so, or where somebody asks for patience.
func (s *session) exchange(t traffic, req *http.Request) *answer {
	again := req.GetBody
	for try := 1; ; try++ {
		if why := s.silenced(t); why != "" {
			s.skipped = why
			return &answer{skipped: true}
		}
		a, shown, body := s.attempt(t, req)
		pause := s.patience(a, try)
		next, ok := repeated(req, again)
		if pause == 0 || !ok {
			s.keep(shown, body, a)
			return a
		}
		s.sleep(pause)
		req = next
	}
}

// attempt sends a request once.
func (s *session) attempt(t traffic, req *http.Request) (a *answer, shown Exchange, body []byte) {
	s.pace()
	s.requests++
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
	defer cancel()
	shown, sent := s.shownRequest(req)
	start := time.Now()
	a = s.roundTrip(req.WithContext(ctx))
	a.took = time.Since(start)
	if a.err != nil && ctx.Err() == context.DeadlineExceeded && !s.interrupted() {
		a.hung = true
		s.hung(t)
	}
	return a, shown, sent()
}

// patience returns how long to wait before a request is sent again, 0 when it is
// not: the service repeats what met a broken connection, and who answers 429
// asks for less haste.
func (s *session) patience(a *answer, try int) time.Duration {
	const (
		afterBreak = 100 * time.Millisecond
		afterLimit = 500 * time.Millisecond
		longest    = 2 * time.Second
		tries      = 3
	)
	switch {
	case a.status == http.StatusTooManyRequests && try < tries:
		s.haste = min(s.haste+20*time.Millisecond, 100*time.Millisecond)
		seconds, _ := strconv.Atoi(wire.First(a.header, "Retry-After"))
		return min(max(time.Duration(seconds)*time.Second, afterLimit), longest)
	case a.err != nil && a.status == 0 && !a.hung && !unreachable(a.err) && !s.interrupted() && try == 1:
		s.client.CloseIdleConnections()
		return afterBreak
	}
	return 0
}

// repeated returns a request once more, if its body can be had again.
func repeated(req *http.Request, body func() (io.ReadCloser, error)) (next *http.Request, ok bool) {
	next = req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return next, true
	}
	if body == nil {
		return nil, false
	}
	again, err := body()
	next.Body, next.GetBody = again, body
	return next, err == nil
}

func (s *session) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}

// spelled returns the headers of a request in the spelling of the service, and
// those of the options.
func (s *session) spelled(h http.Header) http.Header {
	spelled := http.Header{}
	for name, values := range h {
		spelled[wire.OnWire(name)] = values
	}
	for name, values := range s.opts.Header {
		spelled[http.CanonicalHeaderKey(name)] = values
	}
	return spelled
}

// over returns why no request is sent any more.
func (s *session) over() string {
	switch {
	case s.dead != "":
		return "the handler does not answer any more since " + s.dead
	case s.interrupted():
		return ended
	case time.Since(s.start) > s.opts.MaxDuration:
		return fmt.Sprintf("%s%v", outOfTime, s.opts.MaxDuration)
	}
	return ""
}

func (s *session) interrupted() bool { return s.ctx.Err() != nil }

// silenced returns why no request of a kind is sent any more.
func (s *session) silenced(t traffic) string {
	switch why := s.over(); {
	case why != "":
		return why
	case s.hangsOf(t) >= maxHangs:
		return fmt.Sprintf("no more %v are sent: %d had no answer within %v", t, maxHangs, s.opts.Timeout)
	}
	return ""
}

// hung counts a request without an answer. Hostile ones are counted by the area
// of their rule: what hangs on nonsense may well answer a forged event.
func (s *session) hung(t traffic) {
	if t == hostilities {
		s.hostileHangs[s.area]++
		return
	}
	s.hangs[t]++
}

func (s *session) hangsOf(t traffic) int {
	if t == hostilities {
		return s.hostileHangs[s.area]
	}
	return s.hangs[t]
}

// maxAnswer is how much of an answer is read. More is more than the service
// takes.
const maxAnswer = wire.MaxAnswerBytes + 1

// maxRead is how much of all answers is read, before less is read of each.
const maxRead = 256 << 20

func (s *session) roundTrip(req *http.Request) *answer {
	resp, err := s.client.Do(req)
	if err != nil {
		return &answer{err: withoutURL(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return &answer{status: resp.StatusCode, header: resp.Header} // what follows is no body, and has no end
	}
	limit := int64(maxAnswer)
	if s.read.Load() > maxRead {
		limit = 1 << 20
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	s.read.Add(int64(len(body)))
	return &answer{status: resp.StatusCode, header: resp.Header, body: body, err: err}
}

// keep adds an exchange to those of the rule under way.
func (s *session) keep(x Exchange, body []byte, a *answer) {
	x.Body = shorten(body)
	x.Status, x.Answer, x.Duration = a.status, s.scrub(shorten(a.body)), a.took
	x.DurationMS = float64(a.took.Microseconds()) / 1000
	x.AnswerHeader = lines(a.header, nil)
	for i, line := range x.AnswerHeader {
		x.AnswerHeader[i] = s.scrub(line)
	}
	if a.err != nil {
		x.Error = s.scrub(a.String())
	}
	s.current = append(s.current, x)
	s.texts = append(s.texts, answerText{x, a.header, bytes.Clone(a.body[:min(len(a.body), maxKept)])})
}

// maxShown is how much of a body is shown, and maxKept how much is searched.
const (
	maxShown = 512
	maxKept  = 16 << 10
)

func shorten(body []byte) string {
	if len(body) <= maxShown {
		return strings.ToValidUTF8(string(body), "�")
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(string(body[:maxShown]), "�"), len(body))
}

// lines returns headers as lines in order of their names. The values of secret
// ones are left out.
func lines(h, secret http.Header) []string {
	var all []string
	for name, values := range h {
		for _, value := range values {
			switch {
			case http.CanonicalHeaderKey(name) == wire.HeaderSignature:
				value = shortSignatures(value)
			case secret[http.CanonicalHeaderKey(name)] != nil:
				value = "(set)"
			}
			all = append(all, fmt.Sprintf("%.100s: %.200s", shownName(name), value))
		}
	}
	slices.Sort(all)
	return all[:min(len(all), maxLines)]
}

// maxLines is how many lines of headers are shown.
const maxLines = 64

// shownName returns a header's name as the documents spell it, unless it was
// sent in another spelling on purpose.
func shownName(name string) string {
	if http.CanonicalHeaderKey(name) == name {
		return wire.OnWire(name)
	}
	return name
}

// shortSignatures keeps a report from giving away what a request is proved
// with: anybody could repeat it.
func shortSignatures(value string) string {
	tokens := strings.Split(value, ",")
	for i, token := range tokens {
		if name, hex, ok := strings.Cut(token, "="); ok && len(hex) > 12 {
			tokens[i] = name + "=" + hex[:12] + "…"
		}
	}
	return strings.Join(tokens, ",")
}
