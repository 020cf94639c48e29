package emulatortest_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// BenchmarkConversation is what one conversation costs a test: a client
// connects, sends an event, gets the handler's answer, and leaves. Client,
// service and handler are all in the figures.
func BenchmarkConversation(b *testing.B) {
	h := upstream.NewEventHandler(upstream.InsecureSkipValidation(), nil)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return upstream.Text(string(req.Data)), nil
	})
	service := emulatortest.StartWith(b, &emulator.Options{
		Settings: emulator.Settings{Default: emulatortest.AllEvents(h)},
		Logger:   slog.New(slog.DiscardHandler),
	})
	b.ReportAllocs()
	for b.Loop() {
		c := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice"})
		c.Send(`{"type":"event","event":"message","ackId":1,"dataType":"text","data":"hello"}`)
		if got, want := c.Receive(), `{"type":"message","from":"server","dataType":"text","data":"hello"}`; got != want {
			b.Fatalf("got %s, want %s", got, want)
		}
		c.Close()
	}
}
