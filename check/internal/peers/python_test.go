package peers

import (
	"os"
	"os/exec"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

// startPython skips the test where Python is missing. Where CI=true it must not
// be: there the test would go missing unseen.
func startPython(t *testing.T, script string) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		const reason = "python3 is not on PATH: install Python 3.8 or later to test with handlers in Python"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	return start(t, "testdata/python", "python3", script)
}

func TestPython(t *testing.T) {
	for _, tt := range []struct {
		script         string
		musts, shoulds []string
	}{
		{script: "right.py"},
		{
			script:  "needs_length_and_state.py",
			musts:   []string{"state/absent"},
			shoulds: []string{"event/chunked"},
		},
		{
			script:  "no_options.py",
			musts:   []string{"handshake/consent"},
			shoulds: []string{"hostile/slow-sender"},
		},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			wantFails(t, judge(t, startPython(t, tt.script), check.Options{UserID: "alice"}), tt.musts, tt.shoulds)
		})
	}
}
