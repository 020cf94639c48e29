package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/connstring"
	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// exactHosts allows these hosts and accepts no event.
type exactHosts []string

func (exactHosts) Validate(context.Context, *upstream.ConnectionContext) error {
	return errors.New("for the handshake only")
}

func (hosts exactHosts) AllowsOrigin(host string) bool { return slices.Contains(hosts, host) }

func TestVectorsConfiguredOrigins(t *testing.T) {
	for _, tt := range vectors.Load().Origins.ConfiguredToHost.Cases {
		t.Run(tt.Configured, func(t *testing.T) {
			v, err := upstream.NewAccessKeyValidator("Endpoint=" + tt.Configured + ";AccessKey=" + demoKey)
			if tt.Host == nil {
				if err == nil {
					t.Errorf("got %v, want an error", v)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := v.String(), `AccessKeyValidator["`+*tt.Host+`"]`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			for _, origin := range []string{*tt.Host, "x" + *tt.Host, *tt.Host + ".evil.test", "*", ""} {
				if got, want := v.AllowsOrigin(origin), origin == *tt.Host; got != want {
					t.Errorf("AllowsOrigin(%q) = %v, want %v", origin, got, want)
				}
			}
		})
	}
}

func TestVectorsHandshake(t *testing.T) {
	for _, tt := range vectors.Load().Origins.Handshake.Cases {
		for name, v := range handshakeValidators(t, tt.Allow) {
			t.Run(tt.ID+"/"+name, func(t *testing.T) {
				h := silentHandler(v)
				h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
					t.Error("a handler ran")
					return nil, nil
				})
				r := httptest.NewRequest(tt.Method, "/eventhandler/"+wire.EventValidate, nil)
				if len(tt.Header) > 0 {
					r.Header[wire.HeaderRequestOrigin] = tt.Header
				}
				if tt.CEAWPSVersion != nil {
					r.Header[wire.HeaderAWPSVersion] = []string{*tt.CEAWPSVersion}
				}
				if tt.Status == nil {
					wantPassedOn(t, h, r)
					return
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				wantConsent(t, "ServeHTTP", w.Code, w.Header(), tt)
				wantNoBody(t, w.Body.Bytes())

				resp := h.Preflight(r.Header)
				wantConsent(t, "Preflight", resp.StatusCode, resp.Header, tt)
				wantNoBody(t, resp.Body)
			})
		}
	}
}

// handshakeValidators returns validators that allow these endpoints.
func handshakeValidators(t *testing.T, allow []string) map[string]upstream.RequestValidator {
	t.Helper()
	if allow == nil {
		return map[string]upstream.RequestValidator{"open": upstream.InsecureSkipValidation()}
	}
	hosts := exactHosts{}
	var connectionStrings []string
	for _, endpoint := range allow {
		s := "Endpoint=" + endpoint + ";AccessKey=" + demoKey
		cs, err := connstring.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		connectionStrings = append(connectionStrings, s)
		hosts = append(hosts, cs.Host)
	}
	validators := map[string]upstream.RequestValidator{"hosts": hosts}
	if len(allow) > 0 { // no connection string is no access key validator
		v, err := upstream.NewAccessKeyValidator(connectionStrings...)
		if err != nil {
			t.Fatal(err)
		}
		validators["keys"] = v
	}
	return validators
}

func wantConsent(t *testing.T, door string, status int, header http.Header, want vectors.Handshake) {
	t.Helper()
	if status != *want.Status {
		t.Errorf("%s: got status %d, want %d", door, status, *want.Status)
	}
	if got := header[wire.HeaderAllowedOrigin]; !slices.Equal(got, want.AllowedOrigin) {
		t.Errorf("%s: got WebHook-Allowed-Origin lines %q, want %q", door, got, want.AllowedOrigin)
	}
	if got, want := header.Get("Allow"), "POST, OPTIONS"; got != want {
		t.Errorf("%s: got Allow %q, want %q", door, got, want)
	}
}

// wantPassedOn wants a request to be none of ours: refused by the handler
// itself, passed on by Wrap.
func wantPassedOn(t *testing.T, h *upstream.EventHandler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got, want := w.Code, http.StatusMethodNotAllowed; got != want {
		t.Errorf("ServeHTTP: got status %d, want %d", got, want)
	}
	passedOn := false
	h.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passedOn = true })).ServeHTTP(httptest.NewRecorder(), r)
	if !passedOn {
		t.Error("Wrap did not pass the request on")
	}
}

func wantNoBody(t *testing.T, body []byte) {
	t.Helper()
	if len(body) > 0 {
		t.Errorf("got body %q, want none", body)
	}
}
