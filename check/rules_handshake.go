package check

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

const (
	sourceCloudEvents = "CloudEvents extension for Azure Web PubSub, reference-cloud-events"
	sourceHandshake   = sourceCloudEvents + ", Webhook validation; CloudEvents HTTP 1.1 Web Hooks, 4 Abuse Protection"
	sourceEmulator    = "behaviour of Microsoft's emulator, which copies the service"
)

var handshakeRules = []Rule{
	{
		ID:       "handshake/consent",
		Title:    "The handler consents to events when it is asked",
		Severity: Must,
		Source:   sourceHandshake,
		Reason:   "Without consent the service sends no event at all, and refuses the clients whose connect it would have to ask about.",
		Fix:      "Answer OPTIONS with 200 and WebHook-Allowed-Origin, which repeats the host in WebHook-Request-Origin or is *; without authentication, on the path of the events.",
		judge:    judgeConsent,
	},
	{
		ID:       "handshake/several-origins",
		Title:    "The handler finds its origin among several",
		Severity: Must,
		Source:   sourceHandshake + "; Azure/azure-webpubsub#598",
		Reason:   "A resource with custom domains or replicas names all of its hosts, with a comma and a space between them.",
		Fix:      "Split WebHook-Request-Origin at commas, trim each part, and answer with one WebHook-Allowed-Origin line for each host that is allowed.",
		needs:    []need{needConsent},
		judge:    judgeSeveralOrigins,
	},
	{
		ID:       "handshake/case",
		Title:    "The handler compares origins without case",
		Severity: Should,
		Source:   "RFC 4343; " + sourceEmulator,
		Reason:   "Hosts have no case, and a domain may be configured in another spelling than the handler knows it by.",
		Fix:      "Compare hosts without regard to case.",
		needs:    []need{needConsent, needRestriction},
		judge: func(s *session) finding {
			return s.wantConsent(s.ask(s.found.method, strings.ToUpper(s.opts.Origin)), strings.ToUpper(s.opts.Origin))
		},
	},
	{
		ID:       "handshake/header-case",
		Title:    "The handler reads header names in any case",
		Severity: Must,
		Source:   "RFC 9110, 5.1",
		Reason:   "HTTP/2 sends all names in lower case, and so do many proxies.",
		Fix:      "Look headers up without regard to case.",
		needs:    []need{needConsent},
		judge: func(s *session) finding {
			req, lower := s.question(s.found.method, s.opts.Origin), http.Header{}
			for name, values := range req.Header {
				lower[strings.ToLower(name)] = values
			}
			req.Header = lower
			return s.wantConsent(s.exchange(handshakes, req), s.opts.Origin)
		},
	},
	{
		ID:       "handshake/look-alike",
		Title:    "The handler does not take a look-alike for its origin",
		Severity: Must,
		Source:   "CloudEvents HTTP 1.1 Web Hooks, 4.2",
		Reason:   "Whoever owns a domain that begins or ends like the real one could have somebody else's service send events here.",
		Fix:      "Compare whole hosts, never a part of them.",
		Hostile:  true,
		needs:    []need{needConsent, needRestriction},
		judge:    judgeLookAlikes,
	},
	{
		ID:       "handshake/any-origin",
		Title:    "The handler consents to the origins that it knows, and to no others",
		Severity: Info,
		Source:   "CloudEvents HTTP 1.1 Web Hooks, 4.2",
		Reason:   "Any service may then send its events here; only the signature tells them apart.",
		Fix:      "Answer with WebHook-Allowed-Origin only when WebHook-Request-Origin names the host of your resource.",
		needs:    []need{needConsent},
		judge: func(s *session) finding {
			if s.found.open {
				return fails("a host that nobody has got consent, too")
			}
			return holds()
		},
	},
	{
		ID:       "handshake/get",
		Title:    "The handler takes the handshake as GET, too",
		Severity: Info,
		Source:   sourceEmulator,
		Reason:   "When something in front of the handler answers OPTIONS with 404, the service asks with GET.",
		Fix:      "Answer GET with WebHook-Request-Origin like OPTIONS.",
		needs:    []need{needConsent},
		judge: func(s *session) finding {
			return s.wantConsent(s.ask(http.MethodGet, s.opts.Origin), s.opts.Origin)
		},
	},
	{
		ID:       "handshake/prompt",
		Title:    "The handler answers the handshake within a second",
		Severity: Should,
		Source:   sourceEmulator + " (10 seconds at most)",
		Reason:   "The first event of a client waits for it, and after 10 seconds the service gives up.",
		Fix:      "Answer the handshake at once, without database, network or user code.",
		needs:    []need{needConsent},
		judge: func(s *session) finding {
			took := min(s.found.consent.took, s.ask(s.found.method, s.opts.Origin).took) // the first may wake it up
			return wantPrompt(took)
		},
	},
}

// judgeConsent looks at the first answer, and says what is wrong with it.
func judgeConsent(s *session) finding {
	f := &s.found
	if f.granted {
		return holds()
	}
	a := s.ask(f.method, s.opts.Origin) // once more, to be shown
	allowed := a.header[wire.HeaderAllowedOrigin]
	switch {
	case !a.accepted() && a.status/100 == 3:
		return fails(fmt.Sprintf("got %v, and the service follows no redirect", a)).
			mend("Register the exact path of the events, with and without a slash at its end.")
	case !a.accepted():
		return fails(fmt.Sprintf("got %v to %s, want 2xx with WebHook-Allowed-Origin", a, f.method))
	case len(allowed) == 0 && a.header["Webhook-Request-Origin"] != nil:
		return fails("the answer has WebHook-Request-Origin, which is the name of the question").mend("Name the header of the answer WebHook-Allowed-Origin.")
	case len(allowed) == 0:
		return fails(fmt.Sprintf("got %v without WebHook-Allowed-Origin", a))
	}
	return fails(fmt.Sprintf("got WebHook-Allowed-Origin %.200q, want %q or %q", allowed, s.opts.Origin, "*"))
}

// wantConsent judges an answer to a handshake in the name of an origin.
func (s *session) wantConsent(a *answer, origin string) finding {
	switch allowed := a.header[wire.HeaderAllowedOrigin]; {
	case !a.accepted():
		return fails(fmt.Sprintf("got %v, want 2xx with WebHook-Allowed-Origin", a))
	case len(allowed) == 0:
		return fails(fmt.Sprintf("got %v without WebHook-Allowed-Origin", a))
	case !grants(a.header, origin):
		return fails(fmt.Sprintf("got WebHook-Allowed-Origin %.200q, want a line with %q or %q", allowed, origin, "*"))
	}
	return holds()
}

func judgeSeveralOrigins(s *session) finding {
	const other = "another-host-of-the-resource.example"
	first := s.ask(s.found.method, s.opts.Origin, other)
	last := s.ask(s.found.method, other, s.opts.Origin)
	return firstBad(s.wantConsent(first, s.opts.Origin), s.wantConsent(last, s.opts.Origin))
}

func judgeLookAlikes(s *session) finding {
	for _, host := range []string{s.opts.Origin + ".attacker.example", "attacker-" + s.opts.Origin, "attacker.example/" + s.opts.Origin} {
		a := s.exchange(hostilities, s.question(s.found.method, host))
		switch {
		case a.accepted() && grants(a.header, host):
			return fails(fmt.Sprintf("%q got consent", host))
		case a.hung:
			return fails(fmt.Sprintf("no answer to a foreign origin: %q got %v", host, a)).
				mend("Answer every OPTIONS, with 403 and without WebHook-Allowed-Origin when the origin is not allowed.")
		}
	}
	return holds()
}

// prompt is how long a handler may take for what others wait for.
const prompt = time.Second

func wantPrompt(took time.Duration) finding {
	if took > prompt {
		return fails(fmt.Sprintf("the answer took %v, want %v at most", took.Round(10*time.Millisecond), prompt))
	}
	return holds()
}
