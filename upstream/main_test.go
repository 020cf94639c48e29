package upstream_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails when goroutines outlive the tests. While fuzzing, the testing
// package has some of its own.
func TestMain(m *testing.M) {
	code := m.Run()
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	if code == 0 && !fuzzing && leaks(5*time.Second) {
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "goroutines outlive the tests:\n%s\n", stacks[:runtime.Stack(stacks, true)])
		code = 1
	}
	os.Exit(code)
}

// leaks reports whether goroutines are left after patience: those that are
// about to end need a moment.
func leaks(patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for range time.Tick(5 * time.Millisecond) {
		if runtime.NumGoroutine() == 1 {
			return false
		}
		if time.Now().After(deadline) {
			return true
		}
	}
	return true
}
