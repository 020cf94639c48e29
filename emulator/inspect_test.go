package emulator_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// An onlooker keeps what the service shows.
type onlooker struct {
	mu   sync.Mutex // guards what follows
	seen []emulator.Exchange
}

func (o *onlooker) inspect(x emulator.Exchange) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, x)
}

// all returns what was shown, in order, once nothing goes on.
func (o *onlooker) all() []emulator.Exchange {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

// done returns the end of the last exchange for an event, or of the last call
// if the event is empty.
func (o *onlooker) done(t *testing.T, event string) emulator.Exchange {
	t.Helper()
	for _, x := range slices.Backward(o.all()) {
		if x.Done && x.Event == event {
			return x
		}
	}
	t.Fatalf("no exchange for the event %q has ended", event)
	return emulator.Exchange{}
}

// inspected starts a service that is looked at, in front of a handler.
func inspected(t *testing.T, handler http.Handler) (*emulatortest.Service, *onlooker) {
	t.Helper()
	o := &onlooker{}
	return emulatortest.StartWith(t, &emulator.Options{
		Settings: emulator.Settings{Default: emulatortest.AllEvents(handler)},
		Inspect:  o.inspect,
	}), o
}

// A message makes the handler send something to a group, by REST and with the
// context of the event: everything about both is shown, and that they belong
// together.
func TestInspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var client *webpubsub.Client
		v, err := upstream.NewAccessKeyValidator(emulator.DefaultConnectionString)
		if err != nil {
			t.Fatal(err)
		}
		h := upstream.NewEventHandler(v, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
		h.HandleUserMessage(func(ctx context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			reply := upstream.Text("told them")
			if err := reply.SetState("told", true); err != nil {
				return nil, err
			}
			return reply, client.SendToGroup(ctx, "lobby", webpubsub.Text("news"), nil)
		})
		service, o := inspected(t, h)
		if client, err = webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()}); err != nil {
			t.Fatal(err)
		}
		service.Connect("chat", &emulatortest.ConnectOptions{Groups: []string{"lobby"}})
		alice := service.Connect("chat", &emulatortest.ConnectOptions{UserID: "alice", Groups: []string{"lobby"}})
		alice.Send(`{"type":"event","event":"message","dataType":"text","data":"hello"}`)
		synctest.Wait()

		consent := o.done(t, "validate")
		if consent.Kind != emulator.ConsentExchange || consent.Method != http.MethodOptions || consent.Status != 200 || consent.CanResend() {
			t.Errorf("the question for consent is %+v", consent)
		}
		event := o.done(t, "message")
		if event.Kind != emulator.EventExchange || event.Hub != "chat" || event.UserID != "alice" || event.ConnectionID != alice.ConnectionID() {
			t.Errorf("the event is of %q in hub %q, connection %q", event.UserID, event.Hub, event.ConnectionID)
		}
		if got, want := string(event.Body)+" → "+string(event.Answer), "hello → told them"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if event.Header.Get("ce-signature") == "" || event.AnswerHeader.Get("Content-Type") == "" || event.Attempts != 1 || event.Status != 200 {
			t.Errorf("headers %v, answer %d %v after %d attempts", event.Header, event.Status, event.AnswerHeader, event.Attempts)
		}
		if event.StateBefore != "" || event.StateAfter == "" {
			t.Errorf("the state was %q and is %q", event.StateBefore, event.StateAfter)
		}
		call := o.done(t, "")
		if call.Kind != emulator.CallExchange || call.Method != http.MethodPost || !strings.HasPrefix(call.URL, "/api/hubs/chat/groups/lobby/:send?") {
			t.Errorf("the call is a %v: %s %s", call.Kind, call.Method, call.URL)
		}
		if got, want := string(call.Body), "news"; got != want || call.Status != http.StatusAccepted || call.Recipients != 2 {
			t.Errorf("body %q, status %d, %d recipients; want %q, 202 and 2", got, call.Status, call.Recipients, want)
		}
		if call.RequestID == "" || call.RequestID != event.RequestID {
			t.Errorf("the call has the request id %q, the event %q", call.RequestID, event.RequestID)
		}
		if call.Header.Get("Authorization") != "" {
			t.Error("the call shows its token")
		}
		var order []string
		for _, x := range o.all() {
			if x.ID == event.ID || x.ID == call.ID {
				order = append(order, map[bool]string{true: "end ", false: "begin "}[x.Done]+x.Kind.String())
			}
		}
		if got, want := strings.Join(order, ", "), "begin event, begin call, end call, end event"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestInspectFailures(t *testing.T) {
	for _, tt := range []struct {
		name    string
		event   string
		answer  http.HandlerFunc
		status  int
		sent    bool
		err     string // is part of it
		changed bool
	}{
		{"refused", "message", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Ce-Connectionstate", "new")
			w.WriteHeader(http.StatusForbidden)
		}, 403, true, "403 Forbidden", false},
		{"unusable", "message", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Ce-Connectionstate", "new")
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("x"))
		}, 200, true, "image/png", false},
		{"not taken", "vote", nil, 0, false, "no event handler", false},
		{"fine", "message", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Ce-Connectionstate", " new ") }, 200, true, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &onlooker{}
				service := emulatortest.StartWith(t, &emulator.Options{
					Settings: emulator.Settings{Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{{
						Handler: &journal{answer: func(w http.ResponseWriter, r *http.Request, _ string) { tt.answer(w, r) }}, UserEventPattern: "message",
					}}}},
					Inspect: o.inspect,
				})
				client := service.Connect("chat", nil)
				client.Send(`{"type":"event","event":"` + tt.event + `","ackId":1,"dataType":"text","data":"hello"}`)
				client.Receive()
				x := o.done(t, tt.event)
				if x.Status != tt.status || (x.Method != "") != tt.sent || x.CanResend() != tt.sent {
					t.Errorf("status %d, method %q, resendable %v; want %d, sent: %v", x.Status, x.Method, x.CanResend(), tt.status, tt.sent)
				}
				if (x.Err != nil) != (tt.err != "") || x.Err != nil && (!strings.Contains(x.Err.Error(), tt.err) || x.Hint == "") {
					t.Errorf("error %v with the hint %q, want %q", x.Err, x.Hint, tt.err)
				}
				if got := x.StateAfter == "new"; got != tt.changed {
					t.Errorf("the state is %q, changed: %v, want %v", x.StateAfter, got, tt.changed)
				}
			})
		})
	}
}

// An event that is sent again arrives unchanged, and nothing follows from it.
func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids, states []string
		handler := &journal{answer: func(w http.ResponseWriter, r *http.Request, event string) {
			if event != "message" {
				return
			}
			ids = append(ids, r.Header.Get("ce-id")+" "+r.Header.Get("X-Ms-Client-Request-Id"))
			states = append(states, r.Header.Get("Ce-Connectionstate"))
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Ce-Connectionstate", "s"+string(rune('0'+len(ids))))
			if len(ids) == 2 {
				w.WriteHeader(http.StatusInternalServerError) // and is not tried again
			}
			_, _ = w.Write([]byte("ok"))
		}}
		service, o := inspected(t, handler)
		client := service.Connect("chat", nil)
		const message = `{"type":"event","event":"message","dataType":"text","data":"hello"}`
		client.Send(message)
		client.Receive()
		first := o.done(t, "message")
		first.Resend()
		second := o.done(t, "message")
		if second.Again != first.ID || second.ID == first.ID || second.Status != 500 || second.Err == nil || second.Attempts != 1 {
			t.Errorf("the second is %d, again %d, %d after %d attempts: %v", second.ID, second.Again, second.Status, second.Attempts, second.Err)
		}
		second.Resend()
		third := o.done(t, "message")
		if third.Again != second.ID || third.Status != 200 || third.StateAfter != third.StateBefore {
			t.Errorf("the third repeats %d with status %d, state %q, then %q", third.Again, third.Status, third.StateBefore, third.StateAfter)
		}
		if len(ids) != 3 || ids[0] != ids[1] || ids[0] != ids[2] || states[2] != "" {
			t.Errorf("ids %q and states %q, want the same ids and no state", ids, states)
		}
		client.Send(message)
		client.Receive() // of this event, and not of the others
		if got, want := states[3], "s1"; got != want {
			t.Errorf("the state is %q, want %q", got, want)
		}
	})
}

// An event can be sent again while it is still under way, and tried: each goes
// its own way.
func TestResendUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &onlooker{}
		handler := &journal{answer: func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusInternalServerError) }}
		var resend sync.Once
		var resent sync.WaitGroup
		service := emulatortest.StartWith(t, &emulator.Options{
			Settings: emulator.Settings{Default: emulator.HubSettings{EventHandlers: []emulator.EventHandler{{Handler: handler, UserEventPattern: "*"}}}},
			Inspect: func(x emulator.Exchange) {
				o.inspect(x)
				if x.Kind == emulator.EventExchange {
					resend.Do(func() { resent.Go(x.Resend) })
				}
			},
		})
		service.Connect("chat", nil).Send(`{"type":"event","event":"message","dataType":"text","data":"hello"}`)
		time.Sleep(time.Minute)
		resent.Wait()
		attempts := map[uint64]int{}
		for _, x := range o.all() {
			if x.Done && x.Event == "message" {
				attempts[x.Again] = x.Attempts
			}
		}
		if got, want := len(attempts), 2; got != want || attempts[0] != 4 {
			t.Fatalf("got %v attempts by the event that was sent again, want 4 of the first and those of another", attempts)
		}
		for of, n := range attempts {
			if of != 0 && n != 1 {
				t.Errorf("again: got %d attempts, want 1", n)
			}
		}
	})
}

// A record says that an event was sent again: the conversation goes on without
// it.
func TestResendRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records []emulator.Record // of one goroutine after the other
		o := &onlooker{}
		service := emulatortest.StartWith(t, &emulator.Options{
			Settings: emulator.Settings{Default: emulatortest.AllEvents(&journal{})},
			Inspect:  o.inspect,
			Observe: func(r emulator.Record) {
				if r.Event == "message" {
					records = append(records, r)
				}
			},
		})
		client := service.Connect("chat", nil)
		client.Send(`{"type":"event","event":"message","ackId":1,"dataType":"text","data":"hello"}`)
		client.Receive()
		x := o.done(t, "message")
		x.Resend()
		if len(records) != 2 || records[0].Again || !records[1].Again || records[1].ConnectionID != client.ConnectionID() || records[1].URL != records[0].URL {
			t.Errorf("got %+v, want the event, and the same again", records)
		}
	})
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := emulatortest.Start(t, &journal{})
		reliable := service.Connect("Chat", &emulatortest.ConnectOptions{Subprotocols: []string{reliableProtocol}, Groups: []string{"lobby"}})
		other := service.Connect("chat", nil)
		client, err := webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient()})
		if err != nil {
			t.Fatal(err)
		}

		if !service.Cut("CHAT", reliable.ConnectionID()) {
			t.Fatal("there was nothing to cut")
		}
		synctest.Wait()
		if service.Cut("chat", reliable.ConnectionID()) {
			t.Error("a connection was cut twice")
		}
		if err := client.SendToGroup(t.Context(), "lobby", webpubsub.Text("missed?"), nil); err != nil {
			t.Fatal(err)
		}
		reliable.Recover()
		if got, want := reliable.Receive(), `"data":"missed?"`; !strings.Contains(got, want) {
			t.Errorf("got %s after the recovery, want %s in it", got, want)
		}

		if !service.Cut("chat", other.ConnectionID()) {
			t.Error("there was nothing to cut")
		}
		synctest.Wait()
		if there, err := client.ConnectionExists(t.Context(), other.ConnectionID()); there || err != nil {
			t.Errorf("the connection is there: %v, %v", there, err)
		}
		for _, unknown := range [][2]string{{"chat", "nobody"}, {"nowhere", reliable.ConnectionID()}} {
			if service.Cut(unknown[0], unknown[1]) {
				t.Errorf("%q was cut", unknown)
			}
		}
	})
}
