package connstring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/connstring"
	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestVectors(t *testing.T) {
	for _, tt := range vectors.Load().ConnectionStrings.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			got, err := connstring.Parse(tt.Input)
			if !tt.OK {
				e, ok := errors.AsType[*connstring.Error](err)
				if !ok || string(e.Code) != tt.Error {
					t.Fatalf("Parse(%q): got error %#v, want code %q", tt.Input, err, tt.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := connstring.ConnectionString{Scheme: tt.Scheme, Host: tt.Host, Port: tt.Port, AccessKey: tt.AccessKey}
			if *got != want {
				t.Errorf("Parse(%q) = %+v, want %+v", tt.Input, *got, want)
			}
			if got, want := got.Endpoint(), tt.Endpoint; got != want {
				t.Errorf("Endpoint = %q, want %q", got, want)
			}
		})
	}
}

// The codes of the errors are those of the vectors, no more and no less.
func TestCodes(t *testing.T) {
	listed := map[string]bool{}
	for _, code := range vectors.Load().ConnectionStrings.Errors {
		listed[code] = true
	}
	codes := []connstring.Code{
		connstring.Empty, connstring.MalformedSegment, connstring.DuplicateKey, connstring.MissingEndpoint,
		connstring.MissingAccessKey, connstring.InvalidEndpoint, connstring.InvalidPort,
	}
	for _, code := range codes {
		if !listed[string(code)] {
			t.Errorf("code %q is in no vector", code)
		}
	}
	if got, want := len(codes), len(listed); got != want {
		t.Errorf("got %d codes, want %d", got, want)
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ endpoint, want string }{
		{"http://[::1]:8080", "http://[::1]:8080"},
		{"http://[::1]", "http://[::1]"},
		{"http://[FE80::1]:80/", "http://[fe80::1]"},
		{"127.0.0.1:8080", "https://127.0.0.1:8080"},
		{"https://demo.example/a?b#c", "https://demo.example"},
		{"https://user:secret@demo.example", ""},
		{"https://*.example", ""},
		{"https://demo.example:0", ""},
		{"https://demo.example:http", ""},
		{"https:///path", ""},
		{"://demo.example", ""},
		{"demo.example,other.example", ""},
	}
	for _, tt := range tests {
		cs, err := connstring.Parse("Endpoint=" + tt.endpoint + ";AccessKey=K")
		switch {
		case tt.want == "":
			if e, ok := errors.AsType[*connstring.Error](err); !ok || e.Code != connstring.InvalidEndpoint {
				t.Errorf("endpoint %q: got error %v, want %q", tt.endpoint, err, connstring.InvalidEndpoint)
			}
		case err != nil:
			t.Errorf("endpoint %q: %v", tt.endpoint, err)
		case cs.Endpoint() != tt.want:
			t.Errorf("endpoint %q: got %q, want %q", tt.endpoint, cs.Endpoint(), tt.want)
		}
	}
}

func FuzzConnectionString(f *testing.F) {
	const secret = "s3cretK3y+/=="
	for _, tt := range vectors.Load().ConnectionStrings.Cases {
		before, after, _ := strings.Cut(tt.Input, "AccessKey=")
		f.Add(before+"AccessKey=", after)
		f.Add(tt.Input, "")
	}
	f.Add("Endpoint=http://[::1]:8080;AccessKey=", ";Port=1")
	f.Add("Endpoint=https://", "@demo.example;AccessKey=x")
	f.Add("Endpoint=https://demo.example:", ";AccessKey=x")
	f.Fuzz(func(t *testing.T, before, after string) {
		// The key may stand anywhere in a string that is cut or joined wrong.
		cs, err := connstring.Parse(before + secret + after)
		if err != nil {
			if _, ok := errors.AsType[*connstring.Error](err); !ok {
				t.Errorf("got error %T, want a *Error", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the key: %v", err)
			}
			return
		}
		if !wire.ValidHost(cs.Host) || cs.Host != wire.OriginHost(cs.Host) {
			t.Errorf("host %q matches no origin", cs.Host)
		}
		if cs.AccessKey == "" || strings.Contains(cs.AccessKey, ";") || cs.AccessKey != strings.TrimSpace(cs.AccessKey) {
			t.Errorf("got access key %q", cs.AccessKey)
		}
		again, err := connstring.Parse("Endpoint=" + cs.Endpoint() + ";AccessKey=" + cs.AccessKey)
		if err != nil {
			t.Fatalf("%q is the endpoint of %q and does not parse: %v", cs.Endpoint(), before+secret+after, err)
		}
		if *again != *cs {
			t.Errorf("got %+v, and once more %+v", *cs, *again)
		}
	})
}
