package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// Connections on which nobody has asked for anything do not hold up the end:
// browsers and HTTP clients keep some in reserve.
func TestUnusedConnections(t *testing.T) {
	server, err := emulator.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{emulator: server, web: &http.Server{Handler: server}, listeners: []net.Listener{listener}}
	talk := &bytes.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- (&app{stdout: io.Discard, stderr: talk}).serve(ctx, h) }()

	unused, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	answer, err := http.Head("http://" + listener.Addr().String() + "/api/health") // accepted after the unused one
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := unused.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the unused connection: %v, want its end", err)
	}
}
