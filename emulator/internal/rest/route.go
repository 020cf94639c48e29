package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// An operation is what a method and a path ask for.
type operation struct {
	method string
	path   string // segments in braces are names
	run    func(*handler, *request) (answer, error)

	// public operations need no token and have no version.
	public bool

	segments []string
}

// operations are all there are.
var operations = compile([]operation{
	{method: http.MethodHead, path: "/api/health", run: (*handler).health, public: true},

	{method: http.MethodPost, path: "/api/hubs/{hub}/:send", run: (*handler).send},
	{method: http.MethodPost, path: "/api/hubs/{hub}/:closeConnections", run: (*handler).closeMany},
	{method: http.MethodPost, path: "/api/hubs/{hub}/:addToGroups", run: (*handler).addToGroups},
	{method: http.MethodPost, path: "/api/hubs/{hub}/:removeFromGroups", run: (*handler).removeFromGroups},
	{method: http.MethodPost, path: "/api/hubs/{hub}/:generateToken", run: (*handler).generateToken},

	{method: http.MethodHead, path: "/api/hubs/{hub}/connections/{connection}", run: (*handler).exists},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/connections/{connection}", run: (*handler).closeOne},
	{method: http.MethodPost, path: "/api/hubs/{hub}/connections/{connection}/:send", run: (*handler).send},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/connections/{connection}/groups", run: (*handler).leave},

	{method: http.MethodHead, path: "/api/hubs/{hub}/groups/{group}", run: (*handler).exists},
	{method: http.MethodPost, path: "/api/hubs/{hub}/groups/{group}/:send", run: (*handler).send},
	{method: http.MethodPost, path: "/api/hubs/{hub}/groups/{group}/:closeConnections", run: (*handler).closeMany},
	{method: http.MethodGet, path: "/api/hubs/{hub}/groups/{group}/connections", run: (*handler).list},
	{method: http.MethodPut, path: "/api/hubs/{hub}/groups/{group}/connections/{connection}", run: (*handler).join},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/groups/{group}/connections/{connection}", run: (*handler).leave},

	{method: http.MethodHead, path: "/api/hubs/{hub}/users/{user}", run: (*handler).exists},
	{method: http.MethodPost, path: "/api/hubs/{hub}/users/{user}/:send", run: (*handler).send},
	{method: http.MethodPost, path: "/api/hubs/{hub}/users/{user}/:closeConnections", run: (*handler).closeMany},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/users/{user}/groups", run: (*handler).leave},
	{method: http.MethodPut, path: "/api/hubs/{hub}/users/{user}/groups/{group}", run: (*handler).join},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/users/{user}/groups/{group}", run: (*handler).leave},

	{method: http.MethodHead, path: "/api/hubs/{hub}/permissions/{permission}/connections/{connection}", run: (*handler).checkPermission},
	{method: http.MethodPut, path: "/api/hubs/{hub}/permissions/{permission}/connections/{connection}", run: (*handler).grantPermission},
	{method: http.MethodDelete, path: "/api/hubs/{hub}/permissions/{permission}/connections/{connection}", run: (*handler).revokePermission},
})

func compile(ops []operation) []operation {
	for i := range ops {
		ops[i].segments = strings.Split(ops[i].path, "/")
	}
	return ops
}

// maxSegments is one more than the longest path has, to tell a longer one.
const maxSegments = 9

// match finds the operation for a method and a path as it was sent, and the
// names in the path.
func match(method, escapedPath string) (*operation, map[string]string, error) {
	segments := strings.SplitN(escapedPath, "/", maxSegments)
	for i, s := range segments {
		decoded, ok := decodeSegment(s)
		if !ok {
			return nil, nil, badRequest("path", "The path is not percent-encoded UTF-8.")
		}
		segments[i] = decoded
	}
	var allowed []string
	for i := range operations {
		op := &operations[i]
		names, ok := op.match(segments)
		if !ok {
			continue
		}
		if op.method == method {
			return op, names, nil
		}
		allowed = append(allowed, op.method)
	}
	if allowed == nil {
		return nil, nil, unknownPath()
	}
	slices.Sort(allowed)
	return nil, nil, wrongMethod(allowed)
}

// match compares a path with the operation's. A name has at least one
// character.
func (op *operation) match(segments []string) (names map[string]string, ok bool) {
	if len(segments) != len(op.segments) {
		return nil, false
	}
	names = make(map[string]string)
	for i, want := range op.segments {
		name, isName := strings.CutPrefix(want, "{")
		switch {
		case !isName && segments[i] != want, isName && segments[i] == "":
			return nil, false
		case isName:
			names[strings.TrimSuffix(name, "}")] = segments[i]
		}
	}
	return names, true
}

// encodedSlashes protects encoded slashes from being decoded.
var encodedSlashes = strings.NewReplacer("%2F", "%252F", "%2f", "%252f")

// decodeSegment decodes one segment of a path, once. The service does not
// decode a slash: %2F stays as it is, whoever has %2F in a name sends %252F,
// and a name with a slash cannot be said. A plus is a plus.
func decodeSegment(s string) (decoded string, ok bool) {
	decoded, err := url.PathUnescape(encodedSlashes.Replace(s))
	return decoded, err == nil && utf8.ValidString(decoded)
}
