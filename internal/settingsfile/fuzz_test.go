package settingsfile_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gowebpubsub/webpubsub/internal/settingsfile"
)

// render writes a file that says the same.
func render(t *testing.T, f *settingsfile.File) []byte {
	t.Helper()
	allHubs := make(map[string]any)
	for name, h := range f.Settings.Hubs {
		var list []any
		for _, e := range h.EventHandlers {
			list = append(list, map[string]any{
				"UrlTemplate": e.URLTemplate, "SystemEvents": e.SystemEvents, "EventPattern": e.UserEventPattern,
				"GroupPresenceEvents": map[string]any{"EventNames": e.GroupEvents, "GroupFilters": e.GroupFilters},
			})
		}
		members := map[string]any{"EventHandlers": list, "CloseOnEventFailure": h.CloseOnEventFailure, "AnonymousConnectPolicy": "deny"}
		if h.AllowAnonymous {
			members["AnonymousConnectPolicy"] = "allow"
		}
		if h.KeepAlive != 0 {
			members["WebSocketKeepAliveIntervalInSeconds"] = int(h.KeepAlive.Seconds())
		}
		allHubs[name] = members
	}
	webPubSub := map[string]any{"Hubs": allHubs}
	if f.AccessKey != "" {
		webPubSub["AccessKey"] = f.AccessKey
	}
	var urls []string
	for _, l := range f.Listen {
		u := url.URL{Scheme: "http", Host: l.Address}
		if l.TLS {
			u.Scheme = "https"
		}
		if strings.HasPrefix(l.Address, ":") {
			u.Host = "+" + l.Address
		}
		urls = append(urls, u.String())
	}
	data, err := json.Marshal(map[string]any{"Urls": strings.Join(urls, ";"), "WebPubSub": webPubSub})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// checkErrors asserts that each error has a place that exists.
func checkErrors(t *testing.T, err error, data []byte) {
	t.Helper()
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	if len(list) == 0 || len(list) > settingsfile.MaxErrors {
		t.Errorf("got %d errors", len(list))
	}
	for _, err := range list {
		e, ok := err.(*settingsfile.Error)
		if !ok {
			t.Fatalf("got error %v, want a *settingsfile.Error", err)
		}
		if variable, ok := strings.CutPrefix(e.Name, "environment variable "); ok && e.Line == 0 && e.Column == 0 && variable != "" {
			continue
		}
		lines := bytes.Split(data, []byte("\n"))
		if e.Name != fileName || e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(bytes.Runes(lines[e.Line-1]))+1 {
			t.Errorf("the error %q has no place", e)
		}
		if e.Reason == "" {
			t.Error("an error has no reason")
		}
	}
}

// FuzzRead checks the reader against encoding/json, and that what it accepts is
// read again as the same.
func FuzzRead(f *testing.F) {
	for _, data := range []string{
		`{}`, ``, `{"Urls":"http://+:80;https://[::1]"}`, `{"WebPubSub:AccessKey":"` + secretKey + `",}`,
		handler(`"EventPattern":"a, b"`), handler(`"GroupPresenceEvents":{"EventNames":["left"],"GroupFilters":["a*"]}`),
		hub(`"AnonymousConnectPolicy":"allow","WebSocketKeepAliveIntervalInSeconds":20,"CloseOnEventFailure":true`),
		"\uFEFF{// x\n\"WebPubSub\":/* y */{\"Hubs\":{\"a\":null,},},}", hub(`"EventHandlers":[null, 1, {"UrlTemplate":"x"}]`),
		`{"a":[1,,2]}`, `{"a":"\ud800\q"}`, `{"a":{"b":1},"A:B":2}`, `{"a":01}`, "{\"a\":\"\xff\"}", `{"a":1}/`, `[]`,
	} {
		for _, environ := range []string{
			"", "Urls=http://localhost", "WebPubSub__Hubs__a__EventHandlers__0__UrlTemplate=http://a\nWebPubSub__Hubs__a__EventHandlers__0__EventPattern=*",
			"WebPubSub__Hubs__chat__EventHandlers=x", "webpubsub__=\nWEBPUBSUB____x=1",
		} {
			f.Add([]byte(data), environ)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, environ string) {
		got, err := settingsfile.Read(fileName, data, strings.Split(environ, "\n"))
		if err != nil {
			checkErrors(t, err, data)
			checkSyntaxError(t, err, data)
			return
		}
		if len(data) > 0 && !json.Valid(data) && !bytes.ContainsAny(data, "/,\uFEFF") {
			t.Error("what is no JSON is accepted, without a comment or a trailing comma")
		}
		if err := got.Settings.Validate(); err != nil {
			t.Errorf("the service refuses the settings: %v", err)
		}
		again, err := settingsfile.Read(fileName, render(t, got), nil)
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		got.Warnings, again.Warnings = nil, nil
		if diff := cmp.Diff(got, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read again - first +:\n%s", diff)
		}
	})
}

// checkSyntaxError asserts that JSON is refused for known reasons only.
func checkSyntaxError(t *testing.T, err error, data []byte) {
	t.Helper()
	e, ok := err.(*settingsfile.Error)
	if !ok || !json.Valid(data) {
		return
	}
	for _, reason := range []string{"repeats", "nest more", "is a member of something", "UTF-8", "more than", "an object in braces"} {
		if strings.Contains(e.Reason, reason) {
			return
		}
	}
	t.Errorf("JSON is refused: %q", err)
}
