package check

import (
	"fmt"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const sourceOrigins = sourceCloudEvents + ", Webhook validation"

var originRules = []Rule{
	{
		ID:       "origin/several",
		Title:    "The handler finds its origin among several in events, too",
		Severity: Must,
		Source:   sourceOrigins + "; Azure/azure-webpubsub#598",
		Reason:   "A resource with custom domains or replicas names all of its hosts in every event, with a comma and a space between them.",
		Fix:      "Split WebHook-Request-Origin at commas, trim each part, and go on when any host is allowed.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			const other = "another-host-of-the-resource.example"
			return firstBad(s.wantTakenFrom(s.opts.Origin, other), s.wantTakenFrom(other, s.opts.Origin))
		},
	},
	{
		ID:       "origin/case",
		Title:    "The handler compares the origins of events without case",
		Severity: Should,
		Source:   "RFC 4343; " + sourceEmulator,
		Reason:   "Hosts have no case, and a domain may be configured in another spelling than the handler knows it by.",
		Fix:      "Compare hosts without regard to case.",
		needs:    []need{needSample},
		judge:    func(s *session) finding { return s.wantTakenFrom(strings.ToUpper(s.opts.Origin)) },
	},
	{
		ID:       "origin/foreign",
		Title:    "The handler refuses events from an origin that it would not consent to",
		Severity: Should,
		Source:   sourceOrigins,
		Reason:   "Consent is of no use when the handler does not go by it: only the signature is left to tell services apart.",
		Fix:      "Compare WebHook-Request-Origin of events with the same hosts as in the handshake, and answer 403.",
		Hostile:  true,
		needs:    []need{needSample, needConsent, needRestriction},
		judge: func(s *session) finding {
			return s.wantRefusedFrom("a-service-of-somebody-else.example")
		},
	},
	{
		ID:       "origin/missing",
		Title:    "The handler refuses events that do not say where they are from",
		Severity: Should,
		Source:   sourceOrigins,
		Reason:   "Whoever leaves the header out gets around the comparison.",
		Fix:      "Answer 400 to events without WebHook-Request-Origin.",
		Hostile:  true,
		needs:    []need{needSample, needConsent, needRestriction},
		judge: func(s *session) finding {
			p := s.sample()
			a := s.attack(p.event(), upstreamtest.MissingHeader(wire.HeaderRequestOrigin))
			switch {
			case !a.accepted():
				return holds()
			case s.comparesNoOrigin():
				return open("the handler accepts events from every origin")
			}
			return fails(fmt.Sprintf("%s got %v without WebHook-Request-Origin, want 400", p.name, a))
		},
	},
	{
		ID:       "origin/look-alike",
		Title:    "The handler does not take events from a look-alike of its origin",
		Severity: Should,
		Source:   "CloudEvents HTTP 1.1 Web Hooks, 4.2",
		Reason:   "Anybody can own a domain that begins or ends like the real one.",
		Fix:      "Compare whole hosts, never a part of them.",
		Hostile:  true,
		needs:    []need{needSample, needConsent, needRestriction},
		judge: func(s *session) finding {
			bad := s.wantRefusedFrom(s.opts.Origin+".attacker.example", "attacker-"+s.opts.Origin)
			if bad.verdict == Fails && s.comparesNoOrigin() {
				return open("the handler accepts events from every origin")
			}
			return bad
		},
	},
}

// wantTakenFrom wants the sample to be accepted when it names these hosts.
func (s *session) wantTakenFrom(hosts ...string) finding {
	list := strings.Join(hosts, ", ")
	return s.wantTaken(fmt.Sprintf("WebHook-Request-Origin %q", list), with(wire.HeaderRequestOrigin, list))
}

// wantRefusedFrom wants the sample to be refused from each of these hosts.
func (s *session) wantRefusedFrom(hosts ...string) finding {
	p := s.sample()
	for _, host := range hosts {
		if a := s.attackFrom(host); a.accepted() {
			return fails(fmt.Sprintf("%s got %v from %q, want 403", p.name, a, host))
		}
	}
	return holds()
}

func (s *session) attackFrom(host string) *answer {
	ev := s.sample().event()
	ev.Origins = []string{host}
	return s.attack(ev)
}

// comparesNoOrigin reports whether an event is accepted from anywhere.
func (s *session) comparesNoOrigin() bool {
	return s.attackFrom("a-service-of-somebody-else.example").accepted()
}
