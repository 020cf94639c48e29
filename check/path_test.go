package check_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gowebpubsub/webpubsub/check"
)

var onlyPath = &check.Options{Only: []string{"path"}}

// atPath returns a right handler at one path, and another at all others.
func atPath(path string, elsewhere http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			elsewhere(w, r)
			return
		}
		newPlain().ServeHTTP(w, r)
	})
}

func TestPathRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		handler     http.Handler
		fails, open []string
	}{
		{"404", atPath("/eventhandler", http.NotFound), []string{"path/slash"}, nil},
		{"redirect", atPath("/eventhandler", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/eventhandler", http.StatusPermanentRedirect)
		}), []string{"path/slash"}, nil},
		{"events are elsewhere", atPath("/eventhandler", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.NotFound(w, r)
				return
			}
			consent(w, r)
		}), []string{"path/slash"}, nil},
		{"the target itself is elsewhere", atPath("/eventhandler/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/eventhandler/", http.StatusMovedPermanently)
		}), nil, []string{"path/slash", "path/method"}},
		{"consents to events", front(func(w http.ResponseWriter, r *http.Request, _ http.Handler) { consent(w, r) })(), []string{"path/method"}, nil},
		{"consents in all answers", front(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("WebHook-Allowed-Origin", "*")
			next.ServeHTTP(w, r)
		})(), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) { wantVerdicts(t, tt.handler, onlyPath, tt.fails, tt.open) })
	}
}

func TestPathOfTargets(t *testing.T) {
	for target, want := range map[string]check.Verdict{
		"http://handler.test/":                     check.NotJudged,
		"http://handler.test":                      check.NotJudged,
		"http://handler.test/api?code=secret":      check.NotJudged,
		"http://handler.test/hubs/{hub}/{event}":   check.NotJudged,
		"http://handler.test/hubs/{hub}/{event}/":  check.NotJudged,
		"http://handler.test/eventhandler/":        check.Fails,
		"http://handler.test/hubs/{hub}/events":    check.Fails,
		"http://handler.test/{event}/eventhandler": check.Fails,
	} {
		path := strings.NewReplacer("http://handler.test", "", "{hub}", "chat").Replace(target)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := strings.NewReplacer("validate", "{event}", "connected", "{event}", "disconnected", "{event}", "connect", "{event}", "message", "{event}").Replace(r.URL.Path)
			if strings.HasSuffix(got, "/") != strings.HasSuffix(path, "/") && path != "" && !strings.HasSuffix(path, "}") {
				http.NotFound(w, r)
				return
			}
			newPlain().ServeHTTP(w, r)
		})
		synctest.Test(t, func(t *testing.T) {
			for _, result := range judgedAt(t, target, h, &check.Options{Only: []string{"path/slash"}}).Results {
				if result.Verdict != want {
					t.Errorf("%s: got %q, want %q: %s", target, result.Verdict, want, result.Finding)
				}
			}
		})
	}
}
