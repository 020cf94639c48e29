package upstream_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

func userEvent() http.Header {
	return http.Header{
		"Webhook-Request-Origin": {"demo.webpubsub.azure.com"},
		"Content-Type":           {"text/plain"},
		"Ce-Awpsversion":         {"1.0"},
		"Ce-Specversion":         {"1.0"},
		"Ce-Type":                {"azure.webpubsub.user.message"},
		"Ce-Id":                  {"2"},
		"Ce-Time":                {"2026-09-01T08:00:00Z"},
		"Ce-Signature":           {wire.Sign("conn1", "ABC", "DEF")},
		"Ce-Connectionid":        {"conn1"},
		"Ce-Hub":                 {"chat"},
		"Ce-Eventname":           {"message"},
		"Ce-Userid":              {"alice"},
		"X-Ms-Client-Request-Id": {"x"},
	}
}

func BenchmarkHandleHTTP(b *testing.B) {
	v, err := upstream.NewAccessKeyValidator("Endpoint=https://demo.webpubsub.azure.com;AccessKey=ABC")
	if err != nil {
		b.Fatal(err)
	}
	h := upstream.NewEventHandler(v, nil)
	h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text("you said " + string(req.Data)), nil
	})
	header := userEvent()
	body := []byte("hello")
	b.ReportAllocs()
	for b.Loop() {
		if r := h.HandleHTTP(b.Context(), header, body); r.StatusCode != 200 {
			b.Fatal(r)
		}
	}
}
