package wire_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The constants index header maps, so they must be spelled as net/http spells
// them.
func TestHeaderNamesAreCanonical(t *testing.T) {
	spellings := map[string]string{
		wire.HeaderRequestOrigin:        "WebHook-Request-Origin",
		wire.HeaderAllowedOrigin:        "WebHook-Allowed-Origin",
		wire.HeaderSpecVersion:          "ce-specversion",
		wire.HeaderAWPSVersion:          "ce-awpsversion",
		wire.HeaderType:                 "ce-type",
		wire.HeaderSource:               "ce-source",
		wire.HeaderID:                   "ce-id",
		wire.HeaderTime:                 "ce-time",
		wire.HeaderSignature:            "ce-signature",
		wire.HeaderConnectionID:         "ce-connectionId",
		wire.HeaderHub:                  "ce-hub",
		wire.HeaderEventName:            "ce-eventName",
		wire.HeaderUserID:               "ce-userId",
		wire.HeaderSubprotocol:          "ce-subprotocol",
		wire.HeaderConnectionState:      "ce-connectionState",
		wire.HeaderPhysicalConnectionID: "ce-physicalConnectionId",
		wire.HeaderSessionID:            "ce-sessionId",
		wire.HeaderClientRequestID:      "x-ms-client-request-id",
		wire.HeaderContentType:          "Content-Type",
	}
	for name, want := range spellings {
		if got := http.CanonicalHeaderKey(name); got != name {
			t.Errorf("%q is not canonical, %q is", name, got)
		}
		if got := wire.OnWire(name); got != want {
			t.Errorf("OnWire(%q) = %q, want %q", name, got, want)
		}
	}
	for _, prefix := range []string{wire.PrefixMetadata, wire.PrefixMQTT} {
		if got, want := prefix+"X", http.CanonicalHeaderKey(prefix+"x"); got != want {
			t.Errorf("prefix %q is not canonical", prefix)
		}
	}
}

func TestFirst(t *testing.T) {
	h := http.Header{"Ce-Hub": {"a", "b"}, "Ce-Id": {}}
	for name, want := range map[string]string{"Ce-Hub": "a", "Ce-Id": "", "Ce-Type": ""} {
		if got := wire.First(h, name); got != want {
			t.Errorf("First(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	canonical := http.Header{"Ce-Hub": {"chat"}}
	got := wire.Canonical(canonical)
	got["Ce-Id"] = []string{"1"}
	if len(canonical) != 2 {
		t.Error("a canonical header was copied")
	}

	odd := http.Header{"ce-hub": {"c"}, "CE-HUB": {"a"}, "Ce-Hub": {"b"}, "ce-id": {"1"}}
	want := http.Header{"Ce-Hub": {"a", "b", "c"}, "Ce-Id": {"1"}}
	if got := wire.Canonical(odd); !reflect.DeepEqual(got, want) {
		t.Errorf("Canonical = %v, want %v", got, want)
	}
	if len(odd) != 4 {
		t.Error("Canonical changed its argument")
	}
}

func TestValidHeaderValue(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a": true, "a b": true, "~!\"": true, "e30=": true,
		" a": false, "a ": false, " ": false, "a\tb": false, "a\r\nb": false, "a\x00": false, "a\x7f": false, "é": false,
	} {
		if got := wire.ValidHeaderValue(s); got != want {
			t.Errorf("ValidHeaderValue(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestValidToken(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "Trace-1": true, "!#$%&'*+-.^_`|~": true,
		"": false, "a b": false, "a:b": false, "a/b": false, "a\n": false, "é": false, "a\"": false,
	} {
		if got := wire.ValidToken(s); got != want {
			t.Errorf("ValidToken(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestUserPropertiesAndMetadata(t *testing.T) {
	h := http.Header{}
	h.Set("mqtt-Zulu", "1")
	h.Add("mqtt-alpha", "2")
	h.Add("mqtt-alpha", "1")
	h.Set("x-webpubsub-metadata-Trace", "t1")
	h.Add("x-webpubsub-metadata-trace", "t2")
	h["Mqtt-"] = []string{"no name"}
	h["X-Webpubsub-Metadata-"] = []string{"no name"}
	h["X-Webpubsub-Metadata-None"] = nil
	h.Set("ce-hub", "chat")

	wantProps := []wire.UserProperty{{Name: "alpha", Value: "2"}, {Name: "alpha", Value: "1"}, {Name: "zulu", Value: "1"}}
	if got := wire.UserProperties(h); !reflect.DeepEqual(got, wantProps) {
		t.Errorf("UserProperties = %v, want %v", got, wantProps)
	}
	wantMeta := map[string]string{"trace": "t2"}
	if got := wire.Metadata(h); !reflect.DeepEqual(got, wantMeta) {
		t.Errorf("Metadata = %v, want %v", got, wantMeta)
	}
	if got := wire.UserProperties(http.Header{"Ce-Hub": {"chat"}}); got != nil {
		t.Errorf("UserProperties without any = %v, want nil", got)
	}
	if got := wire.Metadata(http.Header{"Ce-Hub": {"chat"}}); got != nil {
		t.Errorf("Metadata without any = %v, want nil", got)
	}
}

func TestParseType(t *testing.T) {
	tests := []struct {
		ceType string
		kind   wire.Kind
		name   string
	}{
		{"azure.webpubsub.sys.connect", wire.KindConnect, "connect"},
		{"azure.webpubsub.sys.connected", wire.KindConnected, "connected"},
		{"azure.webpubsub.sys.disconnected", wire.KindDisconnected, "disconnected"},
		{"azure.webpubsub.gp.joined", wire.KindGroupJoined, "joined"},
		{"azure.webpubsub.gp.left", wire.KindGroupLeft, "left"},
		{"azure.webpubsub.user.message", wire.KindUser, "message"},
		{"azure.webpubsub.user.Room.Message", wire.KindUser, "Room.Message"},
		{"azure.webpubsub.user.connect", wire.KindUser, "connect"},
		{"AZURE.WebPubSub.USER.Vote", wire.KindUser, "Vote"},
		{"AZURE.WEBPUBSUB.SYS.CONNECT", wire.KindConnect, "connect"},
		{"azure.webpubsub.user.", wire.KindUser, ""},
		{"azure.webpubsub.user", wire.KindUnknown, "user"},
		{"azure.webpubsub.sys.paused", wire.KindUnknown, "paused"},
		{"azure.webpubsub.gp.Renamed", wire.KindUnknown, "Renamed"},
		{"azure.webpubsub.", wire.KindUnknown, ""},
		{"azure.webpubsub", wire.KindForeign, ""},
		{"azure.sys.message", wire.KindForeign, ""},
		{"foo.bar", wire.KindForeign, ""},
		{"", wire.KindForeign, ""},
		{" azure.webpubsub.sys.connect", wire.KindForeign, ""},
	}
	for _, tt := range tests {
		kind, name := wire.ParseType(tt.ceType)
		if kind != tt.kind || name != tt.name {
			t.Errorf("ParseType(%q) = %v, %q, want %v, %q", tt.ceType, kind, name, tt.kind, tt.name)
		}
	}
	if got, want := wire.UserType("Vote"), "azure.webpubsub.user.Vote"; got != want {
		t.Errorf("UserType = %q, want %q", got, want)
	}
}

func TestKind(t *testing.T) {
	blocking := map[wire.Kind]bool{wire.KindConnect: true, wire.KindUser: true}
	names := map[string]wire.Kind{}
	for kind := wire.KindForeign; kind <= wire.KindUser; kind++ {
		if got, want := kind.Blocking(), blocking[kind]; got != want {
			t.Errorf("%v.Blocking() = %v, want %v", kind, got, want)
		}
		if other, ok := names[kind.String()]; ok {
			t.Errorf("kinds %d and %d are both %q", kind, other, kind)
		}
		names[kind.String()] = kind
	}
}

func TestOriginHost(t *testing.T) {
	tests := []struct{ origin, want string }{
		{"demo.webpubsub.azure.com", "demo.webpubsub.azure.com"},
		{"Demo.WebPubSub.Azure.COM", "demo.webpubsub.azure.com"},
		{"localhost:8080", "localhost"},
		{"under_score.example", "under_score.example"},
		{"127.0.0.1:80", "127.0.0.1"},
		{"[::1]:8080", "::1"},
		{"[::1]", "::1"},
		{"::1", "::1"},
		{"[FE80::1]", "fe80::1"},
		{"demo.example.", "demo.example."},
		{"", ""},
		{"*", ""},
		{"*.example", ""},
		{"https://demo.example", ""},
		{"demo.example/path", ""},
		{"user@demo.example", ""},
		{"demo.example:", ""},
		{"demo.example:http", ""},
		{"demo.example:123456", ""},
		{":80", ""},
		{"[demo.example", ""},
		{"demo.example\x00", ""},
		{"a:b:c", ""},
	}
	for _, tt := range tests {
		if got := wire.OriginHost(tt.origin); got != tt.want {
			t.Errorf("OriginHost(%q) = %q, want %q", tt.origin, got, tt.want)
		}
	}
}

// Some letters outside ASCII have a lower case inside. A name that is spelled
// with them is another name.
func TestOriginHostFoldsNoForeignLetters(t *testing.T) {
	for origin, other := range map[string]string{
		"\u212Aontoso.example": "kontoso.example", // the Kelvin sign
		"m\u0130rror.example":  "mirror.example",  // the dotted capital I
	} {
		if got := wire.OriginHost(origin); got == other {
			t.Errorf("OriginHost(%q) = %q, which is another host", origin, got)
		}
	}
}

func TestMQTTCodeFor(t *testing.T) {
	tests := []struct{ version, code, want int }{
		{wire.MQTT5, 1, 132},
		{wire.MQTT5, 2, 133},
		{wire.MQTT5, 3, 136},
		{wire.MQTT5, 4, 134},
		{wire.MQTT5, 5, 135},
		{wire.MQTT5, 6, 6},
		{wire.MQTT311, 132, 1},
		{wire.MQTT311, 133, 2},
		{wire.MQTT311, 136, 3},
		{wire.MQTT311, 134, 4},
		{wire.MQTT311, 135, 5},
		{wire.MQTT311, 128, 3}, // an error that is not the client's
		{wire.MQTT311, 137, 3},
		{wire.MQTT311, 156, 3},
		{wire.MQTT311, 157, 3},
		{wire.MQTT311, 138, 5}, // banned: not authorized
		{wire.MQTT311, 151, 3}, // quota: come back later
		{wire.MQTT311, 129, 4},
		{3, 135, 1},
		{0, 5, 1},
		{6, 135, 1},
	}
	for _, tt := range tests {
		if got := wire.MQTTCodeFor(tt.version, tt.code); got != tt.want {
			t.Errorf("MQTTCodeFor(%d, %d) = %d, want %d", tt.version, tt.code, got, tt.want)
		}
	}
}

// No digit of a token is left out of the comparison.
func TestVerifyEveryDigit(t *testing.T) {
	keys := wire.NewKeys("key")
	token := wire.Sign("conn1", "key")
	if !keys.Verify("conn1", token) {
		t.Fatalf("Verify of %q = false", token)
	}
	for i := len("sha256="); i < len(token); i++ {
		changed := []byte(token)
		if changed[i]++; token[i] == '9' || token[i] == 'f' {
			changed[i] = token[i] - 1
		}
		if keys.Verify("conn1", string(changed)) {
			t.Errorf("Verify of %q = true, right is %q", changed, token)
		}
	}
}

func TestSign(t *testing.T) {
	if got := wire.Sign("conn1"); got != "" {
		t.Errorf("Sign without keys = %q, want nothing", got)
	}
	two := wire.Sign("conn1", "a", "b")
	if got, want := two, wire.Sign("conn1", "a")+","+wire.Sign("conn1", "b"); got != want {
		t.Errorf("Sign with two keys = %q, want %q", got, want)
	}
	if !strings.HasPrefix(two, "sha256=") {
		t.Errorf("Sign = %q, want it to start with sha256=", two)
	}
}

// The sender chooses how many origins there are, and each costs something.
func TestOriginsAreBounded(t *testing.T) {
	var lines []string
	for i := range 10 * wire.MaxOrigins {
		lines = append(lines, fmt.Sprintf("host%d.example, host%d.example", i, i))
	}
	if got := len(wire.ParseOrigins(lines)); got != wire.MaxOrigins {
		t.Errorf("got %d origins, want %d", got, wire.MaxOrigins)
	}
}

func TestHasOrigin(t *testing.T) {
	for line, want := range map[string]bool{"": false, " ,\t, ": false, "a": true, ", a": true} {
		if got := wire.HasOrigin([]string{line}); got != want {
			t.Errorf("HasOrigin(%q) = %v, want %v", line, got, want)
		}
	}
	if wire.HasOrigin(nil) {
		t.Error("HasOrigin of no line = true, want false")
	}
}

func TestIsUTF8(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": true, "text/plain": true, "text/plain; charset=utf-8": true, `text/plain; Charset="UTF-8"`: true,
		"text/plain; charset=iso-8859-1": false, "text/plain; format=flowed": true, "text/plain; charset": true,
	} {
		if got := wire.IsUTF8(contentType); got != want {
			t.Errorf("IsUTF8(%q) = %v, want %v", contentType, got, want)
		}
	}
}

// Unverified senders choose how long a list is. At a quadratic cost this test
// would not end in time.
func TestLongLists(t *testing.T) {
	for _, filler := range []string{" ", ",", "a ", "a,", "a"} {
		long := strings.Repeat(filler, (16<<20)/len(filler))
		if got := wire.ParseOrigins([]string{long}); len(got) > 1 {
			t.Errorf("a list of %q: got %d origins, want 1 at most", filler, len(got))
		}
		if wire.NewKeys("key", "other").Verify("conn1", long) {
			t.Errorf("a list of %q: got a valid signature", filler)
		}
	}
}
