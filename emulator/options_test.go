package emulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestNewRefuses(t *testing.T) {
	key := strings.Repeat("k", emulator.MinAccessKeyBytes-1)
	hub := func(s emulator.HubSettings) emulator.Options {
		return emulator.Options{Settings: emulator.Settings{Default: s}}
	}
	handler := func(h emulator.EventHandler) emulator.Options {
		return hub(emulator.HubSettings{EventHandlers: []emulator.EventHandler{h}})
	}
	limits := func(l emulator.Limits) emulator.Options { return emulator.Options{Limits: l} }
	tests := []struct {
		name    string
		options emulator.Options
		want    string // in the error
	}{
		{"short key", emulator.Options{AccessKey: key}, "AccessKey has 31 bytes, expected at least 32"},
		{"short secondary key", emulator.Options{SecondaryAccessKey: key}, "SecondaryAccessKey has 31 bytes"},
		{"key with a semicolon", emulator.Options{AccessKey: key + ";;"}, "semicolon"},
		{"key with a line break", emulator.Options{AccessKey: key + "\nk"}, "control character"},
		{"key with outer space", emulator.Options{AccessKey: key + "k "}, "white space"},
		{"endpoint without scheme", emulator.Options{Endpoint: "localhost:8080"}, "Endpoint"},
		{"endpoint with path", emulator.Options{Endpoint: "http://localhost/path"}, "Endpoint"},
		{"endpoint with another scheme", emulator.Options{Endpoint: "ws://localhost"}, "Endpoint"},
		{"endpoint with a query", emulator.Options{Endpoint: "http://localhost?a=b"}, "Endpoint"},
		{"endpoint with port 0", emulator.Options{Endpoint: "http://localhost:0"}, `Endpoint has the port "0", expected 1 to 65535`},
		{"endpoint with a port too high", emulator.Options{Endpoint: "http://localhost:65536"}, `Endpoint has the port "65536", expected 1 to 65535`},
		{"endpoint with a port that is a word", emulator.Options{Endpoint: "http://localhost:http"}, "Endpoint"},
		{"endpoint with a zone", emulator.Options{Endpoint: "http://[fe80::1%25eth0]:8080"}, "without a zone"},
		{"endpoint with white space", emulator.Options{Endpoint: "http://local host"}, "Endpoint"},
		{"negative message bytes", limits(emulator.Limits{MessageBytes: -1}), "Limits.MessageBytes is negative"},
		{"negative queued messages", limits(emulator.Limits{QueuedMessages: -1}), "Limits.QueuedMessages is negative"},
		{"negative queued bytes", limits(emulator.Limits{QueuedBytes: -1}), "Limits.QueuedBytes is negative"},
		{"negative write timeout", limits(emulator.Limits{WriteTimeout: -1}), "Limits.WriteTimeout is negative"},
		{"negative recovery window", limits(emulator.Limits{RecoveryWindow: -1}), "Limits.RecoveryWindow is negative"},
		{"negative connections", limits(emulator.Limits{Connections: -1}), "Limits.Connections is negative"},
		{"negative timeout", emulator.Options{Delivery: emulator.Delivery{Timeout: -1}}, "Delivery.Timeout is negative"},
		{"negative handshake timeout", emulator.Options{Delivery: emulator.Delivery{HandshakeTimeout: -1}}, "Delivery.HandshakeTimeout is negative"},
		{"negative handshake refresh", emulator.Options{Delivery: emulator.Delivery{HandshakeRefresh: -1}}, "Delivery.HandshakeRefresh is negative"},
		{"bad host", emulator.Options{AllowedHosts: []string{"http://localhost"}}, "host"},
		{"bad origin", emulator.Options{AllowedOrigins: []string{"app.example"}}, "origin"},
		{"handler without URL", handler(emulator.EventHandler{}), "event handler 1: URLTemplate"},
		{"parameter in the host", handler(emulator.EventHandler{URLTemplate: "http://{hub}.example/"}), "URLTemplate"},
		{"unknown system event", handler(emulator.EventHandler{URLTemplate: "http://localhost", SystemEvents: []string{"message"}}), `"message"`},
		{"unknown group event", handler(emulator.EventHandler{URLTemplate: "http://localhost", GroupEvents: []string{"connect"}}), `"connect"`},
		{"bad pattern", handler(emulator.EventHandler{URLTemplate: "http://localhost", UserEventPattern: "a*"}), `"a*"`},
		{"bad hub name", emulator.Options{Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{"1": {}}}}, `hub "1"`},
		{"hub set twice", emulator.Options{Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{"chat": {}, "Chat": {}}}}, "set twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := emulator.New(&tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), key) {
				t.Errorf("error %q shows the key", err)
			}
		})
	}
}

func TestValidateReportsAll(t *testing.T) {
	bad := emulator.HubSettings{EventHandlers: []emulator.EventHandler{{SystemEvents: []string{"other"}}}}
	err := emulator.Settings{Default: bad, Hubs: map[string]emulator.HubSettings{"chat": bad, "1": {}}}.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"default hub", `hub "chat"`, `hub "1"`, "URLTemplate", `"other"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
	if err := (emulator.Settings{}).Validate(); err != nil {
		t.Errorf("no settings: got %v", err)
	}
}

func TestNames(t *testing.T) {
	server, err := emulator.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := server.ConnectionString(), "Endpoint=http://localhost:8080;AccessKey="+emulator.DefaultAccessKey+";Version=1.0;"; got != want {
		t.Errorf("connection string: got %q, want %q", got, want)
	}
	server, err = emulator.New(&emulator.Options{Endpoint: "https://WebPubSub.example/", AccessKey: secondaryKey})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := server.Endpoint(), "https://webpubsub.example"; got != want {
		t.Errorf("endpoint: got %q, want %q", got, want)
	}
	for hub, path := range map[string]string{"chat": "/client/hubs/chat", "a`b[c],.": "/client/hubs/a`b[c],."} {
		address, err := server.ClientURL(hub, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Scheme != "wss" || u.Host != "webpubsub.example" || u.Path != path || !u.Query().Has("access_token") {
			t.Errorf("client URL of %q: got %q", hub, address)
		}
	}
	if address, err := server.ClientURL("1", nil); err == nil {
		t.Errorf("client URL of a bad hub: got %q, want an error", address)
	}
}

// An IP address is as good an endpoint as a name: for clients, for the REST
// data plane and for handlers.
func TestAddressAsEndpoint(t *testing.T) {
	for _, endpoint := range []string{"http://[::1]:8080", "http://[2001:DB8::1]", "http://127.0.0.1:65535"} {
		t.Run(endpoint, func(t *testing.T) {
			origins := make(chan string, 1)
			service := startQuiet(t, emulator.Options{Endpoint: endpoint, Settings: emulator.Settings{
				Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{{
					SystemEvents: []string{"connect"},
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
						if r.Method == http.MethodPost {
							origins <- r.Header.Get("WebHook-Request-Origin")
						}
					}),
				}}},
			}})
			if got, want := service.Endpoint(), strings.ToLower(endpoint); got != want {
				t.Errorf("got endpoint %q, want %q", got, want)
			}
			c := service.Connect("chat", nil)
			if got := <-origins; !strings.Contains(strings.ToLower(endpoint), got) || got == "" {
				t.Errorf("got origin %q, want the host of %q", got, endpoint)
			}
			if ok, err := serviceClient(t, service).ConnectionExists(t.Context(), c.ConnectionID()); !ok || err != nil {
				t.Errorf("connection exists: got %t, %v, want true", ok, err)
			}
		})
	}
}

// A hub with any allowed name can be connected to, with the URL of its own.
func TestHubNames(t *testing.T) {
	service := startQuiet(t, emulator.Options{})
	for _, hub := range []string{"a", "Chat", "a_`,.[]9", strings.Repeat("h", 128)} {
		service.Connect(hub, nil).Close()
	}
}

// Apply keeps the old settings when the new ones are wrong.
func TestApplyRefuses(t *testing.T) {
	service := startQuiet(t, emulator.Options{Settings: emulator.Settings{Default: emulator.HubSettings{AllowAnonymous: true}}})
	if err := service.Apply(emulator.Settings{Hubs: map[string]emulator.HubSettings{"1": {}}}); err == nil {
		t.Error("got no error")
	}
	service.Connect("chat", &emulatortest.ConnectOptions{URL: "ws://localhost:8080/client/hubs/chat"})
}

// Events are signed with both keys, the primary one first.
func TestTwoSignatures(t *testing.T) {
	signatures := make(chan string, 1)
	service := startQuiet(t, emulator.Options{
		SecondaryAccessKey: secondaryKey,
		Settings: emulator.Settings{Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{{
			SystemEvents: []string{"connected"},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("WebHook-Allowed-Origin", "*")
				if r.Method == http.MethodPost {
					signatures <- r.Header.Get("ce-signature")
				}
			}),
		}}}},
	})
	c := service.Connect("chat", nil)
	if got, want := <-signatures, wire.Sign(c.ConnectionID(), emulator.DefaultAccessKey, secondaryKey); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log recordLog
		service := startQuiet(t, emulator.Options{Settings: emulator.Settings{Default: emulatortest.AllEvents(echo)}, Observe: log.add})
		c := service.Connect("Chat", &emulatortest.ConnectOptions{UserID: "alice"})
		c.Send(`{"type":"event","event":"message","ackId":1,"dataType":"text","data":"secret"}`)
		c.Receive()
		c.Receive()
		c.Close()
		if _, _, err := service.TryConnect("chat", &emulatortest.ConnectOptions{URL: "ws://localhost:8080/client/hubs/chat?access_token=secret"}); err == nil {
			t.Error("connected with a bad token")
		}
		synctest.Wait()
		want := []string{
			"consent ", "delivered connect", "opened ", "delivered connected", "delivered message", "closed Normal", "delivered disconnected", "refused ",
		}
		var got []string
		for _, r := range log.records {
			got = append(got, r.Kind.String()+" "+r.Event+r.Reason)
			if r.Time.IsZero() || r.Kind != emulator.Consent && r.Hub != "chat" || r.ConnectionID != "" && r.UserID != "alice" {
				t.Errorf("record %+v lacks something", r)
			}
			if r.Err != nil && strings.Contains(r.Err.Error(), "secret") {
				t.Errorf("record %+v shows the token", r)
			}
		}
		for _, kind := range want {
			found := 0
			for _, g := range got {
				if g == kind {
					found++
				}
			}
			if found != 1 {
				t.Errorf("got %d records %q, want 1; all are %q", found, kind, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got records %q, want %q", got, want)
		}
	})
}
