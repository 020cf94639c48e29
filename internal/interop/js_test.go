package interop

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

// startJS starts the JavaScript side. It is told to end by the end of its
// standard input, so it cannot outlive this process either. The channel gets
// the result of its end.
func startJS(t *testing.T) (*peer, <-chan error) {
	t.Helper()
	requireNode(t)
	// The test cache sees what this process opens, not what node does.
	if _, err := os.Stat(filepath.Join(jsDir, "server.mjs")); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "server.mjs")
	node.Dir = jsDir
	node.Env = append(os.Environ(), "NODE_ENV=production")
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
	impatience := time.AfterFunc(30*time.Second, func() { _ = node.Process.Kill() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	impatience.Stop()

	ended, cleaned := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(cleaned)
		ended <- node.Wait()
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-cleaned
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("node said:\n%s", stderr.String())
		}
	})
	if err != nil {
		t.Fatalf("server.mjs did not print its port: %v", err)
	}
	return newPeer(t, "http://127.0.0.1:"+strings.TrimSpace(port)), ended
}

// requireNode skips a test where Node.js or the npm registry is missing. Where
// CI=true they must not be: there the comparison would go missing unseen.
func requireNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		skip(t, tool+" is not on PATH: install Node.js 20 or later to compare with @azure/web-pubsub-express")
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
