package wire

import "strings"

// The prefixes of ce-type. They compare without case; what follows a user
// prefix keeps its spelling.
const (
	TypePrefix     = "azure.webpubsub."
	typePrefixSys  = TypePrefix + "sys."
	typePrefixUser = TypePrefix + "user."
	typePrefixGP   = TypePrefix + "gp."
)

// The values of ce-type that the service's documents and SDKs list.
const (
	TypeConnect      = typePrefixSys + "connect"
	TypeConnected    = typePrefixSys + "connected"
	TypeDisconnected = typePrefixSys + "disconnected"
	TypeGroupJoined  = typePrefixGP + "joined"
	TypeGroupLeft    = typePrefixGP + "left"
)

// A Kind is what a ce-type asks for.
type Kind int

// The kinds of events. KindForeign is a type that is not Web PubSub's,
// KindUnknown one that is, but that is not known here.
const (
	KindForeign Kind = iota
	KindUnknown
	KindConnect
	KindConnected
	KindDisconnected
	KindGroupJoined
	KindGroupLeft
	KindUser
)

var kindsByType = map[string]Kind{
	TypeConnect:      KindConnect,
	TypeConnected:    KindConnected,
	TypeDisconnected: KindDisconnected,
	TypeGroupJoined:  KindGroupJoined,
	TypeGroupLeft:    KindGroupLeft,
}

// UserType returns the ce-type of a user event.
func UserType(name string) string { return typePrefixUser + name }

// ParseType takes a ce-type apart into its kind and the name of its event, in
// the spelling received unless the kind has one of its own. The name of a user
// event may be empty: such a type is of no use to anyone, but
// it is for the caller to refuse it.
func ParseType(ceType string) (kind Kind, name string) {
	if name, ok := cutPrefixFold(ceType, typePrefixUser); ok {
		return KindUser, name
	}
	if _, ok := cutPrefixFold(ceType, TypePrefix); !ok {
		return KindForeign, ""
	}
	name = ceType[strings.LastIndexByte(ceType, '.')+1:]
	if kind, ok := kindsByType[strings.ToLower(ceType)]; ok {
		return kind, strings.ToLower(name)
	}
	return KindUnknown, name
}

// String names a kind by its last words.
func (k Kind) String() string {
	switch k {
	case KindConnect:
		return "connect"
	case KindConnected:
		return "connected"
	case KindDisconnected:
		return "disconnected"
	case KindGroupJoined:
		return "group joined"
	case KindGroupLeft:
		return "group left"
	case KindUser:
		return "user event"
	case KindUnknown:
		return "unknown event"
	}
	return "foreign type"
}

// Blocking reports whether the service waits for the answer of such an event
// and takes a new connection state from it.
func (k Kind) Blocking() bool { return k == KindConnect || k == KindUser }

func cutPrefixFold(s, prefix string) (after string, ok bool) {
	if after, ok := strings.CutPrefix(s, prefix); ok {
		return after, true // as it comes
	}
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
