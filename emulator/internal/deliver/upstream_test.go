package deliver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// An application records what a handler of package upstream got.
type application struct{ seen []string }

func (a *application) saw(c *upstream.ConnectionContext, what string) {
	a.seen = append(a.seen, fmt.Sprintf("%s of %q with state %q", what, c.UserID, c.State.Raw()))
}

// newHandler returns a handler that checks everything that package upstream
// can check.
func (a *application) newHandler(t *testing.T, key string) http.Handler {
	t.Helper()
	validator, err := upstream.NewAccessKeyValidator("Endpoint=http://localhost:8080;AccessKey=" + key + ";Version=1.0;")
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(validator, &upstream.Options{
		Hubs: []string{"Chat"}, RejectUnhandled: true, Logger: slog.New(slog.DiscardHandler),
	})
	h.HandleConnect(func(_ context.Context, r *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		a.saw(r.Connection(), "connect")
		resp := &upstream.ConnectResponse{
			UserID: "ann", Roles: []string{"r"}, Groups: []string{"g"},
			Cookies: []*http.Cookie{{Name: "node", Value: "n1"}},
		}
		return resp, resp.SetState("n", 1)
	})
	h.HandleConnected(func(_ context.Context, ev *upstream.ConnectedEvent) error {
		a.saw(ev.Connection(), "connected")
		return nil
	})
	h.HandleUserEvent("vote", func(_ context.Context, r *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		cookie, err := (&http.Request{Header: r.Header}).Cookie("node")
		if err != nil {
			return nil, err
		}
		a.saw(r.Connection(), "vote "+string(r.Data)+" at "+cookie.Value)
		resp := upstream.Text("ok")
		resp.Metadata = map[string]string{"m": "v"}
		resp.ClearStates()
		return resp, nil
	})
	h.HandleGroupJoined(func(_ context.Context, ev *upstream.GroupJoinedEvent) error {
		a.saw(ev.Connection(), "joined "+ev.Group)
		return nil
	})
	h.HandleDisconnected(func(_ context.Context, ev *upstream.DisconnectedEvent) error {
		a.saw(ev.Connection(), "disconnected "+ev.Reason)
		return nil
	})
	return h
}

// TestWithEventHandler lets a connection live from its first event to its last,
// with each of the two keys, over a socket and in process.
func TestWithEventHandler(t *testing.T) {
	for _, key := range []string{primaryKey, secondaryKey} {
		for _, socket := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.4s socket=%v", key, socket), func(t *testing.T) {
				var app application
				settings := everything(app.newHandler(t, key))
				if socket {
					server := httptest.NewServer(settings.InProcess)
					defer server.Close()
					settings = at(server.URL + "/{hub}/{event}")
				}
				live(t, compile(t, settings))
				want := []string{
					`connect of "" with state ""`,
					`connected of "ann" with state "eyJuIjoxfQ=="`,
					`vote 1 at n1 of "ann" with state "eyJuIjoxfQ=="`,
					`joined g of "ann" with state "e30="`,
					`disconnected bye of "ann" with state "e30="`,
				}
				if !slices.Equal(app.seen, want) {
					t.Errorf("the handler saw\n%s\nwant\n%s", strings.Join(app.seen, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// live sends the events of a short life.
func live(t *testing.T, handlers *deliver.Handlers) {
	t.Helper()
	s := newSender(t, deliver.Options{Keys: []string{primaryKey, secondaryKey}})
	send := func(e *deliver.Event) *deliver.Answer {
		t.Helper()
		a, err := s.Send(t.Context(), handlers, e)
		if err != nil {
			t.Fatalf("Send of %v: %v", e.Kind, err)
		}
		return a
	}
	c := newConnection()
	connect := c.NewEvent(wire.KindConnect, "")
	connect.Body = []byte(`{"claims":{},"query":{},"headers":{},"subprotocols":[],"clientCertificates":[]}`)
	answer := send(connect).Connect()
	if answer.UserID == nil || *answer.UserID != "ann" || !slices.Equal(answer.Roles, []string{"r"}) || !slices.Equal(answer.Groups, []string{"g"}) {
		t.Errorf("answer to connect is %+v", answer)
	}
	c.UserID = *answer.UserID
	send(c.NewEvent(wire.KindConnected, ""))
	vote := c.NewEvent(wire.KindUser, "Vote")
	vote.ContentType, vote.Body = wire.MediaJSON, []byte("1")
	m, ok := send(vote).Message()
	if !ok || m.DataType != wire.DataText || string(m.Bytes) != "ok" || m.Metadata["m"] != "v" {
		t.Errorf("message is %+v, %v", m, ok)
	}
	joined := c.NewEvent(wire.KindGroupJoined, "")
	joined.Group = "g"
	send(joined)
	disconnected := c.NewEvent(wire.KindDisconnected, "")
	disconnected.Body = []byte(`{"reason":"bye"}`)
	send(disconnected)
	for _, r := range s.reported(false) {
		if r.Err != nil || r.Attempts != 1 || r.Status/100 != 2 {
			t.Errorf("report of a good event: %+v", r)
		}
	}
}

// TestHandshakeVectors judges the answers that a correct handler gives.
func TestHandshakeVectors(t *testing.T) {
	judged := 0
	for _, v := range vectors.Load().Origins.Handshake.Cases {
		for _, origin := range wire.ParseOrigins(v.Header) {
			if wire.OriginHost(origin) == "" || v.Status == nil {
				continue // not of the service, or no handshake
			}
			judged++
			b := backend{handshake: func(w http.ResponseWriter, _ *http.Request) {
				for _, line := range v.AllowedOrigin {
					w.Header().Add("WebHook-Allowed-Origin", line)
				}
				w.WriteHeader(*v.Status)
			}}
			c := newConnection()
			_, err := newSender(t, deliver.Options{Origin: origin}).Send(t.Context(), compile(t, everything(&b)), message(c, ""))
			want := *v.Status == http.StatusOK && (slices.Contains(v.AllowedOrigin, "*") || slices.Contains(v.AllowedOrigin, origin))
			if got := err == nil; got != want {
				t.Errorf("%s, asked by %s: consent is %v, want %v (%v)", v.ID, origin, got, want, err)
			}
		}
	}
	if judged < 15 {
		t.Errorf("%d answers judged, want 15 or more", judged)
	}
}
