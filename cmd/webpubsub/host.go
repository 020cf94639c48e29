package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/demo"
	"github.com/gowebpubsub/webpubsub/cmd/webpubsub/internal/inspector"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/guard"
)

// shutdownTime is how long clients and handlers have when the service ends.
const shutdownTime = 5 * time.Second

// A host has the local service on the network, and what is beside it.
type host struct {
	emulator  *emulator.Server
	inspector *inspector.Inspector // nil without
	web       *http.Server
	listeners []net.Listener
	tls       bool

	unused unusedConns
}

// inspectorPath is where the inspector is.
const inspectorPath = demo.InspectorPath + "/"

func newInspector(h *host, endpoint string, logger *slog.Logger) *inspector.Inspector {
	return inspector.New(&inspector.Options{
		Endpoint: endpoint,
		Cut:      func(hub, connectionID string) bool { return h.emulator.Cut(hub, connectionID) },
		Logger:   logger,
	})
}

// allowHostFlag admits a name under which a server may be asked.
const allowHostFlag = "--allow-host"

// withInspector puts the inspector beside the service, whose root leads to it.
// Other pages may be allowed to use the service, but not to look into it.
func withInspector(service, inspector http.Handler, hosts []string, logger *slog.Logger) (http.Handler, error) {
	protection, err := guard.New(&guard.Options{AllowedHosts: hosts, OwnOrigin: true, HostFlag: allowHostFlag, Logger: logger})
	if err != nil {
		return nil, err
	}
	inspector = protection.Handler(inspector)
	root := protection.Handler(http.RedirectHandler(inspectorPath, http.StatusFound))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch looks := r.Method == http.MethodGet || r.Method == http.MethodHead; {
		case strings.HasPrefix(r.URL.Path+"/", inspectorPath):
			inspector.ServeHTTP(w, r)
		case r.URL.Path == "/" && looks:
			root.ServeHTTP(w, r)
		default:
			service.ServeHTTP(w, r)
		}
	}), nil
}

// serve serves until the context ends, and ends the service then.
func (a *app) serve(ctx context.Context, h *host) error {
	h.web.ConnState = h.unused.note
	failed := make(chan error, len(h.listeners))
	for _, l := range h.listeners {
		go func() {
			if h.tls {
				failed <- h.web.ServeTLS(l, "", "")
			} else {
				failed <- h.web.Serve(l)
			}
		}()
	}
	select {
	case err := <-failed:
		_ = h.web.Close()
		return err
	case <-ctx.Done():
	}
	a.tell("shutting down; another Ctrl-C does not wait")
	return h.shutdown(context.WithoutCancel(ctx))
}

// shutdown ends the service first: its last events go to handlers that may be
// behind the same server.
func (h *host) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	err := h.emulator.Shutdown(ctx)
	if h.inspector != nil {
		h.inspector.Close()
	}
	h.unused.close()
	if err := errors.Join(err, h.web.Shutdown(ctx)); err != nil {
		_ = h.web.Close()
		return &failure{
			err:  fmt.Errorf("not everything ended within %v", shutdownTime),
			hint: "a handler that still answers, or a client that still sends, was cut off",
		}
	}
	return nil
}
