package rest

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

const (
	maxTTLSeconds       = 300
	defaultTokenMinutes = 60

	// maxTokenMinutes is what fits into a time.Duration, about 292 years. The
	// service takes more, and nobody lives to see the difference.
	maxTokenMinutes = int(math.MaxInt64 / time.Minute)
)

// health says that the service is up.
func (h *handler) health(*request) (answer, error) { return done, nil }

// send delivers the body to all connections of a target, and it is no error if
// there are none. Only broadcasts and groups know excluded connections, and a
// single connection knows no filter.
func (h *handler) send(rq *request) (answer, error) {
	c := broker.Send{Target: rq.target()}
	seconds, err := rq.query.number("messageTtlSeconds", 0, maxTTLSeconds, 0)
	if err != nil {
		return answer{}, err
	}
	c.TTL = time.Duration(seconds) * time.Second
	if c.Target.Kind != broker.Connection {
		text, err := rq.query.text("filter")
		if err != nil {
			return answer{}, err
		}
		if c.Filter, err = parseFilter(text); err != nil {
			return answer{}, err
		}
	}
	if c.Target.Kind == broker.Everyone || c.Target.Kind == broker.Group {
		c.Excluded = rq.query.many("excluded")
	}
	if c.Message, err = h.message(rq); err != nil {
		return answer{}, err
	}
	return accepted, h.broker.Publish(rq.Context(), rq.hub, c)
}

// closeOne ends a connection.
func (h *handler) closeOne(rq *request) (answer, error) { return h.close(rq, nil) }

// closeMany ends the connections of a target.
func (h *handler) closeMany(rq *request) (answer, error) {
	return h.close(rq, rq.query.many("excluded"))
}

func (h *handler) close(rq *request, excluded []string) (answer, error) {
	reason, err := rq.query.text("reason")
	if err != nil {
		return answer{}, err
	}
	_, err = h.ask(rq, broker.Close{Target: rq.target(), Excluded: excluded, Reason: reason})
	return gone, err
}

// exists tells whether a target has connections.
func (h *handler) exists(rq *request) (answer, error) {
	target := rq.target()
	reply, err := h.ask(rq, broker.Count{Target: target})
	if err != nil || reply.Count > 0 {
		return done, err
	}
	switch target.Kind {
	case broker.Group:
		return answer{}, notExisted(codeNoGroup, "Group", target.Name)
	case broker.User:
		return answer{}, notExisted(codeNoUser, "User", target.Name)
	}
	return answer{}, notExisted(codeNoConnection, "Connection", target.Name)
}

// join adds a connection, or those of a user, to a group. A user without
// connections is no error.
func (h *handler) join(rq *request) (answer, error) {
	target := rq.target()
	reply, err := h.ask(rq, broker.Join{Target: target, Groups: []string{rq.group}})
	if err == nil && reply.Count == 0 && target.Kind == broker.Connection {
		return answer{}, notExisted(codeNoConnectionToJoin, "Connection", target.Name)
	}
	return done, err
}

// leave removes a connection, or those of a user, from a group, from all groups
// if the path names none.
func (h *handler) leave(rq *request) (answer, error) {
	c := broker.Leave{Target: rq.target()}
	if rq.group != "" {
		c.Groups = []string{rq.group}
	}
	_, err := h.ask(rq, c)
	return gone, err
}

// addToGroups adds all connections that meet a filter to groups.
func (h *handler) addToGroups(rq *request) (answer, error) {
	groups, filter, err := h.groups(rq)
	if err != nil {
		return answer{}, err
	}
	_, err = h.ask(rq, broker.Join{Groups: groups, Filter: filter})
	return done, err
}

// removeFromGroups removes all connections that meet a filter from groups.
func (h *handler) removeFromGroups(rq *request) (answer, error) {
	groups, filter, err := h.groups(rq)
	if err != nil {
		return answer{}, err
	}
	_, err = h.ask(rq, broker.Leave{Groups: groups, Filter: filter})
	return done, err
}

// groups reads the body that both have: {"groups": [...], "filter": "..."}. No
// filter, null and an empty one mean everybody; a misspelt one must not, so
// other members are refused.
func (h *handler) groups(rq *request) ([]string, *odata.Filter, error) {
	if dataType, _, err := readContentType(rq.Header); err == nil && dataType != wire.DataJSON {
		return nil, nil, unsupported("Content-Type", "The Content-Type is not supported: want application/json.")
	}
	data, err := h.data(rq)
	if err != nil {
		return nil, nil, err
	}
	var body *struct{ Groups, Filter json.RawMessage }
	d := json.NewDecoder(bytes.NewReader(data.Bytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body == nil {
		return nil, nil, badRequest("body", `The request body must be a JSON object with no members but "groups" and "filter".`)
	}
	var groups []string
	if body.Groups == nil || json.Unmarshal(body.Groups, &groups) != nil || len(groups) == 0 {
		return nil, nil, badRequest("groups", "Invalid groups: want a JSON array of one or more group names.")
	}
	for _, group := range groups {
		if err := checkGroup("groups", group); err != nil {
			return nil, nil, err
		}
	}
	var text string
	if body.Filter != nil && json.Unmarshal(body.Filter, &text) != nil {
		return nil, nil, badRequest("filter", "Invalid filter: want a JSON string.")
	}
	filter, err := parseFilter(text)
	return groups, filter, err
}

// checkPermission tells whether a connection has a permission for a group. The
// service has one answer for "no" and for "no such connection".
func (h *handler) checkPermission(rq *request) (answer, error) {
	group, err := targetName(rq)
	if err != nil {
		return answer{}, err
	}
	reply, err := h.ask(rq, broker.Permitted{ConnectionID: rq.connection, Permission: rq.permission, Group: group})
	if err == nil && reply.Count == 0 {
		return answer{}, notExisted(codeNoConnectionPermission, "Connection", rq.connection)
	}
	return done, err
}

// grantPermission gives a connection a permission for a group.
func (h *handler) grantPermission(rq *request) (answer, error) {
	group, err := targetName(rq)
	if err != nil {
		return answer{}, err
	}
	reply, err := h.ask(rq, broker.Grant{ConnectionID: rq.connection, Permission: rq.permission, Group: group})
	switch {
	case err != nil:
		return answer{}, err
	case reply.Full:
		return answer{}, tooManyPermissions(rq.connection)
	case reply.Count == 0:
		return answer{}, notExisted(codeNoConnectionPermission, "Connection", rq.connection)
	}
	return done, nil
}

// revokePermission takes a permission for a group from a connection, and it is
// no error if there is no such. What was taken has to be remembered, so a
// connection can have lost too many.
func (h *handler) revokePermission(rq *request) (answer, error) {
	group, err := targetName(rq)
	if err != nil {
		return answer{}, err
	}
	reply, err := h.ask(rq, broker.Revoke{ConnectionID: rq.connection, Permission: rq.permission, Group: group})
	if err == nil && reply.Full {
		return answer{}, tooManyPermissions(rq.connection)
	}
	return gone, err
}

// targetName reads the group that a permission is about.
func targetName(rq *request) (string, error) {
	group, err := rq.query.text("targetName")
	if err != nil {
		return "", err
	}
	return group, checkGroup("targetName", group)
}

// generateToken makes an access token for a client.
func (h *handler) generateToken(rq *request) (answer, error) {
	o := TokenOptions{Roles: rq.query.many("role"), Groups: rq.query.many("group")}
	var err error
	if o.UserID, err = rq.query.text("userId"); err != nil {
		return answer{}, err
	}
	for _, group := range o.Groups {
		if err := checkGroup("group", group); err != nil {
			return answer{}, err
		}
	}
	minutes, err := rq.query.number("minutesToExpire", 1, math.MaxInt32, defaultTokenMinutes)
	if err != nil {
		return answer{}, err
	}
	o.Lifetime = time.Duration(min(minutes, maxTokenMinutes)) * time.Minute
	clientType, err := rq.query.text("clientType")
	switch {
	case err != nil:
		return answer{}, err
	case strings.EqualFold(clientType, "MQTT"):
		return answer{}, badRequest("clientType", "This service has no MQTT clients: want Default.")
	case clientType != "" && !strings.EqualFold(clientType, "Default"):
		return answer{}, badRequest("clientType", "Invalid clientType: want Default.")
	}
	token, err := h.issue(rq.Request, rq.hub, o)
	if err != nil {
		return answer{}, err
	}
	return answer{status: done.status, body: tokenBody{token}}, nil
}

type tokenBody struct {
	Token string `json:"token"`
}

func (h *handler) ask(rq *request, c broker.Command) (broker.Reply, error) {
	return h.broker.Ask(rq.Context(), rq.hub, c)
}
