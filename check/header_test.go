package check_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func TestHeaderRules(t *testing.T) {
	present := func(name string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get(name) != "" }
	}
	is := func(name, value string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get(name) == value }
	}
	not := func(ok func(*http.Request) bool) func(*http.Request) bool {
		return func(r *http.Request) bool { return !ok(r) }
	}
	for _, tt := range []struct {
		name   string
		status int
		ok     func(r *http.Request) bool // the status is for all others
		fails  []string
	}{
		{"unknown attribute", 400, not(present("ce-newattribute")), []string{"header/unknown"}},
		{"unknown header", 400, not(present("x-ms-new-header")), []string{"header/unknown"}},
		{"type of connect", 415, func(r *http.Request) bool {
			return !ofType(upstreamtest.TypeConnect)(r) || is("Content-Type", "application/json; charset=utf-8")(r)
		}, []string{"header/content-type"}},
		{"type of disconnected", 415, func(r *http.Request) bool {
			return !ofType(upstreamtest.TypeDisconnected)(r) || is("Content-Type", "application/json; charset=utf-8")(r)
		}, []string{"header/content-type"}},
		{"subprotocol", 500, not(present("ce-subprotocol")), []string{"header/subprotocol"}},
		{"hub", 404, is("ce-hub", "chat"), []string{"header/hub-case"}},
		{"cookie", 403, not(present("Cookie")), []string{"header/cookie"}},
		{"event name", 400, present("ce-eventName"), []string{"header/event-name"}},
		{"other event name", 404, not(is("ce-eventName", "another-name")), []string{"header/event-name"}},
		{"time with a fraction", 400, func(r *http.Request) bool { return !strings.Contains(r.Header.Get("ce-time"), ".") }, []string{"header/time"}},
		{"time with an offset", 400, func(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("ce-time"), "Z") }, []string{"header/time"}},
		{"version", 400, is("ce-awpsversion", "1.0"), []string{"header/version"}},
		{"request id", 400, present("x-ms-client-request-id"), []string{"header/request-id"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newPlain(func(p *plain) {
				p.verify = func(r *http.Request) int {
					if status := verify(r); status != 0 || tt.ok(r) {
						return status
					}
					return tt.status
				}
			})
			wantVerdicts(t, h, &check.Options{Only: []string{"header"}}, tt.fails, nil)
		})
	}
}

// Servers of net/http hide how a name was spelled.
func TestHeaderNames(t *testing.T) {
	h := newPlain()
	client := &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		if slices.Contains(slices.Collect(maps.Keys(r.Header)), "ce-connectionid") {
			w.WriteHeader(http.StatusBadRequest)
			return w.Result()
		}
		canonical := r.Clone(r.Context())
		canonical.Header = http.Header{}
		for name, values := range r.Header {
			canonical.Header[http.CanonicalHeaderKey(name)] = values
		}
		h.ServeHTTP(w, canonical)
		return w.Result()
	})}
	report, err := check.Run(t.Context(), "http://handler.test/eventhandler", &check.Options{Only: []string{"header"}, HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		if fails := result.Verdict == check.Fails; fails != (result.Rule.ID == "header/name-case") {
			t.Errorf("%s: got %q: %s", result.Rule.ID, result.Verdict, result.Finding)
		}
	}
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestMissingHeaders(t *testing.T) {
	for _, name := range []string{"ce-type", "ce-hub", "ce-connectionId"} {
		t.Run(name, func(t *testing.T) {
			p := newPlain()
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && r.Header.Get(name) == "" {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				p.ServeHTTP(w, r)
			})
			wantVerdicts(t, h, &check.Options{Only: []string{"header"}}, []string{"header/required"}, nil)
		})
	}
}

func TestClientHeaders(t *testing.T) {
	user := func(r *http.Request) string { return r.Header.Get("ce-userId") }
	byQuery := func(w http.ResponseWriter, _ *http.Request, body []byte) { // the user is in the query
		said, _, _ := strings.Cut(string(body[strings.Index(string(body), `"user":["`)+9:]), `"`)
		answer(200, `{"userId":"`+said+`"}`)(w, nil, nil)
	}
	event := func(status func(r *http.Request) int) step {
		return func(w http.ResponseWriter, r *http.Request, _ []byte) { w.WriteHeader(status(r)) }
	}
	failing := func(status int, when func(r *http.Request) bool) step {
		return event(func(r *http.Request) int {
			if when(r) {
				return status
			}
			return 204
		})
	}
	foreign := func(r *http.Request) bool {
		return strings.ContainsFunc(user(r), func(c rune) bool { return c >= utf8.RuneSelf })
	}
	stranger := func(r *http.Request) bool { return user(r) != "alice" }
	nobody := func(r *http.Request) bool { return user(r) == "" }
	simple := func(r *http.Request) bool { return r.Header.Get("ce-subprotocol") == "" }
	alice := check.Options{UserID: "alice"}
	json := []string{"json.webpubsub.azure.v1"}
	for _, tt := range []struct {
		name             string
		rule             string
		connect, message step
		options          check.Options
		want             check.Verdict
	}{
		{"right", "header/user-id", noContent, noContent, alice, check.Holds},
		{"breaks on letters", "header/user-id", noContent, failing(500, foreign), alice, check.Fails},
		{"refuses letters", "header/user-id", noContent, failing(400, foreign), alice, check.Fails},
		{"refuses letters without connect", "header/user-id", noContent, failing(400, foreign), check.Options{Events: []string{"message"}}, check.Fails},
		{"refuses strangers", "header/user-id", noContent, failing(403, stranger), alice, check.NotJudged},
		{"keeps other strangers out", "header/user-id", failing(403, func(r *http.Request) bool { return user(r) == "somebody-else" }), failing(500, foreign), alice, check.NotJudged},
		{"keeps strangers out", "header/user-id", failing(403, stranger), noContent, alice, check.NotJudged},
		{"names its users", "header/user-id", admit, noContent, alice, check.NotJudged},
		{"breaks on letters of the query", "header/user-id", byQuery, failing(500, foreign), check.Options{Query: url.Values{"user": {"alice"}}}, check.Fails},

		{"right", "header/anonymous", noContent, noContent, alice, check.Holds},
		{"breaks on nobody", "header/anonymous", noContent, failing(500, nobody), alice, check.Fails},
		{"refuses nobody", "header/anonymous", noContent, failing(401, nobody), alice, check.Holds},
		{"keeps nobody in", "header/anonymous", failing(401, nobody), noContent, alice, check.NotJudged},
		{"no user anyway", "header/anonymous", noContent, noContent, check.Options{}, check.NotJudged},

		{"right with", "header/subprotocol", noContent, noContent, check.Options{Subprotocols: json}, check.Holds},
		{"breaks without", "header/subprotocol", noContent, failing(500, simple), check.Options{Subprotocols: json}, check.Fails},
		{"refuses without", "header/subprotocol", noContent, failing(400, simple), check.Options{Subprotocols: json}, check.Holds},
		{"events of subprotocols", "header/subprotocol", noContent, noContent, check.Options{Subprotocols: json, Events: []string{"connect", "vote"}}, check.NotJudged},
		{"not let in", "header/subprotocol", func(w http.ResponseWriter, _ *http.Request, body []byte) {
			if strings.Contains(string(body), json[0]) {
				w.WriteHeader(400)
			}
		}, noContent, check.Options{}, check.NotJudged},
	} {
		t.Run(tt.rule+" "+tt.name, func(t *testing.T) {
			tt.options.Only = []string{tt.rule}
			h := newPlain(func(p *plain) { p.connect, p.message = tt.connect, tt.message })
			if result := judged(t, h, &tt.options).Results[0]; result.Verdict != tt.want {
				t.Errorf("got %q, want %q: %s", result.Verdict, tt.want, result.Finding)
			}
		})
	}
}

func TestContentTypeOptions(t *testing.T) {
	refused := newPlain(func(p *plain) { p.connect, p.notification = answer(401, ""), answer(404, "") })
	admitted := newPlain(func(p *plain) { p.notification = answer(404, "") })
	for _, tt := range []struct {
		name    string
		handler *plain
		events  []string
		want    check.Verdict
	}{
		{"no system event", refused, []string{"message"}, check.NotJudged},
		{"connect is refused", refused, []string{"connect", "disconnected"}, check.NotJudged},
		{"disconnected is refused", admitted, []string{"connect", "disconnected"}, check.NotJudged},
		{"connect alone", newPlain(), []string{"connect"}, check.Holds},
		{"disconnected alone", newPlain(), []string{"disconnected"}, check.Holds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := &check.Options{Only: []string{"header/content-type"}, Events: tt.events}
			if result := judged(t, tt.handler, options).Results[0]; result.Verdict != tt.want {
				t.Errorf("got %q, want %q: %s", result.Verdict, tt.want, result.Finding)
			}
		})
	}
}
