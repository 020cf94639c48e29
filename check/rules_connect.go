package check

import "github.com/gowebpubsub/webpubsub/upstream"

const (
	sourceConnect      = sourceCloudEvents + ", System connect event"
	sourceConnectBody  = sourceConnect + "; the CloudEvents TypeSpec of the service"
	sourceCertificates = "Azure Web PubSub, howto-client-certificate"
)

var connectRules = []Rule{
	{
		ID:       "connect/answer",
		Title:    "The handler answers connect with 2xx or 4xx",
		Severity: Must,
		Source:   sourceConnect + "; " + sourceEmulator,
		Reason:   "A 5xx, a broken connection or no answer is tried again up to three times, while the client waits for 9 seconds or more and then fails.",
		Fix:      "Answer 204 or 200 to let the client in and 401 or 403 to refuse it; see the log of the handler for what went wrong inside.",
		needs:    []need{needConnect},
		judge:    judgeConnectAnswer,
	},
	{
		ID:       "connect/admission",
		Title:    "The handler lets the client in that the options describe",
		Severity: Info,
		Source:   sourceConnect,
		Reason:   "Of a handler that refuses the client, the check cannot tell much more.",
		Fix:      "Describe a client that the handler lets in: its user, its query and its subprotocols.",
		needs:    []need{needConnectAnswer},
		judge:    judgeAdmission,
	},
	{
		ID:       "connect/prompt",
		Title:    "The handler answers connect within a second",
		Severity: Should,
		Source:   sourceConnect,
		Reason:   "The client is not connected before, and shows its user nothing.",
		Fix:      "Do no more in connect than to decide about the client; leave slow work to connected.",
		needs:    []need{needConnectAnswer},
		judge: func(s *session) finding {
			return wantPrompt(min(s.found.connect.took, s.connectAs(s.opts.UserID).took)) // the first may wake it up
		},
	},

	// What an acceptance says.
	{
		ID:       "connect/size",
		Title:    "The handler answers connect with at most 16 MiB",
		Severity: Must,
		Source:   sourceEmulator,
		Reason:   "The service reads no more, and the client fails with 500.",
		Fix:      "Answer with nothing but userId, groups, roles and subprotocol.",
		needs:    []need{needAdmission},
		judge: func(s *session) finding {
			if tooLong(s.found.connect) {
				return s.shownConnect(fails("the answer is longer than 16 MiB"))
			}
			return holds()
		},
	},
	{
		ID:       "connect/json",
		Title:    "The handler lets a client in with a JSON object, or with nothing",
		Severity: Must,
		Source:   sourceConnect + "; " + sourceEmulator,
		Reason:   "The service cannot read the answer, and the client fails with 500.",
		Fix:      "Answer 204 without a body, or 200 with one JSON object.",
		needs:    []need{needAdmission},
		judge:    judgeConnectJSON,
	},
	{
		ID:       "connect/types",
		Title:    "The handler gives the members of its answer the right types",
		Severity: Must,
		Source:   sourceConnectBody,
		Reason:   "The service cannot read the answer, and the client fails with 500.",
		Fix:      "Make userId and subprotocol strings, groups and roles lists of strings.",
		needs:    []need{needAdmission, needConnectObject},
		judge:    func(s *session) finding { return s.shownConnect(judgeConnectTypes(s.found.connect)) },
	},
	{
		ID:       "connect/groups",
		Title:    "The handler names no null or blank group",
		Severity: Must,
		Source:   sourceEmulator,
		Reason:   "The service does not take the answer, and the client fails with 500.",
		Fix:      "Leave groups without a name out of the list.",
		needs:    []need{needAdmission, needConnectObject},
		judge: func(s *session) finding {
			return s.shownConnect(wantElements(s.found.connect, "groups", "null or blank", blankElement))
		},
	},
	{
		ID:       "connect/roles",
		Title:    "The handler names no null role",
		Severity: Must,
		Source:   sourceEmulator,
		Reason:   "The service does not take the answer, and the client fails with 500.",
		Fix:      "Leave null out of the list.",
		needs:    []need{needAdmission, needConnectObject},
		judge: func(s *session) finding {
			return s.shownConnect(wantElements(s.found.connect, "roles", "null", nullElement))
		},
	},
	{
		ID:       "connect/blank-subprotocol",
		Title:    "The handler leaves the subprotocol out when it chooses none",
		Severity: Must,
		Source:   sourceConnect,
		Reason:   "A blank subprotocol is invalid, and the client fails with 500.",
		Fix:      "Leave the member subprotocol out instead.",
		needs:    []need{needAdmission, needConnectObject},
		judge: func(s *session) finding {
			if name, ok := textMember(s.found.connect, "subprotocol"); ok && blank(name) {
				return s.shownConnect(fails(`the answer has a blank "subprotocol", want one that the client offered, or no such member`))
			}
			return holds()
		},
	},
	{
		ID:       "connect/subprotocol",
		Title:    "The handler chooses a subprotocol that the client offered, or none",
		Severity: Must,
		Source:   sourceConnect,
		Reason:   "A client gets 500, and a browser closes the connection, when it is given a subprotocol that it did not ask for.",
		Fix:      "Choose from the list subprotocols of the event, which may be empty, or leave the member out; refuse a client that offers none of yours with 4xx.",
		needs:    []need{needAdmission, needConnectObject},
		judge:    judgeSubprotocol,
	},
	{
		ID:       "connect/member-names",
		Title:    "The handler spells the members of its answer as the service does",
		Severity: Should,
		Source:   sourceConnectBody,
		Reason:   "The service does not know a member of another name: what it says has no effect.",
		Fix:      "Name the members userId, groups, roles and subprotocol, in this very spelling.",
		needs:    []need{needAdmission, needConnectObject},
		judge:    func(s *session) finding { return s.shownConnect(judgeMemberNames(s.found.connect)) },
	},
	{
		ID:       "connect/content-type",
		Title:    "The handler says that its answer to connect is JSON",
		Severity: Should,
		Source:   sourceConnect,
		Reason:   "The service does not look at it today; proxies, firewalls and tools do.",
		Fix:      "Answer with Content-Type: application/json, or with 204 and no body.",
		needs:    []need{needAdmission, needConnectObject},
		judge:    func(s *session) finding { return s.shownConnect(judgeConnectType(s.found.connect)) },
	},
	{
		ID:       "connect/null",
		Title:    "The handler leaves out what it does not say",
		Severity: Info,
		Source:   sourceConnectBody,
		Reason:   "The documents know absent members, and no null ones; that those are ignored is what Microsoft's emulator does.",
		Fix:      "Leave members out that have no value.",
		needs:    []need{needAdmission, needConnectObject},
		judge:    func(s *session) finding { return s.shownConnect(judgeNulls(s.found.connect)) },
	},
	{
		ID:       "connect/empty-user",
		Title:    "The handler names a user or none, but not an empty one",
		Severity: Info,
		Source:   sourceConnect + "; " + sourceEmulator,
		Reason:   "An empty userId takes away the user that the client's token names, and the service may drop a client without user.",
		Fix:      "Leave userId out to keep the user of the token.",
		needs:    []need{needAdmission, needConnectObject},
		judge: func(s *session) finding {
			if id, ok := textMember(s.found.connect, "userId"); ok && blank(id) {
				return s.shownConnect(fails(`the answer has an empty "userId"`))
			}
			return holds()
		},
	},

	// What the service says of clients.
	{
		ID:       "connect/unknown-members",
		Title:    "The handler ignores members of connect that it does not know",
		Severity: Must,
		Source:   sourceConnectBody,
		Reason:   "The service adds members over time; from that day on, no client would get in.",
		Fix:      "Read the members that you need and ignore all others, also inside of certificates.",
		needs:    []need{needAdmission},
		judge:    judgeUnknownMembers,
	},
	{
		ID:       "connect/missing-members",
		Title:    "The handler bears a connect with members missing or null",
		Severity: Should,
		Source:   sourceConnectBody,
		Reason:   "All members are optional: services of another version leave some out, and the client waits and fails.",
		Fix:      "Take a member that is missing or null for an empty one.",
		needs:    []need{needAdmission},
		judge:    judgeMissingMembers,
	},
	{
		ID:       "connect/optional-members",
		Title:    "The handler does not insist on members of connect that say nothing",
		Severity: Should,
		Source:   sourceConnectBody,
		Reason:   "All members are optional: the same client is refused when the service leaves out an empty list.",
		Fix:      "Declare the members optional in the schema or type of the body.",
		needs:    []need{needAdmission},
		judge:    judgeOptionalMembers,
	},
	{
		ID:       "connect/many-values",
		Title:    "The handler bears a client that has much to say",
		Severity: Must,
		Source:   sourceConnectBody,
		Reason:   "Claims named by URIs, repeated parameters and long cookies are usual: such a client waits and fails.",
		Fix:      "Expect any number of values and any name in claims, query and headers.",
		needs:    []need{needAdmission},
		judge: func(s *session) finding {
			return wantAnswers(variant{"a client with many claims, parameters and headers", s.connectWithMuch})
		},
	},
	{
		ID:       "connect/certificate",
		Title:    "The handler bears a client certificate that nobody vouches for",
		Severity: Must,
		Source:   sourceCertificates,
		Reason:   "The service does not look at certificates: anybody may connect with one that is made up or out of date, and older services send its thumbprint alone.",
		Fix:      "Let the client in or refuse it with 401 or 403.",
		needs:    []need{needConnectAnswer},
		judge: func(s *session) finding {
			return wantAnswers(
				s.withCertificate("a client with a certificate that is out of date", upstream.ClientCertificate{Thumbprint: thumbprint, Content: certificate}),
				s.withCertificate("a client with the thumbprint of a certificate alone", upstream.ClientCertificate{Thumbprint: thumbprint}))
		},
	},
	{
		ID:       "connect/connection-id",
		Title:    "The handler takes any connection ID",
		Severity: Must,
		Source:   sourceConnect,
		Reason:   "Connection IDs are opaque: the service makes them of letters, digits, - and _, and they are no UUIDs.",
		Fix:      "Keep ce-connectionId as text, and do not parse it.",
		needs:    []need{needAdmission},
		judge: func(s *session) finding {
			t := s.newTalk()
			t.id = "Zx-q_" + t.id[:24] + "c01"
			return s.wantAdmitted(s.send(s.connectEvent(t)), "a client with the connection ID "+t.id)
		},
	},
	{
		ID:       "connect/users",
		Title:    "The handler bears users of any name, and clients without",
		Severity: Must,
		Source:   sourceConnect + "; Azure/azure-webpubsub#40",
		Reason:   "User IDs are free text: a client whose user has a comma or a slash in its name waits and fails.",
		Fix:      "Take ce-userId as it is, whole, and as none when it is missing.",
		needs:    []need{needAdmission},
		judge:    judgeUsers,
	},
	{
		ID:       "connect/utf8-user",
		Title:    "The handler bears users whose names are not ASCII",
		Severity: Must,
		Source:   sourceEmulator + ", which sends ce-userId as UTF-8",
		Reason:   "The service sends the bytes of the user ID as they are: users with such names cannot connect.",
		Fix:      "Read the bytes of ce-userId as UTF-8.",
		needs:    []need{needAdmission},
		judge:    judgeUTF8User,
	},
	{
		ID:       "connect/user-kept",
		Title:    "The handler answers with the user ID that it was given",
		Severity: Should,
		Source:   sourceEmulator + ", which sends ce-userId as UTF-8",
		Reason:   "The answer's userId replaces the real one: messages to the user do not arrive, or go to somebody else.",
		Fix:      "Leave userId out to keep the user, or answer with the text of ce-userId unchanged.",
		needs:    []need{needAdmission},
		judge:    judgeUserKept,
	},
	{
		ID:       "connect/again",
		Title:    "The handler lets the client in when its connect comes once more",
		Severity: Should,
		Source:   sourceEmulator + ", which repeats what was not answered in time or with 5xx",
		Reason:   "An answer that got lost would cost the client its connection, when a ticket is good for one time only.",
		Fix:      "Remember what was decided by ce-connectionId and ce-id, and answer a repetition in the same way.",
		needs:    []need{needAdmission},
		judge:    judgeAgain,
	},
}
