package deliver_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// sentHeader returns the header of the one request that an event makes, apart
// from the request id.
func sentHeader(t *testing.T, options deliver.Options, e *deliver.Event) http.Header {
	t.Helper()
	var b backend
	if _, err := newSender(t, options).Send(t.Context(), compile(t, everything(&b)), e); err != nil {
		t.Fatalf("Send: %v", err)
	}
	got := b.got()
	if len(got) != 1 {
		t.Fatalf("the handler got %d events, want 1", len(got))
	}
	h := got[0].Header
	if id := h.Get("x-ms-client-request-id"); !guid.MatchString(id) {
		t.Errorf("x-ms-client-request-id is %q, want a GUID", id)
	}
	h.Del("x-ms-client-request-id")
	return h
}

func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is midnight, 2000-01-01
		time.Sleep(1500 * time.Millisecond)
		c := newConnection()
		c.UserID = "用户,a/b %20"
		c.Subprotocol = wire.SubprotocolJSON
		e := c.NewEvent(wire.KindUser, "Room.Vote")
		e.ContentType, e.Body = wire.MediaJSON, []byte(`{}`)
		e.Metadata = map[string]string{"Trace-Id": " 1,2 ", "empty": ""}
		e.UserProperties = []wire.UserProperty{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}
		time.Sleep(time.Hour)
		got := sentHeader(t, deliver.Options{Origin: "LOCALHOST:8080", Keys: []string{primaryKey, "", secondaryKey}}, e)
		want := http.Header{
			"Webhook-Request-Origin":        {"localhost"},
			"Ce-Specversion":                {"1.0"},
			"Ce-Awpsversion":                {"1.0"},
			"Ce-Type":                       {"azure.webpubsub.user.Room.Vote"},
			"Ce-Eventname":                  {"Room.Vote"},
			"Ce-Source":                     {"/hubs/chat/client/conn1"},
			"Ce-Id":                         {"1"},
			"Ce-Time":                       {"2000-01-01T00:00:01Z"},
			"Ce-Signature":                  {wire.Sign("conn1", primaryKey) + "," + wire.Sign("conn1", secondaryKey)},
			"Ce-Connectionid":               {"conn1"},
			"Ce-Hub":                        {"chat"},
			"Ce-Userid":                     {"用户,a/b %20"},
			"Ce-Subprotocol":                {"json.webpubsub.azure.v1"},
			"Content-Type":                  {"application/json"},
			"Content-Length":                {"2"},
			"X-Webpubsub-Metadata-Trace-Id": {"1,2"},
			"X-Webpubsub-Metadata-Empty":    {""},
			"Mqtt-A":                        {"1", "2"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
}

func TestHeadersThatMayBeAbsent(t *testing.T) {
	mqtt := &deliver.Connection{ID: "c", Hub: "h", Subprotocol: "mqtt", PhysicalID: "p", SessionID: "s"}
	json := &deliver.Connection{ID: "c", Hub: "h", Subprotocol: wire.SubprotocolJSON}
	keys := []string{primaryKey}
	for _, tt := range []struct {
		name   string
		keys   []string
		event  *deliver.Event
		header string
		want   []string
	}{
		{"no user", keys, json.NewEvent(wire.KindConnected, ""), "Ce-Userid", nil},
		{"no state", keys, json.NewEvent(wire.KindConnected, ""), "Ce-Connectionstate", nil},
		{"no key", nil, json.NewEvent(wire.KindConnected, ""), "Ce-Signature", nil},
		{"empty key", []string{""}, json.NewEvent(wire.KindConnected, ""), "Ce-Signature", nil},
		{"subprotocol of connect", keys, json.NewEvent(wire.KindConnect, ""), "Ce-Subprotocol", nil},
		{"subprotocol", keys, json.NewEvent(wire.KindConnected, ""), "Ce-Subprotocol", []string{wire.SubprotocolJSON}},
		{"subprotocol of MQTT connect", keys, mqtt.NewEvent(wire.KindConnect, ""), "Ce-Subprotocol", []string{"mqtt"}},
		{"session of MQTT connect", keys, mqtt.NewEvent(wire.KindConnect, ""), "Ce-Sessionid", nil},
		{"session", keys, mqtt.NewEvent(wire.KindConnected, ""), "Ce-Sessionid", []string{"s"}},
		{"physical id of MQTT connect", keys, mqtt.NewEvent(wire.KindConnect, ""), "Ce-Physicalconnectionid", []string{"p"}},
		{"source of MQTT", keys, mqtt.NewEvent(wire.KindConnect, ""), "Ce-Source", []string{"/hubs/h/client/c/p"}},
		{"no physical id", keys, json.NewEvent(wire.KindConnected, ""), "Ce-Physicalconnectionid", nil},
		{"content type of a system event", keys, json.NewEvent(wire.KindConnected, ""), "Content-Type", []string{"application/json; charset=utf-8"}},
		{"content type of MQTT data without", keys, mqtt.NewEvent(wire.KindUser, "e"), "Content-Type", nil},
		{"user agent", keys, json.NewEvent(wire.KindConnected, ""), "User-Agent", nil},
		{"length of no data", keys, json.NewEvent(wire.KindUser, "e"), "Content-Length", []string{"0"}},
	} {
		if got := sentHeader(t, deliver.Options{Keys: tt.keys}, tt.event)[tt.header]; !slices.Equal(got, tt.want) {
			t.Errorf("%s: %s is %q, want %q", tt.name, tt.header, got, tt.want)
		}
	}
}

func TestDefaultBodies(t *testing.T) {
	c := newConnection()
	joined := c.NewEvent(wire.KindGroupJoined, "")
	joined.Group = "a&b"
	for _, tt := range []struct {
		event *deliver.Event
		want  string
	}{
		{c.NewEvent(wire.KindConnect, ""), `{}`},
		{c.NewEvent(wire.KindConnected, ""), `{}`},
		{c.NewEvent(wire.KindDisconnected, ""), `{"reason":null}`},
		{joined, `{"group":"a&b"}`},
		{c.NewEvent(wire.KindUser, "e"), ``},
	} {
		var b backend
		if _, err := newSender(t, deliver.Options{}).Send(t.Context(), compile(t, everything(&b)), tt.event); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if got := b.got()[0].body; got != tt.want {
			t.Errorf("body of %v is %q, want %q", tt.event.Kind, got, tt.want)
		}
	}
}

func TestUnsendable(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*deliver.Connection, *deliver.Event)
		header string
	}{
		{"event name", func(_ *deliver.Connection, e *deliver.Event) { e.Name = "é" }, "ce-"},
		{"event name with a line break", func(_ *deliver.Connection, e *deliver.Event) { e.Name = "a\r\nX: y" }, "ce-"},
		{"connection id", func(c *deliver.Connection, _ *deliver.Event) { c.ID = "ü" }, "ce-"},
		{"content type", func(_ *deliver.Connection, e *deliver.Event) { e.ContentType = "text/ü" }, "Content-Type"},
		{"metadata value", func(_ *deliver.Connection, e *deliver.Event) { e.Metadata = map[string]string{"k": "ü"} }, "x-webpubsub-metadata-k"},
		{"metadata key", func(_ *deliver.Connection, e *deliver.Event) { e.Metadata = map[string]string{"k k": "v"} }, `"X-Webpubsub-Metadata-k k"`},
		{"property", func(_ *deliver.Connection, e *deliver.Event) {
			e.UserProperties = []wire.UserProperty{{Name: "n", Value: "a\x00"}}
		}, "mqtt-n"},
		{"user", func(c *deliver.Connection, _ *deliver.Event) { c.UserID = "a\nb" }, "ce-userId"},
		{"delete in user", func(c *deliver.Connection, _ *deliver.Event) { c.UserID = "a\x7f" }, "ce-userId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b backend
			c := newConnection()
			e := message(c, "x")
			tt.change(c, e)
			s := newSender(t, deliver.Options{})
			_, err := s.Send(t.Context(), compile(t, everything(&b)), e)
			unsendable := asError[*deliver.UnsendableError](t, err)
			if !strings.HasPrefix(unsendable.Header, tt.header) {
				t.Errorf("got %v, want a fault of %s", unsendable, tt.header)
			}
			if got := len(b.got()) + len(b.handshakes); got != 0 {
				t.Errorf("the handler got %d requests, want none", got)
			}
			if got := s.reported(false); len(got) != 1 || got[0].Err != err {
				t.Errorf("reports %+v, want one of the failure", got)
			}
		})
	}
}

func TestEventNumbers(t *testing.T) {
	c := newConnection()
	for i, e := range []*deliver.Event{
		c.NewEvent(wire.KindConnect, ""), c.NewEvent(wire.KindConnected, ""), message(c, ""), c.NewEvent(wire.KindDisconnected, ""),
	} {
		if got, want := sentHeader(t, deliver.Options{}, e).Get("ce-id"), fmt.Sprint(i); got != want {
			t.Errorf("ce-id of %v is %q, want %q", e.Kind, got, want)
		}
	}
	if got, want := sentHeader(t, deliver.Options{}, message(newConnection(), "")).Get("ce-id"), "1"; got != want {
		t.Errorf("ce-id of the first event after a connect that was not sent is %q, want %q", got, want)
	}
}

func TestSignatureVectors(t *testing.T) {
	compared := 0
	for _, v := range vectors.Load().Signatures.Cases {
		if !v.Valid || len(v.Header) != 1 || strings.ContainsAny(v.Header[0], ", ") || len(v.Keys) != 1 || v.Header[0] != strings.ToLower(v.Header[0]) {
			continue // what a receiver must tolerate, and no sender writes
		}
		c := &deliver.Connection{ID: v.ConnectionID, Hub: "chat"}
		var b backend
		_, err := newSender(t, deliver.Options{Keys: v.Keys}).Send(t.Context(), compile(t, everything(&b)), message(c, ""))
		if _, unsendable := errors.AsType[*deliver.UnsendableError](err); unsendable {
			continue // a connection id outside of ASCII
		}
		if got := b.got()[0].Header["Ce-Signature"]; !slices.Equal(got, v.Header) {
			t.Errorf("%s: signature %q, want %q", v.ID, got, v.Header)
		}
		compared++
	}
	if compared < 5 {
		t.Errorf("%d signatures compared, want 5 or more", compared)
	}
}

func TestContentTypeVectors(t *testing.T) {
	for _, v := range vectors.Load().MediaTypes.ServiceRequest.Cases {
		e := newConnection().NewEvent(wire.KindUser, "message")
		e.ContentType = v.ContentType
		if got := sentHeader(t, deliver.Options{}, e)["Content-Type"]; !slices.Equal(got, []string{v.ContentType}) {
			t.Errorf("content type %q, want %q", got, v.ContentType)
		}
	}
}

// TestSameAsTestKit sends what upstreamtest sends and compares the requests.
func TestSameAsTestKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		json := &deliver.Connection{ID: "c1", Hub: "chat", UserID: "ü,1", Subprotocol: wire.SubprotocolJSON}
		mqtt := &deliver.Connection{ID: "c2", Hub: "chat", Subprotocol: "mqtt", PhysicalID: "p", SessionID: "s"}
		kit := func(c *deliver.Connection, ev upstreamtest.Event) *http.Request {
			ev.ConnectionID, ev.UserID, ev.Subprotocol = c.ID, c.UserID, c.Subprotocol
			ev.PhysicalConnectionID, ev.SessionID = c.PhysicalID, c.SessionID
			ev.Keys = []string{primaryKey, secondaryKey}
			return upstreamtest.NewRequest(ev)
		}
		user := json.NewEvent(wire.KindUser, "vote")
		user.ContentType, user.Body, user.Metadata = wire.MediaJSON, []byte(`1`), map[string]string{"k": "v"}
		published := mqtt.NewEvent(wire.KindUser, "vote")
		published.Body, published.UserProperties = []byte("x"), []wire.UserProperty{{Name: "n", Value: "v"}}
		joined := json.NewEvent(wire.KindGroupJoined, "")
		joined.Group = "g"
		for _, tt := range []struct {
			event *deliver.Event
			want  *http.Request
		}{
			{user, kit(json, upstreamtest.Event{
				Type: upstreamtest.UserEventType("vote"), ID: "1",
				Data: upstreamtest.Data{Bytes: []byte(`1`), ContentType: wire.MediaJSON, Metadata: map[string]string{"k": "v"}},
			})},
			{published, kit(mqtt, upstreamtest.Event{
				Type: upstreamtest.UserEventType("vote"), ID: "1",
				Data: upstreamtest.Data{Bytes: []byte(`x`), UserProperties: []upstream.MQTTUserProperty{{Name: "n", Value: "v"}}},
			})},
			{joined, kit(json, upstreamtest.Event{Type: upstreamtest.TypeGroupJoined, ID: "2", Group: "g"})},
			{json.NewEvent(wire.KindConnected, ""), kit(json, upstreamtest.Event{Type: upstreamtest.TypeConnected, ID: "3"})},
			{json.NewEvent(wire.KindDisconnected, ""), kit(json, upstreamtest.Event{Type: upstreamtest.TypeDisconnected, ID: "4"})},
		} {
			got := sentHeader(t, deliver.Options{Keys: []string{primaryKey, secondaryKey}}, tt.event)
			got.Del("Content-Length") // which the kit leaves to net/http
			want := tt.want.Header
			want.Del("x-ms-client-request-id")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (-test kit +sent):\n%s", tt.event.Kind, diff)
			}
		}
	})
}
