package webpubsub

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
)

// A Permission is something that a connection may do with a group.
type Permission string

// The permissions that the service knows.
const (
	// PermissionJoinLeaveGroup allows to join and to leave the group.
	PermissionJoinLeaveGroup Permission = "joinLeaveGroup"
	// PermissionSendToGroup allows to publish to the group.
	PermissionSendToGroup Permission = "sendToGroup"
)

// GrantPermission lets a connection join and leave, or publish to, a group. It
// lasts as long as the connection. For all groups, and for patterns, give the
// client a role when it connects: see [ClientAccessOptions.Roles]. When the
// connection does not exist the error is an [*Error] with status 404.
func (c *Client) GrantPermission(ctx context.Context, connectionID string, permission Permission, group string) error {
	op := c.permission("GrantPermission", connectionID, permission, group)
	op.method = http.MethodPut
	op.want = http.StatusOK
	return c.run(ctx, op)
}

// RevokePermission takes a permission from a connection. It does not take the
// connection out of the group.
func (c *Client) RevokePermission(ctx context.Context, connectionID string, permission Permission, group string) error {
	op := c.permission("RevokePermission", connectionID, permission, group)
	op.method = http.MethodDelete
	op.want = http.StatusNoContent
	return c.run(ctx, op)
}

// HasPermission reports whether a connection has a permission. One that does
// not exist has none.
func (c *Client) HasPermission(ctx context.Context, connectionID string, permission Permission, group string) (bool, error) {
	op := c.permission("HasPermission", connectionID, permission, group)
	op.method = http.MethodHead
	op.want = http.StatusOK
	op.orNot = true
	return c.ask(ctx, op)
}

func (c *Client) permission(name, connectionID string, permission Permission, group string) *operation {
	return &operation{
		name:   name,
		args:   cmp.Or(checkConnection(connectionID), permission.check(), checkGroupName(group)),
		path:   c.path("permissions", string(permission), "connections", connectionID),
		query:  newQuery().with("targetName", group),
		repeat: true,
	}
}

func (p Permission) check() error {
	switch p {
	case PermissionJoinLeaveGroup, PermissionSendToGroup:
		return nil
	}
	return fmt.Errorf("permission %.50q: there are %q and %q", string(p), PermissionJoinLeaveGroup, PermissionSendToGroup)
}
