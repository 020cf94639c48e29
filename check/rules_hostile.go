package check

import "net/http"

const (
	sourceUncaught = "CWE-248, Uncaught exception"
	sourceService  = "CWE-755, Improper handling of exceptional conditions"
	reasonEnds     = "Anybody who knows the URL could end the process, and cut off everybody else's clients."
	fixUnsigned    = "Verify the signature before the body is read, and answer what cannot be parsed with 400 instead of an exception that nobody catches."
)

// hostileRules are in an order in which the last are the most likely to end a
// process: after that, nothing can be judged.
var hostileRules = []Rule{
	{
		ID:       "hostile/broken-json",
		Title:    "The handler survives JSON that is broken or of another shape",
		Severity: Must,
		Source:   sourceUncaught,
		Reason:   reasonEnds,
		Fix:      fixUnsigned,
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    func(s *session) finding { return s.wantAnswers(brokenJSON...) },
	},
	{
		ID:       "hostile/no-event",
		Title:    "The handler survives a POST that is no event",
		Severity: Must,
		Source:   sourceUncaught,
		Reason:   "Every public URL is found by scanners, which send forms and empty bodies without any of the headers.",
		Fix:      "Answer a POST without ce-type, ce-hub or ce-connectionId with 400, or hand it on to the rest of the application.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    func(s *session) finding { return s.wantAnswers(noEvents...) },
	},
	{
		ID:       "hostile/odd-headers",
		Title:    "The handler survives headers with values that make no sense",
		Severity: Must,
		Source:   sourceUncaught,
		Reason:   reasonEnds,
		Fix:      "Verify the signature first, and take every header for what it is: text that may be empty, malformed, or there twice.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    func(s *session) finding { return s.wantAnswers(oddHeaders...) },
	},
	{
		ID:       "hostile/large-headers",
		Title:    "The handler survives very long and very many headers",
		Severity: Must,
		Source:   "RFC 6585, 5 (431 Request Header Fields Too Large); " + sourceUncaught,
		Reason:   reasonEnds,
		Fix:      "Leave the limits of the web server as they are, and refuse what exceeds them with 431 or 400.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    func(s *session) finding { return s.wantAnswers(largeHeaders...) },
	},
	{
		ID:       "hostile/methods",
		Title:    "The handler survives methods that it does not serve",
		Severity: Must,
		Source:   "RFC 9110, 15.5.6; " + sourceUncaught,
		Reason:   reasonEnds,
		Fix:      "Answer every method but POST, OPTIONS and GET with 405.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge: func(s *session) finding {
			return s.wantAnswers(
				withMethod(http.MethodPut), withMethod(http.MethodDelete), withMethod(http.MethodPatch), withMethod(http.MethodHead), withMethod(http.MethodTrace))
		},
	},
	{
		ID:       "hostile/large-body",
		Title:    "The handler survives an unsigned body of 4 MiB",
		Severity: Must,
		Source:   "RFC 9110, 15.5.14 (413 Content Too Large); " + sourceUncaught,
		Reason:   "Who reads before verifying lets anybody fill the memory.",
		Fix:      "Verify the signature before the body is read, and read 2 MiB at most: messages of clients have 1 MiB or less.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    judgeLargeBody,
	},
	{
		ID:       "hostile/slow-sender",
		Title:    "The handler serves others while a body arrives slowly",
		Severity: Should,
		Source:   "CWE-400, Uncontrolled resource consumption",
		Reason:   "One slow sender holds up all clients.",
		Fix:      "Use a server that has more than one request under way at a time, or one that hands on requests only when they are complete.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeSlowSender,
	},
	{
		ID:       "hostile/odd-data",
		Title:    "The handler survives JSON of clients with odd values",
		Severity: Must,
		Source:   sourceCloudEvents + ", user events: JSON arrives as the client wrote it; RFC 8259, 4, 6 and 8.2",
		Reason:   "Any client that is connected could end the process for all others.",
		Fix:      "Catch what parsing and storing a message may throw (NUL, halves of surrogates, numbers out of range), and answer 400.",
		Hostile:  true,
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.wantDataAnswers(plainJSON, oddData...) },
	},
	{
		ID:       "hostile/deep-json",
		Title:    "The handler survives JSON of clients that is nested deeply",
		Severity: Must,
		Source:   "RFC 8259, 9; CWE-674, Uncontrolled recursion",
		Reason:   "Any client that is connected could end the process for all others: in many languages a stack that overflows cannot be caught.",
		Fix:      "Limit the depth of JSON where it is parsed, and catch the error of the parser.",
		Hostile:  true,
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.wantDataAnswers(flatJSON, deepJSON) },
	},
	{
		ID:       "hostile/invalid-text",
		Title:    "The handler survives text that is no UTF-8",
		Severity: Must,
		Source:   "CloudEvents extension for Azure Web PubSub, reference-mqtt-cloud-events: content types are the client's choice",
		Reason:   "Clients of MQTT send any bytes as text, and one of them could end the process for all others.",
		Fix:      "Decode text with replacement of what is invalid, or catch the error of the decoder and answer 400.",
		Hostile:  true,
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.wantDataAnswers(plainText, invalidText...) },
	},
	{
		ID:       "hostile/own-names",
		Title:    "The handler keeps names that clients choose apart from its own",
		Severity: Must,
		Source:   "CWE-1321, Prototype pollution",
		Reason:   "One client changes what the handler does for all others.",
		Fix:      "Keep what comes from clients in maps that have no prototype and that belong to one request, and never merge it into shared objects.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeOwnNames,
	},
	{
		ID:       "hostile/cut-off",
		Title:    "The handler survives a connection that ends in the middle of a body",
		Severity: Must,
		Source:   sourceUncaught,
		Reason:   "Networks fail, and one request that ends early would end the process for all clients.",
		Fix:      "Catch the error of reading the body; no answer is needed.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeCutOff,
	},
	{
		ID:       "hostile/certificate",
		Title:    "The handler survives certificates of clients that cannot be parsed",
		Severity: Must,
		Source:   sourceCertificates + ": the service does not validate certificates",
		Reason:   "The service hands certificates on unseen: one bad certificate ends the process for all clients.",
		Fix:      "Catch the error of parsing clientCertificates, and answer 401.",
		Hostile:  true,
		needs:    []need{needConnectAnswer},
		judge:    func(s *session) finding { return s.wantAnswers(badCertificates...) },
	},
	{
		ID:       "hostile/refusal",
		Title:    "The handler refuses what is no proper request, and does not fail on it",
		Severity: Should,
		Source:   "RFC 9110, 15.5 and 15.6; " + sourceService,
		Reason:   "Anybody can cause it, and hide real faults among alarms that mean nothing; a proxy may take the handler out of service.",
		Fix:      "Verify the signature first, and answer 4xx to what is malformed.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    judgeNonsense,
	},
	{
		ID:       "hostile/data-fault",
		Title:    "The handler does not fail on data that a client may send",
		Severity: Should,
		Source:   sourceCloudEvents + ", user events; " + sourceService,
		Reason:   "The service sends an event again that is answered with 5xx, up to three times, and the client that sent it may be dropped.",
		Fix:      "Answer data that the handler cannot use with 400.",
		Hostile:  true,
		needs:    []need{needUserEvent},
		judge:    judgeDataFault,
	},
}

// needAnyAnswer keeps from the rules a handler that has no answer to any event.
func needAnyAnswer(f *found) string {
	answered := f.connect == nil && len(f.events) == 0 || f.connect != nil && f.connect.status != 0
	for _, e := range f.events {
		answered = answered || e.answer.status != 0
	}
	if !answered {
		return "the handler does not answer proper events either"
	}
	return ""
}
