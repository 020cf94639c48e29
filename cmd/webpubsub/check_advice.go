package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/trigger"
)

// outcomes are what came back for the first requests, as their statuses; 0 for
// no answer.
type outcomes struct {
	handshake int
	connect   int // -1 if it was not sent
	events    []int
	texts     []string
}

func outcomesOf(found []check.Observation) *outcomes {
	o := &outcomes{connect: -1}
	for i, observation := range found {
		status := observation.Status
		switch {
		case i == 0:
			o.handshake = status
		case i == 1 && observation.What == "connect":
			o.connect = status
		default:
			o.events = append(o.events, status)
		}
		o.texts = append(o.texts, observation.Outcome)
	}
	return o
}

// posts are the outcomes of all but the handshake.
func (o *outcomes) posts() []int {
	if o.connect < 0 {
		return o.events
	}
	return append([]int{o.connect}, o.events...)
}

// all reports whether there are statuses, and all are among these.
func all(statuses []int, among ...int) bool {
	return len(statuses) > 0 && !slices.ContainsFunc(statuses, func(status int) bool { return !slices.Contains(among, status) })
}

// allOf reports whether there are statuses, and all are of a class.
func allOf(statuses []int, class int) bool {
	return len(statuses) > 0 && !slices.ContainsFunc(statuses, func(status int) bool { return status/100 != class })
}

func any2xx(statuses []int) bool {
	return slices.ContainsFunc(statuses, func(status int) bool { return status/100 == 2 })
}

// The statuses of a place where there is no handler of events.
var nowhere = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented}

// noHandler says what is there in place of an event handler, when that is
// clear; empty otherwise.
func noHandler(r *check.Report) string {
	o := outcomesOf(r.Found)
	switch {
	case len(o.texts) == 0 || strings.HasSuffix(o.texts[0], "consents") || strings.HasSuffix(o.texts[0], "consents to every origin"):
		return ""
	case all(o.posts(), nowhere...):
		return fmt.Sprintf("This is no event handler: POST is answered with %s at this URL.", trigger.Status(o.posts()[0]))
	case any2xx(o.posts()) && allPages(r.Results):
		return "This is no event handler: a web page (HTML) is the answer to everything."
	}
	return ""
}

// allPages reports whether all that was accepted was answered with a whole web
// page. A handler may answer with a text that is labelled HTML by a framework.
func allPages(results []check.Result) bool {
	pages := 0
	for i := range results {
		for _, x := range results[i].Exchanges {
			if x.Status/100 != 2 || x.Method != http.MethodPost {
				continue
			}
			if !isPage(x.Answer) {
				return false
			}
			pages++
		}
	}
	return pages > 0
}

func isPage(body string) bool {
	start := strings.ToLower(strings.TrimSpace(body))
	return strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// advice returns the first thing to do, empty when there is none.
func (p *checkPrinter) advice(r *check.Report) string {
	o := outcomesOf(r.Found)
	posts := o.posts()
	switch everything := append([]int{o.handshake}, posts...); {
	case len(r.Found) == 0:
		return ""
	case all(everything, 0):
		return silenceAdvice(o.texts[0])
	case all(posts, 0):
		return silenceAdvice(o.texts[1])
	case noHandler(r) != "":
		return "is the path right? The application's own routes say where its handler is; register it for OPTIONS and POST"
	case all(posts, http.StatusUnauthorized):
		return fmt.Sprintf("all events are refused: is %s the one that the handler verifies with? Give it with --key or --connection-string", p.keyName)
	case all(posts, http.StatusForbidden):
		return fmt.Sprintf("all events are refused: does the handler take events of the host %s and the hub %s? Give others with --origin and --hub", r.Origin, r.Hub)
	case allOf(posts, 3):
		return "the service follows no redirect: check the URL that Location names, or register this one, too"
	case allOf(posts, 5):
		return "the application fails at every event; its own log says why"
	case o.connect/100 == 4:
		return fmt.Sprintf("the handler refuses the client with %s: describe one that it lets in, with --user, --query or --offer", r.Found[1].Outcome)
	case allOf(o.events, 4):
		return "the handler refuses all user events: say which it serves with --events, and what they carry with --data"
	}
	return firstAdvice(r)
}

// silenceAdvice is for what does not even answer.
func silenceAdvice(outcome string) string {
	switch {
	case strings.Contains(outcome, "certificate"):
		return "the certificate is not trusted here: --insecure takes any"
	case strings.Contains(outcome, "server gave HTTP response to HTTPS client"), strings.Contains(outcome, "first record does not look like a TLS handshake"):
		return "the application speaks no TLS there: begin the URL with http://"
	case strings.Contains(outcome, "malformed HTTP response"):
		return "does the application speak TLS there? Begin the URL with https://"
	case strings.Contains(outcome, "within"):
		return "the application takes connections and does not answer: is it stopped in a debugger? --timeout gives it more time"
	}
	return "the application closes connections instead of answering: look for a panic in its log"
}

// firstAdvice names the rule to begin with: others may rest on it.
func firstAdvice(r *check.Report) string {
	var fails []string
	for i := range r.Results {
		if result := &r.Results[i]; result.Verdict == check.Fails && result.Rule.Severity == check.Must {
			fails = append(fails, result.Rule.ID)
		}
	}
	if len(fails) == 0 {
		return ""
	}
	first := slices.MinFunc(fails, func(a, b string) int { return cmp.Compare(turn(a), turn(b)) })
	if len(fails) == 1 {
		return fmt.Sprintf("--only %s judges by this rule alone, and --verbose shows whole requests", first)
	}
	return fmt.Sprintf("begin with %s, because others may rest on it: --only %s judges by it alone, and --verbose shows whole requests", first, first)
}

// basics are what all else rests on, in the order to mend it: rules, and an area.
var basics = []string{"handshake/consent", "connect/answer", "event/answer", "signature"}

// turn returns when it is a rule's turn to be mended.
func turn(id string) int {
	area, _, _ := strings.Cut(id, "/")
	if i := slices.IndexFunc(basics, func(basic string) bool { return basic == id || basic == area }); i >= 0 {
		return i
	}
	return len(basics)
}
