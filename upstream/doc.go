// Package upstream receives the events that Azure Web PubSub sends to an
// application, and answers them.
//
// The service holds the WebSocket connections of your clients. When something
// happens on one of them it calls your HTTP server, its "upstream" or "event
// handler": a client wants to connect, has connected, sent something, joined a
// group, went away. Each call is a CloudEvent in binary mode: attributes in
// headers, the payload in the body. This package verifies, decodes, dispatches
// and answers these calls, for MQTT clients too, with nothing but the standard
// library.
//
//	v, err := upstream.NewAccessKeyValidator(os.Getenv("WebPubSubConnectionString"))
//	if err != nil {
//		log.Fatal(err)
//	}
//	h := upstream.NewEventHandler(v, nil)
//	h.HandleConnect(func(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
//		user := req.Query.Get("user")
//		if user == "" {
//			return nil, upstream.NewError(http.StatusUnauthorized, "say who you are")
//		}
//		return &upstream.ConnectResponse{UserID: user, Groups: []string{"lobby"}}, nil
//	})
//	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
//		return upstream.Text("you said " + string(req.Data)), nil
//	})
//	h.Mount(http.DefaultServeMux, "/eventhandler")
//
// # Events
//
// The service waits for the answer to two kinds of events, which are therefore
// requests with a response; the others are notifications. What has no handler
// is accepted.
//
//	HandleConnect       *ConnectRequest     → *ConnectResponse, or an error that refuses the client
//	HandleUserMessage   *UserEventRequest   → *UserEventResponse: a message to the same client
//	HandleUserEvent     the same, for events of other names; "*" takes the rest
//	HandleConnected     *ConnectedEvent
//	HandleDisconnected  *DisconnectedEvent
//	HandleGroupJoined   *GroupJoinedEvent   (preview)
//	HandleGroupLeft     *GroupLeftEvent     (preview)
//
// [Typed] adapts a function from JSON to JSON, [WithState] one that works on
// the connection's state.
//
// # Mounting
//
// The service posts to exactly the URL in its settings and follows no
// redirect. When the URL template ends in {event} it adds a segment, and it
// asks for consent on "…/validate". So register the path with and without a
// trailing slash; [EventHandler.Mount] does it for net/http, and the examples
// of this module show other routers. Without an HTTP server,
// [EventHandler.Preflight] and [EventHandler.HandleHTTP] take headers and
// bodies as they are.
//
// Middleware for CORS, bearer tokens and gateway keys must let the service's
// OPTIONS requests pass.
//
// # What the signature proves
//
// With the access key the service signs the connection id, and only that:
// ce-signature is an HMAC-SHA256 of ce-connectionId. It proves that whoever
// sent the request has seen a genuine request of this connection. It does not
// cover the body, the user id, the event, the state or the time, and it does
// not change while the connection lives. Anybody who can read one request can
// therefore forge others of the same connection, and send old ones again. For
// MQTT the connection id is chosen by the client, so the same holds beyond the
// life of one connection.
//
// What to do about it: serve the handler over TLS, and let nobody see its
// requests, logs of proxies included. Where that is not enough, put a secret
// into the URL of the handler, or let the service authenticate with a managed
// identity and check its bearer token in a [RequestValidator]; [ValidateAll]
// asks for both proofs. Do not treat the user id as proven beyond the trust
// that you have in the transport.
//
// The checks run on headers, before the body is read. A refusal has no detail,
// and comes before hub and handler are looked up, so that an outsider learns
// nothing about which exist.
//
// # Answers and errors
//
// Only an error made by [NewError], or [NewMQTTConnectError], puts its text on
// the wire. Everything else, a panic included, becomes an empty 500 and a line
// in the log. What the service would refuse at run time, such as a subprotocol
// that the client did not offer, is an [*InvalidResponseError] that says what
// to change.
//
// Refuse with 4xx. The service sends an event again after 408, any 5xx or no
// answer: 1, 3 and 5 seconds later, with the same ids and the same body. So
// handlers run at least once; make them idempotent by ConnectionID and EventID,
// or let a [DuplicateGuard] recognise repetitions.
//
// # State
//
// The service keeps a value for each connection and sends it with every event.
// The responses to connect and to user events can change it: whole with their
// State field and [NewState], by name with SetState, DeleteState and
// ClearStates, or as a Go value with [WithState]. Its form, a JSON object, is
// shared with the SDKs for JavaScript and Python. It travels in a header:
// keep it below [MaxStateBytes]. Notifications can read it, see [StateOf], and
// have no way to change it.
//
// # Time and concurrency
//
// Handlers run on the goroutine of their request unless HandlerTimeout is set,
// and many at once. Events of
// one connection can overlap and overtake each other: "connected" may still be
// under way when the first message arrives. A [Background] moves notifications
// off the request and keeps their order; call its Shutdown after the server's.
//
// Set the deadlines of the [http.Server], ReadHeaderTimeout and ReadTimeout
// above all. Where it has no ReadTimeout, [Options.ReadTimeout] bounds the
// arrival of a body, by default 30 seconds. [Options.HandlerTimeout] answers
// for a handler that does not come back.
//
// # Watching it
//
// Each request is one line in the log ([Options.Logger]) and one call of
// [Options.Observe]. Refused requests say why there. Neither claims, query,
// headers, state and data nor keys and signatures are ever logged.
//
// # Testing
//
// Package upstreamtest plays the service, without sockets: single signed
// requests, and whole conversations.
//
// The protocol is described in the CloudEvents reference of Azure Web PubSub
// (https://learn.microsoft.com/azure/azure-web-pubsub/reference-cloud-events)
// and its counterpart for MQTT (reference-mqtt-cloud-events). Retry times are
// those of Microsoft's emulator, which copies the service; the references give
// none.
package upstream
