package check_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/check"
)

var onlyHostile = &check.Options{Only: []string{"hostile"}}

// rulesAfter returns the rules of an area that are judged after one of it: when
// a handler is dead since then, they are not.
func rulesAfter(id string) []string {
	var after []string
	found := false
	area, _, _ := strings.Cut(id, "/")
	for _, rule := range check.Rules() {
		if found && rule.Area() == area {
			after = append(after, rule.ID)
		}
		found = found || rule.ID == id
	}
	return after
}

// newMortal returns a right handler in a process that ends when a request kills
// it: no request is answered from then on. The error is that of reading the
// body.
func newMortal(kills func(r *http.Request, body []byte, err error) bool) http.Handler {
	var dead atomic.Bool
	right := newPlain()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if dead.Load() || kills(r, body, err) {
			dead.Store(true)
			panic(http.ErrAbortHandler)
		}
		right.ServeHTTP(w, r)
	})
}

func isConnect(r *http.Request) bool { return r.Header.Get("ce-type") == "azure.webpubsub.sys.connect" }

// Each request ends the process that a handler runs in.
func TestHostileRulesKill(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		kills func(r *http.Request, body []byte, err error) bool
	}{
		{"hostile/broken-json", func(r *http.Request, body []byte, _ error) bool { return isConnect(r) && !json.Valid(body) }},
		{"hostile/broken-json", func(r *http.Request, body []byte, _ error) bool {
			var parsed struct{ Claims, Query, Headers map[string][]string }
			return isConnect(r) && json.Unmarshal(body, &parsed) != nil
		}},
		{"hostile/no-event", func(r *http.Request, _ []byte, _ error) bool {
			return r.Method == http.MethodPost && r.Header.Get("ce-type") == ""
		}},
		{"hostile/no-event", func(r *http.Request, _ []byte, _ error) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "form")
		}},
		{"hostile/odd-headers", func(r *http.Request, _ []byte, _ error) bool { return len(r.Header["Ce-Type"]) > 1 }},
		{"hostile/odd-headers", func(r *http.Request, _ []byte, _ error) bool {
			return strings.Contains(r.Header.Get("Content-Type"), "no-such-charset")
		}},
		{"hostile/odd-headers", func(r *http.Request, _ []byte, _ error) bool { return !utf8.ValidString(r.Header.Get("ce-userId")) }},
		{"hostile/odd-headers", func(r *http.Request, _ []byte, _ error) bool {
			return strings.ContainsAny(r.Header.Get("ce-connectionState"), "% ")
		}},
		{"hostile/large-headers", func(r *http.Request, _ []byte, _ error) bool { return len(r.Header) > 200 }},
		{"hostile/large-headers", func(r *http.Request, _ []byte, _ error) bool { return len(r.Header.Get("ce-userId")) > 4096 }},
		{"hostile/methods", func(r *http.Request, _ []byte, _ error) bool { return r.Method == http.MethodTrace }},
		{"hostile/large-body", func(_ *http.Request, body []byte, _ error) bool { return len(body) > 2<<20 }},
		{"hostile/odd-data", func(_ *http.Request, body []byte, _ error) bool { return bytes.Contains(body, []byte(`\u0000`)) }},
		{"hostile/odd-data", func(_ *http.Request, body []byte, _ error) bool { return bytes.Contains(body, []byte("1e999")) }},
		{"hostile/deep-json", func(_ *http.Request, body []byte, _ error) bool { return bytes.Contains(body, []byte("[[[[[[")) }},
		{"hostile/invalid-text", func(r *http.Request, body []byte, _ error) bool { return !utf8.Valid(body) }},
		{"hostile/own-names", func(_ *http.Request, body []byte, _ error) bool { return bytes.Contains(body, []byte("__proto__")) }},
		{"hostile/cut-off", func(_ *http.Request, _ []byte, err error) bool { return err != nil }},
		{"hostile/certificate", func(_ *http.Request, body []byte, _ error) bool {
			return bytes.Contains(body, []byte("not a certificate"))
		}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			wantVerdicts(t, newMortal(tt.kills), onlyHostile, []string{tt.rule}, rulesAfter(tt.rule))
		})
	}
}

// readBefore returns a handler that hands the body to a step before anything
// else; true means that the step has answered.
func readBefore(step func(w http.ResponseWriter, r *http.Request, body []byte) bool) http.Handler {
	right := newPlain()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !step(w, r, body) {
			right.ServeHTTP(w, r)
		}
	})
}

func TestHostileRules(t *testing.T) {
	oneAtATime := sync.OnceValue(func() chan struct{} { return make(chan struct{}, 1) }) // made in the bubble
	settings := map[string]string{}                                                      // shared by all clients
	var mu sync.Mutex
	for _, tt := range []struct {
		name        string
		handler     http.Handler
		fails, open []string
	}{
		{"500 on JSON that is broken, before anything else", readBefore(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			broken := isConnect(r) && !json.Valid(body)
			if broken {
				w.WriteHeader(500)
			}
			return broken
		}), []string{"hostile/refusal"}, nil},
		{"closes the connection without headers of an event", readBefore(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method == http.MethodPost && r.Header.Get("ce-type") == "" {
				panic(http.ErrAbortHandler)
			}
			return false
		}), []string{"hostile/refusal"}, nil},
		{"does not know a method", readBefore(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method == http.MethodPut {
				w.WriteHeader(501)
			}
			return r.Method == http.MethodPut
		}), nil, nil},
		{"500 for all that is wrongly signed", newPlain(func(p *plain) {
			p.verify = func(r *http.Request) int {
				if verify(r) != 0 {
					return 500
				}
				return 0
			}
		}), nil, []string{"hostile/refusal"}},
		{"waits for what is no event", readBefore(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
			if strings.Contains(r.Header.Get("Content-Type"), "form") {
				hang(nil, r, nil)
			}
			return false
		}), []string{"hostile/no-event"}, nil},
		{"500 on NUL", newPlain(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if bytes.Contains(body, []byte(`\u0000`)) {
					w.WriteHeader(500)
					return
				}
				echo(w, r, body)
			}
		}), []string{"hostile/data-fault"}, nil},
		{"closes the connection on NUL", newPlain(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if bytes.Contains(body, []byte(`\u0000`)) {
					panic(http.ErrAbortHandler)
				}
				echo(w, r, body)
			}
		}), []string{"hostile/odd-data"}, []string{"hostile/data-fault"}},
		{"400 on JSON", newPlain(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
					w.WriteHeader(400)
					return
				}
				echo(w, r, body)
			}
		}), nil, nil},
		{"500 on JSON", newPlain(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
					w.WriteHeader(500)
					return
				}
				echo(w, r, body)
			}
		}), nil, []string{"hostile/odd-data", "hostile/deep-json", "hostile/data-fault"}},
		{"hangs on a bad certificate", newPlain(func(p *plain) {
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if bytes.Contains(body, []byte("BEGIN CERTIFICATE")) {
					hang(w, r, body)
					return
				}
				admit(w, r, body)
			}
		}), []string{"hostile/certificate"}, nil},
		{"one at a time", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			oneAtATime() <- struct{}{}
			defer func() { <-oneAtATime() }()
			newPlain().ServeHTTP(w, r)
		}), []string{"hostile/slow-sender"}, nil},
		{"settings of one client for all", newPlain(func(p *plain) {
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				mu.Lock()
				defer mu.Unlock()
				var client struct{ Query map[string][]string }
				_ = json.Unmarshal(body, &client)
				for name, values := range client.Query {
					settings[name] = values[0]
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"userId": "alice", "settings": settings})
			}
		}), []string{"hostile/own-names"}, nil},
		{"locked out by a name", newPlain(func(p *plain) {
			var locked atomic.Bool
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if locked.Load() {
					w.WriteHeader(403)
					return
				}
				locked.Store(bytes.Contains(body, []byte("constructor")))
				admit(w, r, body)
			}
		}), []string{"hostile/own-names"}, nil},
		{"silent after a name in data", newPlain(func(p *plain) {
			var locked atomic.Bool
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if locked.Load() {
					w.WriteHeader(403)
					return
				}
				locked.Store(bytes.Contains(body, []byte("__proto__")))
				echo(w, r, body)
			}
		}), []string{"hostile/own-names"}, nil},
		{"a ticket for one client", newPlain(func(p *plain) {
			var used atomic.Bool
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if used.Swap(true) {
					w.WriteHeader(403)
					return
				}
				admit(w, r, body)
			}
		}), nil, nil},
		{"no answer to any event", newPlain(func(p *plain) {
			p.connect, p.message = hang, hang
		}), nil, append(rulesAfter("hostile/broken-json"), "hostile/broken-json")},
	} {
		t.Run(tt.name, func(t *testing.T) { wantVerdicts(t, tt.handler, onlyHostile, tt.fails, tt.open) })
	}
}
