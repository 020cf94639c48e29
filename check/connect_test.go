package check_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

// The rules that rest on others: on a connect that is answered, on a client
// that is let in, and on an acceptance that can be read.
var (
	afterConnectObject = []string{
		"connect/types", "connect/groups", "connect/roles", "connect/blank-subprotocol", "connect/subprotocol",
		"connect/member-names", "connect/content-type", "connect/null", "connect/empty-user",
	}
	afterAdmission = append([]string{
		"connect/size", "connect/json", "connect/unknown-members", "connect/missing-members", "connect/optional-members",
		"connect/many-values", "connect/connection-id", "connect/users", "connect/utf8-user", "connect/user-kept", "connect/again",
	}, afterConnectObject...)
	afterConnectAnswer = append([]string{"connect/admission", "connect/prompt", "connect/certificate"}, afterAdmission...)
)

var onlyConnect = &check.Options{Only: []string{"connect"}}

// said is an acceptance with a body.
func said(body string) step { return answer(200, body, "Content-Type", "application/json") }

type step = func(http.ResponseWriter, *http.Request, []byte)

func TestConnectAnswers(t *testing.T) {
	for _, tt := range []struct {
		name        string
		connect     step
		fails, open []string
	}{
		{"no content", noContent, nil, nil},
		{"accepted", answer(202, ""), nil, nil},
		{"null", said("null"), nil, nil},
		{"other members", said(`{"code":1,"user":"x"}`), nil, nil},
		{"byte order mark", said("\ufeff{}"), nil, nil},
		{"inner error", answer(500, ""), []string{"connect/answer"}, afterConnectAnswer},
		{"redirect", answer(307, "", "Location", "/eventhandler/"), []string{"connect/answer"}, afterConnectAnswer},
		{"hangs", hang, []string{"connect/answer"}, afterConnectAnswer},
		{"closes", func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }, []string{"connect/answer"}, afterConnectAnswer},
		{"refuses", answer(401, ""), []string{"connect/admission"}, afterAdmission},
		{"not there", answer(404, ""), []string{"connect/admission"}, afterAdmission},
		{"slow", func(w http.ResponseWriter, r *http.Request, body []byte) {
			time.Sleep(1100 * time.Millisecond)
			admit(w, r, body)
		}, []string{"connect/prompt"}, nil},
		{"endless", func() step {
			n := 0
			return func(w http.ResponseWriter, r *http.Request, body []byte) {
				if n++; n > 1 { // once will do
					admit(w, r, body)
					return
				}
				said(`{"userId":"`+strings.Repeat("a", 16<<20)+`"}`)(w, r, body)
			}
		}(), []string{"connect/size"}, append([]string{"connect/json"}, afterConnectObject...)},
		{"half JSON", said(`{"userId":"a"`), []string{"connect/json"}, afterConnectObject},
		{"list", said("[]"), []string{"connect/json"}, afterConnectObject},
		{"compressed", answer(200, "\x1f\x8b", "Content-Encoding", "gzip", "Content-Type", "application/json"), []string{"connect/json"}, afterConnectObject},
		{"user as number", said(`{"userId":7}`), []string{"connect/types"}, nil},
		{"one group", said(`{"groups":"lobby"}`), []string{"connect/types"}, nil},
		{"groups as numbers", said(`{"groups":[1]}`), []string{"connect/types"}, nil},
		{"roles as object", said(`{"roles":{}}`), []string{"connect/types"}, nil},
		{"several subprotocols", said(`{"subprotocol":["mqtt"]}`), []string{"connect/types"}, nil},
		{"mqtt as list", said(`{"mqtt":[true]}`), []string{"connect/types"}, nil},
		{"null group", said(`{"groups":["a",null]}`), []string{"connect/groups"}, nil},
		{"blank group", said(`{"groups":[" "]}`), []string{"connect/groups"}, nil},
		{"null role", said(`{"roles":[null]}`), []string{"connect/roles"}, nil},
		{"blank subprotocol", said(`{"subprotocol":""}`), []string{"connect/blank-subprotocol"}, nil},
		{"one subprotocol for all", said(`{"subprotocol":"json.webpubsub.azure.v1"}`), []string{"connect/subprotocol"}, nil},
		{"other spelling", said(`{"UserId":"a","Groups":[]}`), []string{"connect/member-names"}, nil},
		{"underscores", said(`{"user_id":"a"}`), []string{"connect/member-names"}, nil},
		{"no content type", answer(200, "{}"), []string{"connect/content-type"}, nil},
		{"text", answer(200, "{}", "Content-Type", "text/html; charset=utf-8"), []string{"connect/content-type"}, nil},
		{"nulls", said(`{"userId":null,"groups":null,"roles":null,"subprotocol":null,"mqtt":null}`), []string{"connect/null"}, nil},
		{"empty user", said(`{"userId":""}`), []string{"connect/empty-user"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(func(p *plain) { p.connect = tt.connect }), onlyConnect, tt.fails, tt.open)
		})
	}
}

// A client is what tests read of the body of connect.
type client struct {
	Claims             map[string][]string
	Query              url.Values
	Headers            http.Header
	Subprotocols       []string
	ClientCertificates []struct{ Thumbprint, Content string }
}

// when answers connects that a predicate is true of with a status.
func when(status int, is func(r *http.Request, c *client, body []byte) bool) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		var c client
		_ = json.Unmarshal(body, &c) // what cannot be read is empty
		if is(r, &c, body) {
			w.WriteHeader(status)
			return
		}
		admit(w, r, body)
	}
}

func certified(is func(content string) bool) func(*http.Request, *client, []byte) bool {
	return func(_ *http.Request, c *client, _ []byte) bool {
		return len(c.ClientCertificates) > 0 && is(c.ClientCertificates[0].Content)
	}
}

func named(is func(user string) bool) func(*http.Request, *client, []byte) bool {
	return func(r *http.Request, _ *client, _ []byte) bool { return is(r.Header.Get("ce-userId")) }
}

// parsed returns a certificate, nil if it is none.
func parsed(content string) *x509.Certificate {
	block, _ := pem.Decode([]byte(content))
	if block == nil {
		return nil
	}
	c, _ := x509.ParseCertificate(block.Bytes)
	return c
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > '~' })
}

// echoing lets clients in as the user that a reading of ce-userId makes of it.
func echoing(read func(user string) string) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		user := r.Header.Get("ce-userId")
		if user == "" {
			noContent(w, r, body)
			return
		}
		body, _ = json.Marshal(map[string]string{"userId": read(user)})
		said(string(body))(w, r, nil)
	}
}

func TestConnectClients(t *testing.T) {
	uuid := regexp.MustCompile("^[0-9a-f]{32}$")
	members := func(body []byte) map[string]json.RawMessage {
		var m map[string]json.RawMessage
		_ = json.Unmarshal(body, &m) // is an object
		return m
	}
	noHeaders := func(_ *http.Request, _ *client, body []byte) bool { return members(body)["headers"] == nil }
	for _, tt := range []struct {
		name        string
		connect     step
		fails, open []string
	}{
		{"strict about members", when(400, func(_ *http.Request, _ *client, body []byte) bool {
			known := []string{"claims", "query", "headers", "subprotocols", "clientCertificates", "mqtt"}
			return slices.ContainsFunc(slices.Collect(maps.Keys(members(body))), func(name string) bool { return !slices.Contains(known, name) })
		}), []string{"connect/unknown-members"}, nil},
		{"breaks without headers", when(500, noHeaders), []string{"connect/missing-members"}, []string{"connect/optional-members"}},
		{"breaks with null", when(500, func(_ *http.Request, c *client, body []byte) bool {
			return c.ClientCertificates == nil && members(body)["clientCertificates"] != nil
		}), []string{"connect/missing-members"}, []string{"connect/optional-members"}},
		{"wants headers", when(422, noHeaders), []string{"connect/optional-members"}, nil},
		{"breaks with several values", when(500, func(_ *http.Request, c *client, _ []byte) bool { return len(c.Query["tag"]) > 1 }), []string{"connect/many-values"}, nil},
		{"breaks with URIs", when(500, func(_ *http.Request, c *client, _ []byte) bool {
			return slices.ContainsFunc(slices.Collect(maps.Keys(c.Claims)), func(name string) bool { return strings.Contains(name, "/") })
		}), []string{"connect/many-values"}, nil},
		{"breaks with several subprotocols", when(500, func(_ *http.Request, c *client, _ []byte) bool { return len(c.Subprotocols) > 1 }), []string{"connect/subprotocol"}, nil},
		{"breaks without a content", when(500, certified(func(content string) bool { return content == "" })), []string{"connect/certificate"}, nil},
		{"breaks with what was not signed today", when(500, certified(func(content string) bool {
			c := parsed(content)
			return c != nil && (time.Now().Before(c.NotBefore) || time.Now().After(c.NotAfter))
		})), []string{"connect/certificate"}, nil},
		{"reads certificates", when(500, certified(func(content string) bool {
			c := parsed(content)
			return c != nil && c.Subject.CommonName != "nobody"
		})), nil, nil},
		{"refuses certificates", when(403, certified(func(string) bool { return true })), nil, nil},
		{"reads a UUID", when(400, func(r *http.Request, _ *client, _ []byte) bool {
			return !uuid.MatchString(r.Header.Get("ce-connectionId"))
		}), []string{"connect/connection-id"}, nil},
		{"breaks with users", when(500, named(func(user string) bool { return user != "" })), []string{"connect/users"}, []string{"connect/utf8-user"}},
		{"breaks with a slash", when(500, named(func(user string) bool { return strings.Contains(user, "/") })), []string{"connect/users"}, nil},
		{"breaks with long users", when(500, named(func(user string) bool { return len(user) > 255 })), []string{"connect/users"}, nil},
		{"breaks with UTF-8", when(500, named(func(user string) bool { return !ascii(user) })), []string{"connect/utf8-user"}, nil},
		{"refuses UTF-8", when(400, named(func(user string) bool { return !ascii(user) })), nil, []string{"connect/utf8-user"}},
		{"knows its users", when(403, named(func(user string) bool { return user != "" })), nil, []string{"connect/utf8-user"}},
		{"ISO 8859-1", echoing(func(user string) string {
			var read []rune
			for _, b := range []byte(user) {
				read = append(read, rune(b))
			}
			return string(read)
		}), []string{"connect/user-kept"}, nil},
		{"cuts at a comma", echoing(func(user string) string { return strings.Split(user, ",")[0] }), []string{"connect/user-kept"}, nil},
		{"nothing more than once", func() step {
			seen := map[string]bool{}
			return func(w http.ResponseWriter, r *http.Request, body []byte) {
				id := r.Header.Get("ce-connectionId")
				if seen[id] {
					w.WriteHeader(409)
					return
				}
				seen[id] = true
				admit(w, r, body)
			}
		}(), []string{"connect/again"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(func(p *plain) { p.connect = tt.connect }), onlyConnect, tt.fails, tt.open)
		})
	}
}

// A handler that gives back the user as it is keeps it.
func TestConnectKeepsUser(t *testing.T) {
	options := &check.Options{UserID: "bob", Only: []string{"connect/user-kept"}}
	report := judged(t, newPlain(func(p *plain) { p.connect = echoing(strings.Clone) }), options)
	if got := report.Results[0]; got.Verdict != check.Holds {
		t.Errorf("got %v, want %v: %s", got.Verdict, check.Holds, got.Finding)
	}
}

// What the options say of the client is what a client without it breaks.
func TestConnectAsDescribed(t *testing.T) {
	options := &check.Options{
		UserID: "bob", Query: url.Values{"ticket": {"t1"}}, Subprotocols: []string{"chat.v1", "json.webpubsub.azure.v1"},
		Only: onlyConnect.Only,
	}
	for _, tt := range []struct {
		name        string
		connect     step
		fails, open []string
	}{
		{"wants all", when(403, func(_ *http.Request, c *client, _ []byte) bool {
			return c.Query.Get("ticket") != "t1" || c.Claims["sub"] == nil || !slices.Contains(c.Subprotocols, "chat.v1")
		}), nil, nil},
		{"chooses its own", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			said(`{"subprotocol":"chat.v1"}`)(w, r, nil)
		}, []string{"connect/subprotocol"}, nil},
		{"chooses the last", func(w http.ResponseWriter, r *http.Request, body []byte) {
			var c client
			_ = json.Unmarshal(body, &c) // is an object
			if len(c.Subprotocols) == 0 {
				w.WriteHeader(403)
				return
			}
			chosen, _ := json.Marshal(c.Subprotocols[len(c.Subprotocols)-1])
			said(`{"subprotocol":`+string(chosen)+`}`)(w, r, nil)
		}, nil, nil},
		{"breaks without subprotocols", when(500, func(_ *http.Request, c *client, _ []byte) bool { return len(c.Subprotocols) == 0 }), []string{"connect/subprotocol"}, nil},
		{"breaks without user", when(500, named(func(user string) bool { return user == "" })), []string{"connect/users"}, nil},
		{"ticket for one time", tickets(false), []string{"connect/again"}, []string{
			"connect/unknown-members", "connect/optional-members", "connect/connection-id", "connect/utf8-user", "connect/user-kept",
		}},
		{"ticket for one connection", tickets(true), nil, []string{
			"connect/unknown-members", "connect/optional-members", "connect/connection-id", "connect/utf8-user", "connect/user-kept",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(func(p *plain) { p.connect = tt.connect }), options, tt.fails, tt.open)
		})
	}
}

// tickets lets one connection in, once or as often as it asks.
func tickets(remembers bool) step {
	var admitted string
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		id := r.Header.Get("ce-connectionId")
		if admitted != "" && !(remembers && admitted == id) {
			w.WriteHeader(401)
			return
		}
		admitted = id
		admit(w, r, body)
	}
}

// A handler that refuses all events does not refuse this client.
func TestConnectProof(t *testing.T) {
	options := &check.Options{Only: []string{"connect/admission"}}
	refuse := func(*http.Request) int { return http.StatusUnauthorized }
	wantVerdicts(t, newPlain(func(p *plain) { p.verify = refuse }), options, nil, []string{"connect/admission"})
}

// Without connect among the events there is nothing to judge.
func TestConnectNotServed(t *testing.T) {
	options := &check.Options{Events: []string{"message", "mqtt"}, Only: []string{"connect", "mqtt/connect"}}
	for _, result := range judged(t, newPlain(), options).Results {
		if result.Verdict != check.NotJudged {
			t.Errorf("%s: got %v: %s", result.Rule.ID, result.Verdict, result.Finding)
		}
	}
}

// A handler of connect alone that never answers has had all the requests that
// are sent to such a one before the rules begin.
func TestConnectHangsAlone(t *testing.T) {
	options := &check.Options{Events: []string{"connect"}, Only: []string{"connect/answer", "connect/prompt"}}
	results := judged(t, newPlain(func(p *plain) { p.connect = hang }), options).Results
	if results[0].Verdict != check.Fails || !strings.Contains(results[0].Finding, "no answer within 5s") || results[1].Verdict != check.NotJudged {
		t.Errorf("got %v: %s, and %v", results[0].Verdict, results[0].Finding, results[1].Verdict)
	}
}
