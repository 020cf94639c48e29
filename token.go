package webpubsub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

const (
	// entraScope is what a token of Entra ID is asked for.
	entraScope = "https://webpubsub.azure.com/.default"

	// requestTokenLifetime is how long the token of one request is good for.
	// The .NET SDK has the same; the service allows for clocks that differ by
	// as much again.
	requestTokenLifetime = 5 * time.Minute
)

// tokenClaims are the claims of both kinds of tokens: those that prove a
// request, which have an audience only, and those that let a client in.
type tokenClaims struct {
	Audience  string   `json:"aud"`
	Subject   string   `json:"sub,omitempty"`
	Roles     []string `json:"role,omitempty"`
	Groups    []string `json:"webpubsub.group,omitempty"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
}

// bearer returns the token for a request to a URL of the endpoint.
func (c *Client) bearer(ctx context.Context, audience string) (string, error) {
	if c.source == nil {
		now := time.Now()
		return c.sign(tokenClaims{
			Audience:  audience,
			IssuedAt:  now.Unix(),
			ExpiresAt: now.Add(requestTokenLifetime).Unix(),
		})
	}
	token, err := c.source.Token(ctx, entraScope)
	if err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	if !wire.ValidHeaderValue(token) || token == "" {
		return "", errors.New("no token: the TokenSource returned text that cannot be one")
	}
	return token, nil
}

// The header of every token, {"alg":"HS256","typ":"JWT"}, in base64.
const jwtHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// signer returns a function that makes JSON Web Tokens (RFC 7519), signed with
// HMAC-SHA256 under the text of the access key. A function, because it shows no
// key when somebody prints what holds it.
func signer(accessKey string) func(claims any) (string, error) {
	key := []byte(accessKey)
	return func(claims any) (string, error) {
		payload, err := wire.Marshal(claims)
		if err != nil {
			return "", err
		}
		token := base64.RawURLEncoding.AppendEncode([]byte(jwtHeader+"."), payload)
		mac := hmac.New(sha256.New, key)
		mac.Write(token)
		token = append(token, '.')
		return string(base64.RawURLEncoding.AppendEncode(token, mac.Sum(nil))), nil
	}
}
