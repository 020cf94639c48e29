package inspector

import (
	"cmp"
	"container/list"
	"slices"
	"sync"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// maxViewers is how many pages may look at the same time.
const maxViewers = 32

// A store keeps the latest exchanges and knows which belong together. How long it
// takes to observe one does not depend on how many there are.
//
// Every change has a number. A viewer remembers the last one that it was shown,
// and comes for the rest when it is ready: nothing is queued for it.
type store struct {
	capacity, maxBytes int // static

	mu      sync.Mutex // guards the fields below
	entries map[uint64]*entry
	age     list.List // of *entry, the oldest first
	changes list.List // of *entry, the one whose last change is longest ago first
	bytes   int
	highest uint64 // the highest ID that was seen
	gone    uint64 // up to this ID, what is not in entries does not come back

	byRequest map[string]*namesakes // the events that are kept, by request id
	underWay  map[string]ongoing    // by hub

	change  uint64        // the number of the latest change
	clears  int           // how often the store was emptied
	changed chan struct{} // closed at the next change; nil if nobody waits
	viewers map[*viewer]struct{}
}

// A row is an exchange as it was at some moment, and what belongs to it. Nothing
// that it points to changes.
type row struct {
	x      *exchange
	parent uint64   // of a call: the event that it belongs to, or 0
	sure   bool     // of a call: whether its request id says so
	calls  []uint64 // of an event
}

type entry struct {
	row
	change           uint64
	underWay         bool
	inAge, inChanges *list.Element
}

// Ongoing are the events of a hub that wait for their answers. The sum of their
// IDs is all that is needed to know which one it is when there is only one.
type ongoing struct {
	count int
	sum   uint64
}

func (o ongoing) with(id uint64) ongoing    { return ongoing{o.count + 1, o.sum + id} }
func (o ongoing) without(id uint64) ongoing { return ongoing{o.count - 1, o.sum - id} }

// Namesakes are events with the same request id: one, and those that it was sent
// again as.
type namesakes struct {
	kept     int
	underWay ongoing
	latest   *entry // the last to be evicted
}

// A viewer is guarded by the mutex of its store.
type viewer struct {
	change  uint64 // the latest that it was shown
	clears  int
	skipped int // entries that were gone before it came for them
}

// An update is what a viewer has not seen yet.
type update struct {
	cleared bool
	skipped int
	rows    []row // by ID

	// next is closed when there is something, if there is nothing.
	next <-chan struct{}
}

func newStore(capacity, maxBytes int) *store {
	s := &store{capacity: capacity, maxBytes: maxBytes, viewers: make(map[*viewer]struct{})}
	s.reset()
	return s
}

func (s *store) reset() {
	s.entries = make(map[uint64]*entry)
	s.byRequest = make(map[string]*namesakes)
	s.underWay = make(map[string]ongoing)
	s.age.Init()
	s.changes.Init()
	s.bytes = 0
}

// observe takes in what is new or has ended.
func (s *store) observe(x *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.highest = max(s.highest, x.ID)
	e := s.entries[x.ID]
	switch {
	case e == nil && x.ID <= s.gone, e != nil && e.x.Done:
		return
	case e == nil:
		e = s.add(x)
	default:
		s.bytes += x.size - e.x.size
		e.x = x
	}
	if x.Done {
		s.over(e)
	}
	s.touch(e)
	for s.age.Len() > s.capacity || s.bytes > s.maxBytes && s.age.Len() > 1 {
		s.evict(s.age.Front().Value.(*entry))
	}
}

func (s *store) add(x *exchange) *entry {
	e := &entry{row: row{x: x}}
	s.entries[x.ID] = e
	s.bytes += x.size
	e.inAge, e.inChanges = s.age.PushBack(e), s.changes.PushBack(e)
	switch x.Kind {
	case emulator.EventExchange:
		n := s.byRequest[x.RequestID]
		if n == nil {
			n = &namesakes{}
			s.byRequest[x.RequestID] = n
		}
		n.kept, n.latest = n.kept+1, e
		n.underWay = n.underWay.with(x.ID)
		s.underWay[x.Hub] = s.underWay[x.Hub].with(x.ID)
		e.underWay = true
	case emulator.CallExchange:
		if event, sure := s.eventOf(x); event != nil {
			e.parent, e.sure = event.x.ID, sure
			event.calls = append(event.calls, x.ID) // rows that were handed out end before it
			s.touch(event)
		}
	}
	return e
}

// eventOf finds the event that a call belongs to, by its request id if there is
// an event that has it. Then it is the only such event that is under way or, for
// a call that comes late, the only one that is kept. Where an event was sent
// again it may be any of those, and the latest is a guess.
//
// Clients of other libraries send request ids of their own, so that one which is
// unknown says nothing: then the guess is the only event of the hub that is
// under way.
func (s *store) eventOf(call *exchange) (event *entry, sure bool) {
	if n := s.byRequest[call.RequestID]; n != nil && call.RequestID != "" {
		if n.underWay.count == 1 {
			return s.entries[n.underWay.sum], true
		}
		return n.latest, n.kept == 1
	}
	if o := s.underWay[call.Hub]; o.count == 1 {
		return s.entries[o.sum], false
	}
	return nil, false
}

// over notes that an event waits for its answer no longer.
func (s *store) over(e *entry) {
	if !e.underWay {
		return
	}
	e.underWay = false
	n := s.byRequest[e.x.RequestID]
	n.underWay = n.underWay.without(e.x.ID)
	if o := s.underWay[e.x.Hub].without(e.x.ID); o.count > 0 {
		s.underWay[e.x.Hub] = o
	} else {
		delete(s.underWay, e.x.Hub)
	}
}

// touch makes e the latest change.
func (s *store) touch(e *entry) {
	s.change++
	e.change = s.change
	s.changes.MoveToBack(e.inChanges)
	s.wake()
}

func (s *store) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// evict forgets an entry. The calls of an event are younger than it: those that
// are still kept stand for themselves from now on.
func (s *store) evict(e *entry) {
	for v := range s.viewers {
		if e.change > v.change {
			v.skipped++
		}
	}
	s.over(e)
	if e.x.Kind == emulator.EventExchange {
		n := s.byRequest[e.x.RequestID]
		if n.kept--; n.kept == 0 {
			delete(s.byRequest, e.x.RequestID)
		}
	}
	delete(s.entries, e.x.ID)
	s.age.Remove(e.inAge)
	s.changes.Remove(e.inChanges)
	s.bytes -= e.x.size
	s.gone = max(s.gone, e.x.ID)
	for _, id := range e.calls {
		if call := s.entries[id]; call != nil {
			call.parent, call.sure = 0, false
			s.touch(call)
		}
	}
}

func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
	s.gone = s.highest
	s.clears++
	for v := range s.viewers {
		v.skipped = 0
	}
	s.wake()
}

// find returns a row and those of its calls, in order.
func (s *store) find(id uint64) (found row, calls []row, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil {
		return row{}, nil, false
	}
	for _, id := range e.calls {
		if call := s.entries[id]; call != nil {
			calls = append(calls, call.row)
		}
	}
	return e.row, calls, true
}

// watch returns a viewer that has seen what is there. It returns no viewer when
// there are too many.
func (s *store) watch() (*viewer, []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.viewers) == maxViewers {
		return nil, nil
	}
	v := &viewer{change: s.change, clears: s.clears}
	s.viewers[v] = struct{}{}
	rows := make([]row, 0, s.age.Len())
	for el := s.age.Front(); el != nil; el = el.Next() {
		rows = append(rows, el.Value.(*entry).row)
	}
	sortRows(rows)
	return v, rows
}

func (s *store) unwatch(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v)
}

// next returns what v has not seen, limited to a number of rows: those whose
// change is longest ago, so that none is passed over that is still kept.
func (s *store) next(v *viewer, limit int) update {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := update{cleared: v.clears != s.clears, skipped: v.skipped}
	v.clears, v.skipped = s.clears, 0
	var first *list.Element
	for el := s.changes.Back(); el != nil && el.Value.(*entry).change > v.change; el = el.Prev() {
		first = el
	}
	for el := first; el != nil && len(u.rows) < limit; el = el.Next() {
		e := el.Value.(*entry)
		u.rows = append(u.rows, e.row)
		v.change = e.change
	}
	sortRows(u.rows)
	if u.rows == nil && u.skipped == 0 && !u.cleared {
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		u.next = s.changed
	}
	return u
}

func sortRows(rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.x.ID, b.x.ID) })
}
