// Package e2e_test starts the command webpubsub as its users do, and looks at
// its pages through Chromium: a demo is what it shows on the screen.
//
//	go test ./...
//
// It needs chromium on PATH, and Node.js for axe-core, which looks for
// barriers. Where one of them is missing the tests that need it are skipped;
// where CI=true that is a failure.
//
// The flag -chatters is the load that the demo is put under, -chatting its
// time. The flag -update puts the picture of the demo into the documents:
//
//	go test -run TestChatters -v . -chatters 1000 -chatting 60s
//	go test -run TestScreenshots . -update
package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	chatters = flag.Int("chatters", 200, "how many clients chat in TestChatters")
	chatting = flag.Duration("chatting", 10*time.Second, "for how long")
	update   = flag.Bool("update", false, "write the picture of the demo into the documents")
)

// command is the path of the built command.
var command string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	os.Exit(code)
}

// run builds the command and runs the tests.
func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "webpubsub-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is in the folder for such things
	command = filepath.Join(dir, "webpubsub")
	args := []string{"build", "-o", command}
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "./cmd/webpubsub")...)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("the command cannot be built: %w\n%s", err, out)
	}
	code := m.Run()
	if err := stopBrowser(); err != nil {
		return 1, fmt.Errorf("chromium does not end: %w", err)
	}
	return code, nil
}

// missing skips a test that needs something which is not there. Where CI=true
// it has to be: there the test would go missing unseen.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
