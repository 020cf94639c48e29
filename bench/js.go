package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
)

const jsDir = "js"

// A missingError reports what is missing for the JavaScript row.
type missingError struct{ reason string }

func (e *missingError) Error() string { return e.reason }

// prepareJS makes node_modules what package-lock.json says, unless it is.
func prepareJS(ctx context.Context) error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return &missingError{tool + " is not on PATH; it needs Node.js 20 or later"}
		}
	}
	want, err := lockedPackages("package-lock.json")
	if err != nil {
		return fmt.Errorf("this command runs in the folder of its source: %w", err)
	}
	// npm writes what it installed into a lock file of its own.
	got, err := lockedPackages("node_modules/.package-lock.json")
	if err == nil && maps.Equal(got, want) {
		return nil
	}
	npm := exec.CommandContext(ctx, "npm", "ci")
	npm.Dir = jsDir
	if out, err := npm.CombinedOutput(); err != nil {
		return &missingError{fmt.Sprintf("npm ci: %v\n%s", err, out)}
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
