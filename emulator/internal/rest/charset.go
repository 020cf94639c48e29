package rest

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// A decoder makes UTF-8 of text in a charset. Where the bytes are no text of
// it, the result need not be valid.
type decoder func([]byte) []byte

// charsets are the ones that every system has at hand, by their names in lower
// case. Without a name it is UTF-8.
var charsets = map[string]decoder{
	"":           asIs,
	"utf-8":      asIs,
	"us-ascii":   asIs,
	"iso-8859-1": latin1,
	"utf-16":     fromUTF16,
	"utf-16le":   func(b []byte) []byte { return decodeUTF16(b, binary.LittleEndian) },
	"utf-16be":   func(b []byte) []byte { return decodeUTF16(b, binary.BigEndian) },
}

var knownCharsets = strings.Join(slices.Sorted(maps.Keys(charsets))[1:], ", ")

func asIs(b []byte) []byte { return b }

func latin1(b []byte) []byte {
	text := make([]rune, len(b))
	for i, c := range b {
		text[i] = rune(c)
	}
	return []byte(string(text))
}

// fromUTF16 obeys a byte order mark and takes it off. Without one the text is
// little endian, as .NET has it.
func fromUTF16(b []byte) []byte {
	switch {
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		return decodeUTF16(b[2:], binary.BigEndian)
	case len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe:
		b = b[2:]
	}
	return decodeUTF16(b, binary.LittleEndian)
}

// decodeUTF16 puts U+FFFD where the text is broken, also for half a character
// at its end.
func decodeUTF16(b []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, (len(b)+1)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	if len(b) > 0 {
		units = append(units, 0xfffd)
	}
	return []byte(string(utf16.Decode(units)))
}
