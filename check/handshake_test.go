package check_test

import (
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

var quiet = log.New(io.Discard, "", 0)

// The rules that rest on consent.
var afterConsent = []string{
	"handshake/several-origins", "handshake/case", "handshake/header-case", "handshake/look-alike", "handshake/any-origin", "handshake/get", "handshake/prompt",
}

func TestHandshakeRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		handshake   func(w http.ResponseWriter, r *http.Request)
		fails, open []string
	}{
		{"no OPTIONS", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) }, []string{"handshake/consent"}, afterConsent},
		{"no header", func(http.ResponseWriter, *http.Request) {}, []string{"handshake/consent"}, afterConsent},
		{"wrong header", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WebHook-Request-Origin", r.Header.Get("WebHook-Request-Origin"))
		}, []string{"handshake/consent"}, afterConsent},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		}, []string{"handshake/consent"}, afterConsent},
		{"URL instead of a host", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WebHook-Allowed-Origin", "https://elsewhere.example")
		}, []string{"handshake/consent"}, afterConsent},
		{"the whole list", func(w http.ResponseWriter, r *http.Request) {
			for _, origin := range origins(r) {
				if isOurs(origin) {
					w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
				}
			}
		}, []string{"handshake/several-origins"}, nil},
		{"case", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("WebHook-Request-Origin"), "localhost") {
				consent(w, r)
			}
		}, []string{"handshake/case"}, nil},
		{"prefix", func(w http.ResponseWriter, r *http.Request) {
			for _, origin := range origins(r) {
				if strings.HasPrefix(strings.ToLower(origin), "localhost") {
					w.Header().Add("WebHook-Allowed-Origin", origin)
				}
			}
		}, []string{"handshake/look-alike"}, nil},
		{"anybody", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("WebHook-Allowed-Origin", "*") }, []string{"handshake/any-origin"}, []string{"handshake/case", "handshake/look-alike"}},
		{"echoes any", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Webhook-Allowed-Origin"] = origins(r)
		}, []string{"handshake/any-origin"}, []string{"handshake/case", "handshake/look-alike"}},
		{"* for what includes ours", func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(strings.ToLower(r.Header.Get("WebHook-Request-Origin")), "localhost") {
				w.WriteHeader(403)
				return
			}
			w.Header().Set("WebHook-Allowed-Origin", "*")
		}, []string{"handshake/look-alike"}, nil},
		{"with a port", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WebHook-Allowed-Origin", "localhost:8080")
		}, []string{"handshake/consent"}, afterConsent},
		{"hangs on others", func(w http.ResponseWriter, r *http.Request) {
			if !slices.ContainsFunc(origins(r), isOurs) {
				<-r.Context().Done()
				return
			}
			consent(w, r)
		}, []string{"handshake/look-alike"}, nil},
		{"no GET", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(405)
				return
			}
			consent(w, r)
		}, []string{"handshake/get"}, nil},
		{"GET only", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				w.WriteHeader(404)
				return
			}
			consent(w, r)
		}, nil, nil},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(1100 * time.Millisecond)
			consent(w, r)
		}, []string{"handshake/prompt"}, nil},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, []string{"handshake/consent"}, afterConsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := &check.Options{Only: []string{"handshake"}}
			wantVerdicts(t, newPlain(func(p *plain) { p.handshake = tt.handshake }), options, tt.fails, tt.open)
		})
	}
}
