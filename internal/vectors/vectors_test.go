package vectors_test

import (
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
)

// A member that is misspelled in the types would leave a group empty, and
// every test that runs it would pass without a case.
func TestLoad(t *testing.T) {
	v := vectors.Load()
	for _, group := range []struct {
		name      string
		got, want int
	}{
		{"signatures", len(v.Signatures.Cases), 51},
		{"state encodings", len(v.ConnectionState.Encodings), 15},
		{"state reads", len(v.ConnectionState.Reads.Cases), 11},
		{"MQTT codes", len(v.MQTT.ConnectCodeToHTTPStatus.Cases), 26},
		{"MQTT statuses", len(v.MQTT.HTTPStatusToConnectCode.Cases), 15},
		{"MQTT reasons", len(v.MQTT.DisconnectReasonCodes), 29},
		{"MQTT bodies", len(v.MQTT.Bodies), 6},
		{"media types of requests", len(v.MediaTypes.Request.Cases), 14},
		{"media types of responses", len(v.MediaTypes.Response.Cases), 5},
		{"service replies", len(v.MediaTypes.ServiceReply.Cases), 12},
		{"service requests", len(v.MediaTypes.ServiceRequest.Cases), 6},
		{"origins", len(v.Origins.Parse.Cases), 11},
		{"configured origins", len(v.Origins.ConfiguredToHost.Cases), 9},
		{"handshakes", len(v.Origins.Handshake.Cases), 23},
		{"connection strings", len(v.ConnectionStrings.Cases), 66},
	} {
		if group.got != group.want {
			t.Errorf("%s: got %d cases, want %d", group.name, group.got, group.want)
		}
	}
	if got, want := v.ConnectionState.Clear.Header, "e30="; got != want {
		t.Errorf("cleared state: got %q, want %q", got, want)
	}
	if got, want := v.MQTT.ConnectCodeToHTTPStatus.UnknownCode.Ours, 403; got != want {
		t.Errorf("unknown MQTT code: got %d, want %d", got, want)
	}
}
