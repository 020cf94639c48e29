package main

import (
	"bytes"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

// The line is replaced, and gone in the end.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := checkProgress{w: &out}
	p.observe(check.Result{})
	p.observe(check.Result{})
	p.end()
	if got, want := out.String(), "\r\x1b[K1 rule judged …\r\x1b[K2 rules judged …\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
