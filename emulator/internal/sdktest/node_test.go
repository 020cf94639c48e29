// Package sdktest has the SDKs for JavaScript use the service, as they are: the
// client, the service client, and the middleware for event handlers. The
// conversations that they have through it are held with handlers of package
// upstream too.
package sdktest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const jsDir = "testdata/js"

// object is a JSON object.
type object = map[string]any

// node is a process of Node.js that runs one of the scripts.
type node struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// startNode starts a script. It gets args as JSON. It ends with its standard
// input or after a minute, so it cannot outlive this process.
func startNode(t *testing.T, script string, args object, env ...string) *node {
	t.Helper()
	requireNode(t)
	// The test cache sees what this process opens, not what node does.
	for _, file := range []string{script, "check.mjs"} {
		if _, err := os.Stat(filepath.Join(jsDir, file)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{cmd: exec.Command("node", script, string(text))}
	n.cmd.Dir = jsDir
	n.cmd.Env = append(os.Environ(), "NODE_OPTIONS=", "NODE_EXTRA_CA_CERTS=", "NODE_ENV=production")
	n.cmd.Env = append(n.cmd.Env, env...)
	n.cmd.Stderr = &n.stderr
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.stdout = bufio.NewReader(stdout)
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	impatience := time.AfterFunc(time.Minute, func() { _ = n.cmd.Process.Kill() })
	t.Cleanup(func() {
		_ = stdin.Close()
		err := n.cmd.Wait()
		impatience.Stop()
		if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if t.Failed() && n.stderr.Len() > 0 {
			t.Logf("%s said:\n%s", script, n.stderr.String())
		}
	})
	return n
}

// runChecks runs a script of checks. Each of them is a subtest.
func runChecks(t *testing.T, script string, args object, env ...string) {
	t.Helper()
	n := startNode(t, script, args, env...)
	for count := 0; ; count++ {
		line, err := n.stdout.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s ended after %d checks: %v", script, count, err)
		}
		var result struct {
			Name  string
			Error string
			Done  *int
		}
		if err := json.Unmarshal(line, &result); err != nil {
			t.Fatalf("%s printed %q: %v", script, line, err)
		}
		if result.Done != nil {
			if *result.Done != count || count == 0 {
				t.Errorf("%s made %d checks and told of %d", script, *result.Done, count)
			}
			return
		}
		t.Run(result.Name, func(t *testing.T) {
			if result.Error != "" {
				t.Error(result.Error)
			}
		})
	}
}

// startExpress starts a script that serves, and returns its URL.
func startExpress(t *testing.T, script string, args object) string {
	t.Helper()
	port, err := startNode(t, script, args).stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not print its port: %v", script, err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// requireNode skips a test where Node.js or the npm registry is missing. Where
// CI=true they must not be: there the test would go missing unseen.
func requireNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not on PATH: install Node.js 20 or later to try the SDKs for JavaScript")
		}
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
