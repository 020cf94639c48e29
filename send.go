package webpubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxTTL is the longest life of a message.
const maxTTL = 300 * time.Second

// SendOptions narrow down who gets a message, and for how long it is good. Nil
// is the same as a zero SendOptions.
type SendOptions struct {
	// Excluded are ids of connections that do not get the message. Only
	// [Client.SendToAll] and [Client.SendToGroup] take it.
	Excluded []string

	// Filter chooses among the connections; see [Filter] for its language.
	// [Client.SendToConnection] does not take it.
	Filter string

	// TTL is for how long the message waits for a client that is slow to
	// read, in whole seconds up to 300. 0 means that it does not expire.
	TTL time.Duration
}

// SendToAll sends a message to all connections of the hub.
//
// For this and the other three ways to send: nil means that the service has
// accepted the message, not that a client has seen it. Nobody to send to is no
// error.
func (c *Client) SendToAll(ctx context.Context, m Message, options *SendOptions) error {
	return c.send(ctx, &operation{name: "SendToAll", path: c.path()}, m, options)
}

// SendToGroup sends a message to all connections in a group.
func (c *Client) SendToGroup(ctx context.Context, group string, m Message, options *SendOptions) error {
	return c.send(ctx, &operation{
		name: "SendToGroup",
		args: checkGroup(group),
		path: c.path("groups", group),
	}, m, options)
}

// SendToUser sends a message to all connections of a user.
func (c *Client) SendToUser(ctx context.Context, userID string, m Message, options *SendOptions) error {
	return c.send(ctx, &operation{
		name: "SendToUser",
		args: cmp.Or(checkUser(userID), options.noExcluded()),
		path: c.path("users", userID),
	}, m, options)
}

// SendToConnection sends a message to one connection.
func (c *Client) SendToConnection(ctx context.Context, connectionID string, m Message, options *SendOptions) error {
	return c.send(ctx, &operation{
		name: "SendToConnection",
		args: cmp.Or(checkConnection(connectionID), options.noExcluded(), options.noFilter()),
		path: c.path("connections", connectionID),
	}, m, options)
}

// send completes an operation that has a name, a path and checked arguments.
// Sent twice, a message could arrive twice: these are never idempotent.
func (c *Client) send(ctx context.Context, op *operation, m Message, options *SendOptions) error {
	if options == nil {
		options = &SendOptions{}
	}
	var err error
	op.header, op.body, err = m.render()
	op.args = cmp.Or(op.args, options.check(), err)
	op.method = http.MethodPost
	op.path += "/:send"
	op.query = newQuery().with("excluded", options.Excluded...).with("filter", options.Filter)
	if options.TTL > 0 {
		op.query = op.query.with("messageTtlSeconds", strconv.Itoa(int(options.TTL/time.Second)))
	}
	op.want = http.StatusAccepted
	return c.run(ctx, op)
}

func (o *SendOptions) check() error {
	if o.TTL < 0 || o.TTL > maxTTL || o.TTL%time.Second != 0 {
		return fmt.Errorf("option TTL is %v; whole seconds from 0 to %d are possible", o.TTL, maxTTL/time.Second)
	}
	return checkExcluded(o.Excluded)
}

func (o *SendOptions) noExcluded() error {
	if o != nil && len(o.Excluded) > 0 {
		return errors.New("option Excluded is possible for SendToAll and SendToGroup only")
	}
	return nil
}

func (o *SendOptions) noFilter() error {
	if o != nil && o.Filter != "" {
		return errors.New("option Filter is not possible for a single connection")
	}
	return nil
}
