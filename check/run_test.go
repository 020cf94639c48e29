package check_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// rightHandler is a handler that does everything as it should.
func rightHandler(t *testing.T) http.Handler {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator("Endpoint=http://localhost;AccessKey=" + upstreamtest.AccessKey)
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(v, nil)
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return &upstream.ConnectResponse{UserID: "alice", Groups: []string{"lobby"}}, nil
	})
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("you said " + string(req.Data)), nil
	})
	return h
}

func TestRight(t *testing.T) { check.Test(t, rightHandler(t), nil) }

// Who ends a check gets what was judged until then, and no verdict on the rest.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(newPlain(func(p *plain) { // one that hangs on the first signed message of a rule
		p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
			if ctx.Err() == nil && strings.Contains(r.Header.Get("Content-Type"), "json") {
				cancel()
				<-r.Context().Done()
			}
			echo(w, r, body)
		}
	}))
	defer server.Close()
	var observed []check.Result
	report, err := check.Run(ctx, server.URL, &check.Options{Observe: func(r check.Result) { observed = append(observed, r) }})
	if !errors.Is(err, context.Canceled) || report == nil {
		t.Fatalf("got %v and report %v, want a report and %v", err, report, context.Canceled)
	}
	if diff := cmp.Diff(report.Results, observed, cmpopts.IgnoreUnexported(check.Rule{})); diff != "" {
		t.Errorf("what was observed differs from the report (-report +observed):\n%s", diff)
	}
	if report.OK() || !report.Inconclusive() {
		t.Error("what was ended counts as judged")
	}
	if got := failed(report); len(got) > 0 {
		t.Errorf("a right handler fails %q", got)
	}
	if holds, open := report.Count(check.Must, check.Holds), report.Count(check.Must, check.NotJudged); holds == 0 || open == 0 {
		t.Errorf("%d musts hold and %d are not judged, want some of both", holds, open)
	}
}
