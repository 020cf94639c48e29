package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestREADME checks that the table shows the lines that the programs have.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("`[^`]+`")
	for _, p := range programs {
		source, err := os.ReadFile(filepath.Join(p.name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		_, row, _ := strings.Cut(string(readme), "| [`"+p.name+"`](")
		row, _, _ = strings.Cut(row, "\n")
		lines := code.FindAllString(row, -1)
		if len(lines) == 0 {
			t.Errorf("%s: no row in the table, or no code in it", p.name)
		}
		for _, line := range lines {
			if want := strings.Trim(line, "`"); !strings.Contains(string(source), "\t"+want) {
				t.Errorf("%s: main.go does not have %q", p.name, want)
			}
		}
	}
}
