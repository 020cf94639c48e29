package check_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// The rules that rest on forged signatures being refused.
var afterForged = []string{"signature/partial", "signature/other-connection", "signature/empty-key", "signature/notifications"}

// The rules that rest on unsigned events being refused.
var afterMissing = []string{"signature/notifications", "signature/lookup", "signature/before-body"}

// The rules about signatures that rest on an event being accepted.
var afterAccepted = slices.Concat(afterForged, afterMissing, []string{
	"signature/rotation", "signature/missing", "signature/forged", "signature/refusal", "signature/other-tokens", "signature/hex-case",
})

func TestSignatureRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		verify      func(r *http.Request) int
		fails, open []string
	}{
		{"nothing", func(*http.Request) int { return 0 }, []string{"signature/missing", "signature/forged"}, slices.Concat(afterForged, afterMissing)},
		{"any text", func(r *http.Request) int { return okIf(signature(r) != "") }, []string{"signature/forged"}, afterForged},
		{"when it is there", unless(func(r *http.Request) bool { return signature(r) == "" }), []string{"signature/missing"}, afterMissing},
		{"connect only", unless(func(r *http.Request) bool { return r.Header.Get("ce-type") != upstreamtest.TypeConnect }), []string{"signature/missing", "signature/forged"}, slices.Concat(afterForged, afterMissing)},
		{"all but connect", unless(ofType(upstreamtest.TypeConnect)), []string{"signature/missing", "signature/forged"}, nil},
		{"all but lifecycle", unless(ofType(upstreamtest.TypeConnected, upstreamtest.TypeDisconnected)), []string{"signature/notifications"}, nil},
		{"beginnings", func(r *http.Request) int {
			return okIf(slices.ContainsFunc(tokens(r), func(token string) bool { return strings.HasPrefix(right(r), token) }))
		}, []string{"signature/partial"}, nil},
		{"no token", unless(func(r *http.Request) bool { return signature(r) == "," }), []string{"signature/partial"}, nil},
		{"any connection", anyConnection(), []string{"signature/other-connection"}, nil},
		{"connection of the source", func(r *http.Request) int {
			_, id, _ := strings.Cut(r.Header.Get("ce-source"), "/client/")
			return okIf(slices.Contains(tokens(r), sign(id, upstreamtest.AccessKey)))
		}, []string{"signature/other-connection"}, nil},
		{"empty key", eitherKey(""), []string{"signature/empty-key"}, nil},
		{"text of an unset key", eitherKey("undefined"), []string{"signature/empty-key"}, nil},
		{"breaks on lengths", func(r *http.Request) int {
			if slices.ContainsFunc(tokens(r), func(token string) bool { return len(token) < len("sha256=")+64 }) {
				return 500
			}
			return verify(r)
		}, []string{"signature/refusal"}, nil},
		{"breaks without", func(r *http.Request) int {
			if signature(r) == "" {
				return 500
			}
			return verify(r)
		}, []string{"signature/refusal"}, nil},
		{"looks up first", func(r *http.Request) int {
			if name, ok := strings.CutPrefix(r.Header.Get("ce-type"), "azure.webpubsub.user."); ok && !strings.EqualFold(name, "message") {
				return 404
			}
			return verify(r)
		}, []string{"signature/lookup"}, nil},
		{"the header as a whole", func(r *http.Request) int { return okIf(signature(r) == right(r)) }, []string{"signature/rotation", "signature/hex-case"}, []string{"signature/other-tokens"}},
		{"the first token", func(r *http.Request) int { return okIf(slices.Index(tokens(r), right(r)) == 0) }, []string{"signature/rotation"}, []string{"signature/other-tokens"}},
		{"tokens with their space", func(r *http.Request) int {
			return okIf(slices.Contains(strings.Split(strings.ToLower(signature(r)), ","), right(r)))
		}, []string{"signature/rotation"}, nil},
		{"digits as they are", func(r *http.Request) int { return okIf(strings.Contains(signature(r), right(r))) }, []string{"signature/hex-case"}, nil},
		{"known algorithms only", func(r *http.Request) int {
			if strings.Contains(signature(r), "sha512") {
				return 401
			}
			return verify(r)
		}, []string{"signature/other-tokens"}, nil},
		{"decoded key", func(r *http.Request) int {
			key, _ := base64.StdEncoding.DecodeString(upstreamtest.AccessKey)
			return okIf(slices.Contains(tokens(r), sign(r.Header.Get("ce-connectionId"), string(key))))
		}, []string{"signature/accepted"}, afterAccepted},
		{"nobody gets in", func(r *http.Request) int {
			if ofType(upstreamtest.TypeConnected, upstreamtest.TypeDisconnected)(r) {
				return verify(r)
			}
			return 401
		}, nil, afterAccepted},
		{"nothing works", func(*http.Request) int { return 500 }, nil, append(afterAccepted, "signature/accepted")},
		{"nothing is found at the end", func(r *http.Request) int {
			if ofType(upstreamtest.TypeDisconnected)(r) {
				return 404
			}
			return 401
		}, nil, append(afterAccepted, "signature/accepted")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newPlain(func(p *plain) {
				p.verify = func(r *http.Request) int {
					if !slices.ContainsFunc(origins(r), isOurs) {
						return http.StatusForbidden
					}
					return tt.verify(r)
				}
			})
			wantVerdicts(t, h, &check.Options{Only: []string{"signature"}}, tt.fails, tt.open)
		})
	}
}

func TestBodyBeforeSignature(t *testing.T) {
	p := newPlain()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		p.ServeHTTP(w, r)
	})
	wantVerdicts(t, h, &check.Options{Only: []string{"signature"}}, []string{"signature/before-body"}, nil)
}

func TestSignatureOptions(t *testing.T) {
	const key = "a key that is not public, and long enough for that"
	hasKeys := func(keys ...string) func(*http.Request) int {
		return func(r *http.Request) int {
			return okIf(slices.ContainsFunc(keys, func(key string) bool {
				return slices.Contains(tokens(r), sign(r.Header.Get("ce-connectionId"), key))
			}))
		}
	}
	refuse := func(*http.Request) int { return http.StatusUnauthorized }
	for _, tt := range []struct {
		name    string
		rule    string
		verify  func(*http.Request) int
		consent func(http.ResponseWriter, *http.Request)
		options check.Options
		want    check.Verdict
	}{
		{"own key", "signature/public-key", hasKeys(key), consent, check.Options{AccessKey: key}, check.Holds},
		{"public key, too", "signature/public-key", hasKeys(key, upstreamtest.AccessKey), consent, check.Options{AccessKey: key}, check.Fails},
		{"another key", "signature/accepted", hasKeys(key), consent, check.Options{}, check.Fails},
		{"no event to go by", "signature/accepted", refuse, consent, check.Options{Events: []string{"connect"}}, check.NotJudged},
		{"another origin", "signature/accepted", func(*http.Request) int { return 403 }, consent, check.Options{Origin: "elsewhere.example"}, check.NotJudged},
		{"another proof", "signature/missing", refuse, consent, check.Options{Header: http.Header{"authorization": {"Bearer token"}}}, check.NotJudged},
		{"another proof of all", "signature/missing", bearer, consent, check.Options{Header: http.Header{"authorization": {"Bearer token"}}}, check.NotJudged},
		{"another proof of notifications", "signature/notifications", bearer, consent, check.Options{Header: http.Header{"authorization": {"Bearer token"}}}, check.NotJudged},
		{"lifecycle only", "signature/notifications", func(*http.Request) int { return 0 }, consent, check.Options{Events: []string{"connected"}}, check.Fails},
		{"lifecycle refused", "signature/notifications", refuse, consent, check.Options{Events: []string{"connected"}}, check.NotJudged},
		{"no lifecycle", "signature/notifications", verify, consent, check.Options{Events: []string{"message"}}, check.NotJudged},
		{"user events only", "signature/other-connection", anyConnection(), consent, check.Options{Events: []string{"message"}}, check.Fails},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Only = []string{tt.rule}
			h := newPlain(func(p *plain) { p.verify, p.handshake = tt.verify, tt.consent })
			if result := judged(t, h, &tt.options).Results[0]; result.Verdict != tt.want {
				t.Errorf("got %q, want %q: %s", result.Verdict, tt.want, result.Finding)
			}
		})
	}
}

// A router that knows the events by their URLs tells which there are.
func TestLookupByURL(t *testing.T) {
	h := newPlain()
	client := &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	})}
	report, err := check.Run(t.Context(), "http://handler.test/events/{event}", &check.Options{Only: []string{"signature/lookup"}, HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Results[0].Verdict; got != check.NotJudged {
		t.Errorf("got %q, want that it is not judged", got)
	}
}

func bearer(r *http.Request) int { return okIf(r.Header.Get("Authorization") == "Bearer token") }

func okIf(ok bool) int {
	if ok {
		return 0
	}
	return http.StatusUnauthorized
}

// unless verifies all requests but some.
func unless(skip func(*http.Request) bool) func(*http.Request) int {
	return func(r *http.Request) int {
		if skip(r) {
			return 0
		}
		return verify(r)
	}
}

func ofType(types ...string) func(*http.Request) bool {
	return func(r *http.Request) bool { return slices.Contains(types, r.Header.Get("ce-type")) }
}

// eitherKey verifies with the right key and with another.
func eitherKey(key string) func(*http.Request) int {
	return unless(func(r *http.Request) bool { return signature(r) == sign(r.Header.Get("ce-connectionId"), key) })
}

// anyConnection takes a signature that was right once for right ever after.
func anyConnection() func(*http.Request) int {
	var seen sync.Map
	return func(r *http.Request) int {
		if _, ok := seen.Load(signature(r)); ok {
			return 0
		}
		status := verify(r)
		if status == 0 {
			seen.Store(signature(r), true)
		}
		return status
	}
}

func signature(r *http.Request) string { return r.Header.Get("ce-signature") }

func tokens(r *http.Request) []string {
	return strings.FieldsFunc(strings.ToLower(signature(r)), func(c rune) bool { return c == ',' || c == ' ' })
}

func sign(id, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(id))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// right returns the right signature of a request.
func right(r *http.Request) string {
	return sign(r.Header.Get("ce-connectionId"), upstreamtest.AccessKey)
}
