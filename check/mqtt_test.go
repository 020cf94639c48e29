package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var (
	mqttRules = []string{
		"mqtt/connect", "mqtt/subprotocol", "mqtt/user-properties", "mqtt/refusal", "mqtt/refusal-type", "mqtt/refusal-status",
		"mqtt/client-id", "mqtt/reconnect", "mqtt/event", "mqtt/content-types", "mqtt/untyped", "mqtt/notifications",
	}
	// The rules that rest on an MQTT client that is let in.
	afterMQTTAdmission = []string{
		"mqtt/subprotocol", "mqtt/user-properties", "mqtt/reconnect", "mqtt/event", "mqtt/content-types", "mqtt/untyped", "mqtt/notifications",
	}
	afterRefusal = []string{"mqtt/refusal", "mqtt/refusal-type", "mqtt/refusal-status"}
)

var onlyMQTT = &check.Options{
	Events: append(check.DefaultEvents(), "mqtt"), Query: url.Values{"ticket": {"t1"}},
	Only: []string{"mqtt"},
}

// A packet is what tests read of the connect of an MQTT client.
type packet struct {
	ProtocolVersion int
	Username        *string
	Password        *string
	UserProperties  []struct{ Name, Value string }
}

// packets answers the connects of MQTT clients: with no step, like any other.
func packets(answer func(r *http.Request, p *packet) step) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		var c struct{ MQTT *packet }
		_ = json.Unmarshal(body, &c) // is an object
		chosen := admit
		if c.MQTT != nil {
			if s := answer(r, c.MQTT); s != nil {
				chosen = s
			}
		}
		chosen(w, r, body)
	}
}

// strangers answers those who come with a password.
func strangers(refuse func(version int) step) step {
	return packets(func(_ *http.Request, p *packet) step {
		if p.Password == nil {
			return nil
		}
		return refuse(p.ProtocolVersion)
	})
}

func isMQTT(r *http.Request) bool { return r.Header.Get("ce-subprotocol") == "mqtt" }

func TestMQTTNotServed(t *testing.T) {
	for _, result := range judged(t, newPlain(), &check.Options{Only: []string{"mqtt"}}).Results {
		if result.Verdict != check.NotJudged || !strings.Contains(result.Finding, "--events mqtt") {
			t.Errorf("%s: got %v: %s", result.Rule.ID, result.Verdict, result.Finding)
		}
	}
}

func TestMQTTConnect(t *testing.T) {
	refuse := func(v311, v5 int, headers ...string) step {
		return strangers(func(version int) step {
			status, body := v5, `{"mqtt":{"code":135}}`
			if version == 4 {
				status, body = v311, `{"mqtt":{"code":5}}`
			}
			return answer(status, body, headers...)
		})
	}
	all := func(s step) step { return packets(func(*http.Request, *packet) step { return s }) }
	for _, tt := range []struct {
		name        string
		connect     step
		fails, open []string
	}{
		{"refuses none", admit, nil, afterRefusal},
		{"refuses strangers", refuse(401, 401, "Content-Type", "application/json"), nil, nil},
		{"serves 5.0 only", packets(func(_ *http.Request, p *packet) step {
			if p.ProtocolVersion == 4 {
				return said401(`{"mqtt":{"code":1}}`)
			}
			return nil
		}), nil, nil},
		{"serves 3.1.1 only", packets(func(_ *http.Request, p *packet) step {
			if p.ProtocolVersion == 5 {
				return said401(`{"mqtt":{"code":132}}`)
			}
			return nil
		}), nil, nil},
		{"refuses all", all(said401(`{"mqtt":{"code":5}}`)), []string{"mqtt/refusal"}, afterMQTTAdmission},
		{"breaks for all", all(answer(500, "")), []string{"mqtt/connect"}, append([]string{"mqtt/client-id"}, append(afterMQTTAdmission, afterRefusal...)...)},
		{"hangs for all", all(hang), []string{"mqtt/connect"}, mqttRules[1:]},
		{"breaks with user properties", packets(func(_ *http.Request, p *packet) step {
			if len(p.UserProperties) > 1 {
				return answer(500, "")
			}
			return nil
		}), []string{"mqtt/connect"}, afterRefusal},
		{"breaks without a name", packets(func(_ *http.Request, p *packet) step {
			if p.ProtocolVersion == 4 && p.Username == nil {
				return answer(500, "")
			}
			return nil
		}), []string{"mqtt/connect"}, append([]string{"mqtt/client-id"}, afterRefusal...)},
		{"other subprotocol", all(said(`{"subprotocol":"json.webpubsub.azure.v1"}`)), []string{"mqtt/subprotocol"}, afterRefusal},
		{"subprotocol", all(said(`{"subprotocol":"mqtt"}`)), nil, afterRefusal},
		{"properties", all(said(`{"mqtt":{"userProperties":[{"name":"a","value":"1"}]}}`)), nil, afterRefusal},
		{"no properties", all(said(`{"mqtt":{"userProperties":null}}`)), nil, afterRefusal},
		{"properties as object", all(said(`{"mqtt":{"userProperties":{"a":"1"}}}`)), []string{"mqtt/user-properties"}, afterRefusal},
		{"properties as pairs", all(said(`{"mqtt":{"userProperties":[{"key":"a","value":"1"}]}}`)), []string{"mqtt/user-properties"}, afterRefusal},
		{"refuses without code", strangers(func(int) step { return answer(401, "no") }), []string{"mqtt/refusal"}, nil},
		{"code as text", strangers(func(int) step { return said401(`{"mqtt":{"code":"banned"}}`) }), []string{"mqtt/refusal"}, nil},
		{"code of 5.0 for all", strangers(func(int) step { return said401(`{"mqtt":{"code":135}}`) }), []string{"mqtt/refusal"}, nil},
		{"code of success", strangers(func(int) step { return said401(`{"mqtt":{"code":0}}`) }), []string{"mqtt/refusal"}, nil},
		{"no content type", refuse(401, 401), []string{"mqtt/refusal-type"}, nil},
		{"refuses with 500", refuse(500, 403, "Content-Type", "application/json"), []string{"mqtt/refusal-status"}, nil},
		{"breaks with short IDs", packets(func(r *http.Request, _ *packet) step {
			if len(r.Header.Get("ce-connectionId")) < 32 {
				return answer(500, "")
			}
			return nil
		}), []string{"mqtt/client-id"}, afterRefusal},
		{"refuses long IDs", packets(func(r *http.Request, _ *packet) step {
			if len(r.Header.Get("ce-connectionId")) > 32 {
				return said401(`{"mqtt":{"code":2}}`)
			}
			return nil
		}), nil, afterRefusal},
		{"nobody any more", func() step {
			var seen []string
			closed := false
			return packets(func(r *http.Request, p *packet) step {
				id := r.Header.Get("ce-connectionId")
				if closed = closed || slices.Contains(seen, id); closed {
					return said401(fmt.Sprintf(`{"mqtt":{"code":%d}}`, map[int]int{4: 5, 5: 135}[p.ProtocolVersion]))
				}
				seen = append(seen, id)
				return nil
			})
		}(), nil, append([]string{"mqtt/reconnect", "mqtt/event", "mqtt/content-types", "mqtt/untyped", "mqtt/notifications"}, afterRefusal...)},
		{"nobody twice", func() step {
			var seen []string
			return packets(func(r *http.Request, _ *packet) step {
				id := r.Header.Get("ce-connectionId")
				if slices.Contains(seen, id) {
					return said401(`{"mqtt":{"code":133}}`)
				}
				seen = append(seen, id)
				return nil
			})
		}(), []string{"mqtt/reconnect"}, afterRefusal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantMQTT(t, newPlain(func(p *plain) { p.connect = tt.connect }), tt.fails, tt.open)
		})
	}
}

func said401(body string) step { return answer(401, body, "Content-Type", "application/json") }

func TestMQTTEvents(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		message, notification step
		fails, open           []string
	}{
		{"breaks with MQTT", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if isMQTT(r) {
				w.WriteHeader(500)
				return
			}
			echo(w, r, body)
		}, noContent, []string{"mqtt/event"}, []string{"mqtt/content-types", "mqtt/untyped"}},
		{"breaks with user properties", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if len(r.Header.Values("mqtt-tag")) > 1 {
				w.WriteHeader(500)
				return
			}
			echo(w, r, body)
		}, noContent, []string{"mqtt/event"}, nil},
		{"breaks without content type", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if r.Header["Content-Type"] == nil {
				w.WriteHeader(500)
				return
			}
			echo(w, r, body)
		}, noContent, []string{"mqtt/content-types"}, []string{"mqtt/untyped"}},
		{"breaks with other types", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if strings.Contains(r.Header.Get("Content-Type"), "vnd") {
				w.WriteHeader(500)
				return
			}
			echo(w, r, body)
		}, noContent, []string{"mqtt/content-types"}, nil},
		{"wants a content type", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if r.Header["Content-Type"] == nil {
				w.WriteHeader(415)
				return
			}
			echo(w, r, body)
		}, noContent, []string{"mqtt/untyped"}, nil},
		{"takes no event of MQTT", func(w http.ResponseWriter, r *http.Request, body []byte) {
			if isMQTT(r) {
				w.WriteHeader(403)
				return
			}
			echo(w, r, body)
		}, noContent, nil, []string{"mqtt/untyped"}},
		{"breaks without a packet", echo, func(w http.ResponseWriter, _ *http.Request, body []byte) {
			if strings.Contains(string(body), `"disconnectPacket":null`) {
				w.WriteHeader(500)
			}
		}, []string{"mqtt/notifications"}, nil},
		{"breaks without user properties", echo, func(w http.ResponseWriter, _ *http.Request, body []byte) {
			if strings.Contains(string(body), `"userProperties":null`) {
				w.WriteHeader(500)
			}
		}, []string{"mqtt/notifications"}, nil},
		{"breaks with sessions", echo, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			if r.Header["Ce-Sessionid"] != nil {
				w.WriteHeader(500)
			}
		}, []string{"mqtt/notifications"}, nil},
		{"breaks with all", echo, answer(500, ""), nil, []string{"mqtt/notifications"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantMQTT(t, newPlain(func(p *plain) { p.message, p.notification = tt.message, tt.notification }), tt.fails, append(tt.open, afterRefusal...))
		})
	}
}

// What package upstream answers to MQTT clients is right.
func TestMQTTRight(t *testing.T) {
	v, err := upstream.NewAccessKeyValidator(upstreamtest.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(v, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if req.MQTT != nil && req.MQTT.Password != nil {
			return nil, &upstream.MQTTConnectError{Code: upstream.MQTT5BadUserNameOrPassword, Reason: "wrong password"}
		}
		return &upstream.ConnectResponse{MQTT: &upstream.MQTTConnectResponse{UserProperties: []upstream.MQTTUserProperty{{Name: "a", Value: "1"}}}}, nil
	})
	wantMQTT(t, h, nil, nil)
}

// wantMQTT is wantVerdicts, but for the rules about refusals: the plain handler
// refuses nobody.
func wantMQTT(t *testing.T, h http.Handler, fails, open []string) {
	t.Helper()
	for _, result := range judged(t, h, onlyMQTT).Results {
		id, want := result.Rule.ID, check.Holds
		switch {
		case slices.Contains(fails, id):
			want = check.Fails
		case slices.Contains(open, id):
			want = check.NotJudged
		}
		if result.Verdict != want {
			t.Errorf("%s: got %q, want %q: %s", id, result.Verdict, want, result.Finding)
		}
		if result.Verdict == check.Fails && (result.Finding == "" || result.Fix == "" || len(result.Exchanges) == 0) {
			t.Errorf("%s fails with the finding %q, the fix %q and %d exchanges", id, result.Finding, result.Fix, len(result.Exchanges))
		}
	}
}
