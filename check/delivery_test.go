package check_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

// seen remembers what there has been.
type seen struct {
	mu  sync.Mutex // guards all
	all map[string]bool
}

// twice reports whether a key was there before.
func (s *seen) twice(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.all[key]
	if s.all == nil {
		s.all = map[string]bool{}
	}
	s.all[key] = true
	return before
}

func (s *seen) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[key]
}

func eventOfRequest(r *http.Request) string {
	return r.Header.Get("ce-connectionId") + " " + r.Header.Get("ce-type") + " " + r.Header.Get("ce-id")
}

func TestDeliveryRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		fault       func() func(*plain)
		fails, open []string
	}{
		{"409 to what comes twice", func() func(*plain) {
			var events seen
			return refuse(409, func(r *http.Request) bool {
				return isType("azure.webpubsub.user.message")(r) && events.twice(eventOfRequest(r))
			})
		}, []string{"delivery/duplicate"}, nil},
		{"500 to what comes twice", func() func(*plain) {
			var events seen
			return refuse(500, func(r *http.Request) bool {
				return isType("azure.webpubsub.user.message")(r) && events.twice(eventOfRequest(r))
			})
		}, []string{"delivery/duplicate"}, nil},
		{"connected is an insert", func() func(*plain) {
			var events seen
			return refuse(500, func(r *http.Request) bool {
				return isType("azure.webpubsub.sys.connected")(r) && events.twice(r.Header.Get("ce-connectionId"))
			})
		}, []string{"delivery/duplicate-notification"}, nil},
		{"disconnected is a delete", func() func(*plain) {
			var events seen
			return refuse(500, func(r *http.Request) bool {
				return isType("azure.webpubsub.sys.disconnected")(r) && events.twice(r.Header.Get("ce-connectionId"))
			})
		}, []string{"delivery/duplicate-notification"}, nil},
		{"notifications twice are refused", func() func(*plain) {
			var events seen
			return refuse(409, func(r *http.Request) bool {
				return strings.Contains(r.Header.Get("ce-type"), "connected") && events.twice(eventOfRequest(r))
			})
		}, nil, nil},
		{"no two at once", func() func(*plain) { return message(crowded(answer(500, ""))) }, []string{"delivery/at-once"}, []string{"delivery/load"}},
		{"no room for two", func() func(*plain) { return message(crowded(answer(503, ""))) }, nil, nil},
		{"one is late", func() func(*plain) {
			var late atomic.Bool
			return message(crowded(func(w http.ResponseWriter, r *http.Request, body []byte) {
				if late.CompareAndSwap(false, true) {
					time.Sleep(1100 * time.Millisecond)
				}
				echo(w, r, body)
			}))
		}, nil, nil},
		{"a deadlock", func() func(*plain) { return message(crowded(hang)) }, []string{"delivery/at-once"}, []string{"delivery/own-answer", "delivery/load"}},
		{"too many requests", func() func(*plain) { return message(crowded(answer(429, ""))) }, nil, []string{"delivery/load"}},
		{"one variable for all", func() func(*plain) {
			var current atomic.Value
			return message(func(w http.ResponseWriter, r *http.Request, body []byte) {
				current.Store(body)
				time.Sleep(10 * time.Millisecond)
				echo(w, r, current.Load().([]byte))
			})
		}, []string{"delivery/own-answer"}, nil},
		{"all that was said", func() func(*plain) {
			var mu sync.Mutex
			var all []byte
			return message(func(w http.ResponseWriter, r *http.Request, body []byte) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, body...)
				echo(w, r, all)
			})
		}, nil, []string{"delivery/own-answer"}},
		{"no reply", func() func(*plain) { return message(noContent) }, nil, []string{"delivery/own-answer"}},
		{"one after another", func() func(*plain) {
			turn := sync.OnceValue(func() chan struct{} { return make(chan struct{}, 1) }) // inside of the bubble
			return message(func(w http.ResponseWriter, r *http.Request, body []byte) {
				turn() <- struct{}{}
				defer func() { <-turn() }()
				time.Sleep(400 * time.Millisecond)
				echo(w, r, body)
			})
		}, []string{"delivery/load"}, nil},
		{"connected first", func() func(*plain) {
			var connected seen
			return func(p *plain) {
				refuse(409, func(r *http.Request) bool {
					if isType("azure.webpubsub.sys.connected")(r) {
						connected.twice(r.Header.Get("ce-connectionId"))
					}
					return false
				})(p)
				p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
					if !connected.has(r.Header.Get("ce-connectionId")) {
						w.WriteHeader(409)
						return
					}
					echo(w, r, body)
				}
			}
		}, []string{"delivery/before-connected"}, nil},
		{"connected is an insert, too", func() func(*plain) {
			var rows seen
			return refuse(500, func(r *http.Request) bool {
				if strings.HasSuffix(r.Header.Get("ce-type"), "disconnected") || strings.HasSuffix(r.Header.Get("ce-type"), ".connect") {
					return false
				}
				before := rows.twice(r.Header.Get("ce-connectionId"))
				return before && isType("azure.webpubsub.sys.connected")(r)
			})
		}, []string{"delivery/duplicate-notification", "delivery/before-connected"}, nil},
		{"breaks on unknown connections", func() func(*plain) { return known(500) }, []string{"delivery/unknown-connection"}, nil},
		{"refuses unknown connections", func() func(*plain) { return known(404) }, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(tt.fault()), &check.Options{Only: []string{"delivery"}}, tt.fails, tt.open)
		})
	}
}

// crowded echoes, and does something else for those that are not alone.
func crowded(otherwise step) step {
	var inside atomic.Int32
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		defer inside.Add(-1)
		if inside.Add(1) > 1 {
			otherwise(w, r, body)
			return
		}
		time.Sleep(10 * time.Millisecond)
		echo(w, r, body)
	}
}

// known answers user events of connections that never began with a status.
func known(status int) func(*plain) {
	return func(p *plain) {
		var connections seen
		p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
			connections.twice(r.Header.Get("ce-connectionId"))
			admit(w, r, body)
		}
		p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
			if !connections.has(r.Header.Get("ce-connectionId")) {
				w.WriteHeader(status)
				return
			}
			echo(w, r, body)
		}
	}
}

// Without connect and connected there is less to say.
func TestDeliveryOfMessagesOnly(t *testing.T) {
	options := &check.Options{Only: []string{"delivery"}, Events: []string{"message"}}
	want := map[string]check.Verdict{
		"delivery/duplicate-notification": check.NotJudged,
		"delivery/before-connected":       check.NotJudged,
		"delivery/unknown-connection":     check.NotJudged,
	}
	for _, result := range judged(t, newPlain(), options).Results {
		if verdict := max(want[result.Rule.ID], check.Holds); result.Verdict != verdict {
			t.Errorf("%s: got %q, want %q: %s", result.Rule.ID, result.Verdict, verdict, result.Finding)
		}
	}
}

// A server with a short queue takes few new connections at a time, and the
// system of the client knocks again seconds later.
func TestShortQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialling, late atomic.Int32
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // or else connections that are free take over
			newPlain().ServeHTTP(w, r)
		})
		report := judgedOver(t, "http://handler.test/", h, nil, func(ctx context.Context, dial func() (net.Conn, error)) (net.Conn, error) {
			defer dialling.Add(-1)
			if dialling.Add(1) > 5 {
				late.Add(1)
				select {
				case <-time.After(7 * time.Second):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			} else {
				time.Sleep(time.Millisecond)
			}
			return dial()
		})
		if late.Load() == 0 {
			t.Error("no connection had to wait")
		}
		if got := failed(report); len(got) > 0 {
			t.Errorf("a right handler fails %q", got)
		}
	})
}
