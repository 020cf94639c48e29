package check

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

var pathRules = []Rule{
	{
		ID:       "path/slash",
		Title:    "The handler serves its path with and without a slash at the end",
		Severity: Info,
		Source:   "CloudEvents HTTP 1.1 Web Hooks, 2.2: no redirects; derived: both forms are written in settings",
		Reason:   "The service follows no redirect: with one character more or less in the settings of the hub, no client gets in.",
		Fix:      "Register both forms of the path, and turn off redirects from one to the other.",
		needs:    []need{needConsent},
		judge:    judgeSlash,
	},
	{
		ID:       "path/method",
		Title:    "The handler tells events from the handshake",
		Severity: Should,
		Source:   sourceHandshake,
		Reason:   "Events carry WebHook-Request-Origin, too: a handler that answers every request that has it with consent drops all events without a word.",
		Fix:      "Answer OPTIONS and GET with consent, and take every POST with a ce-type for an event.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			a := s.send(s.sample().event())
			if allowed := a.header[wire.HeaderAllowedOrigin]; a.accepted() && len(a.body) == 0 && len(allowed) > 0 {
				return fails(fmt.Sprintf("the event %q got %v without a body and with WebHook-Allowed-Origin %.200q, as if it were the handshake", s.sample().name, a, allowed))
			}
			return holds()
		},
	},
}

// judgeSlash asks and sends what the handler is known to accept, at the other
// form of its path.
func judgeSlash(s *session) finding {
	there, why := s.target.otherForm()
	if why != "" {
		return open(why)
	}
	here := s.target
	s.target = there
	defer func() { s.target = here }()
	if a := s.ask(s.found.method, s.opts.Origin); !a.accepted() || !grants(a.header, s.opts.Origin) {
		return fails(fmt.Sprintf("%s to %s: got %v, want consent as at %s", s.found.method, there.template, a, here.template))
	}
	if known := s.sample(); known != nil {
		if a := s.send(known.event()); !a.accepted() {
			return fails(fmt.Sprintf("%s to %s: got %v, want 2xx as at %s", http.MethodPost, there.template, a, here.template))
		}
	}
	return holds()
}

// otherForm returns the target with a slash more or less at its end, and else
// why there is no other form.
func (t target) otherForm() (other target, why string) {
	without := strings.TrimSuffix(t.template, "/")
	u, err := url.Parse(t.at("hub", "event"))
	switch {
	case err != nil || strings.Trim(u.Path, "/") == "":
		return target{}, "the handler is at the root of its host"
	case strings.Contains(t.template, "?"):
		return target{}, "the target has a query, which is not written by hand"
	case strings.HasSuffix(without, "}"):
		return target{}, "the path ends with what the service fills in"
	case without != t.template:
		return target{without}, ""
	}
	return target{t.template + "/"}, ""
}
