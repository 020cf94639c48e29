// Package chat is the chat of "webpubsub demo", and a tutorial: this file is
// all of it that has to do with Azure Web PubSub.
//
// Each client holds one WebSocket, to the service and none to us. What happens
// there reaches us as HTTP requests, called events: package upstream verifies
// and decodes them and calls the methods below. To tell clients something we
// ask the service, by the REST API that is package webpubsub. Clients that are
// to get the same messages form a group; each room of the chat is one.
package chat

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// subprotocol is how clients talk with the service: in JSON, and "reliable",
// so that they miss nothing when the network fails for a moment.
const subprotocol = "json.reliable.webpubsub.azure.v1"

type chat struct {
	service *webpubsub.Client
	rooms   *rooms // who is where and what was said, in memory: see rooms.go
}

// A profile is what we know about a connection. The service keeps it for us, as
// the state of the connection, and sends it along with every event: it outlives
// this process, and any process that gets the event has it.
type profile struct {
	Name string `json:"name"`
}

// New returns the handler of the events of a hub, to be mounted where the hub's
// settings send them: New(…).Mount(mux, "/eventhandler").
func New(v upstream.RequestValidator, service *webpubsub.Client, options *upstream.Options) *upstream.EventHandler {
	c := &chat{service: service, rooms: newRooms()}
	h := upstream.NewEventHandler(v, options)

	// The service waits for the answers to these.
	h.HandleConnect(c.connect)
	h.HandleUserEvent("say", upstream.Typed(c.say))
	h.HandleUserEvent("typing", upstream.Typed(c.typing))
	h.HandleUserEvent("rename", upstream.WithState(c.rename))
	h.HandleUserEvent("rooms", upstream.Typed(c.list))

	// These are notifications: they tell what has happened, whatever we answer.
	h.HandleGroupJoined(c.joined)
	h.HandleGroupLeft(c.left)
	h.HandleDisconnected(c.disconnected)
	return h
}

// connect decides about a client at the door. The answer says who it is from
// now on and what it may do; an error with a 4xx status turns it away.
func (c *chat) connect(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	if !slices.Contains(req.Subprotocols, subprotocol) {
		return nil, upstream.NewError(http.StatusBadRequest, "this chat speaks the subprotocol "+subprotocol)
	}
	// Here anybody can take any name. Where it matters who somebody is, put it
	// into the client's access token, and find it in req.UserID.
	name, err := checkName(req.Query.Get("name"))
	if err != nil {
		return nil, err
	}
	state, err := upstream.NewState(profile{Name: name})
	if err != nil {
		return nil, err
	}
	return &upstream.ConnectResponse{
		UserID:      name,
		Roles:       []string{webpubsub.RoleJoinLeaveAnyGroup}, // not to send to groups: for that there is say
		Subprotocol: subprotocol,
		State:       state,
	}, nil
}

// joined comes after a client has joined a group, which it asked of the service
// and not of us. It is too late to refuse, and no client sees our answer: what
// the newcomer has to know we send to it. (Events about groups are a preview in
// the real service.)
//
// An error is answered with 500, and the service sends the event again. So any
// event can come twice, or late, and must do no harm then: clients know people
// and messages by their ids, and c.rooms knows by the ids of a connection's
// events, which rise, when a later one has come before.
func (c *chat) joined(ctx context.Context, ev *upstream.GroupJoinedEvent) error {
	p, err := upstream.StateOf[profile](ev)
	if err != nil {
		return err
	}
	name, ok := c.rooms.join(ev.Group, ev.ConnectionID, p.Name, ev.EventID)
	if !ok {
		return nil // a group that is no room, or the client has gone meanwhile
	}
	if err := c.show(ctx, ev.Group, ev.ConnectionID); err != nil {
		return err
	}
	return c.tell(ctx, ev.Group, notice{"joined", ev.Group, ev.ConnectionID, name}, nil)
}

// show sends a newcomer the room as it is. When somebody comes or goes at this
// very moment, the newcomer may hear of that first and be shown the room of
// before; so it is shown again.
func (c *chat) show(ctx context.Context, room, connectionID string) error {
	for range 100 { // not for ever where people never stop coming and going
		view := c.rooms.look(room)
		m, err := webpubsub.JSON(shown{"room", room, view})
		if err != nil {
			return err
		}
		if err := c.service.SendToConnection(ctx, connectionID, m, nil); err != nil {
			return err
		}
		if c.rooms.look(room).version == view.version {
			break
		}
	}
	return nil
}

// say is an event of our own: clients choose the name, and send it over their
// WebSocket as {"type":"event","event":"say","ackId":1,"dataType":"json","data":…}.
// Typed decodes the data. A nil answer is no message, only the ack; an error is a
// failed ack, and in the real service it may cost the client its connection.
//
// The client made up the id: what is said again keeps the number it got first.
func (c *chat) say(ctx context.Context, req *upstream.UserEventRequest, in saying) (any, error) {
	if err := cmp.Or(checkRoom(in.Room), checkID(in.ID), checkText(in.Text)); err != nil {
		return nil, err
	}
	p, err := upstream.StateOf[profile](req)
	if err != nil {
		return nil, err
	}
	// We do not ask whether the client is in the room: events may overtake each
	// other, and its joined may come later.
	m, err := c.rooms.add(in.Room, message{ID: in.ID, From: req.ConnectionID, Name: p.Name, Text: in.Text})
	if err != nil {
		return nil, err
	}
	return nil, c.tell(ctx, in.Room, said{"message", in.Room, m}, nil)
}

// typing tells the others in the room, for as long as it is news.
func (c *chat) typing(ctx context.Context, req *upstream.UserEventRequest, in place) (any, error) {
	if err := checkRoom(in.Room); err != nil {
		return nil, err
	}
	p, err := upstream.StateOf[profile](req)
	if err != nil {
		return nil, err
	}
	return nil, c.tell(ctx, in.Room, notice{"typing", in.Room, req.ConnectionID, p.Name}, &webpubsub.SendOptions{
		Excluded: []string{req.ConnectionID},
		TTL:      5 * time.Second,
	})
}

// rename changes the state of the connection, which only an answer can do that
// the service waits for. WithState puts into it what we make of *p.
func (c *chat) rename(ctx context.Context, req *upstream.UserEventRequest, p *profile) (*upstream.UserEventResponse, error) {
	var wish profile
	if err := req.Decode(&wish); err != nil {
		return nil, err
	}
	name, err := checkName(wish.Name)
	if err != nil {
		return nil, err
	}
	in, ok := c.rooms.rename(req.ConnectionID, name, req.EventID)
	if !ok {
		return nil, nil // there is a later name: the state stays as it is
	}
	for _, room := range in {
		if err := c.tell(ctx, room, notice{"renamed", room, req.ConnectionID, name}, nil); err != nil {
			return nil, err
		}
	}
	p.Name = name
	return nil, nil
}

// list answers with data: that is a message to the client that asked.
func (c *chat) list(context.Context, *upstream.UserEventRequest, struct{}) (listed, error) {
	return listed{"rooms", c.rooms.list()}, nil
}

func (c *chat) left(ctx context.Context, ev *upstream.GroupLeftEvent) error {
	return c.leave(ctx, ev.Group, ev.ConnectionID, ev.EventID)
}

// disconnected is the last event of a connection: it was closed, or it broke
// and the client did not come back in time.
func (c *chat) disconnected(ctx context.Context, ev *upstream.DisconnectedEvent) error {
	var errs []error
	for _, room := range c.rooms.disconnect(ev.ConnectionID) {
		errs = append(errs, c.leave(ctx, room, ev.ConnectionID, ev.EventID))
	}
	return errors.Join(errs...)
}

// leave takes a connection out of a room. We may learn of it by left and by
// disconnected, in any order: whichever comes first tells the others.
func (c *chat) leave(ctx context.Context, room, connectionID, eventID string) error {
	if !c.rooms.leave(room, connectionID, eventID) {
		return nil
	}
	if err := c.tell(ctx, room, notice{Kind: "left", Room: room, ID: connectionID}, nil); err != nil {
		return err // the event comes again, and finds the others still to be told
	}
	c.rooms.told(room, connectionID)
	return nil
}

// tell sends something to everybody in a room.
func (c *chat) tell(ctx context.Context, room string, v any, options *webpubsub.SendOptions) error {
	m, err := webpubsub.JSON(v)
	if err != nil {
		return err
	}
	return c.service.SendToGroup(ctx, room, m, options)
}
