package emulator

import "sync"

// A lane runs functions one after the other. Its goroutine lives while there
// are any.
type lane struct {
	tasks *tasks // static

	mu      sync.Mutex // guards the fields below
	waiting []func()
	running bool
	room    chan struct{} // closed when a function begins; nil while nobody waits
}

// add has fn run after those that were added before.
func (l *lane) add(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.push(fn)
}

// tryAdd is add unless limit functions are waiting already.
func (l *lane) tryAdd(limit int, fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= limit {
		return false
	}
	l.push(fn)
	return true
}

// addWait waits until fewer than limit functions are waiting. It gives up when
// canceled is closed.
func (l *lane) addWait(limit int, canceled <-chan struct{}, fn func()) {
	for !l.tryAdd(limit, fn) {
		select {
		case <-l.beginning():
		case <-canceled:
			return
		}
	}
}

// beginning returns a channel that is closed when the next function begins.
func (l *lane) beginning() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room == nil {
		l.room = make(chan struct{})
		if len(l.waiting) == 0 {
			close(l.room) // it has begun meanwhile
		}
	}
	return l.room
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
	for fn := l.next(); fn != nil; fn = l.next() {
		fn()
	}
}

// next takes the first function, nil when there is none and the goroutine ends.
func (l *lane) next() (fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	if len(l.waiting) == 0 {
		l.running = false
		l.waiting = nil
		return nil
	}
	fn = l.waiting[0]
	l.waiting[0] = nil // so that it can go when it has run
	l.waiting = l.waiting[1:]
	return fn
}
