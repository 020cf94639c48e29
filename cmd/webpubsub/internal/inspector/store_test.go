package inspector

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// listed writes down what a page that comes now would see: 1 and 2 are done, 3 is
// pending, 4 is surely a call of 1, and 5 is perhaps: "1[4 5] 2 3… 4<1 5<?1".
func listed(s *store) string {
	v, rows := s.watch()
	s.unwatch(v)
	return text(rows)
}

func text(rows []row) string {
	var words []string
	for _, r := range rows {
		word := fmt.Sprint(r.x.ID)
		if !r.x.Done {
			word += "…"
		}
		if len(r.calls) > 0 {
			word += fmt.Sprint(r.calls)
		}
		switch {
		case r.parent != 0 && r.sure:
			word += fmt.Sprint("<", r.parent)
		case r.parent != 0:
			word += fmt.Sprint("<?", r.parent)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func otherHub(x emulator.Exchange) emulator.Exchange {
	x.Hub = "other"
	return x
}

func again(x emulator.Exchange, of uint64) emulator.Exchange {
	x.Again = of
	return x
}

func TestStore(t *testing.T) {
	consent := emulator.Exchange{ID: 1, Kind: emulator.ConsentExchange, Hub: "chat"}
	tests := []struct {
		name     string
		capacity int
		observed []emulator.Exchange
		want     string
	}{
		{"nothing", 10, nil, ""},
		{"an event begins", 10, []emulator.Exchange{event(1, "a")}, "1…"},
		{"and ends", 10, []emulator.Exchange{event(1, "a"), ended(event(1, "a"))}, "1"},
		{"an end without a beginning", 10, []emulator.Exchange{ended(event(1, "a"))}, "1"},
		{"an end before its beginning", 10, []emulator.Exchange{ended(event(1, "a")), event(1, "a")}, "1"},
		{"an end twice", 10, []emulator.Exchange{ended(event(1, "a")), ended(event(1, "a"))}, "1"},
		{"beginnings in another order", 10, []emulator.Exchange{event(2, "b"), event(1, "a")}, "1… 2…"},

		{"a call while its event is handled", 10, []emulator.Exchange{event(1, "a"), apiCall(2, "a")}, "1…[2] 2…<1"},
		{"a call after its event", 10, []emulator.Exchange{ended(event(1, "a")), ended(apiCall(2, "a"))}, "1[2] 2<1"},
		{"calls of two events", 10, []emulator.Exchange{event(1, "a"), event(2, "b"), apiCall(3, "b"), apiCall(4, "a"), apiCall(5, "b")}, "1…[4] 2…[3 5] 3…<2 4…<1 5…<2"},
		{"a call of a foreign id during one event", 10, []emulator.Exchange{event(1, "a"), apiCall(2, "x")}, "1…[2] 2…<?1"},
		{"a call without id during one event", 10, []emulator.Exchange{event(1, "a"), apiCall(2, "")}, "1…[2] 2…<?1"},
		{"a call of a foreign id during two events", 10, []emulator.Exchange{event(1, "a"), event(2, "b"), apiCall(3, "x")}, "1… 2… 3…"},
		{"a call of a foreign id after the first of two", 10, []emulator.Exchange{event(1, "a"), event(2, "b"), ended(event(1, "a")), apiCall(3, "x")}, "1 2…[3] 3…<?2"},
		{"a call of a foreign id after the event", 10, []emulator.Exchange{ended(event(1, "a")), apiCall(2, "x")}, "1 2…"},
		{"an event of another hub does not count", 10, []emulator.Exchange{otherHub(event(1, "a")), apiCall(2, "x")}, "1… 2…"},
		{"but its request id does", 10, []emulator.Exchange{otherHub(event(1, "a")), apiCall(2, "a")}, "1…[2] 2…<1"},
		{"an event without id has no calls of its own", 10, []emulator.Exchange{event(1, ""), event(2, ""), apiCall(3, "")}, "1… 2… 3…"},
		{"a question for consent has no calls", 10, []emulator.Exchange{consent, apiCall(2, "x")}, "1… 2…"},
		{"a call that ends keeps its event", 10, []emulator.Exchange{event(1, "a"), apiCall(2, "x"), event(3, "b"), ended(apiCall(2, "x"))}, "1…[2] 2<?1 3…"},
		{"an event that is sent again", 10, []emulator.Exchange{ended(event(1, "a")), again(event(2, "a"), 1), apiCall(3, "a")}, "1 2…[3] 3…<2"},
		{"an event that is sent again while it is handled", 10, []emulator.Exchange{event(1, "a"), again(event(2, "a"), 1), apiCall(3, "a")}, "1… 2…[3] 3…<?2"},
		{"the first goes on when the second is over", 10, []emulator.Exchange{event(1, "a"), again(event(2, "a"), 1), ended(again(event(2, "a"), 1)), apiCall(3, "a")}, "1…[3] 2 3…<1"},
		{"and the other way round", 10, []emulator.Exchange{event(1, "a"), again(event(2, "a"), 1), ended(event(1, "a")), apiCall(3, "a")}, "1 2…[3] 3…<2"},
		{"both are over", 10, []emulator.Exchange{ended(event(1, "a")), ended(again(event(2, "a"), 1)), apiCall(3, "a")}, "1 2[3] 3…<?2"},
		{"only the second is kept", 3, []emulator.Exchange{ended(event(1, "a")), event(2, "b"), ended(again(event(3, "a"), 1)), event(4, "c"), apiCall(5, "a")}, "3[5] 4… 5…<3"},
		{"the second is gone before the first", 10, []emulator.Exchange{again(event(2, "a"), 1), ended(again(event(2, "a"), 1)), event(1, "a"), apiCall(3, "a")}, "1…[3] 2 3…<1"},

		{"the oldest goes", 2, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c")}, "2… 3…"},
		{"the end of what is gone", 2, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c"), ended(event(1, "a"))}, "2… 3…"},
		{"calls outlive their event", 2, []emulator.Exchange{event(1, "a"), apiCall(2, "a"), apiCall(3, "a")}, "2… 3…"},
		{"a call of an event that is gone", 2, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c"), apiCall(4, "a")}, "3… 4…"},
		{"an event that is gone is not under way", 1, []emulator.Exchange{event(1, "a"), event(2, "b"), apiCall(3, "")}, "3…"},
		{"the same request id later", 1, []emulator.Exchange{event(1, "a"), again(event(2, "a"), 1), apiCall(3, "a")}, "3…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInspector(t, &Options{Capacity: tt.capacity})
			observe(i, tt.observed...)
			if got := listed(i.store); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStoreIsBoundedInBytes(t *testing.T) {
	long := func(id uint64, request, answer int) emulator.Exchange {
		x := ended(event(id, ""))
		x.Header, x.AnswerHeader, x.URL = nil, nil, ""
		x.Body, x.Answer = make([]byte, request), make([]byte, answer)
		return x
	}
	begun := func(x emulator.Exchange) emulator.Exchange {
		x.Done, x.Answer = false, nil
		return x
	}
	headers := long(2, 0, 0)
	headers.AnswerHeader = map[string][]string{"Name": {strings.Repeat("v", 96)}}
	tests := []struct {
		name     string
		observed []emulator.Exchange
		want     string
		bytes    int
	}{
		{"what fits stays", []emulator.Exchange{long(1, 500, 100), long(2, 100, 300)}, "1 2", 1000},
		{"the oldest goes", []emulator.Exchange{long(1, 500, 100), long(2, 100, 301)}, "2", 401},
		{"headers count", []emulator.Exchange{long(1, 901, 0), headers}, "2", 100},
		{"the newest stays in any case", []emulator.Exchange{long(1, 1, 1), long(2, 5000, 0)}, "2", 5000},
		{"an answer makes room", []emulator.Exchange{begun(long(1, 500, 0)), begun(long(2, 400, 0)), long(2, 400, 200)}, "2", 600},
		{"an answer makes itself go", []emulator.Exchange{begun(long(1, 500, 0)), long(2, 400, 0), long(1, 500, 200)}, "2", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInspector(t, &Options{Bytes: 1000})
			observe(i, tt.observed...)
			if got := listed(i.store); got != tt.want {
				t.Errorf("kept: got %q, want %q", got, tt.want)
			}
			if got := i.store.bytes; got != tt.bytes {
				t.Errorf("bytes: got %d, want %d", got, tt.bytes)
			}
		})
	}
}

func TestLongBodiesAreShortened(t *testing.T) {
	const long = shownBytes + 1000
	tests := []struct {
		name               string
		x                  emulator.Exchange
		body, answer, size int
	}{
		{"the request of an event stays whole", ended(event(1, "")), long, shownBytes, 0},
		{"that of a call does not", ended(apiCall(1, "")), shownBytes, shownBytes, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.x.Body, tt.x.Answer = make([]byte, long), make([]byte, long)
			x := keep(tt.x)
			if got := len(x.Body); got != tt.body {
				t.Errorf("request: got %d bytes, want %d", got, tt.body)
			}
			if got := cap(x.Answer); got != tt.answer {
				t.Errorf("answer: got %d bytes in memory, want %d", got, tt.answer)
			}
			if x.bodyBytes != long || x.answerBytes != long {
				t.Errorf("got %d and %d bytes in all, want %d", x.bodyBytes, x.answerBytes, long)
			}
		})
	}
}

// What was cleared does not come back: neither itself nor through its calls.
func TestClear(t *testing.T) {
	i := newInspector(t, nil)
	observe(i, event(1, "a"), event(3, "c"))
	i.store.clear()
	if got := listed(i.store); got != "" {
		t.Errorf("after clear: got %q, want nothing", got)
	}
	observe(i, ended(event(1, "a")), event(2, "b"), apiCall(4, "c"), event(5, "e"), apiCall(6, "x"))
	if got, want := listed(i.store), "4… 5…[6] 6…<?5"; got != want {
		t.Errorf("later: got %q, want %q", got, want)
	}
	if got := i.store.underWay["chat"].count; got != 1 {
		t.Errorf("got %d events under way, want 1", got)
	}
}

func TestViewer(t *testing.T) {
	tests := []struct {
		name   string
		before []emulator.Exchange
		clear  bool
		after  []emulator.Exchange
		want   []string // batches of two
	}{
		{"nothing happened", []emulator.Exchange{event(1, "a")}, false, nil, nil},
		{"something new", []emulator.Exchange{event(1, "a")}, false, []emulator.Exchange{event(2, "b")}, []string{"2…"}},
		{"beginning and end are one change", nil, false, []emulator.Exchange{event(1, "a"), ended(event(1, "a"))}, []string{"1"}},
		{"a call changes its event", []emulator.Exchange{event(1, "a")}, false, []emulator.Exchange{apiCall(2, "a")}, []string{"1…[2] 2…<1"}},
		{"ascending", nil, false, []emulator.Exchange{event(1, "a"), event(2, "b"), ended(event(1, "a"))}, []string{"1 2…"}},
		{"more than a batch", nil, false, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c")}, []string{"1… 2…", "3…"}},
		{"what changed last comes last", nil, false, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c"), ended(event(1, "a"))}, []string{"2… 3…", "1"}},
		{"gone before it was shown", nil, false, []emulator.Exchange{event(1, "a"), event(2, "b"), event(3, "c"), event(4, "d"), event(5, "e")}, []string{"skipped 1; 2… 3…", "4… 5…"}},
		{"gone after it was shown", []emulator.Exchange{event(1, "a")}, false, []emulator.Exchange{event(2, "b"), event(3, "c"), event(4, "d"), event(5, "e")}, []string{"2… 3…", "4… 5…"}},
		{"an end is missed", []emulator.Exchange{event(1, "a")}, false, []emulator.Exchange{ended(event(1, "a")), event(2, "b"), event(3, "c"), event(4, "d"), event(5, "e")}, []string{"skipped 1; 2… 3…", "4… 5…"}},
		{"calls that are left behind", []emulator.Exchange{ended(event(1, "a")), apiCall(2, "a"), apiCall(3, "a")}, false, []emulator.Exchange{apiCall(4, "x"), apiCall(5, "x")}, []string{"4… 5…", "2… 3…"}},
		{"cleared", []emulator.Exchange{event(1, "a")}, true, nil, []string{"cleared; "}},
		{"cleared, then new", []emulator.Exchange{event(1, "a")}, true, []emulator.Exchange{event(2, "b")}, []string{"cleared; 2…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInspector(t, &Options{Capacity: 4})
			observe(i, tt.before...)
			v, _ := i.store.watch()
			if tt.clear {
				i.store.clear()
			}
			observe(i, tt.after...)
			var got []string
			for {
				u := i.store.next(v, 2)
				if u.next != nil {
					break
				}
				words := ""
				if u.cleared {
					words += "cleared; "
				}
				if u.skipped > 0 {
					words += fmt.Sprintf("skipped %d; ", u.skipped)
				}
				got = append(got, words+text(u.rows))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A clear that comes before the viewer does takes with it what was skipped.
func TestClearForgetsWhatWasSkipped(t *testing.T) {
	i := newInspector(t, &Options{Capacity: 1})
	v, _ := i.store.watch()
	observe(i, event(1, "a"), event(2, "b"), event(3, "c"))
	i.store.clear()
	observe(i, event(4, "d"))
	if u := i.store.next(v, 10); !u.cleared || u.skipped != 0 || text(u.rows) != "4…" {
		t.Errorf("got %+v with %q, want the cleared list and 4", u, text(u.rows))
	}
}

// Rows that were handed out do not change, whatever happens to their entries.
func TestRowsDoNotChange(t *testing.T) {
	i := newInspector(t, nil)
	observe(i, event(1, "a"), apiCall(2, "a"), apiCall(3, "a"))
	found, calls, ok := i.store.find(1)
	if !ok {
		t.Fatal("not found")
	}
	observe(i, apiCall(4, "a"), ended(event(1, "a")), ended(apiCall(2, "a")))
	if got, want := text(append([]row{found}, calls...)), "1…[2 3] 2…<1 3…<1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever looks, however the exchanges overlap, the books balance in the end.
func TestStoreConcurrently(t *testing.T) {
	i := newInspector(t, &Options{Capacity: 50})
	var ids struct {
		sync.Mutex
		last uint64
	}
	newID := func() uint64 {
		ids.Lock()
		defer ids.Unlock()
		ids.last++
		return ids.last
	}
	var work, looks sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		looks.Go(func() {
			v, _ := i.store.watch()
			defer i.store.unwatch(v)
			for {
				select {
				case <-done:
					return
				default:
					i.names.summaries(i.store.next(v, 10).rows)
				}
			}
		})
	}
	for worker := range 4 {
		work.Go(func() {
			for n := range 500 {
				e := event(newID(), fmt.Sprint(worker, "-", n))
				i.Observe(e)
				c := apiCall(newID(), e.RequestID)
				observe(i, c, ended(c), ended(e))
				i.store.find(e.ID)
				if worker == 0 && n%100 == 50 {
					i.store.clear()
				}
			}
		})
	}
	work.Wait()
	close(done)
	looks.Wait()
	s := i.store
	bytes := 0
	for id, e := range s.entries {
		bytes += e.x.size
		if e.x.ID != id || e.underWay {
			t.Errorf("entry %d: it is %d, under way: %t", id, e.x.ID, e.underWay)
		}
	}
	if s.bytes != bytes {
		t.Errorf("got %d bytes in the books, want %d", s.bytes, bytes)
	}
	if a, c := s.age.Len(), s.changes.Len(); a != len(s.entries) || c != a || a > 50 {
		t.Errorf("got %d and %d entries in the lists, want %d, and not more than 50", a, c, len(s.entries))
	}
	if len(s.underWay) != 0 || len(s.byRequest) > len(s.entries) || len(s.viewers) != 0 {
		t.Errorf("left over: %d under way, %d request ids for %d entries, %d viewers", len(s.underWay), len(s.byRequest), len(s.entries), len(s.viewers))
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, viewers := range []int{0, 1, maxViewers} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) {
			i := newInspector(b, nil)
			for range viewers {
				i.store.watch()
			}
			e, c := event(0, ""), apiCall(0, "")
			b.ReportAllocs()
			for n := uint64(0); b.Loop(); n += 2 { // an event with one call
				e.ID, c.ID = n+1, n+2
				observe(i, e, c, ended(c), ended(e))
			}
		})
	}
}
