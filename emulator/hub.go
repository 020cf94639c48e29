package emulator

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

// A hub knows the sessions of one hub that are connected to this server. It
// carries out the commands that come through the broker, which is the only way
// from one session to another.
type hub struct {
	// static after construction
	name   string // in lower case
	server *Server

	// guarded by Server.mu
	users int    // of the hub: sessions and upgrades under way
	stop  func() // ends the subscription

	mu       sync.RWMutex // guards the fields below, and those of sessions that say so
	sessions map[string]*session
	byUser   map[string]sessionSet
	byGroup  map[string]sessionSet
}

type sessionSet map[*session]struct{}

// groupSet is the groups of a session.
type groupSet map[string]struct{}

// Has implements [odata.Groups].
func (g groupSet) Has(group string) bool {
	_, ok := g[group]
	return ok
}

// Len implements [odata.Groups].
func (g groupSet) Len() int { return len(g) }

// add makes a session known and gives it its WebSocket. Nobody reaches the
// session before that is complete: the client's first message tells it who it
// is, and the handler's first event is that it is connected.
func (h *hub) add(s *session, c *conn, groups []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[s.id] = s
	if s.userID != "" {
		insert(h.byUser, s.userID, s)
	}
	s.attach(c)
	s.notifyConnected()
	for _, group := range groups {
		h.join(s, group)
	}
}

// remove forgets a session, which leaves all its groups.
func (h *hub) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.id)
	if s.userID != "" {
		remove(h.byUser, s.userID, s)
	}
	for _, group := range slices.Sorted(maps.Keys(s.groups)) {
		h.leave(s, group)
	}
}

// join makes a session a member of a group. h.mu is held.
func (h *hub) join(s *session, group string) {
	if s.groups.Has(group) {
		return
	}
	if s.groups == nil {
		s.groups = groupSet{}
	}
	s.groups[group] = struct{}{}
	insert(h.byGroup, group, s)
	s.groupJoined(group)
}

// leave ends a membership. h.mu is held.
func (h *hub) leave(s *session, group string) {
	if !s.groups.Has(group) {
		return
	}
	delete(s.groups, group)
	remove(h.byGroup, group, s)
	s.groupLeft(group)
}

func insert(index map[string]sessionSet, key string, s *session) {
	set := index[key]
	if set == nil {
		set = sessionSet{}
		index[key] = set
	}
	set[s] = struct{}{}
}

func remove(index map[string]sessionSet, key string, s *session) {
	set := index[key]
	delete(set, s)
	if len(set) == 0 {
		delete(index, key)
	}
}

// permitted reports whether a session's roles and grants allow something.
func (h *hub) permitted(s *session, p roles.Permission, group string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return s.roles.Allows(p, group)
}

// serve carries out a command. It is what the broker calls.
func (h *hub) serve(c broker.Command) broker.Reply {
	switch c := c.(type) {
	case broker.Send:
		return h.send(c)
	case broker.Close:
		return h.close(c)
	case broker.Join:
		return h.change(c.Target, c.Filter, func(s *session) {
			for _, group := range c.Groups {
				h.join(s, group)
			}
		})
	case broker.Leave:
		return h.change(c.Target, c.Filter, func(s *session) {
			groups := c.Groups
			if groups == nil {
				groups = slices.Sorted(maps.Keys(s.groups))
			}
			for _, group := range groups {
				h.leave(s, group)
			}
		})
	case broker.Grant:
		return h.permit(c.ConnectionID, func(set *roles.Set) bool { return set.Grant(c.Permission, c.Group) })
	case broker.Revoke:
		return h.permit(c.ConnectionID, func(set *roles.Set) bool { return set.Revoke(c.Permission, c.Group) })
	}
	return h.ask(c)
}

// permit changes the permissions of a connection, if there is room for it.
func (h *hub) permit(connectionID string, change func(*roles.Set) bool) broker.Reply {
	full := false
	reply := h.change(connectionOf(connectionID), nil, func(s *session) { full = !change(s.roles) })
	reply.Full = full
	return reply
}

func connectionOf(id string) broker.Target {
	return broker.Target{Kind: broker.Connection, Name: id}
}

// send queues a message for the target's sessions. It is encoded once for each
// form.
func (h *hub) send(c broker.Send) broker.Reply {
	h.mu.RLock()
	defer h.mu.RUnlock()
	message := protocol.NewEncoded(c.Message)
	return h.each(c.Target, c.Filter, c.Excluded, func(s *session) { s.send(message, c.TTL) })
}

// close ends the target's sessions.
func (h *hub) close(c broker.Close) broker.Reply {
	var ended []*session
	h.mu.RLock()
	reply := h.each(c.Target, nil, c.Excluded, func(s *session) { ended = append(ended, s) })
	h.mu.RUnlock()
	for _, s := range ended {
		s.end(endByApplication(c.Reason))
	}
	return reply
}

// change calls fn for the target's sessions while nobody else looks at them.
func (h *hub) change(t broker.Target, filter *odata.Filter, fn func(*session)) broker.Reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.Kind != broker.Group {
		return h.each(t, filter, nil, fn)
	}
	var members []*session // fn may change the set that it is called for
	reply := h.each(t, filter, nil, func(s *session) { members = append(members, s) })
	for _, s := range members {
		fn(s)
	}
	return reply
}

// ask answers the commands that change nothing.
func (h *hub) ask(c broker.Command) broker.Reply {
	h.mu.RLock()
	defer h.mu.RUnlock()
	switch c := c.(type) {
	case broker.Count:
		return h.each(c.Target, nil, nil, func(*session) {})
	case broker.Permitted:
		var reply broker.Reply
		h.each(connectionOf(c.ConnectionID), nil, nil, func(s *session) {
			if s.roles.Allows(c.Permission, c.Group) {
				reply.Count = 1
			}
		})
		return reply
	case broker.Members:
		return broker.Reply{Members: h.members(c)}
	}
	return broker.Reply{}
}

func (h *hub) members(c broker.Members) []broker.Member {
	var members []broker.Member
	for s := range h.byGroup[c.Group] {
		if s.id > c.After {
			members = append(members, broker.Member{ConnectionID: s.id, UserID: s.userID})
		}
	}
	slices.SortFunc(members, func(a, b broker.Member) int { return strings.Compare(a.ConnectionID, b.ConnectionID) })
	return members[:min(len(members), c.Limit)]
}

// each calls fn for the sessions of a target that meet the filter and are not
// excluded, and counts them. h.mu is held.
func (h *hub) each(t broker.Target, filter *odata.Filter, excluded []string, fn func(*session)) broker.Reply {
	var count int
	visit := func(s *session) {
		if slices.Contains(excluded, s.id) || filter != nil && !filter.Match(s.subject()) {
			return
		}
		count++
		fn(s)
	}
	switch t.Kind {
	case broker.Everyone:
		for _, s := range h.sessions {
			visit(s)
		}
	case broker.Group:
		for s := range h.byGroup[t.Name] {
			visit(s)
		}
	case broker.User:
		for s := range h.byUser[t.Name] {
			visit(s)
		}
	case broker.Connection:
		if s := h.sessions[t.Name]; s != nil {
			visit(s)
		}
	}
	return broker.Reply{Count: count}
}
