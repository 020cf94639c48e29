package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestDecodeConnectBody(t *testing.T) {
	user := "u"
	tests := []struct {
		name string
		body string
		want wire.ConnectBody
	}{
		{"empty object", `{}`, wire.ConnectBody{}},
		{"white space", " \n{ }\t", wire.ConnectBody{}},
		{"unknown members", `{"later":{"a":[1]},"subprotocols":["a"]}`, wire.ConnectBody{Subprotocols: []string{"a"}}},
		{
			"null members",
			`{"claims":null,"query":null,"headers":null,"subprotocols":null,"clientCertificates":null,"mqtt":null}`,
			wire.ConnectBody{Claims: wire.Lists{}, Query: wire.Lists{}, Headers: wire.Lists{}},
		},
		{
			"lists",
			`{"claims":{"http://x/role":["a","b"]},"query":{"q":[]},"headers":{"Cookie":["a=1"]},"subprotocols":["x","y"]}`,
			wire.ConnectBody{
				Claims:       wire.Lists{"http://x/role": {"a", "b"}},
				Query:        wire.Lists{"q": {}},
				Headers:      wire.Lists{"Cookie": {"a=1"}},
				Subprotocols: []string{"x", "y"},
			},
		},
		{
			"single values and other scalars",
			`{"query":{"token":"ABC","n":1,"b":true,"none":null,"mixed":["a",2,null]},"subprotocols":"x"}`,
			wire.ConnectBody{
				Query:        wire.Lists{"token": {"ABC"}, "n": {"1"}, "b": {"true"}, "none": nil, "mixed": {"a", "2"}},
				Subprotocols: []string{"x"},
			},
		},
		{"member names without case", `{"Subprotocols":["x"]}`, wire.ConnectBody{Subprotocols: []string{"x"}}},
		{
			"certificates",
			`{"clientCertificates":[{"thumbprint":"ab","content":"pem","later":1},{"thumbprint":"cd"}]}`,
			wire.ConnectBody{ClientCertificates: []wire.ClientCertificate{{Thumbprint: "ab", Content: "pem"}, {Thumbprint: "cd"}}},
		},
		{
			"MQTT",
			`{"mqtt":{"protocolVersion":5,"cleanStart":true,"username":"u","password":"cGFzcw==","userProperties":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}}`,
			wire.ConnectBody{MQTT: &wire.MQTTConnect{
				ProtocolVersion: 5, CleanStart: true, Username: &user, Password: []byte("pass"),
				UserProperties: []wire.UserProperty{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
			}},
		},
		{
			"MQTT without credentials",
			`{"mqtt":{"protocolVersion":4,"username":null,"password":null,"userProperties":null}}`,
			wire.ConnectBody{MQTT: &wire.MQTTConnect{ProtocolVersion: 4}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wire.DecodeConnectBody([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestDecodeConnectBodyErrors(t *testing.T) {
	const secret = "S3cretValue"
	tests := []struct{ name, body, field string }{
		{"no body", "", ""},
		{"white space", "  ", ""},
		{"null", "null", ""},
		{"array", `["S3cretValue"]`, ""},
		{"string", `"S3cretValue"`, ""},
		{"cut off", `{"claims":{"S3cretValue":`, ""},
		{"two values", `{}{"S3cretValue":1}`, ""},
		{"claims are a list", `{"claims":["S3cretValue"]}`, "claims"},
		{"a claim is an object", `{"claims":{"a":{"S3cretValue":1}}}`, "claims"},
		{"query is text", `{"query":"S3cretValue"}`, "query"},
		{"headers nest", `{"headers":{"a":[["S3cretValue"]]}}`, "headers"},
		{"subprotocols are an object", `{"subprotocols":{"S3cretValue":1}}`, "subprotocols"},
		{"certificates are text", `{"clientCertificates":"S3cretValue"}`, "clientCertificates"},
		{"MQTT is text", `{"mqtt":"S3cretValue"}`, "mqtt"},
		{"MQTT password is no base64", `{"mqtt":{"password":"S3cretValue!"}}`, "mqtt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wire.DecodeConnectBody([]byte(tt.body))
			field, ok := errors.AsType[*wire.FieldError](err)
			if !ok {
				t.Fatalf("got error %v, want a *FieldError", err)
			}
			if field.Field != tt.field {
				t.Errorf("got field %q, want %q", field.Field, tt.field)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats the body: %v", err)
			}
		})
	}
}

func TestDecodeDisconnectedBody(t *testing.T) {
	bye, none := "bye", ""
	tests := []struct {
		body string
		want wire.DisconnectedBody
	}{
		{`{}`, wire.DisconnectedBody{}},
		{`{"reason":null}`, wire.DisconnectedBody{}},
		{`{"reason":""}`, wire.DisconnectedBody{Reason: &none}},
		{`{"reason":"bye","later":1}`, wire.DisconnectedBody{Reason: &bye}},
		{
			`{"reason":null,"mqtt":{"initiatedByClient":false,"disconnectPacket":null}}`,
			wire.DisconnectedBody{MQTT: &wire.MQTTDisconnect{}},
		},
		{
			`{"mqtt":{"initiatedByClient":true,"disconnectPacket":{"code":4,"userProperties":[{"name":"a","value":"b"}]}}}`,
			wire.DisconnectedBody{MQTT: &wire.MQTTDisconnect{
				InitiatedByClient: true,
				DisconnectPacket:  &wire.MQTTDisconnectPacket{Code: 4, UserProperties: []wire.UserProperty{{Name: "a", Value: "b"}}},
			}},
		},
	}
	for _, tt := range tests {
		got, err := wire.DecodeDisconnectedBody([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
		} else if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.body, *got, tt.want)
		}
	}
	for _, body := range []string{"", "null", `"bye"`, `{"reason":1}`, `{"mqtt":[]}`, `{"mqtt":{"disconnectPacket":{"code":"x"}}}`, `{`} {
		if _, err := wire.DecodeDisconnectedBody([]byte(body)); !isFieldError(err) {
			t.Errorf("%q: got error %v, want a *FieldError", body, err)
		}
	}
}

func TestDecodeGroupBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"group":"room1"}`: "room1", `{"group":"a/b é"}`: "a/b é", `{}`: "", `{"group":null}`: "", `{"group":"x","later":[1]}`: "x",
	} {
		got, err := wire.DecodeGroupBody([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got.Group != want {
			t.Errorf("%s: got %q, want %q", body, got.Group, want)
		}
	}
	for _, body := range []string{"", "null", "[]", `{"group":1}`, `{"group":["a"]}`, `{"group":"a"`} {
		if _, err := wire.DecodeGroupBody([]byte(body)); !isFieldError(err) {
			t.Errorf("%q: got error %v, want a *FieldError", body, err)
		}
	}
}

func TestConnectAnswer(t *testing.T) {
	none := ""
	tests := []struct {
		body   string
		want   wire.ConnectAnswer
		again  string // what the answer encodes to
		isZero bool
	}{
		{"", wire.ConnectAnswer{}, `{}`, true},
		{" null ", wire.ConnectAnswer{}, `{}`, true},
		{`{}`, wire.ConnectAnswer{}, `{}`, true},
		{`{"userId":null,"groups":null,"roles":null,"subprotocol":null,"mqtt":null}`, wire.ConnectAnswer{}, `{}`, true},
		{`{"groups":[]}`, wire.ConnectAnswer{}, `{}`, true},
		{`{"userId":""}`, wire.ConnectAnswer{UserID: &none}, `{"userId":""}`, false},
		{`{"roles":[]}`, wire.ConnectAnswer{Roles: []string{}}, `{"roles":[]}`, false},
		{`{"roles":[""]}`, wire.ConnectAnswer{Roles: []string{""}}, `{"roles":[""]}`, false},
		{
			`{"subprotocol":"mqtt","groups":["<a&b>"],"mqtt":{"userProperties":[{"name":"s","value":"ok"}]},"later":1}`,
			wire.ConnectAnswer{
				Groups: []string{"<a&b>"}, Subprotocol: "mqtt",
				MQTT: &wire.MQTTConnectAnswer{UserProperties: []wire.UserProperty{{Name: "s", Value: "ok"}}},
			},
			`{"groups":["<a&b>"],"subprotocol":"mqtt","mqtt":{"userProperties":[{"name":"s","value":"ok"}]}}`,
			false,
		},
	}
	for _, tt := range tests {
		got, err := wire.DecodeConnectAnswer([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.body, *got, tt.want)
		}
		if got.IsZero() != tt.isZero {
			t.Errorf("%s: IsZero = %v, want %v", tt.body, got.IsZero(), tt.isZero)
		}
		again, err := wire.Marshal(got)
		if err != nil || string(again) != tt.again {
			t.Errorf("%s: encodes to %s, %v, want %s", tt.body, again, err, tt.again)
		}
	}
}

func TestConnectAnswerErrors(t *testing.T) {
	for body, field := range map[string]string{
		`{"groups":["a",null]}`: "groups",
		`{"groups":[" "]}`:      "groups",
		`{"groups":[""]}`:       "groups",
		`{"roles":[null]}`:      "roles",
		`{"subprotocol":""}`:    "subprotocol",
		`{"subprotocol":" \t"}`: "subprotocol",
		`{"userId":1}`:          "userId",
		`[]`:                    "",
		`{"groups":`:            "",
	} {
		_, err := wire.DecodeConnectAnswer([]byte(body))
		if e, ok := errors.AsType[*wire.FieldError](err); !ok || e.Field != field {
			t.Errorf("%s: got error %v, want a *FieldError of %q", body, err, field)
		}
	}
}

func TestMarshalError(t *testing.T) {
	if got, err := wire.Marshal(func() {}); err == nil {
		t.Errorf("Marshal of a function = %s, want an error", got)
	}
}

func isFieldError(err error) bool {
	_, ok := errors.AsType[*wire.FieldError](err)
	return ok
}
