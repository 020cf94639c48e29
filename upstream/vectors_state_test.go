package upstream_test

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// receivedState returns the state of an event that carries it.
func receivedState(t testing.TB, header *string) upstream.State {
	t.Helper()
	h := event(typeConnected)
	if header != nil {
		h[wire.HeaderConnectionState] = []string{*header}
	}
	req, err := newHandler(t, nil).Parse(t.Context(), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req.Connection().State
}

func TestVectorsStateEncodings(t *testing.T) {
	for _, tt := range vectors.Load().ConnectionState.Encodings {
		t.Run(tt.ID, func(t *testing.T) {
			received := receivedState(t, &tt.Header)
			var got json.RawMessage
			if err := received.Decode(&got); err != nil {
				t.Fatal(err)
			}
			wantSameJSON(t, got, tt.Value)

			if tt.Dialect == "js" {
				written, err := upstream.NewState(tt.Value)
				if err != nil || written.Raw() != tt.Header {
					t.Errorf("NewState(%s) = %q, %v, want %q", tt.Value, written.Raw(), err, tt.Header)
				}
			}

			var asDotNet upstream.DotNetState
			if err := received.Decode(&asDotNet); err != nil {
				if len(tt.ReadByDotnetHex) > 0 {
					t.Errorf("as DotNetState: %v", err)
				}
				return
			}
			if want := dotNetState(t, tt.ReadByDotnetHex); !reflect.DeepEqual(asDotNet, want) {
				t.Errorf("as DotNetState: got %q, want %q", asDotNet, want)
			}
			written, err := upstream.NewState(asDotNet)
			if err != nil || written.Raw() != tt.Header {
				t.Errorf("NewState(%q) = %q, %v, want %q", asDotNet, written.Raw(), err, tt.Header)
			}
		})
	}
}

func dotNetState(t *testing.T, inHex map[string]string) upstream.DotNetState {
	t.Helper()
	s := upstream.DotNetState{}
	for name, digits := range inHex {
		value, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		s[name] = value
	}
	return s
}

func TestVectorsStateReads(t *testing.T) {
	for _, tt := range vectors.Load().ConnectionState.Reads.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			state := receivedState(t, tt.Header)
			if tt.Header != nil && state.Raw() != *tt.Header {
				t.Errorf("Raw = %q, want %q", state.Raw(), *tt.Header)
			}
			const untouched = `{"untouched":true}`
			read := json.RawMessage(untouched)
			err := state.Decode(&read)

			var kind string
			if json.Unmarshal(tt.Ours, &kind) != nil {
				if err != nil {
					t.Fatal(err)
				}
				wantSameJSON(t, read, tt.Ours)
				return
			}
			if got, want := state.IsZero(), kind == "absent"; got != want {
				t.Errorf("IsZero = %v, want %v", got, want)
			}
			if got, want := err != nil, kind == "opaque"; got != want {
				t.Errorf("Decode: got error %v, want one: %v", err, want)
			}
			if string(read) != untouched {
				t.Errorf("Decode wrote %s", read)
			}
		})
	}
}
