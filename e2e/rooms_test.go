package e2e_test

import (
	"slices"
	"testing"
)

// What is said in a room stays there.
func TestRooms(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	carol := c.visit(d, "carol")

	alice.join("garden")
	bob.click("#join-room")
	bob.wait("the room is offered", `() => document.querySelector("#known-rooms button[value=garden]")`)
	bob.click("#known-rooms button[value=garden]")
	bob.seePeople("garden", "alice", "bob")

	alice.say("the roses are out")
	bob.sees("alice: the roses are out")
	carol.say("is anybody here?")
	carol.sees("carol: is anybody here?")

	// Both see that the lobby has news, and carol hears nothing of the garden.
	alice.wait("the lobby has something unread", `() => document.querySelector("#rooms button[value=lobby]").textContent.includes("1")`)
	alice.show("lobby")
	alice.sees("carol: is anybody here?")

	// Who has left hears no more, until they come back.
	bob.click("#leave-room")
	bob.seeRoom("lobby")
	alice.show("garden")
	alice.waitFor("bob has left the garden", func() bool { return slices.Equal(alice.people(), []string{"alice"}) })
	alice.say("alone again")
	alice.sees("alice: the roses are out", "alice: alone again")
	carol.say("I saw you, bob")
	bob.sees("carol: is anybody here?", "carol: I saw you, bob")
	bob.join("garden")
	bob.sees("alice: the roses are out", "alice: alone again")
}

// A room may have any name that is no path.
func TestRoomNames(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	for _, room := range []string{"café №1", `100% "sure" & more?`, "#a+b", "日本語"} {
		alice.click("#join-room")
		alice.fill("#room-name", room)
		alice.click("#room-form .primary")
		alice.seePeople(room, "alice")
		alice.say("in " + room)
		alice.sees("alice: in " + room)
	}
}
