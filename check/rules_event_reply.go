package check

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const sourceReply = sourceCloudEvents + ", Events: success response format of user events"

var eventReplyRules = []Rule{
	{
		ID:       "event/content-type",
		Title:    "The handler replies in a content type that the service delivers",
		Severity: Must,
		Source:   sourceReply,
		Reason:   "A reply in any other type never reaches the client, for whom the whole event has failed.",
		Fix:      "Set Content-Type to text/plain, application/json or application/octet-stream; many frameworks say text/html when nothing is said.",
		needs:    []need{needReply},
		judge:    func(s *session) finding { return s.judgeReplies(wantKnownType) },
	},
	{
		ID:       "event/no-content-type",
		Title:    "The handler says of which content type its replies are",
		Severity: Should,
		Source:   sourceReply + " (Content-Type missing)",
		Reason:   "The service takes a reply without Content-Type for binary, so that clients get a binary frame or base64 in place of text.",
		Fix:      "Set Content-Type to text/plain or application/json for text, and to application/octet-stream for what is binary.",
		needs:    []need{needReply},
		judge: func(s *session) finding {
			return s.judgeReplies(func(a *answer) finding {
				if len(a.body) > 0 && a.contentType() == "" {
					return fails(fmt.Sprintf("has %d bytes and no Content-Type", len(a.body)))
				}
				return holds()
			})
		},
	},
	{
		ID:       "event/content-encoding",
		Title:    "The handler sends replies as they are, without compression",
		Severity: Must,
		Source:   "RFC 9110, 12.5.3; " + sourceEmulator + ", which does not decompress",
		Reason:   "The service asks for no compression and undoes none: the client gets the compressed bytes.",
		Fix:      "Turn compression off for the path of the events, or compress only when Accept-Encoding asks for it.",
		needs:    []need{needReply},
		judge: func(s *session) finding {
			return s.judgeReplies(func(a *answer) finding {
				if !a.plain() {
					return fails(fmt.Sprintf("has the Content-Encoding %.100q, which nobody asked for", wire.First(a.header, wire.HeaderContentEncoding)))
				}
				return holds()
			})
		},
	},
	{
		ID:       "event/json",
		Title:    "The handler sends valid JSON where it says that it does",
		Severity: Must,
		Source:   sourceReply + "; RFC 8259",
		Reason:   "The service puts the reply into a JSON message as it is, which the client cannot parse then.",
		Fix:      "Make JSON with a JSON encoder and never by joining strings, and send other text as text/plain.",
		needs:    []need{needReply},
		judge:    func(s *session) finding { return s.judgeTextReplies(trickyText, wantJSON) },
	},
	{
		ID:       "event/utf8",
		Title:    "The handler sends text and JSON in UTF-8",
		Severity: Must,
		Source:   "RFC 6455, 5.6 (text frames are UTF-8); RFC 8259, 8.1",
		Reason:   "Clients get text as WebSocket text frames, and close the connection when they are not valid UTF-8.",
		Fix:      "Encode replies as UTF-8, and send what is no text as application/octet-stream.",
		needs:    []need{needReply},
		judge:    func(s *session) finding { return s.judgeTextReplies(foreignText, wantUTF8) },
	},
	{
		ID:       "event/size",
		Title:    "The handler replies with no more than 16 MiB",
		Severity: Must,
		Source:   sourceEmulator,
		Reason:   "The service reads no more, and for the client the event has failed.",
		Fix:      "Send what is large to a place from where the client can load it, and reply with its address.",
		needs:    []need{needReply},
		judge: func(s *session) finding {
			return s.judgeReplies(func(a *answer) finding {
				if len(a.body) > wire.MaxAnswerBytes {
					return fails(fmt.Sprintf("has more than %d bytes", wire.MaxAnswerBytes))
				}
				return holds()
			})
		},
	},
	{
		ID:       "event/metadata",
		Title:    "The handler keeps to the limits of metadata",
		Severity: Should,
		Source:   sourceEmulator,
		Reason:   "Metadata beyond the limits does not reach the client, and of a value with commas only the last part does.",
		Fix:      "Keep keys to 256 characters, values to 1024 characters of ASCII without commas, and all of them to 8 KiB.",
		needs:    []need{needUserEvent},
		judge:    func(s *session) finding { return s.judgeReplies(wantMetadata) },
	},
}

// needReply is for rules about what clients get.
func needReply(f *found) string {
	if why := needUserEvent(f); why != "" {
		return why
	}
	for _, e := range f.events {
		if e.answer.accepted() && len(e.answer.body) > 0 {
			return ""
		}
	}
	return "the handler replies nothing to its clients"
}

// judgeReplies judges the first answers to all events. One at fault is sent
// again, to be shown.
func (s *session) judgeReplies(judge func(*answer) finding) finding {
	for _, e := range s.found.events {
		if !e.answer.accepted() {
			continue
		}
		if f := judge(e.answer); f.verdict == Fails {
			s.again(e)
			f.text = fmt.Sprintf("the reply to the event %q %s", e.name, f.text)
			return f
		}
	}
	return holds()
}

// judgeTextReplies judges the first answers to all events, and one to text that
// is harder to repeat.
func (s *session) judgeTextReplies(text string, judge func(*answer) finding) finding {
	if f := s.judgeReplies(judge); f.verdict == Fails || !s.takesText() {
		return f
	}
	a := s.sendData(upstreamtest.Text(text))
	if f := judge(a); a.accepted() && f.verdict == Fails {
		f.text = fmt.Sprintf("the reply to %q %s", text, f.text)
		return f
	}
	return holds()
}

// The texts that are hard to repeat: in JSON, and at all.
const (
	trickyText  = "say \"hi\", C:\\new\tline\nend"
	foreignText = "Grüße, 世界 😀"
)

// plain reports whether the body of an answer is what it says.
func (a *answer) plain() bool {
	coding := wire.First(a.header, wire.HeaderContentEncoding)
	return coding == "" || strings.EqualFold(coding, "identity")
}

// dataType is how the service takes an answer: "text", "json" and so on, empty
// for one without a body, or with one that cannot be read.
func (a *answer) dataType() string {
	if len(a.body) == 0 || len(a.body) > wire.MaxAnswerBytes || !a.plain() {
		return ""
	}
	return wire.DataType(a.contentType())
}

func wantKnownType(a *answer) finding {
	if len(a.body) > 0 && wire.DataType(a.contentType()) == wire.DataOther {
		return fails(fmt.Sprintf("has the Content-Type %.200q, want %s, %s or %s", a.contentType(), wire.MediaText, wire.MediaJSON, wire.MediaBinary))
	}
	return holds()
}

func wantJSON(a *answer) finding {
	if a.dataType() == wire.DataJSON && !json.Valid(a.body) {
		return fails(fmt.Sprintf("is called %s and is none: %.200q", wire.MediaJSON, a.body))
	}
	return holds()
}

func wantUTF8(a *answer) finding {
	switch a.dataType() {
	case wire.DataText, wire.DataJSON:
		if !utf8.Valid(a.body) {
			return fails(fmt.Sprintf("is called %.100s and is not valid UTF-8: %.200q", a.contentType(), a.body))
		}
	}
	return holds()
}

func wantMetadata(a *answer) finding {
	total := 0
	for name, values := range a.header {
		key, ok := strings.CutPrefix(name, wire.PrefixMetadata)
		if !ok {
			continue
		}
		value := values[len(values)-1]
		total += len(key) + len(value)
		switch {
		case len(key) > wire.MaxMetadataKey:
			return fails(fmt.Sprintf("has metadata with a key of %d characters, want %d at most", len(key), wire.MaxMetadataKey))
		case len(value) > wire.MaxMetadataValue:
			return fails(fmt.Sprintf("has metadata %.50q of %d characters, want %d at most", key, len(value), wire.MaxMetadataValue))
		case !wire.ValidHeaderValue(value):
			return fails(fmt.Sprintf("has metadata %.50q that is not visible ASCII: %.100q", key, value))
		case strings.Contains(value, ","):
			return fails(fmt.Sprintf("has metadata %.50q with a comma: %.100q", key, value))
		}
	}
	if total > wire.MaxMetadataTotal {
		return fails(fmt.Sprintf("has %d bytes of metadata, want %d at most", total, wire.MaxMetadataTotal))
	}
	return holds()
}

// readable returns an answer as the client reads it: with the escapes of JSON
// undone.
func (a *answer) readable() string {
	var v any
	if a.dataType() != wire.DataJSON || json.Unmarshal(a.body, &v) != nil {
		return string(a.body)
	}
	text, _ := wire.Marshal(v) // it comes from JSON
	return string(text)
}
