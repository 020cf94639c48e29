package protocol_test

import (
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/protocol"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct {
		name     string
		offered  []string
		codec    protocol.Codec
		spelling string
	}{
		{"nothing", nil, nil, ""},
		{"unknown", []string{"mine", "", "json.webpubsub.azure.v2"}, nil, ""},
		{"one", []string{"json.webpubsub.azure.v1"}, protocol.JSON(), "json.webpubsub.azure.v1"},
		{"after an unknown one", []string{"mine", "json.reliable.webpubsub.azure.v1"}, protocol.JSONReliable(), "json.reliable.webpubsub.azure.v1"},
		{"the client's order", []string{"json.reliable.webpubsub.azure.v1", "json.webpubsub.azure.v1"}, protocol.JSONReliable(), "json.reliable.webpubsub.azure.v1"},
		{"the other order", []string{"json.webpubsub.azure.v1", "json.reliable.webpubsub.azure.v1"}, protocol.JSON(), "json.webpubsub.azure.v1"},
		{"case", []string{"JSON.WebPubSub.Azure.V1"}, protocol.JSON(), "JSON.WebPubSub.Azure.V1"},
		{"Unicode case", []string{"j\u017Fon.webpubsub.azure.v1"}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, name, ok := protocol.Negotiate(tt.offered)
			if want := tt.codec != nil; c != tt.codec || name != tt.spelling || ok != want {
				t.Errorf("Negotiate(%q) = %v, %q, %v, want %v, %q, %v", tt.offered, c, name, ok, tt.codec, tt.spelling, want)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]protocol.Codec{
		"json.webpubsub.azure.v1":          protocol.JSON(),
		"JSON.Reliable.webpubsub.azure.v1": protocol.JSONReliable(),
		"mine":                             nil,
		"":                                 nil,
	} {
		if got, ok := protocol.Lookup(name); got != want || ok != (want != nil) {
			t.Errorf("Lookup(%q) = %v, %v, want %v", name, got, ok, want)
		}
	}
}
