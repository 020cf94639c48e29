package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub"
	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

const reliableProtocol = "json.reliable.webpubsub.azure.v1"

// A journal is a handler that writes down what it is asked and told.
type journal struct {
	answer func(w http.ResponseWriter, r *http.Request, event string) // may be nil

	mu     sync.Mutex // guards events
	events []string
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WebHook-Allowed-Origin", "*")
	if r.Method == http.MethodOptions {
		return
	}
	event := r.Header.Get("ce-eventName")
	body, _ := io.ReadAll(r.Body)
	if group := groupOf(body); group != "" {
		event += " " + group
	}
	j.mu.Lock()
	j.events = append(j.events, event)
	j.mu.Unlock()
	if j.answer != nil {
		j.answer(w, r, event)
	}
}

// groupOf returns the group of a group event's body.
func groupOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"group":"`)
	group, _, _ := strings.Cut(rest, `"`)
	return group
}

// take waits until nothing goes on and returns what was asked and told since
// the last time.
func (j *journal) take() []string {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.events
	j.events = nil
	return events
}

func (j *journal) check(t *testing.T, want ...string) {
	t.Helper()
	if got := j.take(); !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
}

func (j *journal) options() emulator.Options {
	return emulator.Options{Settings: emulator.Settings{Default: emulatortest.AllEvents(j)}}
}

// of returns the records of a kind, and of an event unless that is empty.
func (l *recordLog) of(kind emulator.RecordKind, event string) (records []emulator.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Kind == kind && (event == "" || r.Event == event) {
			records = append(records, r)
		}
	}
	return records
}

// A client that the application has closed, and that does not know it yet, gets
// into no group any more.
func TestClosedClientJoinsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &journal{}
		service := startQuiet(t, app.options())
		rest := serviceClient(t, service)
		s := &stage{t: t, service: service, actors: map[string]*actor{}}
		alice := s.dial("alice", map[string]string{"user": "alice", "roles": "joinLeaveGroup", "subprotocol": "json"}, "")
		alice.line.deaf.Store(true)
		if err := rest.CloseUserConnections(t.Context(), "alice", nil); err != nil {
			t.Fatal(err)
		}
		alice.send(t, `{"type":"joinGroup","group":"room","ackId":1}`+"\n"+`{"type":"joinGroup","group":"hall"}`)
		time.Sleep(time.Minute)
		app.check(t, "connect", "connected", "disconnected")
		for _, group := range []string{"room", "hall"} {
			if ok, err := rest.GroupExists(t.Context(), group); ok || err != nil {
				t.Errorf("group %s exists: got %t, %v, want false", group, ok, err)
			}
		}
	})
}

// What a client joins while it is closed, it leaves. The end is told last.
func TestJoinsWhileClosing(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			app := &journal{}
			service := startQuiet(t, app.options())
			rest := serviceClient(t, service)
			s := &stage{t: t, service: service, actors: map[string]*actor{}}
			alice := s.dial("alice", map[string]string{"user": "alice", "roles": "joinLeaveGroup", "subprotocol": "json"}, "")
			go func() { _ = rest.CloseUserConnections(context.Background(), "alice", nil) }()
			for i := range 50 {
				// It fails once the client has been closed.
				_ = alice.ws.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"joinGroup","group":"room%d"}`, i))
			}
			events := app.take()
			joined := map[string]int{}
			for _, event := range events {
				verb, group, _ := strings.Cut(event, " ")
				switch verb {
				case "joined":
					joined[group]++
				case "left":
					joined[group]--
				}
			}
			for group, n := range joined {
				if n != 0 {
					t.Errorf("group %s: joined %d times more than left; events are %q", group, n, events)
				}
			}
			if last := events[len(events)-1]; last != "disconnected" {
				t.Errorf("got last event %q, want disconnected", last)
			}
		})
	}
}

// A handler that is gone already does not hold up Shutdown by retries.
func TestShutdownTriesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &journal{answer: func(w http.ResponseWriter, _ *http.Request, event string) {
			if event == "disconnected" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}}
		options := app.options()
		options.Delivery.RetryDelays = nil // those of the service
		service := startQuiet(t, options)
		service.Connect("chat", nil)
		start := time.Now()
		if err := service.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: got %v", err)
		}
		if took := time.Since(start); took >= time.Second {
			t.Errorf("Shutdown took %v, want less than the first pause", took)
		}
		app.check(t, "connect", "connected", "disconnected")
	})
}

// A handler may do what it always does with the last event, and no longer.
func TestCallsWhileShuttingDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var client *webpubsub.Client
		var last error
		handler := &journal{answer: func(_ http.ResponseWriter, r *http.Request, event string) {
			if event == "disconnected" {
				last = client.SendToAll(r.Context(), webpubsub.Text("gone"), nil)
			}
		}}
		service := emulatortest.Start(t, handler)
		var err error
		client, err = webpubsub.NewClient(service.ConnectionString(), "chat", &webpubsub.ClientOptions{HTTPClient: service.HTTPClient(), MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		last = errors.New("not called")
		service.Connect("chat", nil)
		if err := service.Shutdown(t.Context()); err != nil || last != nil {
			t.Errorf("Shutdown: %v, the call in the last event: %v", err, last)
		}
		if err := client.SendToAll(t.Context(), webpubsub.Text("gone"), nil); err == nil {
			t.Error("a call after Shutdown succeeded")
		}
	})
}

// Shutdown waits for the answer to connect. A client that is admitted then is
// refused, and the handler hears of it.
func TestShutdownWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan struct{})
		app := &journal{answer: func(_ http.ResponseWriter, _ *http.Request, event string) {
			if event == "connect" {
				<-answered
			}
		}}
		service := startQuiet(t, app.options())
		status := make(chan int, 1)
		go func() {
			_, resp, err := service.TryConnect("chat", nil)
			if err == nil {
				status <- http.StatusSwitchingProtocols
				return
			}
			status <- resp.StatusCode
		}()
		app.check(t, "connect")
		down := make(chan error, 1)
		go func() { down <- service.Shutdown(context.Background()) }()
		time.Sleep(5 * time.Second)
		select {
		case err := <-down:
			t.Errorf("Shutdown returned %v while a handler was asked", err)
		default:
		}
		if _, resp, err := service.TryConnect("chat", nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("new client: got %v, %v, want status 503", resp, err)
		}
		close(answered)
		if got := <-status; got != http.StatusServiceUnavailable {
			t.Errorf("got status %d, want 503", got)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: got %v", err)
		}
		app.check(t, "disconnected")
	})
}

const threeEvents = `{"type":"event","event":"e1","dataType":"text","data":""}` + "\n" + `{"type":"event","event":"e2","dataType":"text","data":""}` + "\n" + `{"type":"event","event":"e3","dataType":"text","data":""}`

// slowApp takes a second for each user event.
func slowApp() *journal {
	return &journal{answer: func(_ http.ResponseWriter, r *http.Request, event string) {
		if strings.HasPrefix(event, "e") {
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
	}}
}

// What a client has sent before it said goodbye is delivered, in order.
func TestEventsBeforeGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, records := slowApp(), &recordLog{}
		options := app.options()
		options.Observe = records.add
		service := startQuiet(t, options)
		c := service.Connect("chat", nil)
		for frame := range strings.SplitSeq(threeEvents, "\n") {
			c.Send(frame)
		}
		c.Close()
		time.Sleep(time.Minute)
		app.check(t, "connect", "connected", "e1", "e2", "e3", "disconnected")
		for _, r := range records.of(emulator.Delivered, "") {
			if r.Err != nil {
				t.Errorf("event %s: got %v", r.Event, r.Err)
			}
		}
	})
}

// The handler that is asked for a client that is lost is told so, and the log
// says why.
func TestEventsOfLostClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, records := slowApp(), &recordLog{}
		options := app.options()
		options.Observe = records.add
		service := startQuiet(t, options)
		c := service.Connect("chat", nil)
		for frame := range strings.SplitSeq(threeEvents, "\n") {
			c.Send(frame)
		}
		synctest.Wait() // e1 is under way
		c.Drop()
		synctest.Wait()
		app.check(t, "connect", "connected", "e1", "disconnected")
		given := records.of(emulator.Delivered, "e1")
		if len(given) != 1 || given[0].Err == nil {
			t.Fatalf("got records %+v of e1, want an error", given)
		}
		if got, want := given[0].Err.Error(), "the client is gone: The connection was lost."; !strings.Contains(got, want) {
			t.Errorf("got error %q, want %q in it", got, want)
		}
		if given[0].Duration > 0 {
			t.Errorf("the event was given up after %v, want at once", given[0].Duration)
		}
	})
}

// The end of a connection is told, however many events about groups are lost.
func TestDisconnectedAfterLostNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		app := &journal{answer: func(_ http.ResponseWriter, _ *http.Request, event string) {
			if event == "connected" {
				<-hold
			}
		}}
		service := startQuiet(t, app.options())
		c := service.Connect("chat", &emulatortest.ConnectOptions{Roles: []string{"webpubsub.joinLeaveGroup"}})
		const groups = 2500
		for i := range groups {
			c.Send(fmt.Sprintf(`{"type":"joinGroup","group":"room%d"}`, i))
		}
		c.Close()
		synctest.Wait()
		close(hold)
		events := app.take()
		notices := slices.DeleteFunc(slices.Clone(events), func(event string) bool {
			return !strings.HasPrefix(event, "joined ") && !strings.HasPrefix(event, "left ")
		})
		if n := len(notices); n == 0 || n >= groups {
			t.Errorf("got %d events about groups, want some to be lost", n)
		}
		if last := events[len(events)-1]; last != "disconnected" {
			t.Errorf("got last event %q, want disconnected", last)
		}
	})
}

// The handler finds a client when it hears of it.
func TestConnectedHandlerFindsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rest *webpubsub.Client
		errs := make(chan error, 1)
		app := &journal{answer: func(_ http.ResponseWriter, r *http.Request, event string) {
			if event == "connected" {
				errs <- rest.AddConnectionToGroup(r.Context(), r.Header.Get("ce-connectionId"), "room")
			}
		}}
		service := startQuiet(t, app.options())
		rest = serviceClient(t, service)
		c := service.Connect("chat", nil)
		if err := <-errs; err != nil {
			t.Errorf("add to the group: got %v", err)
		}
		if err := rest.SendToGroup(t.Context(), "room", webpubsub.Text("hi"), nil); err != nil {
			t.Fatal(err)
		}
		if got, want := c.Receive(), `{"type":"message","from":"group","fromUserId":null,"group":"room","dataType":"text","data":"hi"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// A client whose orderly end comes after a long silence gets its close frame
// answered.
func TestIdleClients(t *testing.T) {
	for _, tt := range []struct {
		name string
		idle time.Duration
	}{
		{"less than a ping", 15 * time.Second},
		{"between two pings", 35 * time.Second},
		{"several pings", 65 * time.Second},
		{"a day", 24*time.Hour + 5*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				records := &recordLog{}
				service := startQuiet(t, emulator.Options{Observe: records.add})
				c := service.Connect("chat", nil)
				c.ReceiveNothing(tt.idle)
				if got := records.of(emulator.Closed, ""); len(got) != 0 {
					t.Errorf("got records %+v, want none", got)
				}
				start := time.Now()
				c.Close()
				if took := time.Since(start); took > 0 {
					t.Errorf("the close frame was answered after %v, want at once", took)
				}
				if code, _ := c.ReceiveClose(); code != 1000 {
					t.Errorf("got code %d, want 1000", code)
				}
				synctest.Wait()
				if got := records.reasons(); !slices.Equal(got, []string{"Normal"}) {
					t.Errorf("got closed %q, want Normal", got)
				}
			})
		})
	}
}
