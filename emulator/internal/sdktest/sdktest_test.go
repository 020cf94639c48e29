package sdktest

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/internal/localca"
)

const hub = "chat"

// listen starts a service that gives up events and connections early.
func listen(t *testing.T) *emulatortest.Service {
	t.Helper()
	return emulatortest.Listen(t, &emulator.Options{
		Limits:   emulator.Limits{RecoveryWindow: 5 * time.Second},
		Delivery: emulator.Delivery{RetryDelays: []time.Duration{}},
	})
}

// route has a service send the events of the hub to a handler. Another hub
// makes sure often that its clients are there.
func route(t *testing.T, service *emulatortest.Service, h emulator.EventHandler) {
	t.Helper()
	h.SystemEvents = []string{"connect", "connected", "disconnected"}
	h.UserEventPattern = "*"
	h.GroupEvents = []string{"joined", "left"}
	h.GroupFilters = []string{"room.*"}
	err := service.Apply(emulator.Settings{Hubs: map[string]emulator.HubSettings{
		hub:     {EventHandlers: []emulator.EventHandler{h}},
		"pings": {KeepAlive: time.Second},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Apply(emulator.Settings{}) }) // the handler ends before the service does
}

// The places that the application runs in.
var applications = []struct {
	name  string
	start func(*testing.T, *emulatortest.Service) emulator.EventHandler
}{
	{"web-pubsub-express", func(t *testing.T, service *emulatortest.Service) emulator.EventHandler {
		return emulator.EventHandler{URLTemplate: startExpress(t, "app.mjs", argsFor(service)) + "/eventhandler/{event}"}
	}},
	{"upstream over HTTP", func(t *testing.T, service *emulatortest.Service) emulator.EventHandler {
		return emulator.EventHandler{URLTemplate: startUpstream(t, service)}
	}},
	{"upstream in process", func(t *testing.T, service *emulatortest.Service) emulator.EventHandler {
		return emulator.EventHandler{Handler: newApplication(t, service)}
	}},
}

func argsFor(service *emulatortest.Service) object {
	return object{"connectionString": service.ConnectionString(), "hub": hub}
}

// TestClient has the client SDK talk to each application.
func TestClient(t *testing.T) {
	for _, app := range applications {
		for _, protocol := range []string{"json", "reliable"} {
			t.Run(app.name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				service := listen(t)
				route(t, service, app.start(t, service))
				args := argsFor(service)
				args["protocol"], args["origin"] = protocol, "127.0.0.1"
				runChecks(t, "client.mjs", args)
			})
		}
	}
}

// TestRecovery breaks the network connections of the client SDK.
func TestRecovery(t *testing.T) {
	for _, app := range applications {
		t.Run(app.name, func(t *testing.T) {
			t.Parallel()
			service := listen(t)
			route(t, service, app.start(t, service))
			runChecks(t, "recovery.mjs", argsFor(service))
		})
	}
}

// TestWebSocket connects with a WebSocket library alone.
func TestWebSocket(t *testing.T) {
	for _, app := range applications {
		t.Run(app.name, func(t *testing.T) {
			t.Parallel()
			service := listen(t)
			route(t, service, app.start(t, service))
			runChecks(t, "websocket.mjs", argsFor(service))
		})
	}
}

// TestAllowedEndpoints has the middleware accept some services and hubs only.
func TestAllowedEndpoints(t *testing.T) {
	tests := []struct {
		name      string
		hub       string   // of the middleware; "" is that of the client
		endpoints []string // that the middleware allows; nil allows all
		localhost int      // the status that the client of a service at http://localhost:8080 gets
		loopback  int      // that of a service at http://127.0.0.1
	}{
		{"all", "", nil, 101, 101},
		{"none", "", []string{}, 500, 500},
		{"name", "", []string{"http://localhost"}, 101, 500},
		{"name and port", "", []string{"http://LOCALHOST:8080"}, 101, 500},
		{"another port", "", []string{"https://localhost:1/"}, 101, 500},
		{"address", "", []string{"http://127.0.0.1:8080"}, 500, 101},
		{"a resource", "", []string{"https://demo.webpubsub.azure.com"}, 500, 500},
		{"many", "", []string{"https://demo.webpubsub.azure.com", "http://localhost:8080", "http://127.0.0.1"}, 101, 101},
		{"another hub", "other", nil, 404, 404},
	}
	middlewares := []object{}
	hubs := map[string]emulator.HubSettings{}
	for i, tt := range tests {
		name := fmt.Sprint("hub", i)
		middleware := object{"hub": cmp.Or(tt.hub, name)}
		if tt.endpoints != nil {
			middleware["allowedEndpoints"] = tt.endpoints
		}
		middlewares = append(middlewares, middleware)
		hubs[name] = emulator.HubSettings{AllowAnonymous: true}
	}
	url := startExpress(t, "endpoints.mjs", object{"middlewares": middlewares})
	for i := range tests {
		name := fmt.Sprint("hub", i)
		settings := hubs[name]
		settings.EventHandlers = []emulator.EventHandler{{
			URLTemplate: fmt.Sprint(url, "/", i), SystemEvents: []string{"connect"}, UserEventPattern: "*",
		}}
		hubs[name] = settings
	}
	options := &emulator.Options{Settings: emulator.Settings{Hubs: hubs}, Delivery: emulator.Delivery{RetryDelays: []time.Duration{}}}
	services := []*emulatortest.Service{emulatortest.StartWith(t, options), emulatortest.Listen(t, options)}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for j, want := range []int{tt.localhost, tt.loopback} {
				client, resp, err := services[j].TryConnect(fmt.Sprint("hub", i), nil)
				if resp == nil {
					t.Fatal(err)
				}
				if resp.StatusCode != want {
					t.Errorf("%s: status %d, want %d", services[j].Endpoint(), resp.StatusCode, want)
				}
				if client == nil {
					continue
				}
				client.Send(`{"type":"event","event":"ignored","ackId":1,"dataType":"text","data":"hi"}`)
				if got, want := client.Receive(), `{"type":"ack","ackId":1,"success":true}`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// TestServiceClient has the service SDK perform all its operations.
func TestServiceClient(t *testing.T) {
	authority, err := localca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	proxied := startServer(t, "https://service.example", nil)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var config *tls.Config
			if scheme == "https" {
				if config, err = authority.TLSConfig(); err != nil {
					t.Fatal(err)
				}
			}
			connectionString := startServer(t, scheme+"://localhost", config).connectionString
			args := object{"connectionString": connectionString, "hub": hub, "proxied": object{
				"connectionString": strings.Replace(proxied.connectionString, "https:", "http:", 1), "address": proxied.address,
			}}
			runChecks(t, "service.mjs", args, "NODE_EXTRA_CA_CERTS="+authority.CertFile())
		})
	}
}

type server struct {
	connectionString string
	address          string // a URL
}

// startServer starts a service with an endpoint, to which the port is added
// where it is localhost.
func startServer(t *testing.T, endpoint string, config *tls.Config) server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if strings.HasSuffix(endpoint, "localhost") {
		endpoint += ":" + port
	}
	service, err := emulator.New(&emulator.Options{Endpoint: endpoint, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: service, ReadHeaderTimeout: 10 * time.Second}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		if err := service.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		_ = web.Close()
		<-served
	})
	return server{service.ConnectionString(), "http://127.0.0.1:" + port}
}
