package e2e_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Whatever the people do is a row, in the order in which it happened, and each
// row tells what it is.
func TestPanelRows(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	alice.say("hello")
	alice.sees("alice: hello")
	alice.row("^say alice you ✓ 20[04] .* → 1 call")
	rows := alice.quiet()
	last := -1
	for _, event := range []string{"connect #", "connected alice", "joined alice", "say alice"} {
		at := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, event) })
		if at <= last {
			t.Errorf("%q is at row %d of %q, want it after row %d", event, at, rows, last)
		}
		last = at
	}

	alice.rename("alicia")
	alice.row("^rename alice.* state ")
}

// An opened row shows the whole request and the whole answer, and what became
// of it.
func TestPanelDetails(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	c.visit(d, "bob")
	alice.say("look at this")
	alice.sees("alice: look at this")

	say := alice.row("^say alice")
	alice.openRow(say)
	alice.openHeaders(say + " .ins-part-request")
	request := alice.text(say + " .ins-part-request")
	for _, want := range []string{
		"POST", "/eventhandler", "look at this", `"room": "lobby"`,
		"ce-signature", "sha256=", "ce-type", "azure.webpubsub.user.say", "ce-userId", "ce-connectionId", "ce-hub",
	} {
		if !strings.Contains(request, want) {
			t.Errorf("the request has no %q:\n%s", want, request)
		}
	}
	if got := alice.text(say + " .ins-part-answer"); !strings.Contains(got, "200") && !strings.Contains(got, "204") {
		t.Errorf("the answer has no status:\n%s", got)
	}
	// Of the two people in the room, the message reached both.
	calls := alice.text(say + " .ins-part-calls")
	for _, want := range []string{"/api/hubs/chat/groups/lobby/:send", "reached 2 clients", "look at this"} {
		if !strings.Contains(calls, want) {
			t.Errorf("what it led to has no %q:\n%s", want, calls)
		}
	}
	alice.click(say + " .ins-line")
	alice.wait("the row is closed", `(row) => !document.querySelector(row + " .ins-detail")`, say)

	alice.rename("alicia")
	rename := alice.row("^rename alice")
	alice.openRow(rename)
	alice.seeText(rename+" .ins-part-state del", `"alice"`)
	alice.seeText(rename+" .ins-part-state ins", `"alicia"`)

	// The last one to connect was bob.
	connect := alice.row("^connect ")
	alice.openRow(connect)
	alice.openHeaders(connect + " .ins-part-answer")
	for _, want := range []string{`"userId": "bob"`, "webpubsub.joinLeaveGroup", "ce-connectionState"} {
		alice.seeText(connect+" .ins-part-answer", want)
	}
}

// The list can be narrowed, stopped and emptied.
func TestPanelList(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.say("one")
	bob.say("two")
	alice.row("^say bob")
	all := alice.quiet()
	only := func(what string, want func(row string) bool) {
		t.Helper()
		alice.waitFor("only "+what, func() bool {
			rows := alice.rows()
			return len(rows) > 0 && !slices.ContainsFunc(rows, func(row string) bool { return !want(row) })
		})
	}

	alice.choose(`select[aria-label="Event"]`, "say")
	only("say", func(row string) bool { return strings.HasPrefix(row, "say") })
	alice.choose(`select[aria-label="User or connection"]`, "own")
	only("what alice said", func(row string) bool { return strings.HasPrefix(row, "say alice") })
	alice.click(".ins-clear-filter")
	alice.waitFor("all rows are back", func() bool { return slices.Equal(alice.rows(), all) })

	alice.click(".ins-pause")
	bob.say("three")
	alice.sees("alice: one", "bob: two", "bob: three")
	alice.wait("the button says that there is more", `() => /[1-9]/.test(document.querySelector(".ins-pause").textContent)`)
	if got := alice.rows(); !slices.Equal(got, all) {
		t.Errorf("while it is stopped the list changed to %q, from %q", got, all)
	}
	alice.click(".ins-pause")
	alice.waitFor("the list goes on", func() bool { return len(alice.rows()) > len(all) })

	alice.clickText(".ins-head button", "Clear")
	alice.waitFor("the list is empty", func() bool { return len(alice.rows()) == 0 })
	alice.see(".ins-empty")
	bob.wait("the other list is empty, too", `() => document.querySelectorAll(".ins-line").length === 0`)
	bob.say("four")
	alice.row("^say bob")
}

// An event that is sent again is a new row, and no new message: the handler
// knows the message by its id.
func TestPanelSendAgain(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	alice.say("once")
	alice.sees("alice: once")
	first := alice.row("^say alice")
	alice.openRow(first)
	alice.clickText(first+" .ins-part-buttons button", "Send again")
	second := alice.row("^say alice.* again ")
	if first == second {
		t.Errorf("the row that was sent again is %s, the first one", second)
	}
	alice.say("twice")
	alice.sees("alice: once", "alice: twice")
	alice.openRow(second)
	alice.seeText(second, "once more by hand")
}

// The command for curl sends the same request, which the handler takes.
func TestPanelCurl(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	for _, permission := range []browser.PermissionDescriptor{{Name: "clipboard-read"}, {Name: "clipboard-write"}} {
		if _, err := chromedp.CallBrowser(alice.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &permission, Setting: browser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(alice.ctx).BrowserContextID,
		}); err != nil {
			t.Fatal(err)
		}
	}
	alice.say(`it's "quoted" & $HOME, №1`)
	alice.sees(`alice: it's "quoted" & $HOME, №1`)
	say := alice.row("^say alice")
	alice.openRow(say)
	alice.clickText(say+" .ins-part-buttons button", "Copy as curl")
	alice.seeText(say+" .ins-said", "Copied")
	line := eval[string](alice.tab, `() => navigator.clipboard.readText()`)
	if !strings.HasPrefix(line, "curl ") {
		t.Fatalf("in the clipboard is %q, want a curl command", line)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "curl is not on PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if !strings.Contains(string(out), " 200 OK") && !strings.Contains(string(out), " 204 No Content") {
		t.Errorf("%s\nanswered\n%s\nwant 200 or 204", line, out)
	}
	alice.say("still one of it")
	alice.sees(`alice: it's "quoted" & $HOME, №1`, "alice: still one of it")
}
