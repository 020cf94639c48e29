package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/emulator/internal/rest"
)

// An issued is one command that a fakeBroker got.
type issued struct {
	Hub     string
	Asked   bool // or else published
	Command broker.Command
}

// A fakeBroker notes commands and answers each with reply.
type fakeBroker struct {
	broker.Broker
	reply  func(broker.Command) broker.Reply
	err    error
	issued []issued
}

func (b *fakeBroker) Publish(_ context.Context, hub string, c broker.Command) error {
	b.issued = append(b.issued, issued{hub, false, c})
	return b.err
}

func (b *fakeBroker) Ask(_ context.Context, hub string, c broker.Command) (broker.Reply, error) {
	b.issued = append(b.issued, issued{hub, true, c})
	if b.reply == nil {
		return broker.Reply{}, b.err
	}
	return b.reply(c), b.err
}

// always returns a reply that does not depend on the command.
func always(r broker.Reply) func(broker.Command) broker.Reply {
	return func(broker.Command) broker.Reply { return r }
}

// A service is a handler with all that is around it.
type service struct {
	http.Handler
	broker  *fakeBroker
	log     *bytes.Buffer
	options []rest.TokenOptions // that tokens were issued for
	hubs    []string            // for whose clients
	denied  error               // what Authorize returns
	failed  error               // what Issue returns
}

const maxBody = 1000

func newService() *service {
	s := &service{broker: &fakeBroker{}, log: &bytes.Buffer{}}
	s.Handler = rest.New(&rest.Options{
		Broker:    s.broker,
		Authorize: func(*http.Request) error { return s.denied },
		Issue: func(_ *http.Request, hub string, o rest.TokenOptions) (string, error) {
			s.hubs, s.options = append(s.hubs, hub), append(s.options, o)
			return "the-token", s.failed
		},
		MaxBodyBytes: maxBody,
		Logger:       slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return s
}

// newRequest makes a request as it arrives at a server: the path as it was
// sent. The header is a list of names and values.
func newRequest(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func (s *service) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// An errorBody is the body of an error, decoded without the help of the package.
type errorBody struct{ Code, Message, Target string }

// checkError checks an answer that reports an error, and returns its body.
func checkError(t *testing.T, w *httptest.ResponseRecorder, method string, status int, code string) errorBody {
	t.Helper()
	if w.Code != status {
		t.Errorf("status = %d, want %d; body %s", w.Code, status, w.Body)
	}
	if got := w.Header().Get("x-ms-error-code"); got != code {
		t.Errorf("x-ms-error-code = %q, want %q", got, code)
	}
	if method == http.MethodHead {
		if w.Body.Len() > 0 {
			t.Errorf("body to HEAD = %q, want none", w.Body)
		}
		return errorBody{}
	}
	if got, want := w.Header().Get("Content-Type"), "application/json; charset=utf-8"; got != want {
		t.Errorf("Content-Type = %q, want %q", got, want)
	}
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	for _, name := range []string{"code", "message", "target", "details", "innererror"} {
		if _, ok := members[name]; !ok || len(members) != 5 {
			t.Errorf("body = %s, want the members code, message, target, details and innererror", w.Body)
		}
	}
	var body errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	if body.Code != code || body.Message == "" || body.Target == "" {
		t.Errorf("body = %s, want code %q, a message and a target", w.Body, code)
	}
	return body
}

// byText compares filters by their text.
var byText = cmp.Comparer(func(a, b *odata.Filter) bool {
	return (a == nil) == (b == nil) && a.String() == b.String()
})

func checkIssued(t *testing.T, s *service, want ...issued) {
	t.Helper()
	if diff := cmp.Diff(want, s.broker.issued, byText); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func mustFilter(t *testing.T, text string) *odata.Filter {
	t.Helper()
	filter, err := odata.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

var errTest = errors.New("the reason")

func brokenBody() io.Reader { return iotest.ErrReader(errTest) }
