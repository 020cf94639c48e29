// Package interop compares package upstream with the middleware that
// JavaScript has for the same job, @azure/web-pubsub-express: the same
// requests go to both, with handlers that do the same. Where the answers
// differ, the difference is written down with its reason, and the tests fail
// as soon as either side does something else.
package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A peer is one of the two servers. Its requests share one connection, so that
// a server is done with the body of one request before it sees the next.
type peer struct {
	url       string
	transport *http.Transport
}

func newPeer(t *testing.T, url string) *peer {
	p := &peer{url, &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
	t.Cleanup(p.transport.CloseIdleConnections)
	return p
}

// A request is one HTTP request, as the service or somebody else would send it.
type request struct {
	method  string
	path    string
	header  http.Header
	body    string
	chunked bool
}

// with returns a copy with another header. Values are header lines.
func (r request) with(name string, values ...string) request {
	r.header = maps.Clone(r.header)
	r.header[http.CanonicalHeaderKey(name)] = values
	return r
}

// without returns a copy without a header.
func (r request) without(names ...string) request {
	r.header = maps.Clone(r.header)
	for _, name := range names {
		r.header.Del(name)
	}
	return r
}

// to returns a copy for another path.
func (r request) to(path string) request {
	r.path = path
	return r
}

// by returns a copy with another method.
func (r request) by(method string) request {
	r.method = method
	return r
}

const (
	connectionID = "0f9c97a2f0bf4706afe87a14e0797b11"
	host         = "demo.webpubsub.azure.com"
)

// event is a signed event of the hub chat.
func event(ceType, contentType, body string) request {
	return request{
		method: http.MethodPost,
		path:   "/eventhandler",
		header: http.Header{
			"Webhook-Request-Origin": {host},
			"Content-Type":           {contentType},
			"Ce-Specversion":         {"1.0"},
			"Ce-Awpsversion":         {"1.0"},
			"Ce-Type":                {ceType},
			"Ce-Source":              {"/hubs/chat/client/" + connectionID},
			"Ce-Id":                  {"2"},
			"Ce-Time":                {"2026-09-01T08:00:00Z"},
			"Ce-Signature":           {wire.Sign(connectionID, accessKey, "the secondary key")},
			"Ce-Connectionid":        {connectionID},
			"Ce-Hub":                 {"chat"},
			"Ce-Eventname":           {ceType[strings.LastIndexByte(ceType, '.')+1:]},
			"Ce-Userid":              {"alice"},
			"X-Ms-Client-Request-Id": {"7d1f0a52-3a0e-4a54-9f6e-0a2d2b3c4d5e"},
		},
		body: body,
	}
}

// system is an event that the service itself makes, sys.connected for instance.
func system(name, body string) request {
	return event(wire.TypePrefix+name, "application/json; charset=utf-8", body)
}

// connectAs is a connect event whose query tells the handler what to do:
// "do=fail", "status=401".
func connectAs(query ...string) request {
	return system("sys.connect", connectBody(query, `"subprotocols":["json.webpubsub.azure.v1"]`))
}

// mqttConnectAs is connectAs for a client of MQTT, version 4 (3.1.1) or 5.
func mqttConnectAs(version int, query ...string) request {
	mqtt := fmt.Sprintf(`"subprotocols":["mqtt"],"mqtt":{"protocolVersion":%d,"cleanStart":true,"username":"u","password":"cGFzcw=="}`, version)
	return overMQTT(system("sys.connect", connectBody(query, mqtt)))
}

func connectBody(query []string, rest string) string {
	members := make([]string, len(query))
	for i, q := range query {
		name, value, _ := strings.Cut(q, "=")
		members[i] = fmt.Sprintf("%q:[%q]", name, value)
	}
	return `{"claims":{"sub":["alice"]},"query":{` + strings.Join(members, ",") +
		`},"headers":{"User-Agent":["test"]},"clientCertificates":[],` + rest + `}`
}

func overMQTT(r request) request {
	return r.with("ce-subprotocol", "mqtt").with("ce-physicalConnectionId", "p1")
}

// user is a user event.
func user(name, contentType, body string) request {
	return event(wire.UserType(name), contentType, body)
}

// state encodes a connection state as the SDKs of JavaScript and Python do.
func state(object string) string { return base64.StdEncoding.EncodeToString([]byte(object)) }

// handshake asks for consent for one or more origins.
func handshake(originLines ...string) request {
	return request{
		method: http.MethodOptions,
		path:   "/eventhandler/validate",
		header: http.Header{"Webhook-Request-Origin": originLines, "Ce-Awpsversion": {"1.0"}},
	}
}

// An answer is what is compared of a response.
type answer struct {
	Status  int
	Type    string // the media type of Content-Type
	Body    string
	State   string // the JSON in ce-connectionState, or the header as it is when it is none
	Allowed string // the lines of WebHook-Allowed-Origin, joined by " | "
	Extra   string // the metadata and MQTT headers, sorted, joined by " | "
}

// next is the answer of the application behind the middleware: the request was
// passed on to it.
var next = answer{Status: http.StatusNotFound, Type: "text/plain", Body: "next"}

// send sends r and reduces the response to an answer.
func (p *peer) send(t *testing.T, r request) answer {
	t.Helper()
	a, _, err := p.exchange(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// exchange also returns the header of the response.
func (p *peer) exchange(t *testing.T, r request) (answer, http.Header, error) {
	t.Helper()
	var body io.Reader = strings.NewReader(r.body)
	if r.chunked {
		body = struct{ io.Reader }{body} // hides its length
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, p.url+r.path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = maps.Clone(r.header)
	resp, err := p.transport.RoundTrip(req) // a Client would follow redirects
	if err != nil {
		return answer{}, nil, err
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return answer{}, nil, err
	}
	a := answer{
		Status:  resp.StatusCode,
		Body:    string(data),
		State:   decodeState(resp.Header.Get(wire.HeaderConnectionState)),
		Allowed: strings.Join(resp.Header.Values(wire.HeaderAllowedOrigin), " | "),
		Extra:   extra(resp.Header),
	}
	if contentType := resp.Header.Get("Content-Type"); contentType != "" {
		if a.Type, _, err = mime.ParseMediaType(contentType); err != nil {
			t.Errorf("Content-Type %q: %v", contentType, err)
		}
	}
	return a, resp.Header, nil
}

func decodeState(raw string) string {
	object, err := base64.StdEncoding.DecodeString(raw)
	var compact bytes.Buffer
	if err != nil || json.Compact(&compact, object) != nil {
		return raw
	}
	return compact.String()
}

func extra(header http.Header) string {
	var lines []string
	for k, vs := range header {
		if strings.HasPrefix(k, wire.PrefixMetadata) || strings.HasPrefix(k, wire.PrefixMQTT) {
			lines = append(lines, strings.ToLower(k)+": "+strings.Join(vs, ", "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " | ")
}

// TestSameRequests sends every request of the tables to both servers.
func TestSameRequests(t *testing.T) {
	js, _ := startJS(t)
	ours := startGo(t)
	for _, table := range []struct {
		name  string
		cases []comparison
	}{
		{"handshake", handshakes},
		{"connect", connects},
		{"MQTT", mqtt},
		{"notifications", notices},
		{"user events", userEvents},
		{"state", states},
		{"validation", validations},
		{"HTTP", oddRequests},
	} {
		t.Run(table.name, func(t *testing.T) {
			for _, c := range table.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, ours, js) })
			}
		})
	}
}

// A comparison is one request and what both servers answer.
type comparison struct {
	name string
	req  request
	want answer  // ours, and theirs too where js is nil
	js   *answer // theirs, where it is another on purpose
	why  string  // the reason for the difference
}

func (c comparison) run(t *testing.T, ours, js *peer) {
	wantJS := c.want
	if c.js != nil {
		wantJS = *c.js
	}
	if differs := wantJS != c.want; differs != (c.js != nil) || differs != (c.why != "") {
		t.Fatal("a difference needs two answers and a reason, agreement needs one answer and none")
	}
	if got := ours.send(t, c.req); got != c.want {
		t.Errorf("ours:\n got %+v\nwant %+v", got, c.want)
	}
	if got := js.send(t, c.req); got != wantJS {
		t.Errorf("JavaScript:\n got %+v\nwant %+v", got, wantJS)
	}
}
