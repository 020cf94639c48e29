package access_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

// genuine reports whether a token was signed with the primary key.
func genuine(token string) bool {
	i := strings.LastIndex(token, ".")
	if i < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	return err == nil && bytes.Equal(signature, digest(token[:i], primary))
}

// FuzzVerifyClient knows two tokens for each input: the input itself, and the
// input signed as a payload.
func FuzzVerifyClient(f *testing.F) {
	valid, err := access.Sign(primary, audience, access.SignOptions{UserID: "u", Roles: []string{"r"}, Groups: []string{"g"}})
	if err != nil {
		f.Fatal(err)
	}
	other, err := access.Sign(foreign, audience, access.SignOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", ".", "..", "...", valid, other, valid + "=", valid[:len(valid)-1], "null", "{}", "[]",
		`{"aud":"` + audience + `","exp":9999999999}`,
		`{"aud":["` + audience + `"],"exp":9.9e9,"webpubsub.group":["g",1],"role":{"a":[null]},"nbf":-1e300}`,
		`{"aud":"http://[::1]:8080/client/hubs/chat","exp":1e400,"iss":[]}`,
		` { "sub" : [ ] , "exp" : 253402300799 } `,
	} {
		f.Add(s)
	}
	one := access.Keys{primary}
	f.Fuzz(func(t *testing.T, s string) {
		if claims, err := one.VerifyClient(s, hosts, "chat"); err == nil {
			if !genuine(s) {
				t.Errorf("%q is accepted: %v", s, claims)
			}
		} else {
			refused(t, err)
		}
		token := hs256(s)
		claims, err := one.VerifyClient(token, hosts, "chat")
		if err != nil {
			refused(t, err)
		} else if len(claims.All["aud"]) == 0 || len(claims.All["exp"]) != 1 || len(claims.Groups) != len(claims.All["webpubsub.group"]) {
			t.Errorf("%s is accepted: %v", s, claims)
		}
		if _, err := (access.Keys{foreign}).VerifyClient(token, hosts, "chat"); err == nil {
			t.Errorf("%s is accepted with a foreign key", s)
		}
	})
}

func FuzzVerifyREST(f *testing.F) {
	for _, seed := range [][2]string{
		{"/api/hubs/chat/:send?api-version=2024-12-01", "/api/hubs/chat"},
		{"/api/hubs/chat/users/a%2Fb", "/api/hubs/chat/users/a/b?"},
		{"/api/hubs/chat/groups/my%20group?filter=%27a%27", "/api/hubs/chat/groups/my group?filter='a'"},
		{"/", "?"},
		{"/%", "%"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, target, signed string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Opaque != "" {
			return
		}
		verify := func(audience, key string) error {
			token, err := access.Sign(key, audience, access.SignOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return keys.VerifyREST(token, hosts, u)
		}
		const base = "http://localhost:8080"
		// What an SDK signs is accepted, if it is text at all: JSON is UTF-8.
		if whole := base + u.RequestURI(); strings.ToValidUTF8(whole, "") == whole {
			if err := verify(whole, primary); err != nil {
				t.Errorf("the URL %q itself: %v", whole, err)
			}
		}
		if verify(base+u.RequestURI(), foreign) == nil {
			t.Error("a foreign key is accepted")
		}
		if verify(base+signed, primary) != nil || strings.ToValidUTF8(signed, "") != signed {
			return
		}
		// Nothing is accepted that is not part of the URL, decoded or not.
		path, _, _ := strings.Cut(signed, "?")
		if !strings.HasPrefix(u.EscapedPath(), path) && !strings.HasPrefix(u.Path, path) {
			t.Errorf("%q is accepted for %q", signed, target)
		}
		if verify(base+signed+"x", primary) == nil && verify(base+signed+"y", primary) == nil {
			t.Errorf("%q is accepted for %q with anything after it", signed, target)
		}
	})
}
