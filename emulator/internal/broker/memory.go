package broker

import (
	"context"
	"sync"
)

// Memory is the Broker of servers in one process. Commands are carried out on
// the goroutine that issues them, so Publish returns when all have been. The
// zero Memory is ready to use.
type Memory struct {
	mu          sync.RWMutex
	subscribers map[string][]*subscriber // by hub; the slices are never changed, only replaced
}

type subscriber struct{ serve func(Command) Reply }

var _ Broker = (*Memory)(nil)

// Publish implements [Broker]. It never fails.
func (m *Memory) Publish(ctx context.Context, hub string, c Command) error {
	_, err := m.Ask(ctx, hub, c)
	return err
}

// Ask implements [Broker]. It never fails.
func (m *Memory) Ask(_ context.Context, hub string, c Command) (Reply, error) {
	m.mu.RLock()
	subscribers := m.subscribers[hub]
	m.mu.RUnlock()
	var merged Reply
	for _, s := range subscribers {
		merged = merged.Merge(s.serve(c))
	}
	return merged.limitedTo(c), nil
}

// Subscribe implements [Broker]. It never fails.
func (m *Memory) Subscribe(hub string, serve func(Command) Reply) (stop func(), err error) {
	s := &subscriber{serve}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.subscribers == nil {
		m.subscribers = map[string][]*subscriber{}
	}
	m.subscribers[hub] = with(m.subscribers[hub], s)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if rest := without(m.subscribers[hub], s); len(rest) > 0 {
			m.subscribers[hub] = rest
		} else {
			delete(m.subscribers, hub)
		}
	}, nil
}

func with(list []*subscriber, s *subscriber) []*subscriber {
	return append(list[:len(list):len(list)], s)
}

func without(list []*subscriber, s *subscriber) []*subscriber {
	var rest []*subscriber
	for _, other := range list {
		if other != s {
			rest = append(rest, other)
		}
	}
	return rest
}
