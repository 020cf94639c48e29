package e2e_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
)

// A cut connection comes back, and is the same one.
func TestCut(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.recordStates()
	alice.say("before")
	bob.sees("alice: before")
	before := alice.connectionID(d)

	alice.click("#cut")
	alice.wentThrough("reconnecting", "connected")
	alice.say("after")
	bob.say("welcome back")
	for _, p := range []*person{alice, bob} {
		p.seePeople("lobby", "alice", "bob")
		p.waitFor("all has arrived", func() bool { return len(p.messages()) == 3 })
	}
	// The server behind the chat has not noticed anything.
	if got, want := alice.connectionID(d), before; got != want {
		t.Errorf("the connection is %s, want %s as before", got, want)
	}
	for _, entry := range d.entries(t) {
		if entry.Event == "disconnected" {
			t.Errorf("there is a disconnected event of %s", entry.UserID)
		}
	}
	if got, want := bob.people(), []string{"alice", "bob"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("bob sees %q, want %q", got, want)
	}
}

// While one writes, the connection of the other is cut, again and again: nothing
// is lost, nothing comes twice, and the order stays.
func TestCutWhileOthersWrite(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.recordStates()
	connection := alice.connectionID(d)

	var want []string
	for n := range 20 {
		if n%6 == 3 {
			d.cut(t, connection)
		}
		text := fmt.Sprint("message ", n+1)
		bob.say(text)
		want = append(want, "bob: "+text)
		if n%6 == 5 {
			alice.connected()
		}
	}
	bob.sees(want...)
	alice.sees(want...)
	alice.wentThrough("reconnecting", "connected", "reconnecting", "connected")
}

// The one who writes loses the connection, and what was written meanwhile is
// sent when it is back: once.
func TestCutWhileWriting(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.recordStates()
	connection := alice.connectionID(d)

	var want []string
	for n := range 20 {
		if n%8 == 4 {
			d.cut(t, connection)
		}
		text := fmt.Sprint("message ", n+1)
		alice.say(text)
		want = append(want, "alice: "+text)
	}
	bob.sees(want...)
	alice.sees(want...)
	alice.wentThrough("reconnecting", "connected")
}

// The demo is ended and started again. The page comes back by itself, with who
// is there and what it knew.
func TestRestart(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	alice := c.visit(d, "alice")
	bob := c.visit(d, "bob")
	alice.say("before")
	bob.sees("alice: before")
	alice.recordStates()

	for _, p := range []*person{alice, bob} {
		p.trouble.tolerate("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE")
		p.trouble.tolerate("WebSocket connection to .* failed")
	}
	address, err := url.Parse(d.Page)
	if err != nil {
		t.Fatal(err)
	}
	d.end()
	alice.wait("alice sees that it is gone", `() => document.querySelector("#status").textContent === "reconnecting"`)

	again := startDemoAt(t, "127.0.0.1:"+address.Port())
	again.tolerate("could not be recovered")
	alice.wentThrough("reconnecting", "connected")
	bob.connected()
	for _, p := range []*person{alice, bob} {
		p.seePeople("lobby", "alice", "bob")
		p.waitFor("two people are there", func() bool { return len(p.people()) == 2 })
	}
	alice.say("after")
	bob.sees("alice: before", "alice: after")
	alice.sees("alice: before", "alice: after")
	alice.row("^connect ")
	again.cut(t, alice.connectionID(again)) // the panel and the page talk to the new one
	alice.wentThrough("reconnecting", "connected", "reconnecting", "connected")
}

// recordStates writes down the states of the connection that the page shows.
func (p *person) recordStates() {
	p.t.Helper()
	eval[bool](p.tab, `() => {
		const status = document.querySelector("#status");
		window.states = [];
		new MutationObserver(() => {
			if (window.states.at(-1) !== status.textContent) window.states.push(status.textContent);
		}).observe(status, {childList: true, characterData: true, subtree: true});
		return true;
	}`)
}

// wentThrough waits until the page has shown these states since recordStates,
// and no others in between.
func (p *person) wentThrough(states ...string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf("%s went through %q", p.name, states), func() bool {
		got := eval[[]string](p.tab, `() => window.states[0] === "connected" ? window.states.slice(1) : window.states`)
		return len(got) >= len(states) && slices.Equal(got[:len(states)], states)
	})
}
