// Package chat is the event handler that all the examples mount: a lobby that
// greets, answers and counts. It knows nothing of the server around it.
package chat

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// A session is what the service keeps for us with each connection. There is
// nothing in this process to lose or to share between replicas.
type session struct {
	Room     string `json:"room"`
	Messages int    `json:"messages"`
}

// New returns the handler. Nil options are the defaults.
func New(v upstream.RequestValidator, options *upstream.Options) *upstream.EventHandler {
	h := upstream.NewEventHandler(v, options)
	h.HandleConnect(connect)
	h.HandleConnected(connected)
	h.HandleUserMessage(upstream.WithState(message))
	h.HandleUserEvent("vote", upstream.Typed(vote))
	h.HandleDisconnected(disconnected)
	return h
}

// connect lets everybody in who gives a name. A real application would read
// the name from a token that it can verify.
func connect(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	user := req.Query.Get("user")
	if user == "" {
		return nil, upstream.NewError(http.StatusUnauthorized, "say who you are: connect with ?user=<name>")
	}
	state, err := upstream.NewState(session{Room: "lobby"})
	if err != nil {
		return nil, err
	}
	return &upstream.ConnectResponse{UserID: user, Groups: []string{"lobby"}, State: state}, nil
}

func connected(ctx context.Context, ev *upstream.ConnectedEvent) error {
	slog.InfoContext(ctx, "joined", "user", ev.UserID)
	return nil
}

// message answers the client that sent it. WithState sends the changed session
// back to the service.
func message(_ context.Context, req *upstream.UserEventRequest, s *session) (*upstream.UserEventResponse, error) {
	s.Messages++
	return upstream.Text(fmt.Sprintf("%s said %q, message %d in the %s", req.UserID, req.Data, s.Messages, s.Room)), nil
}

type (
	ballot  struct{ Option string }
	receipt struct {
		User     string `json:"user"`
		Option   string `json:"option"`
		Messages int    `json:"messages"`
	}
)

// vote takes the JSON {"option": "tea"} of the custom event "vote".
func vote(_ context.Context, req *upstream.UserEventRequest, in ballot) (*receipt, error) {
	if in.Option == "" {
		return nil, upstream.NewError(http.StatusBadRequest, "a vote needs an option")
	}
	s, err := upstream.StateOf[session](req)
	if err != nil {
		return nil, err
	}
	return &receipt{User: req.UserID, Option: in.Option, Messages: s.Messages}, nil
}

func disconnected(ctx context.Context, ev *upstream.DisconnectedEvent) error {
	slog.InfoContext(ctx, "left", "user", ev.UserID, "reason", ev.Reason)
	return nil
}
