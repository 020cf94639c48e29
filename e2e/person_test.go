package e2e_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

// A person is somebody who chats in a tab.
type person struct {
	*tab
	name string
}

// visit opens the page of the demo and joins the chat.
func (c *chromium) visit(d *demo, name string, options ...func(*tab)) *person {
	c.t.Helper()
	p := &person{tab: c.open(d.Page, options...), name: name}
	p.see("#name-form")
	p.fill("#name", name)
	p.press(kb.Enter)
	p.connected()
	p.seePeople("lobby", name)
	return p
}

// connected waits for the connection.
func (p *person) connected() {
	p.t.Helper()
	p.wait("the page is connected", `() => document.querySelector("#status").textContent === "connected"`)
}

// seePeople waits until these people are in the room that is shown, among
// others.
func (p *person) seePeople(room string, names ...string) {
	p.t.Helper()
	p.seeRoom(room)
	for _, name := range names {
		p.wait(fmt.Sprintf("%s sees %s in %s", p.name, name, room),
			`(name) => [...document.querySelectorAll("#people b")].some((b) => b.textContent === name)`, name)
	}
}

// seeRoom waits until a room is the one that is shown.
func (p *person) seeRoom(room string) {
	p.t.Helper()
	p.wait("the room "+room+" is shown", `(room) => document.querySelector("#rooms [aria-current]")?.value === room`, room)
}

// people returns who is in the room that is shown.
func (p *person) people() []string {
	p.t.Helper()
	return eval[[]string](p.tab, `() => [...document.querySelectorAll("#people b")].map((b) => b.textContent)`)
}

// say writes a message into the room that is shown.
func (p *person) say(text string) {
	p.t.Helper()
	p.fill("#compose", text)
	p.press(kb.Enter)
}

// pasteTooMuch writes more than the handler takes, which the page would not let
// happen.
func (p *person) pasteTooMuch() {
	p.t.Helper()
	const enough = 2000
	eval[int](p.tab, `(length) => document.querySelector("#compose").maxLength = length`, enough+1)
	p.paste("#compose", strings.Repeat("x", enough+1))
}

// A message is one in the room that is shown.
type message struct{ ID, State, Name, Text string }

// messages returns what was said in the room that is shown.
func (p *person) messages() []message {
	p.t.Helper()
	return eval[[]message](p.tab, `() => [...document.querySelectorAll("#messages li[data-id]")].map((li) => ({
		ID: li.dataset.id, State: li.dataset.state, Name: li.querySelector(".who b").textContent.replace(/ \(you\)$/, ""),
		Text: li.querySelector(".text").textContent,
	}))`)
}

// said returns it as lines of "name: text".
func (p *person) said() []string {
	p.t.Helper()
	var lines []string
	for _, m := range p.messages() {
		lines = append(lines, m.Name+": "+m.Text)
	}
	return lines
}

// sees waits until all of these messages, and no other, are on the page in this
// order, and none of them is still on the way.
func (p *person) sees(want ...string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf("%s sees these messages:\n\t%s", p.name, strings.Join(want, "\n\t")), func() bool {
		sent := func(m message) bool { return m.State == "sent" }
		return slices.Equal(p.said(), want) && !slices.ContainsFunc(p.messages(), func(m message) bool { return !sent(m) })
	})
}

// join goes to a room by the dialog.
func (p *person) join(room string) {
	p.t.Helper()
	p.click("#join-room")
	p.wait("the dialog asks", `() => document.activeElement.id === "room-name"`)
	p.write(room)
	p.press(kb.Enter)
	p.seePeople(room, p.name)
}

// show goes to a room that the person is in.
func (p *person) show(room string) {
	p.t.Helper()
	p.click(fmt.Sprintf("#rooms button[value=%q]", room))
	p.seeRoom(room)
}

// rename takes another name by the dialog.
func (p *person) rename(name string) {
	p.t.Helper()
	p.click("#rename")
	p.fill("#new-name", name)
	p.press(kb.Enter)
	p.name = name
	p.seePeople("lobby", name)
}

// connectionID returns the id of the connection, as the events of the person
// have it: the last one to connect with the name.
func (p *person) connectionID(d *demo) string {
	p.t.Helper()
	id := ""
	p.waitFor("the inspector knows the connection of "+p.name, func() bool {
		for _, entry := range d.entries(p.t) {
			if entry.Event == "connected" && entry.UserID == p.name {
				id = entry.ConnectionID
			}
		}
		return id != ""
	})
	return id
}
