package webpubsub_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// Wrong arguments are errors that say so, and nothing is sent.
func TestArguments(t *testing.T) {
	send := func(m webpubsub.Message, options *webpubsub.SendOptions) do {
		return func(ctx context.Context, c *webpubsub.Client) error { return c.SendToAll(ctx, m, options) }
	}
	metadata := func(m map[string]string) webpubsub.Message { return webpubsub.Message{Metadata: m} }
	access := func(options webpubsub.ClientAccessOptions) do {
		return func(ctx context.Context, c *webpubsub.Client) error {
			_, err := c.ClientAccessURL(ctx, &options)
			return err
		}
	}
	hello := webpubsub.Text("hello")
	tests := []struct {
		name string
		do   do
		want string
	}{
		{"empty connection", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToConnection(ctx, "", hello, nil)
		}, "SendToConnection: the connection id is empty"},
		{"empty user", func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddUserToGroup(ctx, "", "g")
		}, "AddUserToGroup: the user id is empty"},
		{"blank group", func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddUserToGroup(ctx, "bob", " \t")
		}, "AddUserToGroup: a group name is blank"},
		{"long group", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToGroup(ctx, strings.Repeat("é", 1025), hello, nil)
		}, "more than 1024 characters"},
		{"parent group", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToGroup(ctx, "..", hello, nil)
		}, `the group name ".." cannot be addressed`},
		{"this user", func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseUserConnections(ctx, ".", nil)
		}, `the user id "." cannot be addressed`},
		{"no groups", func(ctx context.Context, c *webpubsub.Client) error {
			return c.AddConnectionsToGroups(ctx, nil, "")
		}, "AddConnectionsToGroups: there are no groups"},
		{"one blank group", func(ctx context.Context, c *webpubsub.Client) error {
			return c.RemoveConnectionsFromGroups(ctx, []string{"a", ""}, "")
		}, "a group name is blank"},
		{"permission", func(ctx context.Context, c *webpubsub.Client) error {
			return c.GrantPermission(ctx, "c1", "dance", "g")
		}, `permission "dance": there are "joinLeaveGroup" and "sendToGroup"`},
		{"permission for no group", func(ctx context.Context, c *webpubsub.Client) error {
			_, err := c.HasPermission(ctx, "c1", webpubsub.PermissionSendToGroup, "")
			return err
		}, "HasPermission: a group name is blank"},

		{"negative TTL", send(hello, &webpubsub.SendOptions{TTL: -1}), "option TTL is -1ns"},
		{"long TTL", send(hello, &webpubsub.SendOptions{TTL: 301 * time.Second}), "option TTL is 5m1s"},
		{"TTL with fraction", send(hello, &webpubsub.SendOptions{TTL: 1500 * time.Millisecond}), "whole seconds from 0 to 300"},
		{"empty excluded", send(hello, &webpubsub.SendOptions{Excluded: []string{""}}), "Excluded has an empty connection id"},
		{"user with excluded", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToUser(ctx, "bob", hello, &webpubsub.SendOptions{Excluded: []string{"c1"}})
		}, "Excluded is possible for SendToAll and SendToGroup only"},
		{"connection with excluded", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToConnection(ctx, "c1", hello, &webpubsub.SendOptions{Excluded: []string{"c1"}})
		}, "Excluded is possible"},
		{"connection with filter", func(ctx context.Context, c *webpubsub.Client) error {
			return c.SendToConnection(ctx, "c1", hello, &webpubsub.SendOptions{Filter: "x"})
		}, "Filter is not possible for a single connection"},
		{"close connection with excluded", func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseConnection(ctx, "c1", &webpubsub.CloseOptions{Excluded: []string{"c1"}})
		}, "Excluded is not possible"},
		{"close with empty excluded", func(ctx context.Context, c *webpubsub.Client) error {
			return c.CloseAllConnections(ctx, &webpubsub.CloseOptions{Excluded: []string{"a", ""}})
		}, "Excluded has an empty"},

		{"content type", send(webpubsub.Message{ContentType: "image/png"}, nil), `content type "image/png": the service takes text/plain`},
		{"charset", send(webpubsub.Message{ContentType: "text/plain; charset=latin1"}, nil), "UTF-8 only"},
		{"broken JSON", send(webpubsub.Message{Data: []byte("{"), ContentType: "application/json"}, nil), "not valid JSON"},
		{"no JSON", send(webpubsub.Message{ContentType: "application/json"}, nil), "not valid JSON"},
		{"metadata key", send(metadata(map[string]string{"a b": "x"}), nil), "metadata cannot travel"},
		{"metadata with comma", send(metadata(map[string]string{"a": "x,y"}), nil), "metadata cannot travel"},
		{"metadata with line break", send(metadata(map[string]string{"a": "x\r\nHost: evil.test"}), nil), "metadata cannot travel"},
		{"long metadata key", send(metadata(map[string]string{strings.Repeat("k", 257): ""}), nil), "at most 256 bytes"},
		{"long metadata value", send(metadata(map[string]string{"k": strings.Repeat("v", 1025)}), nil), "at most 1024"},
		{"same metadata keys", send(metadata(map[string]string{"Color": "", "color": ""}), nil), "differ in case only"},

		{"page size", list(&webpubsub.GroupConnectionsOptions{PageSize: 201}), "GroupConnections: option PageSize is 201"},
		{"negative page size", list(&webpubsub.GroupConnectionsOptions{PageSize: -1}), "PageSize is -1"},
		{"negative limit", list(&webpubsub.GroupConnectionsOptions{Limit: -1}), "Limit is -1"},

		{"blank role", access(webpubsub.ClientAccessOptions{Roles: []string{" "}}), "ClientAccess: a role is blank"},
		{"role of no group", access(webpubsub.ClientAccessOptions{Roles: []string{webpubsub.RoleSendToGroup("")}}), "nothing follows the dot"},
		{"role without pattern", access(webpubsub.ClientAccessOptions{Roles: []string{"webpubsub.sendToGroups"}}), "a pattern has to follow"},
		{"blank initial group", access(webpubsub.ClientAccessOptions{Groups: []string{""}}), "a group name is blank"},
		{"short life", access(webpubsub.ClientAccessOptions{Lifetime: time.Millisecond}), "option Lifetime is 1ms"},
		{"negative life", access(webpubsub.ClientAccessOptions{Lifetime: -time.Hour}), "option Lifetime is -1h"},
		{"protocol", access(webpubsub.ClientAccessOptions{Protocol: "smtp"}), `option Protocol is "smtp"`},
		{"no whole minutes", func(ctx context.Context, c *webpubsub.Client) error {
			_, err := c.GenerateClientToken(ctx, &webpubsub.ClientAccessOptions{Lifetime: 90 * time.Second})
			return err
		}, "whole minutes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(status(202, ""))
			err := tt.do(t.Context(), s.client(t, nil))
			if err == nil || !strings.HasPrefix(err.Error(), "webpubsub: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
			if len(s.requests) > 0 {
				t.Error("a request was sent")
			}
		})
	}
}

func list(options *webpubsub.GroupConnectionsOptions) do {
	return func(ctx context.Context, c *webpubsub.Client) error {
		for _, err := range c.GroupConnections(ctx, "lobby", options) {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// What is sent of messages that are made by hand or need a repair.
func TestMessages(t *testing.T) {
	tests := []struct {
		name              string
		message           webpubsub.Message
		contentType, body string
	}{
		{"zero", webpubsub.Message{}, "application/octet-stream", ""},
		{"empty text", webpubsub.Text(""), "text/plain", ""},
		{"content type with parameters", webpubsub.Message{Data: []byte("x"), ContentType: "Text/Plain; charset=UTF-8"}, "text/plain", "x"},
		{"broken text", webpubsub.Text("a\xffb"), "text/plain", "a\uFFFDb"},
		{"broken text in JSON", webpubsub.Message{Data: []byte("\"\xff\""), ContentType: "application/json"}, "application/json", "\"\uFFFD\""},
		{"JSON null", mustJSON(t, nil), "application/json", "null"},
		{"JSON as it is", mustJSON(t, "</script>"), "application/json", `"</script>"`},
	}
	for _, tt := range tests {
		s := answering(status(202, ""))
		if err := s.client(t, nil).SendToAll(t.Context(), tt.message, nil); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := s.requests[0].Header.Get("Content-Type"); got != tt.contentType || s.bodies[0] != tt.body {
			t.Errorf("%s: got %q of type %q, want %q of type %q", tt.name, s.bodies[0], got, tt.body, tt.contentType)
		}
	}
	if _, err := webpubsub.JSON(make(chan int)); err == nil {
		t.Error("JSON takes a channel")
	}
}
