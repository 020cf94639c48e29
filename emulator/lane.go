package emulator

import (
	"context"
	"sync"
)

// A lane runs functions one after the other. Its goroutine lives while there
// are any.
type lane struct {
	tasks *tasks // static

	mu      sync.Mutex // guards the fields below
	waiting []func()
	running bool
	room    *sync.Cond // of mu; nil while nobody waits for room
}

// add has fn run after those that were added before, unless limit of them are
// waiting already; it then reports false.
func (l *lane) add(limit int, fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= limit {
		return false
	}
	l.push(fn)
	return true
}

// addWait is add that waits for room.
func (l *lane) addWait(limit int, fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) >= limit {
		if l.room == nil {
			l.room = sync.NewCond(&l.mu)
		}
		l.room.Wait()
	}
	l.push(fn)
}

// push queues fn. l.mu is held.
func (l *lane) push(fn func()) {
	l.waiting = append(l.waiting, fn)
	if !l.running {
		l.running = true
		l.tasks.start(l.run)
	}
}

func (l *lane) run() {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.running = false
			l.waiting = nil
			l.mu.Unlock()
			return
		}
		fn := l.waiting[0]
		l.waiting = l.waiting[1:]
		if l.room != nil {
			l.room.Broadcast()
		}
		l.mu.Unlock()
		fn()
	}
}

// tasks are the goroutines that a server waits for when it shuts down. The zero
// tasks has none.
type tasks struct {
	mu   sync.Mutex // guards the fields below
	n    int
	idle chan struct{} // closed when n becomes 0; nil while nobody waits
}

// start runs fn on a goroutine.
func (t *tasks) start(fn func()) {
	t.mu.Lock()
	t.n++
	t.mu.Unlock()
	go func() {
		defer t.done()
		fn()
	}()
}

func (t *tasks) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// wait returns when no task is running, or with the error of ctx.
func (t *tasks) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
