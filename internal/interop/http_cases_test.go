package interop

import (
	"net/http"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// Reasons that more than one case has.
const (
	whyOrigins  = "The middleware recites its whole list and leaves the comparison to the service; we compare ourselves, name only what was asked for, and refuse a foreign host in words that no proxy can misread."
	whyProof    = "The middleware checks no signature: whoever knows the address can act as any user. Here a request proves that it comes from the service before its body is read."
	whyForged   = "A signature counts when it was made with one of our keys for this connection; the middleware does not look at it."
	whyRequired = "Every event has this header. A request without it is nobody's to handle: we say so, the middleware does not look."
)

var handshakes = []comparison{
	{
		name: "allowed origin",
		req:  handshake(host),
		want: answer{Status: 200, Allowed: host},
		js:   &answer{Status: 200, Allowed: host + " | demo.contoso.com"},
		why:  whyOrigins,
	},
	{
		name: "two origins in one line",
		req:  handshake(host + ", demo.contoso.com"),
		want: answer{Status: 200, Allowed: host + " | demo.contoso.com"},
	},
	{
		name: "two origins in two lines",
		req:  handshake(host, "demo.contoso.com"),
		want: answer{Status: 200, Allowed: host + " | demo.contoso.com"},
	},
	{
		name: "one of two origins is foreign",
		req:  handshake("other.example, demo.contoso.com"),
		want: answer{Status: 200, Allowed: "demo.contoso.com"},
		js:   &answer{Status: 200, Allowed: host + " | demo.contoso.com"},
		why:  whyOrigins,
	},
	{
		name: "origin in upper case",
		req:  handshake("DEMO.WebPubSub.azure.com"),
		want: answer{Status: 200, Allowed: "DEMO.WebPubSub.azure.com"},
		js:   &answer{Status: 200, Allowed: host + " | demo.contoso.com"},
		why:  whyOrigins,
	},
	{
		name: "foreign origin",
		req:  handshake("other.example"),
		want: answer{Status: 403},
		js:   &answer{Status: 200, Allowed: host + " | demo.contoso.com"},
		why:  whyOrigins,
	},
	{
		name: "allowed host as a prefix of a foreign one",
		req:  handshake(host + ".evil.test"),
		want: answer{Status: 403},
		js:   &answer{Status: 200, Allowed: host + " | demo.contoso.com"},
		why:  whyOrigins,
	},
	{
		name: "on the path of the events",
		req:  handshake(host, "demo.contoso.com").to("/eventhandler"),
		want: answer{Status: 200, Allowed: host + " | demo.contoso.com"},
	},
	{
		name: "no origin",
		req:  handshake().without("WebHook-Request-Origin"),
		want: answer{Status: 400},
	},
	{
		name: "no ce-awpsversion",
		req:  handshake(host).without("ce-awpsversion"),
		want: answer{Status: 200, Allowed: host},
		js:   &next,
		why:  "The documents ask for the origin header only; ce-awpsversion, which the middleware insists on, is in none of their tables.",
	},
	{
		name: "GET",
		req:  handshake(host).by(http.MethodGet),
		want: answer{Status: 200, Allowed: host},
		js:   &next,
		why:  "The service asks by GET where OPTIONS was answered with 404, as gateways and tunnels do; CloudEvents servers that know OPTIONS only stay without events then.",
	},
	{
		name: "ordinary OPTIONS",
		req:  handshake().without("WebHook-Request-Origin", "ce-awpsversion"),
		want: next,
	},
}

// hello is what the middleware answers to those that it should not let in.
var hello = answer{Status: 200, Type: "text/plain", Body: "hello"}

var validations = []comparison{
	{
		name: "no signature",
		req:  user("message", "text/plain", "hello").without("ce-signature"),
		want: answer{Status: 401},
		js:   &hello,
		why:  whyProof,
	},
	{
		name: "signature with another key",
		req:  user("message", "text/plain", "hello").with("ce-signature", wire.Sign(connectionID, "another key")),
		want: answer{Status: 401},
		js:   &hello,
		why:  whyForged,
	},
	{
		name: "signature of another connection",
		req:  user("message", "text/plain", "hello").with("ce-connectionId", "another"),
		want: answer{Status: 401},
		js:   &hello,
		why:  whyForged,
	},
	{
		name: "secondary key first, with a space",
		req:  user("message", "text/plain", "hello").with("ce-signature", strings.Replace(wire.Sign(connectionID, "another key", accessKey), ",", ", ", 1)),
		want: hello,
	},
	{
		name: "foreign origin",
		req:  user("message", "text/plain", "hello").with("WebHook-Request-Origin", "other.example"),
		want: answer{Status: 403},
		js:   &hello,
		why:  "The allowed endpoints of the middleware serve the handshake only. Here an event from a foreign host is refused like a handshake with it.",
	},
	{
		name: "no origin",
		req:  user("message", "text/plain", "hello").without("WebHook-Request-Origin"),
		want: answer{Status: 400},
		js:   &next,
		why:  whyRequired,
	},
	{
		name: "no hub",
		req:  user("message", "text/plain", "hello").without("ce-hub"),
		want: answer{Status: 400},
		js:   &next,
		why:  whyRequired,
	},
	{
		name: "no connection id",
		req:  user("message", "text/plain", "hello").without("ce-connectionId"),
		want: answer{Status: 400},
		js:   &hello,
		why:  whyRequired,
	},
	{
		name: "foreign hub without a signature",
		req:  user("message", "text/plain", "hello").with("ce-hub", "other").without("ce-signature"),
		want: answer{Status: 401},
		js:   &next,
		why:  "Hubs are looked at after the proof, so that nobody learns from outside which ones are served here.",
	},
}

var oddRequests = []comparison{
	{
		name: "trailing slash",
		req:  user("message", "text/plain", "hello").to("/eventhandler/"),
		want: hello,
	},
	{
		name: "event name in the path",
		req:  user("message", "text/plain", "hello").to("/eventhandler/message?code=1"),
		want: hello,
	},
	{
		name: "path in upper case",
		req:  user("message", "text/plain", "hello").to("/EventHandler"),
		want: next,
		js:   &hello,
		why:  "Paths have case (RFC 9110, 4.2.3), and here they are the router's business: the service posts to exactly the URL of its settings.",
	},
	{
		name: "another path",
		req:  user("message", "text/plain", "hello").to("/elsewhere"),
		want: next,
	},
	{
		name: "chunked body",
		req:  chunked(user("message", "text/plain", "hello")),
		want: hello,
	},
	{
		name: "oversized body",
		req:  user("quiet", "text/plain", strings.Repeat("x", upstream.DefaultMaxBodyBytes+1)),
		want: answer{Status: 413},
		js:   &answer{Status: 200, Type: "application/octet-stream"},
		why:  "Messages have 1 MB at most. The middleware collects whatever comes, until the memory of the process ends.",
	},
	{
		name: "oversized chunked body",
		req:  chunked(user("quiet", "text/plain", strings.Repeat("x", upstream.DefaultMaxBodyBytes+1))),
		want: answer{Status: 413},
		js:   &answer{Status: 200, Type: "application/octet-stream"},
		why:  "A body that does not announce its length is cut off at the same limit.",
	},
	{
		name: "no ce-awpsversion",
		req:  user("message", "text/plain", "hello").without("ce-awpsversion"),
		want: hello,
		js:   &next,
		why:  "The documents do not list this header among those of an event; a ce-type of Web PubSub's is mark enough.",
	},
	{
		name: "ce-type in mixed case",
		req:  user("message", "text/plain", "hello").with("ce-type", "Azure.WebPubSub.User.message"),
		want: hello,
		js:   &next,
		why:  "Only the name of a user event belongs to the client and keeps its case; the rest of the type is the service's and compares without.",
	},
	{
		name: "foreign ce-type",
		req:  event("com.example.created", "text/plain", "hello"),
		want: answer{Status: 400},
		js:   &next,
		why:  "With ce-awpsversion the sender says that this is an event of Web PubSub, so a type that is none is an error and no request for somebody else.",
	},
	{
		name: "foreign ce-type without ce-awpsversion",
		req:  event("com.example.created", "text/plain", "hello").without("ce-awpsversion"),
		want: next,
	},
	{
		name: "PUT",
		req:  user("message", "text/plain", "hello").by(http.MethodPut),
		want: answer{Status: 405},
		js:   &next,
		why:  "Its headers say that it is an event, and events are posted; passing it on would hide the mistake behind a 404.",
	},
	{
		name: "GET of an event",
		req:  user("message", "text/plain", "").by(http.MethodGet).without("WebHook-Request-Origin"),
		want: answer{Status: 405},
		js:   &next,
		why:  "Its headers say that it is an event, and events are posted; passing it on would hide the mistake behind a 404.",
	},
	{
		name: "GET by a browser",
		req:  request{method: http.MethodGet, path: "/eventhandler", header: http.Header{"Accept": {"text/html"}}},
		want: next,
	},
	{
		name: "POST by somebody else",
		req:  request{method: http.MethodPost, path: "/eventhandler", header: http.Header{"Content-Type": {"text/plain"}}, body: "hello"},
		want: next,
	},
}

// chunked returns a copy that does not announce the length of its body.
func chunked(r request) request {
	r.chunked = true
	return r
}
