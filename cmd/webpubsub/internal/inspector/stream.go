package inspector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

const (
	// maxBatch is how many entries a page gets at once, and batchInterval how
	// long it has to draw them.
	maxBatch      = 200
	batchInterval = 100 * time.Millisecond

	// gatherTime is how long the first change waits for others: an event is
	// often answered within it, and its line does not have to be drawn twice.
	gatherTime = 20 * time.Millisecond

	keepAliveInterval = 15 * time.Second

	// reconnectDelay is how long a page waits before it comes back.
	reconnectDelay = time.Second

	// writeTime is how long a page may take nothing at all of what is sent to it.
	writeTime = 5 * time.Second
)

// stream follows the list for one page, as server-sent events. A page that is
// slow misses entries, and holds up nobody.
func (i *Inspector) stream(w http.ResponseWriter, r *http.Request) {
	v, rows := i.store.watch()
	if v == nil {
		i.log.LogAttrs(r.Context(), slog.LevelWarn, "too many pages look at the inspector", slog.Int("limit", maxViewers))
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "too many pages look at the inspector: close one")
		return
	}
	defer i.store.unwatch(v)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(i.life, cancel)()

	s := newEventStream(w)
	if i.replay(s, rows) == nil {
		i.follow(ctx, s, v)
	}
}

// replay writes what is there. What a page shows of an earlier stream is to be
// forgotten.
func (i *Inspector) replay(s *eventStream, rows []row) error {
	s.retry(reconnectDelay)
	s.event("hello", struct {
		Capacity int `json:"capacity"`
	}{i.store.capacity})
	for batch := range slices.Chunk(i.names.summaries(rows), maxBatch) {
		s.event("entries", batch)
		if err := s.flush(); err != nil {
			return err
		}
	}
	return s.flush()
}

// follow writes what happens until the context or the connection ends.
func (i *Inspector) follow(ctx context.Context, s *eventStream, v *viewer) {
	for {
		u := i.store.next(v, maxBatch)
		if u.next != nil {
			select {
			case <-u.next:
				pause(ctx, gatherTime)
				continue
			case <-ctx.Done():
				return
			case <-time.After(keepAliveInterval):
				s.comment()
			}
		}
		i.tell(s, u)
		if s.flush() != nil || !pause(ctx, batchInterval) {
			return
		}
	}
}

func (i *Inspector) tell(s *eventStream, u update) {
	if u.cleared {
		s.event("cleared", struct{}{})
	}
	if u.skipped > 0 {
		s.event("skipped", struct {
			Entries int `json:"entries"`
		}{u.skipped})
	}
	if len(u.rows) > 0 {
		s.event("entries", i.names.summaries(u.rows))
	}
}

// pause reports false when the context ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// An eventStream writes server-sent events.
type eventStream struct {
	to      http.ResponseWriter
	control *http.ResponseController
	buffer  bytes.Buffer
}

func newEventStream(w http.ResponseWriter) *eventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for nginx
	h.Set("X-Content-Type-Options", "nosniff")
	return &eventStream{to: w, control: http.NewResponseController(w)}
}

func (s *eventStream) retry(d time.Duration) {
	fmt.Fprintf(&s.buffer, "retry: %d\n\n", d.Milliseconds())
}

// comment writes what the page does not see, and the connection stays alive by.
func (s *eventStream) comment() { s.buffer.WriteString(": \n\n") }

func (s *eventStream) event(name string, data any) {
	text, _ := wire.Marshal(data) // the types of this package can be marshalled, to one line
	fmt.Fprintf(&s.buffer, "event: %s\ndata: %s\n\n", name, text)
}

// flush sends what was written. Only while it does that, there is a deadline,
// and none of the server's: in HTTP/2, one that passes ends even a stream that
// has nothing to say.
func (s *eventStream) flush() error {
	if err := s.deadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := s.buffer.WriteTo(s.to); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil {
		return err
	}
	return s.deadline(time.Time{})
}

func (s *eventStream) deadline(t time.Time) error {
	if err := s.control.SetWriteDeadline(t); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
