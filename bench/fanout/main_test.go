package main

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
)

// A server is this test binary, started again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// One tiny turn for each server. No speed is asserted.
func TestFanout(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured on Linux only")
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-rounds", "1", "-connections", "20", "-messages", "5"}, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, name := range []string{nameCentrifuge, nameEmulator, nameReliable} {
		if !strings.Contains(stdout.String(), "\n"+name+"  ") {
			t.Errorf("no row for %s in\n%s", name, stdout.String())
		}
	}
}
