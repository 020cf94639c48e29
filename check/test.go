package check

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/memnet"
)

// Test judges a handler in this process by all rules that the options choose,
// each in a sub-test of its ID. Musts that fail are errors, other rules that
// fail are logged, and what is not judged is skipped with the reason. When too
// little was judged to say that the handler is right, and no must fails, the
// sub-test run/conclusive fails. A nil options is the same as a zero Options.
//
// The handler is behind a server of net/http, in memory, at any path.
func Test(t *testing.T, handler http.Handler, options *Options) {
	t.Helper()
	listener := memnet.Listen()
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends with the listener
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	var opts Options
	if options != nil {
		opts = *options
	}
	opts.HTTPClient = &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return listener.Dial(ctx) },
		DisableCompression: true,
	}}
	report, err := Run(t.Context(), "http://handler.test/eventhandler", &opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		t.Run(result.Rule.ID, func(t *testing.T) { result.tell(t) })
	}
	if doubt := report.doubt(); doubt != "" {
		t.Run(conclusive, func(t *testing.T) { t.Error(doubt) })
	}
}

// tell reports a result to its test.
func (r *Result) tell(t *testing.T) {
	t.Helper()
	switch {
	case r.Verdict == NotJudged:
		t.Skip(visible(r.Finding))
	case r.Verdict == Fails && r.Rule.Severity == Must:
		t.Error(r.text())
	case r.Verdict == Fails:
		t.Log(r.text())
	}
}

// text says in a few lines what fails, why it matters, and how to mend it.
func (r *Result) text() string {
	return visible(strings.Join([]string{r.Rule.Title + ": it does not.", r.Finding, r.Rule.Reason, r.Fix, r.Rule.Source}, "\n"))
}
