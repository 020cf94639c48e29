package peers

import (
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/internal/nodetest"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const jsDir = "testdata/js"

func startNode(t *testing.T, args ...string) string {
	t.Helper()
	nodetest.Require(t, jsDir)
	return start(t, jsDir, "node", args...)
}

// expressOptions are all that the middleware serves.
func expressOptions() check.Options {
	return check.Options{UserID: "alice", Events: []string{"connect", "connected", "message", "joined", "left", "disconnected", "mqtt"}}
}

func TestExpress(t *testing.T) {
	t.Parallel()
	options := expressOptions()
	options.Skip = []string{"state/huge"} // Node may close the connection before its refusal has arrived
	report := judge(t, startNode(t, "express.mjs"), options)
	wantGolden(t, report, "express.txt")
}

// TestExpressParsed judges the middleware behind a body parser, which leaves it
// waiting for a body that was read already.
func TestExpressParsed(t *testing.T) {
	t.Parallel()
	report := judge(t, startNode(t, "express.mjs", "parsed"), expressOptions())
	wantFails(t, report,
		[]string{"connect/answer", "event/any-data", "signature/missing", "signature/forged"},
		[]string{"origin/foreign"})
}

func TestNode(t *testing.T) {
	jsonText := map[string]upstreamtest.Data{"message": upstreamtest.JSON(map[string]string{"text": "hello"})}
	for _, tt := range []struct {
		script         string
		data           map[string]upstreamtest.Data
		musts, shoulds []string
	}{
		{script: "right.mjs"},
		{
			script:  "every-request-is-a-handshake.mjs",
			musts:   []string{"signature/missing", "signature/forged"},
			shoulds: []string{"path/method"},
		},
		{
			script: "dies-of-bad-json.mjs",
			data:   jsonText,
			musts:  []string{"event/any-data"},
		},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			report := judge(t, startNode(t, tt.script), check.Options{UserID: "alice", Data: tt.data})
			wantFails(t, report, tt.musts, tt.shoulds)
		})
	}
}
