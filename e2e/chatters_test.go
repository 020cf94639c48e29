package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	roomSize    = 25
	chatPause   = 5 * time.Second
	frozenAfter = 2 * time.Second // without a frame, a page counts as frozen
)

// Many chat while somebody watches the panel. Everybody gets everything that is
// said in the room, once and in order; the process does not grow and the page
// stays alive.
func TestChatters(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	watcher := c.visit(d, "watcher")
	all := connectChatters(t, d, *chatters)
	watcher.recordFrames()
	memory := sampleMemory(t, d.cmd.Process.Pid)

	ctx, cancel := context.WithTimeout(t.Context(), *chatting)
	defer cancel()
	said, took := chatAll(ctx, t, all)
	samples := memory()
	frames := watcher.frames()

	deliveries := 0
	for room, members := range byRoom(all) {
		deliveries += checkRoom(t, watcher.tab, room, members, said[room])
	}
	if got := len(watcher.rows()); got == 0 {
		t.Error("the panel shows nothing of it")
	}
	t.Logf("%d clients said %d messages in %v, which are %d deliveries; until confirmed: %s",
		len(all), len(took), *chatting, deliveries, spread(took))
	t.Logf("frames of the page beside it: %d; time between two: %s", len(frames), spread(frames))
	if slowest := slices.Max(frames); slowest > frozenAfter {
		t.Errorf("the page stood still for %v", slowest)
	}
	checkMemory(t, samples)
	var wg sync.WaitGroup
	for _, member := range all {
		wg.Go(func() {
			if err := member.leave(); err != nil {
				t.Errorf("%s leaves: %v", member.name, err)
			}
		})
	}
	wg.Wait()
}

// connectChatters connects them, in rooms of the same size.
func connectChatters(t *testing.T, d *demo, n int) []*chatter {
	t.Helper()
	all := make([]*chatter, n)
	errs := make([]error, n)
	atOnce := make(chan struct{}, 20)
	var wg sync.WaitGroup
	for i := range n {
		atOnce <- struct{}{}
		wg.Go(func() {
			defer func() { <-atOnce }()
			all[i], errs[i] = newChatter(t.Context(), d, fmt.Sprint("chatter", i+1), fmt.Sprint("room", i/roomSize+1))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return all
}

// chatAll lets them chat, and returns the ids of what was said by room and how
// long it took until each was confirmed.
func chatAll(ctx context.Context, t *testing.T, all []*chatter) (said map[string][]string, took []time.Duration) {
	t.Helper()
	said = map[string][]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, member := range all {
		wg.Go(func() {
			ids, times, err := member.chat(ctx, chatPause)
			mu.Lock()
			defer mu.Unlock()
			said[member.room] = append(said[member.room], ids...)
			took = append(took, times...)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(took) == 0 {
		t.Fatal("nobody said anything")
	}
	return said, took
}

func byRoom(all []*chatter) map[string][]*chatter {
	rooms := map[string][]*chatter{}
	for _, member := range all {
		rooms[member.room] = append(rooms[member.room], member)
	}
	return rooms
}

// checkRoom compares what the members of a room heard with what was said there,
// and returns how many messages they got.
func checkRoom(t *testing.T, p *tab, room string, members []*chatter, said []string) (deliveries int) {
	t.Helper()
	slices.Sort(said)
	for _, member := range members {
		p.waitFor(member.name+" has heard everything", func() bool {
			heard, err := member.hearing()
			return err != nil || len(heard) >= len(said)
		})
		heard, err := member.hearing()
		if err == nil {
			err = checkHeard(heard, said)
		}
		if err != nil {
			t.Errorf("in %s, %s: %v", room, member.name, err)
		}
		deliveries += len(heard)
	}
	return deliveries
}

// checkHeard fails unless all that was said was heard once, with all numbers,
// and what one person said in its order. What two say at the same time has no
// order: that is why the server numbers it.
func checkHeard(heard []saying, said []string) error {
	var ids []string
	var numbers []int
	counts := map[string]int{} // by author
	for _, s := range heard {
		ids, numbers = append(ids, s.ID), append(numbers, s.Number)
		n, err := strconv.Atoi(s.ID[strings.LastIndexByte(s.ID, '-')+1:])
		if err != nil || n != counts[s.Name]+1 {
			return fmt.Errorf("%s came after message %d of %s", s.ID, counts[s.Name], s.Name)
		}
		counts[s.Name] = n
	}
	slices.Sort(ids)
	if !slices.Equal(ids, said) {
		return fmt.Errorf("heard %q, want %q", ids, said)
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if number != i+1 {
			return fmt.Errorf("the messages have the numbers %v, want 1 to %d", numbers, len(said))
		}
	}
	return nil
}

// recordFrames begins to write down when the page is drawn.
func (p *tab) recordFrames() {
	p.t.Helper()
	eval[bool](p, `() => {
		const times = window.frameTimes = [];
		let last = performance.now();
		const step = (now) => {
			times.push(now - last);
			last = now;
			requestAnimationFrame(step);
		};
		return requestAnimationFrame(step) > 0;
	}`)
}

// frames returns the times between two frames since then.
func (p *tab) frames() []time.Duration {
	p.t.Helper()
	var all []time.Duration
	for _, milliseconds := range eval[[]float64](p, `() => window.frameTimes.slice(1)`) {
		all = append(all, time.Duration(milliseconds*float64(time.Millisecond)))
	}
	if len(all) == 0 {
		p.t.Fatal("the page was never drawn")
	}
	return all
}

// spread describes durations.
func spread(all []time.Duration) string {
	sorted := slices.Sorted(slices.Values(all))
	at := func(share float64) time.Duration {
		return sorted[int(share*float64(len(sorted)-1))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %v, p95 %v, max %v", at(0.5), at(0.95), at(1))
}
