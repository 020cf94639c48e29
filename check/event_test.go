package check_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

func message(do step) func(*plain) { return func(p *plain) { p.message = do } }

// refuse answers with a status what a condition is true of.
func refuse(status int, when func(*http.Request) bool) func(*plain) {
	return func(p *plain) {
		p.verify = func(r *http.Request) int {
			if bad := verify(r); bad != 0 {
				return bad
			}
			if when(r) {
				return status
			}
			return 0
		}
	}
}

func isType(ceType string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get("ce-type") == ceType }
}

// unlessType echoes, but for data of a content type.
func unlessType(contentType string, otherwise step) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), contentType) {
			otherwise(w, r, body)
			return
		}
		echo(w, r, body)
	}
}

func asText(write func(body []byte) string) step {
	return func(w http.ResponseWriter, _ *http.Request, body []byte) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, write(body))
	}
}

func readAsLatin1(body []byte) string {
	var text []rune
	for _, b := range body {
		text = append(text, rune(b))
	}
	return string(text)
}

func writtenAsLatin1(body []byte) string {
	var b []byte
	for _, r := range string(body) {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// abort breaks the connection.
func abort(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

// The rules that rest on a user event that is accepted, and those that rest on
// a reply to it.
var (
	afterReply = []string{
		"event/content-type", "event/no-content-type", "event/content-encoding", "event/json", "event/utf8", "event/size", "event/unicode", "event/binary",
	}
	afterUserEvent = append([]string{
		"event/prompt", "event/metadata", "event/dotted-name", "event/name-case", "event/media-type", "event/chunked", "event/large", "event/any-data",
		"event/data-errors", "event/protobuf", "event/system-names",
	}, afterReply...)
)

func TestEventRules(t *testing.T) {
	quote := func(body []byte) string { text, _ := json.Marshal(string(body)); return string(text) }
	for _, tt := range []struct {
		name        string
		fault       func(*plain)
		fails, open []string
	}{
		{"500", message(answer(500, "")), []string{"event/answer"}, afterUserEvent},
		{"no answer", message(abort), []string{"event/answer"}, afterUserEvent},
		{"hangs", message(hang), []string{"event/answer"}, append([]string{"event/any-name", "event/unknown-name"}, afterUserEvent...)},
		{"redirect", message(answer(307, "", "Location", "/eventhandler/")), []string{"event/answer"}, afterUserEvent},
		{"404", message(answer(404, "")), []string{"event/accepted"}, afterUserEvent},
		{"400 at first only", func(p *plain) {
			asked := 0
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if asked++; asked == 1 {
					w.WriteHeader(503)
					return
				}
				echo(w, r, body)
			}
		}, nil, afterUserEvent},
		{"slow", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			time.Sleep(1100 * time.Millisecond)
			echo(w, r, body)
		}), []string{"event/prompt"}, nil},
		{"no reply", message(noContent), nil, append([]string{"event/dotted-name"}, afterReply...)},
		{"HTML", message(answer(200, "hello", "Content-Type", "text/html; charset=utf-8")), []string{"event/content-type"}, []string{"event/unicode", "event/binary"}},
		{"no content type", message(func(w http.ResponseWriter, _ *http.Request, body []byte) {
			w.Header()["Content-Type"] = nil
			_, _ = w.Write(body)
		}), []string{"event/no-content-type"}, []string{"event/binary"}},
		{"gzip", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(body)
			_ = z.Close()
		}), []string{"event/content-encoding"}, []string{"event/unicode", "event/binary"}},
		{"JSON that is none", message(answer(200, "hello", "Content-Type", "application/json")), []string{"event/json"}, []string{"event/unicode", "event/binary"}},
		{"joined JSON", message(func(w http.ResponseWriter, _ *http.Request, body []byte) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"text":"`+string(body)+`"}`)
		}), []string{"event/json"}, []string{"event/binary"}},
		{"Latin-1 out", message(asText(writtenAsLatin1)), []string{"event/utf8"}, []string{"event/unicode", "event/binary"}},
		{"Latin-1 in", message(asText(readAsLatin1)), []string{"event/unicode"}, []string{"event/binary"}},
		{"Latin-1 in, JSON out", message(func(w http.ResponseWriter, _ *http.Request, body []byte) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.NewReplacer("Ã", `\u00c3`, "¼", `\u00bc`).Replace(quote([]byte(readAsLatin1(body)))))
		}), []string{"event/unicode"}, []string{"event/binary"}},
		{"ASCII in", message(asText(func(body []byte) string {
			return strings.Map(func(r rune) rune { return map[bool]rune{true: r, false: '\uFFFD'}[r < 0x80] }, string(body))
		})), []string{"event/unicode"}, []string{"event/binary"}},
		{"binary as text", message(unlessType("application/octet-stream", func(w http.ResponseWriter, _ *http.Request, body []byte) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.WriteString(w, strings.ToValidUTF8(string(body), "\uFFFD"))
		})), []string{"event/binary"}, nil},
		{"binary as Latin-1", message(unlessType("application/octet-stream", func(w http.ResponseWriter, _ *http.Request, body []byte) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.WriteString(w, readAsLatin1(body))
		})), []string{"event/binary"}, nil},
		{"metadata with commas", message(withMetadata("X-WebPubSub-Metadata-List", "a, b")), []string{"event/metadata"}, nil},
		{"long metadata", message(withMetadata("X-WebPubSub-Metadata-Text", strings.Repeat("x", 1025))), []string{"event/metadata"}, nil},
		{"long key of metadata", message(withMetadata("X-WebPubSub-Metadata-"+strings.Repeat("x", 257), "1")), []string{"event/metadata"}, nil},
		{"metadata beyond ASCII", message(withMetadata("X-WebPubSub-Metadata-Name", "Zoë")), []string{"event/metadata"}, nil},
		{"much metadata", message(withMetadata(slices.Concat(
			[]string{"X-WebPubSub-Metadata-0", strings.Repeat("x", 1024)}, []string{"X-WebPubSub-Metadata-1", strings.Repeat("x", 1024)},
			[]string{"X-WebPubSub-Metadata-2", strings.Repeat("x", 1024)}, []string{"X-WebPubSub-Metadata-3", strings.Repeat("x", 1024)},
			[]string{"X-WebPubSub-Metadata-4", strings.Repeat("x", 1024)}, []string{"X-WebPubSub-Metadata-5", strings.Repeat("x", 1024)},
			[]string{"X-WebPubSub-Metadata-6", strings.Repeat("x", 1024)}, []string{"X-WebPubSub-Metadata-7", strings.Repeat("x", 1024)},
		)...)), []string{"event/metadata"}, nil},
		{"names lower-cased", func(p *plain) { p.unknown = answer(500, "") }, []string{"event/unknown-name"}, []string{"event/dotted-name"}},
		{"unknown names hang", func(p *plain) { p.unknown = hang }, []string{"event/any-name"}, []string{"event/unknown-name", "event/dotted-name", "event/data-errors", "event/protobuf", "event/system-names"}},
		{"unknown names break off", func(p *plain) { p.unknown = abort }, []string{"event/any-name"}, []string{"event/unknown-name", "event/dotted-name", "event/system-names"}},
		{"the system event of the name", func(p *plain) {
			p.unknown = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if strings.HasSuffix(r.Header.Get("ce-type"), ".connect") {
					admit(w, r, body)
				}
			}
		}, []string{"event/system-names"}, nil},
		{"the end of the name", func(p *plain) {
			p.unknown = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if !strings.HasSuffix(r.Header.Get("ce-type"), ".disconnected") {
					w.WriteHeader(404)
					return
				}
				noContent(w, r, body)
			}
		}, []string{"event/system-names"}, nil},
		{"five of a connection", func(p *plain) {
			sent := map[string]int{}
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if sent[r.Header.Get("ce-connectionId")]++; sent[r.Header.Get("ce-connectionId")] > 5 {
					w.WriteHeader(409)
					return
				}
				echo(w, r, body)
			}
		}, nil, []string{"event/name-case", "event/media-type", "event/chunked", "event/large", "event/protobuf", "event/unicode", "event/binary"}},
		{"the last part of the name", func(p *plain) {
			p.unknown = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if strings.HasSuffix(r.Header.Get("ce-type"), ".message") {
					echo(w, r, body)
				}
			}
		}, []string{"event/dotted-name"}, nil},
		{"the first part of the name", func(p *plain) {
			p.unknown = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if strings.HasPrefix(r.Header.Get("ce-type"), "azure.webpubsub.user.message.") {
					echo(w, r, body)
				}
			}
		}, []string{"event/dotted-name"}, nil},
		{"any name", func(p *plain) { p.unknown = echo }, nil, []string{"event/dotted-name"}},
		{"names in one case, refused", refuse(404, isType("azure.webpubsub.user.MESSAGE")), []string{"event/name-case"}, nil},
		{"names in one case, ignored", refuse(204, isType("azure.webpubsub.user.MESSAGE")), []string{"event/name-case"}, nil},
		{"one content type", message(func(w http.ResponseWriter, r *http.Request, body []byte) {
			if r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				w.WriteHeader(415)
				return
			}
			echo(w, r, body)
		}), []string{"event/media-type", "event/protobuf"}, []string{"event/binary"}},
		{"no chunks", refuse(411, func(r *http.Request) bool { return r.ContentLength < 0 }), []string{"event/chunked"}, nil},
		{"chunks refused", refuse(400, func(r *http.Request) bool { return r.ContentLength < 0 }), []string{"event/chunked"}, nil},
		{"as many bytes as Content-Length says", func(p *plain) {
			p.read = func(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
				return io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
			}
		}, []string{"event/chunked"}, nil},
		{"100 KB", func(p *plain) {
			p.read = func(w http.ResponseWriter, r *http.Request) ([]byte, error) {
				return io.ReadAll(http.MaxBytesReader(w, r.Body, 100<<10))
			}
		}, []string{"event/large"}, nil},
		{"hangs on JSON", message(unlessType("application/json", hang)), []string{"event/any-data"}, []string{"event/data-errors", "event/protobuf"}},
		{"breaks off on protobuf", message(unlessType("application/x-protobuf", abort)), []string{"event/any-data"}, []string{"event/protobuf"}},
		{"500 to JSON", message(unlessType("application/json", answer(500, ""))), []string{"event/data-errors"}, nil},
		{"415 to JSON", message(unlessType("application/json", answer(415, ""))), nil, nil},
		{"415 to protobuf", message(unlessType("application/x-protobuf", answer(415, ""))), []string{"event/protobuf"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantVerdicts(t, newPlain(tt.fault), &check.Options{Only: []string{"event"}}, tt.fails, tt.open)
		})
	}
}

// withMetadata echoes with headers: name, value, name, value.
func withMetadata(headers ...string) step {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		for pair := range slices.Chunk(headers, 2) {
			w.Header().Set(pair[0], pair[1])
		}
		echo(w, r, body)
	}
}

func TestEventTooLarge(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 16<<20+1)
	fault := message(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(large)
	})
	options := &check.Options{Only: []string{"event/size", "event/utf8", "event/content-type"}}
	wantVerdicts(t, newPlain(fault), options, []string{"event/size"}, nil)
}

// What the event carries by the options is what decides.
func TestEventData(t *testing.T) {
	jsonOnly := message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
			w.WriteHeader(415)
			return
		}
		echo(w, r, body)
	})
	jsonWithoutCharset := message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(415)
			return
		}
		echo(w, r, body)
	})
	binaryOnly := message(func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("Content-Type") != "application/octet-stream" {
			w.WriteHeader(415)
			return
		}
		echo(w, r, body)
	})
	aJSON := upstreamtest.JSON(map[string]string{"text": "hello"})
	for _, tt := range []struct {
		name        string
		fault       func(*plain)
		data        upstreamtest.Data
		fails, open []string
	}{
		{"JSON", jsonOnly, aJSON, []string{"event/protobuf"}, []string{"event/binary"}},
		{"JSON of one content type", jsonWithoutCharset, aJSON, []string{"event/media-type", "event/protobuf"}, []string{"event/binary"}},
		{"binary", binaryOnly, upstreamtest.Binary([]byte{0xff}), []string{"event/protobuf"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := &check.Options{Only: []string{"event"}, Data: map[string]upstreamtest.Data{"message": tt.data}}
			wantVerdicts(t, newPlain(tt.fault), options, tt.fails, tt.open)
		})
	}
}

// The time of day in a reply is no sign of a body that was not read.
func TestEventReplyWithTime(t *testing.T) {
	for _, every := range []int{1, 2, 3} {
		said := 0
		fault := message(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			said++
			_, _ = io.WriteString(w, strings.Repeat("tick ", said/every))
		})
		for _, result := range judged(t, newPlain(fault), &check.Options{Only: []string{"event/chunked"}}).Results {
			if result.Verdict == check.Fails {
				t.Errorf("a reply that is another after %d: %s", every, result.Finding)
			}
		}
	}
}

func TestNoUserEvents(t *testing.T) {
	for _, result := range judged(t, newPlain(), &check.Options{Events: []string{"connect"}, Only: []string{"event", "state"}}).Results {
		if result.Verdict == check.Fails {
			t.Errorf("%s: %s", result.Rule.ID, result.Finding)
		}
	}
}
