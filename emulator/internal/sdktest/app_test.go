package sdktest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// An application is the one of testdata/js/app.mjs, with our libraries.
type application struct {
	service *webpubsub.Client
}

// newApplication returns the handler of the application.
func newApplication(t *testing.T, service *emulatortest.Service) http.Handler {
	t.Helper()
	client, err := webpubsub.NewClient(service.ConnectionString(), hub, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := upstream.NewAccessKeyValidator(service.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	app := &application{client}
	h := upstream.NewEventHandler(v, &upstream.Options{
		Hubs:   []string{hub},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	h.HandleConnect(app.connect)
	h.HandleConnected(app.connected)
	h.HandleDisconnected(app.disconnected)
	h.HandleGroupJoined(app.joined)
	h.HandleGroupLeft(app.left)
	h.HandleUserEvent("count", count)
	h.HandleUserEvent("enter", app.enter)
	h.HandleUserEvent("goodbye", app.goodbye)
	h.HandleUserEvent("quiet", quiet)
	h.HandleUserEvent("refuse", refuse)
	h.HandleUserEvent("who", who)
	h.HandleUserEvent("*", echo)
	return h
}

// startUpstream serves the application, and returns the URL that events go to.
func startUpstream(t *testing.T, service *emulatortest.Service) string {
	t.Helper()
	server := httptest.NewServer(newApplication(t, service))
	t.Cleanup(server.Close)
	return server.URL + "/eventhandler"
}

// A notice is what the application tells the group "notices".
type notice struct {
	Event        string              `json:"event"`
	ConnectionID string              `json:"connectionId"`
	UserID       string              `json:"userId,omitempty"`
	EventName    string              `json:"eventName"`
	State        any                 `json:"state,omitempty"`
	Origin       string              `json:"origin"`
	Reason       string              `json:"reason,omitempty"`
	Group        string              `json:"group,omitempty"`
	Claims       map[string][]string `json:"claims,omitempty"`
	Queries      map[string][]string `json:"queries"`
	UserAgent    []string            `json:"userAgent,omitempty"`
	Subprotocols []string            `json:"subprotocols,omitempty"`
}

func newNotice(event string, req upstream.Request) *notice {
	c := req.Connection()
	state, _ := upstream.StateOf[map[string]any](req) // always an object, or missing
	return &notice{
		Event: event, ConnectionID: c.ConnectionID, UserID: c.UserID, EventName: c.EventName,
		State: state["n"], Origin: c.Origin,
	}
}

func (a *application) tell(ctx context.Context, n *notice) error {
	m, err := webpubsub.JSON(n)
	if err != nil {
		return err
	}
	return a.service.SendToGroup(ctx, "notices", m, nil)
}

func (a *application) connect(ctx context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	n := newNotice("connect", req)
	n.Claims, n.Queries, n.UserAgent, n.Subprotocols = req.Claims, req.Query, req.Headers.Values("User-Agent"), req.Subprotocols
	if err := a.tell(ctx, n); err != nil {
		return nil, err
	}
	switch req.Query.Get("do") {
	case "everything":
		resp := &upstream.ConnectResponse{
			UserID:      "bob",
			Groups:      []string{"room.lobby"},
			Roles:       []string{"webpubsub.joinLeaveGroup.room.a", "webpubsub.sendToGroup.room.lobby"},
			Subprotocol: req.Subprotocols[len(req.Subprotocols)-1],
		}
		return resp, resp.SetState("n", 10)
	case "noRoles":
		return &upstream.ConnectResponse{Roles: []string{}}, nil
	case "notOffered":
		return &upstream.ConnectResponse{Subprotocol: "not.offered"}, nil
	case "refuse":
		return nil, upstream.NewError(http.StatusUnauthorized, "not today")
	}
	return nil, nil
}

func (a *application) connected(ctx context.Context, e *upstream.ConnectedEvent) error {
	return a.tell(ctx, newNotice("connected", e))
}

func (a *application) disconnected(ctx context.Context, e *upstream.DisconnectedEvent) error {
	n := newNotice("disconnected", e)
	n.Reason = e.Reason
	return a.tell(ctx, n)
}

func (a *application) joined(ctx context.Context, e *upstream.GroupJoinedEvent) error {
	n := newNotice("joined", e)
	n.Group = e.Group
	return a.tell(ctx, n)
}

func (a *application) left(ctx context.Context, e *upstream.GroupLeftEvent) error {
	n := newNotice("left", e)
	n.Group = e.Group
	return a.tell(ctx, n)
}

// enter does what applications do before they answer: it uses the service.
func (a *application) enter(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	room := string(req.Data)
	if err := a.service.AddConnectionToGroup(ctx, req.ConnectionID, room); err != nil {
		return nil, err
	}
	if err := a.service.GrantPermission(ctx, req.ConnectionID, webpubsub.PermissionSendToGroup, room); err != nil {
		return nil, err
	}
	others := &webpubsub.SendOptions{Excluded: []string{req.ConnectionID}}
	if err := a.service.SendToGroup(ctx, room, webpubsub.Text(req.UserID+" is here"), others); err != nil {
		return nil, err
	}
	return upstream.Text("welcome"), nil
}

func (a *application) goodbye(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	err := a.service.CloseConnection(ctx, req.ConnectionID, &webpubsub.CloseOptions{Reason: "goodbye"})
	return upstream.Text("too late"), err
}

func count(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	state, err := upstream.StateOf[struct{ N int }](req)
	if err != nil {
		return nil, err
	}
	resp := upstream.Text(strconv.Itoa(state.N + 1))
	return resp, resp.SetState("n", state.N+1)
}

func quiet(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return nil, nil
}

func refuse(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return nil, upstream.NewError(http.StatusBadRequest, "not today")
}

func who(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return upstream.JSON(struct {
		Hub          string            `json:"hub"`
		ConnectionID string            `json:"connectionId"`
		UserID       string            `json:"userId"`
		EventName    string            `json:"eventName"`
		DataType     upstream.DataType `json:"dataType"`
	}{req.Hub, req.ConnectionID, req.UserID, req.EventName, req.DataType})
}

func echo(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType}, nil
}
