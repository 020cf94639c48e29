package upstreamtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A validator is made of functions; nil ones are those of an
// AccessKeyValidator for the kit's connection string.
type validator struct {
	upstream.RequestValidator
	validate func(*upstream.ConnectionContext) error
	allows   func(host string) bool
}

func (v validator) Validate(ctx context.Context, c *upstream.ConnectionContext) error {
	if v.validate == nil {
		return v.RequestValidator.Validate(ctx, c)
	}
	return v.validate(c)
}

func (v validator) AllowsOrigin(host string) bool {
	if v.allows == nil {
		return v.RequestValidator.AllowsOrigin(host)
	}
	return v.allows(host)
}

func newAccessKeyValidator(t *testing.T, connectionStrings ...string) *upstream.AccessKeyValidator {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator(connectionStrings...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func bearer(c *upstream.ConnectionContext) error {
	if c.Header.Get("Authorization") != "Bearer good" {
		return errors.New("no valid token")
	}
	return nil
}

func TestTestValidator(t *testing.T) {
	keys := newAccessKeyValidator(t, upstreamtest.ConnectionString)
	withToken := upstreamtest.Event{Header: http.Header{"Authorization": {"Bearer good"}}}
	withToken.Header["Ce-Signature"] = nil
	tests := []struct {
		name     string
		v        upstream.RequestValidator
		accepted upstreamtest.Event
	}{
		{"access key", keys, upstreamtest.Event{}},
		{
			"two keys, two hosts",
			newAccessKeyValidator(t, "Endpoint=https://a.example;AccessKey=k1", "Endpoint=https://b.example;AccessKey=k2"),
			upstreamtest.Event{Keys: []string{"k1", "k2"}, Origins: []string{"A.example", "b.example:443"}, ConnectionID: "c"},
		},
		{"token", validator{keys, bearer, nil}, withToken},
		{"token, beside a signature", validator{keys, bearer, nil}, upstreamtest.Event{Header: http.Header{"Authorization": {"Bearer good"}}}},
		{"both", upstream.ValidateAll(keys, validator{keys, bearer, nil}), upstreamtest.Event{Header: http.Header{"Authorization": {"Bearer good"}}}},
		{"by origin", upstream.ValidateByOrigin(keys), upstreamtest.Event{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { upstreamtest.TestValidator(t, tt.v, tt.accepted) })
	}
}

// TestTestValidatorFinds gives it validators that each make one mistake.
func TestTestValidatorFinds(t *testing.T) {
	keys := newAccessKeyValidator(t, upstreamtest.ConnectionString)
	valid := func(c *upstream.ConnectionContext) error { return keys.Validate(context.Background(), c) }
	withToken := upstreamtest.Event{Header: http.Header{"Authorization": {"Bearer good"}}}
	tests := []struct {
		name     string
		v        upstream.RequestValidator
		accepted upstreamtest.Event
		want     []string // of the lines, each has one of these, and all are found
	}{
		{"prefix of hosts", validator{keys, nil, func(h string) bool { return strings.HasPrefix(h, "localhost") }}, upstreamtest.Event{}, []string{
			`AllowsOrigin("localhost.attacker.example") = true`, `AllowsOrigin("localhostx") = true`,
		}},
		{"suffix of hosts", validator{keys, nil, func(h string) bool { return strings.HasSuffix(h, "localhost") }}, upstreamtest.Event{}, []string{
			`AllowsOrigin("xlocalhost") = true`, `AllowsOrigin("x.localhost") = true`,
		}},
		{"part of the host", validator{keys, nil, func(h string) bool { return strings.HasPrefix("localhost", h) && h != "" }}, upstreamtest.Event{}, []string{
			`AllowsOrigin("localhos") = true`,
		}},
		{"no host", validator{keys, nil, func(string) bool { return false }}, upstreamtest.Event{}, []string{`AllowsOrigin("localhost") = false`}},
		{"everybody", upstream.InsecureSkipValidation(), upstreamtest.Event{}, []string{
			`AllowsOrigin("") = true`, `AllowsOrigin("*") = true`, `AllowsOrigin("attacker.example") = true`, "AllowsOrigin(",
			"Validate accepted an event without any proof", "Validate accepted an event without anything",
		}},
		{"nobody", validator{keys, func(*upstream.ConnectionContext) error { return errors.New("no") }, nil}, upstreamtest.Event{}, []string{
			"Validate refused the accepted event: no",
		}},
		{"any signature", validator{keys, func(c *upstream.ConnectionContext) error {
			if c.Signature == "" {
				return errors.New("no")
			}
			return nil
		}, nil}, upstreamtest.Event{}, []string{
			"a signature of another connection", "a signature of no connection", "a signature with another key",
			"a signature with an empty key", "a signature that is cut short", "a signature that is no more than its prefix",
		}},
		{"the start of a signature", validator{keys, func(c *upstream.ConnectionContext) error {
			if c.Signature == "" || !strings.HasPrefix(upstreamtest.NewRequest(upstreamtest.Event{ConnectionID: c.ConnectionID}).Header.Get("ce-signature"), c.Signature) {
				return errors.New("no")
			}
			return nil
		}, nil}, upstreamtest.Event{}, []string{"a signature that is cut short", "a signature that is no more than its prefix"}},
		{"a signature of nothing", validator{keys, func(c *upstream.ConnectionContext) error {
			if c.Signature != wire.Sign(c.ConnectionID, upstreamtest.AccessKey) {
				return errors.New("no")
			}
			return nil
		}, nil}, upstreamtest.Event{}, []string{"Validate accepted a signature of no connection"}},
		{"any token", validator{keys, func(c *upstream.ConnectionContext) error {
			if c.Header.Get("Authorization") == "" {
				return errors.New("no")
			}
			return nil
		}, nil}, withToken, []string{"a token that something was added to"}},
		{"a leak of the signature", validator{keys, func(c *upstream.ConnectionContext) error {
			if err := valid(c); err != nil {
				return fmt.Errorf("want %s", upstreamtest.NewRequest(upstreamtest.Event{}).Header.Get("ce-signature"))
			}
			return nil
		}, nil}, upstreamtest.Event{}, []string{"its error repeats a secret"}},
		{"a leak of the token", validator{keys, func(c *upstream.ConnectionContext) error {
			if err := bearer(c); err != nil {
				return fmt.Errorf("bad token %s", c.Header.Get("Authorization"))
			}
			return nil
		}, nil}, withToken, []string{"refused a token that something was added to, but its error repeats a secret"}},
		{"a change", validator{keys, func(c *upstream.ConnectionContext) error {
			defer c.Header.Del("ce-signature")
			return valid(c)
		}, nil}, upstreamtest.Event{}, []string{"changed the headers"}},
		{"an event that is none", keys, upstreamtest.Event{Type: "a.b"}, []string{"not even well-formed"}},
		{"an origin that is none", keys, upstreamtest.Event{Origins: []string{"localhost", "http://localhost"}}, []string{"is no bare host"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := report(t, func(tb testing.TB) { upstreamtest.TestValidator(tb, tt.v, tt.accepted) }).lines
			for _, want := range tt.want {
				if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
					t.Errorf("did not find %q", want)
				}
			}
			for _, line := range got {
				if !slices.ContainsFunc(tt.want, func(want string) bool { return strings.Contains(line, want) }) {
					t.Errorf("found too much: %q", line)
				}
			}
		})
	}
}
