package e2e_test

import (
	"testing"
)

// Whatever people write is text. That nothing of it ran shows in the tabs: a
// dialog, a failed request and a violation of the policy would be trouble.
func TestMarkup(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	const (
		image  = "<img src=x onerror=alert(1)>"
		script = "<script>alert(2)</script>"
		link   = `"><a href="javascript:alert(3)">x</a>`
	)
	mallory := c.visit(d, image)
	alice := c.visit(d, "alice")
	alice.seePeople("lobby", image, "alice")
	for _, text := range []string{image, script, link} {
		mallory.say(text)
	}
	want := []string{image + ": " + image, image + ": " + script, image + ": " + link}
	mallory.sees(want...)
	alice.sees(want...)

	mallory.fill("#compose", "something")
	alice.seeText("#typing", image)
	const room = "<svg onload=alert(4)><" // a room has no slash
	mallory.join(room)
	mallory.say("in here")
	alice.click("#join-room")
	alice.wait("the room is offered", `(room) => [...document.querySelectorAll("#known-rooms button")].some((b) => b.value === room)`, room)
	alice.fill("#room-name", room)
	alice.click("#room-form .primary")
	alice.seePeople(room, image)
	mallory.click("#rename")
	mallory.fill("#new-name", "<b>bold</b>")
	mallory.click("#rename-form .primary")
	alice.seePeople(room, "<b>bold</b>", "alice")

	for _, pattern := range []string{"^say <img", "^joined <img", "^rename <img", "^connect #"} {
		row := alice.row(pattern)
		alice.openRow(row)
		alice.openHeaders(row + " .ins-part-request")
	}
	alice.seeText(".ins-rows", image)
	alice.seeText(".ins-rows", room)
	for _, p := range []*person{mallory, alice} {
		if n := eval[int](p.tab, `() => document.querySelectorAll("img, svg, body script, [onerror], [onload], #messages a, #messages b b").length`); n > 0 {
			t.Errorf("the page of %s has %d elements of somebody's text", p.name, n)
		}
	}
}
