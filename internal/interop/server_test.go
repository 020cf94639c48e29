package interop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
)

const accessKey = "7aab239577fd4f24bc919802fb629f5f"

// startGo starts our side: the same handlers as testdata/js/server.mjs.
func startGo(t *testing.T) *peer {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator(
		"Endpoint=https://demo.webpubsub.azure.com;AccessKey="+accessKey,
		"Endpoint=https://demo.contoso.com;AccessKey="+accessKey)
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(v, &upstream.Options{
		Hubs:   []string{"chat"},
		Logger: slog.New(slog.DiscardHandler),
	})
	var n notifications
	h.HandleConnect(connect)
	h.HandleConnected(n.connected)
	h.HandleDisconnected(n.disconnected)
	h.HandleGroupJoined(n.joined)
	h.HandleGroupLeft(n.left)
	h.HandleUserEvent("count", count)
	h.HandleUserEvent("sameState", sameState)
	h.HandleUserEvent("failWithState", failWithState)
	h.HandleUserEvent("fail", fail)
	h.HandleUserEvent("quiet", quiet)
	h.HandleUserEvent("seen", seen)
	h.HandleUserEvent("notified", n.tell)
	h.HandleUserEvent("throw", throw)
	h.HandleUserEvent("reject", reject)
	h.HandleUserEvent("*", echo)

	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("next"))
	})
	mux := http.NewServeMux()
	mux.Handle("/eventhandler", h.Wrap(next))
	mux.Handle("/eventhandler/", h.Wrap(next))
	mux.Handle("/", next)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return newPeer(t, server.URL)
}

func connect(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	switch req.Query.Get("do") {
	case "all":
		return &upstream.ConnectResponse{
			UserID:      "bob",
			Groups:      []string{"room1", "room2"},
			Roles:       []string{"webpubsub.sendToGroup"},
			Subprotocol: "json.webpubsub.azure.v1",
		}, nil
	case "nothing":
		return &upstream.ConnectResponse{}, nil
	case "noRoles":
		return &upstream.ConnectResponse{Roles: []string{}}, nil
	case "noUser":
		return &upstream.ConnectResponse{NoUser: true}, nil
	case "blankGroup":
		return &upstream.ConnectResponse{Groups: []string{" "}}, nil
	case "otherSubprotocol":
		return &upstream.ConnectResponse{Subprotocol: "not.offered"}, nil
	case "state":
		resp := &upstream.ConnectResponse{}
		return resp, resp.SetState("n", 1)
	case "fail":
		status, err := strconv.Atoi(req.Query.Get("status"))
		if err != nil {
			return nil, err
		}
		return nil, upstream.NewError(status, "not today")
	case "failSilently":
		return nil, upstream.NewError(http.StatusUnauthorized, "")
	case "throw":
		panic("a secret of the process")
	case "mqttProperties":
		return &upstream.ConnectResponse{UserID: "bob", MQTT: &upstream.MQTTConnectResponse{
			UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "b"}},
		}}, nil
	case "mqttFail":
		code, err := strconv.Atoi(req.Query.Get("code"))
		if err != nil {
			return nil, err
		}
		return nil, upstream.NewMQTTConnectError(upstream.MQTTCode(code), "not today")
	}
	return nil, nil
}

func count(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	n := counted(req) + 1
	resp := upstream.Text(strconv.Itoa(n))
	return resp, resp.SetState("n", n)
}

func sameState(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	resp := upstream.Text("same")
	return resp, resp.SetState("n", counted(req))
}

// counted returns the n of the state, 0 when there is no state or an odd one.
func counted(req upstream.Request) int {
	state, err := upstream.StateOf[struct{ N int }](req)
	if err != nil {
		return 0
	}
	return state.N
}

func failWithState(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	resp := &upstream.UserEventResponse{}
	if err := resp.SetState("n", 9); err != nil {
		return nil, err
	}
	return resp, upstream.NewError(http.StatusBadRequest, "not today")
}

func fail(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	status, err := strconv.Atoi(string(req.Data))
	if err != nil {
		return nil, err
	}
	return nil, upstream.NewError(status, "not today")
}

func quiet(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return nil, nil
}

func seen(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return upstream.JSON([]string{req.Hub, req.ConnectionID, req.UserID, req.EventName, string(req.DataType)})
}

func throw(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	panic("a secret of the process")
}

func reject(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return nil, errors.New("a secret of the process")
}

func echo(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	return &upstream.UserEventResponse{
		Data:           req.Data,
		ContentType:    req.ContentType,
		Metadata:       maps.Clone(req.Metadata),
		UserProperties: req.UserProperties,
	}, nil
}

// notifications keeps what was notified, by connection id, for the event
// "notified" to tell.
type notifications struct {
	mu  sync.Mutex
	all map[string][]string // guarded by mu
}

func (n *notifications) note(c *upstream.ConnectionContext, what ...any) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = make(map[string][]string)
	}
	line := fmt.Sprintln(what...)
	n.all[c.ConnectionID] = append(n.all[c.ConnectionID], line[:len(line)-1])
	return nil
}

func (n *notifications) connected(_ context.Context, e *upstream.ConnectedEvent) error {
	return n.note(e.Connection(), "connected", dashForZero(counted(e)))
}

func (n *notifications) disconnected(_ context.Context, e *upstream.DisconnectedEvent) error {
	code := any("-")
	if e.MQTT != nil && e.MQTT.Packet != nil {
		code = e.MQTT.Packet.Code
	}
	return n.note(e.Connection(), "disconnected", dashForZero(e.Reason), code)
}

func (n *notifications) joined(_ context.Context, e *upstream.GroupJoinedEvent) error {
	return n.note(e.Connection(), "joined", e.Group)
}

func (n *notifications) left(_ context.Context, e *upstream.GroupLeftEvent) error {
	return n.note(e.Connection(), "left", e.Group)
}

func (n *notifications) tell(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.all[req.ConnectionID]
	if lines == nil {
		lines = []string{}
	}
	return upstream.JSON(lines)
}

func dashForZero[T comparable](v T) any {
	if v == *new(T) {
		return "-"
	}
	return v
}
