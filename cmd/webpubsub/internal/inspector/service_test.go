package inspector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// A handler that tells a group, and changes the state, in front of the real
// service: an event is shown with what it led to, and can be sent again; its
// connection can be cut.
func TestWithService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var client *webpubsub.Client
		var ids []string
		h := upstream.NewEventHandler(upstream.InsecureSkipValidation(), &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
		h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			ids = append(ids, req.EventID)
			reply := upstream.Text("told them")
			if err := reply.SetState("told", true); err != nil {
				return nil, err
			}
			return reply, client.SendToGroup(ctx, "lobby", webpubsub.Text("news"), nil)
		})
		var service *emulatortest.Service
		i := New(&Options{Cut: func(hub, id string) bool { return service.Cut(hub, id) }})
		defer i.Close()
		service = emulatortest.StartWith(t, &emulator.Options{
			Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{"chat": {EventHandlers: []emulator.EventHandler{{Handler: h, UserEventPattern: "*"}}}}},
			Inspect:  i.Observe,
			Logger:   slog.New(slog.DiscardHandler),
		})
		var err error
		if client, err = webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()}); err != nil {
			t.Fatal(err)
		}
		alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice", Groups: []string{"lobby"}})
		send := func() {
			alice.Send(`{"type":"event","event":"message","dataType":"text","data":"hello"}`)
			synctest.Wait()
		}
		send()
		if got, want := listed(i.store), "1 2[3] 3<2"; got != want { // consent, message, call
			t.Fatalf("got %q, want %q", got, want)
		}
		d := detailOf(t, i, 2)
		if got, want := fmt.Sprintf("%t %t %s %s %d", d.Summary.StateChanged, d.Summary.Resendable, d.Answer.Body.Text, d.StateAfter.JSON, *d.Calls[0].Summary.Recipients),
			`true true told them {"told":true} 1`; got != want {
			t.Errorf("message: got %s, want %s", got, want)
		}
		if got, want := ask(i, "POST", "/inspector/entries/2/again").Code, http.StatusAccepted; got != want {
			t.Fatalf("again: got %d, want %d", got, want)
		}
		synctest.Wait()
		if got, want := listed(i.store), "1 2[3] 3<2 4[5] 5<4"; got != want {
			t.Errorf("again: got %q, want %q", got, want)
		}
		if got := detailOf(t, i, 4).Summary.Again; got != 2 {
			t.Errorf("again: got one of %d, want of 2", got)
		}
		if len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("again: the handler got %q, want the same id twice", ids)
		}
		if got, want := ask(i, "POST", "/inspector/entries/1/again").Code, http.StatusConflict; got != want {
			t.Errorf("consent again: got %d, want %d", got, want)
		}
		path := "/inspector/connections/chat/" + alice.ConnectionID() + "/cut"
		if got, want := ask(i, "POST", path).Code, http.StatusNoContent; got != want {
			t.Errorf("cut: got %d, want %d", got, want)
		}
		synctest.Wait()
		if got, want := ask(i, "POST", path).Code, http.StatusNotFound; got != want {
			t.Errorf("cut twice: got %d, want %d", got, want)
		}
	})
}

func detailOf(t *testing.T, i *Inspector, id uint64) (d detail) {
	t.Helper()
	w := ask(i, "GET", fmt.Sprint("/inspector/entries/", id))
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%d: %v", id, err)
	}
	return d
}
