package upstreamtest_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func TestMQTTConversation(t *testing.T) {
	props := []upstream.MQTTUserProperty{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}
	h := newEventHandler(t, nil)
	var ids []string
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		ids = append(ids, req.PhysicalConnectionID, req.SessionID)
		if req.MQTT.Username != "u" || string(req.MQTT.Password) != "p" || !slices.Equal(req.Subprotocols, []string{"mqtt"}) {
			t.Errorf("got %+v %q", req.MQTT, req.Subprotocols)
		}
		return &upstream.ConnectResponse{UserID: "u", MQTT: &upstream.MQTTConnectResponse{UserProperties: props}}, nil
	})
	h.HandleConnected(func(_ context.Context, e *upstream.ConnectedEvent) error {
		ids = append(ids, e.PhysicalConnectionID, e.SessionID)
		return nil
	})
	h.HandleUserEvent("vote", func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		if len(req.Data) == 0 {
			return nil, upstream.NewError(http.StatusBadRequest, "vote for what?")
		}
		return &upstream.UserEventResponse{Data: req.Data, ContentType: "image/png", UserProperties: req.UserProperties}, nil
	})
	var end *upstream.DisconnectedEvent
	h.HandleDisconnected(func(_ context.Context, e *upstream.DisconnectedEvent) error { end = e; return nil })

	svc := upstreamtest.NewService(t, h, nil)
	client := &upstreamtest.Client{ConnectionID: "client7", MQTT: &upstream.MQTTConnect{Username: "u", Password: []byte("p")}}
	c := svc.Connect(t.Context(), client)
	if c.Refused() || c.ID != "client7" || c.UserID != "u" || c.Subprotocol != "mqtt" || c.Connack.Code != 0 || !slices.Equal(c.Connack.UserProperties, props) {
		t.Fatalf("got %+v, CONNACK %+v", c, c.Connack)
	}
	if want := []string{c.PhysicalConnectionID, "", c.PhysicalConnectionID, c.SessionID}; !slices.Equal(ids, want) || c.SessionID == "" {
		t.Errorf("got ids %q, want %q", ids, want)
	}
	picture := upstreamtest.Data{Bytes: []byte("png"), ContentType: "image/png", UserProperties: props}
	if r := c.Event("vote", picture); r.Failed() || !reflect.DeepEqual(r.Data, picture) {
		t.Errorf("got %+v, want %+v", r, picture)
	}
	if r := c.Event("vote", upstreamtest.Data{}); !r.Failed() || r.Text() != "vote for what?" {
		t.Errorf("got %+v, want a failure with its text", r)
	}
	c.Close("")
	if want := (&upstream.MQTTDisconnect{InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{}}); !reflect.DeepEqual(end.MQTT, want) || end.SessionID != c.SessionID {
		t.Errorf("got %+v, want %+v", end.MQTT, want)
	}
	busy := upstream.MQTTDisconnect{Packet: &upstream.MQTTDisconnectPacket{Code: upstream.MQTT5ServerBusy}}
	svc.Connect(t.Context(), client).CloseMQTT("busy", busy)
	if !reflect.DeepEqual(*end.MQTT, busy) || end.Reason != "busy" {
		t.Errorf("got %q %+v, want %q %+v", end.Reason, end.MQTT, "busy", busy)
	}
}

func TestMQTT311(t *testing.T) {
	h := newEventHandler(t, nil)
	props := []upstream.MQTTUserProperty{{Name: "a", Value: "1"}}
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return &upstream.ConnectResponse{MQTT: &upstream.MQTTConnectResponse{UserProperties: props}}, nil
	})
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return &upstream.UserEventResponse{Data: []byte("x"), UserProperties: props}, nil
	})
	c := upstreamtest.NewService(t, h, nil).Connect(t.Context(), &upstreamtest.Client{MQTT: &upstream.MQTTConnect{ProtocolVersion: 4}})
	if r := c.Send(upstreamtest.Text("")); c.Connack.UserProperties != nil || r.UserProperties != nil {
		t.Errorf("got user properties %v and %v, which MQTT 3.1.1 does not have", c.Connack.UserProperties, r.UserProperties)
	}
}

// TestMQTTRefusals says which CONNACK a client gets for any refusal.
func TestMQTTRefusals(t *testing.T) {
	refusing := func(err error) http.Handler {
		h := newEventHandler(t, nil)
		h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return nil, err })
		return h
	}
	props := []upstream.MQTTUserProperty{{Name: "a", Value: "b"}}
	tests := []struct {
		name    string
		handler http.Handler
		status  int
		v5      upstreamtest.Connack
		v311    upstream.MQTTCode
	}{
		{"plain", refusing(upstream.NewError(401, "who?")), 401, upstreamtest.Connack{Code: 135, Reason: "who?"}, 5},
		{"unexpected", refusing(errors.New("secret")), 500, upstreamtest.Connack{Code: 128}, 3},
		{
			"typed", refusing(&upstream.MQTTConnectError{Code: upstream.MQTT5Banned, Reason: "banned", UserProperties: props}), 403,
			upstreamtest.Connack{Code: 138, Reason: "banned", UserProperties: props},
			5,
		},
		{"no body", answer(403, nil, ""), 403, upstreamtest.Connack{Code: 128}, 3},
		{"text", answer(403, nil, "no"), 403, upstreamtest.Connack{Code: 128}, 3},
		{"code of 3.1.1", answer(403, nil, `{"mqtt":{"code":4,"reason":"r"}}`), 403, upstreamtest.Connack{Code: 128}, 4},
		{"code of 5.0", answer(403, nil, `{"mqtt":{"code":134,"reason":"r"}}`), 403, upstreamtest.Connack{Code: 134, Reason: "r"}, 3},
		{"no code", answer(403, nil, `{"mqtt":{"code":250}}`), 403, upstreamtest.Connack{Code: 128}, 3},
		{"success of no use", answer(200, nil, `{"subprotocol":"json.webpubsub.azure.v1"}`), 500, upstreamtest.Connack{Code: 128}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := upstreamtest.NewService(t, tt.handler, nil)
			for version, want := range map[int]upstreamtest.Connack{5: tt.v5, 4: {Code: tt.v311}} {
				c := svc.Connect(t.Context(), &upstreamtest.Client{MQTT: &upstream.MQTTConnect{ProtocolVersion: version}})
				if !c.Refused() || c.StatusCode != tt.status || !reflect.DeepEqual(*c.Connack, want) {
					t.Errorf("version %d: got %d %+v, want %d %+v", version, c.StatusCode, *c.Connack, tt.status, want)
				}
			}
		})
	}
}
