package interop

// Reasons that more than one case has.
const (
	whyNoContent = "We answer 204 when there is nothing to say, for every event; the middleware answers some of them with an empty 200. The service takes both alike."
	whyAnyData   = "The service delivers data of this kind, and an event is not lost because its media type is unexpected: the handler gets the bytes and the type, where the middleware takes the event for somebody else's."
)

var notices = []comparison{
	{
		name: "connected",
		req:  system("sys.connected", "{}"),
		want: answer{Status: 204},
		js:   &answer{Status: 200},
		why:  whyNoContent,
	},
	{
		name: "disconnected",
		req:  system("sys.disconnected", `{"reason":"bye"}`),
		want: answer{Status: 204},
		js:   &answer{Status: 200},
		why:  whyNoContent,
	},
	{
		name: "group joined",
		req:  system("gp.joined", `{"group":"room1"}`),
		want: answer{Status: 204},
		js:   &answer{Status: 200},
		why:  whyNoContent,
	},
	{
		name: "group left",
		req:  system("gp.left", `{"group":"room1"}`),
		want: answer{Status: 204},
		js:   &answer{Status: 200},
		why:  whyNoContent,
	},
	{
		name: "disconnected with broken JSON",
		req:  system("sys.disconnected", `{"reason":`),
		want: answer{Status: 400},
		js:   &answer{Status: 200},
		why:  "The middleware answers a notification before it reads it, so its answer knows nothing of a body that cannot be understood and a handler that fails.",
	},
	{
		name: "unknown event of the service",
		req:  system("sys.tomorrow", "{}"),
		want: answer{Status: 204},
		js:   &next,
		why:  "An event that the service will learn tomorrow is acknowledged and logged once for each type; passing it on ends in a 404, which reads like a wrong address.",
	},
}

var userEvents = []comparison{
	{
		name: "text",
		req:  user("message", "text/plain; charset=utf-8", "hello, wörld"),
		want: answer{Status: 200, Type: "text/plain", Body: "hello, wörld"},
	},
	{
		name: "text that is not UTF-8",
		req:  user("message", "text/plain", "a\xffb"),
		want: answer{Status: 200, Type: "text/plain", Body: "a\uFFFDb"},
	},
	{
		name: "JSON object",
		req:  user("message", "application/json", `{"a":[1,"<&>",null]}`),
		want: answer{Status: 200, Type: "application/json", Body: `{"a":[1,"<&>",null]}`},
	},
	{
		name: "JSON null",
		req:  user("message", "application/json", "null"),
		want: answer{Status: 200, Type: "application/json", Body: "null"},
	},
	{
		name: "JSON with a long number",
		req:  user("message", "application/json", `{"id": 12345678901234567890}`),
		want: answer{Status: 200, Type: "application/json", Body: `{"id": 12345678901234567890}`},
		js:   &answer{Status: 200, Type: "application/json", Body: `{"id":12345678901234567000}`},
		why:  "The middleware decodes JSON before the handler sees it, into numbers that hold 53 bits; we hand over the text, and decoding it is the handler's choice.",
	},
	{
		name: "broken JSON",
		req:  user("message", "application/json", `{"a":`),
		want: answer{Status: 200, Type: "application/json", Body: `{"a":`},
		js:   &answer{Status: 500},
		why:  "Data is the client's, and whether it has to be JSON is the handler's to say: Typed answers it with 400. The 500 of the middleware makes the service send it again.",
	},
	{
		name: "binary",
		req:  user("message", "application/octet-stream", "\x00\xff\x01"),
		want: answer{Status: 200, Type: "application/octet-stream", Body: "\x00\xff\x01"},
	},
	{
		name: "protobuf",
		req:  user("message", "application/x-protobuf", "\x0a\x01a"),
		want: answer{Status: 200, Type: "application/x-protobuf", Body: "\x0a\x01a"},
		js:   &next,
		why:  whyAnyData,
	},
	{
		name: "no content type",
		req:  user("message", "", "hello").without("Content-Type"),
		want: answer{Status: 200, Type: "application/octet-stream", Body: "hello"},
		js:   &next,
		why:  whyAnyData,
	},
	{
		name: "content type in upper case",
		req:  user("message", "TEXT/PLAIN", "hello"),
		want: answer{Status: 200, Type: "text/plain", Body: "hello"},
		js:   &next,
		why:  "Media types compare without case (RFC 9110, 8.3.1).",
	},
	{
		name: "empty text",
		req:  user("message", "text/plain", ""),
		want: answer{Status: 204},
		js:   &answer{Status: 200, Type: "text/plain"},
		why:  whyNoContent,
	},
	{
		name: "empty JSON",
		req:  user("message", "application/json", ""),
		want: answer{Status: 204},
		js:   &answer{Status: 500},
		why:  "A message may be empty whatever its type. The middleware fails to decode it, and the service sends it again.",
	},
	{
		name: "nothing to answer",
		req:  user("quiet", "text/plain", "hello"),
		want: answer{Status: 204},
		js:   &answer{Status: 200, Type: "application/octet-stream"},
		why:  whyNoContent,
	},
	{
		name: "what a handler sees",
		req:  user("seen", "text/plain", ""),
		want: answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","alice","seen","text"]`},
	},
	{
		name: "user id with a comma, a slash and a percent sign",
		req:  user("seen", "text/plain", "").with("ce-userId", "a,b/c%20"),
		want: answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","a,b/c%20","seen","text"]`},
	},
	{
		name: "user id outside ASCII",
		req:  user("seen", "text/plain", "").with("ce-userId", "José"),
		want: answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","José","seen","text"]`},
		js:   &answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","JosÃ©","seen","text"]`},
		why:  "The service sends user ids as raw UTF-8, which Node reads as Latin-1 and the middleware does not repair; such a user has another name in JavaScript.",
	},
	{
		name: "hub in upper case",
		req:  user("seen", "text/plain", "").with("ce-hub", "CHAT"),
		want: answer{Status: 200, Type: "application/json", Body: `["CHAT","` + connectionID + `","alice","seen","text"]`},
	},
	{
		name: "foreign hub",
		req:  user("message", "text/plain", "hello").with("ce-hub", "other"),
		want: next,
	},
	{
		name: "custom name with dots",
		req:  user("Room.Message", "text/plain", "hello"),
		want: answer{Status: 200, Type: "text/plain", Body: "hello"},
	},
	{
		name: "ce-eventName says something else",
		req:  user("seen", "text/plain", "hello").with("ce-eventName", "quiet"),
		want: answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","alice","seen","text"]`},
		js:   &answer{Status: 200, Type: "application/octet-stream"},
		why:  "One header decides: ce-type, the only one that tells a user event from a system event. The middleware dispatches on it too, but shows handlers the name from the other.",
	},
	{
		name: "no ce-eventName",
		req:  user("seen", "text/plain", "").without("ce-eventName"),
		want: answer{Status: 200, Type: "application/json", Body: `["chat","` + connectionID + `","alice","seen","text"]`},
		js:   &answer{Status: 200, Type: "text/plain"},
		why:  "The name is the tail of ce-type; without the other header, handlers of the middleware see no name at all.",
	},
	{
		name: "no name at all",
		req:  user("", "text/plain", "hello"),
		want: answer{Status: 400},
		js:   &answer{Status: 200, Type: "text/plain", Body: "hello"},
		why:  "A user event is chosen by its name, so one without a name is for nobody.",
	},
	{
		name: "metadata",
		req:  user("message", "text/plain", "hello").with("x-webpubsub-metadata-trace", "t1"),
		want: answer{Status: 200, Type: "text/plain", Body: "hello", Extra: "x-webpubsub-metadata-trace: t1"},
		js:   &answer{Status: 200, Type: "text/plain", Body: "hello"},
		why:  "The middleware shows a handler neither the metadata of a message nor a way to answer with some; here the handler sends back what it got.",
	},
	{
		name: "refused",
		req:  user("fail", "text/plain", "400"),
		want: answer{Status: 400, Type: "text/plain", Body: "not today"},
		js:   &answer{Status: 400, Body: "not today"},
		why:  whyTyped,
	},
	{
		name: "handler panics or throws",
		req:  user("throw", "text/plain", "hello"),
		want: answer{Status: 500},
	},
}

var states = []comparison{
	{
		name: "set for the first time",
		req:  user("count", "text/plain", ""),
		want: answer{Status: 200, Type: "text/plain", Body: "1", State: `{"n":1}`},
	},
	{
		name: "changed, others kept",
		req:  user("count", "text/plain", "").with("ce-connectionState", state(`{"n":41,"who":"<ü>"}`)),
		want: answer{Status: 200, Type: "text/plain", Body: "42", State: `{"n":42,"who":"<ü>"}`},
	},
	{
		name: "set to what it was",
		req:  user("sameState", "text/plain", "").with("ce-connectionState", state(`{"n":1}`)),
		want: answer{Status: 200, Type: "text/plain", Body: "same"},
		js:   &answer{Status: 200, Type: "text/plain", Body: "same", State: `{"n":1}`},
		why:  "The service keeps a state that an answer does not mention, so a state that did not change is not sent.",
	},
	{
		name: "not touched",
		req:  user("message", "text/plain", "hello").with("ce-connectionState", state(`{"n":1}`)),
		want: answer{Status: 200, Type: "text/plain", Body: "hello"},
	},
	{
		name: "set by a handler that fails",
		req:  user("failWithState", "text/plain", ""),
		want: answer{Status: 400, Type: "text/plain", Body: "not today"},
		js:   &answer{Status: 400, Body: "not today"},
		why:  whyTyped,
	},
	{
		name: "empty",
		req:  user("count", "text/plain", "").with("ce-connectionState", ""),
		want: answer{Status: 200, Type: "text/plain", Body: "1", State: `{"n":1}`},
	},
	{
		name: "no base64",
		req:  user("count", "text/plain", "").with("ce-connectionState", "*?!"),
		want: answer{Status: 200, Type: "text/plain", Body: "1", State: `{"n":1}`},
	},
	{
		name: "no object",
		req:  user("count", "text/plain", "").with("ce-connectionState", state("[1]")),
		want: answer{Status: 200, Type: "text/plain", Body: "1", State: `{"n":1}`},
	},
	{
		name: "URL alphabet without padding",
		req:  user("count", "text/plain", "").with("ce-connectionState", "eyJuIjoxLCJ0IjoiPz8_In0"),
		want: answer{Status: 200, Type: "text/plain", Body: "2", State: `{"n":2,"t":"???"}`},
	},
}
