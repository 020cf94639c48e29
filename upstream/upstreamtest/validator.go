package upstreamtest

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// TestValidator checks that v keeps the contract of
// [upstream.RequestValidator]. Run it with the race detector on.
//
// The event accepted is one that v has to accept, by its Origins and by its
// proof: signed with Keys, or with a bearer token or another secret in Header.
// From it TestValidator makes hosts and events that come close to the right
// ones and that v has to refuse. What refuses must not repeat a secret in its
// error either, because errors are logged.
func TestValidator(t testing.TB, v upstream.RequestValidator, accepted Event) {
	t.Helper()
	accepted = accepted.withDefaults()
	good := contextOf(t, accepted)
	if i := slices.IndexFunc(good.Origins, func(o string) bool { return wire.OriginHost(o) == "" }); i >= 0 {
		t.Fatalf("upstreamtest: the origin %q of the accepted event is no bare host", good.Origins[i])
	}
	judge := func() {
		t.Helper()
		for _, origin := range good.Origins {
			testOrigins(t, v, wire.OriginHost(origin))
		}
		if err := v.Validate(t.Context(), clone(good)); err != nil {
			t.Errorf("Validate refused the accepted event: %v", err)
		}
		for name, c := range forgeries(v, accepted, good) {
			err := v.Validate(t.Context(), c)
			if err == nil {
				t.Errorf("Validate accepted %s", name)
				continue
			}
			for _, secret := range secrets(accepted, good) {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("Validate refused %s, but its error repeats a secret of the event", name)
				}
			}
		}
	}
	judge()
	if t.Failed() {
		return // not nine times the same
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(judge)
	}
	wg.Wait()
	before := good.Header.Clone()
	_ = v.Validate(t.Context(), good)
	if !reflect.DeepEqual(good.Header, before) {
		t.Error("Validate changed the headers of the event, which others read too")
	}
}

// testOrigins asks v about a host that it allows, and about its neighbours.
func testOrigins(t testing.TB, v upstream.RequestValidator, host string) {
	t.Helper()
	if !v.AllowsOrigin(host) {
		t.Errorf("AllowsOrigin(%q) = false, want true: the accepted event comes from there", host)
	}
	for _, other := range []string{
		"", "*", host + ".attacker.example", host + "x", host[:len(host)-1], "x" + host, "x." + host, "attacker.example",
	} {
		if v.AllowsOrigin(other) {
			t.Errorf("AllowsOrigin(%q) = true, want false: compare whole hosts with %q", other, host)
		}
	}
}

// forgeries returns what v has to refuse, by what it is. Whether the signature
// is a proof for v shows when it is missing.
func forgeries(v upstream.RequestValidator, accepted Event, good *upstream.ConnectionContext) map[string]*upstream.ConnectionContext {
	unsigned := signedWith(good, "")
	unproven := clone(unsigned)
	for name := range accepted.Header {
		unproven.Header.Del(name)
	}
	forged := map[string]*upstream.ConnectionContext{
		"an event without any proof": unproven,
		"an event without anything":  {},
	}
	if token := good.Header.Get("Authorization"); token != "" {
		c := clone(good)
		c.Header.Set("Authorization", token+"x")
		forged["a token that something was added to"] = c
	}
	if v.Validate(context.Background(), clone(unsigned)) == nil {
		return forged // the proof is elsewhere
	}
	signature := wire.Sign(good.ConnectionID, accepted.Keys[0])
	another := clone(good)
	another.ConnectionID += "x"
	nobody := signedWith(good, wire.Sign("", accepted.Keys...))
	nobody.ConnectionID = ""
	maps.Copy(forged, map[string]*upstream.ConnectionContext{
		"an event without a signature":                unsigned,
		"a signature of another connection":           another,
		"a signature of no connection":                nobody,
		"a signature with another key":                signedWith(good, wire.Sign(good.ConnectionID, "another key")),
		"a signature with an empty key":               signedWith(good, wire.Sign(good.ConnectionID, "")),
		"a signature that is cut short":               signedWith(good, signature[:len(signature)-1]),
		"a signature that is no more than its prefix": signedWith(good, "sha256="),
	})
	return forged
}

// secrets returns the texts that must not get into a log.
func secrets(accepted Event, good *upstream.ConnectionContext) []string {
	_, token, _ := strings.Cut(good.Header.Get("Authorization"), " ")
	secrets := append([]string{good.Signature, token}, accepted.Keys...)
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}

// contextOf returns what validators get to see of an event.
func contextOf(t testing.TB, ev Event) *upstream.ConnectionContext {
	t.Helper()
	req, err := newRequest(ev, nil)
	if err != nil {
		t.Fatal("upstreamtest: ", err)
	}
	h := upstream.NewEventHandler(anybody{}, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	parsed, err := h.Parse(t.Context(), req.Header, readBody(req))
	if err != nil {
		t.Fatal("upstreamtest: the event to accept is not even well-formed: ", err)
	}
	return parsed.Connection()
}

// anybody lets everybody in.
type anybody struct{}

func (anybody) Validate(context.Context, *upstream.ConnectionContext) error { return nil }
func (anybody) AllowsOrigin(string) bool                                    { return true }

func clone(c *upstream.ConnectionContext) *upstream.ConnectionContext {
	copied := *c
	copied.Header = c.Header.Clone()
	return &copied
}

func signedWith(c *upstream.ConnectionContext, signature string) *upstream.ConnectionContext {
	c = clone(c)
	c.Signature = signature
	c.Header.Set(wire.HeaderSignature, signature)
	if signature == "" {
		c.Header.Del(wire.HeaderSignature)
	}
	return c
}
