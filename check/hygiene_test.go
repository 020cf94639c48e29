package check_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var onlyHygiene = &check.Options{Only: []string{"hygiene"}}

// reject returns a right handler but for its answer to a wrong signature.
func reject(answer func(w http.ResponseWriter, r *http.Request)) http.Handler {
	right := newPlain()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && verify(r) != 0 {
			answer(w, r)
			return
		}
		right.ServeHTTP(w, r)
	})
}

func rightSignature(r *http.Request) string {
	mac := hmac.New(sha256.New, []byte(upstreamtest.AccessKey))
	_, _ = io.WriteString(mac, r.Header.Get("ce-connectionId"))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestHygieneRules(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.Handler
		fails   []string
	}{
		{"the configuration on a page of errors", reject(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "WebPubSubConnectionString=Endpoint=https://demo.example;AccessKey="+upstreamtest.AccessKey)
		}), []string{"hygiene/access-key"}},
		{"the key in a header", newPlain(func(p *plain) {
			p.handshake = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Debug", upstreamtest.AccessKey)
				consent(w, r)
			}
		}), []string{"hygiene/access-key"}},
		{"expected and got", reject(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			_, _ = fmt.Fprintf(w, "expected %s, got %s", rightSignature(r), r.Header.Get("ce-signature"))
		}), []string{"hygiene/signature"}},
		{"the headers of the event in the reply", newPlain(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, _ []byte) {
				w.Header().Set("Content-Type", "text/plain")
				_ = r.Header.Write(w)
			}
		}), []string{"hygiene/signature"}},
		{"the wrong signature", reject(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, "not a signature: "+r.Header.Get("ce-signature"))
		}), nil},
		{"much to say", reject(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, strings.Repeat("Go away! ", 10_000))
		}), []string{"hygiene/amplification"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := judged(t, tt.handler, onlyHygiene)
			wantVerdicts(t, tt.handler, onlyHygiene, tt.fails, nil)
			for _, result := range report.Results {
				if result.Verdict == check.Fails && result.Rule.Severity == check.Must && strings.Contains(fmt.Sprint(result), upstreamtest.AccessKey) {
					t.Errorf("%s repeats the key", result.Rule.ID)
				}
			}
		})
	}
}

// stackTraces are what servers of many kinds answer in their debug modes.
var stackTraces = map[string]string{
	"express":     "<pre>SyntaxError: Unexpected token in JSON<br> &nbsp; &nbsp;at JSON.parse (&lt;anonymous&gt;)<br> &nbsp; &nbsp;at parse (/app/node_modules/body-parser/lib/types/json.js:92:19)</pre>",
	"node":        "Error: no\n    at Server.<anonymous> (file:///srv/app/index.mjs:7:13)\n    at node:internal/main:1:1",
	"python":      "Traceback (most recent call last):\n  File \"/srv/app.py\", line 3, in main\nKeyError: 'x'",
	"django":      "<li>File &quot;/srv/app/views.py&quot;, line 12, in handle</li>",
	"java":        "java.lang.IllegalStateException: no\n\tat com.example.App.handle(App.java:12)\n\tat java.base/java.lang.Thread.run(Thread.java:840)",
	"kotlin":      "\tat com.example.AppKt$main$1.invokeSuspend(App.kt:31)",
	"asp.net":     "System.InvalidOperationException: no\r\n   at Chat.Hub.OnConnect(ConnectEventRequest request) in C:\\src\\Hub.cs:line 12",
	"asp.net 2":   "   at Microsoft.AspNetCore.Http.RequestDelegate.Invoke(HttpContext context)",
	"go":          "panic: no\n\ngoroutine 18 [running]:\nmain.handle(0xc000)\n\t/srv/main.go:12 +0x1d",
	"php":         "<b>Fatal error</b>:  Uncaught Exception in /var/www/index.php:12",
	"php warning": "<b>Warning</b>: Undefined array key in <b>/var/www/index.php</b> on line <b>12</b>",
	"ruby":        "app.rb:12:in `handle': no (RuntimeError)",
}

func TestStackTraces(t *testing.T) {
	for name, text := range stackTraces {
		t.Run(name, func(t *testing.T) {
			h := newPlain(func(p *plain) { p.message = answer(200, text, "Content-Type", "text/plain") })
			wantVerdicts(t, h, onlyHygiene, []string{"hygiene/stack-trace"}, nil)
		})
	}
	for _, text := range []string{
		"", "hello from the check", `{"message":"SyntaxError: Unexpected token at line 3:12"}`, "Meet me at 12:30:00, at Microsoft.com or at System.out", "see main.go:12",
		"index.php is not here", `File "a.txt", line 12`, "at https://example.com:8080/path", "the goroutine 7 is late",
	} {
		h := newPlain(func(p *plain) { p.message = answer(200, text, "Content-Type", "text/plain") })
		for _, result := range judged(t, h, onlyHygiene).Results {
			if result.Verdict == check.Fails {
				t.Errorf("%q: %s", text, result.Finding)
			}
		}
	}
}

func TestShortKeyIsNotLookedFor(t *testing.T) {
	options := &check.Options{Only: []string{"hygiene/access-key"}, AccessKey: "chat"}
	results := judged(t, newPlain(), options).Results
	if !slices.ContainsFunc(results, func(r check.Result) bool { return r.Verdict == check.NotJudged }) {
		t.Errorf("got %v, want the rule not judged", results)
	}
}
