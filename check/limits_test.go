package check_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

// A check of a slow handler ends in its time, and does not call it right.
func TestMaxDuration(t *testing.T) {
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Second)
		newPlain().ServeHTTP(w, r)
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		report := judgedNow(t, slow, nil)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("the check took %v, want a minute at most", took)
		}
		if report.OK() || !report.Inconclusive() || report.Count(check.Must, check.Fails) > 0 {
			t.Errorf("OK %v, inconclusive %v, %d musts fail; want no verdict", report.OK(), report.Inconclusive(), report.Count(check.Must, check.Fails))
		}
		last := report.Results[len(report.Results)-1]
		for _, result := range report.Results {
			if result.Verdict == check.NotJudged && strings.HasPrefix(result.Finding, "the check has taken its time") {
				last = result
			}
		}
		if want := "which is limited to 55s"; !strings.Contains(last.Finding, want) {
			t.Errorf("%s: got %q, want %q in it", last.Rule.ID, last.Finding, want)
		}
	})
}
