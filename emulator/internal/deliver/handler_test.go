package deliver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestCompileErrors(t *testing.T) {
	const url = "http://localhost:3000/eventhandler"
	for _, tt := range []struct {
		name    string
		handler deliver.Handler
		member  string
		reason  string // is part of it
	}{
		{"no URL", deliver.Handler{}, "URLTemplate", "is empty"},
		{"blank URL", deliver.Handler{URLTemplate: " "}, "URLTemplate", "is empty"},
		{"relative", deliver.Handler{URLTemplate: "/eventhandler"}, "URLTemplate", `is "/eventhandler", want an absolute http or https URL`},
		{"no scheme", deliver.Handler{URLTemplate: "localhost:3000/x"}, "URLTemplate", "want an absolute http or https URL"},
		{"one slash", deliver.Handler{URLTemplate: "http:/localhost"}, "URLTemplate", "want an absolute http or https URL"},
		{"other scheme", deliver.Handler{URLTemplate: "ws://localhost/x"}, "URLTemplate", "want an absolute http or https URL"},
		{"no host", deliver.Handler{URLTemplate: "http:///x"}, "URLTemplate", "names no host"},
		{"no host but a port", deliver.Handler{URLTemplate: "http://:3000/x"}, "URLTemplate", "names no host"},
		{"bad port", deliver.Handler{URLTemplate: "http://localhost:70000/x"}, "URLTemplate", "port 70000"},
		{"port 0", deliver.Handler{URLTemplate: "http://localhost:0/x"}, "URLTemplate", "port 0"},
		{"no number as port", deliver.Handler{URLTemplate: "http://localhost:http/x"}, "URLTemplate", "no valid URL"},
		{"tunnel", deliver.Handler{URLTemplate: "tunnel:///eventhandler"}, "URLTemplate", "is a tunnel URL"},
		{"key vault", deliver.Handler{URLTemplate: "https://a/x?code={@Microsoft.KeyVault(SecretUri=https://v)}"}, "URLTemplate", "Key Vault"},
		{"parameter in host", deliver.Handler{URLTemplate: "http://{hub}.example/x"}, "URLTemplate", "parameter in its host"},
		{"parameter in port", deliver.Handler{URLTemplate: "http://localhost:{event}"}, "URLTemplate", "parameter in its host"},
		{"unknown parameter", deliver.Handler{URLTemplate: "http://a/{category}"}, "URLTemplate", `parameter "{category}", want {hub} and {event}`},
		{"open brace", deliver.Handler{URLTemplate: "http://a/{hub}/{event"}, "URLTemplate", "brace without its other half"},
		{"close brace", deliver.Handler{URLTemplate: "http://a/event}"}, "URLTemplate", "brace without its other half"},
		{"half an escape", deliver.Handler{URLTemplate: "http://a/%4{hub}"}, "URLTemplate", "no valid URL"},
		{"quote", deliver.Handler{URLTemplate: `http://a/{hub}/"`}, "URLTemplate", `has '"' in it, which a URL cannot hold: write %22`},
		{"not ASCII", deliver.Handler{URLTemplate: "http://a/x?ü"}, "URLTemplate", "has 'ü' in it, which a URL cannot hold: write %C3%BC"},
		{"fragment", deliver.Handler{URLTemplate: "http://a/x#y"}, "URLTemplate", "fragment"},
		{"white space", deliver.Handler{URLTemplate: "http://a/x y"}, "URLTemplate", "white space"},
		{"managed identity", deliver.Handler{URLTemplate: url, AuthType: "managedidentity"}, "AuthType", "ManagedIdentity, which needs Azure"},
		{"other authentication", deliver.Handler{URLTemplate: url, AuthType: "Basic"}, "AuthType", `is "Basic", want None`},
		{"system event", deliver.Handler{URLTemplate: url, SystemEvents: []string{"connect", "message"}}, "SystemEvents", `has "message", want names of ["connect" "connected" "disconnected"]`},
		{"group event", deliver.Handler{URLTemplate: url, GroupEvents: []string{"connect"}}, "GroupEvents", `has "connect", want names of ["joined" "left"]`},
		{"user event wildcard", deliver.Handler{URLTemplate: url, UserEventPattern: "room.*"}, "UserEventPattern", "* for all user events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fine := deliver.Handler{URLTemplate: url, AuthType: "none", UserEventPattern: "*"}
			handlers, err := deliver.Compile([]deliver.Handler{fine, tt.handler})
			e := asError[*deliver.SettingError](t, err)
			if handlers != nil {
				t.Error("Compile returned handlers and an error")
			}
			if e.Index != 1 || e.Member != tt.member || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("got handler %d, %s %q; want handler 1, %s with %q", e.Index, e.Member, e.Reason, tt.member, tt.reason)
			}
			if got, want := err.Error(), "event handler 2: "+tt.member+" "; !strings.HasPrefix(got, want) {
				t.Errorf("error text is %q, want it to start with %q", got, want)
			}
		})
	}
}

func TestCompileReportsAll(t *testing.T) {
	_, err := deliver.Compile([]deliver.Handler{
		{URLTemplate: "x", SystemEvents: []string{"y"}},
		{URLTemplate: "tunnel:///"},
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("Compile: %v, want three errors in one", err)
	}
}

func TestCompileErrorsShowNoSecret(t *testing.T) {
	for _, template := range []string{
		"http://user:s3cret@localhost:99999/x", "//user:s3cret@localhost/x", "user:s3cret@localhost", "ftp://a/x?code=s3cret", "ftp://a/x?s3cret",
		"http://user:s3cret@[::1/x", "http://a/%zz?code=s3cret", "http:///x?code=s3cret#s3cret", "http://user:s3cret@/x",
	} {
		_, err := deliver.Compile([]deliver.Handler{{URLTemplate: template}})
		if err == nil {
			t.Errorf("Compile of %q succeeded, want an error", template)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Compile of %q: %q repeats the secret", template, err)
		}
	}
}

func TestTakes(t *testing.T) {
	handlers := compile(t,
		deliver.Handler{
			URLTemplate: "http://a", SystemEvents: []string{"Connect", " connected "}, UserEventPattern: "Vote,, room.Message,",
			GroupEvents: []string{"JOINED"},
		},
	)
	for _, tt := range []struct {
		handlers *deliver.Handlers
		kind     wire.Kind
		subject  string
		want     bool
	}{
		{handlers, wire.KindConnect, "", true},
		{handlers, wire.KindConnected, "", true},
		{handlers, wire.KindDisconnected, "", false},
		{handlers, wire.KindUser, "vote", true},
		{handlers, wire.KindUser, "ROOM.MESSAGE", true},
		{handlers, wire.KindUser, "message", false},
		{handlers, wire.KindUser, "", false},
		{handlers, wire.KindGroupJoined, "any", true},
		{handlers, wire.KindGroupLeft, "any", false},
		{handlers, wire.KindUnknown, "", false},
		{compile(t, deliver.Handler{URLTemplate: "http://a", UserEventPattern: " * "}), wire.KindUser, "whatever", true},
		{compile(t, deliver.Handler{URLTemplate: "http://a"}), wire.KindUser, "message", false},
		{compile(t), wire.KindConnect, "", false},
		{nil, wire.KindConnect, "", false},
	} {
		if got := tt.handlers.Takes(tt.kind, tt.subject); got != tt.want {
			t.Errorf("Takes(%v, %q) = %v, want %v", tt.kind, tt.subject, got, tt.want)
		}
	}
}

func TestFirstMatchWins(t *testing.T) {
	var first, second backend
	h1, h2 := everything(&first), everything(&second)
	h1.UserEventPattern = "vote"
	h1.SystemEvents = nil
	handlers := compile(t, h1, h2)
	s := newSender(t, deliver.Options{})
	c := newConnection()
	for _, name := range []string{"Vote", "message"} {
		if _, err := s.Send(t.Context(), handlers, c.NewEvent(wire.KindUser, name)); err != nil {
			t.Fatalf("Send of %q: %v", name, err)
		}
	}
	if got, want := len(first.got()), 1; got != want {
		t.Errorf("the first handler got %d events, want %d", got, want)
	}
	if got := first.got()[0].Header.Get("ce-eventName"); got != "Vote" {
		t.Errorf("event name %q, want the client's spelling %q", got, "Vote")
	}
	if got, want := len(second.got()), 1; got != want {
		t.Errorf("the second handler got %d events, want %d", got, want)
	}
}

func TestURLTemplate(t *testing.T) {
	for _, tt := range []struct{ template, hub, event, want, validate string }{
		{"", "chat", "vote", "/eventhandler", "/eventhandler"},
		{"http://a", "chat", "vote", "/", "/"},
		{"http://a:80/{hub}/{event}", "chat", "vote", "/chat/vote", "/chat/validate"},
		{"http://a/{Hub}/{EVENT}", "chat", "vote", "/chat/vote", "/chat/validate"},
		{"https://a/x/?h={hub}&e={event}&code=k", "chat", "Vote", "/x/?h=chat&e=Vote&code=k", "/x/?h=chat&e=validate&code=k"},
		{"http://a/{hub}{hub}", "a/b?c", "x", "/a%2Fb%3Fca%2Fb%3Fc", "/a%2Fb%3Fca%2Fb%3Fc"},
		{"http://a/?e={event}", "chat", "a&b=c+d #%", "/?e=a%26b%3Dc%2Bd%20%23%25", "/?e=validate"},
		{"http://a/{event}", "{event}", "{hub}", "/%7Bhub%7D", "/validate"},
	} {
		var b backend
		h := everything(&b)
		h.URLTemplate = tt.template
		c := &deliver.Connection{ID: "c", Hub: tt.hub}
		e := c.NewEvent(wire.KindUser, tt.event)
		_, err := newSender(t, deliver.Options{}).Send(t.Context(), compile(t, h), e)
		if err != nil {
			t.Errorf("Send to %q: %v", tt.template, err)
			continue
		}
		if got := b.got()[0].RequestURI; got != tt.want {
			t.Errorf("template %q: event sent to %q, want %q", tt.template, got, tt.want)
		}
		if got := b.handshakes[0].RequestURI; got != tt.validate {
			t.Errorf("template %q: handshake sent to %q, want %q", tt.template, got, tt.validate)
		}
	}
}

func TestNoHandler(t *testing.T) {
	s := newSender(t, deliver.Options{})
	h := everything(http.NotFoundHandler())
	h.URLTemplate = "http://user:pw@a:1/{hub}?code=s3cret"
	h.UserEventPattern = "vote,Poll"
	c := newConnection()
	_, err := s.Send(t.Context(), compile(t, h, deliver.Handler{URLTemplate: "http://b"}), message(c, "x"))
	e := asError[*deliver.NoHandlerError](t, err)
	want := `no event handler of hub "chat" takes user event "message": ` +
		`http://a:1/{hub}?code=… takes connect, connected, disconnected, joined, left, the user events "poll" and "vote"; http://b takes nothing`
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := e.Hint(), `add "message" to the user event pattern of a handler, or make the pattern *`; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	if got := s.reported(false); len(got) != 1 || got[0].Err != err || got[0].Attempts != 0 {
		t.Errorf("reports %+v, want one of the failed event", got)
	}

	_, err = s.Send(t.Context(), nil, c.NewEvent(wire.KindConnect, ""))
	if got, want := err.Error(), `hub "chat" has no event handler to take connect`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := len(s.reported(false)); got != 1 {
		t.Errorf("%d reports, want no further one: a connect that nobody takes is no fault", got)
	}
}

func TestGroupFilters(t *testing.T) {
	h := deliver.Handler{URLTemplate: "http://a", GroupEvents: []string{"joined"}, GroupFilters: []string{"room.*", "lobby"}}
	handlers := compile(t, h)
	for group, want := range map[string]bool{"room.1": true, "room.1.2": false, "lobby": true, "Lobby": false, "": false} {
		if got := handlers.Takes(wire.KindGroupJoined, group); got != want {
			t.Errorf("Takes(joined, %q) = %v, want %v", group, got, want)
		}
	}
	h.GroupFilters = []string{"lobby", strings.Repeat("*", 100)}
	_, err := deliver.Compile([]deliver.Handler{h})
	if e := asError[*deliver.SettingError](t, err); e.Member != "GroupFilters" {
		t.Errorf("got %v, want a fault of GroupFilters", e)
	}
}
