package webpubsub_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

const (
	accessKey        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
	endpoint         = "http://localhost:8080"
	connectionString = "Endpoint=" + endpoint + ";AccessKey=" + accessKey + ";Version=1.0;"
)

// A service is a service without sockets: it answers with what respond
// returns.
type service struct {
	respond  func(*http.Request) (*http.Response, error)
	requests []*http.Request
	bodies   []string
}

func (s *service) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.requests = append(s.requests, req)
	s.bodies = append(s.bodies, string(body))
	resp, err := s.respond(req)
	if err != nil {
		return nil, err
	}
	resp.Request = req
	return resp, nil
}

// answering returns a service that gives the answers in turn, and the last one
// again and again. An answer is an *http.Response or an error.
func answering(answers ...any) *service {
	s := &service{}
	s.respond = func(*http.Request) (*http.Response, error) {
		answer := answers[min(len(s.requests), len(answers))-1]
		if err, ok := answer.(error); ok {
			return nil, err
		}
		resp := *answer.(*http.Response)
		if seeker, ok := resp.Body.(io.Seeker); ok {
			_, err := seeker.Seek(0, io.SeekStart)
			return &resp, err
		}
		return &resp, nil
	}
	return s
}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// status is an answer with headers as pairs of name and value.
func status(code int, text string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: body{bytes.NewReader([]byte(text))}}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// client returns a client of s, with the options of opts but its transport.
func (s *service) client(t *testing.T, options *webpubsub.ClientOptions) *webpubsub.Client {
	t.Helper()
	var opts webpubsub.ClientOptions
	if options != nil {
		opts = *options
	}
	opts.HTTPClient = &http.Client{Transport: s}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := webpubsub.NewClient(connectionString, "chat", &opts)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// claims verifies a token with code of its own and returns its claims.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	signed, signature, ok := cutLast(token, ".")
	header, payload, ok2 := strings.Cut(signed, ".")
	if !ok || !ok2 {
		t.Fatalf("token %q has not three parts", token)
	}
	mac := hmac.New(sha256.New, []byte(accessKey))
	mac.Write([]byte(signed))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Errorf("got signature %q, want %q", signature, want)
	}
	if got, want := decode64(t, header), `{"alg":"HS256","typ":"JWT"}`; got != want {
		t.Errorf("got header %s, want %s", got, want)
	}
	var c map[string]any
	if err := json.Unmarshal([]byte(decode64(t, payload)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func decode64(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkToken checks the token of a request, whose audience is a URL.
func checkToken(t *testing.T, authorization, audience string, now time.Time) {
	t.Helper()
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		t.Errorf("got Authorization %q, want a bearer token", authorization)
		return
	}
	c := claims(t, token)
	if got := c["aud"]; got != audience {
		t.Errorf("got audience %q, want %q", got, audience)
	}
	issued, ok1 := c["iat"].(float64)
	expires, ok2 := c["exp"].(float64)
	if !ok1 || !ok2 || len(c) != 3 {
		t.Errorf("got claims %v, want aud, iat and exp", c)
	}
	if age := now.Unix() - int64(issued); age < 0 || age > 60 || expires != issued+300 {
		t.Errorf("got a token from %v to %v at %v", issued, expires, now.Unix())
	}
}

// serviceError returns the *Error in err, and fails without.
func serviceError(t *testing.T, err error) *webpubsub.Error {
	t.Helper()
	e, ok := errors.AsType[*webpubsub.Error](err)
	if !ok {
		t.Fatalf("got error %v, want a *webpubsub.Error", err)
	}
	return e
}

// mustJSON is webpubsub.JSON for values that it can encode.
func mustJSON(t *testing.T, v any) webpubsub.Message {
	t.Helper()
	m, err := webpubsub.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// do performs an operation that returns an error only.
type do func(ctx context.Context, c *webpubsub.Client) error
