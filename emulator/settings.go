package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Settings say which events of which hubs go to which handlers. They are no
// list of the hubs there are: hubs exist by being used.
type Settings struct {
	// Hubs holds the settings of each hub by its name, without regard to case.
	Hubs map[string]HubSettings

	// Default is for all other hubs. Events of a hub without event handlers go
	// nowhere.
	Default HubSettings
}

// HubSettings are the settings of one hub, in the terms of the service's
// resource (Microsoft.SignalRService/webPubSub/hubs).
type HubSettings struct {
	// EventHandlers are asked in their order, and the first that takes an event
	// gets it. An event that none takes is not sent: connect is then accepted,
	// a user event fails.
	EventHandlers []EventHandler

	// AllowAnonymous admits clients without an access token
	// (anonymousConnectPolicy: allow). The default refuses them with 401.
	AllowAnonymous bool

	// CloseOnEventFailure closes the connection of a client whose event failed,
	// as the service's documents say. By default, as in Microsoft's emulator, a
	// client with a subprotocol gets a failed ack and stays.
	CloseOnEventFailure bool

	// KeepAlive is the time between two WebSocket pings, from 1 to 120 seconds
	// on the service (webSocketKeepAliveIntervalInSeconds). If zero, 20 seconds;
	// negative, none.
	KeepAlive time.Duration
}

// EventHandler is one place that events go to: the upstream of an application.
type EventHandler struct {
	// URLTemplate is where events are posted to, an absolute http or https URL
	// in which {hub} and {event} are replaced outside the host.
	URLTemplate string

	// Handler is called in this process, without a socket, instead of a server.
	// URLTemplate then only tells it the URL of its requests, and may be empty.
	Handler http.Handler

	// SystemEvents lists which of "connect", "connected" and "disconnected" it
	// takes. None by default.
	SystemEvents []string

	// UserEventPattern says which user events it takes: "*" for all, or names
	// separated by commas, without regard to case. None by default.
	UserEventPattern string

	// GroupEvents lists which of "joined" and "left" it takes (a preview of the
	// service: groupPresenceEvents).
	GroupEvents []string

	// GroupFilters limits GroupEvents to groups of these names. In the names, *
	// stands for any text without a dot, ** for any text, and ? for one
	// character. If empty, all groups count.
	GroupFilters []string
}

// hubConfigs are settings that have been checked.
type hubConfigs struct {
	hubs   map[string]*hubConfig // by name in lower case
	others *hubConfig
}

// hubConfig is what a hub works with.
type hubConfig struct {
	handlers       *deliver.Handlers
	anonymous      bool
	closeOnFailure bool
	keepAlive      time.Duration
}

// DefaultKeepAlive is the time between two WebSocket pings.
const DefaultKeepAlive = 20 * time.Second

// config returns the hub's configuration of this moment.
func (h *hub) config() *hubConfig {
	configs := h.server.settings.Load()
	if c := configs.hubs[h.name]; c != nil {
		return c
	}
	return configs.others
}

// Validate reports everything that is wrong with the settings, with the hub and
// the member at fault and what was expected.
func (s Settings) Validate() error {
	_, err := s.compile()
	return err
}

func (s Settings) compile() (*hubConfigs, error) {
	configs := &hubConfigs{hubs: make(map[string]*hubConfig, len(s.Hubs))}
	var errs []error
	var err error
	if configs.others, err = s.Default.compile(); err != nil {
		errs = append(errs, fmt.Errorf("emulator: default hub: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Hubs)) {
		hub := s.Hubs[name]
		if !wire.ValidHub(name) {
			errs = append(errs, fmt.Errorf("emulator: hub %q: not a name of a hub, which is a letter, then up to 127 letters, digits and any of _`,.[]", name))
			continue
		}
		lower := strings.ToLower(name)
		if configs.hubs[lower] != nil {
			errs = append(errs, fmt.Errorf("emulator: hub %q: set twice; names of hubs have no case", name))
			continue
		}
		if configs.hubs[lower], err = hub.compile(); err != nil {
			errs = append(errs, fmt.Errorf("emulator: hub %q: %w", name, err))
		}
	}
	return configs, errors.Join(errs...)
}

func (s HubSettings) compile() (*hubConfig, error) {
	settings := make([]deliver.Handler, len(s.EventHandlers))
	for i, h := range s.EventHandlers {
		settings[i] = deliver.Handler{
			URLTemplate: h.URLTemplate, InProcess: h.Handler, SystemEvents: h.SystemEvents,
			UserEventPattern: h.UserEventPattern, GroupEvents: h.GroupEvents, GroupFilters: h.GroupFilters,
		}
	}
	handlers, err := deliver.Compile(settings)
	return &hubConfig{
		handlers:       handlers,
		anonymous:      s.AllowAnonymous,
		closeOnFailure: s.CloseOnEventFailure,
		keepAlive:      cmp.Or(s.KeepAlive, DefaultKeepAlive),
	}, err
}
