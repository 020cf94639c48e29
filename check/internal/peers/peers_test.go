// Package peers has package check judge handlers that are none of ours: the
// middleware for JavaScript as it is, and right and wrong ones as they are
// written by hand in JavaScript, Python and Go.
package peers

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var update = flag.Bool("update", false, "write what came out to testdata/golden")

// judge checks the handler behind a URL, with little patience.
func judge(t *testing.T, url string, options check.Options) *check.Report {
	t.Helper()
	options.Timeout = 2 * time.Second
	report, err := check.Run(t.Context(), url, &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests in %v", report.Requests, report.Duration.Round(time.Millisecond))
	return report
}

// wantFails wants exactly these rules to fail of the musts, and of the shoulds,
// in any order.
func wantFails(t *testing.T, report *check.Report, musts, shoulds []string) {
	t.Helper()
	for severity, want := range map[check.Severity][]string{check.Must: musts, check.Should: shoulds} {
		var got []string
		for _, result := range report.Results {
			if result.Rule.Severity == severity && result.Verdict == check.Fails {
				got = append(got, result.Rule.ID)
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("the %ss that fail (-want +got):\n%s", severity, diff)
		}
	}
	if got, want := report.OK(), len(musts) == 0; got != want {
		t.Errorf("OK is %v, want %v", got, want)
	}
	if t.Failed() {
		t.Log(findings(report))
	}
}

// wantGolden compares what was found with a file.
func wantGolden(t *testing.T, report *check.Report, name string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	got := findings(report)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the findings (-want +got; -update writes them):\n%s", diff)
	}
}

// What differs from one run to the next: connection IDs, and times that were
// measured.
var (
	randomID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	measured = regexp.MustCompile(`\b[0-9.]+(ms|µs|s)\b`)
)

// findings writes down what a report says, but for the rules that hold.
func findings(report *check.Report) string {
	var b strings.Builder
	for _, o := range report.Found {
		fmt.Fprintf(&b, "%s: %s\n", o.What, o.Outcome)
	}
	for _, verdict := range []check.Verdict{check.Fails, check.NotJudged} {
		fmt.Fprintf(&b, "\n%s:\n", verdict)
		for _, result := range report.Results {
			if result.Verdict == verdict {
				fmt.Fprintf(&b, "%s (%s): %s\n", result.Rule.ID, result.Rule.Severity, result.Finding)
			}
		}
	}
	return measured.ReplaceAllString(randomID.ReplaceAllString(b.String(), "<id>"), "<time>")
}

// start starts a program that serves a handler, and returns the handler's URL.
// The program ends with its standard input or after a minute, so it cannot
// outlive this process.
func start(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	// The test cache sees what this process opens, not what the program does.
	if _, err := os.Stat(filepath.Join(dir, args[0])); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_OPTIONS=", "NODE_EXTRA_CA_CERTS=", "NODE_ENV=production", "ACCESS_KEY="+upstreamtest.AccessKey)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	impatience := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // some end by a fault of theirs
		impatience.Stop()
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("%s said:\n%s", args[0], stderr.String())
		}
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not print its port: %v", args[0], err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port) + "/eventhandler"
}
