package rest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The versions of the API, the latest last. They differ in what they offer, and
// what they have in common is the same, so all are served alike.
var versions = []string{"2021-10-01", "2022-11-01", "2023-07-01", "2024-01-01", "2024-12-01"}

var supportedVersions = strings.Join(versions, ", ")

// A request is one for an operation about a hub.
type request struct {
	*http.Request
	w       http.ResponseWriter
	query   query
	version string

	// The names in the path, empty if it has no such. The hub is in lower case.
	hub, group, user, connection string
	permission                   roles.Permission
}

// bind checks the names in the path and keeps them.
func (rq *request) bind(names map[string]string) error {
	hub := names["hub"]
	if !wire.ValidHub(hub) {
		return badRequest("hub", "Invalid hub name: want an ASCII letter and up to 127 ASCII letters, digits and any of _ ` , . [ ]")
	}
	rq.hub = strings.ToLower(hub)
	rq.user, rq.connection = names["user"], names["connection"]
	if group, ok := names["group"]; ok {
		if err := checkGroup("group", group); err != nil {
			return err
		}
		rq.group = group
	}
	if name, ok := names["permission"]; ok {
		if rq.permission, ok = parsePermission(name); !ok {
			return badRequest("permission", "Invalid permission: want sendToGroup or joinLeaveGroup.")
		}
	}
	return nil
}

// target is whom the operation is about: what the path names most closely.
func (rq *request) target() broker.Target {
	switch {
	case rq.connection != "":
		return broker.Target{Kind: broker.Connection, Name: rq.connection}
	case rq.user != "":
		return broker.Target{Kind: broker.User, Name: rq.user}
	case rq.group != "":
		return broker.Target{Kind: broker.Group, Name: rq.group}
	}
	return broker.Target{Kind: broker.Everyone}
}

// checkGroup reports a group name that cannot be one.
func checkGroup(target, name string) error {
	if !wire.ValidGroup(name) {
		return badRequest(target, "Invalid group name: want 1 to 1024 characters, not all of them white space.")
	}
	return nil
}

// parsePermission reads a permission, which may also be the number that it has
// in the SDK for .NET.
func parsePermission(name string) (roles.Permission, bool) {
	switch name {
	case "1":
		return roles.SendToGroup, true
	case "2":
		return roles.JoinLeaveGroup, true
	}
	return roles.ParsePermission(name)
}

// parseFilter reads a filter. An empty one is none.
func parseFilter(text string) (*odata.Filter, error) {
	filter, err := odata.Parse(text)
	if err != nil {
		return nil, badRequest("filter", "%v", err)
	}
	return filter, nil
}

// query holds the parameters behind the question mark by their names in lower
// case: the service knows them without regard to it.
type query map[string][]string

func parseQuery(raw string) (query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("query", "The query is not well-formed: want name=value pairs, percent-encoded and separated by &.")
	}
	q := make(query, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		key := strings.ToLower(name)
		q[key] = append(q[key], values[name]...)
		if slices.ContainsFunc(values[name], func(v string) bool { return !utf8.ValidString(v) }) {
			return nil, badRequest("query", "The query is not percent-encoded UTF-8.")
		}
	}
	return q, nil
}

// one returns a parameter that may be given once.
func (q query) one(name string) (value string, given bool, err error) {
	values := q[strings.ToLower(name)]
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", true, badRequest(name, "Invalid %s: it is given %d times.", name, len(values))
}

// text returns a parameter that may be given once, and is empty otherwise.
func (q query) text(name string) (string, error) {
	value, _, err := q.one(name)
	return value, err
}

// many returns a parameter that may be repeated.
func (q query) many(name string) []string { return q[strings.ToLower(name)] }

// number returns a number from low to high, or unset.
func (q query) number(name string, low, high, unset int) (int, error) {
	value, given, err := q.one(name)
	if err != nil || !given {
		return unset, err
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, badRequest(name, "Invalid %s: want a number from %d to %d.", name, low, high)
	}
	return n, nil
}

// version returns the version that is asked for, the latest if none is.
func (q query) version() (string, error) {
	const name = "api-version"
	version, given, err := q.one(name)
	switch {
	case err != nil:
		return "", err
	case !given:
		return versions[len(versions)-1], nil
	case !slices.Contains(versions, version):
		return "", badRequest(name, "The specified api-version is not supported: want one of %s.", supportedVersions)
	}
	return version, nil
}
