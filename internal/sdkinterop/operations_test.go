package sdkinterop

import (
	"context"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// A comparison is one operation in both SDKs.
type comparison struct {
	name string
	js   []any // the name in driver.mjs, and the arguments
	ours func(ctx context.Context, c *webpubsub.Client) (any, error)
}

type object = map[string]any

var comparisons = []comparison{
	{
		name: "send text to all",
		js:   []any{"sendToAll", "Zoë says hello", object{"contentType": "text/plain"}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToAll(ctx, webpubsub.Text("Zoë says hello"), nil)
		}),
	},
	{
		name: "send JSON to all, with options",
		js: []any{"sendToAll", object{"a": "<&>"}, object{
			"excludedConnections": []string{"c 1", "c+2&"}, "filter": "userId ne 'it''s'", "messageTtlSeconds": 300,
		}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToAll(ctx, jsonMessage(object{"a": "<&>"}), &webpubsub.SendOptions{
				Excluded: []string{"c 1", "c+2&"}, Filter: webpubsub.Filter("userId ne ?", "it's"), TTL: 300 * time.Second,
			})
		}),
	},
	{
		name: "send bytes to all",
		js:   []any{"sendToAll", object{"base64": "AP8K"}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToAll(ctx, webpubsub.Binary([]byte{0, 255, 10}), nil)
		}),
	},
	{
		name: "send to group",
		js:   []any{"sendToGroup", "lobby", "hello", object{"excludedConnections": []string{"c1"}, "filter": "x", "messageTtlSeconds": 1}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToGroup(ctx, "lobby", jsonMessage("hello"), &webpubsub.SendOptions{Excluded: []string{"c1"}, Filter: "x", TTL: time.Second})
		}),
	},
	{
		name: "send to user",
		js:   []any{"sendToUser", "bob", "hello", object{"contentType": "text/plain", "filter": "'a' in groups", "messageTtlSeconds": 60}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToUser(ctx, "bob", webpubsub.Text("hello"), &webpubsub.SendOptions{Filter: "'a' in groups", TTL: time.Minute})
		}),
	},
	{
		name: "send to connection",
		js:   []any{"sendToConnection", "c1", 7, object{"messageTtlSeconds": 2}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToConnection(ctx, "c1", jsonMessage(7), &webpubsub.SendOptions{TTL: 2 * time.Second})
		}),
	},
	{
		name: "connection exists",
		js:   []any{"connectionExists", "c1"},
		ours: ask(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.ConnectionExists(ctx, "c1") }),
	},
	{
		name: "group exists",
		js:   []any{"groupExists", "lobby"},
		ours: ask(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.GroupExists(ctx, "lobby") }),
	},
	{
		name: "user exists",
		js:   []any{"userExists", "bob"},
		ours: ask(func(ctx context.Context, c *webpubsub.Client) (bool, error) { return c.UserExists(ctx, "bob") }),
	},
	{
		name: "close connection",
		js:   []any{"closeConnection", "c1", object{"reason": "good & bye"}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseConnection(ctx, "c1", &webpubsub.CloseOptions{Reason: "good & bye"})
		}),
	},
	{
		name: "close all connections",
		js:   []any{"closeAllConnections", object{"reason": "night", "excluded": []string{"a", "b"}}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseAllConnections(ctx, &webpubsub.CloseOptions{Reason: "night", Excluded: []string{"a", "b"}})
		}),
	},
	{
		name: "close connections of group",
		js:   []any{"closeGroupConnections", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseGroupConnections(ctx, "lobby", nil)
		}),
	},
	{
		name: "close connections of user",
		js:   []any{"closeUserConnections", "bob", object{"reason": "x"}},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseUserConnections(ctx, "bob", &webpubsub.CloseOptions{Reason: "x"})
		}),
	},
	{
		name: "add connection to group",
		js:   []any{"addConnectionToGroup", "c1", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddConnectionToGroup(ctx, "c1", "lobby")
		}),
	},
	{
		name: "names with everything in them",
		js:   []any{"addConnectionToGroup", "a/b?c#d%2F e", "Zoë!*'()+:;@&=$,[]~"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddConnectionToGroup(ctx, "a/b?c#d%2F e", "Zoë!*'()+:;@&=$,[]~")
		}),
	},
	{
		name: "remove connection from group",
		js:   []any{"removeConnectionFromGroup", "c1", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.RemoveConnectionFromGroup(ctx, "c1", "lobby")
		}),
	},
	{
		name: "remove connection from all groups",
		js:   []any{"removeConnectionFromAllGroups", "c1"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.RemoveConnectionFromAllGroups(ctx, "c1")
		}),
	},
	{
		name: "add user to group",
		js:   []any{"addUserToGroup", "bob", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error { return c.AddUserToGroup(ctx, "bob", "lobby") }),
	},
	{
		name: "remove user from group",
		js:   []any{"removeUserFromGroup", "bob", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.RemoveUserFromGroup(ctx, "bob", "lobby")
		}),
	},
	{
		name: "remove user from all groups",
		js:   []any{"removeUserFromAllGroups", "bob"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error { return c.RemoveUserFromAllGroups(ctx, "bob") }),
	},
	{
		name: "add connections to groups",
		js:   []any{"addConnectionsToGroups", []string{"a", "b<&>"}, "userId eq 'bob'"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddConnectionsToGroups(ctx, []string{"a", "b<&>"}, "userId eq 'bob'")
		}),
	},
	{
		name: "remove connections from groups",
		js:   []any{"removeConnectionsFromGroups", []string{"a"}, "not('b' in groups)"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.RemoveConnectionsFromGroups(ctx, []string{"a"}, "not('b' in groups)")
		}),
	},
	{
		name: "list connections of group",
		js:   []any{"groupConnections", "a/b", object{"maxPageSize": 2, "top": 70}},
		ours: func(ctx context.Context, c *webpubsub.Client) (any, error) {
			var all []object
			for m, err := range c.GroupConnections(ctx, "a/b", &webpubsub.GroupConnectionsOptions{PageSize: 2, Limit: 70}) {
				if err != nil {
					return nil, err
				}
				member := object{"connectionId": m.ConnectionID}
				if m.UserID != "" {
					member["userId"] = m.UserID
				}
				all = append(all, member)
			}
			return all, nil
		},
	},
	{
		name: "grant permission",
		js:   []any{"grantPermission", "c1", "sendToGroup", "a b"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.GrantPermission(ctx, "c1", webpubsub.PermissionSendToGroup, "a b")
		}),
	},
	{
		name: "revoke permission",
		js:   []any{"revokePermission", "c1", "joinLeaveGroup", "lobby"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error {
			return c.RevokePermission(ctx, "c1", webpubsub.PermissionJoinLeaveGroup, "lobby")
		}),
	},
	{
		name: "has permission",
		js:   []any{"hasPermission", "c1", "joinLeaveGroup", "lobby"},
		ours: ask(func(ctx context.Context, c *webpubsub.Client) (bool, error) {
			return c.HasPermission(ctx, "c1", webpubsub.PermissionJoinLeaveGroup, "lobby")
		}),
	},
	{
		name: "generate token",
		js:   []any{"generateClientToken", object{}},
		ours: func(ctx context.Context, c *webpubsub.Client) (any, error) { return c.GenerateClientToken(ctx, nil) },
	},
	{
		name: "generate token with options",
		js: []any{"generateClientToken", object{
			"userId": "bob", "roles": []string{"r1", "r2"}, "groups": []string{"a", "b"}, "expirationTimeInMinutes": 5, "clientType": "MQTT",
		}},
		ours: func(ctx context.Context, c *webpubsub.Client) (any, error) {
			return c.GenerateClientToken(ctx, &webpubsub.ClientAccessOptions{
				UserID: "bob", Roles: []string{"r1", "r2"}, Groups: []string{"a", "b"}, Lifetime: 5 * time.Minute,
				Protocol: webpubsub.ClientProtocolMQTT,
			})
		},
	},
	{
		name: "health",
		js:   []any{"health"},
		ours: run(func(ctx context.Context, c *webpubsub.Client) error { return c.Health(ctx) }),
	},
}

// run adapts an operation without a result.
func run(f func(context.Context, *webpubsub.Client) error) func(context.Context, *webpubsub.Client) (any, error) {
	return func(ctx context.Context, c *webpubsub.Client) (any, error) { return nil, f(ctx, c) }
}

// ask adapts a question.
func ask(f func(context.Context, *webpubsub.Client) (bool, error)) func(context.Context, *webpubsub.Client) (any, error) {
	return func(ctx context.Context, c *webpubsub.Client) (any, error) { return f(ctx, c) }
}

func jsonMessage(v any) webpubsub.Message {
	m, err := webpubsub.JSON(v)
	if err != nil {
		panic(err)
	}
	return m
}
