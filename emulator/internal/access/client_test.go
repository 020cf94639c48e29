package access_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

func TestVerifyClientClaims(t *testing.T) {
	long := "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	head := fmt.Sprintf(`"aud":%q,"exp":9999999999`, audience)
	with := func(c access.Claims) access.Claims {
		all := map[string][]string{"aud": {audience}, "exp": {"9999999999"}}
		for name, values := range c.All {
			all[name] = values
		}
		c.All = all
		return c
	}
	tests := []struct {
		name, payload string
		want          access.Claims
	}{
		{"least", `{` + head + `}`, with(access.Claims{})},
		{
			"the JavaScript SDK's", `{` + head + `,"sub":"ann","role":["r1","r2"],"webpubsub.group":["g1","g2"],"iat":1700000000}`,
			with(access.Claims{
				UserID: "ann", Roles: []string{"r1", "r2"}, Groups: []string{"g1", "g2"},
				All: map[string][]string{
					"sub": {"ann"}, "role": {"r1", "r2"}, "webpubsub.group": {"g1", "g2"}, "iat": {"1700000000"},
				},
			}),
		},
		{
			"single values", `{` + head + `,"role":"r","webpubsub.group":"g"}`,
			with(access.Claims{
				Roles: []string{"r"}, Groups: []string{"g"},
				All: map[string][]string{"role": {"r"}, "webpubsub.group": {"g"}},
			}),
		},
		{
			"the long name of the user id", `{` + head + `,"` + long + `":"bob"}`,
			with(access.Claims{UserID: "bob", All: map[string][]string{long: {"bob"}}}),
		},
		{
			"both names of the user id", `{` + head + `,"` + long + `":"bob","sub":"ann"}`,
			with(access.Claims{UserID: "ann", All: map[string][]string{long: {"bob"}, "sub": {"ann"}}}),
		},
		{
			"a user id that is a number", `{` + head + `,"sub":12}`,
			with(access.Claims{UserID: "12", All: map[string][]string{"sub": {"12"}}}),
		},
		{
			"nulls", `{` + head + `,"sub":null,"role":null,"webpubsub.group":null,"nbf":null}`,
			with(access.Claims{}),
		},
		{
			"values that are not text",
			`{` + head + `,"n":1.50e3,"big":12345678901234567890,"t":true,"o":{"a": [1, "<x>"]},"l":["a",1,null,false,[2]],"none":[],"u":"\u00e9\n"}`,
			with(access.Claims{All: map[string][]string{
				"n": {"1.50e3"}, "big": {"12345678901234567890"}, "t": {"true"}, "o": {`{"a":[1,"<x>"]}`},
				"l": {"a", "1", "false", "[2]"}, "none": {}, "u": {"é\n"},
			}}),
		},
		{"white space", "{ " + head + ` , "sub" : "ann" }` + "\n", with(access.Claims{UserID: "ann", All: map[string][]string{"sub": {"ann"}}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.VerifyClient(hs256(tt.payload), hosts, "chat")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestVerifyClientGroups(t *testing.T) {
	for _, claim := range []string{`1`, `true`, `{}`, `{"a":"b"}`, `["a",1]`, `[["a"]]`, `["a",null]`} {
		token := hs256(fmt.Sprintf(`{"aud":%q,"exp":9999999999,"webpubsub.group":%s}`, audience, claim))
		_, err := keys.VerifyClient(token, hosts, "chat")
		if e := refused(t, err, "webpubsub.group", "text"); !e.Claim {
			t.Errorf("%s: Claim = false, want true", claim)
		}
	}
}

func TestVerifyClientAudience(t *testing.T) {
	tests := []struct {
		audience string // JSON
		hub      string
		ok       bool
	}{
		{`"http://localhost:8080/client/hubs/chat"`, "chat", true},
		{`"https://localhost:8080/client/hubs/chat"`, "chat", true},
		{`"ws://localhost:8080/client/hubs/chat"`, "chat", true},
		{`"wss://localhost:8080/client/hubs/chat"`, "chat", true},
		{`"HTTP://LOCALHOST:8080/Client/Hubs/CHAT"`, "chat", true},
		{`"http://localhost:8080/client/hubs/chat"`, "Chat", true},
		{`["other","http://localhost:8080/client/hubs/chat"]`, "chat", true},
		{`"https://demo.example/client/hubs/chat"`, "chat", true},
		{`"https://demo.example:443/client/hubs/chat"`, "chat", true},
		{`"http://demo.example:80/client/hubs/chat"`, "chat", true},
		{`"http://localhost:8080/client/hubs/a%60b%5B%5D"`, "a`b[]", true},
		{"\"http://localhost:8080/client/hubs/a`b[]\"", "a`b[]", true},

		{`"http://localhost:8080/client/hubs/chat/"`, "chat", false},
		{`"http://localhost:8080/client/hubs/chat?a=b"`, "chat", false},
		{`"http://localhost:8080/client/hubs/other"`, "chat", false},
		{`"http://localhost:8080/client/hubs/"`, "chat", false},
		{`"http://localhost:8080/api/hubs/chat"`, "chat", false},
		{`"http://localhost:8080"`, "chat", false},
		{`"http://localhost/client/hubs/chat"`, "chat", false},
		{`"http://localhost:8081/client/hubs/chat"`, "chat", false},
		{`"http://localhost:8080.evil.example/client/hubs/chat"`, "chat", false},
		{`"http://user@localhost:8080/client/hubs/chat"`, "chat", false},
		{`"http://demo.example:8080/client/hubs/chat"`, "chat", false},
		{`"https://demo.example:80/client/hubs/chat"`, "chat", false},
		{`"http:///client/hubs/chat"`, "chat", false},
		{`"ftp://localhost:8080/client/hubs/chat"`, "chat", false},
		{`"//localhost:8080/client/hubs/chat"`, "chat", false},
		{`"/client/hubs/chat"`, "chat", false},
		{`"http://localhost:8080/client/hubs/chat%"`, "chat", false},
		{`"http://localhost:8080/client/hubs/%2563hat"`, "chat", false},
		{`""`, "chat", false},
		{`[]`, "chat", false},
		{`null`, "chat", false},
	}
	for _, tt := range tests {
		_, err := keys.VerifyClient(hs256(`{"exp":9999999999,"aud":`+tt.audience+`}`), hosts, tt.hub)
		if tt.ok {
			if err != nil {
				t.Errorf("%s: %v", tt.audience, err)
			}
			continue
		}
		refused(t, err, "audience", "http(s)://localhost:8080/client/hubs/"+tt.hub, "http(s)://Demo.Example/client/hubs/"+tt.hub)
	}
}

func TestAudienceErrors(t *testing.T) {
	verify := func(aud string) error {
		_, err := keys.VerifyClient(hs256(`{"exp":9999999999`+aud+`}`), hosts, "chat")
		return err
	}
	refused(t, verify(`,"aud":["a","b\n"]`), `is "a", "b\n", expected one of`)
	refused(t, verify(`,"aud":["a","b","c","d","e","f"]`), `"d" and 2 more`)
	refused(t, verify(`,"aud":"`+strings.Repeat("\\u0001", 3000)+`"`), "audience")
	refused(t, verify(``), "is missing, expected one of")
	refused(t, verify(`,"aud":1`), "neither text nor a list")
	refused(t, verify(`,"aud":["a",1]`), "neither text nor a list")
}

func TestVerifyClientSignature(t *testing.T) {
	payload := fmt.Sprintf(`{"aud":%q,"exp":9999999999,"sub":"S3cret"}`, audience)
	const header = `{"alg":"HS256","typ":"JWT"}`
	genuine := hs256(payload)
	unsigned := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(genuine, ".")[1] + "."
	}
	tests := []struct {
		name, token string
		keys        access.Keys
		want        string // empty if accepted
	}{
		{"primary key", genuine, keys, ""},
		{"secondary key", encode(header, payload, secondary), keys, ""},
		{"other members of the header", encode(`{"alg":"HS256","kid":"x","typ":"at+jwt"}`, payload, primary), keys, ""},
		{"foreign key", encode(header, payload, foreign), keys, "another key"},
		{"no key", genuine, nil, "no access key"},
		{"empty key", encode(header, payload, ""), access.Keys{""}, "no access key"},
		{"empty second key", encode(header, payload, ""), access.Keys{primary, ""}, "another key"},
		{"changed payload", strings.Replace(genuine, ".", ".e", 1), keys, "not a JWT"},
		{"changed signature", genuine[:len(genuine)-2] + "AA", keys, "another key"},
		{"no signature", genuine[:strings.LastIndex(genuine, ".")+1], keys, "another key"},
		{"none", unsigned(`{"alg":"none"}`), keys, `algorithm "none", expected HS256`},
		{"none in other letters", unsigned(`{"alg":"nOnE"}`), keys, `algorithm "nOnE", expected HS256`},
		{"no algorithm", unsigned(`{}`), keys, `algorithm "", expected HS256`},
		{"an algorithm that is no text", unsigned(`{"alg":1}`), keys, `algorithm "", expected HS256`},
		{"RS256", encode(`{"alg":"RS256"}`, payload, primary), keys, `algorithm "RS256", expected HS256`},
		{"HS512", encode(`{"alg":"HS512"}`, payload, primary), keys, `algorithm "HS512", expected HS256`},
		{"a long algorithm", encode(`{"alg":"`+strings.Repeat("x", 3000)+`"}`, payload, primary), keys, "algorithm"},
		{"nothing", "", keys, "no token"},
		{"text", "S3cret", keys, "not a JWT"},
		{"two parts", "S3cret.S3cret", keys, "not a JWT"},
		{"four parts", genuine + ".S3cret", keys, "not a JWT"},
		{"no base64", "!.!.!", keys, "not a JWT"},
		{"no JSON", encode("S3cret", "S3cret", primary), keys, "not a JWT"},
		{"header null", encode("null", payload, primary), keys, "algorithm"},
		{"payload null", encode(header, "null", primary), keys, "no exp claim"},
		{"payload a list", encode(header, `["S3cret"]`, primary), keys, "not a JWT"},
		{"a key", primary, keys, "not a JWT"},
		{"much too long", strings.Repeat("a", 1<<20), keys, "1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := tt.keys.VerifyClient(tt.token, hosts, "chat")
			if tt.want == "" {
				if err != nil || claims.UserID != "S3cret" {
					t.Errorf("got %v, %v, want no error", claims, err)
				}
				return
			}
			if e := refused(t, err, tt.want); e.Claim || strings.Contains(e.Error(), "S3cret") {
				t.Errorf("got %+v, want no claim at fault and nothing of the token repeated", e)
			}
			if claims != nil {
				t.Errorf("got claims %v beside an error", claims)
			}
		})
	}
}

func TestVerifyClientTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix() // 2000-01-01T00:00:00Z
		tests := []struct {
			claims string
			want   []string // nil if accepted
		}{
			{fmt.Sprintf(`"exp":%d`, now+1), nil},
			{fmt.Sprintf(`"exp":%d`, now-299), nil},
			{fmt.Sprintf(`"exp":%d`, now-300), []string{"expired 5m0s ago", "1999-12-31T23:55:00Z"}},
			{fmt.Sprintf(`"exp":%d.9`, now-100000), []string{"expired 27h46m"}},
			{fmt.Sprintf(`"exp":%d,"nbf":%d`, now+600, now+300), nil},
			{fmt.Sprintf(`"exp":%d,"nbf":%d`, now+600, now+301), []string{"valid from 2000-01-01T00:05:01Z", "in 5m1s", "clocks"}},
			{fmt.Sprintf(`"exp":%d,"iat":%d`, now+600, now+500), nil}, // nothing depends on iat
			{`"exp":253402300799`, nil},
			{`"exp":0`, []string{"expired"}},
			{`"exp":-1`, []string{"expired"}},
			{`"sub":"x"`, []string{"no exp claim"}},
			{`"exp":null`, []string{"no exp claim"}},
			{`"exp":"9999999999"`, []string{"wrong type", "seconds since 1970"}},
			{`"exp":true`, []string{"wrong type"}},
			{`"exp":1e300`, []string{"wrong type"}},
			{`"exp":1e999`, []string{"wrong type"}},
			{`"exp":9999999999,"nbf":"x"`, []string{"wrong type"}},
			{`"exp":9999999999,"iss":1`, nil}, // nor on iss
		}
		for _, tt := range tests {
			_, err := keys.VerifyClient(hs256(`{"aud":"`+audience+`",`+tt.claims+`}`), hosts, "chat")
			if tt.want == nil {
				if err != nil {
					t.Errorf("%s: %v", tt.claims, err)
				}
				continue
			}
			refused(t, err, tt.want...)
		}
	})
}

func TestKeysAreNotShown(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(format, keys); strings.Contains(got, primary) {
			t.Errorf("%s of keys = %s", format, got)
		}
	}
}
