package e2e_test

import (
	"slices"
	"testing"
)

// Two tabs are two people.
func TestChat(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.seePeople("lobby", "alice", "bob")
	bob.seePeople("lobby", "alice", "bob")

	alice.say("hello bob")
	bob.sees("alice: hello bob")
	bob.say("hello alice")
	alice.sees("alice: hello bob", "bob: hello alice")

	bob.fill("#compose", "what I mean is")
	alice.seeText("#typing", "bob is writing")
	if got := bob.text("#typing"); got != "" {
		t.Errorf("bob is told about bob: %q", got)
	}

	// Who comes late is shown what was said.
	carol := c.visit(d, "carol")
	carol.sees("alice: hello bob", "bob: hello alice")
	carol.seePeople("lobby", "alice", "bob", "carol")

	// A name holds for what is said from now on.
	alice.rename("alicia")
	bob.seePeople("lobby", "alicia", "bob", "carol")
	alice.say("I have another name")
	bob.sees("alice: hello bob", "bob: hello alice", "alicia: I have another name")
	if slices.Contains(bob.people(), "alice") {
		t.Errorf("bob still sees alice among %q", bob.people())
	}
}

// What the handler refuses is told to the person, and in the panel.
func TestRefusals(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	d.tolerate("event failed")
	alice := c.visit(d, "alice")

	alice.pasteTooMuch()
	alice.click("#send")
	alice.see("#messages li[data-state=failed]")
	alice.row("^say alice.* ✕ 400")
	alice.clickText("#messages li[data-state=failed] button", "Drop")
	alice.sees()

	alice.click("#rename")
	alice.paste("#new-name", "a\u0007b")
	alice.click("#rename-form .primary")
	alice.wait("the dialog says why", `() => document.querySelector("#rename-form [role=alert]").textContent`)
	if got, want := alice.text("#me"), "alice"; got != want {
		t.Errorf("after a refused name it is %q, want %q", got, want)
	}
}

// A tab that is loaded again is the same person in the same rooms.
func TestReload(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	alice.join("garden")
	alice.say("before")
	alice.sees("alice: before")

	alice.reload()
	alice.connected()
	alice.seePeople("garden", "alice")
	alice.sees("alice: before")
	alice.waitFor("alice is there once", func() bool { return slices.Equal(alice.people(), []string{"alice"}) })
	alice.show("lobby")
}

// Closing a tab is leaving, at once.
func TestLeave(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.seePeople("lobby", "alice", "bob")
	bob.close()
	alice.waitFor("bob is gone", func() bool { return slices.Equal(alice.people(), []string{"alice"}) })
	alice.row("^disconnected bob")
}
