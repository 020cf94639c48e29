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

	// Resend sends the same request once more, and waits for the end of it. The
	// answer is judged, and has no effect. It is nil for a handshake, and for
	// what could not be sent.
	Resend func()
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
func (t *tracing) begin(x *exchange, r Report, resend func()) {
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

// again delivers the event once more, with the request of the first time.
func (d *delivery) again() {
	repeated := &delivery{sender: d.sender, handler: d.handler, event: d.event, display: d.display, trace: d.sender.tracing()}
	repeated.trace.transfer.Again = d.trace.transfer.ID
	x := *d.x
	x.attempts, x.delays = 0, nil
	repeated.x = &x
	start := time.Now()
	_, err := repeated.exchange(d.sender.life)
	repeated.report(start, err)
}
