package access_test

import (
	"net/http/httptest"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

func TestVerifyREST(t *testing.T) {
	const (
		send    = "/api/hubs/chat/:send?api-version=2024-12-01"
		group   = "/api/hubs/chat/groups/my%20group/:send?api-version=2024-12-01&filter=userId%20eq%20%27a%27"
		slashed = "/api/hubs/chat/users/a%2Fb"
	)
	tests := []struct {
		target, audience string
		ok               bool
	}{
		// What SDKs sign.
		{send, "http://localhost:8080/api/hubs/chat/:send?api-version=2024-12-01", true},
		{send, "https://demo.example/api/hubs/chat/:send?api-version=2024-12-01", true},
		{send, "WSS://DEMO.EXAMPLE:443/api/hubs/chat/:send?api-version=2024-12-01", true},
		{send, "ws://localhost:8080/api/hubs/chat/:send", true},

		// The start of the URL.
		{send, "http://localhost:8080/api/hubs/chat/:send?", true},
		{send, "http://localhost:8080/api/hubs/chat", true},
		{send, "http://localhost:8080/api/hubs/chat/", true},
		{send, "http://localhost:8080/api", true},
		{send, "http://localhost:8080/", true},
		{send, "http://localhost:8080", true},
		{send, "http://localhost:8080/api/hubs/cha", false},
		{send, "http://localhost:8080/api/hubs/chat/:sen", false},
		{send, "http://localhost:8080/api/hubs/chat/:send?api-version", false},
		{send, "http://localhost:8080/api/hubs/chat/:send?api-version=2024-12-01&a=b", false},
		{send, "http://localhost:8080/api/hubs/chat/:send/", false},
		{send, "http://localhost:8080/api/hubs/chat?api-version=2024-12-01", false},
		{send, "http://localhost:8080/api/hubs/Chat/:send", false},
		{send, "http://localhost:8080/api/hubs/other/:send", false},
		{send, "http://localhost:8080/client/hubs/chat", false},
		{"/api/hubs/chat", "http://localhost:8080/api/hubs/chat?a=b", false},
		{"/api/hubs/chat?a=b/c", "http://localhost:8080/api/hubs/chat?a=b", false},

		// Encoding.
		{group, "http://localhost:8080" + group, true},
		{group, "http://localhost:8080/api/hubs/chat/groups/my%20group/:send?api-version=2024-12-01&filter=userId%20eq%20'a'", true},
		{group, "http://localhost:8080/api/hubs/chat/groups/my group/:send", true},
		{group, "http://localhost:8080/api/hubs/chat/groups/my group", true},
		{group, "http://localhost:8080/api/hubs/chat/groups/my%2520group/:send", false},
		{group, "http://localhost:8080/api/hubs/chat/groups/my%20group/:send?api-version=2024-12-01&filter=userId%20eq%20'b'", false},
		{group, "http://localhost:8080/api/hubs/chat/groups/my%20group/:send?%", false},
		{slashed, "http://localhost:8080/api/hubs/chat/users/a%2Fb", true},
		{slashed, "http://localhost:8080/api/hubs/chat/users/a/b", true},
		{slashed, "http://localhost:8080/api/hubs/chat/users/a%2fb", false},

		// Hosts and schemes.
		{send, "http://localhost:8081/api/hubs/chat/:send", false},
		{send, "http://localhost:8080.evil.example/api/hubs/chat/:send", false},
		{send, "http://localhost:8080@evil.example/api/hubs/chat/:send", false},
		{send, "https://webpubsub.azure.com", false},
		{send, "localhost:8080/api/hubs/chat/:send", false},
		{send, "file://localhost:8080/api/hubs/chat/:send", false},
		{send, "/api/hubs/chat/:send", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", tt.target, nil)
		err := keys.VerifyREST(sign(t, secondary, tt.audience, access.SignOptions{}), hosts, r.URL)
		if !tt.ok {
			refused(t, err, "audience", "http(s)://localhost:8080"+r.URL.EscapedPath())
		} else if err != nil {
			t.Errorf("%s for %s: %v", tt.audience, tt.target, err)
		}
	}
}

func TestVerifyRESTRefusesTokens(t *testing.T) {
	u := httptest.NewRequest("POST", "/api/hubs/chat/:send", nil).URL
	target := "http://localhost:8080" + u.Path
	tests := []struct{ name, token, want string }{
		{"none", "", "no token"},
		{"foreign", sign(t, foreign, target, access.SignOptions{}), "another key"},
		{"expired", sign(t, primary, target, access.SignOptions{Lifetime: -2 * access.Leeway}), "expired 10m"},
		{"no exp", hs256(`{"aud":"` + target + `"}`), "no exp claim"},
		{"Entra", encode(`{"alg":"RS256"}`, `{"aud":"https://webpubsub.azure.com","exp":9999999999}`, primary), "RS256"},
		{"a client's", sign(t, primary, audience, access.SignOptions{}), "audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, keys.VerifyREST(tt.token, hosts, u), tt.want)
		})
	}
}
