package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// needConnectAnswer needs an ordinary client to be let in or refused.
func needConnectAnswer(f *found) string {
	switch {
	case f.connect == nil:
		return "the handler does not serve connect"
	case f.connect.broken():
		return fmt.Sprintf("an ordinary connect got %v", f.connect)
	}
	return ""
}

// needConnectObject needs an acceptance that the service can read at all.
func needConnectObject(f *found) string {
	if tooLong(f.connect) {
		return "the answer to connect is too long"
	}
	if _, fault := connectMembers(f.connect); fault != "" {
		return "the answer to connect is no JSON object"
	}
	return ""
}

// shownConnect gives a finding about the first connect an exchange to show.
func (s *session) shownConnect(f finding) finding {
	if f.verdict == Fails && s.silenced(connects) == "" {
		s.connectAs(s.opts.UserID)
	}
	return f
}

// connectAs lets the client connect that the options describe, with this user.
func (s *session) connectAs(user string) *answer {
	t := s.newTalk()
	t.user = user
	return s.send(s.connectEvent(t))
}

// A variant is a client that differs from the one that the options describe.
type variant struct {
	client  string
	connect func() *answer
}

// wantAnswers wants each of the variants to be let in or refused. It ends with
// the first that is not.
func wantAnswers(variants ...variant) finding {
	for _, v := range variants {
		if f := wantConnectAnswer(v.connect(), v.client); f.verdict != Holds {
			return f
		}
	}
	return holds()
}

func wantConnectAnswer(a *answer, client string) finding {
	if a.broken() {
		return fails(fmt.Sprintf("%s got %v, want 2xx or 4xx", client, a))
	}
	return holds()
}

// wantAdmitted wants a variant to be let in like the ordinary client.
func (s *session) wantAdmitted(a *answer, client string) finding {
	if a.accepted() {
		return holds()
	}
	if a.refused() && !s.connectAs(s.opts.UserID).accepted() {
		return open("the handler lets the client in no more, so that nothing can be learnt from a refusal")
	}
	return fails(fmt.Sprintf("%s got %v, want 2xx as without that", client, a))
}

func judgeConnectAnswer(s *session) finding {
	a := s.found.connect
	if !a.broken() {
		return holds()
	}
	f := fails(fmt.Sprintf("got %v, want 2xx or 4xx", a))
	switch {
	case a.hung:
		f = f.mend("Do no slow work in connect, see that each way through your code ends with an answer, and read the body once only.")
	case a.status/100 == 3:
		f = fails(fmt.Sprintf("got %v, and the service follows no redirect", a)).
			mend("Register the exact path of the events for POST, with and without a slash at its end.")
	}
	return s.shownConnect(f)
}

// judgeAdmission leaves it to the rules about proof when the handler refuses
// what it has no reason to refuse of this client.
func judgeAdmission(s *session) finding {
	a := s.found.connect
	if a.accepted() {
		return holds()
	}
	if s.found.userEvent() == "" && deniesProof(a) && s.opts.serves("disconnected") {
		if end := s.send(s.event(s.newTalk(), wire.TypeDisconnected)); deniesProof(end) {
			return open(fmt.Sprintf("the handler refuses not only this client: disconnected got %v, too", end))
		}
	}
	f := fails(fmt.Sprintf("got %v, want 2xx", a))
	switch a.status {
	case http.StatusUnauthorized:
		f = f.mend("Let check and handler have the same access key; if they have, describe a client that the handler lets in: its user, its query and its subprotocols.")
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		f = f.mend("Register the path of the events for POST, and let the handler take this hub and the event connect.")
	}
	return s.shownConnect(f)
}

// What an acceptance says.

func tooLong(a *answer) bool { return len(a.body) > wire.MaxAnswerBytes }

// connectMembers returns the members of an acceptance, none if it says nothing.
// The names are exact, as the service wants them. The fault is empty, or says
// why there is no object.
func connectMembers(a *answer) (members map[string]json.RawMessage, fault string) {
	body := bytes.TrimSpace(bytes.TrimPrefix(a.body, []byte("\ufeff")))
	if len(body) == 0 || string(body) == "null" {
		return nil, ""
	}
	if err := json.Unmarshal(body, new(any)); err != nil {
		return nil, "the body is not valid JSON: " + err.Error()
	}
	if kind := kindOf(body); kind != "an object" {
		return nil, "the body is " + kind
	}
	_ = json.Unmarshal(body, &members) // an object, as was just seen
	return members, ""
}

// kindOf returns what a JSON text is.
func kindOf(text json.RawMessage) string {
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// textMember returns a member of an acceptance that is a string.
func textMember(a *answer, name string) (text string, ok bool) {
	members, _ := connectMembers(a)
	if raw := members[name]; len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return text, json.Unmarshal(members[name], &text) == nil
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

func judgeConnectJSON(s *session) finding {
	a := s.found.connect
	if tooLong(a) {
		return open("the answer to connect is too long")
	}
	_, fault := connectMembers(a)
	if fault == "" {
		return holds()
	}
	f := fails(fault + ", want a JSON object or nothing")
	if encoding := wire.First(a.header, wire.HeaderContentEncoding); encoding != "" {
		f = fails(fmt.Sprintf("the answer has Content-Encoding %.50q, which the service did not ask for", encoding)).
			mend("Compress no answer without Accept-Encoding.")
	}
	return s.shownConnect(f)
}

func judgeConnectTypes(a *answer) finding {
	members, _ := connectMembers(a)
	for _, want := range []struct{ name, kind string }{
		{"userId", "a string"}, {"groups", "a list"}, {"roles", "a list"}, {"subprotocol", "a string"}, {"mqtt", "an object"},
	} {
		raw, ok := members[want.name]
		if !ok || kindOf(raw) == "null" {
			continue
		}
		if got := kindOf(raw); got != want.kind {
			return fails(fmt.Sprintf("%q is %s, want %s", want.name, got, want.kind))
		}
		if want.kind != "a list" {
			continue
		}
		for _, element := range elements(raw) {
			if got := kindOf(element); got != "a string" && got != "null" {
				return fails(fmt.Sprintf("%q has an element that is %s, want strings", want.name, got))
			}
		}
	}
	return holds()
}

// elements returns those of a list, and none of anything else.
func elements(raw json.RawMessage) []json.RawMessage {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	return all
}

// wantElements wants a list of an acceptance to have no bad elements.
func wantElements(a *answer, name, fault string, bad func(json.RawMessage) bool) finding {
	members, _ := connectMembers(a)
	if slices.ContainsFunc(elements(members[name]), bad) {
		return fails(fmt.Sprintf("%q has an element that is %s", name, fault))
	}
	return holds()
}

func nullElement(raw json.RawMessage) bool { return kindOf(raw) == "null" }

func blankElement(raw json.RawMessage) bool {
	var text string
	return nullElement(raw) || json.Unmarshal(raw, &text) == nil && blank(text)
}

// rightNames has the members of an acceptance by what others make of them.
var rightNames = map[string]string{
	"userid": "userId", "group": "groups", "groups": "groups", "role": "roles", "roles": "roles",
	"subprotocol": "subprotocol", "subprotocols": "subprotocol",
}

func judgeMemberNames(a *answer) finding {
	members, _ := connectMembers(a)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		right := rightNames[strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))]
		if _, there := members[right]; right != "" && !there {
			return fails(fmt.Sprintf("the answer has %.50q, want %q", name, right))
		}
	}
	return holds()
}

func judgeConnectType(a *answer) finding {
	if len(a.body) == 0 {
		return holds()
	}
	switch media, _, _ := mime.ParseMediaType(a.contentType()); {
	case a.contentType() == "":
		return fails("the answer has a body and no Content-Type, want application/json")
	case media != wire.MediaJSON && !strings.HasSuffix(media, "+json"):
		return fails(fmt.Sprintf("got Content-Type %.100q, want application/json", a.contentType()))
	}
	return holds()
}

func judgeNulls(a *answer) finding {
	members, _ := connectMembers(a)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if nullElement(members[name]) {
			return fails(fmt.Sprintf("%.50q is null", name))
		}
	}
	return holds()
}

func judgeSubprotocol(s *session) finding {
	if f := wantOffered(s.found.connect, s.opts.Subprotocols); f.verdict != Holds {
		return s.shownConnect(f)
	}
	offers := [][]string{{wire.SubprotocolJSON, wire.SubprotocolJSONReliable}}
	if len(s.opts.Subprotocols) > 0 {
		offers = append(offers, nil)
	}
	for _, offered := range offers {
		ev := s.connectEvent(s.newTalk())
		ev.Connect.Subprotocols = offered
		if f := wantOffered(s.send(ev), offered); f.verdict != Holds {
			return f
		}
	}
	return holds()
}

// wantOffered wants an acceptance to choose from what the client has offered.
func wantOffered(a *answer, offered []string) finding {
	client := fmt.Sprintf("a client that offers the subprotocols %q", offered)
	if len(offered) == 0 {
		client = "a client that offers no subprotocol"
	}
	if a.broken() {
		return wantConnectAnswer(a, client)
	}
	name, _ := textMember(a, "subprotocol")
	if !a.accepted() || blank(name) || slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) }) {
		return holds()
	}
	return fails(fmt.Sprintf("%s is given %.100q", client, name))
}
