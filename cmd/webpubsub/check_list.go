package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/gowebpubsub/webpubsub/check"
)

// A rulesLine is the list of all rules for machines.
type rulesLine struct {
	Rules []check.Rule `json:"rules"`
}

// listRules prints all rules.
func (a *app) listRules() error {
	rules := check.Rules()
	if a.json {
		return a.printJSON(rulesLine{rules})
	}
	width := 0
	for i := range rules {
		width = max(width, len(rules[i].ID))
	}
	var b strings.Builder
	for i := range rules {
		r := &rules[i]
		if i > 0 && r.Area() != rules[i-1].Area() {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s  %s  %s\n", pad(r.ID, width), pad(r.Severity.String(), len("should")), r.Title)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}
