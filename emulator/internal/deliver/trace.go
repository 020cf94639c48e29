package deliver

import (
	"net/http"
	"time"
)

// A Transfer is a request to a handler as it travels, and its answer once that
// is there: for those who debug. Nothing that it points to may be changed.
type Transfer struct {
	// Report is what is known of the request, and in the end of its outcome.
	Report

	ID    uint64 // whatever Trace makes it
	Again uint64 // the ID of the Transfer that this one repeats, if any

	Method       string // empty for an event that could not be sent
	Target       string // the whole URL
	Header       http.Header
	Body         []byte
	AnswerHeader http.Header // nil without an answer
	AnswerBody   []byte
	State        *string // that the service took from the answer; nil if none

	// Resend sends the same request once more, as it was before the first
	// attempt, and waits for the end of it; of is the ID of this Transfer. The
	// answer is judged, and has no effect. It is nil for a handshake, and for
	// what could not be sent. It may be called at any time, and holds on to the
	// request only.
	Resend func(of uint64)
}

// A tracing follows one request for [Options.Trace]. A nil one follows nothing.
type tracing struct {
	trace    func(*Transfer) (over func())
	transfer Transfer
	over     func() // nil before the request was sent
}

func (s *Sender) tracing() *tracing {
	if s.opts.Trace == nil {
		return nil
	}
	return &tracing{trace: s.opts.Trace}
}

// begin tells of a request that is about to be sent.
func (t *tracing) begin(x *exchange, r Report, resend func(of uint64)) {
	if t == nil {
		return
	}
	t.transfer.Report, t.transfer.Start = r, time.Now()
	t.transfer.Method, t.transfer.Target = x.method, x.url.String()
	t.transfer.Header, t.transfer.Body = x.header, x.body
	t.transfer.Resend = resend
	t.over = t.trace(&t.transfer)
}

// end tells what became of the request, or that it could not be sent.
func (t *tracing) end(r Report, reply *reply, state *string) {
	if t == nil {
		return
	}
	if t.over == nil {
		t.transfer.Report = r
		t.over = t.trace(&t.transfer)
	}
	r.Start = t.transfer.Start // consent may have been asked for before
	r.Duration = time.Since(r.Start)
	t.transfer.Report, t.transfer.State = r, state
	if reply != nil {
		t.transfer.AnswerHeader, t.transfer.AnswerBody = reply.header, reply.body
	}
	t.over()
}

// resend returns what sends the event again, in one attempt and without another
// question for consent. Whoever looks may keep it for long: it has nothing of
// the delivery but the request, and what is needed to judge an answer.
func (d *delivery) resend() func(of uint64) {
	if d.trace == nil {
		return nil
	}
	ready := delivery{sender: d.sender, kind: d.kind, mqtt: d.mqtt, event: d.event, x: d.x}
	ready.event.Again, ready.x.delays = true, nil
	return func(of uint64) {
		again, start := ready, time.Now()
		again.trace = again.sender.tracing()
		again.trace.transfer.Again = of
		_, err := again.exchange(again.sender.life)
		again.report(start, err)
	}
}
