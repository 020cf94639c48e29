package check_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/internal/memnet"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A plain handler is written by hand, without package upstream, and does all as
// it should. Tests replace one step of it by a wrong one.
type plain struct {
	handshake    func(w http.ResponseWriter, r *http.Request)
	verify       func(r *http.Request) (status int) // 0 to go on
	read         func(w http.ResponseWriter, r *http.Request) ([]byte, error)
	connect      func(w http.ResponseWriter, r *http.Request, body []byte)
	message      func(w http.ResponseWriter, r *http.Request, body []byte)
	notification func(w http.ResponseWriter, r *http.Request, body []byte)
	unknown      func(w http.ResponseWriter, r *http.Request, body []byte)
}

// newPlain returns a plain handler, changed by faults.
func newPlain(faults ...func(*plain)) *plain {
	p := &plain{
		handshake: consent,
		verify:    verify,
		read: func(w http.ResponseWriter, r *http.Request) ([]byte, error) {
			return io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
		},
		connect:      admit,
		message:      echo,
		notification: noContent,
		unknown:      noContent,
	}
	for _, fault := range faults {
		fault(p)
	}
	return p
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodOptions, http.MethodGet:
		p.handshake(w, r)
		return
	case http.MethodPost:
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("ce-connectionId") == "" || r.Header.Get("ce-hub") == "" || r.Header.Get("ce-type") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if status := p.verify(r); status != 0 {
		w.WriteHeader(status)
		return
	}
	body, err := p.read(w, r)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch eventType := strings.ToLower(r.Header.Get("ce-type")); {
	case eventType == "azure.webpubsub.sys.connect":
		p.connect(w, r, body)
	case strings.HasPrefix(eventType, "azure.webpubsub.sys."), strings.HasPrefix(eventType, "azure.webpubsub.gp."):
		p.notification(w, r, body)
	case eventType == "azure.webpubsub.user.message":
		p.message(w, r, body)
	case strings.HasPrefix(eventType, "azure.webpubsub."):
		p.unknown(w, r, body)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// origins returns the hosts that a request says it is from.
func origins(r *http.Request) []string {
	return strings.FieldsFunc(strings.Join(r.Header.Values("WebHook-Request-Origin"), ","), func(c rune) bool { return c == ',' || c == ' ' })
}

func isOurs(origin string) bool { return strings.EqualFold(origin, upstreamtest.Origin) }

func consent(w http.ResponseWriter, r *http.Request) {
	for _, origin := range origins(r) {
		if isOurs(origin) {
			w.Header().Add("WebHook-Allowed-Origin", origin)
		}
	}
	if len(w.Header()["Webhook-Allowed-Origin"]) == 0 {
		w.WriteHeader(http.StatusForbidden)
	}
}

func verify(r *http.Request) int {
	if !slices.ContainsFunc(origins(r), isOurs) {
		return http.StatusForbidden
	}
	mac := hmac.New(sha256.New, []byte(upstreamtest.AccessKey))
	_, _ = mac.Write([]byte(r.Header.Get("ce-connectionId")))
	for _, token := range strings.FieldsFunc(r.Header.Get("ce-signature"), func(c rune) bool { return c == ',' || c == ' ' }) {
		given, err := hex.DecodeString(strings.TrimPrefix(token, "sha256="))
		if err == nil && strings.HasPrefix(token, "sha256=") && hmac.Equal(given, mac.Sum(nil)) {
			return 0
		}
	}
	return http.StatusUnauthorized
}

func admit(w http.ResponseWriter, r *http.Request, body []byte) {
	var client struct{ Subprotocols []string }
	if json.Unmarshal(body, &client) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"userId":"alice","groups":["lobby"],"roles":[]}`)
}

func echo(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	_, _ = w.Write(body)
}

func noContent(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusNoContent) }

// answer returns a step that answers this. Headers are name, value, name, value.
func answer(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header()["Content-Type"] = nil
		for pair := range slices.Chunk(headers, 2) {
			w.Header().Add(pair[0], pair[1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hang is a step that never answers.
func hang(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }

// judged checks a handler, in no time, and returns the report.
func judged(t *testing.T, h http.Handler, options *check.Options) (report *check.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { report = judgedNow(t, h, options) })
	return report
}

func judgedNow(t *testing.T, h http.Handler, options *check.Options) *check.Report {
	t.Helper()
	return judgedAt(t, "http://handler.test/eventhandler", h, options)
}

// judgedAt is judgedNow for a handler whose URL is another.
func judgedAt(t *testing.T, url string, h http.Handler, options *check.Options) *check.Report {
	t.Helper()
	return judgedOver(t, url, h, options, func(_ context.Context, dial func() (net.Conn, error)) (net.Conn, error) { return dial() })
}

// judgedOver is judgedAt over connections that somebody else begins.
func judgedOver(t *testing.T, url string, h http.Handler, options *check.Options, dial func(context.Context, func() (net.Conn, error)) (net.Conn, error)) *check.Report {
	t.Helper()
	listener := memnet.Listen()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quiet
	server.Listener = listener
	server.Start()
	defer server.Close()
	var opts check.Options
	if options != nil {
		opts = *options
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, func() (net.Conn, error) { return listener.Dial(ctx) })
		},
		DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	opts.HTTPClient = &http.Client{Transport: transport}
	report, err := check.Run(t.Context(), url, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantVerdicts wants exactly these rules to fail, and these not to be judged
// that are judged for a right handler. Without the latter being said, all that
// are judged for a right one must be judged.
func wantVerdicts(t *testing.T, h http.Handler, options *check.Options, fails, open []string) {
	t.Helper()
	right := judged(t, newPlain(), options)
	for i, result := range judged(t, h, options).Results {
		id, want := result.Rule.ID, check.Holds
		switch {
		case slices.Contains(fails, id):
			want = check.Fails
		case slices.Contains(open, id) || right.Results[i].Verdict == check.NotJudged:
			want = check.NotJudged
		}
		if result.Verdict != want {
			t.Errorf("%s: got %q, want %q: %s", id, result.Verdict, want, result.Finding)
		}
		if result.Verdict == check.Fails && (result.Finding == "" || result.Fix == "" || len(result.Exchanges) == 0 && result.Rule.Severity != check.Info) {
			t.Errorf("%s fails with the finding %q, the fix %q and %d exchanges", id, result.Finding, result.Fix, len(result.Exchanges))
		}
	}
}
