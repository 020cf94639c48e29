package rest_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

type page struct {
	Value    []map[string]string
	NextLink *string
}

// ids returns the connections of the page.
func (p page) ids() []string {
	var ids []string
	for _, m := range p.Value {
		ids = append(ids, m["connectionId"])
	}
	return ids
}

// group answers Members as a hub does.
func group(members ...broker.Member) func(broker.Command) broker.Reply {
	return func(c broker.Command) broker.Reply {
		ask := c.(broker.Members)
		i := slices.IndexFunc(members, func(m broker.Member) bool { return m.ConnectionID > ask.After })
		if i < 0 {
			return broker.Reply{}
		}
		return broker.Reply{Members: members[i:min(len(members), i+ask.Limit)]}
	}
}

func getPage(t *testing.T, s *service, r *http.Request) page {
	t.Helper()
	w := s.do(r)
	var p page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: answer = %d %s, want a page (%v)", r.URL, w.Code, w.Body, err)
	}
	return p
}

func TestListMembers(t *testing.T) {
	s := newService()
	s.broker.reply = group(broker.Member{ConnectionID: "c1", UserID: "ann"}, broker.Member{ConnectionID: "c2"})
	got := s.do(newRequest("GET", "/api/hubs/chat/groups/g/connections", "")).Body.String()
	want := `{"value":[{"connectionId":"c1","userId":"ann"},{"connectionId":"c2"}]}`
	if got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
}

func TestListLink(t *testing.T) {
	s := newService()
	s.broker.reply = group(broker.Member{ConnectionID: "c1"}, broker.Member{ConnectionID: "c2"}, broker.Member{ConnectionID: "c3"})
	tests := []struct {
		target, host string
		tls          bool
		want         string // without the continuation token
		next         []string
	}{
		{"/api/hubs/CHAT/groups/a%20b%252F/connections?maxpagesize=1", "localhost:8080", false, "http://localhost:8080/api/hubs/CHAT/groups/a%20b%252F/connections?api-version=2024-12-01&maxpagesize=1", []string{"c2"}},
		{"/api/hubs/chat/groups/g/connections?maxpagesize=1&top=2&api-version=2024-01-01", "[::1]:1", true, "https://[::1]:1/api/hubs/chat/groups/g/connections?api-version=2024-01-01&maxpagesize=1&top=1", []string{"c2"}},
		{"/api/hubs/chat/groups/g/connections?MaxPageSize=1&top=200&x=y", "h", false, "http://h/api/hubs/chat/groups/g/connections?api-version=2024-12-01&maxpagesize=1&top=199", []string{"c2"}},
		{"/api/hubs/chat/groups/g/connections?maxpagesize=2&top=2", "h", false, "", nil},
		{"/api/hubs/chat/groups/g/connections?top=1", "h", false, "", nil},
		{"/api/hubs/chat/groups/g/connections?maxpagesize=3", "h", false, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			r := newRequest("GET", tt.target, "")
			r.Host = tt.host
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			p := getPage(t, s, r)
			if p.NextLink == nil {
				if tt.want != "" {
					t.Errorf("no nextLink, want %s", tt.want)
				}
				return
			}
			link, err := url.Parse(*p.NextLink)
			if err != nil {
				t.Fatal(err)
			}
			q := link.Query()
			q.Del("continuationToken")
			bare := *link
			bare.RawQuery = q.Encode()
			if got := bare.String(); got != tt.want {
				t.Fatalf("nextLink = %s, want %s", got, tt.want)
			}
			if got := getPage(t, s, newRequest("GET", link.String(), "")).ids(); !slices.Equal(got, tt.next) {
				t.Errorf("next page = %q, want %q", got, tt.next)
			}
		})
	}
}

// A continuation token belongs to one group of one hub, and stays whole.
func TestListForeignToken(t *testing.T) {
	s := newService()
	s.broker.reply = group(broker.Member{ConnectionID: "c1"}, broker.Member{ConnectionID: "c2"})
	link := *getPage(t, s, newRequest("GET", "/api/hubs/chat/groups/g/connections?maxpagesize=1", "")).NextLink
	token, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	good := token.Query().Get("continuationToken")
	bad := []string{
		strings.Replace(link, "groups/g/", "groups/G/", 1),
		strings.Replace(link, "hubs/chat/", "hubs/other/", 1),
		strings.Replace(link, good, good[:len(good)-1], 1),
		strings.Replace(link, good, "A"+good[1:], 1),
		strings.Replace(link, good, good+"AA", 1),
	}
	for _, link := range bad {
		if got, want := checkError(t, s.do(newRequest("GET", link, "")), "GET", http.StatusBadRequest, "Error.BadRequest").Target, "continuationToken"; got != want {
			t.Errorf("%s: target = %q, want %q", link, got, want)
		}
	}
	same := strings.Replace(link, "hubs/chat/", "hubs/CHAT/", 1)
	if got, want := getPage(t, s, newRequest("GET", same, "")).ids(), []string{"c2"}; !slices.Equal(got, want) {
		t.Errorf("%s: page = %q, want %q", same, got, want)
	}
}

// Whoever follows the links sees every member once, or the first ones if that
// is all that was asked for, on pages that are not too long.
func FuzzPages(f *testing.F) {
	f.Add("g", 10, 3, 0)
	f.Add("a/b %2F+ü", 5, 1, 4)
	f.Add("g", 400, 200, 201)
	f.Add("g", 3, 5, 3)
	f.Fuzz(func(t *testing.T, name string, n, size, top int) {
		const path = "/api/hubs/chat/groups/"
		if strings.TrimSpace(name) == "" || len(name) > 300 || strings.ToValidUTF8(name, "") != name {
			t.Skip("no group name")
		}
		if n < 0 || n > 50 {
			n = 50
		}
		if size < 1 || size > 200 {
			size = 7
		}
		var members []broker.Member
		var want []string
		for i := range n {
			members = append(members, broker.Member{ConnectionID: "c" + strconv.Itoa(1000+i)})
			want = append(want, members[i].ConnectionID)
		}
		query := url.Values{"maxpagesize": {strconv.Itoa(size)}}
		if top > 0 && top <= 1000 {
			query.Set("top", strconv.Itoa(top))
			want = want[:min(n, top)]
		}
		s := newService()
		s.broker.reply = group(members...)
		next := new("http://localhost" + path + url.PathEscape(name) + "/connections?" + query.Encode())
		var got []string
		for next != nil {
			p := getPage(t, s, newRequest("GET", *next, ""))
			if len(p.Value) > size || len(p.Value) == 0 && n > 0 {
				t.Fatalf("a page of %d, want 1 to %d", len(p.Value), size)
			}
			got = append(got, p.ids()...)
			next = p.NextLink
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("members (-want +got):\n%s", diff)
		}
		for _, i := range s.broker.issued {
			if got, want := i.Command.(broker.Members).Group, strings.ReplaceAll(name, "/", "%2F"); got != want {
				t.Fatalf("group = %q, want %q", got, want)
			}
		}
	})
}
