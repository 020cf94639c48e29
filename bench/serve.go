package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

const (
	accessKey        = "7aab239577fd4f24bc919802fb629f5f"
	connectionString = "Endpoint=https://demo.webpubsub.azure.com;AccessKey=" + accessKey + ";Version=1.0;"
)

// serve runs one of the Go servers until stdin ends. It prints its port. All
// have the deadlines that a server should have, the bare one too.
func serve(name string, stdin io.Reader, stdout io.Writer) error {
	handler, err := handlerOf(name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = server.Close()
	}()
	fmt.Fprintln(stdout, listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func handlerOf(name string) (http.Handler, error) {
	switch name {
	case nameBare:
		return http.HandlerFunc(bare), nil
	case nameUpstream:
		return eventHandler(nil)
	case nameTimeout:
		return eventHandler(&upstream.Options{HandlerTimeout: 5 * time.Second})
	}
	return nil, fmt.Errorf("no server named %q", name)
}

// bare is the least that a handler of events can do with net/http.
func bare(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(body)
}

func eventHandler(options *upstream.Options) (http.Handler, error) {
	validator, err := upstream.NewAccessKeyValidator(connectionString)
	if err != nil {
		return nil, err
	}
	h := upstream.NewEventHandler(validator, options)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType}, nil
	})
	return h, nil
}
