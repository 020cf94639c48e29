package check_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// The rules about lifecycle events that rest on these being answered.
var afterAnswered = []string{"notification/accepted", "notification/prompt", "notification/state"}

// The rules that rest on disconnected being answered.
var afterDisconnected = slices.Concat(afterAnswered, []string{"notification/reason", "notification/no-reason", "notification/unseen"})

func TestNotificationRules(t *testing.T) {
	const connected, disconnected = upstreamtest.TypeConnected, upstreamtest.TypeDisconnected
	for _, tt := range []struct {
		name         string
		notification step
		fails, open  []string
	}{
		{"error", answer(500, ""), []string{"notification/answered"}, append(afterDisconnected, "notification/unknown-types")},
		{"connected fails", of(answer(503, ""), connected), []string{"notification/answered"}, afterAnswered},
		{"disconnected fails", of(answer(500, ""), disconnected), []string{"notification/answered"}, afterDisconnected},
		{"redirect", answer(302, "", "Location", "/elsewhere"), []string{"notification/answered"}, append(afterDisconnected, "notification/unknown-types")},
		{"hangs", hang, []string{"notification/answered"}, append(afterDisconnected, "notification/unknown-types")},
		{"connected hangs", of(hang, connected), []string{"notification/answered"}, append(afterDisconnected, "notification/unknown-types")},
		{"disconnected hangs", of(hang, disconnected), []string{"notification/answered"}, append(afterDisconnected, "notification/unknown-types")},
		{"null breaks it", unlessReason(func(reason any) bool { return reason == nil }), []string{"notification/reason"}, nil},
		{"empty text breaks it", unlessReason(func(reason any) bool { return reason == "" }), []string{"notification/reason"}, nil},
		{"long text breaks it", unlessReason(func(reason any) bool { text, _ := reason.(string); return len(text) > 1000 }), []string{"notification/reason"}, nil},
		{"absence breaks it", unlessReason(func(reason any) bool { return reason == "absent" }), []string{"notification/no-reason"}, nil},
		{"refused", of(answer(404, ""), connected, disconnected), []string{"notification/accepted"}, nil},
		{"slow", of(func(w http.ResponseWriter, _ *http.Request, _ []byte) { time.Sleep(1500 * time.Millisecond) }, connected), []string{"notification/prompt"}, nil},
		{"state", answer(200, "", "ce-connectionState", "e30="), []string{"notification/state"}, nil},
		{"groups break it", of(answer(500, ""), upstreamtest.TypeGroupLeft), []string{"notification/unknown-types"}, nil},
		{"the future breaks it", of(answer(500, ""), "azure.webpubsub.sys.future"), []string{"notification/unknown-types"}, nil},
		{"unknown types", unlessOf(answer(404, ""), connected, disconnected), nil, nil},
		{"unknown types hang", unlessOf(hang, connected, disconnected), []string{"notification/unknown-types"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := &check.Options{Only: []string{"notification"}}
			wantVerdicts(t, newPlain(func(p *plain) { p.notification = tt.notification }), options, tt.fails, tt.open)
		})
	}
}

func TestNotificationOfUnseen(t *testing.T) {
	var seen sync.Map
	id := func(r *http.Request) string { return r.Header.Get("ce-connectionId") }
	h := newPlain(func(p *plain) {
		p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
			seen.Store(id(r), true)
			admit(w, r, body)
		}
		p.notification = func(w http.ResponseWriter, r *http.Request, body []byte) {
			if _, ok := seen.Load(id(r)); !ok {
				w.WriteHeader(500)
			}
		}
	})
	wantVerdicts(t, h, &check.Options{Only: []string{"notification"}}, []string{"notification/unseen"}, nil)
}

func TestNotificationOptions(t *testing.T) {
	all := slices.Concat([]string{"notification/answered", "notification/unknown-types"}, afterDisconnected)
	for _, tt := range []struct {
		name        string
		options     check.Options
		handler     *plain
		fails, open []string
	}{
		{"nobody gets in", check.Options{}, newPlain(func(p *plain) { p.connect = answer(401, "") }), nil, all},
		{"refused as all else", check.Options{Events: []string{"connected"}}, newPlain(func(p *plain) { p.verify = func(*http.Request) int { return 401 } }), nil, []string{"notification/accepted"}},
		{"groups", check.Options{Events: []string{"connected", "joined", "left"}}, newPlain(func(p *plain) { p.notification = of(answer(500, ""), upstreamtest.TypeGroupJoined) }), []string{"notification/answered"}, afterAnswered},
		{"only connected", check.Options{Events: []string{"connect", "connected"}}, newPlain(func(p *plain) { p.notification = of(answer(500, ""), upstreamtest.TypeDisconnected) }), nil, nil},
		{"no lifecycle", check.Options{Events: []string{"message"}}, newPlain(func(p *plain) { p.notification = answer(500, "") }), []string{"notification/unknown-types"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Only = []string{"notification"}
			wantVerdicts(t, tt.handler, &tt.options, tt.fails, tt.open)
		})
	}
}

// A ticket may be good for one client only: no rule may take a refusal of the
// next client for a fault.
func TestOneClientOnly(t *testing.T) {
	for _, events := range [][]string{{"connect"}, check.DefaultEvents()} {
		admitted := false
		h := newPlain(func(p *plain) {
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if admitted {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				admitted = true
				admit(w, r, body)
			}
		})
		options := &check.Options{Only: []string{"notification", "header", "signature", "origin"}, Events: events, UserID: "bob"}
		for _, result := range judged(t, h, options).Results {
			if result.Verdict == check.Fails {
				t.Errorf("%s fails: %s", result.Rule.ID, result.Finding)
			}
		}
	}
}

// of does this step for events of these types only.
func of(do step, types ...string) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		if ofType(types...)(r) {
			do(w, r, body)
			return
		}
		noContent(w, r, body)
	}
}

// unlessOf does this step for events of other types only.
func unlessOf(do step, types ...string) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		if ofType(types...)(r) {
			noContent(w, r, body)
			return
		}
		do(w, r, body)
	}
}

// unlessReason breaks on reasons of disconnected. One that is not there is
// "absent".
func unlessReason(breaks func(reason any) bool) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		said := map[string]any{"reason": "absent"}
		if err := json.Unmarshal(body, &said); err != nil || strings.HasSuffix(r.Header.Get("ce-type"), ".disconnected") && breaks(said["reason"]) {
			w.WriteHeader(500)
			return
		}
		w.WriteHeader(204)
	}
}
