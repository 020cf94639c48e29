package examples_test

import (
	"io"
	"net/url"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// testConformance wants all rules to hold but for those that are only worth
// knowing: some hosts limit headers to less than others.
func testConformance(t *testing.T, bin string, p program) {
	r := start(t, bin, p)
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, r.stderr) // a full pipe would hold up the program
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-read
		_ = r.cmd.Wait() // it was killed
	})
	report, err := check.Run(t.Context(), r.url, &check.Options{
		Events: []string{"connect", "connected", "message", "vote", "disconnected"},
		Query:  url.Values{"user": {"alice"}},
		Data:   map[string]upstreamtest.Data{"vote": upstreamtest.JSON(map[string]string{"option": "tea"})},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		switch {
		case result.Verdict != check.Fails:
		case result.Rule.Severity == check.Info:
			t.Logf("%s: %s", result.Rule.ID, result.Finding)
		default:
			t.Errorf("%s: %s", result.Rule.ID, result.Finding)
		}
	}
}
