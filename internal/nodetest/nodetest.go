// Package nodetest gets tests what they need of Node.js: node itself and the npm
// packages that a lock file names.
package nodetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Require makes node_modules in dir what its package-lock.json says. It skips
// the test where Node.js or the registry of npm is missing. Where CI=true they
// must not be: there the test would go missing unseen.
func Require(t *testing.T, dir string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not on PATH: install Node.js 20 or later to test with the JavaScript SDKs")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if err := install(dir); err != nil {
		skip(t, fmt.Sprint("the npm packages cannot be installed: ", err))
	}
}

// mu keeps tests of one process from installing at the same time.
var mu sync.Mutex

func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// install runs npm, unless everything is there.
func install(dir string) error {
	want, err := lockedPackages(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	// npm writes what it installed into a lock file of its own.
	got, err := lockedPackages(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && maps.Equal(got, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// A lockedPackage is one entry of a lock file of npm.
type lockedPackage struct {
	Version   string `json:"version"`
	Integrity string `json:"integrity"`
}

// lockedPackages reads the packages of a lock file, without the root's own
// entry.
func lockedPackages(name string) (map[string]lockedPackage, error) {
	data, err := os.ReadFile(name)
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
