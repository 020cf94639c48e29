package check_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

func TestOriginRules(t *testing.T) {
	restricted := []string{"origin/foreign", "origin/missing", "origin/look-alike"}
	for _, tt := range []struct {
		name        string
		isOurs      func(r *http.Request) bool
		handshake   func(w http.ResponseWriter, r *http.Request)
		fails, open []string
	}{
		{"the header as a whole", func(r *http.Request) bool { return isOurs(r.Header.Get("WebHook-Request-Origin")) }, consent, []string{"origin/several"}, nil},
		{"the first of several", func(r *http.Request) bool { return slices.IndexFunc(origins(r), isOurs) == 0 }, consent, []string{"origin/several"}, nil},
		{"case", func(r *http.Request) bool { return slices.Contains(origins(r), "localhost") }, consent, []string{"origin/case"}, nil},
		{"any", func(r *http.Request) bool { return len(origins(r)) > 0 }, consent, []string{"origin/foreign"}, []string{"origin/look-alike"}},
		{"not compared", func(*http.Request) bool { return true }, consent, []string{"origin/foreign"}, []string{"origin/missing", "origin/look-alike"}},
		{"none", func(r *http.Request) bool { return len(origins(r)) == 0 || slices.ContainsFunc(origins(r), isOurs) }, consent, []string{"origin/missing"}, nil},
		{"beginning", func(r *http.Request) bool {
			return slices.ContainsFunc(origins(r), func(origin string) bool { return strings.HasPrefix(strings.ToLower(origin), "localhost") })
		}, consent, []string{"origin/look-alike"}, nil},
		{"end", func(r *http.Request) bool {
			return slices.ContainsFunc(origins(r), func(origin string) bool { return strings.HasSuffix(strings.ToLower(origin), "localhost") })
		}, consent, []string{"origin/look-alike"}, nil},
		{"open to all", func(*http.Request) bool { return true }, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WebHook-Allowed-Origin", "*")
		}, nil, restricted},
		{"no consent", func(*http.Request) bool { return true }, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) }, nil, restricted},
		{"never", func(*http.Request) bool { return false }, consent, nil, append(restricted, "origin/several", "origin/case")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newPlain(func(p *plain) {
				p.handshake = tt.handshake
				p.verify = func(r *http.Request) int {
					if !tt.isOurs(r) {
						return http.StatusForbidden
					}
					return okIf(slices.Contains(tokens(r), right(r)))
				}
			})
			wantVerdicts(t, h, &check.Options{Only: []string{"origin"}}, tt.fails, tt.open)
		})
	}
}
