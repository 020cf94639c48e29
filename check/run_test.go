package check_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// rightHandler is a handler that does everything as it should.
func rightHandler(t *testing.T) http.Handler {
	t.Helper()
	v, err := upstream.NewAccessKeyValidator("Endpoint=http://localhost;AccessKey=" + upstreamtest.AccessKey)
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(v, nil)
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		return &upstream.ConnectResponse{UserID: "alice", Groups: []string{"lobby"}}, nil
	})
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("you said " + string(req.Data)), nil
	})
	return h
}

func TestRight(t *testing.T) { check.Test(t, rightHandler(t), nil) }
