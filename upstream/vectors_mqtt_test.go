package upstream_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// connectMQTT lets a client of a protocol version connect and returns what its
// handler made of it.
func connectMQTT(t *testing.T, version int, fn upstream.ConnectFunc) *upstream.Response {
	t.Helper()
	h := newHandler(t, nil)
	h.HandleConnect(fn)
	header := event(typeConnect, "ce-subprotocol", "mqtt", "ce-physicalConnectionId", "p1", "Content-Type", wire.MediaJSON)
	body := fmt.Sprintf(`{"claims":{},"subprotocols":["mqtt"],"mqtt":{"protocolVersion":%d,"cleanStart":true,"username":null,"password":null}}`, version)
	return h.HandleHTTP(t.Context(), header, []byte(body))
}

func refuseWith(err error) upstream.ConnectFunc {
	return func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return nil, err }
}

func TestVectorsMQTTConnectCodes(t *testing.T) {
	codes := vectors.Load().MQTT.ConnectCodeToHTTPStatus
	names := mqttConstants(t)
	for _, tt := range codes.Cases {
		t.Run(fmt.Sprintf("%s-%d", tt.Name, tt.ProtocolVersion), func(t *testing.T) {
			prefix := "MQTT5"
			if tt.ProtocolVersion == upstream.MQTTVersion311 {
				prefix = "MQTT311"
			}
			if got, ok := names[strings.ToLower(prefix+tt.Name)]; !ok || got != tt.Code {
				t.Errorf("constant %s%s is %d, declared: %v, want %d", prefix, tt.Name, got, ok, tt.Code)
			}
			resp := connectMQTT(t, tt.ProtocolVersion, refuseWith(upstream.NewMQTTConnectError(upstream.MQTTCode(tt.Code), "")))
			if got, want := resp.StatusCode, tt.Ours; got != want {
				t.Errorf("got status %d, want %d", got, want)
			}
			wantSameJSON(t, resp.Body, fmt.Appendf(nil, `{"mqtt":{"code":%d}}`, tt.Code))
		})
	}
	t.Run("unknown", func(t *testing.T) {
		sink := &logSink{}
		h := newHandler(t, &upstream.Options{Logger: sink.logger()})
		h.HandleConnect(refuseWith(upstream.NewMQTTConnectError(200, "")))
		resp := h.HandleHTTP(t.Context(), event(typeConnect), []byte(`{"mqtt":{"protocolVersion":5}}`))
		if got, want := resp.StatusCode, codes.UnknownCode.Ours; got != want {
			t.Errorf("got status %d, want %d", got, want)
		}
		if !strings.Contains(sink.String(), `"level":"WARN"`) {
			t.Errorf("got no warning that the code means nothing to the client: %s", sink)
		}
	})
}

func TestVectorsMQTTStatuses(t *testing.T) {
	for _, tt := range vectors.Load().MQTT.HTTPStatusToConnectCode.Cases {
		t.Run(fmt.Sprintf("%d-%d", tt.Status, tt.ProtocolVersion), func(t *testing.T) {
			resp := connectMQTT(t, tt.ProtocolVersion, refuseWith(upstream.NewError(tt.Status, "")))
			if got, want := resp.StatusCode, tt.Status; got != want {
				t.Errorf("got status %d, want %d", got, want)
			}
			wantSameJSON(t, resp.Body, fmt.Appendf(nil, `{"mqtt":{"code":%d}}`, tt.Ours))
			if got, want := resp.Header.Get("Content-Type"), "application/json"; got != want {
				t.Errorf("got content type %q, want %q", got, want)
			}
		})
	}
}

func TestVectorsMQTTBodies(t *testing.T) {
	handlers := map[string]upstream.ConnectFunc{
		"js-fail-400-v311":  refuseWith(upstream.NewError(http.StatusBadRequest, "")),
		"js-fail-401-v311":  refuseWith(upstream.NewError(http.StatusUnauthorized, "Auth failed")),
		"dotnet-error-v311": refuseWith(mqttRefusal(upstream.MQTT311BadUsernameOrPassword, "error message", "a", "b")),
		"dotnet-error-v5":   refuseWith(mqttRefusal(upstream.MQTT5BadUserNameOrPassword, "error message", "a", "b")),
		"doc-banned":        refuseWith(mqttRefusal(upstream.MQTT5Banned, "banned by server", "n", "v")),
		"dotnet-success": func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
			return &upstream.ConnectResponse{
				UserID:      "userId",
				Groups:      []string{"group1", "group2"},
				Roles:       []string{"webpubsub.joinLeaveGroup"},
				Subprotocol: "mqtt",
				MQTT:        &upstream.MQTTConnectResponse{UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "b"}}},
			}, nil
		},
	}
	for _, tt := range vectors.Load().MQTT.Bodies {
		t.Run(tt.ID, func(t *testing.T) {
			fn, ok := handlers[tt.ID]
			if !ok {
				t.Fatal("no handler gives this answer")
			}
			resp := connectMQTT(t, tt.ProtocolVersion, fn)
			if got, want := resp.StatusCode, tt.Status; got != want {
				t.Errorf("got status %d, want %d", got, want)
			}
			wantSameJSON(t, resp.Body, tt.Body)
		})
	}
}

func mqttRefusal(code upstream.MQTTCode, reason, name, value string) error {
	return &upstream.MQTTConnectError{
		Code: code, Reason: reason,
		UserProperties: []upstream.MQTTUserProperty{{Name: name, Value: value}},
	}
}

func TestVectorsMQTTDisconnectReasons(t *testing.T) {
	names := mqttConstants(t)
	for _, tt := range vectors.Load().MQTT.DisconnectReasonCodes {
		if got, ok := names[strings.ToLower("MQTT5"+tt.Name)]; !ok || got != tt.Code {
			t.Errorf("constant MQTT5%s is %d, declared: %v, want %d", tt.Name, got, ok, tt.Code)
		}
		h := newHandler(t, nil)
		var got *upstream.MQTTDisconnect
		h.HandleDisconnected(func(_ context.Context, e *upstream.DisconnectedEvent) error {
			got = e.MQTT
			return nil
		})
		body := fmt.Sprintf(`{"reason":null,"mqtt":{"initiatedByClient":true,"disconnectPacket":{"code":%d,"userProperties":null}}}`, tt.Code)
		resp := h.HandleHTTP(t.Context(), event(typeDisconnected, "ce-sessionId", "s1"), []byte(body))
		if resp.StatusCode != http.StatusNoContent || got == nil || got.Packet == nil || got.Packet.Code != upstream.MQTTCode(tt.Code) {
			t.Errorf("%s: got status %d and %+v, want 204 and code %d", tt.Name, resp.StatusCode, got, tt.Code)
		}
	}
}

// mqttConstants returns the constants of MQTTCode as they are declared, their
// names in lower case.
func mqttConstants(t *testing.T) map[string]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "mqtt.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "MQTTCode" {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Atoi(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			constants[strings.ToLower(spec.Names[0].Name)] = value
		}
		return true
	})
	return constants
}
