package e2e_test

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// A chromium is the browser as a test uses it. All tests have the same one, and
// a tab has nothing in common with another: each is a window of a person of its
// own, as if on another machine.
type chromium struct {
	t   *testing.T
	ctx context.Context
}

// startChromium returns the browser, which the first test starts.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	ctx, err := theBrowser()
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "chromium is not on PATH: install it to test the pages")
	}
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &chromium{t: t, ctx: ctx}
}

var (
	theBrowser = sync.OnceValues(startBrowser)
	// stopBrowser ends the browser, if there is one, and removes its profile.
	stopBrowser = func() error { return nil }
)

func startBrowser() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	flags := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.WindowSize(1280, 900),
	}
	for _, name := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		// /dev/shm is small where the tests run in a container.
		"disable-dev-shm-usage",
		// Several windows are open at once, and none of them is in the background.
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
	} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(ctx)
	stopBrowser = func() error {
		defer cancelAllocator()
		defer cancel()
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return chromedp.Cancel(ctx)
	}
	return ctx, chromedp.Do(ctx)
}

// open opens a page in a tab of its own. What goes wrong in it fails the test.
func (c *chromium) open(url string, options ...func(*tab)) *tab {
	c.t.Helper()
	p := &tab{t: c.t}
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.trouble.see))
	p.ctx = ctx
	c.t.Cleanup(func() {
		p.trouble.close()
		p.settle()
		cancel()
	})
	p.trouble.answer = func() { p.dismissDialog() }
	// The tab lives as long as the context of the first action: no deadline here.
	if err := chromedp.Do(ctx, prepare); err != nil {
		c.t.Fatalf("no tab opens: %v", err)
	}
	for _, option := range options {
		option(p)
	}
	p.do(chromedp.Navigate(url))
	return p
}

// prepare makes a tab behave as if somebody looked at it, and report what it
// would only show in the developer tools.
func prepare(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	if _, err := cdp.Call(ctx, t, audits.Enable, cdp.Empty{}); err != nil {
		return chromedp.Void{}, err
	}
	return cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
}

// window sets the size of what is seen of the page.
func window(width, height int64) func(*tab) {
	return func(p *tab) { p.do(chromedp.EmulateViewport(width, height)) }
}

// phone is a small window that is touched.
func phone(p *tab) {
	p.do(chromedp.EmulateViewport(375, 812, chromedp.EmulateMobile, chromedp.EmulateTouch))
}

// dark asks the page for dark colours.
func dark(p *tab) {
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
}

// call sends a command of the protocol to a tab.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// tick is how long the tests wait before they look again.
const tick = 20 * time.Millisecond
