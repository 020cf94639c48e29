package check_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

// rude breaks the connection of whoever proves nothing.
func rude(p *plain) {
	p.verify = func(r *http.Request) int {
		if verify(r) == http.StatusUnauthorized {
			panic(http.ErrAbortHandler)
		}
		return verify(r)
	}
}

func long(body []byte) bool { return len(body) > 150_000 }

// What a rule changes is compared with what it does not change.
func TestControls(t *testing.T) {
	cookies := check.Options{Header: http.Header{"Cookie": {"session=1"}}}
	silent := func(p *plain) {
		p.handshake = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		p.verify = func(*http.Request) int { panic(http.ErrAbortHandler) }
	}
	limited := func(p *plain) {
		sent := map[string]int{}
		p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
			if sent[r.Header.Get("ce-connectionId")]++; sent[r.Header.Get("ce-connectionId")] > 2 {
				w.WriteHeader(http.StatusConflict)
				return
			}
			echo(w, r, body)
		}
	}
	lengthy := message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if long(body) {
			hang(w, r, body)
			return
		}
		echo(w, r, body)
	})
	for _, tt := range []struct {
		rule    string
		fault   func(*plain)
		options check.Options
	}{
		{"header/required", rude, check.Options{}},
		{"header/cookie", func(*plain) {}, cookies},
		{"hygiene/access-key", silent, check.Options{}},
		{"hygiene/stack-trace", silent, check.Options{}},
		{"state/empty", limited, check.Options{}},
		{"state/foreign", limited, check.Options{}},
		{"event/large", limited, check.Options{}},
		{"event/protobuf", limited, check.Options{}},
		{"delivery/duplicate", limited, check.Options{}},
		{"hostile/deep-json", lengthy, check.Options{}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			tt.options.Only = []string{tt.rule}
			if result := judged(t, newPlain(tt.fault), &tt.options).Results[0]; result.Verdict != check.NotJudged {
				t.Errorf("got %q: %s", result.Verdict, result.Finding)
			}
		})
	}
}

// The finding names the member whose absence breaks the handler.
func TestMissingMember(t *testing.T) {
	h := newPlain(func(p *plain) {
		p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
			if !strings.Contains(string(body), `"query"`) {
				w.WriteHeader(500)
				return
			}
			admit(w, r, body)
		}
	})
	result := judged(t, h, &check.Options{Only: []string{"connect/missing-members"}}).Results[0]
	if want := "a client without query got 500 Internal Server Error, want 2xx or 4xx"; result.Finding != want {
		t.Errorf("got %q, want %q", result.Finding, want)
	}
}
