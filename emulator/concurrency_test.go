package emulator_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// echo lets the service send events, and answers the user's with their own
// data.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WebHook-Allowed-Origin", "*")
	if r.Header.Get("ce-eventName") == "message" {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprint(w, "echo")
	}
})

// Many clients of all kinds come, work and go, while the application works on
// them and the settings change. Run it with -race. In the end nobody is left.
func TestConcurrency(t *testing.T) {
	records := &recordLog{}
	settings := emulator.Settings{Default: emulatortest.AllEvents(echo)}
	service := startQuiet(t, emulator.Options{Settings: settings, Observe: records.add})
	rest := serviceClient(t, service)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	var clients, others sync.WaitGroup
	for i := range 30 {
		clients.Go(func() {
			for round := range 5 {
				useClient(ctx, t, service, i, rand.New(rand.NewPCG(uint64(i), uint64(round))))
			}
		})
	}
	done := make(chan struct{})
	work := func(step func(i int) error) {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := step(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group := func(i int) string { return fmt.Sprintf("group%d", i%3) }
	user := func(i int) string { return fmt.Sprintf("user%d", i%10) }
	work(func(i int) error { return rest.SendToGroup(ctx, group(i), webpubsub.Text("to a group"), nil) })
	work(func(i int) error {
		return rest.SendToAll(ctx, webpubsub.Text("to all"), &webpubsub.SendOptions{Filter: "length(groups) gt 1"})
	})
	work(func(i int) error { return rest.AddUserToGroup(ctx, user(i), group(i)) })
	work(func(i int) error { return rest.RemoveUserFromAllGroups(ctx, user(i)) })
	work(func(i int) error { return rest.CloseUserConnections(ctx, user(i), nil) })
	work(func(i int) error {
		for m, err := range rest.GroupConnections(ctx, group(i), nil) {
			if err != nil {
				return err
			}
			if err := rest.RevokePermission(ctx, m.ConnectionID, webpubsub.PermissionSendToGroup, group(i)); err != nil {
				return err
			}
		}
		return nil
	})
	work(func(i int) error {
		settings := settings
		settings.Default.CloseOnEventFailure = i%2 == 0
		return service.Apply(settings)
	})
	clients.Wait()
	close(done)
	others.Wait()

	if err := service.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	opened, closed := 0, 0
	for _, r := range records.records {
		switch r.Kind {
		case emulator.Opened:
			opened++
		case emulator.Closed:
			closed++
		}
	}
	if opened == 0 || opened != closed {
		t.Errorf("%d connections were opened and %d closed", opened, closed)
	}
}

// useClient is one client's life. The service may end it at any time.
func useClient(ctx context.Context, t *testing.T, service *emulatortest.Service, i int, random *rand.Rand) {
	address, err := service.ClientURL("chat", &emulator.TokenOptions{
		UserID: fmt.Sprintf("user%d", i%10), Groups: []string{"group0"},
		Roles: []string{"webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"},
	})
	if err != nil {
		t.Error(err)
		return
	}
	subprotocols := [][]string{{"json.webpubsub.azure.v1"}, {"json.reliable.webpubsub.azure.v1"}, nil}[i%3]
	ws, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: service.HTTPClient(), Subprotocols: subprotocols})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = ws.CloseNow() }()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for {
			if _, _, err := ws.Read(ctx); err != nil {
				return
			}
		}
	}()
	for n := range 20 {
		frame := fmt.Sprintf([]string{
			`{"type":"joinGroup","group":"group%d","ackId":%d}`,
			`{"type":"leaveGroup","group":"group%d","ackId":%d}`,
			`{"type":"sendToGroup","group":"group%d","ackId":%d,"data":1}`,
			`{"type":"event","event":"message","dataType":"text","data":"%d","ackId":%d}`,
		}[random.IntN(4)], random.IntN(3), n)
		if ws.Write(ctx, websocket.MessageText, []byte(frame)) != nil {
			break
		}
	}
	if random.IntN(2) == 0 {
		_ = ws.Close(websocket.StatusNormalClosure, "")
	} else {
		_ = ws.CloseNow()
	}
	<-reading
}
