package inspector

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator"
)

// changed returns x after a change.
func changed(x emulator.Exchange, change func(x *emulator.Exchange)) emulator.Exchange {
	change(&x)
	return x
}

func TestSummary(t *testing.T) {
	n := newNamer("http://localhost:8080/")
	consent := emulator.Exchange{
		ID: 1, Kind: emulator.ConsentExchange, Start: started, Event: "validate", Method: http.MethodOptions,
		URL: "http://localhost:8080/eventhandler", Attempts: 1,
	}
	tests := []struct {
		name string
		r    row
		want string
	}{
		{
			"an event under way",
			row{x: keep(event(7, "a"))},
			`{"id":7,"kind":"event","time":"2026-11-24T02:09:41.123Z","pending":true,"hub":"chat","connectionId":"c1","userId":"alice","event":"message","method":"POST","url":"http://localhost:3000/eventhandler","attempts":1}`,
		},
		{
			"an event and its calls",
			row{x: keep(ended(event(7, "a"))), calls: []uint64{8, 9}},
			`{"id":7,"kind":"event","time":"2026-11-24T02:09:41.123Z","durationMs":1.25,"hub":"chat","connectionId":"c1","userId":"alice","event":"message","method":"POST","url":"http://localhost:3000/eventhandler","status":200,"attempts":1,"calls":[8,9]}`,
		},
		{
			"an event that failed",
			row{x: keep(changed(event(7, "a"), func(x *emulator.Exchange) {
				x.Done, x.Again, x.Attempts, x.Err, x.Hint = true, 3, 4, errors.New("no <answer>"), "start it"
			}))},
			`{"id":7,"kind":"event","time":"2026-11-24T02:09:41.123Z","durationMs":0,"hub":"chat","connectionId":"c1","userId":"alice","event":"message","method":"POST","url":"http://localhost:3000/eventhandler","attempts":4,"error":"no \u003canswer\u003e","hint":"start it","again":3}`,
		},
		{
			"consent",
			row{x: keep(consent)},
			`{"id":1,"kind":"consent","time":"2026-11-24T02:09:41.123Z","pending":true,"event":"validate","system":true,"method":"OPTIONS","url":"/eventhandler","attempts":1}`,
		},
		{
			"a call that surely belongs to an event",
			row{x: keep(ended(apiCall(8, "a"))), parent: 7, sure: true},
			`{"id":8,"kind":"call","time":"2026-11-24T02:09:41.123Z","durationMs":1.25,"hub":"chat","method":"POST","url":"/api/hubs/chat/:send","status":200,"attempts":1,"parent":7,"sure":true,"recipients":0}`,
		},
		{
			"a call that perhaps does",
			row{x: keep(apiCall(8, "a")), parent: 7},
			`{"id":8,"kind":"call","time":"2026-11-24T02:09:41.123Z","pending":true,"hub":"chat","method":"POST","url":"/api/hubs/chat/:send","attempts":1,"parent":7}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(n.summary(tt.r))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestSystemEvents(t *testing.T) {
	tests := []struct {
		ceType, event string
		want          bool
	}{
		{"azure.webpubsub.sys.connect", "connect", true},
		{"azure.webpubsub.sys.disconnected", "disconnected", true},
		{"azure.webpubsub.gp.joined", "joined", true},
		{"azure.webpubsub.user.message", "message", false},
		{"azure.webpubsub.user.connect", "connect", false}, // a client may name it so
		{"", "connected", true},
		{"", "left", true},
		{"", "message", false},
	}
	for _, tt := range tests {
		x := event(1, "")
		x.Header, x.Event = http.Header{}, tt.event
		if tt.ceType != "" {
			x.Header.Set("ce-type", tt.ceType)
		}
		if got := isSystem(keep(x)); got != tt.want {
			t.Errorf("type %q, event %q: got %t, want %t", tt.ceType, tt.event, got, tt.want)
		}
	}
}

func TestShortURLs(t *testing.T) {
	tests := []struct{ endpoint, url, want string }{
		{"http://localhost:8080", "http://localhost:8080/eventhandler", "/eventhandler"},
		{"http://localhost:8080/", "HTTP://LOCALHOST:8080/eventhandler", "/eventhandler"},
		{"http://localhost:8080", "http://localhost:3000/eventhandler", "http://localhost:3000/eventhandler"},
		{"http://localhost:8080", "https://localhost:8080/eventhandler", "https://localhost:8080/eventhandler"},
		{"http://localhost", "http://localhost:80/a", "/a"},
		{"https://localhost:443", "https://localhost/a", "/a"},
		{"", "http://localhost:8080/a", "http://localhost:8080/a"},
		{"", "/api/hubs/chat/:send?api-version=1", "/api/hubs/chat/:send"},
		{"http://localhost:8080", "/api/hubs/chat/users/a%2Fb/:send", "/api/hubs/chat/users/a%2Fb/:send"},
		{"http://localhost:8080", "https://me:secret@functions.test/api?code=secret", "https://functions.test/api"},
		{"http://localhost:8080", "http://a b/%?code=secret", "http://a b/%"},
		{"http://localhost:8080", "", ""},
	}
	for _, tt := range tests {
		if got := newNamer(tt.endpoint).short(tt.url); got != tt.want {
			t.Errorf("%q at %q: got %q, want %q", tt.url, tt.endpoint, got, tt.want)
		}
	}
}

func TestStateChanged(t *testing.T) {
	tests := []struct {
		name string
		x    emulator.Exchange
		want bool
	}{
		{"none", withStates(ended(event(1, "")), "", ""), false},
		{"set", withStates(ended(event(1, "")), "", "a"), true},
		{"changed", withStates(ended(event(1, "")), "a", "b"), true},
		{"emptied", withStates(ended(event(1, "")), "a", ""), true},
		{"kept", withStates(ended(event(1, "")), "a", "a"), false},
		{"under way", withStates(event(1, ""), "a", ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newNamer("").summary(row{x: keep(tt.x)}).StateChanged; got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func withStates(x emulator.Exchange, before, after string) emulator.Exchange {
	x.StateBefore, x.StateAfter = before, after
	return x
}

func TestRecipients(t *testing.T) {
	tests := []struct {
		name        string
		method, url string
		status      int
		recipients  int
		want        string
	}{
		{"reached some", "POST", "/api/hubs/chat/:send?x=/:generateToken", 202, 3, "3"},
		{"reached nobody", "POST", "/api/hubs/chat/groups/g/:send", 202, 0, "0"},
		{"joined nobody", "PUT", "/api/hubs/chat/users/u/groups/g", 200, 0, "0"},
		{"failed", "POST", "/api/hubs/chat/:send", 400, 0, "null"},
		{"has none", "POST", "/api/hubs/chat/:generateToken", 200, 0, "null"},
		{"has none, encoded", "POST", "/api/hubs/chat/%3AgenerateToken", 200, 0, "null"},
		{"asked", "HEAD", "/api/hubs/chat/users/u", 200, 0, "null"},
		{"asked, and found one", "HEAD", "/api/hubs/chat/users/u", 200, 1, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := ended(apiCall(1, ""))
			x.Method, x.URL, x.Status, x.Recipients = tt.method, tt.url, tt.status, tt.recipients
			if got := asJSON(newNamer("").summary(row{x: keep(x)}).Recipients); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	got := headers(http.Header{
		"X-Webpubsub-Metadata-K": {"v"}, "Webhook-Request-Origin": {"localhost"}, "User-Agent": {""},
		"Content-Type": {"text/plain"}, "Cookie": {"a=1"}, "Set-Cookie": {"b=2", "a=1"},
		"Ce-Zzz": {"z"}, "Ce-Aaa": {"a"}, "Ce-Connectionstate": {""}, "Ce-Type": {"t"}, "Ce-Specversion": {"1.0"}, "Ce-Userid": {"u"},
		"Ce-Connectionid": {"c"}, "Ce-Eventname": {"e"}, "X-Ms-Client-Request-Id": {"r"},
	})
	want := [][2]string{
		{"ce-specversion", "1.0"},
		{"ce-type", "t"},
		{"ce-eventName", "e"},
		{"ce-connectionId", "c"},
		{"ce-userId", "u"},
		{"ce-connectionState", ""},
		{"ce-aaa", "a"},
		{"ce-zzz", "z"},
		{"Content-Type", "text/plain"},
		{"cookie", "a=1"},
		{"set-cookie", "b=2"},
		{"set-cookie", "a=1"},
		{"WebHook-Request-Origin", "localhost"},
		{"x-ms-client-request-id", "r"},
		{"x-webpubsub-metadata-k", "v"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if got := asJSON(headers(nil)); got != "[]" {
		t.Errorf("without headers: got %s, want []", got)
	}
}

func TestDetail(t *testing.T) {
	n := newNamer("http://localhost:8080")
	message := changed(ended(event(7, "a")), func(x *emulator.Exchange) {
		x.StateBefore, x.StateAfter = "e30=", "opaque"
		x.Answer = []byte{0}
	})
	send := ended(apiCall(8, "a"))
	send.Body = []byte(`"hi"`)
	unsent := changed(event(7, "a"), func(x *emulator.Exchange) {
		x.Done, x.Method, x.URL, x.Header, x.Body, x.Err = true, "", "", nil, nil, errors.New("no handler")
	})
	tests := []struct {
		name string
		got  *detail
		want string // without summaries
	}{
		{
			"an event", n.detail(row{x: keep(message)}, []row{{x: keep(send)}}),
			`{"request":{"method":"POST","url":"http://localhost:3000/eventhandler","headers":[["ce-type","azure.webpubsub.user.message"],["ce-id","1"]],"body":{"size":5,"text":"hello"}},` +
				`"answer":{"status":200,"statusText":"OK","headers":[["Content-Type","text/plain"]],"body":{"size":1,"base64":"AA=="}},` +
				`"stateBefore":{"raw":"e30=","json":{}},"stateAfter":{"raw":"opaque"},"calls":[{"body":{"size":4,"text":"\"hi\"","json":true}}],"curl":"yes"}`,
		},
		{
			"under way", n.detail(row{x: keep(event(7, "a"))}, nil),
			`{"request":{"method":"POST","url":"http://localhost:3000/eventhandler","headers":[["ce-type","azure.webpubsub.user.message"],["ce-id","1"]],"body":{"size":5,"text":"hello"}},"curl":"yes"}`,
		},
		{
			"a call", n.detail(row{x: keep(send)}, nil),
			`{"request":{"method":"POST","url":"http://localhost:8080/api/hubs/chat/:send?api-version=2024-12-01","headers":[["Content-Type","text/plain"]],"body":{"size":4,"text":"\"hi\"","json":true}},` +
				`"answer":{"status":200,"statusText":"OK","headers":[["Content-Type","text/plain"]],"body":{"size":2,"text":"hi"}}}`,
		},
		{"an event that could not be sent", n.detail(row{x: keep(unsent)}, nil), `{"request":{"headers":[],"body":{"size":0}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got, want map[string]any
			_ = json.Unmarshal([]byte(asJSON(tt.got)), &got)
			_ = json.Unmarshal([]byte(tt.want), &want)
			if got["summary"] == nil {
				t.Error("there is no summary")
			}
			delete(got, "summary")
			if calls, ok := got["calls"].([]any); ok {
				delete(calls[0].(map[string]any), "summary")
			}
			if command, ok := got["curl"].(string); ok && strings.HasPrefix(command, "curl -i -X POST 'http://localhost:3000/eventhandler'") {
				got["curl"] = "yes"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
	}
}
