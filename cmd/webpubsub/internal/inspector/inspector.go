// Package inspector shows the latest requests between the local service and the
// application to web pages: a list that follows what happens, and all that was
// in each request and its answer. It serves the pages too.
//
// It keeps a bounded number of them in memory, hides nothing but the tokens that
// the service has left out already, and asks nobody who they are: it is for a
// developer's machine, behind a guard that keeps foreign web pages away.
package inspector

import (
	"cmp"
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/page"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// Options are the settings of an [Inspector]. A nil *Options is the same as a
// zero one.
type Options struct {
	// Capacity is how many exchanges are kept. Default: 1000.
	Capacity int

	// Bytes is how much the headers and bodies of those may take together. The
	// oldest go until they fit; the newest stays in any case. Default: 32 MiB.
	Bytes int

	// Endpoint is the URL of the service, such as http://localhost:8080. What is
	// at the same origin is listed with its path only.
	Endpoint string

	// Cut breaks the network connection of a client, and reports whether there
	// was one: the method of [emulator.Server]. If nil, there never is one.
	Cut func(hub, connectionID string) bool

	// Logger gets a warning when a page is turned away. If nil, slog.Default is
	// used.
	Logger *slog.Logger
}

const (
	defaultCapacity = 1000
	defaultBytes    = 32 << 20

	// maxResends is how many events are on their way again at the same time.
	maxResends = 8
)

// An Inspector keeps exchanges and shows them, at the paths below /inspector/.
// It is for the exchanges of one service. It is safe for concurrent use.
type Inspector struct {
	store  *store
	names  namer
	cut    func(hub, connectionID string) bool
	log    *slog.Logger
	routes *http.ServeMux

	life context.Context // ends with Close
	end  context.CancelFunc

	resending chan struct{}  // has an element for each event that is being sent again
	mu        sync.Mutex     // keeps Close and the beginning of a resend apart
	resends   sync.WaitGroup // has those
}

//go:embed web
var web embed.FS

// New returns an Inspector that has seen nothing yet.
func New(options *Options) *Inspector {
	var opts Options
	if options != nil {
		opts = *options
	}
	i := &Inspector{
		names:     newNamer(opts.Endpoint),
		cut:       opts.Cut,
		log:       opts.Logger,
		resending: make(chan struct{}, maxResends),
	}
	if i.cut == nil {
		i.cut = func(string, string) bool { return false }
	}
	if i.log == nil {
		i.log = slog.Default()
	}
	i.store = newStore(cmp.Or(max(opts.Capacity, 0), defaultCapacity), cmp.Or(max(opts.Bytes, 0), defaultBytes))
	i.life, i.end = context.WithCancel(context.Background())
	i.routes = i.mux()
	return i
}

// Observe takes an exchange in, twice as the service shows it: it is the hook
// for [emulator.Options]. It waits for no page.
//
// The end of an exchange that is no longer kept is dropped, be it that the
// exchange was too old or that the list was cleared meanwhile: what is gone
// stays away.
func (i *Inspector) Observe(x emulator.Exchange) { i.store.observe(keep(x)) }

// ServeHTTP answers requests for /inspector and what is below it.
func (i *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) { i.routes.ServeHTTP(w, r) }

// Close ends the streams to pages, so that [http.Server.Shutdown] need not wait
// for them, and then waits for the events that are being sent again. Those end
// with the service: end that first. Close may be called more than once.
func (i *Inspector) Close() {
	i.mu.Lock()
	i.end()
	i.mu.Unlock()
	i.resends.Wait()
}

// mux returns what is served where. It redirects /inspector to /inspector/ by
// itself.
func (i *Inspector) mux() *http.ServeMux {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the name is the one in the directive above
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.Handler{
		"/":                                   only(http.StripPrefix("/inspector", page.Handler(files)), http.MethodGet, http.MethodHead),
		"/stream":                             only(http.HandlerFunc(i.stream), http.MethodGet),
		"/entries":                            only(http.HandlerFunc(i.clear), http.MethodDelete),
		"/entries/{id}":                       only(http.HandlerFunc(i.detail), http.MethodGet, http.MethodHead),
		"/entries/{id}/again":                 only(http.HandlerFunc(i.again), http.MethodPost),
		"/connections/{hub}/{connection}/cut": only(http.HandlerFunc(i.cutConnection), http.MethodPost),
	} {
		mux.Handle("/inspector"+pattern, h)
	}
	return mux
}

// only lets requests with the methods pass.
func only(next http.Handler, methods ...string) http.Handler {
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", allow)
			refuse(w, http.StatusMethodNotAllowed, "the method has to be "+allow)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (i *Inspector) clear(w http.ResponseWriter, _ *http.Request) {
	i.store.clear()
	w.WriteHeader(http.StatusNoContent)
}

func (i *Inspector) detail(w http.ResponseWriter, r *http.Request) {
	found, calls, ok := i.find(r)
	if !ok {
		refuseUnknown(w)
		return
	}
	reply(w, http.StatusOK, i.names.detail(found, calls))
}

func (i *Inspector) again(w http.ResponseWriter, r *http.Request) {
	found, _, ok := i.find(r)
	switch {
	case !ok:
		refuseUnknown(w)
		return
	case found.x.resend == nil:
		refuse(w, http.StatusConflict, "only an event that was sent can be sent again")
		return
	}
	select {
	case i.resending <- struct{}{}:
	default:
		refuse(w, http.StatusTooManyRequests, "as many events as possible are being sent again: wait for one to be answered")
		return
	}
	if !i.resend(found.x.resend) {
		<-i.resending
		refuse(w, http.StatusServiceUnavailable, "the service ends")
		return
	}
	reply(w, http.StatusAccepted, struct{}{})
}

// resend runs send, which waits for the handler's answer, on a goroutine that
// Close waits for. It reports false after Close.
func (i *Inspector) resend(send func()) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.life.Err() != nil {
		return false
	}
	i.resends.Go(func() {
		defer func() { <-i.resending }()
		send()
	})
	return true
}

func (i *Inspector) cutConnection(w http.ResponseWriter, r *http.Request) {
	if !i.cut(r.PathValue("hub"), r.PathValue("connection")) {
		refuse(w, http.StatusNotFound, "there is no such connection")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// find returns the exchange that a path names, and the calls that it led to.
func (i *Inspector) find(r *http.Request) (found row, calls []row, ok bool) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return row{}, nil, false
	}
	return i.store.find(id)
}

func refuseUnknown(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "there is no such entry, or it is no longer kept")
}

func refuse(w http.ResponseWriter, status int, reason string) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{reason})
}

func reply(w http.ResponseWriter, status int, v any) {
	text, _ := wire.Marshal(v) // the types of this package can be marshalled
	h := w.Header()
	h.Set("Content-Type", wire.MediaJSON)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
