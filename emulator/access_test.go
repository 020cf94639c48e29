package emulator_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

const (
	audience     = emulator.DefaultEndpoint + "/client/hubs/chat"
	secondaryKey = "abcdefghijklmnopqrstuvwxyz0123456789abcdefgh"
)

// claims returns those of a good token, with changes. Nil removes a claim.
func claims(changes jwt.MapClaims) jwt.MapClaims {
	all := jwt.MapClaims{"aud": audience, "exp": time.Now().Add(time.Hour).Unix(), "sub": "alice"}
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

func signed(t *testing.T, method jwt.SigningMethod, key any, c jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestClientTokens(t *testing.T) {
	hs256 := func(c jwt.MapClaims) func(*testing.T) string {
		return func(t *testing.T) string {
			return signed(t, jwt.SigningMethodHS256, []byte(emulator.DefaultAccessKey), claims(c))
		}
	}
	tests := []struct {
		name   string
		token  func(*testing.T) string
		status int
		reason string // in the log
	}{
		{"good", hs256(nil), 101, ""},
		{"secondary key", func(t *testing.T) string {
			return signed(t, jwt.SigningMethodHS256, []byte(secondaryKey), claims(nil))
		}, 101, ""},
		{"no user", hs256(jwt.MapClaims{"sub": nil}), 101, ""},
		{"role is text", hs256(jwt.MapClaims{"role": "webpubsub.sendToGroup"}), 101, ""},
		{"group is text", hs256(jwt.MapClaims{"webpubsub.group": "room"}), 101, ""},
		{"several audiences", hs256(jwt.MapClaims{"aud": []string{"other", audience}}), 101, ""},
		{"audience of a WebSocket", hs256(jwt.MapClaims{"aud": "WS://LOCALHOST:8080/client/hubs/CHAT"}), 101, ""},
		{"a little too old", hs256(jwt.MapClaims{"exp": time.Now().Add(-4 * time.Minute).Unix()}), 101, ""},

		{"no token", func(*testing.T) string { return "" }, 401, "An access token is missing"},
		{"no JWT", func(*testing.T) string { return "eyJzZWNyZXQ.c2VjcmV0" }, 401, "not a JWT"},
		{"other key", func(t *testing.T) string {
			return signed(t, jwt.SigningMethodHS256, []byte(emulator.DefaultAccessKey+"x"), claims(nil))
		}, 401, "another key"},
		{"no signature", func(t *testing.T) string {
			return signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil))
		}, 401, "expected HS256"},
		{"other algorithm", func(t *testing.T) string {
			return signed(t, jwt.SigningMethodHS512, []byte(emulator.DefaultAccessKey), claims(nil))
		}, 401, "expected HS256"},
		{"no expiry", hs256(jwt.MapClaims{"exp": nil}), 401, "no exp claim"},
		{"expired", hs256(jwt.MapClaims{"exp": time.Now().Add(-6 * time.Minute).Unix()}), 401, "expired"},
		{"not valid yet", hs256(jwt.MapClaims{"nbf": time.Now().Add(6 * time.Minute).Unix()}), 401, "compare the clocks"},
		{"no audience", hs256(jwt.MapClaims{"aud": nil}), 401, "audience"},
		{"other hub", hs256(jwt.MapClaims{"aud": audience + "s"}), 401, "audience"},
		{"other host", hs256(jwt.MapClaims{"aud": "http://localhost.example:8080/client/hubs/chat"}), 401, "audience"},
		{"a server's token", hs256(jwt.MapClaims{"aud": emulator.DefaultEndpoint + "/api/hubs/chat/:send"}), 401, "audience"},
		{"group is a number", hs256(jwt.MapClaims{"webpubsub.group": 1}), 400, "webpubsub.group"},
		{"group in a list is a number", hs256(jwt.MapClaims{"webpubsub.group": []any{"room", 1}}), 400, "webpubsub.group"},
		{"group is blank", hs256(jwt.MapClaims{"webpubsub.group": []string{"room", " "}}), 400, "webpubsub.group"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			token := tt.token(t)
			service := emulatortest.StartWith(t, &emulator.Options{
				SecondaryAccessKey: secondaryKey,
				Logger:             slog.New(slog.NewTextHandler(&log, nil)),
			})
			status, body := upgrade(t, service, "/client/hubs/chat?access_token="+url.QueryEscape(token), nil)
			if status != tt.status {
				t.Errorf("got status %d, want %d", status, tt.status)
			}
			text := log.take()
			if !strings.Contains(text, tt.reason) || tt.reason == "" && text != "" {
				t.Errorf("got log\n%s\nwant %q in it", text, tt.reason)
			}
			keepsSecrets(t, text+body, token)
		})
	}
}

// upgrade asks for a WebSocket by hand.
func upgrade(t *testing.T, service *emulatortest.Service, target string, header http.Header) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.Endpoint()+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := service.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	return resp.StatusCode, body
}

// keepsSecrets checks that a text shows no part of a token, and no key.
func keepsSecrets(t *testing.T, text, token string) {
	t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		if part != "" && strings.Contains(text, part) {
			t.Errorf("%q shows the part %q of the token", text, part)
		}
	}
	for _, key := range []string{emulator.DefaultAccessKey, secondaryKey} {
		if strings.Contains(text, key) {
			t.Errorf("%q shows the key %q", text, key)
		}
	}
}

func TestClientURLs(t *testing.T) {
	service := emulatortest.StartWith(t, &emulator.Options{Logger: slog.New(slog.DiscardHandler)})
	token := signed(t, jwt.SigningMethodHS256, []byte(emulator.DefaultAccessKey), claims(nil))
	bearer := http.Header{"Authorization": {"bearer " + token}}
	tests := []struct {
		name   string
		target string
		header http.Header
		status int
	}{
		{"path", "/client/hubs/chat?access_token=" + token, nil, 101},
		{"path with a slash", "/client/hubs/chat/?access_token=" + token, nil, 101},
		{"path in upper case", "/client/hubs/CHAT?access_token=" + token, nil, 101},
		{"query", "/client/?hub=chat&access_token=" + token, nil, 101},
		{"query without a slash", "/client?hub=chat&access_token=" + token, nil, 101},
		{"name of the token in upper case", "/client/hubs/chat?ACCESS_TOKEN=" + token, nil, 101},
		{"last of several tokens", "/client/hubs/chat?access_token=bad&access_token=" + token, nil, 101},
		{"header", "/client/hubs/chat", bearer, 101},
		{"query before header", "/client/hubs/chat?access_token=bad", bearer, 401},
		{"other scheme", "/client/hubs/chat", http.Header{"Authorization": {"Basic " + token}}, 401},
		{"no hub", "/client/?access_token=" + token, nil, 400},
		{"no name of a hub", "/client/hubs/1chat?access_token=" + token, nil, 400},
		{"encoded slash", "/client/hubs/chat%2Fx?access_token=" + token, nil, 400},
		{"longer path", "/client/hubs/chat/x?access_token=" + token, nil, 400},
		{"other path", "/client/other?hub=chat&access_token=" + token, nil, 404},
		{"MQTT", "/clients/mqtt/hubs/chat?access_token=" + token, nil, 404},
		{"no upgrade", "/client/hubs/chat?access_token=" + token, http.Header{"Upgrade": nil}, 400},
		{"foreign page", "/client/hubs/chat?access_token=" + token, http.Header{"Origin": {"https://app.example"}}, 403},
		{"local page", "/client/hubs/chat?access_token=" + token, http.Header{"Origin": {"http://localhost:3000"}}, 101},
		{"foreign page has no health", "/api/health", http.Header{"Origin": {"https://app.example"}}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := upgrade(t, service, tt.target, tt.header); status != tt.status {
				t.Errorf("got status %d, %q, want %d", status, body, tt.status)
			}
		})
	}
}

func TestRESTTokens(t *testing.T) {
	const target = "/api/hubs/chat/users/alice/:send?api-version=2024-12-01"
	address := emulator.DefaultEndpoint + target
	tests := []struct {
		name   string
		claims jwt.MapClaims
		key    string
		status int
		reason string // in the log
	}{
		{"whole URL", jwt.MapClaims{"aud": address}, emulator.DefaultAccessKey, 202, ""},
		{"without query", jwt.MapClaims{"aud": strings.TrimSuffix(address, "?api-version=2024-12-01")}, emulator.DefaultAccessKey, 202, ""},
		{"secondary key", jwt.MapClaims{"aud": address}, secondaryKey, 202, ""},
		{"other key", jwt.MapClaims{"aud": address}, secondaryKey + "x", 401, "another key"},
		{"a client's token", jwt.MapClaims{"aud": audience}, emulator.DefaultAccessKey, 401, "audience"},
		{"another request", jwt.MapClaims{"aud": emulator.DefaultEndpoint + "/api/hubs/chat/users/bob/:send"}, emulator.DefaultAccessKey, 401, "audience"},
		{"expired", jwt.MapClaims{"aud": address, "exp": time.Now().Add(-time.Hour).Unix()}, emulator.DefaultAccessKey, 401, "expired"},
		{"no expiry", jwt.MapClaims{"aud": address, "exp": nil}, emulator.DefaultAccessKey, 401, "no exp claim"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log logBuffer
			service := emulatortest.StartWith(t, &emulator.Options{
				SecondaryAccessKey: secondaryKey,
				Logger:             slog.New(slog.NewTextHandler(&log, nil)),
			})
			token := signed(t, jwt.SigningMethodHS256, []byte(tt.key), claims(tt.claims))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("hi"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := service.HTTPClient().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, tt.status)
			}
			answer, text := formatResponse(t, resp), log.take()
			if !strings.Contains(text, tt.reason) || tt.reason == "" && text != "" {
				t.Errorf("got log\n%s\nwant %q in it", text, tt.reason)
			}
			keepsSecrets(t, text+answer, token)
		})
	}
}
