// Package rest is the REST data plane of the service, api-version 2024-12-01:
// the 25 operations with which the server of an application sends messages,
// manages groups and permissions, closes connections and gets tokens for its
// clients. Each becomes one command of a [broker.Broker].
//
// Names, parameters and limits come from the TypeSpec of the data plane
// (specification/webpubsub/data-plane/WebPubSub in Azure/azure-rest-api-specs),
// the form of answers from the recordings of real ones in azure-sdk-for-go
// (sdk/messaging/azwebpubsub), and what both leave open from Microsoft's
// emulator, unless a comment says otherwise.
package rest

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

// DefaultMaxBodyBytes is the longest body of a request.
const DefaultMaxBodyBytes = 1 << 20

// Options say what a handler works with.
type Options struct {
	// Broker carries the commands. It is required.
	Broker broker.Broker

	// Authorize returns nil if the request proves by its token that it may do
	// what it asks for. The text of the error goes to the log and no further:
	// the answer is 401 in any case. It is required, and it is not asked about
	// the health of the service.
	Authorize func(r *http.Request) error

	// Issue makes an access token for a client of a hub, whose name is in lower
	// case. An error is answered with 500. It is required.
	Issue func(r *http.Request, hub string, o TokenOptions) (token string, err error)

	// MaxBodyBytes is the longest body that is read; a longer one is answered
	// with 413. If zero, DefaultMaxBodyBytes.
	MaxBodyBytes int64

	// Logger gets one record for each request that is refused, at level Warn,
	// or Error when the fault is the service's own. A question that is answered
	// with 404 is not refused, and goes to Debug. Of a request, it shows the
	// method and the path. If nil, slog.Default().
	Logger *slog.Logger
}

// TokenOptions say what the access token of a client admits to.
type TokenOptions struct {
	UserID   string   // empty for an anonymous client
	Roles    []string // what the client may do from the start
	Groups   []string // what it is a member of from the start; valid names
	Lifetime time.Duration
}

// New returns the handler for all paths below /api/. It reads the path as it
// was sent: put nothing before it that cleans or decodes paths, as
// [http.ServeMux] does. It panics if a required option is missing.
func New(o *Options) http.Handler {
	if o == nil || o.Broker == nil || o.Authorize == nil || o.Issue == nil {
		panic("rest: New without Broker, Authorize or Issue")
	}
	h := &handler{
		broker:    o.Broker,
		authorize: o.Authorize,
		issue:     o.Issue,
		maxBody:   cmp.Or(o.MaxBodyBytes, DefaultMaxBodyBytes),
		log:       o.Logger,
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	return h
}

type handler struct {
	broker    broker.Broker
	authorize func(*http.Request) error
	issue     func(*http.Request, string, TokenOptions) (string, error)
	maxBody   int64
	log       *slog.Logger
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.serve(w, r)
	if err != nil {
		a = h.refuse(w, r, err)
	}
	a.write(w, r.Method)
}

// serve does the work in its order: what is asked for, in which version, by
// whom, about what. The body comes last.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) (answer, error) {
	op, names, err := match(r.Method, r.URL.EscapedPath())
	if err != nil {
		return answer{}, err
	}
	if op.public {
		return op.run(h, &request{Request: r, w: w})
	}
	w.Header().Set(headerSupportedVersions, supportedVersions)
	rq := &request{Request: r, w: w}
	if rq.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return answer{}, err
	}
	if rq.version, err = rq.query.version(); err != nil {
		return answer{}, err
	}
	if err := h.authorize(r); err != nil {
		return answer{}, unauthorized(err)
	}
	if err := rq.bind(names); err != nil {
		return answer{}, err
	}
	return op.run(h, rq)
}
