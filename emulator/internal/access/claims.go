package access

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The claims that the service reads. A user id may also be in the claim that
// .NET gives to sub.
const (
	claimUser     = "sub"
	claimUserLong = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	claimRole     = "role"
	claimGroup    = "webpubsub.group"
)

// Claims are what an access token says about a client.
type Claims struct {
	UserID string   // empty for an anonymous client
	Roles  []string // of the claim role
	Groups []string // of the claim webpubsub.group; the names are not checked

	// All holds every claim as a list of texts, as the body of a connect event
	// does: a list has one for each element, any other value is a list of one.
	// Text is itself, and everything else its JSON. Null has no text.
	All map[string][]string
}

// A payload is the claims of a token, not decoded any further.
type payload map[string]json.RawMessage

// claims reads what a client's token says. A role or a user id that is no text
// counts as its JSON, as .NET reads claims; a group must be text.
func (p payload) claims() (*Claims, error) {
	c := &Claims{All: make(map[string][]string, len(p))}
	for name, raw := range p {
		if texts := texts(raw); texts != nil {
			c.All[name] = texts
		}
	}
	c.UserID = cmp.Or(first(c.All[claimUser]), first(c.All[claimUserLong]))
	c.Roles = c.All[claimRole]
	if raw, ok := p[claimGroup]; ok {
		groups, ok := stringOrStrings(raw)
		if !ok {
			return nil, &Error{Reason: fmt.Sprintf("the claim %s is neither text nor a list of texts", claimGroup), Claim: true}
		}
		c.Groups = groups
	}
	return c, nil
}

// texts is the value of a claim in [Claims.All], nil for null.
func texts(raw json.RawMessage) []string {
	if raw[0] != '[' {
		if text, ok := scalar(raw); ok {
			return []string{text}
		}
		return nil
	}
	list := []string{}
	for _, e := range elements(raw) {
		if text, ok := scalar(e); ok {
			list = append(list, text)
		}
	}
	return list
}

// scalar is one value as text; ok is false for null.
func scalar(raw json.RawMessage) (text string, ok bool) {
	switch raw[0] {
	case 'n':
		return "", false
	case '"':
		return text, json.Unmarshal(raw, &text) == nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.String(), err == nil
}

// stringOrStrings reads a claim that has one value or several. Null has none.
func stringOrStrings(raw json.RawMessage) (list []string, ok bool) {
	values := []json.RawMessage{raw}
	switch raw[0] {
	case 'n':
		return nil, true
	case '[':
		values = elements(raw)
	}
	for _, v := range values {
		text, _ := scalar(v)
		if v[0] != '"' {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}

// elements takes a JSON list apart.
func elements(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil // never: raw is part of a document that was decoded
	}
	return list
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// The methods below are what the JWT library asks of claims.

// GetExpirationTime implements [jwt.Claims].
func (p payload) GetExpirationTime() (*jwt.NumericDate, error) { return p.date("exp") }

// GetNotBefore implements [jwt.Claims].
func (p payload) GetNotBefore() (*jwt.NumericDate, error) { return p.date("nbf") }

// GetIssuedAt implements [jwt.Claims]. Nothing depends on it.
func (p payload) GetIssuedAt() (*jwt.NumericDate, error) { return nil, nil }

// GetSubject implements [jwt.Claims]. Nothing depends on it.
func (p payload) GetSubject() (string, error) { return "", nil }

// GetIssuer implements [jwt.Claims].
func (p payload) GetIssuer() (string, error) {
	list, ok := p.strings("iss")
	if !ok || len(list) > 1 {
		return "", jwt.ErrInvalidType
	}
	return first(list), nil
}

// GetAudience implements [jwt.Claims].
func (p payload) GetAudience() (jwt.ClaimStrings, error) {
	list, ok := p.strings("aud")
	if !ok {
		return nil, jwt.ErrInvalidType
	}
	return list, nil
}

func (p payload) strings(name string) (list []string, ok bool) {
	raw, ok := p[name]
	if !ok {
		return nil, true
	}
	return stringOrStrings(raw)
}

// maxDate is the last second of the year 9999. What is far beyond it does not
// fit an int64, and would become any other time.
const maxDate = 253402300799

// date reads a claim that is a time, in seconds since 1970.
func (p payload) date(name string) (*jwt.NumericDate, error) {
	raw, ok := p[name]
	if !ok || raw[0] == 'n' {
		return nil, nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > maxDate {
		return nil, fmt.Errorf("%s: %w", name, jwt.ErrInvalidType)
	}
	return jwt.NewNumericDate(time.Unix(int64(seconds), 0)), nil
}
