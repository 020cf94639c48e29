package webpubsub

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// AddConnectionToGroup puts a connection into a group. When it does not exist
// the error is an [*Error] with status 404.
func (c *Client) AddConnectionToGroup(ctx context.Context, connectionID, group string) error {
	return c.run(ctx, &operation{
		name:   "AddConnectionToGroup",
		args:   cmp.Or(checkConnection(connectionID), checkGroup(group)),
		method: http.MethodPut,
		path:   c.path("groups", group, "connections", connectionID),
		want:   http.StatusOK,
		repeat: true,
	})
}

// RemoveConnectionFromGroup takes a connection out of a group. One that is not
// in it is no error.
func (c *Client) RemoveConnectionFromGroup(ctx context.Context, connectionID, group string) error {
	args := cmp.Or(checkConnection(connectionID), checkGroup(group))
	return c.remove(ctx, "RemoveConnectionFromGroup", args, c.path("groups", group, "connections", connectionID))
}

// RemoveConnectionFromAllGroups takes a connection out of all its groups.
func (c *Client) RemoveConnectionFromAllGroups(ctx context.Context, connectionID string) error {
	args := checkConnection(connectionID)
	return c.remove(ctx, "RemoveConnectionFromAllGroups", args, c.path("connections", connectionID, "groups"))
}

// AddUserToGroup puts all connections that a user has now into a group. Those
// that the user opens later are not in it.
func (c *Client) AddUserToGroup(ctx context.Context, userID, group string) error {
	return c.run(ctx, &operation{
		name:   "AddUserToGroup",
		args:   cmp.Or(checkUser(userID), checkGroup(group)),
		method: http.MethodPut,
		path:   c.path("users", userID, "groups", group),
		want:   http.StatusOK,
		repeat: true,
	})
}

// RemoveUserFromGroup takes all connections of a user out of a group.
func (c *Client) RemoveUserFromGroup(ctx context.Context, userID, group string) error {
	args := cmp.Or(checkUser(userID), checkGroup(group))
	return c.remove(ctx, "RemoveUserFromGroup", args, c.path("users", userID, "groups", group))
}

// RemoveUserFromAllGroups takes all connections of a user out of all their
// groups.
func (c *Client) RemoveUserFromAllGroups(ctx context.Context, userID string) error {
	return c.remove(ctx, "RemoveUserFromAllGroups", checkUser(userID), c.path("users", userID, "groups"))
}

func (c *Client) remove(ctx context.Context, name string, args error, path string) error {
	return c.run(ctx, &operation{
		name:   name,
		args:   args,
		method: http.MethodDelete,
		path:   path,
		want:   http.StatusNoContent,
		repeat: true,
	})
}

// AddConnectionsToGroups puts the connections that a filter chooses into each
// of some groups. See [Filter] for its language. The empty filter chooses all
// connections of the hub.
func (c *Client) AddConnectionsToGroups(ctx context.Context, groups []string, filter string) error {
	return c.changeGroups(ctx, "AddConnectionsToGroups", "/:addToGroups", groups, filter)
}

// RemoveConnectionsFromGroups takes the connections that a filter chooses out
// of each of some groups. See [Filter] for its language. The empty filter
// chooses all connections of the hub.
func (c *Client) RemoveConnectionsFromGroups(ctx context.Context, groups []string, filter string) error {
	return c.changeGroups(ctx, "RemoveConnectionsFromGroups", "/:removeFromGroups", groups, filter)
}

func (c *Client) changeGroups(ctx context.Context, name, action string, groups []string, filter string) error {
	body, err := wire.Marshal(struct {
		Groups []string `json:"groups"`
		Filter string   `json:"filter,omitempty"`
	}{groups, filter})
	if len(groups) == 0 {
		err = errors.New("there are no groups")
	}
	return c.run(ctx, &operation{
		name:   name,
		args:   cmp.Or(err, checkGroupNames(groups)),
		method: http.MethodPost,
		path:   c.path() + action,
		header: http.Header{wire.HeaderContentType: {wire.MediaJSON}},
		body:   body,
		want:   http.StatusOK,
		repeat: true,
	})
}
