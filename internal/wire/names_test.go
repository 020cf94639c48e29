package wire

import (
	"strings"
	"testing"
)

func TestValidHub(t *testing.T) {
	for name, want := range map[string]bool{
		"chat": true, "C": true, "a_1`,.[]": true, "a" + strings.Repeat("b", 127): true,
		"": false, "1chat": false, "_chat": false, "chat-room": false, "chat room": false, "chät": false, "a" + strings.Repeat("b", 128): false,
	} {
		if got := ValidHub(name); got != want {
			t.Errorf("ValidHub(%q): got %v, want %v", name, got, want)
		}
	}
}

func TestValidEventName(t *testing.T) {
	for name, want := range map[string]bool{
		"message": true, "room.Message_2-x": true, "a" + strings.Repeat("b", 127): true,
		"": false, "2fast": false, "a b": false, "a,b": false, "é": false, "a" + strings.Repeat("b", 128): false,
	} {
		if got := ValidEventName(name); got != want {
			t.Errorf("ValidEventName(%q): got %v, want %v", name, got, want)
		}
	}
}

func TestValidGroup(t *testing.T) {
	for name, want := range map[string]bool{
		"g": true, " g ": true, "a/b?c": true, strings.Repeat("ä", MaxGroupName): true,
		"": false, " \t\u00a0": false, strings.Repeat("g", MaxGroupName+1): false,
	} {
		if got := ValidGroup(name); got != want {
			t.Errorf("ValidGroup(%.20q): got %v, want %v", name, got, want)
		}
	}
}
