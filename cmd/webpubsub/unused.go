package main

import (
	"net"
	"net/http"
	"sync"
)

// unusedConns knows the connections of a server that have not carried a request
// yet. The Shutdown of net/http gives each of them five seconds, in case that
// one is on its way.
type unusedConns struct {
	mu    sync.Mutex // guards the fields below
	conns map[net.Conn]struct{}
	over  bool
}

// note is for [http.Server.ConnState].
func (u *unusedConns) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, c)
	case u.over:
		_ = c.Close()
	default:
		if u.conns == nil {
			u.conns = map[net.Conn]struct{}{}
		}
		u.conns[c] = struct{}{}
	}
}

// close closes them, and those that are still to come.
func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	for c := range u.conns {
		_ = c.Close()
	}
}
