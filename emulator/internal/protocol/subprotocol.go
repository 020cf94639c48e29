package protocol

// subprotocols are the codecs that clients can ask for by name.
var subprotocols = []Codec{JSON(), JSONReliable()}

// Lookup returns the codec of a subprotocol. Names compare without case. It
// returns false for a subprotocol that the service does not speak itself: a
// client that a connect handler gave such a one is a simple client.
func Lookup(name string) (Codec, bool) {
	for _, c := range subprotocols {
		if lowerASCII(name) == c.Name() {
			return c, true
		}
	}
	return nil, false
}

// Negotiate chooses among the subprotocols that a client offers when no connect
// handler does: the first one that has a codec. The name is the client's
// spelling of it, which the answer to the handshake repeats. It returns false
// when there is none, which makes the client a simple one.
func Negotiate(offered []string) (c Codec, name string, ok bool) {
	for _, name := range offered {
		if c, ok := Lookup(name); ok {
			return c, name, true
		}
	}
	return nil, "", false
}
