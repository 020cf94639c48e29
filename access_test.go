package webpubsub_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// The tokens were made with another implementation (jsonwebtoken for Node.js)
// for the time at which a bubble starts, 2000-01-01T00:00:00Z.
func TestTokenVectors(t *testing.T) {
	const header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
	tests := []struct {
		name    string
		options *webpubsub.ClientAccessOptions
		baseURL string
		token   string
	}{
		{
			"anonymous", nil, "ws://localhost:8080/client/hubs/chat",
			header + "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvY2hhdCIsImlhdCI6OTQ2Njg0ODAwLCJleHAiOjk0NjY4ODQwMH0" +
				".6tHKzrQTLUBTBwq6K0Oxy0BtNpy9XhZBoeyQ0G_nJfg",
		},
		{
			"all of it", &webpubsub.ClientAccessOptions{
				UserID:   "Zoë <&>",
				Roles:    []string{webpubsub.RoleSendToGroup("lobby"), webpubsub.RoleJoinLeaveAnyGroup},
				Groups:   []string{"lobby", "a/b"},
				Lifetime: 90 * time.Second,
				Protocol: webpubsub.ClientProtocolMQTT,
			}, "ws://localhost:8080/clients/mqtt/hubs/chat",
			header + "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50cy9tcXR0L2h1YnMvY2hhdCIsInN1YiI6Ilpvw6sgPCY-Iiwicm9sZSI6WyJ3ZWJwdWJzdWIuc2VuZFRvR3JvdXAubG9iYnkiLCJ3ZWJwdWJzdWIuam9pbkxlYXZlR3JvdXAiXSwid2VicHVic3ViLmdyb3VwIjpbImxvYmJ5IiwiYS9iIl0sImlhdCI6OTQ2Njg0ODAwLCJleHAiOjk0NjY4NDg5MH0" +
				".I98LBPA9WXscCricAs5OTLRR3KtDGCBzWO1zQFdOQbE",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := answering(status(500, ""))
				got, err := s.client(t, nil).ClientAccessURL(t.Context(), tt.options)
				if err != nil {
					t.Fatal(err)
				}
				want := webpubsub.ClientAccess{URL: tt.baseURL + "?access_token=" + tt.token, BaseURL: tt.baseURL, Token: tt.token}
				if got.URL != want.URL || got.BaseURL != want.BaseURL || got.Token != want.Token {
					t.Errorf("\n got %s\nwant %s", got.URL, want.URL)
				}
				if len(s.requests) != 0 {
					t.Error("a request was sent")
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := answering(status(200, ""))
		if err := s.client(t, nil).Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "Bearer " + header + "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvYXBpL2hlYWx0aD9hcGktdmVyc2lvbj0yMDI0LTEyLTAxIiwiaWF0Ijo5NDY2ODQ4MDAsImV4cCI6OTQ2Njg1MTAwfQ" +
			".ms3pW3_NBuWvTUysT6ke1MMVzVsYd1Tih0ccLzgw1OM"
		if got := s.requests[0].Header.Get("Authorization"); got != want {
			t.Errorf("got Authorization\n     %s\nwant %s", got, want)
		}
	})
}

// The hub of a URL is escaped; the audience has the name as it is.
func TestClientAccessURL(t *testing.T) {
	for _, tt := range []struct{ endpoint, hub, baseURL, audience string }{
		{"https://demo.webpubsub.azure.com", "Chat", "wss://demo.webpubsub.azure.com/client/hubs/Chat", "https://demo.webpubsub.azure.com/client/hubs/Chat"},
		{"http://[::1]:8080/", "a[b]", "ws://[::1]:8080/client/hubs/a%5Bb%5D", "http://[::1]:8080/client/hubs/a[b]"},
	} {
		client, err := webpubsub.NewClient("Endpoint="+tt.endpoint+";AccessKey="+accessKey, tt.hub, nil)
		if err != nil {
			t.Fatal(err)
		}
		access, err := client.ClientAccessURL(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if access.BaseURL != tt.baseURL {
			t.Errorf("got base URL %q, want %q", access.BaseURL, tt.baseURL)
		}
		u, err := url.Parse(access.URL)
		if err != nil || u.Query().Get("access_token") != access.Token {
			t.Errorf("URL %q has not the token (%v)", access.URL, err)
		}
		if got := claims(t, access.Token)["aud"]; got != tt.audience {
			t.Errorf("got audience %q, want %q", got, tt.audience)
		}
	}
}

// Without a key the service makes the token.
func TestClientAccessFromService(t *testing.T) {
	s := answering(status(200, `{"token":"a.b+c"}`))
	client := s.entraClient(t, nil)
	access, err := client.ClientAccessURL(t.Context(), &webpubsub.ClientAccessOptions{UserID: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := access.URL, "wss://demo.webpubsub.azure.com/client/hubs/chat?access_token=a.b%2Bc"; got != want {
		t.Errorf("got URL %q, want %q", got, want)
	}
	if got, want := s.requests[0].URL.RequestURI(),
		"/api/hubs/chat/:generateToken?api-version=2024-12-01&userId=bob&minutesToExpire=60&clientType=Default"; got != want {
		t.Errorf("got URI %q, want %q", got, want)
	}
	if got, want := s.requests[0].Header.Get("Authorization"), "Bearer entra-token"; got != want {
		t.Errorf("got Authorization %q, want %q", got, want)
	}
}

func TestBadGeneratedToken(t *testing.T) {
	for _, body := range []string{"", "x", "{}", `{"token":""}`, `{"token":7}`, `{"token":"a\nb"}`} {
		s := answering(status(200, body))
		_, err := s.client(t, nil).GenerateClientToken(t.Context(), nil)
		if err == nil || err.Error() != "webpubsub: GenerateClientToken: the answer has no token" {
			t.Errorf("%q: got error %v", body, err)
		}
	}
}

// A URL for a client is a password; only those who ask for its fields get it.
func TestClientAccessIsQuiet(t *testing.T) {
	access := webpubsub.ClientAccess{URL: "wss://h/client/hubs/x?access_token=secret", BaseURL: "wss://h/client/hubs/x", Token: "secret"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "access", access, "pointer", &access)
	for _, text := range []string{
		log.String(), fmt.Sprint(access), fmt.Sprint(&access), fmt.Sprintf("%+v", access), fmt.Sprintf("%#v", access), fmt.Sprintf("%q", &access),
	} {
		if strings.Contains(text, "secret") || !strings.Contains(text, access.BaseURL) {
			t.Errorf("got %q", text)
		}
	}
	got, err := json.Marshal(access)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"url":"wss://h/client/hubs/x?access_token=secret","baseUrl":"wss://h/client/hubs/x","token":"secret"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{webpubsub.RoleJoinLeaveAnyGroup, "webpubsub.joinLeaveGroup"},
		{webpubsub.RoleSendToAnyGroup, "webpubsub.sendToGroup"},
		{webpubsub.RoleJoinLeaveGroup("a.b"), "webpubsub.joinLeaveGroup.a.b"},
		{webpubsub.RoleSendToGroup("a"), "webpubsub.sendToGroup.a"},
		{webpubsub.RoleJoinLeaveGroups("room-*"), "webpubsub.joinLeaveGroups.room-*"},
		{webpubsub.RoleSendToGroups("**"), "webpubsub.sendToGroups.**"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
