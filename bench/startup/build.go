package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// programs are the files of what is measured.
type programs struct{ empty, demo string }

// build builds both programs into a folder.
func build(ctx context.Context, folder string) (programs, error) {
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	p := programs{empty: filepath.Join(folder, "empty"+suffix), demo: filepath.Join(folder, "webpubsub"+suffix)}
	source := filepath.Join(folder, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return p, err
	}
	if _, err := output(ctx, folder, "go", "build", "-o", p.empty, source); err != nil {
		return p, err
	}
	// The command is built in its own module: this one lacks what it requires.
	root, err := output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gowebpubsub/webpubsub")
	if err != nil {
		return p, err
	}
	_, err = output(ctx, root, "go", "build", "-o", p.demo, "./cmd/webpubsub")
	return p, err
}

// output runs a command in a folder and returns what it prints.
func output(ctx context.Context, folder, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, &stderr)
	}
	return string(bytes.TrimSpace(text)), nil
}

// runEmpty measures the empty program, from its start to its end.
func runEmpty(ctx context.Context, path string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, path)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("the empty program: %w", err)
	}
	return time.Since(start), nil
}
