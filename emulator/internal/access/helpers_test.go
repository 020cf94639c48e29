package access_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

const (
	primary   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
	secondary = "secondary-key-that-is-long-enough-to-be-one"
	foreign   = "foreign-key-that-is-long-enough-to-be-a-key"
	audience  = "http://localhost:8080/client/hubs/chat"
)

var (
	keys  = access.Keys{primary, secondary}
	hosts = []string{"localhost:8080", "", "Demo.Example"}
)

// encode makes a JWT from the text of its first two parts, without the library
// that is used to check it.
func encode(header, payload, key string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(digest(signed, key))
}

func digest(signed, key string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// hs256 makes a JWT with the usual header and the primary key.
func hs256(payload string) string { return encode(`{"alg":"HS256","typ":"JWT"}`, payload, primary) }

func sign(t *testing.T, key, audience string, o access.SignOptions) string {
	t.Helper()
	token, err := access.Sign(key, audience, o)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// decode returns the header and the payload of a JWT.
func decode(t *testing.T, token string) (header, payload string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts, want 3", token, len(parts))
	}
	var texts []string
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || !json.Valid(text) {
			t.Fatalf("%q: %q is not JSON in base64url", token, part)
		}
		texts = append(texts, string(text))
	}
	return texts[0], texts[1]
}

// refused requires an *access.Error whose text says all of want, and none of the
// keys.
func refused(t *testing.T, err error, want ...string) *access.Error {
	t.Helper()
	e, ok := errors.AsType[*access.Error](err)
	if !ok {
		t.Fatalf("got error %v, want an *access.Error about %q", err, want)
	}
	for _, w := range want {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("got %q, want it to say %q", e, w)
		}
	}
	for _, key := range []string{primary, secondary, foreign} {
		if strings.Contains(e.Error(), key) {
			t.Errorf("%q shows a key", e)
		}
	}
	if len(e.Error()) > 2500 {
		t.Errorf("the error has %d bytes", len(e.Error()))
	}
	return e
}
