package wire_test

import (
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestRequestID(t *testing.T) {
	for _, tt := range []struct{ name, id, want string }{
		{"none", "", ""},
		{"GUID", "7d1f0a52-3a0e-4a54-9f6e-0a2d2b3c4d5e", "7d1f0a52-3a0e-4a54-9f6e-0a2d2b3c4d5e"},
		{"longest", strings.Repeat("x", 128), strings.Repeat("x", 128)},
		{"too long", strings.Repeat("x", 129), ""},
		{"line break", "a\r\nX: b", ""},
		{"not ASCII", "ü", ""},
	} {
		if got := wire.RequestID(wire.WithRequestID(t.Context(), tt.id)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	outer := wire.WithRequestID(t.Context(), "outer")
	if got, want := wire.RequestID(wire.WithRequestID(outer, "inner")), "inner"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
