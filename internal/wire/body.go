package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A FieldError reports the member of a JSON body that cannot be used. Field is
// empty when the body as a whole is at fault. The text names the fault and
// never repeats the body, which may hold tokens and passwords.
type FieldError struct {
	Field  string
	Reason string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// ConnectBody is the body of a connect event.
type ConnectBody struct {
	Claims             Lists               `json:"claims"`
	Query              Lists               `json:"query"`
	Headers            Lists               `json:"headers"`
	Subprotocols       []string            `json:"subprotocols"`
	ClientCertificates []ClientCertificate `json:"clientCertificates"`
	MQTT               *MQTTConnect        `json:"mqtt,omitempty"`
}

// Lists maps names to their values.
type Lists map[string][]string

// ClientCertificate is a certificate that the client presented: the thumbprint
// is the SHA-1 of the certificate in hex, the content is PEM.
type ClientCertificate struct {
	Thumbprint string `json:"thumbprint"`
	Content    string `json:"content"`
}

// MQTTConnect is what a connect body says about an MQTT CONNECT packet.
type MQTTConnect struct {
	ProtocolVersion int            `json:"protocolVersion"` // 4 is MQTT 3.1.1, 5 is 5.0
	CleanStart      bool           `json:"cleanStart"`
	Username        *string        `json:"username"`
	Password        []byte         `json:"password"` // base64 on the wire
	UserProperties  []UserProperty `json:"userProperties"`
}

// UserProperty is one MQTT 5 user property. Names may repeat, order counts.
type UserProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DecodeConnectBody reads the body of a connect event. Members may be missing,
// null or unknown, and a list may be a single value, as older services and
// peers' fixtures have it. What cannot be used is a *FieldError.
func DecodeConnectBody(body []byte) (*ConnectBody, error) {
	var raw struct {
		Claims             json.RawMessage `json:"claims"`
		Query              json.RawMessage `json:"query"`
		Headers            json.RawMessage `json:"headers"`
		Subprotocols       json.RawMessage `json:"subprotocols"`
		ClientCertificates json.RawMessage `json:"clientCertificates"`
		MQTT               json.RawMessage `json:"mqtt"`
	}
	if err := decodeObject(body, &raw); err != nil {
		return nil, err
	}
	var b ConnectBody
	for _, member := range []struct {
		field string
		raw   json.RawMessage
		into  any
		want  string
	}{
		{"claims", raw.Claims, &b.Claims, "an object of lists of strings"},
		{"query", raw.Query, &b.Query, "an object of lists of strings"},
		{"headers", raw.Headers, &b.Headers, "an object of lists of strings"},
		{"subprotocols", raw.Subprotocols, (*values)(&b.Subprotocols), "a list of strings"},
		{"clientCertificates", raw.ClientCertificates, &b.ClientCertificates, "a list of certificates"},
		{"mqtt", raw.MQTT, &b.MQTT, "an object with the members of an MQTT CONNECT packet"},
	} {
		if member.raw == nil {
			continue
		}
		if json.Unmarshal(member.raw, member.into) != nil {
			return nil, &FieldError{member.field, "is not " + member.want}
		}
	}
	return &b, nil
}

// DisconnectedBody is the body of a disconnected event.
type DisconnectedBody struct {
	Reason *string         `json:"reason"`
	MQTT   *MQTTDisconnect `json:"mqtt,omitempty"`
}

// MQTTDisconnect tells how an MQTT session ended.
type MQTTDisconnect struct {
	InitiatedByClient bool                  `json:"initiatedByClient"`
	DisconnectPacket  *MQTTDisconnectPacket `json:"disconnectPacket"`
}

// MQTTDisconnectPacket is the DISCONNECT packet, when there was one.
type MQTTDisconnectPacket struct {
	Code           int            `json:"code"`
	UserProperties []UserProperty `json:"userProperties"`
}

// DecodeDisconnectedBody reads the body of a disconnected event.
func DecodeDisconnectedBody(body []byte) (*DisconnectedBody, error) {
	var b DisconnectedBody
	return &b, decodeObject(body, &b)
}

// GroupBody is the body of a group joined or left event.
type GroupBody struct {
	Group string `json:"group"`
}

// DecodeGroupBody reads the body of a group joined or left event.
func DecodeGroupBody(body []byte) (*GroupBody, error) {
	var b GroupBody
	return &b, decodeObject(body, &b)
}

// ConnectAnswer is the body of a successful answer to connect. Absent members
// change nothing; an empty Roles takes the token's roles away.
type ConnectAnswer struct {
	UserID      *string            `json:"userId,omitempty"`
	Groups      []string           `json:"groups,omitempty"`
	Roles       []string           `json:"roles,omitzero"`
	Subprotocol string             `json:"subprotocol,omitempty"`
	MQTT        *MQTTConnectAnswer `json:"mqtt,omitempty"`
}

// MQTTConnectAnswer is what the client's CONNACK gets on success.
type MQTTConnectAnswer struct {
	UserProperties []UserProperty `json:"userProperties,omitempty"`
}

// IsZero reports whether there is nothing to answer.
func (a *ConnectAnswer) IsZero() bool {
	return a.UserID == nil && len(a.Groups) == 0 && a.Roles == nil && a.Subprotocol == "" && a.MQTT == nil
}

// DecodeConnectAnswer reads a successful answer to connect as the service
// does: an empty body and null mean "nothing to say", and a null role, a null
// or blank group or a blank subprotocol spoils the answer.
func DecodeConnectAnswer(body []byte) (*ConnectAnswer, error) {
	var a struct {
		UserID      *string            `json:"userId"`
		Groups      []*string          `json:"groups"`
		Roles       []*string          `json:"roles"`
		Subprotocol *string            `json:"subprotocol"`
		MQTT        *MQTTConnectAnswer `json:"mqtt"`
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || string(trimmed) == "null" {
		return &ConnectAnswer{}, nil
	}
	if err := decodeObject(body, &a); err != nil {
		return nil, err
	}
	answer := &ConnectAnswer{UserID: a.UserID, MQTT: a.MQTT}
	for _, g := range a.Groups {
		if g == nil || blank(*g) {
			return nil, &FieldError{"groups", "has a null or blank element"}
		}
		answer.Groups = append(answer.Groups, *g)
	}
	if a.Roles != nil {
		answer.Roles = make([]string, 0, len(a.Roles))
	}
	for _, r := range a.Roles {
		if r == nil {
			return nil, &FieldError{"roles", "has a null element"}
		}
		answer.Roles = append(answer.Roles, *r)
	}
	if a.Subprotocol != nil {
		if blank(*a.Subprotocol) {
			return nil, &FieldError{"subprotocol", "is blank; leave it out instead"}
		}
		answer.Subprotocol = *a.Subprotocol
	}
	return answer, nil
}

// MQTTConnectFailure is the body of a failed answer to an MQTT connect.
type MQTTConnectFailure struct {
	MQTT MQTTFailure `json:"mqtt"`
}

// MQTTFailure is what the client's CONNACK gets on failure. Reason and
// properties reach MQTT 5.0 clients only.
type MQTTFailure struct {
	Code           int            `json:"code"`
	Reason         string         `json:"reason,omitempty"`
	UserProperties []UserProperty `json:"userProperties,omitempty"`
}

// Marshal encodes v as the other SDKs do: compact and without the escapes
// that make JSON safe inside HTML.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeObject decodes a JSON object; anything else is a *FieldError.
func decodeObject(body []byte, into any) error {
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 {
		return &FieldError{Reason: "is empty, a JSON object is expected"}
	} else if trimmed[0] != '{' {
		return &FieldError{Reason: "is not a JSON object"}
	}
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &FieldError{Reason: fmt.Sprintf("is not valid JSON: error at byte %d", syntax.Offset)}
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &FieldError{typ.Field, "has the wrong JSON type"}
	}
	return &FieldError{Reason: "cannot be decoded"}
}

// values is a list of strings that reads tolerantly: null is an empty list, a
// single value a list of one, numbers and booleans are their literals.
type values []string

// UnmarshalJSON implements json.Unmarshaler.
func (v *values) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		s, ok, err := scalar(data)
		if ok {
			*v = values{s}
		}
		return err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	*v = make(values, 0, len(elements))
	for _, e := range elements {
		s, ok, err := scalar(e)
		if err != nil {
			return err
		}
		if ok {
			*v = append(*v, s)
		}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler with the tolerance of [values].
func (l *Lists) UnmarshalJSON(data []byte) error {
	var m map[string]values
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*l = make(Lists, len(m))
	for name, v := range m {
		(*l)[name] = v
	}
	return nil
}

// scalar returns the text of a JSON scalar; ok is false for null.
func scalar(data json.RawMessage) (s string, ok bool, err error) {
	switch data[0] {
	case '"':
		err = json.Unmarshal(data, &s)
		return s, err == nil, err
	case '{', '[':
		return "", false, errors.New("neither a string nor a list of strings")
	}
	return string(data), string(data) != "null", nil
}

func blank(s string) bool { return len(bytes.TrimSpace([]byte(s))) == 0 }
