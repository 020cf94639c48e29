package inspector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
)

func ask(i *Inspector, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequest(method, "http://localhost:8080"+path, nil))
	return w
}

// resendable makes an entry one that can be sent again, by send.
func resendable(i *Inspector, id uint64, send func()) {
	i.store.entries[id].x.resend = send
}

func TestServeHTTP(t *testing.T) {
	const unknown = `{"error":"there is no such entry, or it is no longer kept"}`
	tests := []struct {
		name         string
		method, path string
		status       int
		want         string // of the body; a prefix where it ends in …
	}{
		{"an entry", "GET", "/inspector/entries/1", 200, `{"summary":{"id":1,"kind":"event",…`},
		{"its headers only", "HEAD", "/inspector/entries/1", 200, "…"},
		{"an unknown entry", "GET", "/inspector/entries/9", 404, unknown},
		{"no number", "GET", "/inspector/entries/x", 404, unknown},
		{"a number that is too large", "GET", "/inspector/entries/18446744073709551616", 404, unknown},
		{"an entry cannot be changed", "PUT", "/inspector/entries/1", 405, `{"error":"the method has to be GET, HEAD"}`},

		{"again", "POST", "/inspector/entries/2/again", 202, `{}`},
		{"again what cannot be sent", "POST", "/inspector/entries/1/again", 409, `{"error":"only an event that was sent can be sent again"}`},
		{"again what is unknown", "POST", "/inspector/entries/9/again", 404, unknown},
		{"again is no question", "GET", "/inspector/entries/2/again", 405, `{"error":"the method has to be POST"}`},

		{"cut", "POST", "/inspector/connections/chat/c1/cut", 204, ""},
		{"cut with odd names", "POST", "/inspector/connections/a%2Fb/c%2F%3F1/cut", 204, ""},
		{"cut what is not there", "POST", "/inspector/connections/chat/c2/cut", 404, `{"error":"there is no such connection"}`},
		{"cut is no question", "GET", "/inspector/connections/chat/c1/cut", 405, `{"error":"the method has to be POST"}`},

		{"clear", "DELETE", "/inspector/entries", 204, ""},
		{"the list has only a stream", "GET", "/inspector/entries", 405, `{"error":"the method has to be DELETE"}`},
		{"a stream has no other form", "POST", "/inspector/stream", 405, `{"error":"the method has to be GET"}`},

		{"a file", "GET", "/inspector/theme.css", 200, "…"},
		{"no file", "GET", "/inspector/nothing.css", 404, "…"},
		{"files cannot be sent", "POST", "/inspector/theme.css", 405, `{"error":"the method has to be GET, HEAD"}`},
		{"the page, without its slash", "GET", "/inspector", 307, "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInspector(t, &Options{Cut: func(hub, id string) bool {
				return hub == "chat" && id == "c1" || hub == "a/b" && id == "c/?1"
			}})
			observe(i, event(1, "a"), event(2, "b"))
			resendable(i, 2, func() {})
			w := ask(i, tt.method, tt.path)
			if got := w.Code; got != tt.status {
				t.Errorf("status: got %d, want %d", got, tt.status)
			}
			got := w.Body.String()
			if want, partly := strings.CutSuffix(tt.want, "…"); partly && !strings.HasPrefix(got, want) || !partly && got != tt.want {
				t.Errorf("body: got %q, want %q", got, tt.want)
			}
			if allow := w.Header().Get("Allow"); tt.status == 405 && !strings.HasSuffix(tt.want, "has to be "+allow+`"}`) {
				t.Errorf("Allow: got %q, want what the error says: %s", allow, tt.want)
			}
			if strings.HasPrefix(got, "{") {
				if got, want := w.Header().Get("Content-Type"), "application/json"; got != want {
					t.Errorf("Content-Type: got %q, want %q", got, want)
				}
				if got, want := w.Header().Get("Cache-Control"), "no-store"; got != want {
					t.Errorf("Cache-Control: got %q, want %q", got, want)
				}
			}
		})
	}
}

func TestPageHasItsSlash(t *testing.T) {
	w := ask(newInspector(t, nil), "GET", "/inspector")
	if got, want := w.Header().Get("Location"), "/inspector/"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClearOverHTTP(t *testing.T) {
	i := newInspector(t, nil)
	observe(i, event(1, "a"))
	ask(i, "DELETE", "/inspector/entries")
	if got := listed(i.store); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestCutWithoutService(t *testing.T) {
	w := ask(newInspector(t, nil), "POST", "/inspector/connections/chat/c1/cut")
	if got, want := w.Code, http.StatusNotFound; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// An answer is not waited for, there are not too many at a time, and Close
// leaves none behind.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(nil)
		observe(i, ended(event(1, "a")))
		var sent, over atomic.Int32
		resendable(i, 1, func() {
			sent.Add(1)
			time.Sleep(time.Second)
			over.Add(1)
		})
		status := func() int {
			defer synctest.Wait()
			return ask(i, "POST", "/inspector/entries/1/again").Code
		}
		for range maxResends {
			if got, want := status(), http.StatusAccepted; got != want {
				t.Fatalf("got %d, want %d", got, want)
			}
		}
		if got, want := status(), http.StatusTooManyRequests; got != want || sent.Load() != maxResends {
			t.Errorf("one too many: got %d and %d sent, want %d and %d", got, sent.Load(), want, maxResends)
		}
		time.Sleep(2 * time.Second)
		if got, want := status(), http.StatusAccepted; got != want {
			t.Errorf("later: got %d, want %d", got, want)
		}
		start := time.Now()
		i.Close()
		if got := time.Since(start); got != time.Second || over.Load() != sent.Load() {
			t.Errorf("closed after %v with %d of %d over, want 1s and all", got, over.Load(), sent.Load())
		}
		for range maxResends + 1 {
			if got, want := status(), http.StatusServiceUnavailable; got != want {
				t.Errorf("after Close: got %d, want %d", got, want)
			}
		}
	})
}

// What is kept of an exchange can be shown whatever is in it.
func TestHostileContent(t *testing.T) {
	hostile := "</script><img src=x onerror=alert(1)>\u2028\x00\xff\"'"
	x := ended(event(1, hostile))
	x.ConnectionID, x.UserID, x.Event, x.Hint, x.StateBefore = hostile, hostile, hostile, hostile, hostile
	x.Err = fmt.Errorf("%s", hostile)
	x.URL = "http://localhost:3000/" + hostile
	x.Header = http.Header{"Ce-Userid": {hostile}, hostile: {hostile}}
	x.Body, x.Answer = []byte(hostile), []byte(hostile)
	i := newInspector(t, nil)
	observe(i, x, changed(apiCall(2, hostile), func(x *emulator.Exchange) { x.URL = hostile }))
	for _, id := range []int{1, 2} {
		var d map[string]any
		w := ask(i, "GET", fmt.Sprint("/inspector/entries/", id))
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
			t.Errorf("%d: %v", id, err)
		}
		if command, ok := d["curl"]; ok {
			t.Errorf("%d: there is a command: %s", id, command)
		}
	}
}
