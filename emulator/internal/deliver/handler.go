package deliver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Handler says where events go and which, in the terms of the service's
// resource (Microsoft.SignalRService/webPubSub/hubs).
type Handler struct {
	// URLTemplate is an absolute http or https URL. {hub} and {event} are
	// replaced in its path and its query.
	URLTemplate string

	// InProcess is called in this process, without a socket. URLTemplate is
	// then the URL of its requests and nothing else. Default of that:
	// [InProcessURL].
	InProcess http.Handler

	// SystemEvents lists which of "connect", "connected" and "disconnected" it
	// takes.
	SystemEvents []string

	// UserEventPattern says which user events it takes: "*" for all, or names
	// separated by commas.
	UserEventPattern string

	// GroupEvents lists which of "joined" and "left" it takes, for the groups
	// that any of the patterns of GroupFilters covers; without filters for all
	// groups.
	GroupEvents  []string
	GroupFilters []string

	// AuthType is empty or "None". The service also knows "ManagedIdentity",
	// which needs Azure, and is refused here.
	AuthType string
}

// InProcessURL is where requests go to a handler in this process that has no
// URL of its own.
const InProcessURL = "http://localhost/eventhandler"

// Handlers are the compiled handlers of a hub. They do not change, and nil ones
// take no event.
type Handlers struct{ list []*handler }

// A handler takes the events that its settings say.
type handler struct {
	template  string
	inProcess *local // nil for a handler behind a URL

	kinds        map[wire.Kind]bool // of system and group events
	allUser      bool
	user         map[string]bool // names in lower case
	groupFilters []roles.Pattern // none means all groups
}

// A SettingError reports a member of a [Handler] that cannot be used.
type SettingError struct {
	Index  int    // of the handler, from 0
	Member string // the name of the field
	Reason string // what is wrong, and what was expected
}

// Error counts handlers from 1.
func (e *SettingError) Error() string {
	return fmt.Sprintf("event handler %d: %s %s", e.Index+1, e.Member, e.Reason)
}

// Compile checks the settings of a hub's handlers. The error joins one
// [*SettingError] for each member that cannot be used.
func Compile(settings []Handler) (*Handlers, error) {
	hs := &Handlers{}
	var errs []error
	for i, setting := range settings {
		h := &handler{}
		for _, member := range []struct {
			name string
			err  error
		}{
			{"AuthType", checkAuth(setting.AuthType)},
			{"URLTemplate", h.setURL(setting)},
			{"SystemEvents", h.setKinds(setting.SystemEvents, systemKinds)},
			{"UserEventPattern", h.setUserEvents(setting.UserEventPattern)},
			{"GroupEvents", h.setKinds(setting.GroupEvents, groupKinds)},
			{"GroupFilters", h.setGroupFilters(setting.GroupFilters)},
		} {
			if member.err != nil {
				errs = append(errs, &SettingError{i, member.name, member.err.Error()})
			}
		}
		hs.list = append(hs.list, h)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return hs, nil
}

func checkAuth(auth string) error {
	switch {
	case auth == "", strings.EqualFold(auth, "None"):
		return nil
	case strings.EqualFold(auth, "ManagedIdentity"):
		return errors.New("is ManagedIdentity, which needs Azure: a local service has no identity and signs with its access keys; want None")
	}
	return fmt.Errorf("is %q, want None", auth)
}

func (h *handler) setURL(setting Handler) error {
	h.template = setting.URLTemplate
	if setting.InProcess != nil {
		h.template = cmp.Or(h.template, InProcessURL)
		h.inProcess = &local{setting.InProcess}
	}
	h.template = parameters.ReplaceAllStringFunc(h.template, strings.ToLower)
	return checkTemplate(h.template)
}

// A kindName is an event in the settings.
type kindName struct {
	name string
	kind wire.Kind
}

var (
	systemKinds = []kindName{
		{"connect", wire.KindConnect}, {"connected", wire.KindConnected}, {"disconnected", wire.KindDisconnected},
	}
	groupKinds = []kindName{{"joined", wire.KindGroupJoined}, {"left", wire.KindGroupLeft}}
)

func (h *handler) setKinds(names []string, known []kindName) error {
	if h.kinds == nil {
		h.kinds = make(map[wire.Kind]bool)
	}
	for _, name := range names {
		i := slices.IndexFunc(known, func(k kindName) bool { return strings.EqualFold(k.name, strings.TrimSpace(name)) })
		if i < 0 {
			return fmt.Errorf("has %q, want names of %q", name, namesOf(known))
		}
		h.kinds[known[i].kind] = true
	}
	return nil
}

func namesOf(kinds []kindName) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

func (h *handler) setUserEvents(pattern string) error {
	switch strings.TrimSpace(pattern) {
	case "":
		return nil
	case "*":
		h.allUser = true
		return nil
	}
	h.user = make(map[string]bool)
	for name := range strings.SplitSeq(pattern, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue // as in "a,b,"
		}
		if strings.Contains(name, "*") {
			return fmt.Errorf("is %q, want * for all user events or their names with commas between them", pattern)
		}
		h.user[strings.ToLower(name)] = true
	}
	return nil
}

func (h *handler) setGroupFilters(filters []string) error {
	for _, filter := range filters {
		pattern, err := roles.CompilePattern(filter)
		if err != nil {
			return fmt.Errorf("has %q: %w", filter, err)
		}
		h.groupFilters = append(h.groupFilters, pattern)
	}
	return nil
}

// Takes reports whether any handler takes such an event. The subject is the
// name of a user event, the group of a group event, and nothing for others.
func (hs *Handlers) Takes(kind wire.Kind, subject string) bool {
	return hs.find(kind, subject) != nil
}

func (hs *Handlers) match(e *Event) *handler { return hs.find(e.Kind, e.subject()) }

// find returns the first handler that takes an event, or nil.
func (hs *Handlers) find(kind wire.Kind, subject string) *handler {
	if hs == nil {
		return nil
	}
	i := slices.IndexFunc(hs.list, func(h *handler) bool { return h.takes(kind, subject) })
	if i < 0 {
		return nil
	}
	return hs.list[i]
}

func (h *handler) takes(kind wire.Kind, subject string) bool {
	switch kind {
	case wire.KindUser:
		return h.allUser || h.user[strings.ToLower(subject)]
	case wire.KindGroupJoined, wire.KindGroupLeft:
		return h.kinds[kind] && (len(h.groupFilters) == 0 ||
			slices.ContainsFunc(h.groupFilters, func(p roles.Pattern) bool { return p.Match(subject) }))
	}
	return h.kinds[kind]
}

// describe says for each handler what it takes.
func (hs *Handlers) describe() []string {
	if hs == nil {
		return nil
	}
	texts := make([]string, len(hs.list))
	for i, h := range hs.list {
		texts[i] = displayTemplate(h.template) + " takes " + h.describe()
	}
	return texts
}

func (h *handler) describe() string {
	var takes []string
	for _, k := range slices.Concat(systemKinds, groupKinds) {
		if h.kinds[k.kind] {
			takes = append(takes, k.name)
		}
	}
	switch {
	case h.allUser:
		takes = append(takes, "all user events")
	case len(h.user) > 0:
		names := make([]string, 0, len(h.user))
		for name := range h.user {
			names = append(names, fmt.Sprintf("%q", name))
		}
		slices.Sort(names)
		takes = append(takes, "the user events "+strings.Join(names, " and "))
	}
	if len(takes) == 0 {
		return "nothing"
	}
	return strings.Join(takes, ", ")
}
