package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The defaults that Microsoft's emulator made public. The key is known to
// everyone and protects nothing.
const (
	DefaultEndpoint  = "http://localhost:8080"
	DefaultAccessKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
)

// DefaultConnectionString is the connection string of a service with the
// defaults above.
const DefaultConnectionString = "Endpoint=" + DefaultEndpoint + ";AccessKey=" + DefaultAccessKey + ";Version=1.0;"

// MinAccessKeyBytes is the length that an access key has at least, as in
// Microsoft's emulator.
const MinAccessKeyBytes = 32

// Options configure a [Server]. The zero value of every field is its default.
type Options struct {
	// Settings say which events go to which handlers. They can be replaced
	// later with [Server.Apply].
	Settings Settings

	// Endpoint is the URL under which clients and handlers know the service, in
	// tokens, connection strings and the handshake: a scheme, a host and
	// perhaps a port. Default: [DefaultEndpoint].
	Endpoint string

	// AccessKey and SecondaryAccessKey sign tokens and events. Tokens made with
	// either are good, and events carry a signature of each. Default:
	// [DefaultAccessKey] and none.
	AccessKey          string
	SecondaryAccessKey string

	// DisableEventSignature leaves the signature out of events, as a resource
	// does whose access keys are turned off.
	DisableEventSignature bool

	// AllowedHosts are names under which the service may be asked besides that
	// of its Endpoint, localhost and IP addresses. A page that makes a name of
	// its own resolve to this machine is refused by this. "*" allows all.
	AllowedHosts []string

	// AllowedOrigins are the web pages that may connect besides those of
	// loopback addresses, like https://app.example. "*" allows all.
	AllowedOrigins []string

	// ForwardRefusals passes the text on with which a handler refused a client
	// with a 4xx status. By default the client gets the status only; the
	// service's documents and Microsoft's emulator differ in this.
	ForwardRefusals bool

	// Limits bound what clients can make the service keep.
	Limits Limits

	// Delivery says how patient the service is with handlers.
	Delivery Delivery

	// Logger gets what somebody at a terminal wants to read: refused clients,
	// failed events and their reasons. If nil, [slog.Default].
	Logger *slog.Logger

	// Observe is called for what happens to clients and events, see [Record],
	// instead of a line in the log. It must be safe for concurrent use and must
	// not wait.
	Observe func(Record)

	// Inspect is called for every request between the service and the
	// application, with all that is in it, see [Exchange]: it is for tools on a
	// developer's machine. It must be safe for concurrent use and must not
	// wait.
	Inspect func(Exchange)
}

// Limits bound what clients can make the service keep. In all fields, zero is
// the default.
type Limits struct {
	// MessageBytes is the longest message of a client and the longest body of a
	// REST request. Default: 1 MiB. A longer message ends the connection with
	// 1009, a longer body is refused with 413.
	MessageBytes int

	// QueuedMessages and QueuedBytes bound what waits for one client: messages
	// that are not written yet, and with a reliable protocol those that are not
	// acknowledged. A client for which more would have to wait is disconnected
	// with 1008 and cannot recover. Default: 1000 and 16 MiB.
	QueuedMessages int
	QueuedBytes    int

	// WriteTimeout is how long a client may take nothing of what is written to
	// it, before its network connection is cut. Default: 10 seconds.
	WriteTimeout time.Duration

	// RecoveryWindow is how long a connection with a reliable protocol is kept
	// after its network connection was lost. Default: 30 seconds.
	RecoveryWindow time.Duration

	// Connections is how many there may be at the same time. Further clients
	// are refused with 429. Default: 100,000.
	Connections int
}

// Delivery says how patient the service is with handlers. In all fields, zero
// is the default, that of Microsoft's emulator.
type Delivery struct {
	// Timeout limits the time from the first attempt to deliver an event until
	// the handler answers, pauses included. Default: 100 seconds.
	Timeout time.Duration

	// RetryDelays are the pauses before further attempts after 408, 5xx and
	// network errors. If nil: 1, 3 and 5 seconds. If empty and not nil: one
	// attempt only.
	RetryDelays []time.Duration

	// HandshakeTimeout limits the time of each question for consent. Default:
	// 10 seconds.
	HandshakeTimeout time.Duration

	// HandshakeRefresh is how long a consent is good. Default: one minute.
	HandshakeRefresh time.Duration
}

// TokenOptions say what a client may do that connects with a token.
type TokenOptions struct {
	UserID   string        // empty for an anonymous client
	Roles    []string      // like "webpubsub.joinLeaveGroup"
	Groups   []string      // that the client is in from the start
	Lifetime time.Duration // until when it may connect. Default: one hour
}

// complete fills in the defaults and checks the rest.
func (o *Options) complete() error {
	o.Endpoint = cmp.Or(o.Endpoint, DefaultEndpoint)
	o.AccessKey = cmp.Or(o.AccessKey, DefaultAccessKey)
	if err := checkKey(o.AccessKey); err != nil {
		return fmt.Errorf("emulator: AccessKey %w", err)
	}
	if err := checkKey(o.SecondaryAccessKey); o.SecondaryAccessKey != "" && err != nil {
		return fmt.Errorf("emulator: SecondaryAccessKey %w", err)
	}
	l, d := &o.Limits, &o.Delivery
	for _, option := range []struct {
		name  string
		value int64
	}{
		{"Limits.MessageBytes", int64(l.MessageBytes)},
		{"Limits.QueuedMessages", int64(l.QueuedMessages)},
		{"Limits.QueuedBytes", int64(l.QueuedBytes)},
		{"Limits.WriteTimeout", int64(l.WriteTimeout)},
		{"Limits.RecoveryWindow", int64(l.RecoveryWindow)},
		{"Limits.Connections", int64(l.Connections)},
		{"Delivery.Timeout", int64(d.Timeout)},
		{"Delivery.HandshakeTimeout", int64(d.HandshakeTimeout)},
		{"Delivery.HandshakeRefresh", int64(d.HandshakeRefresh)},
	} {
		if option.value < 0 {
			return fmt.Errorf("emulator: %s is negative, expected 0 for the default or more", option.name)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	l.MessageBytes = cmp.Or(l.MessageBytes, 1<<20)
	l.QueuedMessages = cmp.Or(l.QueuedMessages, 1000)
	l.QueuedBytes = cmp.Or(l.QueuedBytes, 16<<20)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 10*time.Second)
	l.RecoveryWindow = cmp.Or(l.RecoveryWindow, 30*time.Second)
	l.Connections = cmp.Or(l.Connections, 100_000)
	return nil
}

// checkKey reports a key that a connection string cannot hold. It does not
// repeat it.
func checkKey(key string) error {
	switch {
	case len(key) < MinAccessKeyBytes:
		return fmt.Errorf("has %d bytes, expected at least %d", len(key), MinAccessKeyBytes)
	case strings.TrimSpace(key) != key:
		return errors.New("begins or ends with white space")
	case strings.ContainsFunc(key, func(r rune) bool { return r == ';' || r < ' ' || r == 0x7f }):
		return errors.New("holds a semicolon or a control character, which a connection string cannot")
	}
	return nil
}

func (o *Options) keys() access.Keys {
	keys := access.Keys{o.AccessKey}
	if o.SecondaryAccessKey != "" {
		keys = append(keys, o.SecondaryAccessKey)
	}
	return keys
}

func (o *Options) delivery(origin string) *deliver.Options {
	d := &deliver.Options{
		Origin:           origin,
		Timeout:          o.Delivery.Timeout,
		RetryDelays:      o.Delivery.RetryDelays,
		HandshakeTimeout: o.Delivery.HandshakeTimeout,
		HandshakeRefresh: o.Delivery.HandshakeRefresh,
		Logger:           o.Logger,
	}
	if !o.DisableEventSignature {
		d.Keys = o.keys()
	}
	return d
}

// parseEndpoint reads the URL of a service.
func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("emulator: Endpoint is not the URL of a service: expected http://host:port or https://host:port")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("emulator: Endpoint has the port %q, expected 1 to 65535", port)
		}
	}
	if wire.OriginHost(u.Host) == "" {
		return nil, errors.New("emulator: Endpoint names a host that no handler could allow: expected a name or an IP address without a zone")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}
