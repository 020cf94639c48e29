package inspector

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A body is one for show: text if it is, or else bytes in base64.
type body struct {
	Size      int    `json:"size"` // of all of it
	Truncated bool   `json:"truncated,omitempty"`
	Text      string `json:"text,omitempty"`
	Base64    string `json:"base64,omitempty"`
	JSON      bool   `json:"json,omitempty"`
}

// newBody returns the beginning of a body that has size bytes.
func newBody(data []byte, size int) body {
	data = data[:min(len(data), shownBytes)]
	b := body{Size: size, Truncated: len(data) < size}
	text := data
	if b.Truncated {
		text = wholeRunes(data)
	}
	if isText(text) {
		b.Text = string(text)
		b.JSON = !b.Truncated && json.Valid(text)
	} else {
		b.Base64 = base64.StdEncoding.EncodeToString(data)
	}
	return b
}

// isText reports whether data is readable: UTF-8, without control characters
// other than white space. Protocol Buffers are often UTF-8, and have those.
func isText(data []byte) bool {
	for _, c := range data {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(data)
}

// wholeRunes cuts off a rune that is not complete.
func wholeRunes(data []byte) []byte {
	for i := len(data) - 1; i >= 0 && i >= len(data)-utf8.UTFMax; i-- {
		if utf8.RuneStart(data[i]) {
			if !utf8.FullRune(data[i:]) {
				return data[:i]
			}
			break
		}
	}
	return data
}

// A state is the connection state as it was sent, and decoded if that can be
// done.
type state struct {
	Raw  string          `json:"raw"`
	JSON json.RawMessage `json:"json,omitempty"`
}

// newState returns nil for an empty state. The SDKs send JSON in base64, and
// other handlers may send anything. As in them, padding is optional and either
// alphabet will do.
func newState(raw string) *state {
	if raw == "" {
		return nil
	}
	s := &state{Raw: raw}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(raw, "="))
	if decoded, err := base64.RawStdEncoding.DecodeString(standard); err == nil && isJSON(decoded) {
		s.JSON = decoded
	} else if isJSON([]byte(raw)) {
		s.JSON = json.RawMessage(raw)
	}
	return s
}

func isJSON(data []byte) bool { return json.Valid(data) && utf8.Valid(data) }
