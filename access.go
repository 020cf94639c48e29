package webpubsub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// ClientAccessOptions say what a client may do that connects with a token. Nil
// is the same as a zero ClientAccessOptions: an anonymous client that can send
// events and receive messages, and no more.
type ClientAccessOptions struct {
	// UserID is the user that the connection belongs to. Empty means none.
	UserID string

	// Roles are what the client may do with groups, such as
	// [RoleJoinLeaveAnyGroup] or [RoleSendToGroup]("lobby").
	Roles []string

	// Groups are what the connection is a member of from the start. It needs
	// no role for these.
	Groups []string

	// Lifetime is for how long the token lets a client connect. An open
	// connection outlives it. 0 means one hour; the least is a second, and
	// where the service makes the token, whole minutes.
	Lifetime time.Duration

	// Protocol is what the client speaks.
	Protocol ClientProtocol
}

// A ClientProtocol is a family of protocols with an endpoint of its own.
type ClientProtocol string

// The protocols of clients.
const (
	// ClientProtocolDefault stands for all subprotocols of Web PubSub, and for
	// WebSocket clients without one.
	ClientProtocolDefault ClientProtocol = ""
	// ClientProtocolMQTT stands for MQTT over WebSocket.
	ClientProtocolMQTT ClientProtocol = "mqtt"
)

// ClientAccess lets one client in, or as many as get hold of it: treat it as a
// password. As JSON it has the members url, baseUrl and token.
type ClientAccess struct {
	// URL is what a client connects to: BaseURL with the token.
	URL string `json:"url"`
	// BaseURL is the WebSocket endpoint of the hub.
	BaseURL string `json:"baseUrl"`
	// Token is for clients that send it as a header.
	Token string `json:"token"`
}

// String returns the URL without the token.
func (a ClientAccess) String() string { return a.BaseURL }

// GoString keeps the token out of %#v.
func (a ClientAccess) GoString() string { return fmt.Sprintf("ClientAccess(%s)", a.BaseURL) }

// LogValue keeps the token out of logs.
func (a ClientAccess) LogValue() slog.Value { return slog.StringValue(a.BaseURL) }

// ClientAccessURL returns what a client needs to connect to the hub. With an
// access key the token is made here and nothing is sent; otherwise the service
// is asked for one, as with [Client.GenerateClientToken].
func (c *Client) ClientAccessURL(ctx context.Context, options *ClientAccessOptions) (*ClientAccess, error) {
	opts, err := options.checked()
	if err != nil {
		return nil, fmt.Errorf("webpubsub: ClientAccess: %w", err)
	}
	path := "/client/hubs/"
	if opts.Protocol == ClientProtocolMQTT {
		path = "/clients/mqtt/hubs/"
	}
	var token string
	if c.sign != nil {
		now := time.Now()
		token, err = c.sign(tokenClaims{
			Audience:  c.endpoint + path + c.hub,
			Subject:   opts.UserID,
			Roles:     opts.Roles,
			Groups:    opts.Groups,
			IssuedAt:  now.Unix(),
			ExpiresAt: now.Add(opts.Lifetime).Unix(),
		})
	} else {
		token, err = c.GenerateClientToken(ctx, options)
	}
	if err != nil {
		return nil, err
	}
	base := "ws" + strings.TrimPrefix(c.endpoint, "http") + path + escape(c.hub)
	return &ClientAccess{URL: base + "?access_token=" + escape(token), BaseURL: base, Token: token}, nil
}

// GenerateClientToken asks the service to make a token for a client. Most
// applications use [Client.ClientAccessURL], which does so only where it has to.
func (c *Client) GenerateClientToken(ctx context.Context, options *ClientAccessOptions) (string, error) {
	const name = "GenerateClientToken"
	opts, err := options.checked()
	if err == nil && opts.Lifetime%time.Minute != 0 {
		err = fmt.Errorf("option Lifetime is %v; the service makes tokens for whole minutes", opts.Lifetime)
	}
	clientType := "Default"
	if opts.Protocol == ClientProtocolMQTT {
		clientType = "MQTT"
	}
	a, err := c.do(ctx, &operation{
		name:   name,
		args:   err,
		method: http.MethodPost,
		path:   c.path() + "/:generateToken",
		query: newQuery().with("userId", opts.UserID).with("role", opts.Roles...).with("group", opts.Groups...).
			with("minutesToExpire", strconv.FormatInt(int64(opts.Lifetime/time.Minute), 10)).with("clientType", clientType),
		want:   http.StatusOK,
		limit:  maxTokenBody,
		repeat: true,
	})
	if err != nil {
		return "", err
	}
	var body struct{ Token string }
	if err := json.Unmarshal(a.body, &body); err != nil || !wire.ValidHeaderValue(body.Token) || body.Token == "" {
		return "", fmt.Errorf("webpubsub: %s: the answer has no token", name)
	}
	return body.Token, nil
}

const maxTokenBody = 1 << 20 // many groups and roles make a long token

// checked returns the options with defaults, or what is wrong with them.
func (o *ClientAccessOptions) checked() (ClientAccessOptions, error) {
	var opts ClientAccessOptions
	if o != nil {
		opts = *o
	}
	opts.Lifetime = cmp.Or(opts.Lifetime, time.Hour)
	if opts.Lifetime < time.Second {
		return opts, fmt.Errorf("option Lifetime is %v; a second is the least", opts.Lifetime)
	}
	switch opts.Protocol {
	case ClientProtocolDefault, ClientProtocolMQTT:
	default:
		return opts, fmt.Errorf("option Protocol is %.50q; there are %q and %q",
			string(opts.Protocol), string(ClientProtocolDefault), string(ClientProtocolMQTT))
	}
	for _, role := range opts.Roles {
		if err := checkRole(role); err != nil {
			return opts, err
		}
	}
	return opts, checkGroupNames(opts.Groups)
}

// Roles that are for every group. Without one a client cannot join, leave and
// publish; receiving messages, sending events, and being put into a group by
// the application need none.
const (
	// RoleJoinLeaveAnyGroup lets a client join and leave any group.
	RoleJoinLeaveAnyGroup = "webpubsub.joinLeaveGroup"
	// RoleSendToAnyGroup lets a client publish to any group, whether it is in
	// it or not.
	RoleSendToAnyGroup = "webpubsub.sendToGroup"
)

// The roles that are for a pattern, without it.
const (
	roleJoinLeaveGroups = "webpubsub.joinLeaveGroups"
	roleSendToGroups    = "webpubsub.sendToGroups"
)

// RoleJoinLeaveGroup returns the role to join and leave one group.
func RoleJoinLeaveGroup(group string) string { return RoleJoinLeaveAnyGroup + "." + group }

// RoleSendToGroup returns the role to publish to one group.
func RoleSendToGroup(group string) string { return RoleSendToAnyGroup + "." + group }

// RoleJoinLeaveGroups returns the role to join and leave the groups that match
// a pattern: ? is one character, * any number of them, neither of them a dot;
// ** crosses dots; \ takes away their meaning.
func RoleJoinLeaveGroups(pattern string) string { return roleJoinLeaveGroups + "." + pattern }

// RoleSendToGroups returns the role to publish to the groups that match a
// pattern, of the form that [RoleJoinLeaveGroups] has.
func RoleSendToGroups(pattern string) string { return roleSendToGroups + "." + pattern }

// checkRole finds roles that the service would take and that give nothing. It
// lets pass what it does not know: the service gets new ones.
func checkRole(role string) error {
	if strings.TrimSpace(role) == "" {
		return errors.New("a role is blank")
	}
	for _, known := range []string{RoleJoinLeaveAnyGroup, RoleSendToAnyGroup, roleJoinLeaveGroups, roleSendToGroups} {
		if role == known+"." {
			return fmt.Errorf("role %q: nothing follows the dot", role)
		}
	}
	if role == roleJoinLeaveGroups || role == roleSendToGroups {
		return fmt.Errorf("role %q: a pattern has to follow, as in %q", role, role+".room-*")
	}
	return nil
}
