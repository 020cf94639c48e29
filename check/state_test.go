package check_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func hasState(r *http.Request) bool { return len(r.Header["Ce-Connectionstate"]) > 0 }

func stateOf(r *http.Request) string { return r.Header.Get("ce-connectionState") }

// isObject reports whether the state is a JSON object in base64, as strictly as
// the standard library of most languages decodes it.
func isObject(state string) bool {
	object, err := base64.StdEncoding.DecodeString(state)
	return err == nil && json.Unmarshal(object, &map[string]any{}) == nil
}

// setting does a step that sets states.
func setting(do step, states ...string) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header()["Ce-Connectionstate"] = states
		do(w, r, body)
	}
}

// wantFailures wants exactly these rules to fail.
func wantFailures(t *testing.T, h http.Handler, options *check.Options, want ...string) {
	t.Helper()
	var got []string
	for _, result := range judged(t, h, options).Results {
		if result.Verdict == check.Fails {
			got = append(got, result.Rule.ID)
			t.Logf("%s: %s (%d exchanges)", result.Rule.ID, result.Finding, len(result.Exchanges))
			if result.Finding == "" || len(result.Exchanges) == 0 {
				t.Errorf("%s fails with the finding %q and %d exchanges", result.Rule.ID, result.Finding, len(result.Exchanges))
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("these rules fail: %q, want %q", got, want)
	}
}

// Handlers that keep no state of their own.
func TestStateRules(t *testing.T) {
	afterState := []string{"state/empty", "state/foreign", "state/kept", "state/large", "state/huge"}
	foreign := afterState[:3]
	for _, tt := range []struct {
		name        string
		fault       func(*plain)
		fails, open []string
	}{
		{"insists", refuse(400, func(r *http.Request) bool { return !hasState(r) }), []string{"state/absent"}, foreign},
		{"insists on user events", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			if !isObject(stateOf(r)) {
				w.WriteHeader(500)
				return
			}
			echo(w, r, body)
		}), []string{"state/absent"}, afterState},
		{"decodes what is empty", refuse(400, func(r *http.Request) bool { return hasState(r) && stateOf(r) == "" }), []string{"state/empty"}, nil},
		{"refuses what is not its own", refuse(400, func(r *http.Request) bool { return stateOf(r) != "" && !isObject(stateOf(r)) }), []string{"state/foreign"}, nil},
		{"breaks on plain text", refuse(500, func(r *http.Request) bool { return strings.Contains(stateOf(r), " ") }), []string{"state/foreign"}, nil},
		{"starts anew", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			if hasState(r) {
				w.Header().Set("ce-connectionState", "e30=")
			}
			echo(w, r, body)
		}), []string{"state/kept"}, nil},
		{"sends back", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			if hasState(r) {
				w.Header().Set("ce-connectionState", stateOf(r))
			}
			echo(w, r, body)
		}), nil, nil},
		{"2 KB", refuse(431, func(r *http.Request) bool { return len(stateOf(r)) > 2<<10 }), []string{"state/large"}, []string{"state/huge"}},
		{"8 KB", refuse(431, func(r *http.Request) bool { return len(stateOf(r)) > 8<<10 }), []string{"state/huge"}, nil},
		{"none at all", refuse(400, hasState), []string{"state/empty", "state/foreign"}, []string{"state/kept", "state/large", "state/huge"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(tt.fault), &check.Options{Only: []string{"state"}}, tt.fails, tt.open)
		})
	}
}

// What has to do with the state does not fail rules about events.
func TestStateAndEvents(t *testing.T) {
	insists := message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if !hasState(r) {
			w.WriteHeader(500)
			return
		}
		echo(w, r, body)
	})
	wantFailures(t, newPlain(insists), &check.Options{Only: []string{"event", "state"}}, "state/absent")
}

// Handlers that keep a state of their own.
func TestOwnStateRules(t *testing.T) {
	const own = "eyJuIjoxfQ=="
	refusing := func(status int, when func(state string) bool) step {
		return func(w http.ResponseWriter, r *http.Request, body []byte) {
			if hasState(r) && when(stateOf(r)) {
				w.WriteHeader(status)
				return
			}
			echo(w, r, body)
		}
	}
	odd := func(state string) bool { return !isObject(state) }
	every := func(string) bool { return true }
	for _, tt := range []struct {
		name             string
		connect, message step
		fails            []string
	}{
		{"right", setting(admit, own), setting(echo, own), nil},
		{"right, in user events only", admit, setting(echo, own), nil},
		{"refuses what is not its own", setting(admit, own), refusing(400, odd), nil},
		{"breaks on what is not its own", setting(admit, own), refusing(500, odd), []string{"state/unreadable"}},
		{"breaks on its own", setting(admit, own), refusing(500, every), []string{"state/round-trip"}},
		{"cannot read its own", setting(admit, own), refusing(400, every), []string{"state/round-trip"}},
		{"refuses for what the state says", setting(admit, own), refusing(403, every), nil},
		{"beyond ASCII", setting(admit, "name=Zoë"), echo, []string{"state/ascii"}},
		{"beyond ASCII in user events", admit, setting(echo, "name=Zoë"), []string{"state/ascii"}},
		{"two", setting(admit, own, own), echo, []string{"state/one-line"}},
		{"long", setting(admit, own), setting(echo, strings.Repeat("x", 8001)), []string{"state/length"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newPlain(func(p *plain) { p.connect, p.message = tt.connect, tt.message })
			wantFailures(t, h, &check.Options{Only: []string{"state"}}, tt.fails...)
		})
	}
}

// A handler that breaks on the state that it has set for another event.
func TestStateOfUserEvents(t *testing.T) {
	h := newPlain(message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if hasState(r) {
			w.WriteHeader(500)
			return
		}
		setting(echo, "step 1")(w, r, body)
	}))
	wantFailures(t, h, &check.Options{Only: []string{"state/round-trip"}}, "state/round-trip")
}

// A handler of package upstream with a state is right.
func TestRightState(t *testing.T) {
	type counter struct{ N int }
	v, err := upstream.NewAccessKeyValidator("Endpoint=http://localhost;AccessKey=" + upstreamtest.AccessKey)
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(v, nil)
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		state, err := upstream.NewState(counter{})
		return &upstream.ConnectResponse{UserID: "alice", State: state}, err
	})
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		var c counter
		if err := req.State.Decode(&c); err != nil {
			c = counter{}
		}
		c.N++
		state, err := upstream.NewState(c)
		return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType, State: state}, err
	})
	wantFailures(t, h, &check.Options{Only: []string{"event", "state", "delivery"}})
}
