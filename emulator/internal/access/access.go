// Package access makes and checks the tokens that admit clients and requests of
// the REST data plane, and those by which a client comes back to a connection
// that it lost.
//
// All are JSON Web Tokens that are signed with HS256 and the text of an access
// key, as the SDKs of Azure Web PubSub make them. Which audiences count, the
// claims that must be there and the tolerance in time are those of Microsoft's
// emulator.
package access

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Leeway is how much the clocks of the service and of who signed an access token
// may differ.
const Leeway = 5 * time.Minute

// maxToken is the length in bytes from which on nothing is a token.
const maxToken = 64 << 10

// Keys are the access keys of a service, any of which may have signed a token.
// Empty ones are passed over: nobody may sign with an empty key.
type Keys []string

// String keeps the keys out of logs.
func (k Keys) String() string { return fmt.Sprintf("%d access keys", len(k)) }

// GoString keeps the keys out of %#v.
func (k Keys) GoString() string { return k.String() }

// An Error says why a token is refused. Its text goes to the developer's log. It
// repeats neither the token nor a key, and of a token that none of the keys
// signed nothing but the name of the algorithm.
type Error struct {
	Reason string

	// Claim is set when the token is genuine but one of its claims cannot be
	// used: the service answers 400 then, and 401 otherwise.
	Claim bool
}

func (e *Error) Error() string { return e.Reason }

// VerifyClient checks the token of a client that connects to a hub at one of the
// given hosts, which may have a port. Its audience must be the address of the
// hub, {scheme}://{host}/client/hubs/{hub}, without regard to case, where the
// scheme may be http, https, ws or wss, the port may be missing if it is that of
// the scheme, and the hub may be percent-encoded. The error is an *[Error].
func (k Keys) VerifyClient(token string, hosts []string, hub string) (*Claims, error) {
	p, err := k.verify(accessTokens, token)
	if err != nil {
		return nil, err
	}
	path := "/client/hubs/" + hub
	if err := p.checkAudience(hosts, path, func(target string) bool { return equalPath(target, path) }); err != nil {
		return nil, err
	}
	return p.claims()
}

// VerifyREST checks the token of a request to the REST data plane at one of the
// given hosts, which may have a port. The audience must be the URL of the
// request, which SDKs sign with its query, or a part from its start that ends
// before or after a slash of the path or before the query, as the documents have
// it. Scheme and host are compared as by [Keys.VerifyClient], the rest with
// case. The path of the request counts as it is and decoded once, and the query
// counts decoded, because HTTP libraries encode more of it than was signed. The
// error is an *[Error].
func (k Keys) VerifyREST(token string, hosts []string, u *url.URL) error {
	p, err := k.verify(accessTokens, token)
	if err != nil {
		return err
	}
	return p.checkAudience(hosts, u.EscapedPath(), func(target string) bool { return covers(target, u) })
}

// VerifyReconnection checks a token that [SignReconnection] made for a
// connection. The error is an *[Error].
func (k Keys) VerifyReconnection(token, connectionID string) error {
	p, err := k.verify(reconnectionTokens, token)
	if err != nil {
		return err
	}
	if audiences, _ := p.GetAudience(); len(audiences) != 1 || audiences[0] != connectionID {
		return &Error{Reason: "the reconnection token is for another connection"}
	}
	return nil
}

var (
	accessTokens = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Name}),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(Leeway),
	)
	// The service compares these with its own clock.
	reconnectionTokens = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Name}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuer(issuer),
	)
)

// verify checks everything but the audience.
func (k Keys) verify(parser *jwt.Parser, token string) (payload, error) {
	switch {
	case token == "":
		return nil, &Error{Reason: "there is no token"}
	case len(token) > maxToken:
		return nil, &Error{Reason: fmt.Sprintf("the token has %d bytes, expected at most %d", len(token), maxToken)}
	}
	var secrets jwt.VerificationKeySet
	for _, key := range k {
		if key != "" {
			secrets.Keys = append(secrets.Keys, []byte(key))
		}
	}
	if len(secrets.Keys) == 0 {
		return nil, &Error{Reason: "there is no access key to check the token with"}
	}
	var p payload
	parsed, err := parser.ParseWithClaims(token, &p, func(*jwt.Token) (any, error) { return secrets, nil })
	if err != nil {
		return nil, &Error{Reason: explain(err, parsed, p)}
	}
	return p, nil
}

// explain turns an error of the JWT library into what a developer has to know.
func explain(err error, token *jwt.Token, p payload) string {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return "the token is not a JWT: expected three parts in base64url with dots between them, the first two JSON objects"
	case errors.Is(err, jwt.ErrTokenUnverifiable), token.Method.Alg() != jwt.SigningMethodHS256.Name:
		alg, _ := token.Header["alg"].(string)
		return fmt.Sprintf("the token is signed with the algorithm %.20q, expected HS256", alg)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return "the token is signed with another key, or was changed; expected one of the access keys of this service"
	case errors.Is(err, jwt.ErrInvalidType):
		return "exp, nbf or iss of the token has the wrong type: expected seconds since 1970 for the first two, and text"
	}
	exp, _ := p.GetExpirationTime()
	nbf, _ := p.GetNotBefore()
	switch {
	case exp == nil:
		return "the token has no exp claim, expected the second it expires in"
	case errors.Is(err, jwt.ErrTokenExpired):
		return fmt.Sprintf("the token expired %v ago, at %s", since(exp), exp.UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return fmt.Sprintf("the token is valid from %s, in %v; compare the clocks", nbf.UTC().Format(time.RFC3339), -since(nbf))
	}
	return "the token is no reconnection token: its issuer is not " + issuer
}

func since(d *jwt.NumericDate) time.Duration { return time.Since(d.Time).Round(time.Second) }
