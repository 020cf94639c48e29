package webpubsub

import (
	"cmp"
	"context"
	"errors"
	"net/http"
)

// CloseOptions go with closing connections. Nil is the same as a zero
// CloseOptions.
type CloseOptions struct {
	// Reason is told to the clients, and to the application in the event
	// "disconnected".
	Reason string

	// Excluded are ids of connections that stay open.
	// [Client.CloseConnection] does not take it.
	Excluded []string
}

// ConnectionExists reports whether a connection is open.
func (c *Client) ConnectionExists(ctx context.Context, connectionID string) (bool, error) {
	return c.exists(ctx, "ConnectionExists", checkConnection(connectionID), c.path("connections", connectionID))
}

// GroupExists reports whether a group has a connection in it. Groups exist
// only while they have.
func (c *Client) GroupExists(ctx context.Context, group string) (bool, error) {
	return c.exists(ctx, "GroupExists", checkGroup(group), c.path("groups", group))
}

// UserExists reports whether a user has a connection.
func (c *Client) UserExists(ctx context.Context, userID string) (bool, error) {
	return c.exists(ctx, "UserExists", checkUser(userID), c.path("users", userID))
}

func (c *Client) exists(ctx context.Context, name string, args error, path string) (bool, error) {
	return c.ask(ctx, &operation{
		name:   name,
		args:   args,
		method: http.MethodHead,
		path:   path,
		want:   http.StatusOK,
		orNot:  true,
		repeat: true,
	})
}

// CloseConnection closes a connection. One that does not exist is no error.
func (c *Client) CloseConnection(ctx context.Context, connectionID string, options *CloseOptions) error {
	if options == nil {
		options = &CloseOptions{}
	}
	op := &operation{
		name:   "CloseConnection",
		args:   checkConnection(connectionID),
		method: http.MethodDelete,
		path:   c.path("connections", connectionID),
		query:  newQuery().with("reason", options.Reason),
		want:   http.StatusNoContent,
		repeat: true,
	}
	if len(options.Excluded) > 0 {
		op.args = errors.New("option Excluded is not possible for a single connection")
	}
	return c.run(ctx, op)
}

// CloseAllConnections closes all connections of the hub.
func (c *Client) CloseAllConnections(ctx context.Context, options *CloseOptions) error {
	return c.closeMany(ctx, "CloseAllConnections", nil, c.path(), options)
}

// CloseGroupConnections closes all connections in a group.
func (c *Client) CloseGroupConnections(ctx context.Context, group string, options *CloseOptions) error {
	return c.closeMany(ctx, "CloseGroupConnections", checkGroup(group), c.path("groups", group), options)
}

// CloseUserConnections closes all connections of a user.
func (c *Client) CloseUserConnections(ctx context.Context, userID string, options *CloseOptions) error {
	return c.closeMany(ctx, "CloseUserConnections", checkUser(userID), c.path("users", userID), options)
}

// closeMany closes connections that are not named. A repetition could hit
// clients that have come back in the meantime, so it is not idempotent.
func (c *Client) closeMany(ctx context.Context, name string, args error, path string, options *CloseOptions) error {
	if options == nil {
		options = &CloseOptions{}
	}
	return c.run(ctx, &operation{
		name:   name,
		args:   cmp.Or(args, checkExcluded(options.Excluded)),
		method: http.MethodPost,
		path:   path + "/:closeConnections",
		query:  newQuery().with("excluded", options.Excluded...).with("reason", options.Reason),
		want:   http.StatusNoContent,
	})
}
