package check_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
)

var update = flag.Bool("update", false, "rewrite docs/rules.md")

const rulesDocument = "../docs/rules.md"

const rulesIntroduction = `# What a right event handler does

The rules by which ` + "`webpubsub check URL`" + ` and package ` + "`check`" + ` judge an event handler of Azure Web PubSub, in whatever language it is written. This page is
written by a test from the rules themselves.

- A **must** breaks a real client or the service's delivery when it does not hold, or lets a forged or foreign request act. A handler that is right fails none.
- A **should** costs quality or a margin of safety.
- An **info** is worth knowing.

Rules marked *hostile* send what the service never sends and an attacker may. All others send what the service could send.

` + "`webpubsub check URL --only ID`" + ` judges a handler by one rule, ` + "`--only AREA`" + ` by those of an area, and ` + "`--skip`" + ` leaves them out. A rule that rests on something
that is broken itself, or that is not about the handler, is not judged. IDs stay the same for ever.

| Rules | must | should | info |
|---|---|---|---|
`

// TestRulesDocument wants docs/rules.md to say what the rules say. With -update
// it writes it.
func TestRulesDocument(t *testing.T) {
	want := rulesText(check.Rules())
	if *update {
		if err := os.WriteFile(rulesDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesDocument)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Error("docs/rules.md does not say what the rules say: go test ./check -run TestRulesDocument -update")
	}
}

// What every rule has to say for itself.
func TestRulesAreComplete(t *testing.T) {
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range check.Rules() {
		if !id.MatchString(r.ID) || seen[r.ID] {
			t.Errorf("the ID %q is malformed or there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Severity < check.Must || r.Severity > check.Info {
			t.Errorf("%s has no severity", r.ID)
		}
		for _, part := range []struct {
			name, text string
			sentence   bool
		}{{"title", r.Title, false}, {"reason", r.Reason, true}, {"fix", r.Fix, true}, {"source", r.Source, false}} {
			if part.text == "" || strings.TrimSpace(part.text) != part.text || strings.ContainsAny(part.text, "\n\t") || strings.HasSuffix(part.text, ".") != part.sentence {
				t.Errorf("%s: the %s is %q", r.ID, part.name, part.text)
			}
		}
	}
}

// rulesText returns the document.
func rulesText(rules []check.Rule) string {
	var areas []string
	byArea := map[string][]check.Rule{}
	for _, r := range rules {
		area := r.Area()
		if byArea[area] == nil {
			areas = append(areas, area)
		}
		byArea[area] = append(byArea[area], r)
	}
	var b strings.Builder
	b.WriteString(rulesIntroduction)
	for _, area := range areas {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", area, area,
			number(byArea[area], check.Must), number(byArea[area], check.Should), number(byArea[area], check.Info))
	}
	for _, area := range areas {
		fmt.Fprintf(&b, "\n## %s\n", area)
		for _, r := range byArea[area] {
			writeRule(&b, r)
		}
	}
	return b.String()
}

// number returns how many rules are of a severity, empty for none.
func number(rules []check.Rule, severity check.Severity) string {
	n := 0
	for _, r := range rules {
		if r.Severity == severity {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func writeRule(b *strings.Builder, r check.Rule) {
	hostile := ""
	if r.Hostile {
		hostile = ", *hostile*"
	}
	fmt.Fprintf(b, "\n### %s\n\n**%s**%s: %s.\n\n", r.ID, r.Severity, hostile, asMarkdown(r.Title))
	fmt.Fprintf(b, "- Why: %s\n- Fix: %s\n- Source: %s\n", asMarkdown(r.Reason), asMarkdown(r.Fix), asMarkdown(r.Source))
}

// asMarkdown returns a text that reads in Markdown as it is.
func asMarkdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", "&lt;", "[", `\[`, "`", "\\`", "&", "&amp;").Replace(text)
}
