package webpubsub_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub"
)

func TestErrors(t *testing.T) {
	const jsonBody, textBody, html = "application/json; charset=utf-8", "text/plain", "text/html"
	tests := []struct {
		name, contentType, body string
		want                    webpubsub.Error
	}{
		{
			"the service's form", jsonBody,
			"{\"code\":\"Info.Connection.NotExisted\",\"message\":\"Connection `conn1` is not found.\",\"target\":\"Connection\",\"details\":null,\"innererror\":null}",
			webpubsub.Error{Code: "Info.Connection.NotExisted", Message: "Connection `conn1` is not found.", Target: "Connection"},
		},
		{
			"inside of error", jsonBody, `{"error":{"code":"Unauthorized","message":"who are you"}}`,
			webpubsub.Error{Code: "Unauthorized", Message: "who are you"},
		},
		{"numbers", jsonBody, `{"code":401,"message":"no","error":"x"}`, webpubsub.Error{Message: "no"}},
		{"JSON without content type", "", `{"code":"A"}`, webpubsub.Error{Code: "A"}},
		{"a list", jsonBody, `[]`, webpubsub.Error{}},
		{"text", textBody, "  not\r\nallowed\x1b[31m ", webpubsub.Error{Message: "not  allowed [31m"}},
		{"text that is cut", textBody, strings.Repeat("é", 600), webpubsub.Error{Message: strings.Repeat("é", 512)}},
		{"HTML", html, "<html>no</html>", webpubsub.Error{}},
		{"broken JSON", jsonBody, `{"code":"A`, webpubsub.Error{}},
		{"nothing", "", "", webpubsub.Error{}},
		{"line breaks", jsonBody, `{"code":"a\nb","message":"c\u2028d"}`, webpubsub.Error{Code: "a b", Message: "c d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(status(403, tt.body, "Content-Type", tt.contentType))
			e := serviceError(t, s.client(t, nil).CloseConnection(t.Context(), "c1", nil))
			tt.want.StatusCode = 403
			tt.want.RequestID = s.requests[0].Header.Get("X-Ms-Client-Request-Id")
			if *e != tt.want {
				t.Errorf("\n got %+v\nwant %+v", *e, tt.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  webpubsub.Error
		want string
	}{
		{webpubsub.Error{StatusCode: 404}, "the service answered 404 Not Found"},
		{webpubsub.Error{StatusCode: 404, Code: "A.B", Message: "c"}, "the service answered 404 Not Found (A.B): c"},
		{webpubsub.Error{StatusCode: 599}, "the service answered 599"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// A proxy for debugging may answer with the request that it got.
func TestErrorsShowNoToken(t *testing.T) {
	s := &service{}
	s.respond = func(req *http.Request) (*http.Response, error) {
		token := req.Header.Get("Authorization")
		return status(400, "you sent "+token, "Content-Type", "text/plain", "x-ms-error-code", token), nil
	}
	err := s.client(t, nil).Health(t.Context())
	if e := serviceError(t, err); e.Message != "you sent Bearer [token]" || e.Code != "Bearer [token]" {
		t.Errorf("got %+v", e)
	}
}

// The URL of a request has names and filters in it.
func TestErrorsShowNoURL(t *testing.T) {
	s := answering(&net.OpError{Op: "write", Err: io.ErrClosedPipe})
	err := s.client(t, nil).SendToUser(t.Context(), "bob", webpubsub.Text("x"), &webpubsub.SendOptions{Filter: "secret"})
	if got, want := err.Error(), "webpubsub: SendToUser: write: io: read/write on closed pipe"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error("the cause is not wrapped")
	}
}

// Neither a redirect nor anything else takes the token to another place.
func TestRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := answering(status(code, "", "Location", "https://evil.test/"))
		e := serviceError(t, s.client(t, nil).SendToAll(t.Context(), webpubsub.Text("x"), nil))
		if e.StatusCode != code || len(s.requests) != 1 || !strings.Contains(e.Message, "redirects are not followed") {
			t.Errorf("got %+v after %d requests", e, len(s.requests))
		}
	}
}

// However long an answer is, only a part of it is read.
func TestEndlessBody(t *testing.T) {
	for _, code := range []int{200, 204, 400} {
		read := &endless{}
		resp := status(code, "")
		resp.Body = read
		_ = answering(resp).client(t, nil).RemoveUserFromAllGroups(t.Context(), "bob")
		if read.n == 0 || read.n > 256<<10 || !read.closed {
			t.Errorf("status %d: %d bytes were read, closed: %v", code, read.n, read.closed)
		}
	}
}

type endless struct {
	n      int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}
