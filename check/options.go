package check

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// Options say what to check, and as which service and client. The zero value
// of every field is its default.
type Options struct {
	// AccessKey signs the events: it has to be the one that the handler
	// verifies with. Default: the public key of local services.
	AccessKey string

	// Origin is the host of the service. Default: localhost.
	Origin string

	// Hub is the hub of the clients. Default: chat.
	Hub string

	// Events are what the handler serves: connect, connected, disconnected,
	// joined, left, mqtt for clients that speak it, and the names of user
	// events. Default: [DefaultEvents].
	Events []string

	// Data is what the user events carry, by name. Default: a short text.
	Data map[string]upstreamtest.Data

	// UserID, Query and Subprotocols describe the client that connects: one
	// that the handler lets in.
	UserID       string
	Query        url.Values
	Subprotocols []string

	// Header has further headers for every request, such as the key of a
	// function.
	Header http.Header

	// Only and Skip choose rules by ID or area. Default: all rules and none.
	Only, Skip []string

	// Severity leaves out rules that are less grave. Default: Info, none.
	Severity Severity

	// Timeout limits the time of each request. Default: 5 seconds. After two
	// requests of a kind that took longer, no more of that kind are sent.
	Timeout time.Duration

	// MaxDuration limits the time of the check: rules that are left then are
	// not judged. Default: 55 seconds.
	MaxDuration time.Duration

	// Observe is called with each result as soon as it is there, one after
	// another: what takes its time can be shown. Default: nothing.
	Observe func(Result)

	// HTTPClient sends the requests; it is copied, and its own Timeout and
	// CheckRedirect do not count. Default: a client of its own.
	HTTPClient *http.Client
}

// DefaultEvents are the events that a handler serves that says nothing else.
func DefaultEvents() []string { return []string{"connect", "connected", "message", "disconnected"} }

// eventMQTT stands for the events of MQTT clients in Options.Events.
const eventMQTT = "mqtt"

// systemEvents are the names in Options.Events that are no user events.
var systemEvents = []string{"connect", "connected", "disconnected", "joined", "left", eventMQTT}

// An OptionError reports an option that cannot be meant.
type OptionError struct {
	Option string // the field's name
	Reason string // what is wrong with it, and what was expected
}

// Error returns the option and the reason.
func (e *OptionError) Error() string { return "check: " + e.Option + ": " + e.Reason }

// Validate returns an [*OptionError] when the options cannot be meant, as [Run]
// does.
func (o *Options) Validate() error {
	filled := *o
	return filled.complete()
}

// complete fills in the defaults and checks the rest.
func (o *Options) complete() error {
	o.AccessKey = cmp.Or(o.AccessKey, upstreamtest.AccessKey)
	o.Origin = cmp.Or(o.Origin, upstreamtest.Origin)
	o.Hub = strings.ToLower(cmp.Or(o.Hub, upstreamtest.Hub))
	o.Severity = cmp.Or(o.Severity, Info)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.MaxDuration = cmp.Or(o.MaxDuration, 55*time.Second)
	if len(o.Events) == 0 {
		o.Events = DefaultEvents()
	}
	switch {
	case wire.OriginHost(o.Origin) == "":
		return &OptionError{"Origin", fmt.Sprintf("%.100q is not a host, expected a name such as demo.webpubsub.azure.com", o.Origin)}
	case !wire.ValidHub(o.Hub):
		return &OptionError{"Hub", fmt.Sprintf("%.100q is not the name of a hub, expected a letter, then letters, digits and any of _`,.[]", o.Hub)}
	case o.Timeout < 0:
		return &OptionError{"Timeout", "is negative, expected a time to wait"}
	case o.MaxDuration < 0:
		return &OptionError{"MaxDuration", "is negative, expected a time for the whole check"}
	case o.Severity < Must || o.Severity > Info:
		return &OptionError{"Severity", "is not one of Must, Should and Info"}
	}
	o.Origin = wire.OriginHost(o.Origin)
	for _, event := range o.Events {
		if !wire.ValidHeaderValue(wire.UserType(event)) || strings.TrimSpace(event) == "" {
			return &OptionError{"Events", fmt.Sprintf("%.100q cannot be the name of an event, expected visible ASCII", event)}
		}
	}
	for _, pattern := range slices.Concat(o.Only, o.Skip) {
		if !slices.ContainsFunc(allRules, func(r Rule) bool { return r.matches(pattern) }) {
			return &OptionError{"Only and Skip", fmt.Sprintf("there is no rule and no area %.100q", pattern)}
		}
	}
	return nil
}

// wants reports whether a rule is to be judged.
func (o *Options) wants(r *Rule) bool {
	chosen := func(pattern string) bool { return r.matches(pattern) }
	return r.Severity <= o.Severity && (len(o.Only) == 0 || slices.ContainsFunc(o.Only, chosen)) && !slices.ContainsFunc(o.Skip, chosen)
}

// serves reports whether the handler says that it serves an event.
func (o *Options) serves(event string) bool { return slices.Contains(o.Events, event) }

// userEvents returns the names of the user events that the handler serves.
func (o *Options) userEvents() []string {
	return slices.DeleteFunc(slices.Clone(o.Events), func(event string) bool { return slices.Contains(systemEvents, event) })
}

// dataOf returns what a user event carries.
func (o *Options) dataOf(event string) upstreamtest.Data {
	if data, ok := o.Data[event]; ok {
		return data
	}
	return upstreamtest.Text("hello from the check")
}

// A target is where the handler is.
type target struct{ template string }

// parseTarget reads the URL of a handler. It may hold {hub} and {event}, which
// are replaced as the service does.
func parseTarget(text string) (target, error) {
	t := target{text}
	u, err := url.Parse(t.at("hub", "event"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return target{}, &OptionError{"target", fmt.Sprintf("%.200q is not the URL of an event handler, expected one such as http://localhost:3000/eventhandler", text)}
	}
	return t, nil
}

// at returns the URL for an event.
func (t target) at(hub, event string) string {
	return strings.NewReplacer("{hub}", url.PathEscape(hub), "{event}", url.PathEscape(event)).Replace(t.template)
}
