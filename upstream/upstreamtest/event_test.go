package upstreamtest_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var eightOClock = time.Date(2026, 9, 1, 10, 0, 0, 123, time.FixedZone("CEST", 2*60*60))

func state(t *testing.T, raw string) upstream.State {
	t.Helper()
	s, err := upstream.RawState(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewRequest(t *testing.T) {
	// Every event has these, with the known signature of conn1.
	common := map[string]string{
		"WebHook-Request-Origin": "localhost",
		"ce-specversion":         "1.0",
		"ce-awpsversion":         "1.0",
		"ce-time":                "2026-09-01T08:00:00Z",
		"ce-source":              "/hubs/chat/client/conn1",
		"ce-signature":           "sha256=8de7281e588e23b0a30a7180ffa240257b8176e983004c240c9f3f7a7233c993",
		"ce-connectionId":        "conn1",
		"ce-hub":                 "chat",
		"x-ms-client-request-id": "00000000-0000-4000-8000-000000000001",
	}
	mqtt := map[string]string{
		"ce-source":               "/hubs/chat/client/conn1/physical1",
		"ce-subprotocol":          "mqtt",
		"ce-physicalConnectionId": "physical1",
		"ce-sessionId":            "session1",
	}
	const jsonType = "application/json; charset=utf-8"
	tests := []struct {
		name  string
		event upstreamtest.Event
		mqtt  bool
		want  map[string]string // on top of the common ones
		body  string
	}{
		{
			name: "zero",
			want: map[string]string{
				"Content-Type": "text/plain; charset=utf-8",
				"ce-type":      "azure.webpubsub.user.message", "ce-eventName": "message", "ce-id": "1",
			},
		},
		{
			name: "user event",
			event: upstreamtest.Event{
				Type: upstreamtest.UserEventType("Room.Send"), UserID: "用户,a/b %20", ID: "7", RequestID: "r7",
				Subprotocol: "json.webpubsub.azure.v1", State: state(t, ""),
				Data: upstreamtest.Data{
					Bytes: []byte(`{"a":"<"}`), ContentType: "application/json",
					Metadata: map[string]string{"Trace": "t1"},
				},
				Cookies: []*http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}},
			},
			want: map[string]string{
				"Content-Type": "application/json", "x-webpubsub-metadata-trace": "t1", "Cookie": "a=1; b=2",
				"ce-type": "azure.webpubsub.user.Room.Send", "ce-eventName": "Room.Send", "ce-id": "7",
				"x-ms-client-request-id": "r7", "ce-userId": "用户,a/b %20",
				"ce-subprotocol": "json.webpubsub.azure.v1", "ce-connectionState": "",
			},
			body: `{"a":"<"}`,
		},
		{
			name:  "connect",
			event: upstreamtest.Event{Type: upstreamtest.TypeConnect},
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect", "ce-id": "0",
			},
			body: `{"claims":{},"query":{},"headers":{},"subprotocols":[],"clientCertificates":[]}`,
		},
		{
			name:  "connected",
			event: upstreamtest.Event{Type: upstreamtest.TypeConnected, State: state(t, "e30=")},
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.sys.connected", "ce-eventName": "connected", "ce-id": "1",
				"ce-connectionState": "e30=",
			},
			body: `{}`,
		},
		{
			name:  "disconnected",
			event: upstreamtest.Event{Type: upstreamtest.TypeDisconnected, Reason: "bye"},
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.sys.disconnected", "ce-eventName": "disconnected", "ce-id": "1",
			},
			body: `{"reason":"bye"}`,
		},
		{
			name:  "group left",
			event: upstreamtest.Event{Type: upstreamtest.TypeGroupLeft, Group: "room1"},
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.gp.left", "ce-eventName": "left", "ce-id": "1",
			},
			body: `{"group":"room1"}`,
		},
		{
			name: "MQTT connect",
			event: upstreamtest.Event{Type: upstreamtest.TypeConnect, Connect: &upstreamtest.ConnectData{MQTT: &upstream.MQTTConnect{
				ProtocolVersion: 5, CleanStart: true, Username: "u", Password: []byte("pass"),
				UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
			}}},
			mqtt: true,
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect", "ce-id": "0",
				"ce-sessionId": "absent",
			},
			body: `{"claims":{},"query":{},"headers":{},"subprotocols":["mqtt"],"clientCertificates":[],` +
				`"mqtt":{"protocolVersion":5,"cleanStart":true,"username":"u","password":"cGFzcw==",` +
				`"userProperties":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}}`,
		},
		{
			name: "MQTT message without a type",
			event: upstreamtest.Event{PhysicalConnectionID: "physical1", Data: upstreamtest.Data{
				Bytes: []byte("x"), UserProperties: []upstream.MQTTUserProperty{{Name: "Trace", Value: "t1"}},
			}},
			mqtt: true,
			want: map[string]string{
				"ce-type": "azure.webpubsub.user.message", "ce-eventName": "message", "ce-id": "1", "mqtt-trace": "t1",
			},
			body: "x",
		},
		{
			name:  "MQTT disconnected",
			event: upstreamtest.Event{Type: upstreamtest.TypeDisconnected, SessionID: "session1"},
			mqtt:  true,
			want: map[string]string{
				"Content-Type": jsonType, "ce-type": "azure.webpubsub.sys.disconnected", "ce-eventName": "disconnected", "ce-id": "1",
			},
			body: `{"reason":null,"mqtt":{"initiatedByClient":false,"disconnectPacket":null}}`,
		},
		{
			name:  "not Web PubSub's",
			event: upstreamtest.Event{Type: "com.example.created"},
			want:  map[string]string{"Content-Type": jsonType, "ce-type": "com.example.created", "ce-eventName": "created", "ce-id": "1"},
			body:  `{}`,
		},
		{
			name: "headers win",
			event: upstreamtest.Event{
				Keys: []string{"ABC", "DEF"}, Origins: []string{"a.example", "b.example"}, Hub: "Sales",
				Header: http.Header{"ce-time": nil, "Ce-ID": {"99"}, "Authorization": {"Bearer x"}, "ce-signature": {"sha256=00"}},
			},
			want: map[string]string{
				"WebHook-Request-Origin": "a.example, b.example", "ce-hub": "Sales", "ce-source": "/hubs/Sales/client/conn1",
				"Content-Type": "text/plain; charset=utf-8", "ce-time": "absent", "Authorization": "Bearer x", "ce-signature": "sha256=00",
				"ce-type": "azure.webpubsub.user.message", "ce-eventName": "message", "ce-id": "99",
			},
		},
		{
			name: "a body that is not JSON",
			event: upstreamtest.Event{
				Type: upstreamtest.TypeConnect, Data: upstreamtest.Data{Bytes: []byte("{"), ContentType: "text/x"},
			},
			want: map[string]string{
				"Content-Type": "text/x", "ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect", "ce-id": "0",
			},
			body: `{`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := http.Header{}
			layers := []map[string]string{common, tt.want}
			if tt.mqtt {
				layers = []map[string]string{common, mqtt, tt.want}
			}
			for _, layer := range layers {
				for k, v := range layer {
					if want.Set(k, v); v == "absent" {
						want.Del(k)
					}
				}
			}
			tt.event.Time = eightOClock
			req := upstreamtest.NewRequest(tt.event)
			if req.Method != http.MethodPost || req.URL.Path != "/eventhandler" {
				t.Errorf("got %s %s", req.Method, req.URL)
			}
			if got := req.Header; !reflect.DeepEqual(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			body, err := io.ReadAll(req.Body)
			if got := string(body); got != tt.body || err != nil || req.ContentLength != int64(len(body)) {
				t.Errorf("body is %s (length %d, %v), want %s", got, req.ContentLength, err, tt.body)
			}
		})
	}
}

// TestNewRequestParsed holds what goes into an Event against what an
// EventHandler makes of it.
func TestNewRequestParsed(t *testing.T) {
	connect := upstreamtest.ConnectData{
		Claims:             map[string][]string{"sub": {"alice"}},
		Query:              url.Values{"tag": {"a", "b"}},
		Headers:            http.Header{"User-Agent": {"demo"}},
		Subprotocols:       []string{"json.webpubsub.azure.v1", "x"},
		ClientCertificates: []upstream.ClientCertificate{{Thumbprint: "00ff", Content: "-----BEGIN CERTIFICATE-----\r\n"}},
		MQTT:               &upstream.MQTTConnect{ProtocolVersion: 4, Username: "u", Password: []byte{0, 1}},
	}
	end := upstream.MQTTDisconnect{InitiatedByClient: true, Packet: &upstream.MQTTDisconnectPacket{
		Code: upstream.MQTT5ServerBusy, UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "b"}},
	}}
	parse := func(ev upstreamtest.Event) upstream.Request {
		t.Helper()
		req := upstreamtest.NewRequest(ev)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := newEventHandler(t, nil).Parse(t.Context(), req.Header, body)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}

	c := parse(upstreamtest.Event{Type: upstreamtest.TypeConnect, Connect: &connect}).(*upstream.ConnectRequest)
	if got := (upstreamtest.ConnectData{
		Claims: c.Claims, Query: c.Query, Headers: c.Headers, Subprotocols: c.Subprotocols,
		ClientCertificates: c.ClientCertificates, MQTT: c.MQTT,
	}); !reflect.DeepEqual(got, connect) {
		t.Errorf("connect: got %+v, want %+v", got, connect)
	}
	d := parse(upstreamtest.Event{Type: upstreamtest.TypeDisconnected, Reason: "busy", MQTT: &end}).(*upstream.DisconnectedEvent)
	if d.Reason != "busy" || !reflect.DeepEqual(*d.MQTT, end) {
		t.Errorf("disconnected: got %q %+v, want %q %+v", d.Reason, d.MQTT, "busy", end)
	}
	g := parse(upstreamtest.Event{Type: upstreamtest.TypeGroupJoined, Group: "g"}).(*upstream.GroupJoinedEvent)
	if g.Group != "g" {
		t.Errorf("joined: got %q, want %q", g.Group, "g")
	}
}

func TestPanics(t *testing.T) {
	newRequest := func(ev upstreamtest.Event) func() { return func() { upstreamtest.NewRequest(ev) } }
	tests := []struct {
		name string
		do   func()
		want string
	}{
		{"event name", newRequest(upstreamtest.Event{Type: upstreamtest.UserEventType("größe")}), "cannot send ce-eventName"},
		{"connection id", newRequest(upstreamtest.Event{ConnectionID: "a\nb"}), "visible ASCII"},
		{"user id", newRequest(upstreamtest.Event{UserID: "a\r\nce-hub: b"}), "user id"},
		{"metadata key", newRequest(upstreamtest.Event{Data: upstreamtest.Data{Metadata: map[string]string{"a b": "c"}}}), "a b"},
		{"metadata value", newRequest(upstreamtest.Event{Data: upstreamtest.Data{Metadata: map[string]string{"a": "ä"}}}), "metadata-a"},
		{"URL", func() { upstreamtest.To("http://%", upstreamtest.NewHandshake()) }, "invalid URL"},
		{"JSON", func() { upstreamtest.JSON(t.Fatal) }, "JSON of func"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, "upstreamtest: ") || !strings.Contains(got, tt.want) {
					t.Errorf("panicked with %q, want %q in it", got, tt.want)
				}
			}()
			tt.do()
		})
	}
}

func TestTo(t *testing.T) {
	for target, host := range map[string]string{"/a/b?c=d": "localhost", "https://h.example:8443/a": "h.example:8443"} {
		req := upstreamtest.To(target, upstreamtest.NewRequest(upstreamtest.Event{}))
		if req.URL.String() != target || req.Host != host {
			t.Errorf("To(%q): got %q at %q, want it at %q", target, req.URL, req.Host, host)
		}
	}
}

// TestOverTheNetwork sends the same requests through a real client and a real
// server: what arrives must be what a handler gets in process.
func TestOverTheNetwork(t *testing.T) {
	type arrival struct {
		Method, Path, Body string
		Length             int64
		Header             http.Header
	}
	var last arrival
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		last = arrival{r.Method, r.URL.Path, string(body), r.ContentLength, maps.Clone(r.Header)}
		for _, k := range []string{"User-Agent", "Accept-Encoding", "Content-Length"} {
			delete(last.Header, k) // of the client
		}
	})
	server := httptest.NewServer(h)
	defer server.Close()

	event := func(ev upstreamtest.Event, faults ...upstreamtest.Fault) func() *http.Request {
		ev.Time = eightOClock
		return func() *http.Request { return upstreamtest.NewRequest(ev, faults...) }
	}
	tests := map[string]func() *http.Request{
		"handshake": func() *http.Request { return upstreamtest.NewHandshake("a.example", "b.example") },
		"empty":     event(upstreamtest.Event{State: state(t, "")}),
		"text":      event(upstreamtest.Event{UserID: "用户,a/b %20", Data: upstreamtest.Text("hi")}),
		"connect":   event(upstreamtest.Event{Type: upstreamtest.TypeConnect}),
		"chunked":   event(upstreamtest.Event{Data: upstreamtest.Text("hi")}, upstreamtest.ChunkedBody),
		"oversize":  event(upstreamtest.Event{Data: upstreamtest.Text("hi")}, upstreamtest.Oversize(5000)),
	}
	for name, newRequest := range tests {
		t.Run(name, func(t *testing.T) {
			h.ServeHTTP(httptest.NewRecorder(), upstreamtest.To("/events/x", newRequest()))
			want := last
			resp, err := server.Client().Do(upstreamtest.To(server.URL+"/events/x", newRequest()))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := last; !reflect.DeepEqual(got, want) {
				t.Errorf("over the network %+v\nin process       %+v", got, want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	hello := upstreamtest.Event{Data: upstreamtest.Text("hello")}
	connect := upstreamtest.Event{Type: upstreamtest.TypeConnect}
	tests := []struct {
		name   string
		event  upstreamtest.Event
		faults []upstreamtest.Fault
		status int
		body   string
	}{
		{"none", hello, nil, 200, "hello"},
		{"BadSignature", hello, []upstreamtest.Fault{upstreamtest.BadSignature}, 401, ""},
		{"NoSignature", hello, []upstreamtest.Fault{upstreamtest.NoSignature}, 401, ""},
		{"ForeignOrigin", hello, []upstreamtest.Fault{upstreamtest.ForeignOrigin}, 403, ""},
		{"ce-type", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("ce-type")}, 400, ""},
		{"ce-hub", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("ce-hub")}, 400, ""},
		{"ce-connectionId", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("ce-connectionId")}, 400, ""},
		{"origin", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("WebHook-Request-Origin")}, 400, ""},
		{"ce-signature", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("ce-signature")}, 401, ""},
		{"ce-id", hello, []upstreamtest.Fault{upstreamtest.MissingHeader("ce-id")}, 200, "hello"},
		{"at the limit", hello, []upstreamtest.Fault{upstreamtest.Oversize(100)}, 200, "hello" + strings.Repeat(" ", 95)},
		{"Oversize", hello, []upstreamtest.Fault{upstreamtest.Oversize(101)}, 413, ""},
		{"Oversize JSON", connect, []upstreamtest.Fault{upstreamtest.Oversize(100)}, 204, ""},
		{"Oversize less than the body", hello, []upstreamtest.Fault{upstreamtest.Oversize(1)}, 200, "hello"},
		{"ChunkedBody", hello, []upstreamtest.Fault{upstreamtest.ChunkedBody}, 200, "hello"},
		{"ChunkedBody, empty", upstreamtest.Event{}, []upstreamtest.Fault{upstreamtest.ChunkedBody}, 204, ""},
		{"chunked and oversize", hello, []upstreamtest.Fault{upstreamtest.Oversize(101), upstreamtest.ChunkedBody}, 413, ""},
		{"TruncatedBody", hello, []upstreamtest.Fault{upstreamtest.TruncatedBody}, 400, ""},
		{"TruncatedBody, empty", upstreamtest.Event{}, []upstreamtest.Fault{upstreamtest.TruncatedBody}, 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newEchoHandler(t, &upstream.Options{MaxBodyBytes: 100})
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, upstreamtest.NewRequest(tt.event, tt.faults...))
			if got := rec.Body.String(); rec.Code != tt.status || got != tt.body {
				t.Errorf("got %d %q, want %d %q", rec.Code, got, tt.status, tt.body)
			}
		})
	}
}
