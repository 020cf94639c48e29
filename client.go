package webpubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/connstring"
)

// A Client performs the operations of the service on one hub. Its methods may
// be called by several goroutines at once. It holds nothing that has to be
// closed.
type Client struct {
	http     http.Client
	endpoint string // where tokens are for, without a trailing slash
	base     string // where requests go: the endpoint, or a proxy in front of it
	hub      string

	sign   func(claims any) (string, error) // with the access key; nil without one
	source TokenSource                      // in place of an access key

	maxRetries    int
	retryDelay    time.Duration
	maxRetryDelay time.Duration
	log           *slog.Logger
}

// ClientOptions change how a [Client] works. The zero value is the default.
type ClientOptions struct {
	// HTTPClient sends the requests. Nil means [http.DefaultTransport] with a
	// limit of 30 seconds for each attempt. It is copied, and redirects are
	// never followed, whatever its CheckRedirect says: they would carry the
	// token elsewhere.
	HTTPClient *http.Client

	// MaxRetries is how often a request that failed is sent again, where that
	// is safe: see "Retries" in the package documentation. 0 means 3, a
	// negative number means never.
	MaxRetries int

	// RetryDelay is about how long to wait before the first repetition; the
	// time doubles with each further one, and chance takes away up to half of
	// it. 0 means 500 milliseconds.
	RetryDelay time.Duration

	// MaxRetryDelay is the longest wait. When the service asks for more
	// patience than this, the error is returned at once, with its
	// [Error.RetryAfter]. 0 means 30 seconds.
	MaxRetryDelay time.Duration

	// ReverseProxyEndpoint is the URL of a proxy in front of the service, such
	// as an API gateway: requests go there, below its path, with tokens that
	// are made for the service's own endpoint. URLs for clients keep the
	// endpoint.
	ReverseProxyEndpoint string

	// Logger gets one warning for each repetition. Nil means [slog.Default].
	Logger *slog.Logger
}

// A TokenSource gives bearer tokens of Microsoft Entra ID, for services that
// are used without access keys. Its method may be called by several goroutines
// at once, and is called for each request: it keeps a token for as long as it
// is good, as the credentials of azidentity do.
type TokenSource interface {
	// Token returns an access token for the scope, which for this service is
	// "https://webpubsub.azure.com/.default".
	Token(ctx context.Context, scope string) (string, error)
}

// NewClient returns a client for one hub of the service that the connection
// string names:
//
//	Endpoint=https://<name>.webpubsub.azure.com;AccessKey=<key>;Version=1.0;
//
// A nil options is the same as a zero [ClientOptions]. Nothing is sent yet: use
// [Client.Health] to see whether the service is there. Errors tell what is
// wrong with the connection string and never show it.
func NewClient(connectionString, hub string, options *ClientOptions) (*Client, error) {
	cs, err := connstring.Parse(connectionString)
	if err != nil {
		return nil, fmt.Errorf("webpubsub: connection string: %w", err)
	}
	c, err := newClient(cs.Endpoint(), hub, options)
	if err != nil {
		return nil, err
	}
	c.sign = signer(cs.AccessKey)
	return c, nil
}

// NewClientWithCredential returns a client for one hub that proves itself with
// the tokens of Microsoft Entra ID instead of an access key. The endpoint is
// the URL of the service; it has to be https, unless it is on this machine,
// because such a token opens more than one hub.
func NewClientWithCredential(endpoint, hub string, source TokenSource, options *ClientOptions) (*Client, error) {
	if source == nil {
		return nil, errors.New("webpubsub: nil TokenSource")
	}
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, fmt.Errorf("webpubsub: endpoint: %w", err)
	}
	c, err := newClient(u.Scheme+"://"+u.Host, hub, options)
	if err != nil {
		return nil, err
	}
	for _, base := range []string{c.endpoint, c.base} {
		if u, err := url.Parse(base); err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
			return nil, errors.New("webpubsub: a token of Entra ID is sent over https only, except to this machine")
		}
	}
	c.source = source
	return c, nil
}

func newClient(endpoint, hub string, options *ClientOptions) (*Client, error) {
	if err := checkHub(hub); err != nil {
		return nil, fmt.Errorf("webpubsub: %w", err)
	}
	var opts ClientOptions
	if options != nil {
		opts = *options
	}
	if opts.RetryDelay < 0 || opts.MaxRetryDelay < 0 {
		return nil, errors.New("webpubsub: RetryDelay and MaxRetryDelay cannot be negative")
	}
	c := &Client{
		http:          http.Client{Timeout: 30 * time.Second},
		endpoint:      endpoint,
		base:          endpoint,
		hub:           hub,
		maxRetries:    cmp.Or(opts.MaxRetries, 3),
		retryDelay:    cmp.Or(opts.RetryDelay, 500*time.Millisecond),
		maxRetryDelay: cmp.Or(opts.MaxRetryDelay, 30*time.Second),
		log:           cmp.Or(opts.Logger, slog.Default()),
	}
	if opts.HTTPClient != nil {
		c.http = *opts.HTTPClient
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if opts.ReverseProxyEndpoint != "" {
		u, err := parseEndpoint(opts.ReverseProxyEndpoint)
		if err != nil {
			return nil, fmt.Errorf("webpubsub: ReverseProxyEndpoint: %w", err)
		}
		c.base = u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")
	}
	return c, nil
}

// Endpoint returns the URL of the service, without a trailing slash.
func (c *Client) Endpoint() string { return c.endpoint }

// Hub returns the name of the hub.
func (c *Client) Hub() string { return c.hub }

// String returns a description that shows no key.
func (c *Client) String() string { return fmt.Sprintf("Client(%s, hub %q)", c.endpoint, c.hub) }

// GoString keeps the rest out of %#v.
func (c *Client) GoString() string { return c.String() }

// Health returns nil when the service is ready.
func (c *Client) Health(ctx context.Context) error {
	_, err := c.do(ctx, &operation{
		name:   "Health",
		method: http.MethodHead,
		path:   "/api/health",
		want:   http.StatusOK,
		repeat: true,
	})
	return err
}

// parseEndpoint reads a URL that requests can go to.
func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("it has to start with http:// or https://")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has to be a scheme, a host and perhaps a path, and nothing else")
	}
	u.Host = withoutDefaultPort(u)
	return u, nil
}

// withoutDefaultPort returns the host and port of a URL in their shortest form.
func withoutDefaultPort(u *url.URL) string {
	host, port := strings.ToLower(u.Host), u.Port()
	if port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" || port == "" {
		host = strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
	}
	return host
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
