package inspector

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBody(t *testing.T) {
	long := strings.Repeat("a", shownBytes)
	tests := []struct {
		name string
		data string
		size int // 0 for the length of data
		want body
	}{
		{"empty", "", 0, body{}},
		{"text", "hello", 0, body{Size: 5, Text: "hello"}},
		{"text with white space", "a\tb\r\nc", 0, body{Size: 6, Text: "a\tb\r\nc"}},
		{"other scripts", "héllo 你好", 0, body{Size: 13, Text: "héllo 你好"}},
		{"markup", "<b>&", 0, body{Size: 4, Text: "<b>&"}},
		{"a JSON object", `{"a":1}`, 0, body{Size: 7, Text: `{"a":1}`, JSON: true}},
		{"a JSON number", "42", 0, body{Size: 2, Text: "42", JSON: true}},
		{"almost JSON", `{"a":1`, 0, body{Size: 6, Text: `{"a":1`}},
		{"NUL", "a\x00b", 0, body{Size: 3, Base64: "YQBi"}},
		{"Protocol Buffers that are UTF-8", "\x0a\x05hello", 0, body{Size: 7, Base64: "CgVoZWxsbw=="}},
		{"delete", "\x7f", 0, body{Size: 1, Base64: "fw=="}},
		{"no UTF-8", "\xff\xfe", 0, body{Size: 2, Base64: "//4="}},
		{"half a rune", "a\xe4\xbd", 0, body{Size: 3, Base64: "YeS9"}},
		{"as much as is shown", long, 0, body{Size: shownBytes, Text: long}},
		{"longer", long + "b", 0, body{Size: shownBytes + 1, Truncated: true, Text: long}},
		{"shortened before", "abc", 9, body{Size: 9, Truncated: true, Text: "abc"}},
		{"JSON that is not whole", "12", 9, body{Size: 9, Truncated: true, Text: "12"}},
		{"cut within a rune", long[1:] + "ü", 0, body{Size: shownBytes + 1, Truncated: true, Text: long[1:]}},
		{"cut within a longer rune", long[2:] + "😀", 0, body{Size: shownBytes + 2, Truncated: true, Text: long[2:]}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size := tt.size
			if size == 0 {
				size = len(tt.data)
			}
			if got := newBody([]byte(tt.data), size); got != tt.want {
				t.Errorf("got %.200q, want %.200q", asJSON(got), asJSON(tt.want))
			}
		})
	}
}

func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{"", "hello", `{"a":1}`, "a\x00", "\xff", "12", "ü", "\xe4\xbd"} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, more int) {
		if more < 0 {
			return
		}
		b := newBody(data, len(data)+more)
		switch {
		case b.Size != len(data)+more || b.Truncated != (more > 0 || len(data) > shownBytes):
			t.Errorf("size %d, truncated %t, want those of %d bytes of %d", b.Size, b.Truncated, len(data), len(data)+more)
		case b.Text != "" && b.Base64 != "":
			t.Error("both text and bytes")
		case !utf8.ValidString(b.Text):
			t.Errorf("text %q is no UTF-8", b.Text)
		case !strings.HasPrefix(string(data), b.Text) || len(b.Text) > shownBytes:
			t.Errorf("text %q is not the beginning of %q", b.Text, data)
		case b.JSON && !json.Valid(data):
			t.Errorf("%q is no JSON", data)
		case b.Base64 != "":
			if got, err := base64.StdEncoding.DecodeString(b.Base64); err != nil || !bytes.Equal(got, data[:min(len(data), shownBytes)]) {
				t.Errorf("got %q, %v, want %q", got, err, data)
			}
		case len(b.Text) < min(len(data), shownBytes) && !b.Truncated:
			t.Errorf("got %q, want all of %q", b.Text, data)
		}
	})
}

func TestState(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"the libraries' form", "eyJuYW1lIjoiYWxpY2UifQ==", `{"name":"alice"}`},
		{"without padding", "eyJuYW1lIjoiYWxpY2UifQ", `{"name":"alice"}`},
		{"with too much of it", "e30===", `{}`},
		{"the other alphabet", "eyJhIjoiPz8_In0", `{"a":"???"}`},
		{"other scripts", base64.StdEncoding.EncodeToString([]byte(`{"n":"你好"}`)), `{"n":"你好"}`},
		{"values that are base64 themselves", base64.StdEncoding.EncodeToString([]byte(`{"cart":"NDI="}`)), `{"cart":"NDI="}`},
		{"plain JSON", `{"a":[1,2]}`, `{"a":[1,2]}`},
		{"a plain word of JSON", "true", "true"},
		{"plain text", "hello", ""},
		{"plain text that is base64", "abcd", ""},
		{"base64 of no JSON", "aGVsbG8=", ""},
		{"base64 of no UTF-8", base64.StdEncoding.EncodeToString([]byte("\"\xff\"")), ""},
		{"no UTF-8", "\"\xff\"", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newState(tt.raw)
			if got := string(s.JSON); got != tt.want || s.Raw != tt.raw {
				t.Errorf("got %q of %q, want %q", got, s.Raw, tt.want)
			}
		})
	}
	if got := newState(""); got != nil {
		t.Errorf("an empty state: got %v, want none", got)
	}
}

func FuzzState(f *testing.F) {
	for _, seed := range []string{"", "e30=", "e30", "{}", "hello", `"\ud800"`, "MQ==", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s := newState(raw)
		if s == nil {
			if raw != "" {
				t.Errorf("%q is no state", raw)
			}
			return
		}
		if s.Raw != raw {
			t.Errorf("got %q, want %q", s.Raw, raw)
		}
		text, err := json.Marshal(s)
		if err != nil || !utf8.Valid(text) {
			t.Errorf("%q does not make JSON: %v", raw, err)
		}
	})
}
