package wire_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// lowerASCII is the only folding that the protocol's names know.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{
		wire.TypeConnect, wire.TypeConnected, wire.TypeDisconnected, wire.TypeGroupJoined, wire.TypeGroupLeft,
		"azure.webpubsub.user.message", "AZURE.WebPubSub.User.Room.Vote", "azure.webpubsub.user.", "azure.webpubsub.sys.later",
		"azure.webpubsub", "foo.bar", "", "azure.webpub\u017Fub.sys.connect", "azure.webpubsub.user.\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ceType string) {
		kind, name := wire.ParseType(ceType)
		lower := lowerASCII(ceType)
		if got, want := kind != wire.KindForeign, strings.HasPrefix(lower, "azure.webpubsub."); got != want {
			t.Fatalf("ParseType(%q): is Web PubSub's = %v, want %v", ceType, got, want)
		}
		if got, want := kind == wire.KindUser, strings.HasPrefix(lower, "azure.webpubsub.user."); got != want {
			t.Fatalf("ParseType(%q): is a user event = %v, want %v", ceType, got, want)
		}
		switch kind {
		case wire.KindUser:
			if got, want := name, ceType[len("azure.webpubsub.user."):]; got != want {
				t.Errorf("ParseType(%q): name %q, want %q", ceType, got, want)
			}
			if k, n := wire.ParseType(wire.UserType(name)); k != kind || n != name {
				t.Errorf("ParseType of UserType(%q) = %v, %q", name, k, n)
			}
		case wire.KindForeign:
			if name != "" {
				t.Errorf("ParseType(%q): a foreign type has the name %q", ceType, name)
			}
		default:
			if !strings.HasSuffix(strings.ToLower(ceType), "."+strings.ToLower(name)) {
				t.Errorf("ParseType(%q): name %q is not its last part", ceType, name)
			}
		}
	})
}

func FuzzParseOrigins(f *testing.F) {
	for _, tt := range vectors.Load().Origins.Parse.Cases {
		f.Add(strings.Join(tt.Header, "\n"))
	}
	f.Add("localhost:8080, [::1]:80, ::1")
	f.Add("https://demo.example, *, demo.example.evil.test")
	f.Add("a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9")
	f.Fuzz(func(t *testing.T, header string) {
		lines := strings.Split(header, "\n")
		var want []string
		for _, token := range strings.FieldsFunc(header, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			if !slices.ContainsFunc(want, func(s string) bool { return strings.EqualFold(s, token) }) {
				want = append(want, token)
			}
		}
		want = want[:min(len(want), wire.MaxOrigins)]
		if got := wire.ParseOrigins(lines); !slices.Equal(got, want) {
			t.Errorf("ParseOrigins(%q) = %q, want %q", lines, got, want)
		}
	})
}

func FuzzOriginHost(f *testing.F) {
	for _, s := range []string{
		"demo.webpubsub.azure.com", "DEMO.example:443", "localhost:8080", "[::1]:80", "::1", "[fe80::1]", "demo.example.evil.test",
		"https://demo.example", "*", "demo.example@evil.test", "demo.example:", "a:b:c", "demo.example\x00.evil.test", "b\xfccher.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		host := wire.OriginHost(origin)
		if host == "" {
			return
		}
		if !wire.ValidHost(host) {
			t.Errorf("OriginHost(%q) = %q, which is no valid host", origin, host)
		}
		if again := wire.OriginHost(host); again != host {
			t.Errorf("OriginHost(%q) = %q, and of that %q", origin, host, again)
		}
		if !isASCII(origin) {
			return // the lower case of other letters is Unicode's affair
		}
		// The whole origin was compared: nothing but case, a port and the
		// brackets of an IPv6 address may be missing.
		spellings := []string{host, "[" + host + "]"}
		if _, port, err := net.SplitHostPort(origin); err == nil {
			spellings = append(spellings, host+":"+port, "["+host+"]:"+port)
		}
		if !slices.Contains(spellings, lowerASCII(origin)) {
			t.Errorf("OriginHost(%q) = %q", origin, host)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

func FuzzSignature(f *testing.F) {
	for _, tt := range vectors.Load().Signatures.Cases {
		key := ""
		if len(tt.Keys) > 0 {
			key = tt.Keys[0]
		}
		f.Add(key, "another key", tt.ConnectionID, strings.Join(tt.Header, ","))
	}
	f.Fuzz(func(t *testing.T, key1, key2, connectionID, header string) {
		keys := wire.NewKeys(key1, key2)
		check := func(header string) {
			t.Helper()
			want := connectionID != "" && (signedWith(key1, connectionID, header) || signedWith(key2, connectionID, header))
			if got := keys.Verify(connectionID, header); got != want {
				t.Errorf("Verify(%q, %q) with keys %q and %q = %v, want %v", connectionID, header, key1, key2, got, want)
			}
		}
		check(header)
		check(wire.Sign(connectionID, key1))
		check(wire.Sign(connectionID, key2) + "0")
		check(header + ", " + strings.ToUpper(wire.Sign(connectionID, key2)))
		check(wire.Sign(connectionID+"x", key1, key2))
	})
}

// signedWith is the rule of the signature, written down once more with the
// means of the standard library.
func signedWith(key, connectionID, header string) bool {
	if key == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, connectionID)
	want := mac.Sum(nil)
	for _, token := range strings.FieldsFunc(header, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		digits, ok := strings.CutPrefix(lowerASCII(token), "sha256=")
		got, err := hex.DecodeString(digits)
		if ok && err == nil && bytes.Equal(got, want) {
			return true
		}
	}
	return false
}

func FuzzConnectBody(f *testing.F) {
	f.Add([]byte(`{"claims":{"sub":["alice"]},"query":{"tag":["a","b"]},"headers":{"User-Agent":["demo"]},"subprotocols":["json.webpubsub.azure.v1"],"clientCertificates":[]}`))
	f.Add([]byte(`{"mqtt":{"protocolVersion":5,"cleanStart":true,"username":"u","password":"cGFzcw==","userProperties":[{"name":"a","value":"1"}]}}`))
	f.Add([]byte(`{"query":{"access_token":"ABC","n":[1,null,true]},"claims":null,"Subprotocols":"x"}`))
	f.Add([]byte(`{"subprotocols":[["x"]]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := wire.DecodeConnectBody(body)
		if err != nil {
			wantFieldOf(t, err, "", "claims", "query", "headers", "subprotocols", "clientCertificates", "mqtt")
			return
		}
		wantJSONObject(t, body)
		encoded, err := wire.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire.DecodeConnectBody(encoded)
		if err != nil {
			t.Fatalf("%s decodes, %s does not: %v", body, encoded, err)
		}
		for _, lists := range []*wire.Lists{&got.Claims, &got.Query, &got.Headers} {
			if *lists == nil {
				*lists = wire.Lists{} // null is an empty object
			}
		}
		if !reflect.DeepEqual(got, again) {
			t.Errorf("%s: got %+v, and once more %+v", body, got, again)
		}
	})
}

func FuzzDisconnectedBody(f *testing.F) {
	f.Add([]byte(`{"reason":null}`))
	f.Add([]byte(`{"reason":"bye","mqtt":{"initiatedByClient":true,"disconnectPacket":{"code":0,"userProperties":[{"name":"a","value":"b"}]}}}`))
	f.Add([]byte(`{"reason":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := wire.DecodeDisconnectedBody(body)
		if err != nil {
			wantFieldError(t, err)
			return
		}
		wantJSONObject(t, body)
		encoded, err := wire.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := wire.DecodeDisconnectedBody(encoded); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%s: got %+v, and once more %+v, %v", body, got, again, err)
		}
	})
}

func FuzzGroupBody(f *testing.F) {
	f.Add([]byte(`{"group":"room1"}`))
	f.Add([]byte(`{"group":null,"GROUP":"a"}`))
	f.Add([]byte(`{"group":1,"group":"a"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := wire.DecodeGroupBody(body)
		want, ok := lastGroup(body)
		if (err == nil) != ok {
			t.Fatalf("%q: got error %v, want one: %v", body, err, !ok)
		}
		if err != nil {
			wantFieldError(t, err)
		} else if got.Group != want {
			t.Errorf("%q: got %q, want %q", body, got.Group, want)
		}
	})
}

// lastGroup reads the member "group" token by token: the last one counts, null
// changes nothing, and all have to be text.
func lastGroup(body []byte) (group string, ok bool) {
	if !json.Valid(body) || bytes.TrimSpace(body)[0] != '{' {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token() // the opening brace of valid JSON
	for ok = true; d.More(); {
		name, _ := d.Token()
		var value any
		if d.Decode(&value) != nil {
			return "", false
		}
		if !strings.EqualFold(name.(string), "group") {
			continue
		}
		switch v := value.(type) {
		case nil:
		case string:
			group = v
		default:
			ok = false
		}
	}
	return group, ok
}

func FuzzContentType(f *testing.F) {
	for _, tt := range vectors.Load().MediaTypes.Request.Cases {
		if tt.ContentType != nil {
			f.Add(*tt.ContentType)
		}
	}
	f.Add(" text/plain ;x")
	f.Add(";")
	f.Fuzz(func(t *testing.T, contentType string) {
		got := wire.MediaType(contentType)
		if strings.Contains(got, ";") || got != strings.TrimSpace(got) {
			t.Errorf("MediaType(%q) = %q", contentType, got)
		}
		if again := wire.MediaType(got); again != got {
			t.Errorf("MediaType(%q) = %q, and of that %q", contentType, got, again)
		}
		if want, _, err := mime.ParseMediaType(contentType); err == nil && got != want {
			t.Errorf("MediaType(%q) = %q, want %q", contentType, got, want)
		}
	})
}

func FuzzConnectAnswer(f *testing.F) {
	f.Add([]byte(`{"userId":"alice","groups":["room1"],"roles":["webpubsub.sendToGroup"],"subprotocol":"json.webpubsub.azure.v1"}`))
	f.Add([]byte(`{"userId":"","roles":[],"mqtt":{"userProperties":[{"name":"s","value":"ok"}]}}`))
	f.Add([]byte(`{"groups":[null]}`))
	f.Add([]byte(`{"subprotocol":" "}`))
	f.Add([]byte(` null`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := wire.DecodeConnectAnswer(body)
		if err != nil {
			wantFieldError(t, err)
			return
		}
		blank := func(s string) bool { return strings.TrimSpace(s) == "" }
		if slices.ContainsFunc(got.Groups, blank) || got.Subprotocol != "" && blank(got.Subprotocol) {
			t.Errorf("%s: a blank group or subprotocol passed: %+v", body, got)
		}
		encoded, err := wire.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := got.IsZero(), string(encoded) == "{}"; got != want {
			t.Errorf("%s: IsZero = %v, but it encodes to %s", body, got, encoded)
		}
		again, err := wire.DecodeConnectAnswer(encoded)
		if err != nil {
			t.Fatalf("%s decodes, %s does not: %v", body, encoded, err)
		}
		if twice, err := wire.Marshal(again); err != nil || !bytes.Equal(twice, encoded) {
			t.Errorf("%s encodes to %s, and that to %s, %v", body, encoded, twice, err)
		}
	})
}

func wantJSONObject(t *testing.T, body []byte) {
	t.Helper()
	if !json.Valid(body) || bytes.TrimSpace(body)[0] != '{' {
		t.Errorf("%q decodes and is no JSON object", body)
	}
}

func wantFieldError(t *testing.T, err error) {
	t.Helper()
	if !isFieldError(err) {
		t.Errorf("got error %T, want a *FieldError", err)
	}
}

func wantFieldOf(t *testing.T, err error, fields ...string) {
	t.Helper()
	if e, ok := errors.AsType[*wire.FieldError](err); !ok || !slices.Contains(fields, e.Field) {
		t.Errorf("got error %v, want a *FieldError of one of %q", err, fields)
	}
}
