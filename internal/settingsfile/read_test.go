package settingsfile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/settingsfile"
)

const (
	fileName  = "appsettings.json"
	secretKey = "S3cret-S3cret-S3cret-S3cret-S3cret"
)

// section wraps the members of WebPubSub, handler those of an event handler
// of the hub chat.
func section(members string) string { return `{"WebPubSub":{` + members + `}}` }

func handler(members string) string {
	return section(`"Hubs":{"chat":{"EventHandlers":[{"UrlTemplate":"http://a","SystemEvents":["connect"],` + members + `}]}}`)
}

func hub(members string) string { return section(`"Hubs":{"chat":{` + members + `}}`) }

func hubs(name string, h emulator.HubSettings) emulator.Settings {
	return emulator.Settings{Hubs: map[string]emulator.HubSettings{name: h}}
}

// handlers is a hub with handlers that take connect, at these URLs.
func handlers(urls ...string) (h emulator.HubSettings) {
	for _, url := range urls {
		h.EventHandlers = append(h.EventHandlers, emulator.EventHandler{URLTemplate: url, SystemEvents: []string{"connect"}})
	}
	return h
}

func TestRead(t *testing.T) {
	type file = settingsfile.File
	tests := []struct {
		name    string
		data    string
		environ []string
		want    file
	}{
		{"nothing in it", `{}`, nil, file{}},
		{"of Microsoft's emulator", `{
  "Urls": "http://localhost:8080",
  "Logging": { "LogLevel": { "Default": "Information", "Microsoft.AspNetCore": "Warning" } },
  "AllowedHosts": "*",
  "WebPubSub": {
    "AccessKey": "` + secretKey + `",
    "Hubs": {
      "chat": {
        "EventHandlers": [{
          "UrlTemplate": "http://localhost:7071/events/{hub}/{event}",
          "SystemEvents": ["connect", "connected", "disconnected"],
          "EventPattern": "*"
        }]
      }
    }
  }
}`, nil, file{
			AccessKey: secretKey,
			Listen:    []settingsfile.Listen{{Address: "localhost:8080"}},
			Settings: hubs("chat", emulator.HubSettings{EventHandlers: []emulator.EventHandler{{
				URLTemplate: "http://localhost:7071/events/{hub}/{event}", SystemEvents: []string{"connect", "connected", "disconnected"}, UserEventPattern: "*",
			}}}),
		}},
		{
			"our members",
			hub(`"AnonymousConnectPolicy":"Allow","WebSocketKeepAliveIntervalInSeconds":120,"CloseOnEventFailure":true,
			"EventHandlers":[{"UrlTemplate":"https://a","GroupPresenceEvents":{"EventNames":["joined","left"],"GroupFilters":["room.*","**"]},"Auth":{"Type":"None"}}]`),
			nil,
			file{Settings: hubs("chat", emulator.HubSettings{
				AllowAnonymous: true, KeepAlive: 2 * time.Minute, CloseOnEventFailure: true,
				EventHandlers: []emulator.EventHandler{{URLTemplate: "https://a", GroupEvents: []string{"joined", "left"}, GroupFilters: []string{"room.*", "**"}}},
			})},
		},
		{
			"text for numbers and truths, as .NET reads it",
			hub(`"AnonymousConnectPolicy":"deny","WebSocketKeepAliveIntervalInSeconds":"1","CloseOnEventFailure":"True"`), nil,
			file{Settings: hubs("chat", emulator.HubSettings{KeepAlive: time.Second, CloseOnEventFailure: true})},
		},
		{
			"names without case",
			`{"webpubsub":{"HUBS":{"Chat":{"eventHandlers":[{"urltemplate":"http://a","systemEvents":["Connect"]}]}}}}`, nil,
			file{Settings: hubs("Chat", emulator.HubSettings{EventHandlers: []emulator.EventHandler{{URLTemplate: "http://a", SystemEvents: []string{"Connect"}}}})},
		},
		{
			"comments and trailing commas",
			"\uFEFF// first\r\n{ /* a \" b */ \"WebPubSub\" /**/ : { \"Hubs\": { \"chat\": { \"EventHandlers\": [\n{\"UrlTemplate\": \"http://a/*no*/\", // comment\n\"SystemEvents\": [\"connect\" , ] , } ,\n],}, },},} // last",
			nil,
			file{Settings: hubs("chat", handlers("http://a/*no*/"))},
		},
		{
			"names with colons",
			`{"WebPubSub:AccessKey":"` + secretKey + `","WebPubSub:Hubs:chat":{"EventHandlers:0:UrlTemplate":"http://a","EventHandlers:0":{"SystemEvents:0":"connect"}}}`, nil,
			file{AccessKey: secretKey, Settings: hubs("chat", handlers("http://a"))},
		},
		{"escapes", hub(`"EventHandlers":[{"UrlTemplate":"http:\/\/a\u002fb","SystemEvents":["connect"]}]`), nil, file{Settings: hubs("chat", handlers("http://a/b"))}},
		{
			"null is nothing",
			`{"Urls":null,"WebPubSub":{"AccessKey":null,"AllowUnvalidatedEntraTokens":null,"Hubs":{"a":null,"b":{"EventHandlers":null,"EventListeners":null,
			"AnonymousConnectPolicy":null,"WebSocketKeepAliveIntervalInSeconds":null,"CloseOnEventFailure":null},"c":{"EventHandlers":[
			{"UrlTemplate":"http://a","SystemEvents":null,"EventPattern":"x","GroupPresenceEvents":null,"Auth":null}]}}}}`, nil,
			file{Settings: emulator.Settings{Hubs: map[string]emulator.HubSettings{
				"a": {}, "b": {}, "c": {EventHandlers: []emulator.EventHandler{{URLTemplate: "http://a", UserEventPattern: "x"}}},
			}}},
		},
		{"no section", `{"WebPubSub":null}`, nil, file{}},
		{"no hubs", section(`"Hubs":null`), nil, file{}},
		{
			"addresses",
			`{"Urls":" http://+:80 ;https://*; HTTP://[::1]:0/;http://0.0.0.0;https://host.test:8443;"}`, nil,
			file{Listen: []settingsfile.Listen{
				{Address: ":80"},
				{TLS: true, Address: ":443"},
				{Address: "[::1]:0"},
				{Address: "0.0.0.0:80"},
				{TLS: true, Address: "host.test:8443"},
			}},
		},
		{
			"environment alone", "",
			[]string{
				"HOME=/", "=C:=C:\\", "", "WebPubSubConnectionString=x", "WEBPUBSUB__ACCESSKEY=" + secretKey, "URLS=http://localhost:1", "ASPNETCORE_URLS=http://localhost:2",
				"WebPubSub__Hubs__chat__EventHandlers__0__UrlTemplate=http://a?x=1", "WebPubSub__Hubs__chat__EventHandlers__0__SystemEvents__0=connect",
			},
			file{AccessKey: secretKey, Listen: []settingsfile.Listen{{Address: "localhost:1"}}, Settings: hubs("chat", handlers("http://a?x=1"))},
		},
		{
			"environment over the file, value by value",
			`{"Urls":"http://localhost:3","WebPubSub":{"Hubs":{"chat":{"AnonymousConnectPolicy":"allow","EventHandlers":[
			{"UrlTemplate":"http://a","SystemEvents":["connect"]},{"UrlTemplate":"http://b","SystemEvents":["connected"]}]}}}}`,
			[]string{
				"ASPNETCORE_URLS=http://localhost:2", "webpubsub__hubs__CHAT__eventhandlers__1__systemevents__0=connect",
				"WebPubSub__Hubs__chat__EventHandlers__10__UrlTemplate=http://d", "WebPubSub__Hubs__chat__EventHandlers__10__SystemEvents__5=connect",
				"WebPubSub__Hubs__chat__EventHandlers__9__UrlTemplate=http://c", "WebPubSub__Hubs__chat__EventHandlers__9__SystemEvents__0=connect",
				"WebPubSub__Hubs__chat__AnonymousConnectPolicy=deny", "WebPubSub__Hubs__chat__CloseOnEventFailure=TRUE", "WebPubSub__Hubs__chat__WebSocketKeepAliveIntervalInSeconds=7",
			},
			file{Listen: []settingsfile.Listen{{Address: "localhost:2"}}, Settings: func() emulator.Settings {
				h := handlers("http://a", "http://b", "http://c", "http://d")
				h.CloseOnEventFailure, h.KeepAlive = true, 7*time.Second
				return hubs("chat", h)
			}()},
		},
		{
			"environment in the place of null", `{"WebPubSub":{"Hubs":null,"AccessKey":1}}`,
			[]string{"WebPubSub__Hubs__chat__CloseOnEventFailure=true", "WebPubSub__AccessKey=" + secretKey},
			file{AccessKey: secretKey, Settings: hubs("chat", emulator.HubSettings{CloseOnEventFailure: true})},
		},
		{"the last of equal variables", "", []string{"Urls=http://a:1", "Urls=http://a:2"}, file{Listen: []settingsfile.Listen{{Address: "a:2"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var data []byte
			if tt.data != "" {
				data = []byte(tt.data)
			}
			got, err := settingsfile.Read(fileName, data, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.Settings.Hubs == nil && len(got.Settings.Hubs) > 0 {
				t.Errorf("got hubs %v, want none", got.Settings.Hubs)
			}
			if diff := cmp.Diff(*got, tt.want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		name    string
		data    string
		environ []string
		want    string // at the start of the error
	}{
		{"empty", " ", nil, "appsettings.json:1:2: the file ends too early: an object in braces is expected"},
		{"only a comment", "// {}", nil, "appsettings.json:1:6: the file ends too early"},
		{"a list", "[]", nil, "appsettings.json:1:1: an object in braces is expected"},
		{"cut off", "{\n  \"WebPubSub\": {", nil, "appsettings.json:2:17: the file ends too early: a name in quotation marks is expected"},
		{"cut off in text", `{"a": "b`, nil, "appsettings.json:1:7: this text has no closing quotation mark"},
		{"cut off after a backslash", `{"a": "b\`, nil, "appsettings.json:1:7: this text has no closing quotation mark"},
		{"cut off after a name", `{"a"`, nil, "appsettings.json:1:5: the file ends too early: a colon is expected"},
		{"cut off after a colon", `{"a":`, nil, "appsettings.json:1:6: the file ends too early: a value is expected"},
		{"cut off in a comment", `{} /* x`, nil, "appsettings.json:1:4: this comment has no end"},
		{"no comma", "{\"ä\": 1\n\"b\": 2}", nil, "appsettings.json:2:1: a comma or '}' is expected"},
		{"no comma, in characters", `{"ä": "ö" "b"}`, nil, "appsettings.json:1:11: a comma or '}' is expected"},
		{"after a byte order mark", "\uFEFF{x}", nil, "appsettings.json:1:2: a name in quotation marks is expected"},
		{"no comma in a list", `{"a": [1 2]}`, nil, "appsettings.json:1:10: a comma or ']' is expected"},
		{"comma alone", `{,}`, nil, "appsettings.json:1:2: a name in quotation marks is expected"},
		{"two commas", `{"a":[1,,]}`, nil, "appsettings.json:1:9: a value is expected"},
		{"something after the end", `{} {}`, nil, "appsettings.json:1:4: nothing more is expected"},
		{"single quotes", `{'a': 1}`, nil, "appsettings.json:1:2: a name in quotation marks is expected"},
		{"a path of Windows", `{"a": "C:\Users"}`, nil, "appsettings.json:1:7: this text has a backslash before a wrong character"},
		{"two lines", "{\"a\": \"b\nc\"}", nil, "appsettings.json:1:7: this text has no closing quotation mark on its line"},
		{"literals", `{"a": True}`, nil, "appsettings.json:1:7: a value is expected"},
		{"numbers", `{"a": 01}`, nil, "appsettings.json:1:7: a value is expected"},
		{"no UTF-8", "{\"a\":\n\"\xff\"}", nil, "appsettings.json:2:2: this is no text in UTF-8"},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil, "appsettings.json:1:1: the file is in UTF-16, UTF-8 is expected"},
		{"too deep", `{"a":` + strings.Repeat("[", 100), nil, "appsettings.json:1:70: values nest more than 64 deep"},
		{"too deep by names", `{"` + strings.Repeat("a:", 100) + `":1}`, nil, "appsettings.json:1:205: values nest more than 64 deep"},
		{"too long", strings.Repeat(" ", settingsfile.MaxSize+1), nil, "appsettings.json:1:1048577: the file has more than 1048576 bytes"},
		{"a name twice", `{"WebPubSub":{},` + "\n" + `"webPubSub":{}}`, nil, `appsettings.json:2:1: the name "webPubSub" repeats an earlier one`},
		{"a place in a list twice", `{"a:0":1,"a":[2]}`, nil, "appsettings.json:1:15: this repeats an earlier value"},
		{"below a value", `{"a":1,"a:b":2}`, nil, `appsettings.json:1:8: "a:b" is a member of something that is a number already`},

		{"section", `{"WebPubSub":[]}`, nil, "appsettings.json:1:14: WebPubSub is a list, an object is expected"},
		{"hubs", section(`"Hubs":[]`), nil, "appsettings.json:1:22: WebPubSub:Hubs is a list, an object with hubs is expected"},
		{"a hub", section(`"Hubs":{"chat":true}`), nil, "appsettings.json:1:30: WebPubSub:Hubs:chat is true or false, an object is expected"},
		{"name of a hub", section(`"Hubs":{"my-hub":{}}`), nil, `appsettings.json:1:23: "my-hub" is no name of a hub: a letter`},
		{"no name of a hub", section(`"Hubs":{"_default":{}}`), nil, `appsettings.json:1:23: "_default" is no name of a hub`},
		{"handlers", hub(`"EventHandlers":{}`), nil, "appsettings.json:1:47: WebPubSub:Hubs:chat:EventHandlers is an object, a list is expected"},
		{"a handler", hub(`"EventHandlers":["http://a"]`), nil, "appsettings.json:1:48: WebPubSub:Hubs:chat:EventHandlers:0 is text, an object is expected"},
		{"null for a handler", hub(`"EventHandlers":[null]`), nil, "appsettings.json:1:48: WebPubSub:Hubs:chat:EventHandlers:0 is null, an object is expected"},
		{"no URL", hub(`"EventHandlers":[{"SystemEvents":["connect"]}]`), nil, "appsettings.json:1:48: WebPubSub:Hubs:chat:EventHandlers:0 has no UrlTemplate"},
		{"null for a URL", hub(`"EventHandlers":[{"UrlTemplate":null}]`), nil, "appsettings.json:1:48: WebPubSub:Hubs:chat:EventHandlers:0 has no UrlTemplate"},
		{"empty URL", hub(`"EventHandlers":[{"UrlTemplate":""}]`), nil, "appsettings.json:1:63: WebPubSub:Hubs:chat:EventHandlers:0:UrlTemplate is empty"},
		{"URL of the wrong type", hub(`"EventHandlers":[{"UrlTemplate":1}]`), nil, "appsettings.json:1:63: WebPubSub:Hubs:chat:EventHandlers:0:UrlTemplate is a number, text in quotation marks is expected"},
		{"relative URL", hub(`"EventHandlers":[{"UrlTemplate":"/x?code=S3cret"}]`), nil, "appsettings.json:1:63: WebPubSub:Hubs:chat:EventHandlers:0:UrlTemplate is "},
		{"parameter in the host", hub(`"EventHandlers":[{"UrlTemplate":"http://{hub}/x?code=S3cret"}]`), nil, "appsettings.json:1:63: WebPubSub:Hubs:chat:EventHandlers:0:UrlTemplate has a parameter in its host"},
		{"tunnel", hub(`"EventHandlers":[{"UrlTemplate":"tunnel:///x"}]`), nil, "appsettings.json:1:63: WebPubSub:Hubs:chat:EventHandlers:0:UrlTemplate is a tunnel URL"},
		{"pattern of the wrong type", handler(`"EventPattern":{}`), nil, "appsettings.json:1:116: WebPubSub:Hubs:chat:EventHandlers:0:EventPattern is an object, text in quotation marks is expected"},
		{"pattern", handler(`"EventPattern":"room.*"`), nil, `appsettings.json:1:116: WebPubSub:Hubs:chat:EventHandlers:0:EventPattern is "room.*", want * for all`},
		{"presence", handler(`"GroupPresenceEvents":[]`), nil, "appsettings.json:1:123: WebPubSub:Hubs:chat:EventHandlers:0:GroupPresenceEvents is a list, an object is expected"},
		{"presence events", handler(`"GroupPresenceEvents":{"EventNames":["joined","gone"]}`), nil, `appsettings.json:1:147: WebPubSub:Hubs:chat:EventHandlers:0:GroupPresenceEvents:EventNames:1 has "gone", want names of`},
		{"group filter", handler(`"GroupPresenceEvents":{"GroupFilters":[""]}`), nil, "appsettings.json:1:140: WebPubSub:Hubs:chat:EventHandlers:0:GroupPresenceEvents:GroupFilters:0 has"},
		{"identity", handler(`"Auth":{"Type":"ManagedIdentity","ManagedIdentity":{"Resource":"x"}}`), nil, `appsettings.json:1:116: WebPubSub:Hubs:chat:EventHandlers:0:Auth:Type is "ManagedIdentity", and not None`},
		{"text for a list", hub(`"EventHandlers":[{"UrlTemplate":"http://a","SystemEvents":"connect"}]`), nil, "appsettings.json:1:89: WebPubSub:Hubs:chat:EventHandlers:0:SystemEvents is text, a list is expected"},
		{"unknown event", hub(`"EventHandlers":[{"UrlTemplate":"http://a","SystemEvents":["conect"]}]`), nil, `appsettings.json:1:90: WebPubSub:Hubs:chat:EventHandlers:0:SystemEvents:0 has "conect", want names of`},
		{"null in a list", hub(`"EventHandlers":[{"UrlTemplate":"http://a","SystemEvents":[null]}]`), nil, "appsettings.json:1:90: WebPubSub:Hubs:chat:EventHandlers:0:SystemEvents:0 is null, text"},
		{"policy", hub(`"AnonymousConnectPolicy":"yes"`), nil, `appsettings.json:1:56: WebPubSub:Hubs:chat:AnonymousConnectPolicy is neither "allow" nor "deny"`},
		{"policy of the wrong type", hub(`"AnonymousConnectPolicy":true`), nil, "appsettings.json:1:56: WebPubSub:Hubs:chat:AnonymousConnectPolicy is true or false, text"},
		{"keep-alive 0", hub(`"WebSocketKeepAliveIntervalInSeconds":0`), nil, "appsettings.json:1:69: WebPubSub:Hubs:chat:WebSocketKeepAliveIntervalInSeconds is no whole number from 1 to 120"},
		{"keep-alive 121", hub(`"WebSocketKeepAliveIntervalInSeconds":121`), nil, "appsettings.json:1:69: "},
		{"keep-alive 1.5", hub(`"WebSocketKeepAliveIntervalInSeconds":1.5`), nil, "appsettings.json:1:69: "},
		{"keep-alive of the wrong type", hub(`"WebSocketKeepAliveIntervalInSeconds":[5]`), nil, "appsettings.json:1:69: "},
		{"truth", hub(`"CloseOnEventFailure":1`), nil, "appsettings.json:1:53: WebPubSub:Hubs:chat:CloseOnEventFailure is neither true nor false"},
		{"short key", section(`"AccessKey":"S3cret"`), nil, "appsettings.json:1:27: WebPubSub:AccessKey is too short: at least 32 bytes are expected"},
		{"key with a semicolon", section(`"AccessKey":"` + secretKey + `;"`), nil, "appsettings.json:1:27: WebPubSub:AccessKey has a semicolon"},
		{"key with white space", section(`"AccessKey":"` + secretKey + ` "`), nil, "appsettings.json:1:27: WebPubSub:AccessKey has white space"},
		{"key of the wrong type", section(`"AccessKey":{"S3cret":1}`), nil, "appsettings.json:1:27: WebPubSub:AccessKey is an object, text"},
		{"Entra tokens", section(`"AllowUnvalidatedEntraTokens":"S3cret"`), nil, "appsettings.json:1:45: WebPubSub:AllowUnvalidatedEntraTokens is neither true nor false"},
		{"address", `{"Urls":"http://localhost:8080;localhost:8081"}`, nil, "appsettings.json:1:9: Urls: address 2 is none to listen on"},
		{"address with a path", `{"Urls":"http://localhost:8080/x"}`, nil, "appsettings.json:1:9: Urls: address 1 is none"},
		{"address with a user", `{"Urls":"http://S3cret@localhost:8080"}`, nil, "appsettings.json:1:9: Urls: address 1 is none"},
		{"address with a bad port", `{"Urls":"http://localhost:65536"}`, nil, "appsettings.json:1:9: Urls: address 1 is none"},
		{"address without host", `{"Urls":"http://:8080"}`, nil, "appsettings.json:1:9: Urls: address 1 is none"},
		{"address of another scheme", `{"Urls":"ws://localhost:8080"}`, nil, "appsettings.json:1:9: Urls: address 1 is none"},
		{"addresses of the wrong type", `{"Urls":["http://localhost:8080"]}`, nil, "appsettings.json:1:9: Urls is a list, text"},

		{"variable", "", []string{"WebPubSub__AccessKey=S3cret"}, "environment variable WebPubSub__AccessKey: WebPubSub:AccessKey is too short"},
		{"variable over a good value", section(`"AccessKey":"` + secretKey + `"`), []string{"WebPubSub__AccessKey="}, "environment variable WebPubSub__AccessKey: WebPubSub:AccessKey is too short"},
		{"variable for a section", section(`"Hubs":{"chat":{}}`), []string{"WebPubSub__Hubs=chat"}, "environment variable WebPubSub__Hubs: WebPubSub:Hubs is text, an object"},
		{"variable for a list", "", []string{"WebPubSub__Hubs__chat__EventHandlers=http://a"}, "environment variable WebPubSub__Hubs__chat__EventHandlers: WebPubSub:Hubs:chat:EventHandlers is text, a list is expected"},
		{"variable without a URL", "", []string{"WebPubSub__Hubs__chat__EventHandlers__0__EventPattern=*"}, "environment variable WebPubSub__Hubs__chat__EventHandlers__0__EventPattern: WebPubSub:Hubs:chat:EventHandlers:0 has no UrlTemplate"},
		{"variable with a name for a place", hub(`"EventHandlers":[]`), []string{"WebPubSub__Hubs__chat__EventHandlers__first__UrlTemplate=http://a"}, `environment variable WebPubSub__Hubs__chat__EventHandlers__first__UrlTemplate: "first" is no place in the list WebPubSub:Hubs:chat:EventHandlers`},
		{"variable with another number", "", []string{"WebPubSub__Hubs__chat__EventHandlers__00__UrlTemplate=http://a"}, `environment variable WebPubSub__Hubs__chat__EventHandlers__00__UrlTemplate: "00" is no place`},
		{"variable below text", section(`"AccessKey":"` + secretKey + `"`), []string{"WebPubSub__AccessKey__x=1"}, "environment variable WebPubSub__AccessKey__x: WebPubSub:AccessKey is an object, text"},
		{"variable with an address", "", []string{"ASPNETCORE_URLS=x"}, "environment variable ASPNETCORE_URLS: Urls: address 1 is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var data []byte
			if tt.data != "" {
				data = []byte(tt.data)
			}
			got, err := settingsfile.Read(fileName, data, tt.environ)
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got error %q, want it to start with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "S3cret") {
				t.Errorf("the error repeats a secret: %q", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("got several errors for one fault: %q", err)
			}
		})
	}
}

func TestReadNoFile(t *testing.T) {
	if _, err := settingsfile.Read(fileName, nil, nil); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if _, err := settingsfile.Read(fileName, []byte{}, nil); err == nil {
		t.Error("an empty file is accepted")
	}
}

func TestSeveralErrors(t *testing.T) {
	_, err := settingsfile.Read(fileName, []byte("{\"Urls\": 1,\n\"WebPubSub\": {\"AccessKey\": 2}}"), nil)
	const want = "appsettings.json:1:10: Urls is a number, text in quotation marks is expected\n" +
		"appsettings.json:2:28: WebPubSub:AccessKey is a number, text in quotation marks is expected"
	if err == nil || err.Error() != want {
		t.Errorf("got error %q, want %q", err, want)
	}
	_, err = settingsfile.Read(fileName, []byte(hub(`"EventHandlers":[`+strings.Repeat("1,", 100)+`]`)), nil)
	if got := strings.Count(fmt.Sprint(err), "\n") + 1; got != settingsfile.MaxErrors {
		t.Errorf("got %d errors, want %d", got, settingsfile.MaxErrors)
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name    string
		data    string
		environ []string
		want    string // in the only warning; none if empty
	}{
		{"other sections", `{"Logging":{"x":1},"ConnectionStrings":{"WebPubSub":"x"},"Url":"x"}`, nil, ""},
		{"section misspelled", `{"WebPubSubs":{}}`, nil, `appsettings.json:1:2: "WebPubSubs" is not used: did you mean WebPubSub?`},
		{"hubs outside", `{"Hubs":{}}`, nil, `appsettings.json:1:2: "Hubs" is not used: they belong into WebPubSub`},
		{"misspelled", hub(`"EventHandlers":[{"UrlTemplate":"http://a","SystemEvent":["connect"],"EventPattern":"*"}]`), nil, `appsettings.json:1:74: "SystemEvent" is not known here and not used: did you mean SystemEvents?`},
		{"misspelled by two", hub(`"EventHandler":[],"EvntHandlesr":[]`), nil, "2 warnings"},
		{"name of the resource", handler(`"UserEventPattern":"*"`), nil, `"UserEventPattern" is not known here and not used: the file's name for it is EventPattern`},
		{"connection string", section(`"ConnectionString":"S3cret"`), nil, `"ConnectionString" is not known here and not used: the key is set by AccessKey, the address by Urls`},
		{"unlike anything", section(`"x":1`), nil, `"x" is not known here and not used`},
		{"Event Hubs", hub(`"EventListeners":[{"EventHubEndpoint":{"ConnectionString":"S3cret"}}]`), nil, "appsettings.json:1:31: WebPubSub:Hubs:chat:EventListeners are not supported"},
		{"no Event Hubs", hub(`"EventListeners":[]`), nil, ""},
		{"Entra tokens", section(`"AllowUnvalidatedEntraTokens":true`), nil, "appsettings.json:1:15: WebPubSub:AllowUnvalidatedEntraTokens is not supported"},
		{"no Entra tokens", section(`"AllowUnvalidatedEntraTokens":false`), nil, ""},
		{"no identity", handler(`"Auth":{}`), nil, ""},
		{"no events", hub(`"EventHandlers":[{"UrlTemplate":"http://a"}]`), nil, "appsettings.json:1:48: WebPubSub:Hubs:chat:EventHandlers:0 takes no events"},
		{"impossible event", handler(`"EventPattern":"ok, my event"`), nil, `"my event" in WebPubSub:Hubs:chat:EventHandlers:0:EventPattern is the name of no event`},
		{"variable", "", []string{"WebPubSub__Hubs__chat__EventHandler__0=x"}, `environment variable WebPubSub__Hubs__chat__EventHandler__0: "EventHandler" is not known here and not used: did you mean EventHandlers?`},
		{"variable twice", "", []string{"Urls=http://a", "URLS=http://b"}, `environment variable URLS: it wins over "Urls"`},
		{"many", section(manyMembers(1000)), nil, "20 warnings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var data []byte
			if tt.data != "" {
				data = []byte(tt.data)
			}
			f, err := settingsfile.Read(fileName, data, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(f.Warnings, "\n")
			if len(f.Warnings) > 1 {
				got = fmt.Sprint(len(f.Warnings), " warnings")
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q, want %q\n%q", got, tt.want, f.Warnings)
			}
			if strings.Contains(strings.Join(f.Warnings, "\n"), "S3cret") {
				t.Errorf("a warning repeats a secret: %q", f.Warnings)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"Unknown%d":1,`, i)
	}
	return b.String()
}
