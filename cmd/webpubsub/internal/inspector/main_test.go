package inspector

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when goroutines outlive the tests. While fuzzing, the testing
// package has some of its own.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}
