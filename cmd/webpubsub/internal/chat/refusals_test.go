package chat_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// nobody carries the calls of a chat that is to make none.
type nobody struct{ t *testing.T }

func (n nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s %s, want no call", r.Method, r.URL.Path)
	return nil, errLine
}

func TestConnect(t *testing.T) {
	offer := []string{"json.webpubsub.azure.v1", reliable}
	tests := []struct {
		name         string
		query        url.Values
		subprotocols []string
		wantUser     string // empty: refused with 400
		wantText     string // of the refusal
	}{
		{"name", url.Values{"name": {"alice"}}, offer, "alice", ""},
		{"trimmed", url.Values{"name": {"\t Ann Lee "}}, offer, "Ann Lee", ""},
		{"40 characters", url.Values{"name": {strings.Repeat("ü", 40)}}, offer, strings.Repeat("ü", 40), ""},
		{"of any alphabet, with a comma", url.Values{"name": {"用户, 👩‍🚀"}}, offer, "用户, 👩‍🚀", ""},
		{"41 characters", url.Values{"name": {strings.Repeat("ü", 41)}}, offer, "", "a name has 1 to 40 characters, this one has 41"},
		{"none", nil, offer, "", "a name has 1 to 40 characters, this one has 0"},
		{"blank", url.Values{"name": {" \n "}}, offer, "", "a name has 1 to 40 characters, this one has 0"},
		{"control character", url.Values{"name": {"a\x1b[1m"}}, offer, "", "a name has no control characters"},
		{"line break", url.Values{"name": {"a\nb"}}, offer, "", "a name has no control characters"},
		{"another subprotocol", url.Values{"name": {"alice"}}, offer[:1], "", "this chat speaks the subprotocol " + reliable},
		{"no subprotocol", url.Values{"name": {"alice"}}, nil, "", "this chat speaks the subprotocol " + reliable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := upstreamtest.NewService(t, newChat(t, upstreamtest.ConnectionString, nobody{t}), nil)
			conn := svc.Connect(t.Context(), &upstreamtest.Client{
				UserID: "of the token", Roles: []string{"webpubsub.sendToGroup"},
				Query: tt.query, Subprotocols: tt.subprotocols,
			})
			if tt.wantUser == "" {
				if got, want := conn.StatusCode, http.StatusBadRequest; got != want {
					t.Errorf("status %d, want %d", got, want)
				}
				if got, want := string(conn.Body), tt.wantText; got != want {
					t.Errorf("text %q, want %q", got, want)
				}
				return
			}
			if conn.Refused() {
				t.Fatalf("refused: %s", conn.Reason)
			}
			var state map[string]string
			if err := conn.State().Decode(&state); err != nil || len(state) != 1 || state["name"] != tt.wantUser {
				t.Errorf("state %v and error %v, want the name %q", state, err, tt.wantUser)
			}
			if conn.UserID != tt.wantUser || conn.Subprotocol != reliable {
				t.Errorf("user %q of %q, want %q of %q", conn.UserID, conn.Subprotocol, tt.wantUser, reliable)
			}
			if len(conn.Roles) != 1 || conn.Roles[0] != "webpubsub.joinLeaveGroup" {
				t.Errorf("roles %q, want the one to join and leave any group", conn.Roles)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	const slash = `the name of a room has no slash and no space around it, and is neither "." nor ".."`
	say := func(room, id, text string) map[string]string {
		return map[string]string{"room": room, "id": id, "text": text}
	}
	tests := []struct {
		name  string
		event string
		data  any
		want  string // the text of the refusal
	}{
		{"say to no room", "say", say("", "1", "hi"), "the name of a room has 1 to 40 characters, this one has 0"},
		{"say to a long room", "say", say(strings.Repeat("r", 41), "1", "hi"), "the name of a room has 1 to 40 characters, this one has 41"},
		{"say to a room with a slash", "say", say("a/b", "1", "hi"), slash},
		{"say to the room above", "say", say("..", "1", "hi"), slash},
		{"say to a room with space around", "say", say(" a", "1", "hi"), slash},
		{"say to a room with a NUL", "say", say("a\x00", "1", "hi"), "the name of a room has no control characters"},
		{"say without id", "say", say("lobby", "", "hi"), "the id of a message has 1 to 64 characters, this one has 0"},
		{"say with a long id", "say", say("lobby", strings.Repeat("1", 65), "hi"), "the id of a message has 1 to 64 characters, this one has 65"},
		{"say nothing", "say", say("lobby", "1", ""), "the text is empty"},
		{"say only space", "say", say("lobby", "1", " \n"), "the text is empty"},
		{"say too much", "say", say("lobby", "1", strings.Repeat("ü", 2001)), "a text has 1 to 2000 characters, this one has 2001"},
		{"say a number", "say", json.RawMessage(`{"room":"lobby","id":"1","text":7}`), ""},
		{"say no JSON", "say", json.RawMessage(`hi`), ""},
		{"typing in no room", "typing", say("", "", ""), "the name of a room has 1 to 40 characters, this one has 0"},
		{"typing no JSON", "typing", json.RawMessage(``), ""},
		{"rename to nothing", "rename", map[string]string{"name": " "}, "a name has 1 to 40 characters, this one has 0"},
		{"rename to too much", "rename", map[string]string{"name": strings.Repeat("n", 41)}, "a name has 1 to 40 characters, this one has 41"},
		{"rename to a control character", "rename", map[string]string{"name": "a\tb"}, "a name has no control characters"},
		{"rename no JSON", "rename", json.RawMessage(`[`), ""},
		{"rooms no JSON", "rooms", json.RawMessage(`[`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			svc := upstreamtest.NewService(t, newChat(t, upstreamtest.ConnectionString, nobody{t}), nil)
			alice := svc.Connect(t.Context(), &upstreamtest.Client{Query: url.Values{"name": {"alice"}}, Subprotocols: []string{reliable}})
			before := alice.State()
			reply := alice.Event(tt.event, upstreamtest.JSON(tt.data))
			if got, want := reply.StatusCode, http.StatusBadRequest; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
			if got, want := string(reply.Body), tt.want; got != want {
				t.Errorf("text %q, want %q", got, want)
			}
			if alice.State() != before {
				t.Error("the state has changed")
			}
		})
	}
}

// The client learns by its ack whether an event was taken.
func TestAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		alice := s.enter("alice", "lobby")
		good, bad := alice.say("lobby", "hi"), alice.say("lobby", " ")
		const past = 100
		alice.Send(`{"type":"sendToGroup","group":"lobby","ackId":100,"dataType":"text","data":"past the chat"}`)
		alice.news()
		if !alice.acks[good] || alice.acks[bad] || alice.acks[past] {
			t.Errorf("acks %v, want that of %d only: an empty text is refused, and sending past the chat", alice.acks, good)
		}
	})
}
