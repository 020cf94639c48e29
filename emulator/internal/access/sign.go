package access

import (
	"cmp"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultLifetime is how long access tokens of the SDKs are valid.
const DefaultLifetime = time.Hour

// SignOptions say what an access token contains.
type SignOptions struct {
	UserID string   // none if empty
	Roles  []string // none if empty
	Groups []string // to be a member of from the start

	// Lifetime is the time from IssuedAt until the token expires. If zero,
	// [DefaultLifetime]; negative for a token that has expired already.
	Lifetime time.Duration

	// IssuedAt is now if zero.
	IssuedAt time.Time
}

// Sign makes an access token: for a client with the address of a hub as its
// audience, for a REST request with the URL of the request. It has the claims of
// the JavaScript SDK, and the same arguments make the same token.
func Sign(key, audience string, o SignOptions) (string, error) {
	if o.IssuedAt.IsZero() {
		o.IssuedAt = time.Now()
	}
	claims := jwt.MapClaims{
		"iat": o.IssuedAt.Unix(),
		"exp": o.IssuedAt.Add(cmp.Or(o.Lifetime, DefaultLifetime)).Unix(),
	}
	if o.UserID != "" {
		claims[claimUser] = o.UserID
	}
	if len(o.Roles) > 0 {
		claims[claimRole] = o.Roles
	}
	if len(o.Groups) > 0 {
		claims[claimGroup] = o.Groups
	}
	return sign(key, audience, claims)
}

// The issuer and the lifetime of reconnection tokens.
const (
	issuer               = "https://webpubsub.azure.com"
	reconnectionLifetime = 7 * 24 * time.Hour
)

// SignReconnection makes the token by which a client takes a connection up again
// after its transport was lost. It is valid for 7 days, and for that connection
// only.
func SignReconnection(key, connectionID string) (string, error) {
	now := time.Now()
	return sign(key, connectionID, jwt.MapClaims{
		"iss": issuer,
		"iat": now.Unix(),
		"exp": now.Add(reconnectionLifetime).Unix(),
	})
}

func sign(key, audience string, claims jwt.MapClaims) (string, error) {
	switch {
	case key == "":
		return "", errors.New("no access key to sign a token with")
	case audience == "":
		return "", errors.New("no audience to sign a token for")
	}
	claims["aud"] = audience
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
}
