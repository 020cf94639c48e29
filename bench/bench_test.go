package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the Go servers, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestServers gives each server one tiny turn, which checks every answer. It
// asserts no speed.
func TestServers(t *testing.T) {
	o := options{rounds: 1, duration: 50 * time.Millisecond, connections: 2}
	for _, c := range contenders() {
		t.Run(c.name, func(t *testing.T) {
			if c.name == nameJS {
				requireJS(t)
			}
			s, err := start(c.name, placement{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.stop()
			if err := c.takeTurn(t.Context(), s, o); err != nil {
				t.Fatal(err)
			}
			if c.rates[0] == 0 {
				t.Error("no answer in time")
			}
		})
	}
}

// requireJS skips a test where Node.js or the npm registry is missing, except
// where CI=true.
func requireJS(t *testing.T) {
	t.Helper()
	err := prepareJS(t.Context())
	if _, missing := errors.AsType[*missingError](err); missing && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTable(t *testing.T) {
	all := contenders()
	for i, rates := range [][]float64{{100, 300, 200}, {90, 240, 190}, {50, 150, 100}, {10, 20, 40}} {
		all[i].rates = rates
	}
	all[0].costs = []float64{30, 10, 20}
	var b bytes.Buffer
	printTable(&b, all)
	for _, want := range []string{
		"bare net/http handler                              200  1.00              10.00 (5.00-15.00)     20.0 µs\n",
		"upstream, access key validated                     190  0.90 (0.80-0.95)  9.00 (4.75-12.00)            -\n",
		"@azure/web-pubsub-express 1.1.0, Express 5          20  0.10 (0.07-0.20)  1.00                         -\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-connections", "0"}, {"-duration", "0s"}, {"surplus"}, {"-what"}} {
		if code := run(t.Context(), args, strings.NewReader(""), io.Discard, io.Discard); code != 2 {
			t.Errorf("run(%q) = %d, want 2", args, code)
		}
	}
}
