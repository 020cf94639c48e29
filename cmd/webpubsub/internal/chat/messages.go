package chat

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// What clients send, as the data of an event.
type (
	saying struct{ Room, ID, Text string }
	place  struct{ Room string }
)

// What clients are told, each as the data of a message.
type (
	// A notice is of the kind joined, left, typing or renamed.
	notice struct {
		Kind string `json:"kind"`
		Room string `json:"room"`
		ID   string `json:"id"` // of the connection
		Name string `json:"name,omitempty"`
	}
	said struct {
		Kind string `json:"kind"`
		Room string `json:"room"`
		message
	}
	shown struct {
		Kind string `json:"kind"`
		Room string `json:"room"`
		view
	}
	listed struct {
		Kind  string     `json:"kind"`
		Rooms []roomSize `json:"rooms"`
	}
)

// A message is what somebody said.
type message struct {
	Number int       `json:"number"` // in its room, from 1
	ID     string    `json:"id"`     // made by the client
	From   string    `json:"from"`   // the connection
	Name   string    `json:"name"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// A view is a room at one moment.
type view struct {
	People   []person  `json:"people"`   // by name
	Messages []message `json:"messages"` // by number

	version int
}

type person struct {
	ID   string `json:"id"` // of the connection
	Name string `json:"name"`
}

type roomSize struct {
	Name   string `json:"name"`
	People int    `json:"people"`
}

// How many characters there may be. One is the least.
const (
	maxName = 40 // of people and of rooms
	maxID   = 64 // of messages
	maxText = 2000
)

// checkName returns the name of a person without the space around it.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	return name, checkLine("a name", name, maxName)
}

// checkRoom also refuses the names of groups that the REST API has no way to
// address: they travel in the path of a URL.
func checkRoom(name string) error {
	if name == "." || name == ".." || strings.Contains(name, "/") || name != strings.TrimSpace(name) {
		return upstream.NewError(http.StatusBadRequest, `the name of a room has no slash and no space around it, and is neither "." nor ".."`)
	}
	return checkLine("the name of a room", name, maxName)
}

func checkID(id string) error { return checkLine("the id of a message", id, maxID) }

func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return upstream.NewError(http.StatusBadRequest, "the text is empty")
	}
	return checkLength("a text", text, maxText)
}

// checkLine refuses what does not belong on one line.
func checkLine(what, s string, most int) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return upstream.Errorf(http.StatusBadRequest, "%s has no control characters", what)
	}
	return checkLength(what, s, most)
}

func checkLength(what, s string, most int) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > most {
		return upstream.Errorf(http.StatusBadRequest, "%s has 1 to %d characters, this one has %d", what, most, n)
	}
	return nil
}
