package chat_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A deafService takes all calls and knows no client.
type deafService struct{}

func (deafService) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// TestConformance has each user event be the one that most rules are tried on.
func TestConformance(t *testing.T) {
	lifecycle := []string{"connect", "connected", "disconnected", "joined", "left"}
	events := []string{"say", "typing", "rename", "rooms"}
	for i, first := range events {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			check.Test(t, newChat(t, upstreamtest.ConnectionString, deafService{}), &check.Options{
				Events:       slices.Concat(lifecycle, events[i:], events[:i]),
				Query:        url.Values{"name": {"alice"}},
				Subprotocols: []string{reliable},
				Data: map[string]upstreamtest.Data{
					"say":    upstreamtest.JSON(map[string]string{"room": "lobby", "id": "1", "text": "hello"}),
					"typing": upstreamtest.JSON(map[string]string{"room": "lobby"}),
					"rename": upstreamtest.JSON(map[string]string{"name": "alice"}),
					"rooms":  upstreamtest.JSON(struct{}{}),
				},
			})
		})
	}
}
