// Package sdkinterop has the same operations performed by the SDK for
// JavaScript and by our client, and compares what arrives at the service.
package sdkinterop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/nodetest"
)

const jsDir = "testdata/js"

// A driver is a running driver.mjs: the JavaScript SDK as a process.
type driver struct {
	stdin  io.Writer
	stdout *bufio.Reader
	kill   func()
}

// startJS starts the JavaScript side for a service and a hub. It is told to
// end by the end of its standard input, so it cannot outlive this process.
func startJS(t *testing.T, connectionString, hub string) *driver {
	t.Helper()
	nodetest.Require(t, jsDir)
	// The test cache sees what this process opens, not what node does.
	if _, err := os.Stat(filepath.Join(jsDir, "driver.mjs")); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "driver.mjs", connectionString, hub)
	node.Dir = jsDir
	var stderr bytes.Buffer
	node.Stderr = &stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := node.Wait(); err != nil && !t.Failed() {
			t.Errorf("node: %v", err)
		}
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("node said:\n%s", stderr.String())
		}
	})
	return &driver{stdin: stdin, stdout: bufio.NewReader(stdout), kill: func() { _ = node.Process.Kill() }}
}

// An outcome is what came of an operation.
type outcome struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		StatusCode int    `json:"statusCode"`
		Code       string `json:"code"`
		Message    string `json:"message"`
	} `json:"error"`
}

// perform has the SDK perform an operation of driver.mjs.
func (d *driver) perform(t *testing.T, op string, args ...any) outcome {
	t.Helper()
	if args == nil {
		args = []any{}
	}
	line, err := json.Marshal(map[string]any{"op": op, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	impatience := time.AfterFunc(30*time.Second, d.kill)
	defer impatience.Stop()
	if _, err := d.stdin.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	answer, err := d.stdout.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: driver.mjs did not answer: %v", op, err)
	}
	var o outcome
	if err := json.Unmarshal(answer, &o); err != nil {
		t.Fatalf("%s: driver.mjs answered %q: %v", op, answer, err)
	}
	return o
}
