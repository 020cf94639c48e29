package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// trouble is what goes wrong in a tab: exceptions, errors on the console, failed
// requests, violations of the Content-Security-Policy, dialogs.
type trouble struct {
	answer func() // answers a dialog, which stops the page

	mu        sync.Mutex
	closed    bool
	found     []string
	tolerated []*regexp.Regexp
	urls      map[network.RequestID]string
}

// tolerate says that something is to be expected from now on: the test does it
// on purpose.
func (x *trouble) tolerate(pattern string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tolerated = append(x.tolerated, regexp.MustCompile(pattern))
}

// close ends the watch: a page that is closed breaks off what it does.
func (x *trouble) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
}

// take returns what was found so far, and forgets it.
func (x *trouble) take() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := x.found
	x.found = nil
	return found
}

// see looks at an event of the browser. It must not wait.
func (x *trouble) see(event any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return
	}
	what := ""
	switch ev := event.(type) {
	case *runtime.EventExceptionThrown:
		what = "exception: " + exception(ev.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			what = "console: " + arguments(ev.Args)
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			what = fmt.Sprintf("log: %s (%s)", ev.Entry.Text, ev.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if x.urls == nil {
			x.urls = map[network.RequestID]string{}
		}
		x.urls[ev.RequestID] = ev.Request.Method + " " + ev.Request.URL
	case *network.EventResponseReceived:
		if ev.Response.Status >= 400 {
			what = fmt.Sprintf("request: %s answered %d", x.urls[ev.RequestID], ev.Response.Status)
		}
	case *network.EventLoadingFailed:
		if !ev.Canceled {
			what = fmt.Sprintf("request: %s failed: %s %s", x.urls[ev.RequestID], ev.ErrorText, ev.BlockedReason)
		}
	case *audits.EventIssueAdded:
		what = issue(ev.Issue)
	case *page.EventJavascriptDialogOpening:
		what = fmt.Sprintf("dialog: %s %q", ev.Type, ev.Message)
		go x.answer()
	case *inspector.EventTargetCrashed:
		what = "the tab has crashed"
	}
	if what == "" {
		return
	}
	for _, pattern := range x.tolerated {
		if pattern.MatchString(what) {
			return
		}
	}
	x.found = append(x.found, what)
}

func exception(details *runtime.ExceptionDetails) string {
	if details.Exception != nil && details.Exception.Description != "" {
		return details.Exception.Description
	}
	return fmt.Sprintf("%s (%s:%d)", details.Text, details.URL, details.LineNumber+1)
}

func arguments(args []*runtime.RemoteObject) string {
	var words []string
	for _, arg := range args {
		if arg.Description != "" {
			words = append(words, arg.Description)
		} else {
			words = append(words, string(arg.Value))
		}
	}
	return strings.Join(words, " ")
}

// issue tells of those that break something. The rest are tips for developers.
func issue(found *audits.InspectorIssue) string {
	if details := found.Details.ContentSecurityPolicyIssueDetails; details != nil {
		at := ""
		if where := details.SourceCodeLocation; where != nil {
			at = fmt.Sprintf(" at %s:%d", where.URL, where.LineNumber+1)
		}
		return fmt.Sprintf("policy: %s forbids %s %s%s",
			details.ViolatedDirective, details.ContentSecurityPolicyViolationType, details.BlockedURL, at)
	}
	return ""
}
