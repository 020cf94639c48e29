package protocol

// maxEventName is the length of the longest name of an event.
const maxEventName = 128

// ValidEvent reports whether clients can send an event of this name: an ASCII
// letter and up to 127 ASCII letters, digits, dots, hyphens and underscores.
// That is the rule of Microsoft's emulator, which names it the one of the
// service; such a name can stand in a header and in a URL as it is.
func ValidEvent(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= maxEventName
}

// printable reports whether text is ASCII without control characters. Such a
// value is safe in a header.
func printable(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
