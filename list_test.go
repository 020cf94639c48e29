package webpubsub_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub"
)

const listPath = "/api/hubs/chat/groups/lobby/connections?api-version=2024-12-01"

// members lists the group lobby.
func members(t *testing.T, c *webpubsub.Client, options *webpubsub.GroupConnectionsOptions) []webpubsub.GroupMember {
	t.Helper()
	var all []webpubsub.GroupMember
	for m, err := range c.GroupConnections(t.Context(), "lobby", options) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// The link of a page is followed, on our own endpoint, whatever host it names.
func TestPages(t *testing.T) {
	for _, host := range []string{
		endpoint, "https://localhost:8080", "https://evil.test", "https://user:pass@evil.test", "//evil.test", "", "http://LOCALHOST:8080/deep",
	} {
		t.Run(host, func(t *testing.T) {
			const second = "?api-version=2024-12-01&maxpagesize=2&continuationToken=a%2Bb%3D%3D&top=3"
			s := answering(
				status(200, `{"value":[{"connectionId":"c1","userId":"bob"},{"connectionId":"c2"}],"nextLink":"`+host+`/somewhere`+second+`"}`),
				status(200, `{"value":[],"nextLink":"`+host+`/somewhere?continuationToken=3"}`),
				status(200, `{"value":[{"connectionId":"c3","userId":null,"more":{}}],"nextLink":null}`),
			)
			got := members(t, s.client(t, nil), nil)
			want := []webpubsub.GroupMember{{ConnectionID: "c1", UserID: "bob"}, {ConnectionID: "c2"}, {ConnectionID: "c3"}}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			path, _, _ := strings.Cut(listPath, "?")
			for i, uri := range []string{listPath, path + second, path + "?continuationToken=3"} {
				req := s.requests[i]
				if got, want := req.URL.String(), endpoint+uri; got != want {
					t.Errorf("request %d: got %s, want %s", i+1, got, want)
				}
				if got := claims(t, req.Header.Get("Authorization")[7:])["aud"]; got != endpoint+uri {
					t.Errorf("request %d: got audience %s, want %s", i+1, got, endpoint+uri)
				}
			}
		})
	}
}

func TestPagesAreLazy(t *testing.T) {
	s := answering(
		status(200, `{"value":[{"connectionId":"c1"},{"connectionId":"c2"}],"nextLink":"/x?p=2"}`),
		status(200, `{"value":[{"connectionId":"c3"}]}`))
	seq := s.client(t, nil).GroupConnections(t.Context(), "lobby", nil)
	if len(s.requests) != 0 {
		t.Error("a request was sent before the list was used")
	}
	for m := range seq {
		if m.ConnectionID == "c2" {
			break
		}
	}
	if len(s.requests) != 1 {
		t.Errorf("got %d requests for the first page, want 1", len(s.requests))
	}
}

// The limit holds even for a service that ignores it.
func TestLimit(t *testing.T) {
	s := &service{}
	s.respond = func(*http.Request) (*http.Response, error) {
		return status(200, fmt.Sprintf(`{"value":[{"connectionId":"a"},{"connectionId":"b"}],"nextLink":"/x?p=%d"}`, len(s.requests))), nil
	}
	if got := members(t, s.client(t, nil), &webpubsub.GroupConnectionsOptions{Limit: 3}); len(got) != 3 || len(s.requests) != 2 {
		t.Errorf("got %d members with %d requests, want 3 with 2", len(got), len(s.requests))
	}
}

// An iterator can be used again, and starts over.
func TestListTwice(t *testing.T) {
	s := answering(status(200, `{"value":[{"connectionId":"a"}]}`))
	seq := s.client(t, nil).GroupConnections(t.Context(), "lobby", nil)
	for range 2 {
		n := 0
		for range seq {
			n++
		}
		if n != 1 {
			t.Errorf("got %d members, want 1", n)
		}
	}
}

func TestBadPages(t *testing.T) {
	huge := `{"value":[{"connectionId":"` + strings.Repeat("x", 4<<20) + `"}]}`
	for _, tt := range []struct{ name, page, want string }{
		{"no JSON", "<html>", "not a page of connections"},
		{"a list", "[]", "not a page of connections"},
		{"wrong type", `{"value":[{"connectionId":7}]}`, "not a page of connections"},
		{"link without query", `{"nextLink":"https://localhost:8080/x"}`, "link to the next page"},
		{"link that is none", `{"nextLink":"http://[::1?a=b"}`, "link to the next page"},
		{"link with line break", `{"nextLink":"/x?a=b\r\nHost: evil.test"}`, "link to the next page"},
		{"link with space", `{"nextLink":"/x?a=b HTTP/1.1"}`, "link to the next page"},
		{"link to itself", `{"nextLink":"/x?api-version=2024-12-01"}`, "leads to the same page"},
		{"too long", huge, "more than 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(status(200, tt.page))
			n := 0
			for _, err := range s.client(t, nil).GroupConnections(t.Context(), "lobby", nil) {
				n++
				if err == nil || !strings.HasPrefix(err.Error(), "webpubsub: GroupConnections: ") || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v, want %q in it", err, tt.want)
				}
			}
			if n != 1 || len(s.requests) != 1 {
				t.Errorf("got %d errors after %d requests, want 1 after 1", n, len(s.requests))
			}
		})
	}
}
