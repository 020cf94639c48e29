package check_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/check"
)

// TestFaults judges handlers by all rules, each wrong in one way as people have
// written them, and wants exactly those rules to fail that are about it.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler func() http.Handler
		options *check.Options
		fails   []string
	}{
		{"nothing", faulty(func(*plain) {}), nil, nil},
		{"takes every POST for the handshake", front(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Header.Get("WebHook-Request-Origin") != "" {
				consent(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}), nil, []string{"signature/missing", "signature/forged", "path/method"}},
		{"405 to OPTIONS", faulty(func(p *plain) {
			p.handshake = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) }
		}), nil, []string{"handshake/consent"}},
		{"does not verify", faulty(func(p *plain) { p.verify = func(*http.Request) int { return 0 } }), nil, []string{"signature/missing", "signature/forged", "origin/foreign"}},
		{"does not verify the signature", faulty(func(p *plain) {
			p.verify = func(r *http.Request) int {
				if !slices.ContainsFunc(origins(r), isOurs) {
					return 403
				}
				return 0
			}
		}), nil, []string{"signature/missing", "signature/forged"}},
		{"looks whether there is a signature", faulty(func(p *plain) {
			p.verify = func(r *http.Request) int {
				switch {
				case !slices.ContainsFunc(origins(r), isOurs):
					return 403
				case r.Header.Get("ce-signature") == "":
					return 401
				}
				return 0
			}
		}), nil, []string{"signature/forged"}},
		{"a thumbprint without a certificate ends the process", diesOf(func(certificate string) bool {
			block, _ := pem.Decode([]byte(certificate))
			return block == nil
		}), nil, []string{"connect/certificate"}},
		{"a certificate that is none ends the process", diesOf(func(certificate string) bool {
			block, _ := pem.Decode([]byte(certificate))
			if block == nil {
				return false
			}
			_, err := x509.ParseCertificate(block.Bytes)
			return err != nil
		}), nil, []string{"hostile/certificate"}},
		{"reads Content-Length bytes", faulty(func(p *plain) {
			p.read = func(_ http.ResponseWriter, r *http.Request) ([]byte, error) {
				return io.ReadAll(io.LimitReader(r.Body, max(0, r.ContentLength)))
			}
		}), nil, []string{"event/chunked"}},
		{"lower-cases the names of events", faulty(func(p *plain) {
			p.unknown = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if name := strings.ToLower(r.Header.Get("ce-eventName")); name == "newMessage" {
					echo(w, r, body)
					return
				}
				w.WriteHeader(404)
			}
		}), &check.Options{Events: []string{"connect", "connected", "newMessage", "disconnected"}}, []string{"event/accepted"}},
		{"breaks on bytes that are no text", faulty(func(p *plain) {
			p.message = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if !utf8.Valid(body) {
					w.WriteHeader(500)
					_, _ = io.WriteString(w, stackTraces["python"])
					return
				}
				echo(w, r, body)
			}
		}), nil, []string{"event/data-errors", "hygiene/stack-trace"}},
		{"insists on a state", front(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPost && len(r.Header.Values("ce-connectionState")) == 0 {
				w.WriteHeader(400)
				return
			}
			next.ServeHTTP(w, r)
		}), nil, []string{"state/absent"}},
		{"cuts headers at the first comma", front(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			for _, values := range r.Header {
				values[0], _, _ = strings.Cut(values[0], ",")
			}
			next.ServeHTTP(w, r)
		}), nil, []string{"handshake/several-origins", "signature/rotation", "origin/several"}},
		{"names no content type", faulty(func(p *plain) {
			p.connect = untyped(admit)
			p.message = untyped(echo)
		}), nil, []string{"connect/content-type", "event/no-content-type"}},
		{"computes the signature in capitals", faulty(func(p *plain) {
			p.verify = func(r *http.Request) int {
				if strings.ToUpper(rightSignature(r)) != r.Header.Get("ce-signature") {
					return 401
				}
				return 0
			}
		}), nil, []string{"signature/accepted"}},
		{"500 to connected", faulty(func(p *plain) {
			p.notification = func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Header.Get("ce-eventName") == "connected" {
					w.WriteHeader(500)
					return
				}
				noContent(w, r, body)
			}
		}), nil, []string{"notification/answered"}},
		{"redirects to the form with a slash", front(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !strings.HasSuffix(r.URL.Path, "/") {
				http.Redirect(w, r, r.URL.Path+"/", http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		}), nil, []string{"handshake/consent", "connect/answer", "event/answer"}},
		{"waits for a body that is read already", faulty(func(p *plain) {
			p.read = func(w http.ResponseWriter, r *http.Request) ([]byte, error) {
				_, _ = io.Copy(io.Discard, r.Body) // by a parser
				hang(w, r, nil)
				return nil, r.Context().Err()
			}
		}), nil, []string{"connect/answer", "event/answer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := judged(t, tt.handler(), tt.options)
			var got []string
			for _, result := range report.Results {
				if result.Verdict == check.Fails {
					got = append(got, result.Rule.ID)
				}
			}
			if !slices.Equal(got, tt.fails) {
				t.Errorf("got these to fail: %q, want %q", got, tt.fails)
				for _, result := range report.Results {
					if result.Verdict == check.Fails {
						t.Log(result.Rule.Severity, result.Rule.ID, result.Finding)
					}
				}
			}
		})
	}
}

func faulty(fault func(*plain)) func() http.Handler {
	return func() http.Handler { return newPlain(fault) }
}

// front returns a right handler behind something that may answer in its place.
func front(step func(w http.ResponseWriter, r *http.Request, next http.Handler)) func() http.Handler {
	return func() http.Handler {
		next := newPlain()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { step(w, r, next) })
	}
}

// diesOf returns a handler in a process that ends, for good, when it looks at a
// certificate that kills it.
func diesOf(kills func(certificate string) bool) func() http.Handler {
	return func() http.Handler {
		var dead atomic.Bool
		next := newPlain(func(p *plain) {
			p.connect = func(w http.ResponseWriter, r *http.Request, body []byte) {
				var client struct{ ClientCertificates []struct{ Content string } }
				_ = json.Unmarshal(body, &client)
				for _, c := range client.ClientCertificates {
					if kills(c.Content) {
						dead.Store(true)
						panic(http.ErrAbortHandler)
					}
				}
				admit(w, r, body)
			}
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if dead.Load() {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// untyped takes the content type away from an answer.
func untyped(step func(http.ResponseWriter, *http.Request, []byte)) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		step(withoutType{w}, r, body)
	}
}

// A withoutType is a writer whose answers have no content type.
type withoutType struct{ http.ResponseWriter }

func (w withoutType) WriteHeader(status int) {
	w.Header()["Content-Type"] = nil
	w.ResponseWriter.WriteHeader(status)
}

func (w withoutType) Write(b []byte) (int, error) {
	w.Header()["Content-Type"] = nil
	return w.ResponseWriter.Write(b)
}
