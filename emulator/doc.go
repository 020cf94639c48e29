// Package emulator is a local Web PubSub service: clients and server SDKs
// connect to it as to Azure Web PubSub, and it sends real, signed events to real
// handlers. It is made for development and tests; nothing is stored, and nothing
// outlives the process.
//
// A [Server] is an [net/http.Handler]:
//
//	service, err := emulator.New(&emulator.Options{
//		Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{
//			"chat": {EventHandlers: []emulator.EventHandler{{
//				URLTemplate:      "http://localhost:3000/eventhandler",
//				SystemEvents:     []string{"connect", "connected", "disconnected"},
//				UserEventPattern: "*",
//			}}},
//		}},
//	})
//	…
//	err = http.ListenAndServe("127.0.0.1:8080", service)
//
// In tests, package emulatortest starts one in memory. On the command line,
// webpubsub dev starts one in front of a handler.
//
// # Clients
//
// Clients connect to /client/hubs/{hub} with an access token, which
// [Server.ClientURL], package webpubsub and every server SDK make. They speak
// the simple protocol, json.webpubsub.azure.v1 or
// json.reliable.webpubsub.azure.v1; a client of the latter that lost its network
// connection gets everything that it missed when it comes back in time. Hubs
// exist by being used.
//
// # Events
//
// [Settings] say which events go where, to a URL or to a handler in the same
// process. A handler is asked for consent first, and every request is signed.
// The events of one connection are delivered one after the other. When one
// fails, the error says why and what to do; it is in the log, or in the [Record]
// that Options.Observe gets.
//
// # Looking
//
// Options.Inspect gets every request between the service and the application as
// an [Exchange], with all that is in it: events, questions for consent, and calls
// of the data plane. [Exchange.Resend] sends an event to its handler again, and
// nothing follows from the answer; [Server.Cut] breaks the network connection of
// a client. The real service has none of these: they are for tools on a
// developer's machine.
//
// # Server SDKs
//
// The REST data plane is below /api, all 25 operations of version 2024-12-01.
//
// # Safety
//
// The default access key is public, so it keeps nobody out. Listen on a loopback
// address. Web pages of foreign origins, and names that somebody made resolve to
// this machine, are refused unless Options allows them.
//
// # Limits
//
// What clients can make the service keep is bounded by [Limits]. A client that
// does not keep up is disconnected; messages are never dropped in silence.
// Clients and handlers that misbehave affect their own connections only.
//
// Facts about the service come from its documents, the source of its SDKs and
// Microsoft's emulator. Where they differ, and what is missing, is listed in
// docs/differences.md of the repository.
package emulator
