package check_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func verdictOf(t *testing.T, r *check.Report, id string) check.Result {
	t.Helper()
	i := slices.IndexFunc(r.Results, func(result check.Result) bool { return result.Rule.ID == id })
	if i < 0 {
		t.Fatalf("there is no result of %s", id)
	}
	return r.Results[i]
}

// failed returns the musts that fail.
func failed(r *check.Report) (ids []string) {
	for _, result := range r.Results {
		if result.Verdict == check.Fails && result.Rule.Severity == check.Must {
			ids = append(ids, result.Rule.ID)
		}
	}
	return ids
}

func believes(p *plain) { p.verify = func(*http.Request) int { return 0 } }

// What a handler does with one kind of attack does not hide what it does with
// another.
func TestHangsDoNotHideForgeries(t *testing.T) {
	h := newPlain(believes, func(p *plain) {
		p.handshake = func(w http.ResponseWriter, r *http.Request) {
			if !slices.ContainsFunc(origins(r), isOurs) {
				hang(w, r, nil)
			}
			consent(w, r)
		}
	})
	r := judged(t, h, nil)
	if got := verdictOf(t, r, "signature/missing"); got.Verdict != check.Fails || r.OK() {
		t.Errorf("got %q, OK %v: %s", got.Verdict, r.OK(), got.Finding)
	}
}

// A limit of a handler is neither a refusal of a forgery nor a fault.
func TestLimitedHandlers(t *testing.T) {
	limited := func(perSecond int, next http.Handler) http.Handler {
		var mu sync.Mutex
		var recent []time.Time
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now := time.Now()
			recent = slices.DeleteFunc(recent, func(t time.Time) bool { return now.Sub(t) > time.Second })
			over := len(recent) >= perSecond
			if !over {
				recent = append(recent, now)
			}
			mu.Unlock()
			if over {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	for _, perSecond := range []int{5, 20, 50} {
		if r := judged(t, limited(perSecond, newPlain(believes)), nil); r.OK() {
			t.Errorf("%d in a second: a handler that verifies nothing is called right", perSecond)
		}
		r := judged(t, limited(perSecond, newPlain()), &check.Options{MaxDuration: time.Hour})
		if got := failed(r); len(got) > 0 {
			t.Errorf("%d in a second: a right handler fails %q", perSecond, got)
		}
	}
}

// A connection that breaks now and then is no fault: the service tries again.
func TestBrokenConnections(t *testing.T) {
	var n atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%9 == 0 {
			panic(http.ErrAbortHandler)
		}
		newPlain().ServeHTTP(w, r)
	})
	r := judged(t, h, &check.Options{Skip: []string{"delivery", "hostile/cut-off"}})
	if got := failed(r); len(got) > 0 {
		t.Errorf("a right handler fails %q", got)
	}
}

// An answer that switches protocols has no end.
func TestSwitchingProtocols(t *testing.T) {
	h := newPlain(func(p *plain) {
		p.message = func(w http.ResponseWriter, r *http.Request, _ []byte) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
		}
	})
	if got := verdictOf(t, judged(t, h, nil), "event/answer"); got.Verdict != check.Fails {
		t.Errorf("got %q: %s", got.Verdict, got.Finding)
	}
}

// A report is fit for the log of a build server, whatever the handler says.
func TestReportsKeepSecrets(t *testing.T) {
	secrets := []string{upstreamtest.AccessKey, "header-s3cret", "query s3cret", url.QueryEscape("query s3cret")}
	tell := strings.Join(secrets, " ")
	for name, h := range map[string]http.Handler{
		"in a reply": newPlain(func(p *plain) { p.message = answer(200, "{"+tell, "Content-Type", "application/json", "X-Debug", tell) }),
		"in a type":  newPlain(func(p *plain) { p.message = answer(200, "x", "Content-Type", tell) }),
		"in redirects": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other?"+r.URL.RawQuery, http.StatusPermanentRedirect)
		}),
	} {
		r := judgedAt(t, "http://handler.test/e?code=query+s3cret", h, &check.Options{Header: http.Header{"X-Key": {"header-s3cret"}}})
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s: the report shows %q", name, secret)
			}
		}
	}
}

// A client that is refused is no fault, and no verdict either.
func TestRefusedClient(t *testing.T) {
	r := judged(t, newPlain(func(p *plain) { p.connect = answer(403, "members only", "Content-Type", "text/plain") }), nil)
	if got := failed(r); len(got) > 0 || r.OK() || !r.Inconclusive() {
		t.Errorf("fails %q, OK %v, inconclusive %v", got, r.OK(), r.Inconclusive())
	}
	r = judged(t, newPlain(func(p *plain) { p.connect = answer(403, "", "Content-Type", "text/plain") }), &check.Options{Events: []string{"message"}})
	if !r.OK() {
		t.Errorf("a handler that is not said to serve connect is not called right: fails %q", failed(r))
	}
}

// Who keeps a list of clients has nobody on it in the end, also when it takes no
// event twice.
func TestNobodyIsLeft(t *testing.T) {
	there, seen := map[string]bool{}, map[string]bool{}
	var mu sync.Mutex
	h := newPlain()
	watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, event := r.Header.Get("ce-connectionId"), r.Header.Get("ce-type")
		if r.Method == http.MethodPost && h.verify(r) == 0 {
			mu.Lock()
			if key := id + "/" + r.Header.Get("ce-id"); !seen[key] {
				seen[key] = true
				switch event {
				case upstreamtest.TypeConnect:
					there[id] = true
				case upstreamtest.TypeDisconnected:
					delete(there, id)
				}
			}
			mu.Unlock()
		}
		h.ServeHTTP(w, r)
	})
	judged(t, watched, nil)
	if len(there) > 0 {
		t.Errorf("%d clients are left", len(there))
	}
}
