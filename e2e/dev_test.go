package e2e_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// The inspector of webpubsub dev shows what the service and a handler of
// somebody's own say to each other, and why it failed.
func TestDev(t *testing.T) {
	key := strings.Repeat("k", 32)
	validator, err := upstream.NewAccessKeyValidator("Endpoint=http://localhost;AccessKey=" + key + ";Version=1.0;")
	if err != nil {
		t.Fatal(err)
	}
	h := upstream.NewEventHandler(validator, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
	h.HandleUserEvent("greet", upstream.Typed(func(_ context.Context, req *upstream.UserEventRequest, name string) (string, error) {
		return "hello " + name, nil
	}))
	h.HandleUserEvent("break", upstream.Typed(func(context.Context, *upstream.UserEventRequest, string) (string, error) {
		return "", errors.New("a secret of the handler")
	}))
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)

	var head struct{ ClientURL, Inspector string }
	dev := start(t, &head, "dev", "--listen", "127.0.0.1:0", "--json", "--hub", "chat", "--upstream", server.URL,
		"--key", key, "--user", "alice", "--retry", "none")
	dev.tolerate("note: server SDKs")
	page := startChromium(t).open(head.Inspector)
	page.see(".ins-empty")

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, _, err := websocket.Dial(ctx, head.ClientURL, &websocket.DialOptions{Subprotocols: []string{"json.webpubsub.azure.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.CloseNow() })
	for _, event := range []string{"greet", "break"} {
		if err := wsjson.Write(ctx, client, map[string]string{"type": "event", "event": event, "dataType": "json", "data": "you"}); err != nil {
			t.Fatal(err)
		}
	}

	greet := page.row("^greet alice .* ✓ 200")
	page.openRow(greet)
	page.seeText(greet+" .ins-part-request", `"you"`)
	page.seeText(greet+" .ins-part-answer", "hello you")
	page.click(greet + " .ins-line")
	broken := page.row("^break alice .* ✕ 500")
	page.openRow(broken)
	page.seeText(broken+" .ins-part-trouble", "Hint")
	page.press("\x1b")

	page.click(".ins-check input")
	page.waitFor("only the failure is shown", func() bool {
		rows := page.rows()
		return len(rows) == 1 && strings.HasPrefix(rows[0], "break ")
	})
	page.click(".ins-check input")
	page.waitFor("all are shown", func() bool {
		rows := page.rows()
		return slices.IsSortedFunc([]string{"validate", "connect", "connected", "greet", "break"}, func(a, b string) int {
			at := func(event string) int {
				return slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, event+" ") })
			}
			return at(a) - at(b)
		})
	})
}
