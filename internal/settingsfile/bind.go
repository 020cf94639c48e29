package settingsfile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// maxWarnings is how many warnings are kept.
const maxWarnings = 20

// A binder makes settings of nodes and collects what is wrong with them.
type binder struct {
	name     string
	data     []byte
	errs     []error
	warnings []string
}

func (b *binder) at(p place, reason string) *Error {
	if p.variable != "" {
		return &Error{Name: "environment variable " + p.variable, Reason: reason}
	}
	f := fault{p.offset, reason}
	return f.in(b.name, b.data)
}

func (b *binder) errorf(p place, format string, args ...any) {
	if len(b.errs) < MaxErrors {
		b.errs = append(b.errs, b.at(p, fmt.Sprintf(format, args...)))
	}
}

func (b *binder) warnf(p place, format string, args ...any) {
	if len(b.warnings) < maxWarnings {
		b.warnings = append(b.warnings, b.at(p, fmt.Sprintf(format, args...)).Error())
	}
}

// A member is a name that an object may have, and what becomes of its value.
type member struct {
	name string
	bind func(*node)
}

// object binds the members of n. Unknown ones are warnings: the file may be
// made for a later version, or for Microsoft's emulator.
func (b *binder) object(n *node, members ...member) {
	switch n.kind {
	case kindNone, kindObject:
	case kindNull:
		return
	default:
		b.errorf(n.place, "%s is %v, an object is expected", n.path(), n.kind)
		return
	}
	for _, m := range n.members {
		i := slices.IndexFunc(members, func(known member) bool { return fold(known.name) == fold(m.name) })
		if i >= 0 {
			members[i].bind(m)
			continue
		}
		hint := hints[fold(m.name)]
		if near := nearest(m.name, members); near != "" {
			hint = "did you mean " + near + "?"
		}
		if hint != "" {
			hint = ": " + hint
		}
		b.warnf(m.named, "%.64q is not known here and not used%s", m.name, hint)
	}
}

// hints are for names that people have a reason to try.
var hints = map[string]string{
	"usereventpattern":       "the file's name for it is EventPattern",
	"connectionstring":       "the key is set by AccessKey, the address by Urls",
	"anonymousconnectpolicy": "it belongs into a hub",
	"eventhandlers":          "they belong into a hub, which belongs into WebPubSub:Hubs",
	"hubs":                   "they belong into WebPubSub",
}

// check reports an error about the value of n.
func (b *binder) check(n *node, err error) {
	if err != nil {
		b.errorf(n.place, "%s %v", n.path(), err)
	}
}

// text returns the text of n. For null, and for anything else, which is
// reported, ok is false.
func (b *binder) text(n *node) (s string, ok bool) {
	switch n.kind {
	case kindString:
		return n.text, true
	case kindNull:
	default:
		b.errorf(n.place, "%s is %v, text in quotation marks is expected", n.path(), n.kind)
	}
	return "", false
}

// truth returns true or false, which the environment says in text.
func (b *binder) truth(n *node) bool {
	switch {
	case n.kind == kindNull:
		return false
	case n.kind == kindBool, n.kind == kindString:
		if s := fold(n.text); s == "true" || s == "false" {
			return s == "true"
		}
	}
	b.errorf(n.place, "%s is neither true nor false", n.path())
	return false
}

// list returns the elements of a list in their order. Those that the
// environment adds may have any numbers.
func (b *binder) list(n *node) []*node {
	switch n.kind {
	case kindNone, kindList:
	case kindNull:
		return nil
	default:
		b.errorf(n.place, "%s is %v, a list is expected", n.path(), n.kind)
		return nil
	}
	type element struct {
		index int
		node  *node
	}
	var elements []element
	for _, m := range n.members {
		i, err := strconv.Atoi(m.name)
		if err != nil || i < 0 || strconv.Itoa(i) != m.name {
			b.errorf(m.named, "%.64q is no place in the list %s: a number from 0 on is expected", m.name, n.path())
			continue
		}
		elements = append(elements, element{i, m})
	}
	slices.SortStableFunc(elements, func(x, y element) int { return cmp.Compare(x.index, y.index) })
	nodes := make([]*node, len(elements))
	for i, e := range elements {
		nodes[i] = e.node
	}
	return nodes
}

// texts returns the elements of a list of text that pass the check.
func (b *binder) texts(n *node, check func(string) error) []string {
	var texts []string
	for _, e := range b.list(n) {
		s, ok := b.text(e)
		if e.kind == kindNull {
			b.errorf(e.place, "%s is null, text in quotation marks is expected", e.path())
		}
		if !ok {
			continue
		}
		b.check(e, check(s))
		texts = append(texts, s)
	}
	return texts
}

// file binds the whole. Sections other than ours are none of our business: the
// file is often that of an application, too.
func (b *binder) file(root *node) *File {
	f := &File{}
	for _, n := range root.members {
		switch fold(n.name) {
		case "urls":
			f.Listen = b.urls(n)
		case "webpubsub":
			b.section(n, f)
		case "hubs", "eventhandlers":
			b.warnf(n.named, "%.64q is not used: %s", n.name, hints[fold(n.name)])
		default:
			if nearest(n.name, []member{{name: "WebPubSub"}}) != "" {
				b.warnf(n.named, "%.64q is not used: did you mean WebPubSub?", n.name)
			}
		}
	}
	return f
}

func (b *binder) section(n *node, f *File) {
	b.object(
		n,
		member{"Hubs", func(n *node) { f.Settings.Hubs = b.hubs(n) }},
		member{"AccessKey", func(n *node) {
			var ok bool
			if f.AccessKey, ok = b.text(n); ok {
				b.check(n, checkAccessKey(f.AccessKey))
			}
		}},
		member{"AllowUnvalidatedEntraTokens", func(n *node) {
			if b.truth(n) {
				b.warnf(n.named, "%s is not supported: requests have to be signed with the access key", n.path())
			}
		}},
	)
}

func (b *binder) hubs(n *node) map[string]emulator.HubSettings {
	switch n.kind {
	case kindNone, kindObject:
	case kindNull:
		return nil
	default:
		b.errorf(n.place, "%s is %v, an object with hubs is expected", n.path(), n.kind)
		return nil
	}
	hubs := make(map[string]emulator.HubSettings, len(n.members))
	for _, hub := range n.members {
		if !wire.ValidHub(hub.name) {
			b.errorf(hub.named, "%.130q is no name of a hub: a letter and up to 127 letters, digits and any of _`,.[] are expected", hub.name)
			continue
		}
		hubs[hub.name] = b.hub(hub)
	}
	return hubs
}

func (b *binder) hub(n *node) (h emulator.HubSettings) {
	b.object(
		n,
		member{"EventHandlers", func(n *node) {
			for _, e := range b.list(n) {
				h.EventHandlers = append(h.EventHandlers, b.handler(e))
			}
		}},
		member{"EventListeners", func(n *node) {
			if len(b.list(n)) > 0 {
				b.warnf(n.named, "%s are not supported: nothing is sent to Event Hubs", n.path())
			}
		}},
		member{"AnonymousConnectPolicy", func(n *node) {
			policy, ok := b.text(n)
			h.AllowAnonymous = fold(policy) == "allow"
			if ok && !h.AllowAnonymous && fold(policy) != "deny" {
				b.errorf(n.place, `%s is neither "allow" nor "deny"`, n.path())
			}
		}},
		member{"CloseOnEventFailure", func(n *node) { h.CloseOnEventFailure = b.truth(n) }},
		member{"WebSocketKeepAliveIntervalInSeconds", func(n *node) {
			if n.kind == kindNull {
				return
			}
			seconds, err := strconv.Atoi(n.text)
			if n.kind != kindNumber && n.kind != kindString || err != nil || seconds < 1 || seconds > 120 {
				b.errorf(n.place, "%s is no whole number from 1 to 120", n.path())
				return
			}
			h.KeepAlive = time.Duration(seconds) * time.Second
		}},
	)
	return h
}

func (b *binder) handler(n *node) (h emulator.EventHandler) {
	if n.kind == kindNull {
		b.errorf(n.place, "%s is null, an object is expected", n.path())
		return h
	}
	hasURL := n.kind != kindNone && n.kind != kindObject // that is enough of an error
	failed := len(b.errs)
	b.object(
		n,
		member{"UrlTemplate", func(n *node) {
			hasURL = n.kind != kindNull
			var ok bool
			if h.URLTemplate, ok = b.text(n); ok {
				b.check(n, checkURLTemplate(h.URLTemplate))
			}
		}},
		member{"SystemEvents", func(n *node) {
			h.SystemEvents = b.texts(n, func(s string) error {
				return checkEvents(emulator.EventHandler{SystemEvents: []string{s}})
			})
		}},
		member{"EventPattern", func(n *node) {
			h.UserEventPattern, _ = b.text(n)
			b.check(n, checkEvents(emulator.EventHandler{UserEventPattern: h.UserEventPattern}))
			if name := impossibleEvent(h.UserEventPattern); name != "" {
				b.warnf(n.place, "%.64q in %s is the name of no event: those begin with a letter and go on with letters, digits, _, . and -", name, n.path())
			}
		}},
		member{"GroupPresenceEvents", func(n *node) {
			b.object(
				n,
				member{"EventNames", func(n *node) {
					h.GroupEvents = b.texts(n, func(s string) error {
						return checkEvents(emulator.EventHandler{GroupEvents: []string{s}})
					})
				}},
				member{"GroupFilters", func(n *node) {
					h.GroupFilters = b.texts(n, func(s string) error {
						return checkEvents(emulator.EventHandler{GroupFilters: []string{s}})
					})
				}},
			)
		}},
		member{"Auth", b.auth},
	)
	if !hasURL {
		b.errorf(n.place, "%s has no UrlTemplate", n.path())
	}
	if len(b.errs) == failed && len(h.SystemEvents)+len(h.GroupEvents) == 0 && strings.Trim(h.UserEventPattern, ", ") == "" {
		b.warnf(n.place, "%s takes no events: it has neither SystemEvents nor an EventPattern", n.path())
	}
	return h
}

// auth refuses what Azure has for handlers that want a bearer token: to call them
// without one would hide that.
func (b *binder) auth(n *node) {
	b.object(
		n,
		member{"Type", func(n *node) {
			if kind, _ := b.text(n); kind != "" && fold(kind) != "none" {
				b.errorf(n.place, "%s is %.64q, and not None: there is no identity here that handlers would know", n.path(), kind)
			}
		}},
		member{"ManagedIdentity", func(*node) {}}, // counts for that type only
	)
}

func (b *binder) urls(n *node) []Listen {
	urls, _ := b.text(n)
	var listen []Listen
	for url := range strings.SplitSeq(urls, ";") {
		if url = strings.TrimSpace(url); url == "" {
			continue
		}
		l, ok := parseListen(url)
		if !ok {
			b.errorf(n.place, "%s: address %d is none to listen on: http://host:port or https://host:port is expected, without a path", n.path(), len(listen)+1)
			break
		}
		listen = append(listen, l)
	}
	return listen
}
