package check

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

var eventDataRules = []Rule{
	{
		ID:       "event/media-type",
		Title:    "The handler takes a content type with and without a charset",
		Severity: Must,
		Source:   sourceUserEvents + " (text/plain); " + sourceEmulator + " (text/plain; charset=utf-8)",
		Reason:   "The documents show one form and the service sends the other, for one and the same message.",
		Fix:      "Compare the media type alone: what stands before the semicolon.",
		needs:    []need{needUserEvent},
		judge:    judgeMediaType,
	},
	{
		ID:       "event/chunked",
		Title:    "The handler reads a body without Content-Length to its end",
		Severity: Should,
		Source:   "RFC 9112, 7.1; RFC 9113, 8.1.1",
		Reason:   "Bodies may come in chunks or over HTTP/2 without a length, and the client's message would be lost.",
		Fix:      "Read the body to its end, whatever Content-Length says.",
		needs:    []need{needUserEvent},
		judge:    judgeChunked,
	},
	{
		ID:       "event/any-data",
		Title:    "The handler answers whatever data a client sends",
		Severity: Must,
		Source:   sourceUserEvents,
		Reason:   "A client can choose what it sends, and so could hang the handler or end it for everybody.",
		Fix:      "Catch the errors of parsing, in asynchronous code too, and answer what the event has no use for with 400 or 415.",
		needs:    []need{needUserEvent},
		judge: func(s *session) finding {
			return s.judgeData(func(a *answer) bool { return a.status != 0 }, "an answer")
		},
	},
	{
		ID:       "event/unicode",
		Title:    "The handler reads text as UTF-8",
		Severity: Must,
		Source:   sourceUserEvents + " (UTF-8)",
		Reason:   "All that is not English comes out garbled.",
		Fix:      "Decode the body as UTF-8, and not by the default of the platform.",
		needs:    []need{needReply},
		judge:    judgeUnicode,
	},
	{
		ID:       "event/binary",
		Title:    "The handler leaves binary data as it is",
		Severity: Must,
		Source:   sourceUserEvents + " (application/octet-stream)",
		Reason:   "Data that was text on its way through the handler has lost every byte that is no text.",
		Fix:      "Keep the body as bytes, and decode it only when its content type is text or JSON.",
		needs:    []need{needReply},
		judge:    judgeBinary,
	},
	{
		ID:       "event/large",
		Title:    "The handler takes messages of up to 1 MB",
		Severity: Should,
		Source:   "limits of Azure Web PubSub: 1 MB for a message",
		Reason:   "Clients may send that much, and the default limit of many body parsers is 100 KB.",
		Fix:      "Set the limit for bodies to 2 MB, in the framework and in what stands in front of it.",
		needs:    []need{needUserEvent},
		judge:    judgeLarge,
	},
	{
		ID:       "event/data-errors",
		Title:    "The handler answers data that it does not expect with 4xx",
		Severity: Should,
		Source:   sourceRetries,
		Reason:   "It will fail as often as it is sent, and what got 5xx is sent four times.",
		Fix:      "Catch the errors of parsing, and answer what the event has no use for with 400 or 415.",
		needs:    []need{needUserEvent},
		judge: func(s *session) finding {
			if s.hangs[userEvents] > 0 {
				return open(hungBefore)
			}
			return s.judgeData(func(a *answer) bool { return a.status == 0 || !a.broken() }, "2xx or 4xx") // none is another rule's
		},
	},
	{
		ID:       "event/protobuf",
		Title:    "The handler takes protobuf data",
		Severity: Info,
		Source:   sourceEmulator,
		Reason:   "Clients of the protobuf subprotocol can send it, and are refused.",
		Fix:      "Take application/x-protobuf for what it is, an encoded google.protobuf.Any, if you have such clients.",
		needs:    []need{needUserEvent},
		judge: func(s *session) finding {
			if s.hangs[userEvents] > 0 {
				return open(hungBefore)
			}
			switch a := s.sendData(upstreamtest.Protobuf(someAny)); {
			case a.refused():
				return s.provided(fails(fmt.Sprintf("got %v, want 2xx", a)))
			case !a.accepted():
				return open(fmt.Sprintf("the handler answers it with %v", a))
			}
			return holds()
		},
	},
}

// someAny is a google.protobuf.Any that holds a google.protobuf.StringValue.
var someAny = []byte("\n/type.googleapis.com/google.protobuf.StringValue\x12\x07\n\x05hello")

// notText is binary data that is no text in UTF-8.
const notText = "check\xff\xfe\x80\x00"

// clientData are the kinds of data that clients can send.
var clientData = []struct {
	what string
	data upstreamtest.Data
}{
	{"an empty text", upstreamtest.Data{Bytes: []byte{}, ContentType: wire.ContentTypeText}},
	{"a JSON object", upstreamtest.Data{Bytes: []byte(`{"check":["hello",1,null]}`), ContentType: wire.MediaJSON}},
	{"the JSON null", upstreamtest.Data{Bytes: []byte(`null`), ContentType: wire.MediaJSON}},
	{"a JSON number", upstreamtest.Data{Bytes: []byte(`42`), ContentType: wire.ContentTypeJSON}},
	{"a JSON string", upstreamtest.Data{Bytes: []byte(`"hello"`), ContentType: wire.MediaJSON}},
	{"bytes that are no text", upstreamtest.Binary([]byte(notText))},
	{"protobuf", upstreamtest.Protobuf(someAny)},
	{"a media type in capitals", upstreamtest.Data{Bytes: []byte("hello"), ContentType: "TEXT/PLAIN; Charset=UTF-8"}},
}

// judgeData sends each kind of data until one has a wrong answer.
func (s *session) judgeData(right func(*answer) bool, want string) finding {
	for _, kind := range clientData {
		if a := s.sendData(kind.data); !a.skipped && !right(a) {
			return fails(fmt.Sprintf("%s: got %v, want %s", kind.what, a, want))
		}
	}
	return holds()
}

func judgeMediaType(s *session) finding {
	data := s.usualData()
	switch media := wire.MediaType(data.ContentType); {
	case s.takesText() && strings.Contains(data.ContentType, ";"):
		data.ContentType = wire.MediaText
	case s.takesText():
		data.ContentType = wire.ContentTypeText
	case media == wire.MediaJSON && strings.Contains(data.ContentType, ";"):
		data.ContentType = wire.MediaJSON
	case media == wire.MediaJSON:
		data.ContentType = wire.ContentTypeJSON
	default:
		return open("the event carries neither text nor JSON")
	}
	if a := s.sendData(data); !a.accepted() {
		return s.provided(fails(fmt.Sprintf("%q got %v, while the same event is accepted in the other form", data.ContentType, a)))
	}
	return holds()
}

func judgeChunked(s *session) finding {
	data := s.usualData()
	first, second := s.sendData(data), s.sendData(data)
	if !first.accepted() || !second.accepted() {
		return open("the handler does not accept the same event every time")
	}
	chunked := s.sendData(data, upstreamtest.ChunkedBody)
	switch {
	case chunked.status == 411:
		return fails(fmt.Sprintf("got %v: what serves the handler cannot read bodies in chunks", chunked)).
			mend("Serve the handler with a server that reads chunked bodies, or put one in front of it that adds the length.")
	case !chunked.accepted():
		return s.provided(fails(fmt.Sprintf("got %v, while the same event with a length is accepted", chunked)))
	case bytes.Equal(first.body, chunked.body) || !bytes.Equal(first.body, second.body):
		return holds()
	}
	// The replies may hold the time of day.
	if third := s.sendData(data); !bytes.Equal(first.body, third.body) {
		return open("the replies to the same event differ")
	}
	return fails(fmt.Sprintf("the reply is %.200q, and %.200q when the same event comes with a length", chunked.body, first.body))
}

func judgeUnicode(s *session) finding {
	if !s.takesText() {
		return open("the event carries no text")
	}
	a := s.sendData(upstreamtest.Text(foreignText))
	switch text := a.readable(); {
	case strings.Contains(text, "Grü"):
		return holds()
	case strings.Contains(text, asLatin1("Grü")), strings.Contains(text, "Gr\uFFFD"):
		return fails(fmt.Sprintf("%q comes back as %.200q", foreignText, text))
	}
	return open("the replies do not repeat what was sent")
}

func judgeBinary(s *session) finding {
	a := s.sendData(upstreamtest.Binary([]byte(notText)))
	switch body := string(a.body); {
	case wire.MediaType(a.contentType()) != wire.MediaBinary, a.dataType() == "":
		return open("the reply to binary data is not binary itself")
	case strings.Contains(body, notText):
		return holds()
	case strings.Contains(body, asLatin1(notText)), strings.Contains(body, "check\uFFFD"):
		return fails(fmt.Sprintf("%q comes back as %.200q", notText, a.body))
	}
	return open("the replies do not repeat what was sent")
}

// largeMessage is just below what the service takes from a client.
const largeMessage = 1_000_000

func judgeLarge(s *session) finding {
	data := s.usualData()
	if t := wire.DataType(data.ContentType); t != wire.DataJSON && !s.takesText() {
		return open("the event carries neither text nor JSON")
	}
	if a := s.sendData(data, upstreamtest.Oversize(largeMessage)); !a.accepted() {
		return s.provided(fails(fmt.Sprintf("%d bytes got %v, want 2xx", largeMessage, a)))
	}
	return holds()
}
