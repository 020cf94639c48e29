// Package sdkinterop has the same operations performed by the SDK for
// JavaScript and by our client, and compares what arrives at the service.
package sdkinterop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
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
	requireNode(t)
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

// requireNode skips a test where Node.js or the npm registry is missing. Where
// CI=true they must not be: there the comparison would go missing unseen.
func requireNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		skip(t, tool+" is not on PATH: install Node.js 20 or later to compare with @azure/web-pubsub")
	}
	if err := install(); err != nil {
		skip(t, fmt.Sprint("the npm packages cannot be installed: ", err))
	}
}

func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// install makes node_modules what package-lock.json says, unless it is.
var install = sync.OnceValue(func() error {
	want, err := lockedPackages("package-lock.json")
	if err != nil {
		return err
	}
	// npm writes what it installed into a lock file of its own.
	got, err := lockedPackages("node_modules/.package-lock.json")
	if err == nil && maps.Equal(got, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = jsDir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", jsDir, err, out)
	}
	return nil
})

// A lockedPackage is one entry of a lock file of npm.
type lockedPackage struct {
	Version   string `json:"version"`
	Integrity string `json:"integrity"`
}

// lockedPackages reads the packages of a lock file, without the root's own
// entry.
func lockedPackages(name string) (map[string]lockedPackage, error) {
	data, err := os.ReadFile(filepath.Join(jsDir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]lockedPackage `json:"packages"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	delete(lock.Packages, "")
	return lock.Packages, nil
}
