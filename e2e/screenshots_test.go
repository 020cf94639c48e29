package e2e_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// pictureLimit is how large the picture in the documents may be.
const pictureLimit = 400 << 10

// The demo as it looks: pictures for the eyes of whoever changed it, and one for
// the documents.
func TestScreenshots(t *testing.T) {
	d, c := startDemo(t), startChromium(t)
	maya := c.visit(d, "Maya", sharp)
	jonas := c.visit(d, "Jonas", window(1280, 800), dark)
	priya := c.visit(d, "Priya", phone)
	everybody := []*person{maya, jonas, priya}
	for _, p := range everybody {
		p.seePeople("lobby", "Maya", "Jonas", "Priya")
	}
	jonas.join("release")
	jonas.say("Notes for 1.0 are in the wiki")
	jonas.show("lobby")
	maya.join("release")
	maya.sees("Jonas: Notes for 1.0 are in the wiki")
	maya.show("lobby")

	var said []string
	for _, line := range []struct {
		by   *person
		text string
	}{
		{maya, "Morning! The new build is on staging."},
		{jonas, "Nice. Does it survive a lost connection now?"},
		{maya, "It should: press “Cut my connection” and watch the panel."},
		{priya, "Did it on the train, in a tunnel. Nothing was lost!"},
		{jonas, "Then let's ship it."},
		{priya, "+1 from me"},
	} {
		line.by.say(line.text)
		said = append(said, line.by.name+": "+line.text)
		for _, p := range everybody {
			p.sees(said...)
		}
	}
	maya.quiet()
	say := maya.row("^say Jonas")
	maya.openRow(say)
	jonas.show("release")
	jonas.say("Ready when you are.")
	maya.wait("the other room has something unread", `() => document.querySelector("#rooms button[value=release]").textContent.includes("1")`)

	jonas.openRow(jonas.row("^connect #"))
	inspector := c.open(d.Inspector, window(1280, 800))
	inspector.openRow(inspector.row("^say Priya"))
	priya.fill("#compose", "On my way")
	maya.seeText("#typing", "Priya is writing")

	// Some of the rows above belong into the picture.
	eval[bool](maya.tab, `(row) => {
		let top = document.querySelector(row);
		for (let n = 0; n < 5; n++) top = top.previousElementSibling;
		document.querySelector(".ins-scroller").scrollTop += top.getBoundingClientRect().top - document.querySelector(".ins-scroller").getBoundingClientRect().top;
		return true;
	}`, say)
	wide := maya.picture("demo-wide.png")
	jonas.picture("demo-dark.png")
	priya.picture("demo-phone.png")
	priya.click("#tab-events")
	priya.row("^say Jonas")
	priya.quiet()
	priya.picture("demo-phone-events.png")
	inspector.picture("inspector.png")

	if !*update {
		return
	}
	picture, err := os.ReadFile(wide)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(picture); got > pictureLimit {
		t.Errorf("the picture has %d bytes, want at most %d", got, pictureLimit)
	}
	if err := os.WriteFile("../docs/demo.png", picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// sharp is a window whose picture is good to read on a screen with many dots.
func sharp(p *tab) { p.do(chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(1.5))) }
