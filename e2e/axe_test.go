package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What cannot be used without eyes, without a mouse or in bad light is found by
// axe-core, as far as a program can find it.
func TestBarriers(t *testing.T) {
	script := axe(t)
	d, c := startDemo(t), startChromium(t)

	stranger := c.open(d.Page, withoutPolicy)
	stranger.see("#name-form")
	stranger.examine(script, "the form for the name")

	alice := c.visit(d, "alice", withoutPolicy)
	bob := c.visit(d, "bob", withoutPolicy, dark)
	carol := c.visit(d, "carol", withoutPolicy, phone)
	alice.say("hello")
	bob.say("hello alice")
	alice.join("garden")
	alice.show("lobby")
	alice.sees("alice: hello", "bob: hello alice")
	alice.examine(script, "the chat")
	alice.openRow(alice.row("^say bob"))
	alice.openHeaders(".ins-part-request")
	alice.examine(script, "an opened row")
	alice.click("#join-room")
	alice.wait("the rooms are offered", `() => document.querySelector("#room-dialog").open`)
	alice.examine(script, "the dialog for a room")
	alice.press(kb.Escape)

	bob.sees("alice: hello", "bob: hello alice")
	bob.openRow(bob.row("^say alice"))
	bob.openHeaders(".ins-part-request")
	bob.examine(script, "the chat and an opened row in the dark")

	carol.sees("alice: hello", "bob: hello alice")
	carol.examine(script, "the chat on a phone")
	carol.click("#tab-events")
	carol.openRow(carol.row("^say alice"))
	carol.examine(script, "an opened row on a phone")

	// An event that was refused.
	d.tolerate("event failed")
	alice.pasteTooMuch()
	alice.click("#send")
	alice.see("#messages li[data-state=failed]")
	alice.examine(script, "a message that has failed")

	for what, options := range map[string][]func(*tab){
		"the inspector":             {withoutPolicy},
		"the inspector in the dark": {withoutPolicy, dark},
		"the inspector on a phone":  {withoutPolicy, phone},
	} {
		inspector := c.open(d.Inspector, options...)
		inspector.openRow(inspector.row("^say alice"))
		inspector.examine(script, what)
	}
}

// withoutPolicy lets axe-core into the page.
func withoutPolicy(p *tab) { call(p, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}) }

// A finding is a barrier that axe-core knows.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct {
		Target         []any
		FailureSummary string
	}
}

// examine fails the test for serious barriers, and tells of the others.
func (p *tab) examine(script, where string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](script))
	result := eval[string](p, `async () => JSON.stringify((await axe.run(document, {resultTypes: ["violations"]})).violations)`)
	var findings []finding
	if err := json.Unmarshal([]byte(result), &findings); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range findings {
		tell := p.t.Logf
		if f.Impact == "serious" || f.Impact == "critical" {
			tell = p.t.Errorf
		}
		// The first place tells enough: a fault of rows is one of all rows.
		tell("%s: %s (%s, %s) at %d places, the first %v:\n%s",
			where, f.Help, f.ID, f.Impact, len(f.Nodes), f.Nodes[0].Target, f.Nodes[0].FailureSummary)
	}
}

// axe returns the script of axe-core, which npm gets as the lock file says.
func axe(t *testing.T) string {
	t.Helper()
	name := filepath.Join("node_modules", "axe-core", "axe.min.js")
	if !installed(t, name) {
		if _, err := exec.LookPath("npm"); err != nil {
			missing(t, "npm is not on PATH: install Node.js 20 or later to look for barriers")
		}
		if out, err := exec.CommandContext(t.Context(), "npm", "ci").CombinedOutput(); err != nil {
			missing(t, "axe-core cannot be installed: npm ci: %v\n%s", err, out)
		}
	}
	script, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// installed reports whether node_modules has the version that is wanted.
func installed(t *testing.T, script string) bool {
	t.Helper()
	var want struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	var got struct {
		Version string `json:"version"`
	}
	for name, into := range map[string]any{"package.json": &want, filepath.Join(filepath.Dir(script), "package.json"): &got} {
		data, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return got.Version == want.Dependencies["axe-core"]
}
