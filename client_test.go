package webpubsub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

func TestNewClient(t *testing.T) {
	long := strings.Repeat("a", 128)
	tests := []struct {
		name, connectionString, hub string
		options                     *webpubsub.ClientOptions
		want                        string // in the error; empty means success
	}{
		{"plain", connectionString, "chat", nil, ""},
		{"zero options", connectionString, "chat", &webpubsub.ClientOptions{}, ""},
		{"odd hub", connectionString, "C9_`,.[]", nil, ""},
		{"longest hub", connectionString, long, nil, ""},
		{"no hub", connectionString, "", nil, `hub "": a name starts with a letter`},
		{"long hub", connectionString, long + "a", nil, "a name starts with a letter"},
		{"hub with digit first", connectionString, "1a", nil, `hub "1a"`},
		{"hub with slash", connectionString, "a/b", nil, `hub "a/b"`},
		{"hub with letter of another script", connectionString, "é", nil, "hub"},
		{"hub with hyphen", connectionString, "a-b", nil, `hub "a-b"`},
		{"no connection string", "", "chat", nil, "connection string: it is empty"},
		{"no key", "Endpoint=https://demo.example", "chat", nil, "connection string: it has no AccessKey"},
		{"bad endpoint", "Endpoint=ftp://x;AccessKey=" + accessKey, "chat", nil, "scheme other than http and https"},
		{"negative delay", connectionString, "chat", &webpubsub.ClientOptions{RetryDelay: -1}, "cannot be negative"},
		{"negative longest delay", connectionString, "chat", &webpubsub.ClientOptions{MaxRetryDelay: -time.Second}, "cannot be negative"},
		{"proxy without scheme", connectionString, "chat", &webpubsub.ClientOptions{ReverseProxyEndpoint: "gateway"}, "ReverseProxyEndpoint: it has to start with"},
		{"proxy with query", connectionString, "chat", &webpubsub.ClientOptions{ReverseProxyEndpoint: "https://a?b"}, "ReverseProxyEndpoint: it has to be a scheme"},
		{"proxy with password", connectionString, "chat", &webpubsub.ClientOptions{ReverseProxyEndpoint: "https://a:b@c"}, "ReverseProxyEndpoint: it has to be a scheme"},
		{"proxy that is none", connectionString, "chat", &webpubsub.ClientOptions{ReverseProxyEndpoint: "http://[::1"}, "ReverseProxyEndpoint: it is not a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, err := webpubsub.NewClient(tt.connectionString, tt.hub, tt.options)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if client.Hub() != tt.hub || client.Endpoint() != endpoint {
					t.Errorf("got %v", client)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "webpubsub: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), accessKey) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestClientShowsNoKey(t *testing.T) {
	client, err := webpubsub.NewClient(connectionString, "chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got, want := fmt.Sprintf(format, client), `Client(http://localhost:8080, hub "chat")`; got != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		value := fmt.Sprintf(format, struct{ c any }{client})
		if strings.Contains(value, accessKey) {
			t.Errorf("%s of a struct that holds it: %s", format, value)
		}
	}
}

// Requests go to the proxy, and the tokens are for the service behind it.
func TestReverseProxy(t *testing.T) {
	s := answering(status(200, `{"value":[],"nextLink":"https://demo/x?continuationToken=1"}`), status(200, `{"value":[]}`))
	client := s.client(t, &webpubsub.ClientOptions{ReverseProxyEndpoint: "https://Gateway.example:443/pub%2Fsub/"})
	members(t, client, nil)
	path, _, _ := strings.Cut(listPath, "?")
	for i, uri := range []string{listPath, path + "?continuationToken=1"} {
		req := s.requests[i]
		if got, want := req.URL.String(), "https://gateway.example/pub%2Fsub"+uri; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		checkToken(t, req.Header.Get("Authorization"), endpoint+uri, time.Now())
	}
	access, err := client.ClientAccessURL(t.Context(), nil)
	if err != nil || !strings.HasPrefix(access.BaseURL, "ws://localhost:8080/") {
		t.Errorf("got %v (%v), want the endpoint of the service", access, err)
	}
}

// The client of the caller is used as it is, and stays as it is.
func TestHTTPClientIsCopied(t *testing.T) {
	s := answering(status(200, ""))
	httpClient := &http.Client{Transport: s}
	client, err := webpubsub.NewClient(connectionString, "chat", &webpubsub.ClientOptions{HTTPClient: httpClient})
	if err != nil {
		t.Fatal(err)
	}
	if httpClient.CheckRedirect != nil {
		t.Error("CheckRedirect of the caller's client was changed")
	}
	if err := client.Health(t.Context()); err != nil || len(s.requests) != 1 {
		t.Errorf("got error %v and %d requests", err, len(s.requests))
	}
}

// source is a TokenSource.
type source func(ctx context.Context, scope string) (string, error)

func (s source) Token(ctx context.Context, scope string) (string, error) { return s(ctx, scope) }

// entraClient returns a client of s without a key. The tokens are of tokens, or
// all the same.
func (s *service) entraClient(t *testing.T, tokens source) *webpubsub.Client {
	t.Helper()
	if tokens == nil {
		tokens = func(_ context.Context, scope string) (string, error) {
			if want := "https://webpubsub.azure.com/.default"; scope != want {
				t.Errorf("got scope %q, want %q", scope, want)
			}
			return "entra-token", nil
		}
	}
	client, err := webpubsub.NewClientWithCredential("https://demo.webpubsub.azure.com/", "chat", tokens,
		&webpubsub.ClientOptions{HTTPClient: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestNewClientWithCredential(t *testing.T) {
	tokens := source(func(context.Context, string) (string, error) { return "t", nil })
	for _, tt := range []struct {
		endpoint, proxy, hub string
		source               webpubsub.TokenSource
		want                 string // in the error, or the endpoint of the client
	}{
		{"https://demo.example/", "", "chat", tokens, "https://demo.example"},
		{"https://Demo.example:443", "", "chat", tokens, "https://demo.example"},
		{"http://localhost:8080", "", "chat", tokens, "http://localhost:8080"},
		{"http://127.0.0.2", "", "chat", tokens, "http://127.0.0.2"},
		{"http://[::1]:80", "", "chat", tokens, "http://[::1]"},
		{"http://demo.example", "", "chat", tokens, "over https only"},
		{"http://localhost.evil.test", "", "chat", tokens, "over https only"},
		{"https://demo.example", "http://gateway.example", "chat", tokens, "over https only"},
		{"demo.example", "", "chat", tokens, "endpoint: it has to start with http"},
		{"https://", "", "chat", tokens, "endpoint: it has to be a scheme, a host"},
		{"https://demo.example", "", "a/b", tokens, "hub"},
		{"https://demo.example", "", "chat", nil, "nil TokenSource"},
	} {
		client, err := webpubsub.NewClientWithCredential(tt.endpoint, tt.hub, tt.source, &webpubsub.ClientOptions{ReverseProxyEndpoint: tt.proxy})
		switch {
		case err == nil && client.Endpoint() != tt.want:
			t.Errorf("%s: got endpoint %q, want %q", tt.endpoint, client.Endpoint(), tt.want)
		case err != nil && !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: got error %v, want %q in it", tt.endpoint, err, tt.want)
		}
	}
}

// A source that fails is not asked again: it knows best.
func TestTokenSourceFails(t *testing.T) {
	errSource := errors.New("no identity")
	for _, tt := range []struct {
		name, token string
		err         error
		want        string
	}{
		{"error", "", errSource, "webpubsub: Health: no token: no identity"},
		{"empty", "", nil, "webpubsub: Health: no token: the TokenSource returned text that cannot be one"},
		{"two lines", "a\r\nb", nil, "webpubsub: Health: no token: the TokenSource returned text that cannot be one"},
	} {
		asked := 0
		s := answering(status(200, ""))
		client := s.entraClient(t, func(context.Context, string) (string, error) {
			asked++
			return tt.token, tt.err
		})
		err := client.Health(t.Context())
		if err == nil || err.Error() != tt.want || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.want)
		}
		if asked != 1 || len(s.requests) != 0 {
			t.Errorf("%s: asked %d times, sent %d requests", tt.name, asked, len(s.requests))
		}
	}
}
