package check_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

// TestOfRefused is run by TestInconclusive, in another process: it is to fail.
func TestOfRefused(t *testing.T) {
	if os.Getenv("CHECK_REFUSED") == "" {
		t.Skip("only for another test")
	}
	check.Test(t, newPlain(func(p *plain) {
		p.connect = func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusForbidden) }
	}), &check.Options{Only: []string{"handshake", "signature"}})
}

// A test is no success when hardly anything could be judged.
func TestInconclusive(t *testing.T) {
	again := exec.Command(os.Args[0], "-test.run=^TestOfRefused$")
	again.Env = append(os.Environ(), "CHECK_REFUSED=1")
	out, err := again.CombinedOutput()
	text := string(out)
	if err == nil || !strings.Contains(text, "--- FAIL: TestOfRefused/run/conclusive") || !strings.Contains(text, "let no client in (connect: 403 Forbidden)") {
		t.Errorf("got %v\n%s", err, text)
	}
	if n := strings.Count(text, "--- FAIL: "); n != 2 {
		t.Errorf("%d tests fail, want the test and one sub-test\n%s", n, text)
	}
}
