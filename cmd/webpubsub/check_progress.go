package main

import (
	"fmt"
	"io"

	"github.com/gowebpubsub/webpubsub/check"
)

// A checkProgress shows in the last line of a terminal how far a check has come.
// Its zero value shows nothing.
type checkProgress struct {
	w      io.Writer
	judged int
}

func (p *checkProgress) begin(a *app) {
	if a.colors(a.stdout) && a.colors(a.stderr) {
		p.w = a.stderr
		p.line("asking what it is …")
	}
}

func (p *checkProgress) observe(check.Result) {
	p.judged++
	p.line(quantity(p.judged, "rule") + " judged …")
}

func (p *checkProgress) end() { p.line("") }

// line replaces the last line.
func (p *checkProgress) line(text string) {
	if p.w != nil {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	}
}
