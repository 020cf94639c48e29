package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// mqttEvent returns the headers of an MQTT client's event, with both signs.
func mqttEvent(ceType string, pairs ...string) http.Header {
	return event(ceType, append([]string{
		"ce-connectionId", "client1", "ce-subprotocol", "mqtt", "ce-physicalConnectionId", "p1",
		"ce-source", "/hubs/chat/client/client1/p1",
	}, pairs...)...)
}

func mqttConnectBody(version int) string {
	return fmt.Sprintf(`{"claims":{},"query":{},"headers":{},"subprotocols":["mqtt"],"mqtt":{"protocolVersion":%d,"cleanStart":true,`+
		`"username":"u","password":"cGFzcw==","userProperties":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}}`, version)
}

func TestMQTTConnect(t *testing.T) {
	got, err := parseConnect(t, mqttEvent(typeConnect), mqttConnectBody(5))
	if err != nil {
		t.Fatal(err)
	}
	want := &upstream.MQTTConnect{
		ProtocolVersion: 5, CleanStart: true, Username: "u", Password: []byte("pass"),
		UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
	}
	if !reflect.DeepEqual(got.MQTT, want) || got.PhysicalConnectionID != "p1" || got.ConnectionID != "client1" {
		t.Errorf("got %+v of %s, want %+v", got.MQTT, got.PhysicalConnectionID, want)
	}
	got, err = parseConnect(t, mqttEvent(typeConnect), `{"mqtt":{"protocolVersion":4,"username":null,"password":null,"userProperties":null,"x":1}}`)
	if err != nil || !reflect.DeepEqual(got.MQTT, &upstream.MQTTConnect{ProtocolVersion: upstream.MQTTVersion311}) {
		t.Errorf("nulls: got %+v, %v", got, err)
	}
}

func TestMQTTIsRecognised(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		body   string
		want   bool
	}{
		{"none", event(typeConnect), "{}", false},
		{"physical id", event(typeConnect, "ce-physicalConnectionId", "p1"), "{}", true},
		{"subprotocol", event(typeConnect, "ce-subprotocol", "MQTT"), "{}", true},
		{"body", event(typeConnect), `{"mqtt":{}}`, true},
		{"null in the body", event(typeConnect), `{"mqtt":null}`, false},
		{"another subprotocol", event(typeConnect, "ce-subprotocol", "mqttish"), "{}", false},
		{"offered only", event(typeConnect), `{"subprotocols":["mqtt"]}`, false},
	} {
		req, err := parseConnect(t, tt.header, tt.body)
		if err != nil || req.IsMQTT() != tt.want {
			t.Errorf("%s: got %v, %v, want %v", tt.name, req.IsMQTT(), err, tt.want)
		}
		// The answer to a refusal shows what the library takes the client for.
		w := post(answerConnect(t, nil, nil, upstream.NewError(401, "no")), tt.header, tt.body)
		if got := strings.HasPrefix(w.Body.String(), `{"mqtt":{"code":`); got != tt.want {
			t.Errorf("%s: refused with %s", tt.name, w.Body)
		}
	}
}

func TestMQTTConnectAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		resp *upstream.ConnectResponse
		code int
		want string
	}{
		{"nil", nil, 204, ""},
		{"subprotocol", &upstream.ConnectResponse{Subprotocol: "mqtt"}, 200, `{"subprotocol":"mqtt"}`},
		{"subprotocol of another kind", &upstream.ConnectResponse{Subprotocol: "json.webpubsub.azure.v1"}, 500, `{"mqtt":{"code":128}}`},
		{"all", &upstream.ConnectResponse{
			UserID: "u", Groups: []string{"a/+"}, Roles: []string{},
			MQTT: &upstream.MQTTConnectResponse{UserProperties: []upstream.MQTTUserProperty{{Name: "s", Value: "ok"}, {Name: "s", Value: "ü"}}},
		}, 200, `{"userId":"u","groups":["a/+"],"roles":[],"mqtt":{"userProperties":[{"name":"s","value":"ok"},{"name":"s","value":"ü"}]}}`},
	} {
		w := post(answerConnect(t, nil, tt.resp, nil), mqttEvent(typeConnect), mqttConnectBody(5))
		if w.Code != tt.code || w.Body.String() != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, w.Code, w.Body, tt.code, tt.want)
		}
	}
}

func TestMQTTConnectRefusals(t *testing.T) {
	const v311, v5, unknown = 4, 5, 3
	plain := func(status int) error { return upstream.NewError(status, "why") }
	typed := func(code upstream.MQTTCode) error { return upstream.NewMQTTConnectError(code, "why") }
	foreign := errors.New("secret detail")
	for _, tt := range []struct {
		err     error
		version int
		status  int
		code    int
	}{
		{plain(400), v311, 400, 4},
		{plain(400), v5, 400, 134},
		{plain(400), unknown, 400, 1},
		{plain(401), v311, 401, 5},
		{plain(401), v5, 401, 135},
		{plain(401), unknown, 401, 1},
		{plain(403), v311, 403, 5},
		{plain(403), v5, 403, 135},
		{plain(404), v311, 404, 5},
		{plain(404), v5, 404, 135},
		{plain(429), v311, 429, 3},
		{plain(429), v5, 429, 159},
		{plain(500), v311, 500, 3},
		{plain(500), v5, 500, 128},
		{plain(500), unknown, 500, 1},
		{plain(503), v311, 503, 3},
		{plain(503), v5, 503, 136},
		{typed(upstream.MQTT311UnacceptableProtocolVersion), v311, 400, 1},
		{typed(upstream.MQTT311IdentifierRejected), v311, 400, 2},
		{typed(upstream.MQTT311ServerUnavailable), v311, 403, 3},
		{typed(upstream.MQTT311BadUsernameOrPassword), v311, 401, 4},
		{typed(upstream.MQTT311NotAuthorized), v311, 401, 5},
		{typed(upstream.MQTT5UnspecifiedError), v5, 403, 128},
		{typed(upstream.MQTT5ProtocolError), v5, 400, 130},
		{typed(upstream.MQTT5Banned), v5, 403, 138},
		{typed(upstream.MQTT5QuotaExceeded), v5, 429, 151},
		{typed(upstream.MQTT5ConnectionRateExceeded), v5, 429, 159},
		{typed(200), v5, 403, 200}, // unknown
		{typed(upstream.MQTT5NotAuthorized), v311, 401, 5},
		{typed(upstream.MQTT5ServerBusy), v311, 403, 3},
		{typed(upstream.MQTT5Banned), v311, 403, 5},
		{typed(upstream.MQTT5ProtocolError), v311, 400, 4},
		{typed(upstream.MQTT311NotAuthorized), v5, 401, 135},
		{typed(upstream.MQTT311ServerUnavailable), v5, 403, 136},
		{typed(upstream.MQTT5Banned), unknown, 403, 1},
		{fmt.Errorf("secret detail: %w", typed(upstream.MQTT5Banned)), v5, 403, 138},
		{foreign, v311, 500, 3},
		{foreign, v5, 500, 128},
		{foreign, unknown, 500, 1},
	} {
		w := post(answerConnect(t, nil, nil, tt.err), mqttEvent(typeConnect), mqttConnectBody(tt.version))
		want := fmt.Sprintf(`{"mqtt":{"code":%d,"reason":"why"}}`, tt.code)
		if tt.err == foreign {
			want = fmt.Sprintf(`{"mqtt":{"code":%d}}`, tt.code)
		}
		if w.Code != tt.status || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v, version %d: got %d %s, want %d %s", tt.err, tt.version, w.Code, w.Body, tt.status, want)
		}
	}
}

func TestMQTTConnectRefusalsOfOtherKinds(t *testing.T) {
	properties := &upstream.MQTTConnectError{
		Code: upstream.MQTT5Banned, Reason: "<b>",
		UserProperties: []upstream.MQTTUserProperty{{Name: "n", Value: "1"}, {Name: "n", Value: "2"}},
	}
	w := post(answerConnect(t, nil, nil, properties), mqttEvent(typeConnect), mqttConnectBody(5))
	if got, want := w.Body.String(), `{"mqtt":{"code":138,"reason":"<b>","userProperties":[{"name":"n","value":"1"},{"name":"n","value":"2"}]}}`; got != want {
		t.Errorf("user properties: got %s, want %s", got, want)
	}
	h := newHandler(t, nil)
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { panic("secret") })
	if w := post(h, mqttEvent(typeConnect), mqttConnectBody(4)); w.Code != 500 || w.Body.String() != `{"mqtt":{"code":3}}` {
		t.Errorf("panic: got %d %s", w.Code, w.Body)
	}
	opts := &upstream.Options{HandleError: func(context.Context, error) int { return 429 }}
	w = post(answerConnect(t, opts, nil, errors.New("x")), mqttEvent(typeConnect), mqttConnectBody(5))
	if w.Code != 429 || w.Body.String() != `{"mqtt":{"code":159}}` {
		t.Errorf("HandleError: got %d %s, want the code of the status chosen", w.Code, w.Body)
	}
	for name, header := range map[string]http.Header{
		"bad signature": mqttEvent(typeConnect, "ce-signature", "sha256=00"),
		"no hub":        mqttEvent(typeConnect, "ce-hub", ""),
	} {
		if w := post(h, header, mqttConnectBody(5)); w.Body.Len() > 0 || w.Code/100 != 4 {
			t.Errorf("%s: got %d %s, want no body", name, w.Code, w.Body)
		}
	}
	w = post(answerMessage(t, nil, nil, upstream.NewMQTTConnectError(138, "no")), mqttEvent(typeMessage), "x")
	if w.Code != 403 || w.Body.String() != "no" {
		t.Errorf("MQTTConnectError of a user event: got %d %s, want 403 no", w.Code, w.Body)
	}
}

// TestUnknownMQTTCodeIsWarnedOf: the client would see an unspecified error.
func TestUnknownMQTTCodeIsWarnedOf(t *testing.T) {
	for code, warns := range map[upstream.MQTTCode]bool{200: true, 0: true, upstream.MQTT5ProtocolError: false, upstream.MQTT311NotAuthorized: false} {
		var sink logSink
		h := answerConnect(t, &upstream.Options{Logger: sink.logger()}, nil, upstream.NewMQTTConnectError(code, "no"))
		if w := post(h, mqttEvent(typeConnect), mqttConnectBody(5)); w.Code/100 != 4 {
			t.Errorf("code %d: got %d, want 4xx", code, w.Code)
		}
		got := slices.ContainsFunc(sink.lines(t), func(l map[string]any) bool { return l["level"] == "WARN" })
		if got != warns {
			t.Errorf("code %d: warned %v, want %v:\n%s", code, got, warns, sink.String())
		}
	}
}

func TestMQTTDisconnected(t *testing.T) {
	for body, want := range map[string]*upstream.MQTTDisconnect{
		`{"reason":null}`:             nil,
		`{"reason":null,"mqtt":null}`: nil,
		`{"mqtt":{}}`:                 {},
		`{"mqtt":{"initiatedByClient":false,"disconnectPacket":null}}`: {},
		`{"mqtt":{"initiatedByClient":true,"disconnectPacket":{"code":0,"userProperties":null}}}`: {
			InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{Code: upstream.MQTT5NormalDisconnection},
		},
		`{"mqtt":{"disconnectPacket":{"code":142,"userProperties":[{"name":"b","value":"1"},{"name":"a","value":"2"}]},"x":1}}`: {
			Packet: &upstream.MQTTDisconnectPacket{
				Code: upstream.MQTT5SessionTakenOver, UserProperties: []upstream.MQTTUserProperty{{Name: "b", Value: "1"}, {Name: "a", Value: "2"}},
			},
		},
	} {
		req, err := newHandler(t, nil).Parse(t.Context(), mqttEvent(typeDisconnected, "ce-sessionId", "s1"), []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		got := req.(*upstream.DisconnectedEvent)
		if !reflect.DeepEqual(got.MQTT, want) || got.SessionID != "s1" || got.Reason != "" {
			t.Errorf("%s: got %+v, want %+v", body, got.MQTT, want)
		}
	}
}

func TestMQTTUserEvents(t *testing.T) {
	header := mqttEvent(typeMessage, "mqtt-B", "1", "mqtt-a", "x", "Content-Type", "image/png")
	header.Add("mqtt-b", "2")
	h := newHandler(t, nil)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		want := []upstream.MQTTUserProperty{{Name: "a", Value: "x"}, {Name: "b", Value: "1"}, {Name: "b", Value: "2"}}
		if !slices.Equal(req.UserProperties, want) || req.DataType != upstream.DataTypeOther {
			t.Errorf("got %v, %s, want %v, other", req.UserProperties, req.DataType, want)
		}
		return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType, UserProperties: req.UserProperties}, nil
	})
	w := post(h, header, "\x89PNG")
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/png" || w.Body.String() != "\x89PNG" {
		t.Errorf("got %d %v %q", w.Code, w.Header(), w.Body)
	}
	if got, want := w.Header().Values("mqtt-b"), []string{"1", "2"}; !slices.Equal(got, want) || w.Header().Get("mqtt-a") != "x" {
		t.Errorf("properties of the answer: got %v", w.Header())
	}

	req, err := h.Parse(t.Context(), event(typeMessage, "mqtt-a", "1"), nil)
	if err != nil || req.(*upstream.UserEventRequest).UserProperties != nil {
		t.Errorf("mqtt-* of another client: got %v, %v", req, err)
	}
	answer := &upstream.UserEventResponse{Data: []byte("x"), ContentType: "text/plain", UserProperties: []upstream.MQTTUserProperty{{Name: "bad name"}}}
	if w := post(answerMessage(t, nil, answer, nil), event(typeMessage), ""); w.Code != 200 || len(w.Header()) != 1 {
		t.Errorf("properties for another client: got %d %v, want them ignored", w.Code, w.Header())
	}
	for name, answer := range map[string]*upstream.UserEventResponse{
		"property name":    {UserProperties: []upstream.MQTTUserProperty{{Name: "a b"}}},
		"no property name": {UserProperties: []upstream.MQTTUserProperty{{Value: "a"}}},
		"property value":   {UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "1\r\n2"}}},
		"media type":       {Data: []byte("x"), ContentType: "no media type"},
		"header injection": {Data: []byte("x"), ContentType: "image/png\r\nx: y"},
	} {
		if w := post(answerMessage(t, nil, answer, nil), mqttEvent(typeMessage), ""); w.Code != 500 || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %q, want an empty 500", name, w.Code, w.Body)
		}
	}
}
