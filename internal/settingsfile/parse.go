package settingsfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A kind is what a value is.
type kind int

const (
	kindNone kind = iota // nothing but a way to what is below
	kindNull
	kindString
	kindNumber
	kindBool
	kindObject
	kindList
)

func (k kind) String() string {
	switch k {
	case kindNull:
		return "null"
	case kindString:
		return "text"
	case kindNumber:
		return "a number"
	case kindBool:
		return "true or false"
	case kindList:
		return "a list"
	}
	return "an object"
}

// A node is one value of the configuration and what is below it. The elements
// of a list have their numbers for names, as in .NET.
type node struct {
	place    // of the value
	kind     kind
	name     string // as spelled where it came up first
	named    place  // of the name
	text     string // of text, a number, true and false
	parent   *node
	members  []*node
	byFolded map[string]*node
}

// path returns the names that lead to n, joined by colons as in .NET.
func (n *node) path() string {
	if n.parent == nil || n.parent.parent == nil {
		return n.name
	}
	return n.parent.path() + ":" + n.name
}

// member returns the member of that name, without regard to case, and makes it
// if there is none.
func (n *node) member(name string, at place) *node {
	folded := fold(name)
	if m := n.byFolded[folded]; m != nil {
		return m
	}
	m := &node{name: name, named: at, place: at, parent: n}
	if n.byFolded == nil {
		n.byFolded = make(map[string]*node)
	}
	n.byFolded[folded] = m
	n.members = append(n.members, m)
	return m
}

// fold puts the ASCII letters of a name into lower case, and no others.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

// maxDepth is how deep values may nest.
const maxDepth = 64

var byteOrderMark = []byte("\uFEFF")

// A parser reads JSON with comments and trailing commas. It stops at the first
// fault.
type parser struct {
	data []byte
	pos  int
}

// parse reads the file into root.
func parse(data []byte, root *node) *fault {
	switch {
	case len(data) > MaxSize:
		return &fault{MaxSize, fmt.Sprintf("the file has more than %d bytes", MaxSize)}
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return &fault{0, "the file is in UTF-16, UTF-8 is expected"}
	}
	if i := invalidUTF8(data); i >= 0 {
		return &fault{i, "this is no text in UTF-8"}
	}
	p := &parser{data: data}
	if bytes.HasPrefix(data, byteOrderMark) {
		p.pos = len(byteOrderMark)
	}
	if err := p.space(); err != nil {
		return err
	}
	if p.peek() != '{' {
		return p.unexpected("an object in braces is expected")
	}
	if err := p.value(root, 0); err != nil {
		return err
	}
	if err := p.space(); err != nil {
		return err
	}
	if p.pos < len(data) {
		return p.unexpected("nothing more is expected after the closing brace")
	}
	return nil
}

// invalidUTF8 returns the offset of the first byte that is no UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
}

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.pos == len(p.data) {
		return 0
	}
	return p.data[p.pos]
}

// unexpected reports the place where the parser is. It does not say what stands
// there: a quotation mark that is missing puts a key anywhere.
func (p *parser) unexpected(want string) *fault {
	if p.pos == len(p.data) {
		return &fault{p.pos, "the file ends too early: " + want}
	}
	return &fault{p.pos, want}
}

// space skips white space and comments.
func (p *parser) space() *fault {
	for p.pos < len(p.data) {
		rest := p.data[p.pos:]
		switch {
		case bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0:
			p.pos++
		case bytes.HasPrefix(rest, []byte("//")):
			end := bytes.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			p.pos += end
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				return &fault{p.pos, "this comment has no end"}
			}
			p.pos += 2 + end + 2
		default:
			return nil
		}
	}
	return nil
}

// value reads a value into n.
func (p *parser) value(n *node, depth int) *fault {
	if depth > maxDepth {
		return &fault{p.pos, fmt.Sprintf("values nest more than %d deep", maxDepth)}
	}
	if n.kind != kindNone {
		return &fault{p.pos, "this repeats an earlier value"}
	}
	n.offset = p.pos
	switch c := p.peek(); {
	case c == '{':
		n.kind = kindObject
		return p.elements('}', func(int) *fault { return p.pair(n, depth) })
	case c == '[':
		n.kind = kindList
		return p.elements(']', func(i int) *fault {
			return p.value(n.member(strconv.Itoa(i), place{offset: p.pos}), depth+1)
		})
	case c == '"':
		n.kind = kindString
		return p.quoted(&n.text)
	}
	return p.literal(n)
}

// elements reads what stands between brackets, separated by commas.
func (p *parser) elements(closing byte, element func(i int) *fault) *fault {
	p.pos++ // the opening bracket
	for i := 0; ; i++ {
		if err := p.space(); err != nil {
			return err
		}
		if p.peek() == closing {
			p.pos++
			return nil
		}
		if err := element(i); err != nil {
			return err
		}
		if err := p.space(); err != nil {
			return err
		}
		switch p.peek() {
		case ',':
			p.pos++
		case closing:
		default:
			return p.unexpected(fmt.Sprintf("a comma or %q is expected", closing))
		}
	}
}

// pair reads a member of an object. Colons in its name separate names.
func (p *parser) pair(n *node, depth int) *fault {
	start := p.pos
	if p.peek() != '"' {
		return p.unexpected("a name in quotation marks is expected")
	}
	var name string
	if err := p.quoted(&name); err != nil {
		return err
	}
	target := n
	for part := range strings.SplitSeq(name, ":") {
		depth++
		if target != n && target.kind != kindNone && target.kind != kindObject {
			return &fault{start, fmt.Sprintf("%.64q is a member of something that is %v already", name, target.kind)}
		}
		target = target.member(part, place{offset: start})
	}
	if target.kind != kindNone {
		return &fault{start, fmt.Sprintf("the name %.64q repeats an earlier one; names have no case", name)}
	}
	if err := p.space(); err != nil {
		return err
	}
	if p.peek() != ':' {
		return p.unexpected("a colon is expected after a name")
	}
	p.pos++
	if err := p.space(); err != nil {
		return err
	}
	return p.value(target, depth)
}

// quoted reads text in quotation marks.
func (p *parser) quoted(into *string) *fault {
	start := p.pos
	for i := start + 1; i < len(p.data); i++ {
		switch c := p.data[i]; {
		case c == '\\':
			i++
		case c < 0x20:
			return &fault{start, "this text has no closing quotation mark on its line"}
		case c == '"':
			p.pos = i + 1
			if json.Unmarshal(p.data[start:p.pos], into) != nil {
				return &fault{start, `this text has a backslash before a wrong character; in JSON, \\ stands for a backslash`}
			}
			return nil
		}
	}
	return &fault{start, "this text has no closing quotation mark"}
}

// literal reads a number, true, false or null.
func (p *parser) literal(n *node) *fault {
	rest := p.data[p.pos:]
	end := bytes.IndexFunc(rest, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')
	})
	if end < 0 {
		end = len(rest)
	}
	n.text = string(rest[:end])
	switch {
	case !json.Valid(rest[:end]):
		return p.unexpected("a value is expected: text in quotation marks, a number, true, false, null, a list or an object")
	case n.text == "null":
		n.kind = kindNull
	case n.text == "true", n.text == "false":
		n.kind = kindBool
	default:
		n.kind = kindNumber
	}
	p.pos += end
	return nil
}
