package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func TestVectorsVerify(t *testing.T) {
	for _, tt := range vectors.Load().Signatures.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			keys := wire.NewKeys(tt.Keys...)
			got := keys.Verify(tt.ConnectionID, strings.Join(tt.Header, ","))
			if want := tt.Valid; got != want {
				t.Errorf("Verify(%q, %q) = %v, want %v", tt.ConnectionID, tt.Header, got, want)
			}
		})
	}
}

// Every valid header holds a token that Sign makes as well.
func TestVectorsSign(t *testing.T) {
	for _, tt := range vectors.Load().Signatures.Cases {
		if !tt.Valid {
			continue
		}
		t.Run(tt.ID, func(t *testing.T) {
			header := strings.ToLower(strings.Join(tt.Header, ","))
			made := strings.Split(wire.Sign(tt.ConnectionID, tt.Keys...), ",")
			if got, want := len(made), len(tt.Keys); got != want {
				t.Fatalf("Sign made %d tokens, want %d", got, want)
			}
			if !slices.ContainsFunc(made, func(token string) bool { return strings.Contains(header, token) }) {
				t.Errorf("Sign(%q, %q) = %q, and none of it is in %q", tt.ConnectionID, tt.Keys, made, header)
			}
		})
	}
}

func TestVectorsParseOrigins(t *testing.T) {
	for _, tt := range vectors.Load().Origins.Parse.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			if got, want := wire.ParseOrigins(tt.Header), tt.Tokens; !slices.Equal(got, want) {
				t.Errorf("ParseOrigins(%q) = %q, want %q", tt.Header, got, want)
			}
		})
	}
}

func TestVectorsMediaType(t *testing.T) {
	for _, tt := range vectors.Load().MediaTypes.Request.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			var contentType string
			if tt.ContentType != nil {
				contentType = *tt.ContentType
			}
			if got, want := wire.MediaType(contentType), tt.MediaType; got != want {
				t.Errorf("MediaType(%q) = %q, want %q", contentType, got, want)
			}
		})
	}
}

func TestVectorsMQTTStatus(t *testing.T) {
	codes := vectors.Load().MQTT.ConnectCodeToHTTPStatus
	listed := map[int]bool{}
	for _, tt := range codes.Cases {
		listed[tt.Code] = true
		status, known := wire.MQTTStatus(tt.Code)
		if status != tt.Ours || !known {
			t.Errorf("MQTTStatus(%d), %s = %d, %v, want %d, true", tt.Code, tt.Name, status, known, tt.Ours)
		}
		if got, want := wire.MQTTCodeFor(tt.ProtocolVersion, tt.Code), tt.Code; got != want {
			t.Errorf("MQTTCodeFor(%d, %d) = %d, want it unchanged", tt.ProtocolVersion, tt.Code, got)
		}
	}
	for code := range 256 {
		if listed[code] {
			continue
		}
		status, known := wire.MQTTStatus(code)
		if want := codes.UnknownCode.Ours; status != want || known {
			t.Errorf("MQTTStatus(%d) = %d, %v, want %d, false", code, status, known, want)
		}
	}
}

func TestVectorsMQTTCode(t *testing.T) {
	for _, tt := range vectors.Load().MQTT.HTTPStatusToConnectCode.Cases {
		if got, want := wire.MQTTCode(tt.ProtocolVersion, tt.Status), tt.Ours; got != want {
			t.Errorf("MQTTCode(%d, %d) = %d, want %d", tt.ProtocolVersion, tt.Status, got, want)
		}
	}
}
