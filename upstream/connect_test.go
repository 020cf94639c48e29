package upstream_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

func parseConnect(t *testing.T, header http.Header, body string) (*upstream.ConnectRequest, error) {
	t.Helper()
	req, err := newHandler(t, nil).Parse(t.Context(), header, []byte(body))
	if err != nil {
		return nil, err
	}
	return req.(*upstream.ConnectRequest), nil
}

func TestConnectBody(t *testing.T) {
	got, err := parseConnect(t, event(typeConnect), `{
		"claims": {"sub": ["alice"], "role": ["a", "b"], "exp": 1788252000, "http://schemas.test/x": "one", "ok": [true, null, 1.5], "none": null},
		"query": {"tag": ["a", "b"], "access_token": "ABC"},
		"headers": {"user-agent": ["demo"], "X-Many": "1", "x-many": ["2"]},
		"subprotocols": ["json.webpubsub.azure.v1", "mine"],
		"clientCertificates": [{"thumbprint": "ab", "content": "no PEM", "tomorrow": 1}, {"thumbprint": "cd"}],
		"tomorrow": {"a": []}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string][]string{
		"sub": {"alice"}, "role": {"a", "b"}, "exp": {"1788252000"}, "http://schemas.test/x": {"one"}, "ok": {"true", "1.5"}, "none": nil,
	}); !reflect.DeepEqual(got.Claims, want) {
		t.Errorf("claims: got %v, want %v", got.Claims, want)
	}
	if got, want := got.Query.Encode(), "access_token=ABC&tag=a&tag=b"; got != want {
		t.Errorf("query: got %s, want %s", got, want)
	}
	if got.Headers.Get("User-Agent") != "demo" || !slices.Equal(got.Headers.Values("X-Many"), []string{"1", "2"}) {
		t.Errorf("headers: got %v", got.Headers)
	}
	if want := []string{"json.webpubsub.azure.v1", "mine"}; !slices.Equal(got.Subprotocols, want) {
		t.Errorf("subprotocols: got %q, want %q", got.Subprotocols, want)
	}
	if want := []upstream.ClientCertificate{{Thumbprint: "ab", Content: "no PEM"}, {Thumbprint: "cd"}}; !slices.Equal(got.ClientCertificates, want) {
		t.Errorf("certificates: got %v, want %v", got.ClientCertificates, want)
	}
	if got.MQTT != nil || got.IsMQTT() {
		t.Errorf("MQTT: got %v, want none", got.MQTT)
	}
}

func TestConnectBodyIsReadTolerantly(t *testing.T) {
	for _, body := range []string{
		`{}`, ` {"unknown":[{}]} `,
		`{"claims":null,"query":null,"headers":null,"subprotocols":null,"clientCertificates":null,"mqtt":null}`,
		`{"claims":{},"subprotocols":[],"clientCertificates":[]}`,
		`{"subprotocols":[null]}`,
	} {
		got, err := parseConnect(t, event(typeConnect), body)
		if err != nil || len(got.Claims)+len(got.Query)+len(got.Headers)+len(got.Subprotocols)+len(got.ClientCertificates) > 0 || got.MQTT != nil {
			t.Errorf("%s: got %+v, %v, want nothing in it", body, got, err)
			continue
		}
		if got.Query.Get("x") != "" || got.Headers.Get("x") != "" || got.Claims["x"] != nil {
			t.Errorf("%s: found something in nothing", body)
		}
	}
	got, err := parseConnect(t, event(typeConnect), `{"subprotocols":"one","SUBPROTOCOLS":"two"}`)
	if err != nil || len(got.Subprotocols) != 1 {
		t.Errorf("single string: got %v, %v", got, err)
	}
}

func TestConnectBodyErrors(t *testing.T) {
	h := newHandler(t, nil)
	for body, key := range map[string]string{
		"":                              "",
		" \n":                           "",
		"{":                             "",
		"[]":                            "",
		"null":                          "",
		`"{}"`:                          "",
		"{} {}":                         "",
		`{"claims":}`:                   "",
		"\xff\xfe{}":                    "",
		`{"claims":1}`:                  "claims",
		`{"claims":[]}`:                 "claims",
		`{"claims":{"a":{}}}`:           "claims",
		`{"claims":{"a":[["b"]]}}`:      "claims",
		`{"query":"a=b"}`:               "query",
		`{"query":{"a":[{}]}}`:          "query",
		`{"headers":[]}`:                "headers",
		`{"subprotocols":{}}`:           "subprotocols",
		`{"subprotocols":[[]]}`:         "subprotocols",
		`{"clientCertificates":{}}`:     "clientCertificates",
		`{"clientCertificates":["a"]}`:  "clientCertificates",
		`{"mqtt":5}`:                    "mqtt",
		`{"mqtt":{"password":"***"}}`:   "mqtt",
		`{"mqtt":{"username":1}}`:       "mqtt",
		`{"mqtt":{"userProperties":1}}`: "mqtt",
	} {
		_, err := parseConnect(t, event(typeConnect), body)
		e, ok := errors.AsType[*upstream.InvalidConnectRequestError](err)
		if !ok || e.Key != key || e.StatusCode() != 400 {
			t.Errorf("%q: got %#v, want an InvalidConnectRequestError with key %q", body, err, key)
		}
		if w := post(h, event(typeConnect), body); w.Code != 400 || w.Body.Len() > 0 {
			t.Errorf("%q: got %d %q, want an empty 400", body, w.Code, w.Body)
		}
	}
	deep := `{"claims":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`
	if w := post(h, event(typeConnect), deep); w.Code != 400 {
		t.Errorf("deep nesting: got %d, want 400", w.Code)
	}
}

func TestClientCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "device"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(der)
	thumbprint := hex.EncodeToString(sum[:])
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	body, err := json.Marshal(map[string]any{"clientCertificates": []map[string]string{
		{"thumbprint": thumbprint, "content": text},
		{"thumbprint": thumbprint, "content": strings.ReplaceAll(text, "\n", "\r\n")},
		{"thumbprint": "x", "content": ""},
		{"thumbprint": "x", "content": base64.StdEncoding.EncodeToString(der)},
		{"thumbprint": "x", "content": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))},
		{"thumbprint": "x", "content": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no DER")}))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := parseConnect(t, event(typeConnect), string(body))
	if err != nil {
		t.Fatalf("a bad certificate failed the request: %v", err)
	}
	for i, c := range req.ClientCertificates {
		parsed, err := c.Parse()
		if i >= 2 {
			if err == nil {
				t.Errorf("certificate %d parsed, want an error", i)
			}
			continue
		}
		if err != nil || parsed.Subject.CommonName != "device" || c.Thumbprint != thumbprint {
			t.Errorf("certificate %d: got %v, %v", i, parsed, err)
		}
	}
}

// answerConnect is a handler that answers every connect in the same way.
func answerConnect(t *testing.T, opts *upstream.Options, resp *upstream.ConnectResponse, err error) *upstream.EventHandler {
	h := newHandler(t, opts)
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return resp, err })
	return h
}

func TestConnectAnswers(t *testing.T) {
	const body = `{"subprotocols":["json.webpubsub.azure.v1","mine"]}`
	for _, tt := range []struct {
		name string
		resp *upstream.ConnectResponse
		want string // empty: 204
	}{
		{"nil", nil, ""},
		{"zero", &upstream.ConnectResponse{}, ""},
		{"no groups", &upstream.ConnectResponse{Groups: []string{}}, ""},
		{"MQTT for another client", &upstream.ConnectResponse{MQTT: &upstream.MQTTConnectResponse{}}, ""},
		{"user", &upstream.ConnectResponse{UserID: `a<b>&"ü`}, `{"userId":"a<b>&\"ü"}`},
		{"no user", &upstream.ConnectResponse{NoUser: true}, `{"userId":""}`},
		{"groups", &upstream.ConnectResponse{Groups: []string{"a", "b c"}}, `{"groups":["a","b c"]}`},
		{"no roles", &upstream.ConnectResponse{Roles: []string{}}, `{"roles":[]}`},
		{"roles", &upstream.ConnectResponse{Roles: []string{"webpubsub.sendToGroup"}}, `{"roles":["webpubsub.sendToGroup"]}`},
		{"subprotocol", &upstream.ConnectResponse{Subprotocol: "mine"}, `{"subprotocol":"mine"}`},
		{
			"all", &upstream.ConnectResponse{UserID: "u", Groups: []string{"g"}, Roles: []string{"r"}, Subprotocol: "mine"},
			`{"userId":"u","groups":["g"],"roles":["r"],"subprotocol":"mine"}`,
		},
	} {
		w := post(answerConnect(t, nil, tt.resp, nil), event(typeConnect), body)
		status, contentType := 200, "application/json"
		if tt.want == "" {
			status, contentType = 204, ""
		}
		if w.Code != status || w.Body.String() != tt.want || w.Header().Get("Content-Type") != contentType {
			t.Errorf("%s: got %d %q %s, want %d %q %s", tt.name, w.Code, w.Header().Get("Content-Type"), w.Body, status, contentType, tt.want)
		}
		if _, ok := w.Header()["Ce-Connectionstate"]; ok {
			t.Errorf("%s: the answer carries state", tt.name)
		}
	}
}

func TestConnectAnswerHeaders(t *testing.T) {
	state, err := upstream.NewState(map[string]string{"key": "a"})
	if err != nil {
		t.Fatal(err)
	}
	resp := &upstream.ConnectResponse{State: state, Cookies: []*http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2", HttpOnly: true}}}
	w := post(answerConnect(t, nil, resp, nil), event(typeConnect), "{}")
	if got, want := w.Header().Get("ce-connectionState"), "eyJrZXkiOiJhIn0="; w.Code != 204 || got != want {
		t.Errorf("got %d with state %q, want 204 with %q", w.Code, got, want)
	}
	if got, want := w.Header().Values("Set-Cookie"), []string{"a=1", "b=2; HttpOnly"}; !slices.Equal(got, want) {
		t.Errorf("cookies: got %q, want %q", got, want)
	}

	h := newHandler(t, nil)
	h.HandleConnect(func(_ context.Context, req *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		if c := req.Cookies(); len(c) != 1 || c[0].Value != "1" {
			return nil, fmt.Errorf("cookies: %v", c)
		}
		return nil, nil
	})
	if w := post(h, event(typeConnect, "Cookie", "a=1"), "{}"); w.Code != 204 {
		t.Errorf("cookies of the request: got %d", w.Code)
	}
}

func TestConnectAuthoringErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		resp *upstream.ConnectResponse
		says string
	}{
		{"subprotocol that was not offered", &upstream.ConnectResponse{Subprotocol: "other"}, "Subprotocol is none that the client offered"},
		{"subprotocol in another case", &upstream.ConnectResponse{Subprotocol: "MINE"}, "Subprotocol is none that the client offered"},
		{"blank subprotocol", &upstream.ConnectResponse{Subprotocol: " "}, "leave it empty"},
		{"blank group", &upstream.ConnectResponse{Groups: []string{"a", " "}}, "Groups has a blank element"},
		{"blank role", &upstream.ConnectResponse{Roles: []string{""}}, "Roles has a blank element"},
		{"user and none", &upstream.ConnectResponse{UserID: "a", NoUser: true}, "NoUser is set"},
		{"line break", &upstream.ConnectResponse{UserID: "a\r\nb"}, "UserID is blank, or has a line break"},
		{"blank user", &upstream.ConnectResponse{UserID: " \t"}, "UserID is blank"},
		{"cookie", &upstream.ConnectResponse{Cookies: []*http.Cookie{{Name: "a b"}}}, "Cookies has an invalid element"},
		{"nil cookie", &upstream.ConnectResponse{Cookies: []*http.Cookie{nil}}, "Cookies has an invalid element"},
	} {
		var sink logSink
		h := answerConnect(t, &upstream.Options{Logger: sink.logger()}, tt.resp, nil)
		w := post(h, event(typeConnect), `{"subprotocols":["mine"]}`)
		if w.Code != 500 || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %q, want an empty 500", tt.name, w.Code, w.Body)
		}
		if !strings.Contains(sink.String(), tt.says) {
			t.Errorf("%s: the log does not say %q:\n%s", tt.name, tt.says, sink.String())
		}
	}
}

// A statusError is an error of another library, whose status means something
// else.
type statusError struct{}

func (statusError) Error() string   { return "secret detail" }
func (statusError) StatusCode() int { return 204 }

func TestConnectRefusals(t *testing.T) {
	for _, tt := range []struct {
		name        string
		err         error
		handleError int
		status      int
		body        string
	}{
		{"401", upstream.NewError(401, "say who you are"), 0, 401, "say who you are"},
		{"429", upstream.NewError(429, "later"), 0, 429, "later"},
		{"503", upstream.NewError(503, "later"), 0, 503, "later"},
		{"no text", upstream.NewError(403, ""), 0, 403, ""},
		{"formatted", upstream.Errorf(400, "no %s", "room"), 0, 400, "no room"},
		{"cause stays inside", upstream.NewError(403, "no").WithCause(errors.New("secret detail")), 0, 403, "no"},
		{"wrapped", fmt.Errorf("secret detail: %w", upstream.NewError(403, "no")), 0, 403, "no"},
		{"MQTT's for another client", upstream.NewMQTTConnectError(upstream.MQTT5Banned, "banned"), 0, 403, "banned"},
		{"foreign", errors.New("secret detail"), 0, 500, ""},
		{"foreign with a status", statusError{}, 0, 500, ""},
		{"wrapped foreign with a status", fmt.Errorf("x: %w", statusError{}), 0, 500, ""},
		{"body limit of another library", &http.MaxBytesError{Limit: 1}, 0, 413, ""},
		{"HandleError 404", errors.New("secret detail"), 404, 404, ""},
		{"HandleError 503", upstream.NewError(403, "no"), 503, 503, "no"},
		{"HandleError 200", upstream.NewError(403, "no"), 200, 403, "no"},
		{"HandleError 302", errors.New("secret detail"), 302, 500, ""},
		{"HandleError 600", errors.New("secret detail"), 600, 500, ""},
		{"HandleError -1", errors.New("secret detail"), -1, 500, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []error
			opts := &upstream.Options{HandleError: func(_ context.Context, err error) int {
				asked = append(asked, err)
				return tt.handleError
			}}
			w := post(answerConnect(t, opts, &upstream.ConnectResponse{UserID: "ignored"}, tt.err), event(typeConnect), "{}")
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			contentType := ""
			if tt.body != "" {
				contentType = "text/plain; charset=utf-8"
			}
			if got := w.Header().Get("Content-Type"); got != contentType {
				t.Errorf("got Content-Type %q, want %q", got, contentType)
			}
			if len(asked) != 1 || !errors.Is(asked[0], tt.err) {
				t.Errorf("HandleError was asked about %v, want once about %v", asked, tt.err)
			}
		})
	}
}

// TestHandleErrorSeesRefusals: also those before the handler, with the request
// in the context.
func TestHandleErrorSeesRefusals(t *testing.T) {
	for name, send := range map[string]func(http.Handler) int{
		"bad signature": func(h http.Handler) int { return post(h, event(typeConnect, "ce-signature", "x"), "{}").Code },
		"no hub":        func(h http.Handler) int { return post(h, event(typeConnect, "ce-hub", ""), "{}").Code },
		"bad body":      func(h http.Handler) int { return post(h, event(typeConnect), "{").Code },
		"unhandled":     func(h http.Handler) int { return post(h, event("azure.webpubsub.user.x"), "").Code },
		"too large":     func(h http.Handler) int { return post(h, event(typeConnect), strings.Repeat(" ", 100)).Code },
		"foreign":       func(h http.Handler) int { return post(h, http.Header{}, "").Code },
		"wrong method":  func(h http.Handler) int { return do(h, "PUT", "/", event(typeConnect), nil).Code },
	} {
		calls := 0
		h := newHandler(t, &upstream.Options{MaxBodyBytes: 50, RejectUnhandled: true, HandleError: func(context.Context, error) int {
			calls++
			return 418
		}})
		if got := send(h); got != 418 || calls != 1 {
			t.Errorf("%s: got %d after %d calls, want 418 after 1", name, got, calls)
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	base := upstream.NewError(403, "no")
	err := base.WithCause(cause)
	if err.Error() != "no: cause" || err.Message() != "no" || err.StatusCode() != 403 || !errors.Is(err, cause) || base.Unwrap() != nil {
		t.Errorf("got %q, %q, %d, %v", err.Error(), err.Message(), err.StatusCode(), base.Unwrap())
	}
	for _, status := range []int{0, 200, 399, 600} {
		mustPanic(t, fmt.Sprint("NewError with ", status), func() { upstream.NewError(status, "x") })
	}
}

// TestTypedNilErrors: the classic trap of a nil pointer in an error must not
// take more with it than its request.
func TestTypedNilErrors(t *testing.T) {
	for name, typedNil := range map[string]error{
		"of the library": (*upstream.Error)(nil),
		"foreign":        (*pointerError)(nil),
	} {
		var sink bytes.Buffer
		var rec recorder
		opts := &upstream.Options{Observe: rec.observe, Logger: slog.New(slog.NewTextHandler(&sink, nil))}
		h := answerConnect(t, opts, nil, typedNil)
		var resp *upstream.Response
		if p := apart(func() { resp = h.HandleHTTP(t.Context(), event(typeConnect), []byte("{}")) }); p != nil {
			t.Errorf("handler, %s: HandleHTTP panicked: %v", name, p)
		} else if resp.StatusCode != 500 || len(rec.records()) != 1 {
			t.Errorf("handler, %s: got %d and %d records, want 500 and 1", name, resp.StatusCode, len(rec.records()))
		}
		rejecting := upstream.NewEventHandler(validatorFunc(func() error { return typedNil }), opts)
		if p := apart(func() { resp = rejecting.HandleHTTP(t.Context(), event(typeConnect), []byte("{}")) }); p != nil {
			t.Errorf("validator, %s: HandleHTTP panicked: %v", name, p)
		} else if resp.StatusCode < 400 {
			t.Errorf("validator, %s: got %d, want a refusal", name, resp.StatusCode)
		}
	}
}

type pointerError struct{ text string }

func (e *pointerError) Error() string { return e.text }

type validatorFunc func() error

func (f validatorFunc) Validate(context.Context, *upstream.ConnectionContext) error { return f() }
func (validatorFunc) AllowsOrigin(string) bool                                      { return true }
