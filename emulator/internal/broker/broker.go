// Package broker is the seam between the parts of the service that share hubs.
// A hub reaches connections other than the one at hand through a [Broker] and
// in no other way, and so do the REST operations: with servers behind one
// address, a connection may be held by any of them.
package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

// A Broker carries commands to every server that shares a hub, the one that
// issues them included.
//
// Commands of one publisher to one hub are carried out in the order they were
// issued. Each is carried out at most once by each server: a server that is
// gone misses it.
type Broker interface {
	// Publish issues a command and does not wait for the others to carry it
	// out. The command and what it points to are not changed afterwards.
	Publish(ctx context.Context, hub string, c Command) error

	// Ask issues a command, waits until all have carried it out, and returns
	// their replies as one.
	Ask(ctx context.Context, hub string, c Command) (Reply, error)

	// Subscribe has serve called with every command for a hub, one at a time
	// for each publisher, until stop is called. serve must not wait for a
	// connection.
	Subscribe(hub string, serve func(Command) Reply) (stop func(), err error)
}

// A Command is what a hub is told to do: one of the types below.
type Command interface{ command() }

// A Target says whom a command is about.
type Target struct {
	Kind TargetKind
	Name string // of the group, user or connection; empty for Everyone
}

// A TargetKind is a way to choose connections of a hub.
type TargetKind int

// The kinds of targets.
const (
	Everyone TargetKind = iota
	Group
	User
	Connection
)

// Send delivers a message to the target's connections.
type Send struct {
	Target   Target
	Excluded []string      // connection ids that do not get it
	Filter   *odata.Filter // nil for all
	Message  protocol.DataMessage
	TTL      time.Duration // how long it may wait for a lost transport; 0 is for ever
}

// Close ends the target's connections.
type Close struct {
	Target   Target
	Excluded []string
	Reason   string
}

// Join adds the target's connections to groups.
type Join struct {
	Target Target
	Groups []string
	Filter *odata.Filter // nil for all
}

// Leave removes the target's connections from groups, from all of theirs when
// Groups is nil.
type Leave struct {
	Target Target
	Groups []string
	Filter *odata.Filter // nil for all
}

// Grant gives a connection a permission for one group.
type Grant struct {
	ConnectionID string
	Permission   roles.Permission
	Group        string
}

// Revoke takes a permission for one group from a connection, whatever its roles
// say.
type Revoke struct {
	ConnectionID string
	Permission   roles.Permission
	Group        string
}

// Count asks how many connections the target has.
type Count struct{ Target Target }

// Permitted asks whether a connection has a permission for a group.
type Permitted struct {
	ConnectionID string
	Permission   roles.Permission
	Group        string
}

// Members asks for the connections of a group in the order of their ids.
type Members struct {
	Group string
	After string // only ids above this one
	Limit int    // at most so many
}

func (Send) command()      {}
func (Close) command()     {}
func (Join) command()      {}
func (Leave) command()     {}
func (Grant) command()     {}
func (Revoke) command()    {}
func (Count) command()     {}
func (Permitted) command() {}
func (Members) command()   {}

// A Reply tells what became of a command.
type Reply struct {
	// Count is how many connections the command was about: after Join, Leave,
	// Send and Close those that it reached, after Grant 1 if the connection
	// exists, after Permitted 1 if it is so.
	Count int

	// Full is set when a permission was neither granted nor revoked because the
	// connection has as many rules as it may.
	Full bool

	// Members answers the command of that name.
	Members []Member
}

// Member is one connection of a group.
type Member struct{ ConnectionID, UserID string }

// Merge returns the reply of two servers together.
func (r Reply) Merge(other Reply) Reply {
	merged := Reply{Count: r.Count + other.Count, Full: r.Full || other.Full, Members: r.Members}
	if len(other.Members) > 0 {
		merged.Members = slices.Concat(r.Members, other.Members)
		slices.SortFunc(merged.Members, func(a, b Member) int { return strings.Compare(a.ConnectionID, b.ConnectionID) })
	}
	return merged
}

// limitedTo returns the reply without the members that c did not ask for: each
// server sends as many as its limit.
func (r Reply) limitedTo(c Command) Reply {
	if m, ok := c.(Members); ok && len(r.Members) > m.Limit {
		r.Members = r.Members[:m.Limit]
	}
	return r
}
