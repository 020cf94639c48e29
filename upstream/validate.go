package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gowebpubsub/webpubsub/internal/connstring"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A RequestValidator decides whether an event comes from the service. It runs
// before the body is read, and sees headers only. Its methods may be called by
// several goroutines at once.
//
// An [AccessKeyValidator] is what most applications want. Write one of your
// own for another proof, such as the bearer token of a managed identity.
type RequestValidator interface {
	// Validate returns nil when the request proved to come from the service.
	// Any other result refuses it with 401 and without detail. A validator
	// that could not decide, because its key server did not answer, returns
	// NewError(http.StatusServiceUnavailable, …): the status is used, the
	// text is only logged.
	Validate(ctx context.Context, c *ConnectionContext) error

	// AllowsOrigin reports whether events may come from this host of the
	// service: in lower case, without scheme and port. It decides the
	// handshake, and it is asked before Validate. Compare whole hosts: by
	// prefix, demo.example would admit demo.example.evil.test.
	AllowsOrigin(host string) bool
}

// InsecureSkipValidation returns a validator that accepts every request from
// everyone. Anybody who reaches the handler can then act as any user. It is
// for tests, and for handlers that something in front of them protects.
func InsecureSkipValidation() RequestValidator { return insecure{} }

type insecure struct{}

func (insecure) Validate(context.Context, *ConnectionContext) error { return nil }
func (insecure) AllowsOrigin(string) bool                           { return true }

// An AccessKeyValidator accepts requests that were signed with an access key
// of the service (the header ce-signature) and that name one of its hosts as
// their origin.
//
// The signature proves the connection id and nothing else: see "What the
// signature proves" in the package documentation. A resource whose access keys
// are turned off signs nothing; use a validator of bearer tokens then.
type AccessKeyValidator struct {
	current atomic.Pointer[accessKeys]
}

type accessKeys struct {
	hosts []string
	keys  *wire.Keys
}

// NewAccessKeyValidator returns a validator for one or more connection strings
// as the portal shows them:
//
//	Endpoint=https://<name>.webpubsub.azure.com;AccessKey=<key>;Version=1.0;
//
// Two strings with the same endpoint are its primary and secondary key. A
// custom domain is one more string, with the domain as endpoint and the same
// key. The hosts of the endpoints are the origins that it allows.
//
// A string that is malformed or has no key is an error, which never shows the
// string.
func NewAccessKeyValidator(connectionStrings ...string) (*AccessKeyValidator, error) {
	v := &AccessKeyValidator{}
	if err := v.Replace(connectionStrings...); err != nil {
		return nil, err
	}
	return v, nil
}

// Replace puts other connection strings in the place of all present ones: the
// way to rotate a key without a restart. It may be called while requests are
// judged: each check sees all of the old strings or all of the new ones. On
// error the present ones stay.
func (v *AccessKeyValidator) Replace(connectionStrings ...string) error {
	if len(connectionStrings) == 0 {
		return errors.New("upstream: no connection string; InsecureSkipValidation is the way to accept every request")
	}
	var hosts, keys []string
	for i, s := range connectionStrings {
		cs, err := connstring.Parse(s)
		if err != nil {
			return fmt.Errorf("upstream: connection string %d of %d: %w", i+1, len(connectionStrings), err)
		}
		if !slices.Contains(hosts, cs.Host) {
			hosts = append(hosts, cs.Host)
		}
		keys = append(keys, cs.AccessKey)
	}
	v.current.Store(&accessKeys{hosts: hosts, keys: wire.NewKeys(keys...)})
	return nil
}

var (
	errNoSignature = errors.New("no ce-signature header; the service sends none while its access keys are turned off")
	errSignature   = errors.New("ce-signature was not made with any of the access keys")
)

// Validate implements [RequestValidator].
func (v *AccessKeyValidator) Validate(_ context.Context, c *ConnectionContext) error {
	switch {
	case c.Signature == "":
		return errNoSignature
	case !v.load().keys.Verify(c.ConnectionID, c.Signature):
		return errSignature
	}
	return nil
}

// AllowsOrigin implements [RequestValidator].
func (v *AccessKeyValidator) AllowsOrigin(host string) bool {
	return slices.Contains(v.load().hosts, host)
}

// load returns the present keys; those of a zero AccessKeyValidator are none.
func (v *AccessKeyValidator) load() *accessKeys {
	if keys := v.current.Load(); keys != nil {
		return keys
	}
	return noAccessKeys
}

var noAccessKeys = &accessKeys{keys: wire.NewKeys()}

// String returns a description that shows no key.
func (v *AccessKeyValidator) String() string {
	return fmt.Sprintf("AccessKeyValidator%q", v.load().hosts)
}

// GoString keeps the keys out of %#v.
func (v *AccessKeyValidator) GoString() string { return v.String() }

// ValidateAll returns a validator that accepts what all of the given ones
// accept: a signature and a bearer token, for instance. It panics when there
// is none, or a nil one.
func ValidateAll(validators ...RequestValidator) RequestValidator {
	return all(checkValidators("ValidateAll", validators))
}

type all []RequestValidator

func (vs all) Validate(ctx context.Context, c *ConnectionContext) error {
	for _, v := range vs {
		if err := v.Validate(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (vs all) AllowsOrigin(host string) bool {
	for _, v := range vs {
		if !v.AllowsOrigin(host) {
			return false
		}
	}
	return true
}

// ValidateByOrigin returns a validator for endpoints that prove themselves in
// different ways, such as one with access keys and one with bearer tokens. A
// request must satisfy the validator of every endpoint that it names as its
// origin, and name at least one: the origin is chosen by the sender, so it can
// never be the way around the validator of the endpoint that it claims to be.
//
// It panics when there is no validator, a nil one, or one that allows every
// origin because it is [InsecureSkipValidation]: everybody could name a host
// that needs no proof.
func ValidateByOrigin(validators ...RequestValidator) RequestValidator {
	vs := checkValidators("ValidateByOrigin", validators)
	if slices.ContainsFunc(vs, skipsValidation) {
		panic("upstream: ValidateByOrigin with InsecureSkipValidation would accept every request")
	}
	return byOrigin(vs)
}

type byOrigin []RequestValidator

var errNoOrigin = errors.New("no validator allows any of the origins")

func (vs byOrigin) Validate(ctx context.Context, c *ConnectionContext) error {
	responsible := false
	for _, v := range vs {
		if !slices.ContainsFunc(c.Origins, func(o string) bool { return allows(v, o) }) {
			continue
		}
		responsible = true
		if err := v.Validate(ctx, c); err != nil {
			return err
		}
	}
	if !responsible {
		return errNoOrigin
	}
	return nil
}

func (vs byOrigin) AllowsOrigin(host string) bool {
	return slices.ContainsFunc(vs, func(v RequestValidator) bool { return v.AllowsOrigin(host) })
}

func checkValidators(caller string, vs []RequestValidator) []RequestValidator {
	if len(vs) == 0 {
		panic("upstream: " + caller + " of no validator")
	}
	if slices.ContainsFunc(vs, func(v RequestValidator) bool { return isNil(v) }) {
		panic("upstream: " + caller + " of a nil RequestValidator")
	}
	return slices.Clone(vs)
}

// skipsValidation reports whether v lets every request pass.
func skipsValidation(v RequestValidator) bool {
	switch v := v.(type) {
	case insecure:
		return true
	case all:
		return !slices.ContainsFunc(v, func(v RequestValidator) bool { return !skipsValidation(v) })
	}
	return false
}

// allows asks v about one received origin. Text that is no bare host matches
// nothing.
func allows(v RequestValidator, origin string) bool {
	host := wire.OriginHost(origin)
	return host != "" && v.AllowsOrigin(host)
}
