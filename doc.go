// Package webpubsub is the client that a server uses to work with Azure Web
// PubSub: it sends messages to the service's clients, puts them into groups,
// closes their connections, and makes the URLs with which they connect.
//
//	client, err := webpubsub.NewClient(os.Getenv("WebPubSubConnectionString"), "chat", nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	err = client.SendToGroup(ctx, "lobby", webpubsub.Text("good morning"), nil)
//
// It covers the whole data plane of version 2024-12-01 with nothing but the
// standard library. Events in the other direction, from the service to the
// application, are the business of package upstream.
//
// # Operations
//
//	messages      SendToAll, SendToGroup, SendToUser, SendToConnection
//	groups        AddConnectionToGroup, AddUserToGroup, AddConnectionsToGroups, GroupConnections,
//	              RemoveConnectionFromGroup, RemoveConnectionFromAllGroups,
//	              RemoveUserFromGroup, RemoveUserFromAllGroups, RemoveConnectionsFromGroups
//	existence     ConnectionExists, GroupExists, UserExists
//	closing       CloseConnection, CloseAllConnections, CloseGroupConnections, CloseUserConnections
//	permissions   GrantPermission, RevokePermission, HasPermission
//	access        ClientAccessURL, GenerateClientToken
//	the service   Health
//
// Names of groups, users and connections are escaped where they become a part of
// a URL, as in the other SDKs; "." and ".." are refused there. Avoid slashes in
// names: the service leaves an escaped slash as it is (as Microsoft's emulator
// shows it), so that no REST operation reaches a group or a user that has one.
// Empty names and other arguments that the service cannot take are errors before
// anything is sent.
//
// # Letting clients in
//
// [Client.ClientAccessURL] makes a URL with a token in it, which says who the
// client is and what it may do. Hand it out from an endpoint that knows its
// user:
//
//	access, err := client.ClientAccessURL(ctx, &webpubsub.ClientAccessOptions{
//		UserID: user,
//		Roles:  []string{webpubsub.RoleSendToGroup("lobby")},
//		Groups: []string{"lobby"},
//	})
//	…
//	json.NewEncoder(w).Encode(access)
//
// # Errors
//
// A refusal by the service is an [*Error] with its status and code. Other
// errors mean that an argument is wrong or that no answer came; those of the
// context and of the network are wrapped. No error and no log line contains an
// access key, a token or the URL of a request.
//
// # Retries
//
// A request that failed is sent again, up to three times, with growing pauses
// or after the time that the service asks for (Retry-After), and within the
// deadline of the context. When that is safe depends on the operation:
//
//   - Most operations can be done twice with the effect of once. They are sent
//     again after 408, 429, 500, 502, 503 and 504, and when no answer came.
//   - Sending is not one of them: the message would arrive twice. Neither is
//     closing connections that are not named: it would hit clients that have
//     come back. They are sent again only when the service surely has not
//     acted: when no connection to it could be made, and when it refused with
//     429, or with 503 and a Retry-After.
//
// So a send that fails may have been delivered. Whoever prefers twice to never
// calls again. [ClientOptions] sets the number and the pauses.
//
// # In the handler of an event
//
// With the context that package upstream gives a handler, requests carry the
// x-ms-client-request-id of the event: logs, and the inspector of the local
// service, then tell what an event led to.
//
// # Security
//
// Each request carries a token of its own, for its URL only and five minutes,
// signed with the access key, or one of Entra ID from a [TokenSource].
// Redirects are not followed, and the links of a list are used for their query
// only, so a token goes nowhere but to the endpoint of the client, or the proxy
// that its options name. Answers are read up to a limit.
//
// With an access key the endpoint may be http, for local services. Everywhere
// else take https.
//
// The operations are described in the REST reference of Azure Web PubSub
// (https://learn.microsoft.com/rest/api/webpubsub/dataplane/web-pub-sub).
package webpubsub
