package upstream_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// bearer accepts requests with a token for one host: a weaker proof than a
// signature, as an endpoint whose access keys are turned off has it.
type bearer struct{ host string }

var errNoToken = errors.New("no bearer token")

func (b *bearer) Validate(_ context.Context, c *upstream.ConnectionContext) error {
	if c.Header.Get("Authorization") != "Bearer good" {
		return errNoToken
	}
	return nil
}

func (b *bearer) AllowsOrigin(host string) bool { return host == b.host }

// A verdict is a validator that decides always alike, for every origin.
type verdict struct{ err error }

func (v verdict) Validate(context.Context, *upstream.ConnectionContext) error { return v.err }
func (verdict) AllowsOrigin(string) bool                                      { return true }

// A hostFunc is a validator in the form of a function, which may be nil.
type hostFunc func(host string) bool

func (hostFunc) Validate(context.Context, *upstream.ConnectionContext) error { return nil }
func (f hostFunc) AllowsOrigin(host string) bool                             { return f(host) }

func TestValidateByOrigin(t *testing.T) {
	const tokenHost = "token.example"
	tests := []struct {
		name    string
		origins []string
		signed  bool
		token   bool
		want    int
	}{
		{"the signed endpoint", []string{demoHost}, true, false, 204},
		{"the signed endpoint with a token only", []string{demoHost}, false, true, 401},
		{"the signed endpoint without proof", []string{demoHost}, false, false, 401},
		{"the token endpoint", []string{tokenHost}, false, true, 204},
		{"the token endpoint with a signature only", []string{tokenHost}, true, false, 401},
		{"both endpoints with both proofs", []string{demoHost, tokenHost}, true, true, 204},
		{"both endpoints with a token only", []string{demoHost, tokenHost}, false, true, 401},
		{"both endpoints with a token only, other order", []string{tokenHost, demoHost}, false, true, 401},
		{"both endpoints with a signature only", []string{tokenHost, demoHost}, true, false, 401},
		{"both on one line", []string{tokenHost + ", " + demoHost}, false, true, 401},
		{"other case", []string{strings.ToUpper(demoHost), tokenHost}, false, true, 401},
		{"with ports", []string{tokenHost + ":443", demoHost + ":443"}, false, true, 401},
		{"with ports and both proofs", []string{tokenHost + ":443", demoHost + ":443"}, true, true, 204},
		{"with a stranger", []string{"evil.test", demoHost}, true, false, 204},
		{"a stranger alone", []string{"evil.test"}, true, true, 403},
		{"a longer name", []string{tokenHost + ".evil.test"}, true, true, 403},
		{"a URL", []string{"https://" + tokenHost}, true, true, 403},
		{"a star", []string{"*"}, true, true, 403},
		{"no origin", nil, true, true, 400},
		{"a blank origin", []string{" , "}, true, true, 400},
	}
	byOrigin := upstream.ValidateByOrigin(demoValidator(t), &bearer{tokenHost})
	for name, v := range map[string]upstream.RequestValidator{
		"plain":       byOrigin,
		"other order": upstream.ValidateByOrigin(&bearer{tokenHost}, demoValidator(t)),
		"nested":      upstream.ValidateByOrigin(byOrigin),
		"inside all":  upstream.ValidateAll(upstream.InsecureSkipValidation(), byOrigin),
	} {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				header := event(typeMessage)
				header[wire.HeaderRequestOrigin] = tt.origins
				if !tt.signed {
					header.Set("ce-signature", "sha256=deadbeef")
				}
				if tt.token {
					header.Set("Authorization", "Bearer good")
				}
				resp := silentHandler(v).HandleHTTP(t.Context(), header, nil)
				if got, want := resp.StatusCode, tt.want; got != want {
					t.Errorf("got status %d, want %d", got, want)
				}
				wantNoBody(t, resp.Body)
			})
		}
	}
}

// A validator that is used alone has to decide without the handler's look at
// the origin.
func TestValidateByOriginAlone(t *testing.T) {
	v := upstream.ValidateByOrigin(demoValidator(t))
	for origin, want := range map[string]bool{demoHost: true, "evil.test": false, "": false} {
		c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: signed("conn1")}
		if origin != "" {
			c.Origins = []string{origin}
		}
		if err := v.Validate(t.Context(), c); (err == nil) != want {
			t.Errorf("origin %q: got %v, want accepted = %v", origin, err, want)
		}
	}
}

func TestValidateAll(t *testing.T) {
	errA, errB := errors.New("a"), errors.New("b")
	tests := []struct {
		name       string
		validators []upstream.RequestValidator
		want       error
		allows     bool
	}{
		{"one", []upstream.RequestValidator{verdict{}}, nil, true},
		{"all accept", []upstream.RequestValidator{verdict{}, verdict{}}, nil, true},
		{"the first refuses", []upstream.RequestValidator{verdict{errA}, verdict{}}, errA, true},
		{"the last refuses", []upstream.RequestValidator{verdict{}, verdict{errB}}, errB, true},
		{"the first refusal counts", []upstream.RequestValidator{verdict{errA}, verdict{errB}}, errA, true},
		{"an origin that one forbids", []upstream.RequestValidator{verdict{}, &bearer{"token.example"}}, errNoToken, false},
		{"nested", []upstream.RequestValidator{upstream.ValidateAll(verdict{}, verdict{errA})}, errA, true},
		{"skipping beside a refusal", []upstream.RequestValidator{upstream.InsecureSkipValidation(), verdict{errA}}, errA, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := upstream.ValidateAll(tt.validators...)
			if got := v.Validate(t.Context(), &upstream.ConnectionContext{}); !errors.Is(got, tt.want) {
				t.Errorf("Validate = %v, want %v", got, tt.want)
			}
			if got := v.AllowsOrigin(demoHost); got != tt.allows {
				t.Errorf("AllowsOrigin = %v, want %v", got, tt.allows)
			}
		})
	}
}

// Validators are copied: nobody changes them from outside.
func TestValidateAllCopies(t *testing.T) {
	refusal := errors.New("no")
	given := []upstream.RequestValidator{verdict{refusal}}
	v := upstream.ValidateAll(given...)
	given[0] = upstream.InsecureSkipValidation()
	if got := v.Validate(t.Context(), &upstream.ConnectionContext{}); got != refusal {
		t.Errorf("got %v, want %v", got, refusal)
	}
}

func TestValidatorPanics(t *testing.T) {
	var none *upstream.AccessKeyValidator
	ok := demoValidator(t)
	skip := upstream.InsecureSkipValidation()
	for name, construct := range map[string]func(){
		"NewEventHandler of nil":                 func() { upstream.NewEventHandler(nil, nil) },
		"NewEventHandler of a typed nil":         func() { upstream.NewEventHandler(none, nil) },
		"NewEventHandler of a nil function":      func() { upstream.NewEventHandler(hostFunc(nil), nil) },
		"ValidateAll of a nil function":          func() { upstream.ValidateAll(ok, hostFunc(nil)) },
		"ValidateAll of none":                    func() { upstream.ValidateAll() },
		"ValidateAll of nil":                     func() { upstream.ValidateAll(ok, nil) },
		"ValidateAll of a typed nil":             func() { upstream.ValidateAll(ok, none) },
		"ValidateByOrigin of none":               func() { upstream.ValidateByOrigin() },
		"ValidateByOrigin of nil":                func() { upstream.ValidateByOrigin(nil, ok) },
		"ValidateByOrigin of a typed nil":        func() { upstream.ValidateByOrigin(none) },
		"ValidateByOrigin that skips":            func() { upstream.ValidateByOrigin(ok, skip) },
		"ValidateByOrigin that skips in a group": func() { upstream.ValidateByOrigin(ok, upstream.ValidateAll(skip)) },
		"ValidateByOrigin that skips deep inside": func() {
			upstream.ValidateByOrigin(ok, upstream.ValidateAll(skip, upstream.ValidateAll(skip, skip)))
		},
	} {
		mustPanic(t, name, construct)
	}
	upstream.ValidateByOrigin(ok, upstream.ValidateAll(skip, ok)) // the group asks for a proof
}

// A zero validator has no keys, and no host is its own.
func TestZeroAccessKeyValidator(t *testing.T) {
	var v upstream.AccessKeyValidator
	c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: signed("conn1"), Origins: []string{demoHost}}
	if err := v.Validate(t.Context(), c); err == nil {
		t.Error("it accepted a signature")
	}
	for _, host := range []string{demoHost, "", "*"} {
		if v.AllowsOrigin(host) {
			t.Errorf("it allowed the origin %q", host)
		}
	}
	if got, want := silentHandler(&v).HandleHTTP(t.Context(), event(typeMessage), nil).StatusCode, http.StatusForbidden; got != want {
		t.Errorf("got status %d, want %d", got, want)
	}
	if err := v.Replace(); err == nil {
		t.Error("Replace with nothing succeeded")
	}
	if err := v.Replace("Endpoint=https://" + demoHost + ";AccessKey=" + demoKey); err != nil {
		t.Fatal(err)
	}
	if err := v.Validate(t.Context(), c); err != nil {
		t.Errorf("after Replace: %v", err)
	}
}

func TestNewAccessKeyValidatorErrors(t *testing.T) {
	good := "Endpoint=https://" + demoHost + ";AccessKey=" + demoKey
	for _, connectionStrings := range [][]string{
		nil,
		{""},
		{good, "Endpoint=https://demo.example"},
		{good, "AccessKey=S3cret"},
		{"Endpoint=wss://S3cret.example;AccessKey=S3cret", good},
		{"S3cret"},
		{good + ";Port=S3cret"},
	} {
		v, err := upstream.NewAccessKeyValidator(connectionStrings...)
		if err == nil || v != nil {
			t.Errorf("%q: got %v, %v, want an error", connectionStrings, v, err)
			continue
		}
		wantNoneOf(t, err.Error(), []string{"S3cret", demoKey})
	}
}

// Two strings with the same endpoint are its two keys, whatever their spelling.
func TestAccessKeyValidatorEndpoints(t *testing.T) {
	v, err := upstream.NewAccessKeyValidator(
		"Endpoint=https://"+demoHost+";AccessKey=one",
		"Endpoint=https://"+strings.ToUpper(demoHost)+":443/;AccessKey=two",
		"Endpoint=http://localhost:8080;AccessKey=three")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"one": true, "two": true, "three": true, "four": false} {
		c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: wire.Sign("conn1", key), Origins: []string{demoHost}}
		if err := v.Validate(t.Context(), c); (err == nil) != want {
			t.Errorf("key %q: got %v, want accepted = %v", key, err, want)
		}
	}
	for host, want := range map[string]bool{demoHost: true, "localhost": true, "localhost:8080": false, "demo": false} {
		if got := v.AllowsOrigin(host); got != want {
			t.Errorf("AllowsOrigin(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestReplaceKeepsTheKeysOnError(t *testing.T) {
	v := keyValidator(t, "old")
	if err := v.Replace("Endpoint=https://"+demoHost+";AccessKey=new", "broken"); err == nil {
		t.Fatal("Replace with a broken connection string succeeded")
	}
	for key, want := range map[string]bool{"old": true, "new": false} {
		c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: wire.Sign("conn1", key), Origins: []string{demoHost}}
		if err := v.Validate(t.Context(), c); (err == nil) != want {
			t.Errorf("key %q: got %v, want accepted = %v", key, err, want)
		}
	}
}

// While keys are replaced, a request with the signatures of both sets is
// always accepted, one with neither is never.
func TestReplaceWhileValidating(t *testing.T) {
	connectionString := func(key string) string { return "Endpoint=https://" + demoHost + ";AccessKey=" + key }
	v, err := upstream.NewAccessKeyValidator(connectionString("old"))
	if err != nil {
		t.Fatal(err)
	}
	h := silentHandler(v)
	tests := []struct {
		keys []string
		want int
	}{
		{[]string{"old", "new"}, http.StatusNoContent},
		{[]string{"new", "old"}, http.StatusNoContent},
		{[]string{"other", "older"}, http.StatusUnauthorized},
	}
	var stop atomic.Bool
	var replacing, validating sync.WaitGroup
	replacing.Go(func() {
		for i := 0; !stop.Load(); i++ {
			if err := v.Replace(connectionString([]string{"new", "old"}[i%2])); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 12 {
		tt := tests[i%len(tests)]
		validating.Go(func() {
			for n := range 200 {
				id := fmt.Sprintf("conn-%d-%d", i, n)
				header := event(typeMessage, "ce-connectionId", id, "ce-signature", wire.Sign(id, tt.keys...))
				if got := h.HandleHTTP(t.Context(), header, nil).StatusCode; got != tt.want {
					t.Errorf("signed with %q: got status %d, want %d", tt.keys, got, tt.want)
					return
				}
			}
		})
	}
	validating.Wait()
	stop.Store(true)
	replacing.Wait()
}

func TestValidatorsShowNoKeys(t *testing.T) {
	v := keyValidator(t, demoKey, "other-S3cret")
	secrets := []string{
		demoKey, "S3cret",
		hex.EncodeToString([]byte(demoKey)), strings.ToUpper(hex.EncodeToString([]byte(demoKey))),
		strings.Trim(fmt.Sprint([]byte(demoKey)), "[]"),
	}
	for name, shown := range map[string]any{
		"validator": v,
		"all":       upstream.ValidateAll(v),
		"by origin": upstream.ValidateByOrigin(v),
		"handler":   silentHandler(v),
		"struct":    struct{ V upstream.RequestValidator }{v},
		"unexported": struct {
			v *upstream.AccessKeyValidator
		}{v},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "% x", "%08b", "%p", "%T"} {
			wantNoneOf(t, name+" "+fmt.Sprintf(verb, shown), secrets)
		}
	}
	if got, want := v.String(), `AccessKeyValidator["`+demoHost+`"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%#v", v), v.String(); got != want {
		t.Errorf("%%#v: got %s, want %s", got, want)
	}
}

// A refusal says its status and nothing else, also when the validator wrote a
// text.
func TestRefusalsHaveNoBody(t *testing.T) {
	secret := errors.New("S3cret")
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"any error", secret, http.StatusUnauthorized},
		{"cannot decide", upstream.NewError(http.StatusServiceUnavailable, "S3cret"), http.StatusServiceUnavailable},
		{"cannot decide, wrapped", fmt.Errorf("S3cret: %w", upstream.NewError(http.StatusServiceUnavailable, "S3cret")), http.StatusServiceUnavailable},
		{"cannot decide, with a cause", upstream.NewError(http.StatusServiceUnavailable, "S3cret").WithCause(secret), http.StatusServiceUnavailable},
		{"an MQTT refusal", upstream.NewMQTTConnectError(upstream.MQTT5Banned, "S3cret"), http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := silentHandler(verdict{tt.err})
			h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				t.Error("the handler ran")
				return nil, nil
			})
			for _, ceType := range []string{typeMessage, typeConnect, typeConnected, "foo.bar", "azure.webpubsub.user."} {
				header := event(ceType, "ce-subprotocol", "mqtt", "ce-physicalConnectionId", "p1")
				resp := h.HandleHTTP(t.Context(), header, []byte("not JSON"))
				if resp.StatusCode != tt.want || len(resp.Header) > 0 {
					t.Errorf("HandleHTTP of %s: got status %d and headers %v, want %d and none", ceType, resp.StatusCode, resp.Header, tt.want)
				}
				wantNoBody(t, resp.Body)

				r := httptest.NewRequest(http.MethodPost, "/eventhandler", strings.NewReader("not JSON"))
				r.Header = header
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != tt.want {
					t.Errorf("ServeHTTP of %s: got status %d, want %d", ceType, w.Code, tt.want)
				}
				wantNoBody(t, w.Body.Bytes())
			}
		})
	}
}

func TestValidationFailedError(t *testing.T) {
	reason := errors.New("reason")
	_, err := silentHandler(verdict{reason}).Parse(t.Context(), event(typeMessage), nil)
	failed, ok := errors.AsType[*upstream.ValidationFailedError](err)
	if !ok {
		t.Fatalf("got error %v, want a *ValidationFailedError", err)
	}
	if !errors.Is(err, reason) || failed.StatusCode() != http.StatusUnauthorized || failed.Context.ConnectionID != "conn1" {
		t.Errorf("got %v with status %d for %q, want the reason, 401 and conn1", err, failed.StatusCode(), failed.Context.ConnectionID)
	}
}
