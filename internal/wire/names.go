package wire

import (
	"strings"
	"unicode/utf8"
)

// MaxGroupName is the longest name of a group, in characters.
const MaxGroupName = 1024

// ValidHub reports whether s is the name of a hub: a letter, then up to 127
// letters, digits and any of _`,.[] (the pattern of the REST data plane).
func ValidHub(s string) bool { return isName(s, "_`,.[]") }

// ValidEventName reports whether s can be the name of a user event of a client:
// a letter, then up to 127 letters, digits and any of _.- (Microsoft's
// emulator).
func ValidEventName(s string) bool { return isName(s, "_.-") }

// isName reports whether s is a letter, then up to 127 letters, digits and any
// of the others.
func isName(s, others string) bool {
	if len(s) == 0 || len(s) > 128 || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune(others, rune(c)) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// ValidGroup reports whether s is the name of a group: 1 to 1024 characters,
// not all of them white space (REST data plane).
func ValidGroup(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= MaxGroupName
}
