package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A tab is one tab of the browser, and what a person does in it.
type tab struct {
	t       *testing.T
	ctx     context.Context
	trouble trouble
}

// settle fails the test for what went wrong so far.
func (p *tab) settle() {
	p.t.Helper()
	for _, what := range p.trouble.take() {
		p.t.Errorf("in the page: %s", what)
	}
}

// dismissDialog closes a dialog of the page.
func (p *tab) dismissDialog() {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: false}) // it is trouble already
}

// do carries out actions.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("in the page: %v", err)
	}
}

// reload loads the page again.
func (p *tab) reload() {
	p.t.Helper()
	p.do(chromedp.Reload())
}

// close closes the tab, as a person does.
func (p *tab) close() {
	p.t.Helper()
	p.settle()
	p.trouble.close()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		p.t.Fatalf("the tab does not close: %v", err)
	}
}

// eval calls a JavaScript function in the page and returns its result, also
// that of a promise.
func eval[T any](p *tab, function string, args ...any) T {
	p.t.Helper()
	result, err := tryEval[T](p, function, args...)
	if err != nil {
		p.t.Fatalf("in the page, %s: %v", function, err)
	}
	return result
}

func tryEval[T any](p *tab, function string, args ...any) (T, error) {
	literals := make([]string, len(args))
	for i, arg := range args {
		literal, err := json.Marshal(arg)
		if err != nil {
			p.t.Fatal(err)
		}
		literals[i] = string(literal)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	expression := fmt.Sprintf("(%s)(%s)", function, strings.Join(literals, ", "))
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// wait waits until a JavaScript function returns something true.
func (p *tab) wait(what, function string, args ...any) {
	p.t.Helper()
	p.waitFor(what, func() bool {
		// While the page is loaded anew there is nothing to ask.
		ok, err := tryEval[bool](p, "(...args) => Boolean(("+function+")(...args))", args...)
		return err == nil && ok
	})
}

// waitFor waits until a condition is met.
func (p *tab) waitFor(what string, condition func() bool) {
	p.t.Helper()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(end) {
			p.settle()
			text, _ := tryEval[string](p, `() => document.body.innerText`)
			p.t.Fatalf("still not, after %v: %s\nthe page (see %s) says:\n%s", patience, what, p.picture("failed.png"), text)
		}
	}
}

// visible reports whether something can be seen.
const visible = `(selector) => document.querySelector(selector)?.checkVisibility({visibilityProperty: true}) ?? false`

// see waits until something can be seen.
func (p *tab) see(selector string) {
	p.t.Helper()
	p.wait(selector+" is to be seen", visible, selector)
}

// text returns the text of an element as it is seen.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, `(selector) => document.querySelector(selector)?.innerText.trim() ?? ""`, selector)
}

// seeText waits until an element has a text.
func (p *tab) seeText(selector, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s says %q", selector, text),
		`(selector, text) => document.querySelector(selector)?.innerText.includes(text)`, selector, text)
}

// click clicks where an element is, once it has come to rest and nothing lies
// above it.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.see(selector)
	type spot struct {
		X, Y float64
		Free bool
	}
	var at spot
	p.waitFor(selector+" can be clicked", func() bool {
		var err error
		at, err = tryEval[spot](p, `async (selector) => {
			const element = document.querySelector(selector);
			element.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
			const box = element.getClientRects()[0];
			const x = box.x + box.width / 2, y = box.y + box.height / 2;
			await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
			const now = element.getClientRects()[0], hit = document.elementFromPoint(x, y);
			return {X: x, Y: y, Free: !element.disabled && element.contains(hit) && Math.hypot(now.x - box.x, now.y - box.y) < 2};
		}`, selector)
		return err == nil && at.Free
	})
	p.do(chromedp.MouseClickXY(at.X, at.Y))
}

// clickText clicks the element, among those that a selector finds, that begins
// with a text.
func (p *tab) clickText(selector, text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("there is %q in %s", text, selector), `(selector, text) => {
		const found = [...document.querySelectorAll(selector)].find((e) => e.textContent.startsWith(text));
		found?.setAttribute("data-clicked", text);
		return found;
	}`, selector, text)
	p.click(fmt.Sprintf("[data-clicked=%q]", text))
	eval[bool](p, `(text) => document.querySelector('[data-clicked="' + text + '"]')?.removeAttribute("data-clicked") ?? true`, text)
}

// press presses keys, one after the other.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// write types a text where the focus is.
func (p *tab) write(text string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(text))
}

// Keys together with others.
var (
	selectAll  = chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	shiftEnter = chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift))
)

// fill clicks a field and types a text in place of what is there.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.click(selector)
	p.do(selectAll)
	p.press(kb.Delete)
	p.write(text)
}

// paste puts a text into a field that nobody would type.
func (p *tab) paste(selector, text string) {
	p.t.Helper()
	p.fill(selector, "")
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// focused describes where the focus is.
func (p *tab) focused() string {
	p.t.Helper()
	return eval[string](p, `() => {
		const {tagName, id, className, ariaLabel, innerText} = document.activeElement;
		return [tagName.toLowerCase(), id && "#" + id, className && "." + className, ariaLabel ?? innerText?.slice(0, 40)].filter(Boolean).join(" ");
	}`)
}

// picture takes a screenshot into the folder of the test and returns its path.
func (p *tab) picture(name string) string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Sprintf("no picture: %v", err)
	}
	path := filepath.Join(p.t.ArtifactDir(), name)
	if err := os.WriteFile(path, image, 0o644); err != nil {
		return fmt.Sprintf("no picture: %v", err)
	}
	return path
}
