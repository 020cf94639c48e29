package interop

import (
	"github.com/gowebpubsub/webpubsub/upstream"
)

// Reasons that more than one case has.
const (
	whyTyped   = "We label the text of a refusal as text/plain, so that whoever reads the answer on the way need not guess; the middleware sends it without a content type."
	whyBadBody = "A body that cannot be understood is a bad request, 400, and final. The middleware makes it a 500, which the service sends again three times to no avail."
	whyAuthor  = "The service would refuse this answer in front of the client, with no trace in the application. It is a mistake in the handler, so it is a 500 with a log line that says what to change."
	whyRetried = "A refusal by an MQTT code is deliberate and therefore a 4xx; the service would take a 5xx for a passing fault and ask three times more, while the client waits."
)

var connects = []comparison{
	{
		name: "accepted as the token says",
		req:  connectAs(),
		want: answer{Status: 204},
	},
	{
		name: "all overrides",
		req:  connectAs("do=all"),
		want: answer{
			Status: 200, Type: "application/json",
			Body: `{"userId":"bob","groups":["room1","room2"],"roles":["webpubsub.sendToGroup"],"subprotocol":"json.webpubsub.azure.v1"}`,
		},
	},
	{
		name: "empty response",
		req:  connectAs("do=nothing"),
		want: answer{Status: 204},
		js:   &answer{Status: 200, Type: "application/json", Body: "{}"},
		why:  "An object without members says nothing, and 204 says it shorter; the service accepts the client as its token says in both cases.",
	},
	{
		name: "roles taken away",
		req:  connectAs("do=noRoles"),
		want: answer{Status: 200, Type: "application/json", Body: `{"roles":[]}`},
	},
	{
		name: "user taken away",
		req:  connectAs("do=noUser"),
		want: answer{Status: 200, Type: "application/json", Body: `{"userId":""}`},
	},
	{
		name: "state",
		req:  connectAs("do=state"),
		want: answer{Status: 204, State: `{"n":1}`},
	},
	{
		name: "refused with 400",
		req:  connectAs("do=fail", "status=400"),
		want: answer{Status: 400, Type: "text/plain", Body: "not today"},
		js:   &answer{Status: 400, Body: "not today"},
		why:  whyTyped,
	},
	{
		name: "refused with 401",
		req:  connectAs("do=fail", "status=401"),
		want: answer{Status: 401, Type: "text/plain", Body: "not today"},
		js:   &answer{Status: 401, Body: "not today"},
		why:  whyTyped,
	},
	{
		name: "refused with 500",
		req:  connectAs("do=fail", "status=500"),
		want: answer{Status: 500, Type: "text/plain", Body: "not today"},
		js:   &answer{Status: 500, Body: "not today"},
		why:  whyTyped,
	},
	{
		name: "refused without a word",
		req:  connectAs("do=failSilently"),
		want: answer{Status: 401},
	},
	{
		name: "handler panics or throws",
		req:  connectAs("do=throw"),
		want: answer{Status: 500},
	},
	{
		name: "blank group",
		req:  connectAs("do=blankGroup"),
		want: answer{Status: 500},
		js:   &answer{Status: 200, Type: "application/json", Body: `{"groups":[" "]}`},
		why:  whyAuthor,
	},
	{
		name: "subprotocol that was not offered",
		req:  connectAs("do=otherSubprotocol"),
		want: answer{Status: 500},
		js:   &answer{Status: 200, Type: "application/json", Body: `{"subprotocol":"not.offered"}`},
		why:  whyAuthor,
	},
	{
		name: "members null, missing and unknown",
		req:  system("sys.connect", `{"claims":null,"query":null,"tomorrow":{"a":1}}`),
		want: answer{Status: 204},
	},
	{
		name: "broken JSON",
		req:  system("sys.connect", `{"claims":`),
		want: answer{Status: 400},
		js:   &answer{Status: 500},
		why:  whyBadBody,
	},
	{
		name: "no body",
		req:  system("sys.connect", ""),
		want: answer{Status: 400},
		js:   &answer{Status: 500},
		why:  whyBadBody,
	},
	{
		name: "a list for a body",
		req:  system("sys.connect", "[]"),
		want: answer{Status: 400},
		js:   &answer{Status: 204},
		why:  "The body of connect is an object. A handler that decides by claims must not decide by the claims of a list, which are undefined.",
	},
}

var mqtt = []comparison{
	{
		name: "accepted",
		req:  mqttConnectAs(upstream.MQTTVersion311),
		want: answer{Status: 204},
	},
	{
		name: "accepted with user properties",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=mqttProperties"),
		want: answer{
			Status: 200, Type: "application/json",
			Body: `{"userId":"bob","mqtt":{"userProperties":[{"name":"a","value":"b"}]}}`,
		},
	},
	{
		name: "3.1.1 refused with 400",
		req:  mqttConnectAs(upstream.MQTTVersion311, "do=fail", "status=400"),
		want: answer{Status: 400, Type: "application/json", Body: `{"mqtt":{"code":4,"reason":"not today"}}`},
	},
	{
		name: "3.1.1 refused with 401",
		req:  mqttConnectAs(upstream.MQTTVersion311, "do=fail", "status=401"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":5,"reason":"not today"}}`},
	},
	{
		name: "3.1.1 refused with 500",
		req:  mqttConnectAs(upstream.MQTTVersion311, "do=fail", "status=500"),
		want: answer{Status: 500, Type: "application/json", Body: `{"mqtt":{"code":3,"reason":"not today"}}`},
	},
	{
		name: "5.0 refused with 400",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=fail", "status=400"),
		want: answer{Status: 400, Type: "application/json", Body: `{"mqtt":{"code":134,"reason":"not today"}}`},
	},
	{
		name: "5.0 refused with 401",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=fail", "status=401"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":135,"reason":"not today"}}`},
	},
	{
		name: "5.0 refused with 500",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=fail", "status=500"),
		want: answer{Status: 500, Type: "application/json", Body: `{"mqtt":{"code":128,"reason":"not today"}}`},
	},
	{
		name: "refused without a word",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=failSilently"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":135}}`},
	},
	{
		name: "unknown version refused",
		req:  mqttConnectAs(9, "do=fail", "status=401"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":1,"reason":"not today"}}`},
	},
	{
		name: "5.0 refused with code 138, banned",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=mqttFail", "code=138"),
		want: answer{Status: 403, Type: "application/json", Body: `{"mqtt":{"code":138,"reason":"not today"}}`},
	},
	{
		name: "3.1.1 refused with code 3, server unavailable",
		req:  mqttConnectAs(upstream.MQTTVersion311, "do=mqttFail", "code=3"),
		want: answer{Status: 403, Type: "application/json", Body: `{"mqtt":{"code":3,"reason":"not today"}}`},
		js:   &answer{Status: 503, Type: "application/json", Body: `{"mqtt":{"code":3,"reason":"not today"}}`},
		why:  whyRetried,
	},
	{
		name: "5.0 refused with code 137, server busy",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=mqttFail", "code=137"),
		want: answer{Status: 403, Type: "application/json", Body: `{"mqtt":{"code":137,"reason":"not today"}}`},
		js:   &answer{Status: 500, Type: "application/json", Body: `{"mqtt":{"code":137,"reason":"not today"}}`},
		why:  whyRetried,
	},
	{
		name: "5.0 refused with code 130, protocol error",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=mqttFail", "code=130"),
		want: answer{Status: 400, Type: "application/json", Body: `{"mqtt":{"code":130,"reason":"not today"}}`},
		js:   &answer{Status: 500, Type: "application/json", Body: `{"mqtt":{"code":130,"reason":"not today"}}`},
		why:  "Code 130 is missing in the table of the middleware, which takes it for an invalid one; it belongs to those that blame the client.",
	},
	{
		name: "3.1.1 refused with a code of 5.0",
		req:  mqttConnectAs(upstream.MQTTVersion311, "do=mqttFail", "code=135"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":5,"reason":"not today"}}`},
		js:   &answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":135,"reason":"not today"}}`},
		why:  "A client sees a code of the other protocol version as an unspecified error, so we send the one that means the same in its own; a handler need not look at the version.",
	},
	{
		name: "no ce-subprotocol",
		req:  mqttConnectAs(upstream.MQTTVersion5, "do=fail", "status=401").without("ce-subprotocol"),
		want: answer{Status: 401, Type: "application/json", Body: `{"mqtt":{"code":135,"reason":"not today"}}`},
		js:   &answer{Status: 401, Body: "not today"},
		why:  "The samples of the documents send connect without this header. The physical connection id, or the member mqtt of the body, is proof enough, and an MQTT client needs a code to be refused with.",
	},
	{
		name: "user properties of a message",
		req:  overMQTT(user("message", "text/plain", "hello")).with("mqtt-Color", "blue").with("ce-sessionId", "s1"),
		want: answer{Status: 200, Type: "text/plain", Body: "hello", Extra: "mqtt-color: blue"},
		js:   &answer{Status: 200, Type: "text/plain", Body: "hello"},
		why:  "The middleware shows a handler neither the user properties of a message nor a way to answer with some; here the handler sends back what it got.",
	},
	{
		name: "media type of a message",
		req:  overMQTT(user("message", "image/png", "\x89PNG")),
		want: answer{Status: 200, Type: "image/png", Body: "\x89PNG"},
		js:   &next,
		why:  whyAnyData,
	},
}
