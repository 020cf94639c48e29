//go:build unix

package browser

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What opens the page, and the browser that it starts, are not in the group of
// this process, to which a terminal sends its Ctrl-C.
func TestOwnGroup(t *testing.T) {
	dir := t.TempDir()
	for _, pipe := range []string{"id", "end"} {
		if err := syscall.Mkfifo(filepath.Join(dir, pipe), 0o600); err != nil {
			t.Skip(err)
		}
	}
	name, _ := opener(runtime.GOOS)
	script := "#!/bin/sh\ncd \"$1\"\necho $$ > id\nread line < end\n" // the URL is the folder
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if err := Open(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := syscall.Getpgid(id); err != nil || got != id {
		t.Errorf("it is %d in the group %d (%v), want one of its own; this one is %d", id, got, err, syscall.Getpgrp())
	}
	if err := os.WriteFile(filepath.Join(dir, "end"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
