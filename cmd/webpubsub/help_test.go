package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The texts of --help are written by hand; flags must not be forgotten there,
// and what is there must exist.
func TestHelpAndFlagsAgree(t *testing.T) {
	a := &app{}
	for _, c := range a.rootCommand().Commands() {
		if c.Name() == "help" {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) { checkHelp(t, c) })
	}
}

func checkHelp(t *testing.T, c *cobra.Command) {
	if !strings.Contains(c.Long, "\n  $ webpubsub "+c.Name()) {
		t.Errorf("the help of %q has no example", c.Name())
	}
	documented := map[string]bool{}
	for line := range strings.SplitSeq(c.Long, "\n") {
		if flag, ok := strings.CutPrefix(line, "  --"); ok {
			name, _, _ := strings.Cut(flag, " ")
			name, _, _ = strings.Cut(name, "=")
			documented[name] = true
		}
		if strings.HasPrefix(line, "  ") && len([]rune(line)) > 120 {
			t.Errorf("a line of the help of %q has %d characters", c.Name(), len([]rune(line)))
		}
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !documented[f.Name] && f.Name != "help" {
			t.Errorf("the help of %q does not mention --%s", c.Name(), f.Name)
		}
	})
	for name := range documented {
		if c.Flag(name) == nil {
			t.Errorf("the help of %q mentions --%s, which does not exist", c.Name(), name)
		}
	}
}
