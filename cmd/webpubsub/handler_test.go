package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// handlerMain is the program of an application: it prints its URL and then a
// line for each request. The kind says what is good or wrong about it.
func handlerMain(args []string) int {
	flags := flag.NewFlagSet("handler", flag.ContinueOnError)
	key := flags.String("key", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH", "access key")
	endpoint := flags.String("endpoint", "http://localhost:8080", "of the service")
	secure := flags.Bool("tls", false, "serve https with a certificate that nobody trusts")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	kind := flags.Arg(0)
	handler := badHandlers[kind]
	if handler == nil {
		handler = checkedHandlers[kind]
	}
	if kind == "good" {
		var err error
		if handler, err = goodHandler("Endpoint=" + *endpoint + ";AccessKey=" + *key + ";Version=1.0;"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if handler == nil {
		fmt.Fprintf(os.Stderr, "no such kind of handler: %q\n", kind)
		return 2
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("%s %s %s\n", r.Method, r.URL.Path, r.Header.Get("ce-eventName"))
		handler.ServeHTTP(w, r)
	})}
	if *secure {
		untrusted := &httptest.Server{Listener: listener, Config: server}
		untrusted.StartTLS()
		fmt.Printf("%s/eventhandler\n", untrusted.URL)
		select {}
	}
	fmt.Printf("http://%s/eventhandler\n", listener.Addr())
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	return 1
}

// goodHandler is one as the documentation of package upstream has it.
func goodHandler(connectionString string) (http.Handler, error) {
	validator, err := upstream.NewAccessKeyValidator(connectionString)
	if err != nil {
		return nil, err
	}
	h := upstream.NewEventHandler(validator, &upstream.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	h.HandleConnect(func(_ context.Context, r *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if r.Query.Has("banned") {
			return nil, upstream.NewError(http.StatusForbidden, "banned")
		}
		response := &upstream.ConnectResponse{Groups: []string{"lobby"}}
		return response, response.SetState("visits", 1)
	})
	h.HandleUserMessage(func(_ context.Context, r *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("echo: " + string(r.Data)), nil
	})
	h.HandleUserEvent("vote", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.JSON(map[string]int{"votes": 3})
	})
	h.HandleUserEvent("quiet", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return nil, nil
	})
	h.HandleConnected(func(context.Context, *upstream.ConnectedEvent) error { return nil })
	h.HandleDisconnected(func(context.Context, *upstream.DisconnectedEvent) error { return nil })
	h.HandleGroupJoined(func(context.Context, *upstream.GroupJoinedEvent) error { return nil })
	h.HandleGroupLeft(func(context.Context, *upstream.GroupLeftEvent) error { return nil })
	return h, nil
}

// The ways in which handlers are wrong. Those that are not wrong about the
// handshake consent to everything.
var badHandlers = map[string]http.Handler{
	"notfound": http.NotFoundHandler(),
	"redirect": http.RedirectHandler("/eventhandler/", http.StatusPermanentRedirect),
	"cors":     answer(func(w http.ResponseWriter) { w.Header().Set("Access-Control-Allow-Origin", "*") }),
	"foreign":  answer(func(w http.ResponseWriter) { w.Header().Set(wire.HeaderAllowedOrigin, "demo.example") }),
	"list":     answer(func(w http.ResponseWriter) { w.Header().Set(wire.HeaderAllowedOrigin, "demo.example, localhost") }),
	"getonly": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			http.NotFound(w, r)
			return
		}
		w.Header().Set(wire.HeaderAllowedOrigin, "*")
	}),
	"broken":  consenting(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
	"hangs":   consenting(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	"crashes": consenting(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	"badjson": consenting(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(wire.HeaderContentType, wire.MediaJSON)
		_, _ = w.Write([]byte(`{"userId":`))
	}),
	"untyped": consenting(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()[wire.HeaderContentType] = nil
		_, _ = w.Write([]byte("\x1b]0;owned\a"))
	}),
	"html": consenting(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }),
	"misspelled": consenting(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"userId":"bob","subProtocols":["a"],"subprotocol":"json.webpubsub.azure.v1"}`))
	}),
	"mqtt": consenting(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"mqtt":{"code":138,"reason":"banned"}}`))
	}),
}

func answer(set func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { set(w) })
}

func consenting(post http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			w.Header().Set(wire.HeaderAllowedOrigin, "*")
			return
		}
		post(w, r)
	})
}
