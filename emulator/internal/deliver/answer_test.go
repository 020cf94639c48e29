package deliver_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/deliver"
	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// reply returns a handler that answers with a body and these headers: name,
// value, name, value. It leaves no content type to be guessed.
func reply(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		for pair := range slices.Chunk(headers, 2) {
			w.Header()[pair[0]] = append(w.Header()[pair[0]], pair[1])
		}
		_, _ = w.Write([]byte(body))
	}
}

// answerTo sends an event once to a handler that answers it so.
func answerTo(t *testing.T, e *deliver.Event, answer http.HandlerFunc) (*deliver.Answer, error) {
	t.Helper()
	s := newSender(t, deliver.Options{RetryDelays: []time.Duration{}})
	return s.Send(t.Context(), compile(t, everything(&backend{event: answer})), e)
}

func TestServiceReplyVectors(t *testing.T) {
	for _, v := range vectors.Load().MediaTypes.ServiceReply.Cases {
		a, err := answerTo(t, message(newConnection(), ""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			if v.ContentType != nil {
				w.Header().Set("Content-Type", *v.ContentType)
			}
			w.WriteHeader(v.Status)
			_, _ = w.Write([]byte(v.Body))
		})
		if (err != nil) != (v.Outcome == "failure") {
			t.Errorf("%s: error %v, want outcome %s", v.ID, err, v.Outcome)
		}
		if err != nil {
			continue
		}
		m, ok := a.Message()
		if ok != (v.Outcome == "message") {
			t.Errorf("%s: message %v, want outcome %s", v.ID, ok, v.Outcome)
		}
		if v.DataType != nil && (m.DataType != *v.DataType || string(m.Bytes) != v.Body) {
			t.Errorf("%s: got %s %q, want %s %q", v.ID, m.DataType, m.Bytes, *v.DataType, v.Body)
		}
	}
}

func TestMessage(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   http.HandlerFunc
		dataType string // empty for no message
		body     string
		metadata map[string]string
	}{
		{"nothing", status(200), "", "", nil},
		{"nothing, as JSON", reply("", "Content-Type", "application/json"), "", "", nil},
		{"nothing, as an image", reply("", "Content-Type", "image/png"), "", "", nil},
		{"protobuf", reply("\x0a\x00", "Content-Type", "application/x-protobuf"), wire.DataProtobuf, "\x0a\x00", nil},
		{"a charset", reply(`"ü"`, "Content-Type", `Application/JSON; Charset="UTF-8"`), wire.DataJSON, `"ü"`, nil},
		{"no data but metadata", reply("", "Content-Type", "image/png", "X-WebPubSub-Metadata-A", "1"), wire.DataText, "", map[string]string{"a": "1"}},
		{
			"metadata", reply("x", "x-webpubsub-metadata-A", "0", "X-Webpubsub-Metadata-b", "1", "X-Webpubsub-Metadata-b", "2, 3 "),
			wire.DataBinary, "x",
			map[string]string{"a": "0", "b": "3"},
		},
		{"metadata at its limits", reply("x", "X-Webpubsub-Metadata-"+strings.Repeat("k", 256), strings.Repeat("v", 1024)), wire.DataBinary, "x", map[string]string{strings.Repeat("k", 256): strings.Repeat("v", 1024)}},
		{"no encoding", reply("x", "Content-Encoding", "Identity"), wire.DataBinary, "x", nil},
	} {
		a, err := answerTo(t, message(newConnection(), ""), tt.answer)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		m, ok := a.Message()
		if ok != (tt.dataType != "") || m.DataType != tt.dataType || string(m.Bytes) != tt.body || !maps.Equal(m.Metadata, tt.metadata) {
			t.Errorf("%s: message %+v, %v; want %s %q %v", tt.name, m, ok, tt.dataType, tt.body, tt.metadata)
		}
	}
}

func TestUnusableAnswers(t *testing.T) {
	connect, user := wire.KindConnect, wire.KindUser
	for _, tt := range []struct {
		name         string
		kind         wire.Kind
		answer       http.HandlerFunc
		reason, hint string // are part of them
	}{
		{"image", user, reply("x", "Content-Type", "image/png"), `Content-Type is "image/png"`, "text/plain, application/json, application/octet-stream or application/x-protobuf"},
		{"no text", user, reply("\xff", "Content-Type", "text/plain"), "not valid UTF-8", "application/octet-stream"},
		{"no JSON", user, reply("{", "Content-Type", "application/json"), "not valid JSON", "text/plain"},
		{"JSON outside of UTF-8", user, reply("\"\xff\"", "Content-Type", "application/json"), "not valid JSON", "text/plain"},
		{"compressed", user, reply("x", "Content-Encoding", "gzip"), `Content-Encoding is "gzip"`, "compression"},
		{"state", user, reply("x", "Ce-Connectionstate", "ü"), "ce-connectionState", "base64"},
		{"metadata value", user, reply("x", "X-Webpubsub-Metadata-K", "ü"), "outside of visible ASCII", "1024"},
		{"long metadata value", user, reply("x", "X-Webpubsub-Metadata-K", strings.Repeat("v", 1025)), "value of 1025 bytes", "1024"},
		{"long metadata key", user, reply("x", "X-Webpubsub-Metadata-"+strings.Repeat("k", 257), "v"), "key of 257 bytes", "256"},
		{"much metadata", user, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 9 {
				w.Header().Set("X-Webpubsub-Metadata-"+string(rune('a'+i)), strings.Repeat("v", 1000))
			}
		}, "has 9009 bytes", "8192"},
		{"too much", user, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write(make([]byte, wire.MaxAnswerBytes+1))
		}, "more than 16 MB", "storage"},
		{"less than announced", user, reply("x", "Content-Length", "2"), "broke off", "Content-Length"},
		{"connect: no object", connect, reply("[]"), "is not a JSON object", "204"},
		{"connect: broken", connect, reply("{"), "is not valid JSON", "204"},
		{"connect: null role", connect, reply(`{"roles":[null]}`), "roles: has a null element", "null"},
		{"connect: blank group", connect, reply(`{"groups":[" "]}`), "groups: has a null or blank element", "blank"},
		{"connect: compressed", connect, reply("x", "Content-Encoding", "br"), `Content-Encoding is "br"`, "compression"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConnection()
			e := c.NewEvent(tt.kind, "message")
			a, err := answerTo(t, e, tt.answer)
			unusable := asError[*deliver.AnswerError](t, err)
			if a != nil {
				t.Error("Send returned an answer and an error")
			}
			if !strings.Contains(unusable.Reason, tt.reason) || !strings.Contains(unusable.Hint(), tt.hint) {
				t.Errorf("got %q and the hint %q, want %q and %q", unusable.Reason, unusable.Hint(), tt.reason, tt.hint)
			}
			if unusable.URL != deliver.InProcessURL || unusable.Status != 200 {
				t.Errorf("got URL %q and status %d", unusable.URL, unusable.Status)
			}
			if state, ok := c.State(); ok {
				t.Errorf("the state became %q, want none from a failed answer", state)
			}
		})
	}
}

func TestLongestAnswer(t *testing.T) {
	a, err := answerTo(t, message(newConnection(), ""), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		for range 16 {
			_, _ = w.Write(make([]byte, wire.MaxAnswerBytes/16))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := a.Message(); len(m.Bytes) != wire.MaxAnswerBytes {
		t.Errorf("message of %d bytes, want %d", len(m.Bytes), wire.MaxAnswerBytes)
	}
}

func TestConnectAnswer(t *testing.T) {
	for _, answer := range []http.HandlerFunc{status(204), status(200), status(202), reply("null"), reply(" {} ", "Content-Type", "image/png")} {
		a, err := answerTo(t, newConnection().NewEvent(wire.KindConnect, ""), answer)
		if err != nil {
			t.Error(err)
		} else if got := a.Connect(); got == nil || !got.IsZero() {
			t.Errorf("got %+v, want nothing to say", got)
		}
	}
}

func TestAnswersToNotificationsAreNotRead(t *testing.T) {
	for _, kind := range []wire.Kind{wire.KindConnected, wire.KindDisconnected, wire.KindGroupJoined} {
		a, err := answerTo(t, newConnection().NewEvent(kind, ""), reply("{", "Content-Type", "image/png", "Ce-Connectionstate", "x"))
		if err != nil {
			t.Errorf("%v: %v", kind, err)
		} else if m, ok := a.Message(); ok {
			t.Errorf("%v: message %+v, want none", kind, m)
		}
	}
}

func TestMQTTAnswers(t *testing.T) {
	c := &deliver.Connection{ID: "c", Hub: "chat", Subprotocol: "mqtt", PhysicalID: "p"}
	a, err := answerTo(t, message(c, ""), reply("x", "Content-Type", "image/png", "Mqtt-B", "2", "Mqtt-A", "1"))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := a.Message()
	want := []wire.UserProperty{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	if m.DataType != wire.DataOther || m.ContentType != "image/png" || !slices.Equal(m.UserProperties, want) {
		t.Errorf("got %+v, want an image with %v", m, want)
	}
	_, err = answerTo(t, message(c, ""), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		_, _ = w.Write([]byte("why"))
	})
	if e := asError[*deliver.StatusError](t, err); string(e.Answer.Body) != "why" {
		t.Errorf("body of the failure is %q, want %q for MQTT clients", e.Answer.Body, "why")
	}
}
