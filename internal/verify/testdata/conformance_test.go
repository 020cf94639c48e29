// The README's handler is judged by the rules, beside the README's own files.
package main

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func TestConformance(t *testing.T) {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(newHandler(v))
	defer srv.Close()
	report, err := check.Run(t.Context(), srv.URL, &check.Options{Query: url.Values{"user": {"alice"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		if result.Verdict == check.Fails {
			t.Logf("%s: %s", result.Rule.ID, result.Finding)
		}
	}
	got := fmt.Sprintf("all %d musts hold, all %d shoulds hold", report.Count(check.Must, check.Holds), report.Count(check.Should, check.Holds))
	if want := os.Getenv("SUMMARY"); !report.OK() || got != want {
		t.Errorf("got %q, the README says %q", got, want)
	}
}
