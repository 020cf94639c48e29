package check

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// with sets a header.
func with(name, value string) upstreamtest.Fault {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// lowerNames spells all header names as HTTP/2 does.
func lowerNames(r *http.Request) {
	lower := make(http.Header, len(r.Header))
	for name, values := range r.Header {
		lower[strings.ToLower(name)] = values
	}
	r.Header = lower
}

func judgeContentType(s *session) finding {
	if needAdmission(&s.found) == "" {
		connect := sample{"connect", func() upstreamtest.Event { return s.connectEvent(s.newTalk()) }}
		if bad := s.wantContentTypes(connect); bad.verdict != Holds {
			return bad
		}
	}
	switch name := s.servedLifecycle("disconnected", "connected"); {
	case name != "":
		return s.wantContentTypes(sample{name, func() upstreamtest.Event {
			t, _ := s.enter()
			return s.lifecycleEvent(t, name)
		}})
	case s.found.connect == nil:
		return open("the handler serves no system event")
	}
	return holds()
}

// wantContentTypes wants an event to be accepted under both content types that
// the service may give it.
func (s *session) wantContentTypes(p sample) finding {
	for _, contentType := range []string{wire.MediaJSON, wire.ContentTypeJSON} {
		bad := s.wantTakenOf(p, "content type "+contentType, with(wire.HeaderContentType, contentType))
		if bad.verdict != Holds {
			return bad
		}
	}
	return holds()
}

// judgeUserID compares with another user that the handler does not know: it may
// refuse such a user, or find no record of one.
func judgeUserID(s *session) finding {
	const user, other = "Zoë/用户, a%20b", "somebody-else"
	name := s.found.userEvent()
	t, why := s.enterAs(user)
	if why != "" {
		return open(why)
	}
	a := s.send(s.userEvent(t, name))
	if a.accepted() {
		return holds()
	}
	t, why = s.enterAs(other)
	if why != "" {
		return open(why)
	}
	if plain := s.send(s.userEvent(t, name)); !plain.accepted() {
		return open(fmt.Sprintf("the handler answers %s of a user that it does not know with %v", name, plain))
	}
	return fails(fmt.Sprintf("%s got %v of the user %q, want 2xx as of %q", name, a, user, other))
}

// enterAs begins a connection of another user, and says why there is none.
func (s *session) enterAs(user string) (t *talk, why string) {
	t = s.newTalk()
	t.user = user
	if !s.opts.serves("connect") {
		t.events = 1 // 0 is connect's
		return t, ""
	}
	ev := s.connectEvent(t)
	ev.Connect.Query = renamed(ev.Connect.Query, s.found.talk.user, user)
	a := s.send(ev)
	if !a.accepted() {
		return nil, fmt.Sprintf("the handler answers connect of the user %q with %v", user, a)
	}
	s.admit(t, a)
	if t.user != user {
		return nil, fmt.Sprintf("the handler gives the user %q a name of its own", user)
	}
	return t, ""
}

// renamed returns a query that names another user, where the query is what the
// handler takes the name from.
func renamed(query url.Values, from, to string) url.Values {
	changed := make(url.Values, len(query))
	for name, values := range query {
		for _, value := range values {
			if value == from && to != "" {
				value = to
			}
			changed.Add(name, value)
		}
	}
	return changed
}

func judgeAnonymous(s *session) finding {
	if s.found.talk.user == "" {
		return open("the client of the check has no user anyway")
	}
	t, why := s.enterAs("")
	if why != "" {
		return open(why)
	}
	name := s.found.userEvent()
	if a := s.send(s.userEvent(t, name)); a.broken() {
		return fails(fmt.Sprintf("%s got %v without ce-userId, want 2xx or 4xx", name, a))
	}
	return holds()
}

func judgeSubprotocolHeader(s *session) finding {
	name, what, offered := s.found.userEvent(), "with ce-subprotocol", []string{wire.SubprotocolJSON}
	if s.found.talk.subprotocol != "" {
		what, offered = "without ce-subprotocol", nil
		if name != "message" {
			return open("clients without a subprotocol send no event but message")
		}
	}
	t := s.newTalk()
	if s.opts.serves("connect") {
		ev := s.connectEvent(t)
		ev.Connect.Subprotocols = offered
		a := s.send(ev)
		if !a.accepted() {
			return open(fmt.Sprintf("the handler answers connect with %v for the subprotocols %q", a, offered))
		}
		s.admit(t, a)
	}
	t.subprotocol = strings.Join(offered, "")
	if a := s.send(s.userEvent(t, name)); a.broken() {
		return fails(fmt.Sprintf("%s got %v %s, want 2xx or 4xx", name, a, what))
	}
	return holds()
}

func judgeEventName(s *session) finding {
	p := s.sample()
	right := s.send(p.event())
	for _, other := range []struct {
		what   string
		change upstreamtest.Fault
	}{
		{"no ce-eventName", upstreamtest.MissingHeader(wire.HeaderEventName)},
		{"another ce-eventName", with(wire.HeaderEventName, "another-name")},
	} {
		if a := s.send(p.event(), other.change); a.status != right.status {
			return fails(fmt.Sprintf("%s got %v with %s, want %v as without the change", p.name, a, other.what, right))
		}
	}
	return holds()
}
