package emulator_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func formatResponse(t *testing.T, resp *http.Response) string {
	t.Helper()
	var body []byte
	if resp.Body != nil { // there is none to a WebSocket
		var err error
		if body, err = io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	return formatMessage(strconv.Itoa(resp.StatusCode), resp.Header,
		[]string{"Allow", "Content-Type", "Sec-Websocket-Protocol", "Www-Authenticate", "X-Ms-Error-Code"}, body)
}

// formatMessage shows a request or an answer with some of its headers.
func formatMessage(first string, header http.Header, keys []string, body []byte) string {
	var b strings.Builder
	b.WriteString(first + "\n")
	for _, key := range keys {
		for _, value := range header[key] {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	switch {
	case len(body) == 0:
	case bytes.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\n' || r == utf8.RuneError }):
		fmt.Fprintf(&b, "\nbinary: %x\n", body)
	default:
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	return b.String()
}

// parseMessage reads headers, an empty line and a body.
func parseMessage(text string) (header http.Header, body string) {
	header = http.Header{}
	head, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header.Add(name, strings.TrimSpace(value))
		}
	}
	return header, body
}

// A logBuffer is the log. It may be written to from any goroutine. It keeps
// warnings and errors.
type logBuffer struct {
	opened func(line string) // called for each new connection

	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !bytes.HasPrefix(p, []byte("level=DEBUG")):
		return b.buffer.Write(p)
	case bytes.Contains(p, []byte(`msg="client opened"`)):
		b.opened(string(p))
	}
	return len(p), nil
}

// take returns what was written since the last time.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buffer.Reset()
	return b.buffer.String()
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// Placeholders stand for what differs from run to run: {alice.id} is the
// connection id of the client alice, {alice.token} its reconnection token, and
// {alice.signature} the signature of events about it.
type placeholders struct {
	speaker string            // to whom an unknown id or token belongs
	real    map[string]string // the last value of a placeholder
	short   map[string]string // the placeholder of a value
}

var (
	secrets = regexp.MustCompile(`sha256=[0-9a-f]{64}|eyJ[\w-]+\.[\w-]+\.[\w-]+|\b[0-9a-f]{32}\b`)
	noise   = regexp.MustCompile(`(X-Ms-Client-Request-Id: |"Sec-Websocket-Key":\[")[^"\n]+`)
)

func (p *placeholders) shorten(text string) string {
	return secrets.ReplaceAllStringFunc(noise.ReplaceAllString(text, "$1{random}"), func(value string) string {
		if p.short[value] == "" {
			p.add(value)
		}
		return "{" + p.short[value] + "}"
	})
}

func (p *placeholders) add(value string) {
	if p.real == nil {
		p.real, p.short = map[string]string{}, map[string]string{}
	}
	name := p.speaker + ".id"
	switch {
	case strings.HasPrefix(value, "sha256="):
		name = "wrong signature" // the right one was added with the id
	case strings.HasPrefix(value, "eyJ"):
		name = p.speaker + ".token"
	default:
		signature := wire.Sign(value, emulator.DefaultAccessKey)
		p.short[signature] = p.speaker + ".signature"
	}
	p.real[name], p.short[value] = value, name
}

func (p *placeholders) expand(text string) string {
	for name, value := range p.real {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// linesOf yields the lines of a text, and none of an empty one.
func linesOf(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}
