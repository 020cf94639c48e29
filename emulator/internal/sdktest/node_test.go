// Package sdktest has the SDKs for JavaScript use the service, as they are: the
// client, the service client, and the middleware for event handlers. The
// conversations that they have through it are held with handlers of package
// upstream too.
package sdktest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/nodetest"
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
	nodetest.Require(t, jsDir)
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
