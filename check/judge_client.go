package check

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// connectWith sends connect with a body that was changed.
func (s *session) connectWith(change func(body map[string]any)) *answer {
	ev := s.connectEvent(s.newTalk())
	sent, _ := io.ReadAll(upstreamtest.NewRequest(ev).Body) // in memory
	var body map[string]any
	_ = json.Unmarshal(sent, &body) // was just made
	change(body)
	ev.Data.Bytes, _ = wire.Marshal(body)
	return s.send(ev)
}

// idle are the members of connect that say nothing of the client.
func (s *session) idle() []string {
	idle := []string{"headers", "clientCertificates"}
	if s.opts.UserID == "" {
		idle = append(idle, "claims")
	}
	if len(s.opts.Query) == 0 {
		idle = append(idle, "query")
	}
	if len(s.opts.Subprotocols) == 0 {
		idle = append(idle, "subprotocols")
	}
	return idle
}

// withoutIdle are clients of whom the service says no more than it has to: all
// that these members would say is nothing.
func (s *session) withoutIdle(names []string) []variant {
	change := func(one func(body map[string]any, name string)) func() *answer {
		return func() *answer {
			return s.connectWith(func(body map[string]any) {
				for _, name := range names {
					one(body, name)
				}
			})
		}
	}
	list := strings.Join(names, ", ")
	return []variant{
		{"a client without " + list, change(func(body map[string]any, name string) { delete(body, name) })},
		{"a client with null for " + list, change(func(body map[string]any, name string) { body[name] = nil })},
	}
}

// judgeMissingMembers looks for the one member that it is about when the
// handler fails, unless it hangs: that costs too much time.
func judgeMissingMembers(s *session) finding {
	idle := s.idle()
	for i, v := range s.withoutIdle(idle) {
		a := v.connect()
		f := wantConnectAnswer(a, v.client)
		switch {
		case f.verdict == Holds:
			continue
		case a.hung:
			return f
		}
		for _, name := range idle {
			one := s.withoutIdle([]string{name})[i]
			if g := wantConnectAnswer(one.connect(), one.client); g.verdict != Holds {
				return g
			}
		}
		return f
	}
	return holds()
}

func judgeOptionalMembers(s *session) finding {
	for _, v := range s.withoutIdle(s.idle()) {
		a := v.connect()
		if a.broken() {
			return open(fmt.Sprintf("%s got %v", v.client, a))
		}
		if f := s.wantAdmitted(a, v.client); f.verdict != Holds {
			return f
		}
	}
	return holds()
}

func judgeUnknownMembers(s *session) finding {
	const client = "a client with members that nobody knows"
	return s.wantAdmitted(s.connectWith(func(body map[string]any) {
		body["memberOfTomorrow"] = map[string]any{"list": []any{1, nil, "text"}}
		body["textOfTomorrow"] = "text"
	}), client)
}

func (s *session) connectWithMuch() *answer {
	ev := s.connectEvent(s.newTalk())
	c := ev.Connect
	maps.Copy(c.Claims, map[string][]string{
		"https://claims.example/2026/team": {"red", "blue, green"},
		"role":                             {"webpubsub.sendToGroup", "webpubsub.joinLeaveGroup"},
		"exp":                              {"1788252000"},
		"nickname":                         {"Zoë \"Z\" 😀"},
	})
	query := url.Values{"tag": {"a", "b=c&d", ""}, "flag": {""}, "naïve": {"100 %"}}
	maps.Copy(query, s.opts.Query)
	c.Query = query
	maps.Copy(c.Headers, http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64)"},
		"Accept-Language": {"de", "en;q=0.8"},
		"Cookie":          {"note=" + strings.Repeat("0123456789", 300) + "; theme=dark"},
		"x-forwarded-for": {"192.0.2.1", "192.0.2.2"},
	})
	return s.send(ev)
}

func (s *session) withCertificate(client string, c upstream.ClientCertificate) variant {
	return variant{client, func() *answer {
		ev := s.connectEvent(s.newTalk())
		ev.Connect.ClientCertificates = []upstream.ClientCertificate{c}
		return s.send(ev)
	}}
}

// thumbprint and certificate are of a certificate that signs itself and was
// good for one day.
const (
	thumbprint  = "3afa38c658f7c1924af3f78a6b6207adf14bd3d1"
	certificate = "-----BEGIN CERTIFICATE-----\r\n" +
		"MIIBDjCBtaADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMTBm5vYm9keTAe\r\n" +
		"Fw0yMDAxMDEwMDAwMDBaFw0yMDAxMDIwMDAwMDBaMBExDzANBgNVBAMTBm5vYm9k\r\n" +
		"eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABH2X3w0JemciVSzRaIgVx3pFSrxa\r\n" +
		"/FWaAz/kgGJ/Vu0ZtGoi+URNRJhWl1JfvFqYIT3y2DeANfTsyh1oz18vOk4wCgYI\r\n" +
		"KoZIzj0EAwIDSAAwRQIgUX0gybDcbSc8/U/WaJkejR4dNzzZ0CdHy+6st4ebs9QC\r\n" +
		"IQDLu/LthMmzjI7qk1utC7qF7LYCg/ZCMkA4HgjWaXOGoQ==\r\n" +
		"-----END CERTIFICATE-----\r\n"
)

// The users that connect: one like any other, one with what is special in
// other places, and one with letters of one, two and three bytes.
const (
	plainUser = "check-user"
	oddUser   = `o'neil, "x"/y %2F+&=<b>;\`
	utf8User  = "jörg-用户"
)

// userVariant is the client that the options describe with another user.
func (s *session) userVariant(client, user string) variant {
	return variant{client, func() *answer { return s.connectAs(user) }}
}

func judgeUsers(s *session) finding {
	variants := []variant{
		s.userVariant("the user "+oddUser, oddUser),
		s.userVariant("a user whose ID has 500 letters", strings.Repeat("check", 100)),
	}
	if s.opts.UserID != "" {
		variants = append(variants, s.userVariant("a client without user", ""))
	}
	return wantAnswers(variants...)
}

// judgeUTF8User takes no refusal for a fault: whom it lets in is the handler's
// choice.
func judgeUTF8User(s *session) finding {
	const client = "the user " + utf8User
	a := s.connectAs(utf8User)
	switch {
	case a.accepted():
		return holds()
	case a.broken() && s.connectAs(plainUser).broken():
		return open("any other user is answered as badly")
	case a.broken():
		return wantConnectAnswer(a, client)
	}
	return open(fmt.Sprintf("%s got %v: the handler may allow some users only, or names in ASCII only", client, a))
}

func judgeUserKept(s *session) finding {
	plain := s.connectAs(plainUser)
	if id, _ := textMember(plain, "userId"); !plain.accepted() || id != plainUser {
		return open("the handler does not answer with the user of the event")
	}
	for _, user := range []string{utf8User, oddUser} {
		a := s.connectAs(user)
		id, ok := textMember(a, "userId")
		if !a.accepted() || !ok || id == user {
			continue
		}
		f := fails(fmt.Sprintf("the user %s became %.100q", user, id))
		if id == asLatin1(user) {
			f = f.mend("Take the bytes of ce-userId for UTF-8: where headers are given as ISO 8859-1 text, encode it so, and decode the bytes as UTF-8.")
		}
		return f
	}
	return holds()
}

// asLatin1 returns what becomes of UTF-8 that is read as ISO 8859-1.
func asLatin1(text string) string {
	var read []rune
	for _, b := range []byte(text) {
		read = append(read, rune(b))
	}
	return string(read)
}

// judgeAgain repeats a connect as it was. Where a ticket is good for one
// connection, that is the first one of all.
func judgeAgain(s *session) finding {
	ev := s.connectEvent(s.newTalk())
	if !s.send(ev).accepted() {
		first := s.newTalk()
		first.id = s.found.talk.id
		ev = s.connectEvent(first)
	}
	if a := s.send(ev); !a.accepted() {
		return fails(fmt.Sprintf("the connect of %s got %v when it came once more, want 2xx as before", ev.ConnectionID, a))
	}
	return holds()
}
