package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

const signaturePrefix = "sha256="

// Sign returns the ce-signature of a connection id: one token for each key, in
// the order given, joined by a comma. The key is the text that the connection
// string shows, it is not base64-decoded.
func Sign(connectionID string, keys ...string) string {
	tokens := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(connectionID))
		tokens[i] = signaturePrefix + hex.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(tokens, ",")
}

// Keys checks signatures against a fixed set of access keys. It is safe for
// concurrent use.
type Keys struct {
	macs []*sync.Pool // of *keyedMAC, one pool for each key
}

// A keyedMAC owns the buffers of one computation: what hash.Hash takes and
// returns escapes to the heap, so allocating it once and keeping it with the
// hash is what makes a check free of allocations.
type keyedMAC struct {
	hash    hash.Hash
	message []byte
	sum     []byte
}

// NewKeys returns the set of the given keys. Empty keys and duplicates are
// left out: nobody may sign with an empty key.
func NewKeys(keys ...string) *Keys {
	k := &Keys{}
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		secret := []byte(key)
		k.macs = append(k.macs, &sync.Pool{New: func() any {
			return &keyedMAC{hash: hmac.New(sha256.New, secret), sum: make([]byte, 0, sha256.Size)}
		}})
	}
	return k
}

// Verify reports whether any token of a ce-signature header was made with any
// of the keys for this connection id. Tokens of another form are skipped. An
// empty connection id is never valid.
//
// The comparison of two digests takes the same time wherever they differ. That
// it ends with the first match tells which key was used, and nothing about it.
func (k *Keys) Verify(connectionID, signature string) bool {
	if connectionID == "" || signature == "" {
		return false
	}
	for _, pool := range k.macs {
		mac := pool.Get().(*keyedMAC)
		ok := hasToken(signature, mac.of(connectionID))
		pool.Put(mac)
		if ok {
			return true
		}
	}
	return false
}

// hasToken reports whether any token of a signature is this digest.
func hasToken(signature string, want []byte) bool {
	for rest := signature; rest != ""; {
		var token string
		token, rest = cutListElement(rest)
		if got, wellFormed := decodeToken(token); wellFormed && hmac.Equal(got[:], want) {
			return true
		}
	}
	return false
}

func (m *keyedMAC) of(message string) []byte {
	m.hash.Reset()
	m.message = append(m.message[:0], message...)
	m.hash.Write(m.message)
	m.sum = m.hash.Sum(m.sum[:0])
	return m.sum
}

// decodeToken reads sha256=<64 hex digits>, in either case.
func decodeToken(token string) (sum [sha256.Size]byte, ok bool) {
	digits, ok := cutPrefixFold(token, signaturePrefix)
	var text [2 * sha256.Size]byte
	if !ok || copy(text[:], digits) != len(digits) || len(digits) != len(text) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], text[:])
	return sum, err == nil
}
