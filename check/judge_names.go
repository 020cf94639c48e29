package check

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// judgeSystemNames sends user events that are named like system events. The
// connection is one of its own: a handler at fault may forget it.
func judgeSystemNames(s *session) finding {
	if s.hangs[userEvents] > 0 {
		return open(hungBefore)
	}
	t, connect := s.open()
	if connect != nil && !connect.accepted() {
		return open(fmt.Sprintf("the handler answers another connect with %v", connect))
	}
	said := func(name string, body []byte) *answer {
		ev := s.userEvent(t, name)
		ev.Data = upstreamtest.Data{Bytes: body, ContentType: wire.MediaJSON}
		return s.send(ev)
	}
	sent, _ := io.ReadAll(upstreamtest.NewRequest(s.connectEvent(t)).Body) // in memory
	reason := []byte(`{"reason":null}`)
	unknownConnect, userConnect := said(unknownEvent, sent), said("connect", sent)
	unknownEnd, userEnd := said(unknownEvent, reason), said("disconnected", reason)
	judged := false
	if connect != nil && admits(connect) && !alikeAdmissions(connect, unknownConnect) && unknownConnect.status != 0 {
		if alikeAdmissions(connect, userConnect) {
			s.end(t)
			return fails(fmt.Sprintf("the user event %q got %v with %.200q, which is an answer to the system event of this name, while %q got %v",
				"connect", userConnect, userConnect.body, unknownEvent, unknownConnect))
		}
		judged = true
	}
	if s.opts.serves("disconnected") {
		end := s.send(s.event(t, wire.TypeDisconnected))
		if end.accepted() && unknownEnd.status != 0 && !unknownEnd.broken() && !unknownEnd.alike(end) {
			if userEnd.alike(end) {
				return fails(fmt.Sprintf("the user event %q got %v like the system event of this name, while %q got %v", "disconnected", userEnd, unknownEvent, unknownEnd))
			}
			judged = true
		}
	}
	if !judged {
		return open("the handler answers names that it does not know no differently from system events")
	}
	return holds()
}

// admits reports whether an answer says what only one to connect says.
func admits(a *answer) bool {
	members, _ := connectMembers(a)
	return slices.ContainsFunc([]string{"userId", "groups", "roles", "subprotocol"}, func(name string) bool { return members[name] != nil })
}

// alikeAdmissions reports whether an answer has the members of one to connect.
func alikeAdmissions(connect, a *answer) bool {
	want, _ := connectMembers(connect)
	got, _ := connectMembers(a)
	return a.accepted() && slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
}
