package webpubsub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
)

const (
	maxPageSize = 200
	maxPageBody = 4 << 20 // many times what 200 members need
)

// GroupConnectionsOptions say how to list the connections of a group. Nil is
// the same as a zero GroupConnectionsOptions.
type GroupConnectionsOptions struct {
	// PageSize is how many connections one request asks for, at most 200. 0
	// leaves it to the service, which takes 200.
	PageSize int

	// Limit ends the list after so many connections. 0 means all of them.
	Limit int
}

// A GroupMember is a connection in a group.
type GroupMember struct {
	ConnectionID string
	// UserID is empty when the connection has no user.
	UserID string
}

// GroupConnections lists the connections in a group, in the order of the
// service. Nothing is sent before the first is asked for, and the next page
// only when the one before is used up. What happens to the group meanwhile may
// show or not. A group that does not exist has no connections.
//
//	for member, err := range client.GroupConnections(ctx, "lobby", nil) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error ends the list.
func (c *Client) GroupConnections(ctx context.Context, group string, options *GroupConnectionsOptions) iter.Seq2[GroupMember, error] {
	var opts GroupConnectionsOptions
	if options != nil {
		opts = *options
	}
	return func(yield func(GroupMember, error) bool) {
		q := newQuery()
		if opts.PageSize > 0 {
			q = q.with("maxpagesize", strconv.Itoa(opts.PageSize))
		}
		if opts.Limit > 0 {
			q = q.with("top", strconv.Itoa(opts.Limit))
		}
		seen := 0
		for {
			var members []GroupMember
			var err error
			if members, q, err = c.page(ctx, group, opts, q); err != nil {
				yield(GroupMember{}, err)
				return
			}
			for _, m := range members {
				if !yield(m, nil) {
					return
				}
				if seen++; seen == opts.Limit {
					return
				}
			}
			if q == "" {
				return
			}
		}
	}
}

// page gets one page of a group's connections, and the query of the next one,
// empty after the last.
func (c *Client) page(ctx context.Context, group string, opts GroupConnectionsOptions, q query) ([]GroupMember, query, error) {
	const name = "GroupConnections"
	a, err := c.do(ctx, &operation{
		name:   name,
		args:   cmp.Or(checkGroup(group), opts.check()),
		method: http.MethodGet,
		path:   c.path("groups", group, "connections"),
		query:  q,
		want:   http.StatusOK,
		limit:  maxPageBody,
		repeat: true,
	})
	if err != nil {
		return nil, "", err
	}
	members, next, err := decodePage(a.body)
	if err == nil && next == q {
		err = errors.New("the link to the next page leads to the same page")
	}
	if err != nil {
		return nil, "", fmt.Errorf("webpubsub: %s: %w", name, err)
	}
	return members, next, nil
}

func (o GroupConnectionsOptions) check() error {
	switch {
	case o.PageSize < 0 || o.PageSize > maxPageSize:
		return fmt.Errorf("option PageSize is %d; 0 to %d are possible", o.PageSize, maxPageSize)
	case o.Limit < 0:
		return fmt.Errorf("option Limit is %d; it cannot be negative", o.Limit)
	}
	return nil
}

// decodePage reads the body of one page.
func decodePage(body []byte) ([]GroupMember, query, error) {
	var page struct {
		Value    []GroupMember
		NextLink string
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, "", errors.New("the answer is not a page of connections")
	}
	if page.NextLink == "" {
		return page.Value, "", nil
	}
	next, err := nextQuery(page.NextLink)
	return page.Value, next, err
}
