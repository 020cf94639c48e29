package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const sourceAttributes = sourceCloudEvents + ", Attributes"

var headerRules = []Rule{
	{
		ID:       "header/name-case",
		Title:    "The handler reads the header names of events in any case",
		Severity: Must,
		Source:   "RFC 9110, 5.1",
		Reason:   "The service asks for HTTP/2, which sends all names in lower case, and so do many proxies.",
		Fix:      "Look headers up without regard to case.",
		needs:    []need{needSample},
		judge:    func(s *session) finding { return s.wantTaken("header names in lower case", lowerNames) },
	},
	{
		ID:       "header/unknown",
		Title:    "The handler takes events with headers that it does not know",
		Severity: Must,
		Source:   "CloudEvents 1.0, extension attributes; RFC 9110, 5.1",
		Reason:   "The service adds attributes with new features, and proxies add headers for tracing: no event would come through any more.",
		Fix:      "Read the headers that you need, and ignore all others.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantTaken("further ce-* and x-* headers",
				with("ce-newattribute", "1"), with("ce-dataschema", "https://schema.example/1"), with("x-ms-new-header", "1"), with("x-forwarded-for", "192.0.2.1"),
				with("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"))
		},
	},
	{
		ID:       "header/content-type",
		Title:    "The handler reads JSON with and without a charset in its content type",
		Severity: Must,
		Source:   sourceCloudEvents + ", Events; " + sourceEmulator,
		Reason:   "The documents show application/json; charset=utf-8 for system events, and Microsoft's emulator sends application/json.",
		Fix:      "Compare media types without their parameters.",
		needs:    []need{needClient},
		judge:    judgeContentType,
	},
	{
		ID:       "header/user-id",
		Title:    "The handler takes events of users whose id is any text",
		Severity: Must,
		Source:   sourceEmulator + ", which sends ce-userId as raw UTF-8",
		Reason:   "User ids may hold commas, slashes and letters of any language: every message of such a user fails.",
		Fix:      "Read the bytes of ce-userId as UTF-8, and do not split, unescape or limit them.",
		needs:    []need{needUserEvent},
		judge:    judgeUserID,
	},
	{
		ID:       "header/anonymous",
		Title:    "The handler does not break on messages of clients without a user",
		Severity: Must,
		Source:   sourceAttributes + " (userId is optional)",
		Reason:   "ce-userId is absent when a client has no user: each of its messages fails.",
		Fix:      "Treat ce-userId as optional, or refuse clients without a user in connect.",
		needs:    []need{needUserEvent},
		judge:    judgeAnonymous,
	},
	{
		ID:       "header/subprotocol",
		Title:    "The handler takes user events of clients with and without a subprotocol",
		Severity: Must,
		Source:   sourceAttributes + " (subprotocol is optional)",
		Reason:   "ce-subprotocol is there for clients that speak one, and absent for simple clients: the messages of one or the other fail.",
		Fix:      "Treat ce-subprotocol as optional.",
		needs:    []need{needUserEvent},
		judge:    judgeSubprotocolHeader,
	},
	{
		ID:       "header/hub-case",
		Title:    "The handler compares hubs without case",
		Severity: Should,
		Source:   "Azure/azure-sdk-for-js#22134",
		Reason:   "Hub names have no case, and the service may spell one in another way than the handler knows it by.",
		Fix:      "Compare ce-hub without regard to case.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			hub := strings.ToUpper(s.opts.Hub)
			return s.wantTaken(fmt.Sprintf("ce-hub %q", hub), with(wire.HeaderHub, hub))
		},
	},
	{
		ID:       "header/cookie",
		Title:    "The handler takes events with cookies",
		Severity: Should,
		Source:   sourceEmulator,
		Reason:   "The service sends back what balancers set to keep a client at one instance.",
		Fix:      "Leave events out of what treats cookies as those of a browser, such as sessions and protection against forged forms.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			if len(wire.Canonical(s.opts.Header)["Cookie"]) > 0 {
				return open("the requests of this check carry cookies of their own")
			}
			return s.wantTaken("a cookie", with("Cookie", "ARRAffinity=0123456789abcdef"))
		},
	},
	{
		ID:       "header/required",
		Title:    "The handler does not break on events that lack a header",
		Severity: Should,
		Source:   "derived: whoever knows the URL can send such a request",
		Reason:   "Strangers and scanners can fill the log with errors otherwise, or end the process.",
		Fix:      "Answer 400 to requests without ce-type, ce-hub or ce-connectionId.",
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			if a := s.attack(s.sample().event(), upstreamtest.BadSignature); a.broken() {
				return open(fmt.Sprintf("the handler answers any event that is not proved with %v", a))
			}
			for _, name := range []string{wire.HeaderType, wire.HeaderHub, wire.HeaderConnectionID} {
				if a := s.attack(s.sample().event(), upstreamtest.MissingHeader(name)); a.broken() && !a.skipped {
					return fails(fmt.Sprintf("got %v without %s, want 400", a, wire.OnWire(name)))
				}
			}
			return holds()
		},
	},
	{
		ID:       "header/event-name",
		Title:    "The handler goes by ce-type, not by ce-eventName",
		Severity: Info,
		Source:   "older documents of the service, in which both disagree",
		Reason:   "ce-type is what CloudEvents prescribes, and it tells system events from user events of the same name.",
		Fix:      "Take the name of an event from the end of ce-type.",
		needs:    []need{needSample},
		judge:    judgeEventName,
	},
	{
		ID:       "header/time",
		Title:    "The handler reads ce-time as RFC 3339 has it",
		Severity: Info,
		Source:   "CloudEvents 1.0, time",
		Reason:   "The service writes whole seconds in UTC today; fractions and offsets are as right.",
		Fix:      "Parse ce-time as RFC 3339, or not at all.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return firstBad(
				s.wantTaken("a fraction in ce-time", with(wire.HeaderTime, time.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"))),
				s.wantTaken("an offset in ce-time", with(wire.HeaderTime, time.Now().UTC().Format("2006-01-02T15:04:05+00:00"))),
			)
		},
	},
	{
		ID:       "header/version",
		Title:    "The handler takes ce-awpsversion 1.1",
		Severity: Info,
		Source:   "derived: a minor version breaks nothing",
		Reason:   "Nothing is accepted any more on the day the service counts one up.",
		Fix:      "Do not compare ce-awpsversion, or its major version only.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantTaken("ce-awpsversion 1.1", with(wire.HeaderAWPSVersion, "1.1"))
		},
	},
	{
		ID:       "header/request-id",
		Title:    "The handler does not need x-ms-client-request-id",
		Severity: Info,
		Source:   sourceAttributes + ", which do not list it",
		Reason:   "No document promises that header.",
		Fix:      "Take ce-id with ce-connectionId to tell events apart.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantTaken("no x-ms-client-request-id", upstreamtest.MissingHeader(wire.HeaderClientRequestID))
		},
	},
}
