package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// Handlers with something for webpubsub check to tell.
var checkedHandlers = map[string]http.Handler{
	// Not one of events, and one that is not even of HTTP.
	"website": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<title>Shop</title>")
	}),
	"silent": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),

	// Good but for one thing.
	"unsigned": unsigned(admitAll),
	"members":  unsigned(admitMembers),
	"guarded": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Functions-Key") != "s3cr3t" || r.Header.Get("X-Stage") != "test" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		unsigned(admitAll).ServeHTTP(w, r)
	}),
	"refuses401": consenting(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
	"refuses403": consenting(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }),

	// All goes well for a while.
	"tires": tires(unsigned(admitAll)),

	// Answers that mean harm to a terminal, in status, header and body.
	"nasty": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(wire.HeaderAllowedOrigin, "\u202e\xff")
		w.WriteHeader(299)
		_, _ = io.WriteString(w, "\x1b]0;owned\a\x00]]></failure>")
	}),

	// A vote has to be {"option":2}, whoever is asked.
	"vote": consenting(func(w http.ResponseWriter, r *http.Request) {
		var vote struct{ Option int }
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || r.Header.Get(wire.HeaderEventName) != "vote":
			w.WriteHeader(http.StatusNoContent)
		case json.Unmarshal(body, &vote) != nil || vote.Option != 2 || r.Header.Get(wire.HeaderContentType) != wire.MediaJSON:
			w.WriteHeader(http.StatusBadRequest)
		default:
			w.Header().Set(wire.HeaderContentType, wire.MediaJSON)
			_, _ = w.Write(bytes.TrimSpace(body))
		}
	}),
}

// tires returns a handler that answers a hundred requests and no more.
func tires(h http.Handler) http.Handler {
	var n atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 100 {
			fmt.Println("tired")
			<-r.Context().Done()
			return
		}
		h.ServeHTTP(w, r)
	})
}

// unsigned is a handler that verifies nothing.
func unsigned(connect upstream.ConnectFunc) http.Handler {
	h := upstream.NewEventHandler(upstream.InsecureSkipValidation(), &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	h.HandleConnect(connect)
	h.HandleUserMessage(func(_ context.Context, r *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("echo: " + string(r.Data)), nil
	})
	return h
}

func admitAll(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	return &upstream.ConnectResponse{}, nil
}

// admitMembers admits alice to room 1, when she offers to speak JSON.
func admitMembers(_ context.Context, r *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
	if r.UserID != "alice" || r.Query.Get("room") != "1" || !slices.Contains(r.Subprotocols, wire.SubprotocolJSON) {
		return nil, upstream.NewError(http.StatusForbidden, "members only")
	}
	return &upstream.ConnectResponse{Subprotocol: wire.SubprotocolJSON}, nil
}
