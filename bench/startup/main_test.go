package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// One round. No speed is asserted.
func TestStartup(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-rounds", "1"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if got, want := stdout.String(), " of 1 rounds\n"; !strings.HasSuffix(got, want) {
		t.Errorf("no line that ends with %q in\n%s", want, got)
	}
}

func TestTable(t *testing.T) {
	const ms = time.Millisecond
	var b strings.Builder
	err := printTable(&b, []round{
		{empty: 2 * ms, moments: moments{listening: 4 * ms, connected: 6 * ms, delivered: 300 * ms}},
		{empty: 1 * ms, moments: moments{listening: 6 * ms, connected: 7 * ms, delivered: 301 * ms}},
		{empty: 4 * ms, moments: moments{listening: 5 * ms, connected: 8 * ms, delivered: 9 * ms}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"empty Go program: its end         2.0 ms    4.0 ms    1.0 (1.0-1.0)\n",
		"webpubsub demo: it listens        5.0 ms    6.0 ms    2.0 (1.2-6.0)\n",
		"  one gets the other's message    300.0 ms  301.0 ms  150.0 (2.2-301.0)\n",
		"\nthe message within 300ms, which is the goal: in 2 of 3 rounds\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		part   float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{7}, 0.9, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 3, 1, 2}, 0.5, 2},
		{[]float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.9, 9},
		{[]float64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0.9, 10},
		{[]float64{2, 1}, 1, 2},
	} {
		if got := quantile(tt.values, tt.part); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.values, tt.part, got, tt.want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-rounds", "many"}, {"surplus"}, {"-what"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("run(%q) = %d, want 2", args, code)
		}
	}
}
