package upstream

import (
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Defaults of [DuplicateGuardOptions].
const (
	DefaultDuplicateWindow     = 2 * time.Minute
	DefaultDuplicateMaxAnswers = 10_000
	DefaultDuplicateMaxBytes   = 16 << 20
)

// DuplicateGuardOptions configure a [DuplicateGuard].
type DuplicateGuardOptions struct {
	// Window is how long an answer is kept. 0 means [DefaultDuplicateWindow]:
	// the service tries for 100 s at most.
	Window time.Duration
	// MaxAnswers is how many answers are kept; the oldest goes first. 0 means
	// [DefaultDuplicateMaxAnswers].
	MaxAnswers int
	// MaxBytes is how many bytes the kept answers may take together. 0 means
	// [DefaultDuplicateMaxBytes]. An answer that alone takes more than an
	// eighth of it is not kept.
	MaxBytes int
}

// A DuplicateGuard recognises events that the service sends again, runs the
// handler of each once and gives the first answer to all. The service sends
// an event again, with the same ids and the same body, when the answer was
// 408 or 5xx or did not arrive. Set it as [Options.Duplicates].
//
// What counts as the same event: type, hub, connection, user, event id,
// request id, physical connection, session and body are all equal. An MQTT client
// chooses its connection id, and its event ids begin again with each
// connection, so without a request id or a physical connection id nothing of
// MQTT is taken for a duplicate, and no connect of any client: nobody gets
// what another was granted. An answer of 408 or 5xx is not kept, and a
// duplicate that arrives while the first is running waits for it.
//
// It works for requests that come through ServeHTTP, Wrap and HandleHTTP, and
// for Handle with what Parse of the same handler returned.
//
// It lives in the memory of one process: several replicas behind a load
// balancer need a store of their own, keyed by ConnectionID and EventID. None
// of these ids is covered by the signature; the guard is for the service's
// retries, not a defence against replays.
type DuplicateGuard struct {
	opts DuplicateGuardOptions

	mu      sync.Mutex
	running map[eventKey]chan struct{} // guarded by mu; closed when the run ends
	answers map[eventKey]*list.Element // guarded by mu; of *keptAnswer
	oldest  *list.List                 // guarded by mu; in the order of their arrival
	bytes   int                        // guarded by mu
}

type eventKey [sha256.Size]byte

type keptAnswer struct {
	key     eventKey
	answer  *answer
	bytes   int
	expires time.Time
}

// NewDuplicateGuard returns a DuplicateGuard. A nil options is the same as a
// zero DuplicateGuardOptions. Several EventHandlers may share one.
func NewDuplicateGuard(options *DuplicateGuardOptions) *DuplicateGuard {
	var opts DuplicateGuardOptions
	if options != nil {
		opts = *options
	}
	opts.Window = cmp.Or(opts.Window, DefaultDuplicateWindow)
	opts.MaxAnswers = cmp.Or(opts.MaxAnswers, DefaultDuplicateMaxAnswers)
	opts.MaxBytes = cmp.Or(opts.MaxBytes, DefaultDuplicateMaxBytes)
	if opts.Window < 0 || opts.MaxAnswers < 0 || opts.MaxBytes < 0 {
		panic("upstream: DuplicateGuardOptions has a negative value")
	}
	return &DuplicateGuard{
		opts:    opts,
		running: map[eventKey]chan struct{}{},
		answers: map[eventKey]*list.Element{},
		oldest:  list.New(),
	}
}

// once gives the kept answer, or waits for the run under way, or runs the
// handler.
func (g *DuplicateGuard) once(ctx context.Context, h *EventHandler, req Request) outcome {
	key, ok := keyOf(req)
	if !ok {
		return h.run(ctx, req)
	}
	for {
		kept, wait := g.begin(key)
		switch {
		case kept != nil:
			return outcome{answer: kept, duplicate: true}
		case wait == nil:
			return g.runAndKeep(ctx, h, req, key)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return h.handlerFailed(ctx, req, ctx.Err())
		}
	}
}

// begin returns the kept answer, or the channel of the run under way, or
// neither: then the caller has the run.
func (g *DuplicateGuard) begin(key eventKey) (kept *answer, wait <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expire()
	if e, ok := g.answers[key]; ok {
		return e.Value.(*keptAnswer).answer.clone(), nil
	}
	if done, ok := g.running[key]; ok {
		return nil, done
	}
	g.running[key] = make(chan struct{})
	return nil, nil
}

// runAndKeep ends the run also when the handler panics through or ends its
// goroutine.
func (g *DuplicateGuard) runAndKeep(ctx context.Context, h *EventHandler, req Request, key eventKey) (out outcome) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(g.running[key])
		delete(g.running, key)
		if a := out.answer; a != nil && keepable(a.status) {
			g.keep(key, a.clone())
		}
	}()
	return h.run(ctx, req)
}

// keepable reports whether an answer is final: after the others the service
// comes again to get a better one.
func keepable(status int) bool { return status < 500 && status != http.StatusRequestTimeout }

// keep stores an answer and makes room for it. g.mu is held.
func (g *DuplicateGuard) keep(key eventKey, a *answer) {
	size := a.size() + len(key)
	if size > g.opts.MaxBytes/8 {
		return
	}
	g.bytes += size
	g.answers[key] = g.oldest.PushBack(&keptAnswer{key, a, size, time.Now().Add(g.opts.Window)})
	for g.bytes > g.opts.MaxBytes || g.oldest.Len() > g.opts.MaxAnswers {
		g.dropOldest()
	}
}

// expire drops the answers whose time is over. g.mu is held.
func (g *DuplicateGuard) expire() {
	now := time.Now()
	for e := g.oldest.Front(); e != nil && !e.Value.(*keptAnswer).expires.After(now); e = g.oldest.Front() {
		g.dropOldest()
	}
}

func (g *DuplicateGuard) dropOldest() {
	kept := g.oldest.Remove(g.oldest.Front()).(*keptAnswer)
	delete(g.answers, kept.key)
	g.bytes -= kept.bytes
}

// keyOf returns what two deliveries of one event have in common and no other
// event has; ok is false when that cannot be told.
func keyOf(req Request) (key eventKey, ok bool) {
	c := req.Connection()
	reusesIDs := req.IsMQTT() || req.kind() == wire.KindConnect
	if c.EventID == "" || reusesIDs && c.PhysicalConnectionID == "" && c.RequestID == "" {
		return key, false
	}
	digest := sha256.New()
	for _, s := range []string{
		strings.ToLower(c.EventType), strings.ToLower(c.Hub), c.ConnectionID, c.UserID,
		c.EventID, c.RequestID, c.PhysicalConnectionID, c.SessionID,
	} {
		digest.Write(binary.AppendUvarint(nil, uint64(len(s))))
		digest.Write([]byte(s))
	}
	digest.Write(c.digest)
	return eventKey(digest.Sum(nil)), true
}

// clone keeps what one caller does with the body away from the next, and lets
// the original go.
func (a *answer) clone() *answer {
	return &answer{status: a.status, header: slices.Clone(a.header), body: slices.Clone(a.body)}
}

// size is about what a kept answer costs in memory.
func (a *answer) size() int {
	const overhead = 512
	n := overhead + len(a.body)
	for _, f := range a.header {
		n += len(f.name) + len(f.value)
	}
	return n
}
