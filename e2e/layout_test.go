package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// On a phone, chat and events are behind tabs, and nothing is wider than the
// window.
func TestNarrow(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	fits := func(p *tab, where string) {
		t.Helper()
		type wide struct{ Window, Page int64 }
		if got := eval[wide](p, `() => ({Window: innerWidth, Page: document.documentElement.scrollWidth})`); got.Page > got.Window || got.Window != 375 {
			t.Errorf("%s: the page is %d wide in a window of %d, want 375", where, got.Page, got.Window)
		}
		out := eval[[]string](p, `() => [...document.querySelectorAll("button, input, textarea, select, h1, h2, p")]
			.filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest(".visually-hidden"))
			.filter((e) => { const box = e.getBoundingClientRect(); return box.right > innerWidth + 1 || box.left < -1; })
			.filter((e) => { for (let a = e.parentElement; a; a = a.parentElement) if (/auto|scroll/.test(getComputedStyle(a).overflowX)) return false; return true; })
			.map((e) => e.tagName + " " + (e.id || e.className) + " " + e.textContent.slice(0, 40))`)
		if len(out) > 0 {
			t.Errorf("%s: beyond the edge of the window are %q", where, out)
		}
	}
	stranger := c.open(d.Page, phone)
	stranger.see("#name-form")
	fits(stranger, "name")

	alice := c.visit(d, "alice with quite a long name, really so", phone)
	bob := c.visit(d, "bob")
	bob.say("a message with a word that no line is long enough for: " + strings.Repeat("Donaudampfschifffahrt", 6))
	alice.wait("the message is there", `() => document.querySelector("#messages li")`)
	fits(alice.tab, "chat")
	if hidden := !eval[bool](alice.tab, visible, "#panel"); !hidden {
		t.Error("the panel is seen beside the chat")
	}

	alice.click("#tab-events")
	alice.see("#panel")
	fits(alice.tab, "events")
	alice.openRow(alice.row("^say bob"))
	fits(alice.tab, "an opened row")
	if hidden := !eval[bool](alice.tab, visible, "#compose"); !hidden {
		t.Error("the chat is seen beside the panel")
	}
	alice.press(kb.Escape)
	alice.click("#tab-chat")
	alice.say("back")
	bob.row("^say alice")
}

// In the dark, the page is dark.
func TestDark(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	for _, url := range []string{d.Page, d.Inspector} {
		for name, options := range map[string][]func(*tab){"light": nil, "dark": {dark}} {
			p := c.open(url, options...)
			// A transparent background is that of the canvas, which color-scheme tells.
			brightness := eval[float64](p, `() => {
				for (const e of [document.body, document.documentElement]) {
					const [r, g, b, a = 1] = getComputedStyle(e).backgroundColor.match(/[\d.]+/g).map(Number);
					if (a > 0) return (r + g + b) / 3;
				}
				return -1;
			}`)
			if brightness < 0 || (brightness < 80) != (name == "dark") {
				t.Errorf("%s is to be %s, and has a background of brightness %v", url, name, brightness)
			}
		}
	}
}

// Everything can be done by keyboard.
func TestKeyboard(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	p := &person{tab: c.open(d.Page), name: "alice"}
	p.see("#name-form")
	p.wait("the name has the focus", `() => document.activeElement.id === "name"`)
	p.do(selectAll)
	p.write("alice")
	p.press(kb.Enter)
	p.connected()
	p.wait("the message has the focus", `() => document.activeElement.id === "compose"`)
	p.write("by hand")
	p.press(kb.Enter)
	p.sees("alice: by hand")

	// A line feed is no message.
	p.write("two")
	p.do(shiftEnter)
	p.write("lines")
	p.press(kb.Enter)
	p.sees("alice: by hand", "alice: two\nlines")

	// With the tabulator to the rows, and up to one of them.
	p.row("^say alice")
	p.quiet()
	way := p.tabUntil(`() => document.activeElement.matches(".ins-line")`)
	p.press(kb.End, kb.ArrowUp, kb.ArrowUp, kb.ArrowDown)
	if !eval[bool](p.tab, `() => document.activeElement.matches(".ins-line")`) {
		t.Fatalf("the arrow keys lead to %s", p.focused())
	}
	p.press(kb.Enter)
	p.wait("the row is open", `() => document.activeElement.ariaExpanded === "true" && document.querySelector(".ins-part-request")?.innerText`)
	p.tabUntil(`() => document.activeElement.closest(".ins-detail") !== null`)
	p.press(kb.Escape)
	p.wait("the row is closed, and has the focus",
		`() => !document.querySelector(".ins-detail") && document.activeElement.matches(".ins-line")`)
	if len(way) < 3 || !slices.ContainsFunc(way, func(stop string) bool { return strings.Contains(stop, "#send") }) {
		t.Errorf("the tabulator went by %q, want the button to send among them", way)
	}

	// Dialogs take the focus and give it back.
	p.tabUntil(`() => document.activeElement.id === "join-room"`)
	p.press(kb.Enter)
	p.wait("the room has the focus", `() => document.activeElement.id === "room-name"`)
	p.press(kb.Escape)
	p.wait("the button has the focus again", `() => document.activeElement.id === "join-room"`)
	p.press(kb.Enter)
	p.write("garden")
	p.press(kb.Enter)
	p.seePeople("garden", "alice")
	p.wait("the message has the focus", `() => document.activeElement.id === "compose"`)
}

// tabUntil presses the tabulator until a condition is met, and returns where it
// went by. Wherever it stops, it has to be seen.
func (p *tab) tabUntil(condition string) (way []string) {
	p.t.Helper()
	for range 60 {
		p.press(kb.Tab)
		where := p.focused()
		way = append(way, where)
		if !eval[bool](p, `() => document.activeElement === document.body || document.activeElement.matches(":focus-visible")
			&& document.activeElement.checkVisibility({visibilityProperty: true, opacityProperty: true})`) {
			p.t.Errorf("the focus is on %s, which is not seen", where)
		}
		if eval[bool](p, condition) {
			return way
		}
	}
	p.t.Fatalf("the tabulator does not lead there: %s\nit goes by %q", condition, way)
	return nil
}
