package sdkinterop

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub"
)

// The one difference between the requests: our tokens live for five minutes and
// theirs for an hour. A token that went astray, in the log of a proxy for
// instance, is of use to nobody for long; the .NET SDK has five minutes too.
const (
	ourTokenSeconds   = 300
	theirTokenSeconds = 3600
)

// newClient returns our client of the recorder.
func (r *recorder) newClient(t *testing.T) *webpubsub.Client {
	t.Helper()
	client, err := webpubsub.NewClient(r.connectionString(), "chat", &webpubsub.ClientOptions{MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestSameRequests performs all operations with both SDKs.
func TestSameRequests(t *testing.T) {
	service := startRecorder(t)
	js := startJS(t, service.connectionString(), "chat")
	client := service.newClient(t)
	for _, tt := range comparisons {
		t.Run(tt.name, func(t *testing.T) {
			result, err := tt.ours(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			ours, lives := service.take()
			checkLives(t, "our", lives, ourTokenSeconds)

			theirs := js.perform(t, tt.js[0].(string), tt.js[1:]...)
			if theirs.Error != nil {
				t.Fatalf("JavaScript: %+v", *theirs.Error)
			}
			got, lives := service.take()
			checkLives(t, "their", lives, theirTokenSeconds)
			checkResult(t, result, theirs.Result)
			if len(ours) == 0 || !slices.Equal(got, ours) {
				t.Errorf("JavaScript sent\n     %+v\nours %+v", got, ours)
			}
		})
	}
}

func checkLives(t *testing.T, whose string, lives []float64, want float64) {
	t.Helper()
	for _, got := range lives {
		if got != want {
			t.Errorf("%s token lives for %v s, want %v s", whose, got, want)
		}
	}
}

func checkResult(t *testing.T, ours any, theirs json.RawMessage) {
	t.Helper()
	if ours == nil {
		ours = object{} // what the SDK makes of an empty body
		if theirs == nil {
			return
		}
	}
	want, err := json.Marshal(ours)
	if err != nil {
		t.Fatal(err)
	}
	if string(theirs) != string(want) {
		t.Errorf("JavaScript returned %s, ours %s", theirs, want)
	}
}

// The table has all operations of the REST API, and our client has no more.
func TestTableIsComplete(t *testing.T) {
	const operations = 25
	compared := map[string]bool{}
	for _, tt := range comparisons {
		compared[tt.js[0].(string)] = true
	}
	if len(compared) != operations {
		t.Errorf("got %d operations compared, want %d", len(compared), operations)
	}
	for method := range reflect.TypeFor[*webpubsub.Client]().Methods() {
		takesContext := method.Type.NumIn() > 1 && method.Type.In(1) == reflect.TypeFor[context.Context]()
		name := strings.ToLower(method.Name[:1]) + method.Name[1:]
		if takesContext && name != "clientAccessURL" && !compared[name] {
			t.Errorf("%s is not compared", method.Name)
		}
	}
}

// TestSameRefusals has the service refuse.
func TestSameRefusals(t *testing.T) {
	service := startRecorder(t)
	js := startJS(t, service.connectionString(), "chat")
	client := service.newClient(t)
	for _, code := range []int{400, 401, 404, 409, 413, 500} {
		service.mu.Lock()
		service.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.Header().Set("x-ms-error-code", "Some.Code")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"code":"Some.Code","message":"Some text.","target":"Connection","details":null,"innererror":null}`))
		}
		service.mu.Unlock()

		err := client.GrantPermission(t.Context(), "c1", webpubsub.PermissionSendToGroup, "lobby")
		ours, ok := errors.AsType[*webpubsub.Error](err)
		if !ok {
			t.Fatalf("%d: got error %v", code, err)
		}
		theirs := js.perform(t, "grantPermission", "c1", "sendToGroup", "lobby").Error
		if theirs == nil {
			t.Fatalf("%d: JavaScript has no error", code)
		}
		if theirs.StatusCode != ours.StatusCode || theirs.Code != ours.Code || ours.StatusCode != code || ours.Code != "Some.Code" {
			t.Errorf("%d: JavaScript has %+v, ours is %+v", code, *theirs, *ours)
		}

		yes, err := client.ConnectionExists(t.Context(), "c1")
		if code == http.StatusNotFound {
			if yes || err != nil {
				t.Errorf("ours says %v, %v to 404, want no", yes, err)
			}
			if got := js.perform(t, "connectionExists", "c1"); string(got.Result) != "false" {
				t.Errorf("JavaScript says %s to 404, want no", got.Result)
			}
			continue
		}
		if err == nil || js.perform(t, "connectionExists", "c1").Error == nil {
			t.Errorf("%d is no answer to whether something exists", code)
		}
	}
}

// TestDotNames documents the one name that the other SDK gets wrong: in its
// URL the group ".." is a step upwards, and the message goes to the whole hub.
// We refuse the name, since no way to escape it survives all readers of URLs.
func TestDotNames(t *testing.T) {
	service := startRecorder(t)
	js := startJS(t, service.connectionString(), "chat")
	js.perform(t, "sendToGroup", "..", "secret")
	got, _ := service.take()
	if len(got) != 1 || got[0].Line != "POST /api/hubs/chat/:send" {
		t.Errorf("JavaScript sends %+v, want a message to all", got)
	}
	err := service.newClient(t).SendToGroup(t.Context(), "..", jsonMessage("secret"), nil)
	if got, _ := service.take(); err == nil || len(got) != 0 {
		t.Errorf("ours sends %+v and returns %v, want an error", got, err)
	}
}

// TestSameClientAccess compares the tokens and URLs for clients.
func TestSameClientAccess(t *testing.T) {
	service := startRecorder(t)
	js := startJS(t, service.connectionString(), "chat")
	client := service.newClient(t)
	for _, tt := range []struct {
		name string
		js   object
		ours *webpubsub.ClientAccessOptions
	}{
		{"anonymous", object{}, nil},
		{
			"all of it",
			object{
				"userId": "Zoë <&>", "roles": []string{"webpubsub.sendToGroup.lobby", "webpubsub.joinLeaveGroup"},
				"groups": []string{"lobby", "a/b"}, "expirationTimeInMinutes": 5,
			},
			&webpubsub.ClientAccessOptions{
				UserID: "Zoë <&>", Roles: []string{webpubsub.RoleSendToGroup("lobby"), webpubsub.RoleJoinLeaveAnyGroup},
				Groups: []string{"lobby", "a/b"}, Lifetime: 5 * time.Minute,
			},
		},
		{"one role", object{"roles": []string{"r"}}, &webpubsub.ClientAccessOptions{Roles: []string{"r"}}},
		{"MQTT", object{"clientProtocol": "mqtt"}, &webpubsub.ClientAccessOptions{Protocol: webpubsub.ClientProtocolMQTT}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, err := client.ClientAccessURL(t.Context(), tt.ours)
			if err != nil {
				t.Fatal(err)
			}
			var theirs webpubsub.ClientAccess
			if err := json.Unmarshal(js.perform(t, "clientAccess", tt.js).Result, &theirs); err != nil {
				t.Fatal(err)
			}
			if ours.BaseURL != theirs.BaseURL || !strings.HasPrefix(ours.URL, ours.BaseURL+"?access_token=") ||
				strings.TrimPrefix(ours.URL, ours.BaseURL+"?access_token=") != ours.Token {
				t.Errorf("JavaScript has base URL %q, ours is %q", theirs.BaseURL, ours.BaseURL)
			}
			if got, want := claimsOf(t, theirs.Token), claimsOf(t, ours.Token); got != want {
				t.Errorf("JavaScript has claims\n     %s\nours %s", got, want)
			}
		})
	}
	if got, _ := service.take(); len(got) != 0 {
		t.Errorf("got requests %+v", got)
	}
}

// claimsOf returns the claims of a token as JSON, with the times replaced by
// the time between them.
func claimsOf(t *testing.T, token string) string {
	t.Helper()
	claims := tokenClaims(token)
	if claims == nil {
		t.Fatalf("%q is no token", token)
	}
	claims["life"] = lifetime(claims)
	delete(claims, "iat")
	delete(claims, "exp")
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSameFilters compares the two ways to put values into a filter.
func TestSameFilters(t *testing.T) {
	js := startJS(t, "Endpoint=http://localhost;AccessKey="+accessKey, "chat")
	for _, tt := range []struct {
		template string
		values   []any
	}{
		{"userId eq ?", []any{"vic's"}},
		{"userId eq ? or length(userId) gt ?", []any{nil, 3}},
		{"? in groups and not(? in groups)", []any{"a'b''c", ""}},
		{"userId eq ? and true eq ?", []any{"' or true or '", false}},
	} {
		pieces := strings.Split(tt.template, "?")
		var theirs string
		if err := json.Unmarshal(js.perform(t, "filter", append([]any{pieces}, tt.values...)...).Result, &theirs); err != nil {
			t.Fatal(err)
		}
		if ours := webpubsub.Filter(tt.template, tt.values...); ours != theirs {
			t.Errorf("JavaScript has %q, ours is %q", theirs, ours)
		}
	}
}
