package main

import "testing"

func TestEndedByItsTime(t *testing.T) {
	for output, want := range map[string]bool{
		"--- FAIL: FuzzX (2.07s)\n    context deadline exceeded\nFAIL\n":                                               true,
		"--- FAIL: FuzzX (2.07s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:1: got context deadline exceeded\n":   false,
		"--- FAIL: FuzzX (2.07s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzX/0\n": false,
		"ok": false,
	} {
		if got := endedByItsTime(output); got != want {
			t.Errorf("endedByItsTime(%q) = %v, want %v", output, got, want)
		}
	}
}
