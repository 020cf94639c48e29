package emulator_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// FuzzFrames has a client send anything. Whatever that does to the client, the
// service works on for others, and a client that was closed was told so.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"type":"joinGroup","group":"room","ackId":1}`,
		`{"type":"leaveGroup","group":"room"}` + "\n" + `{"type":"ping"}`,
		`{"type":"sendToGroup","group":"room","dataType":"binary","data":"AP8=","ttlSeconds":1,"metadata":{"a":"b"}}`,
		`{"type":"event","event":"message","ackId":18446744073709551615,"dataType":"text","data":""}`,
		`{"type":"sequenceAck","sequenceId":18446744073709551615}`,
		`{"type":"invoke","invocationId":"1","target":"event","event":"message"}`,
		`{"type":"sendToGroup","group":"room","stream":{"streamId":"s"}}` + "\n" + `{"type":"streamEnd","streamId":"s"}`,
		`{"type":"setGroupState","group":"room","state":{"a":"b"}}`,
		`{`, `[]`, "\xff", "\x00\n\n",
	} {
		for kind := range uint8(8) {
			f.Add(kind, seed)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, lines string) {
		synctest.Test(t, func(t *testing.T) { fuzzFrames(t, kind, lines) })
	})
}

func fuzzFrames(t *testing.T, kind uint8, lines string) {
	service := startQuiet(t, emulator.Options{
		Settings: emulator.Settings{Default: emulatortest.AllEvents(echo)},
		Limits:   emulator.Limits{MessageBytes: 4096},
	})
	witness := service.Connect("chat", nil)
	address, err := service.ClientURL("chat", &emulator.TokenOptions{Roles: []string{"webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// The kind says how the client speaks.
	target, options := address, &websocket.DialOptions{HTTPClient: service.HTTPClient()}
	switch kind & 3 {
	case 1:
		options.Subprotocols = []string{"json.webpubsub.azure.v1"}
	case 2:
		options.Subprotocols = []string{"json.reliable.webpubsub.azure.v1"}
	case 3:
		target += "&webpubsub_mode=sendToGroup&group=room"
	}
	messageType := websocket.MessageText
	if kind&4 != 0 {
		messageType = websocket.MessageBinary
	}
	ws, _, err := websocket.Dial(ctx, target, options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := ws.Read(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	var refused error
	for line := range strings.SplitSeq(lines, "\n") {
		if refused = ws.Write(ctx, messageType, []byte(line)); refused != nil {
			break
		}
	}
	if refused == nil {
		// The answer comes after what is under way, unless that was bad.
		_ = ws.Close(websocket.StatusNormalClosure, "")
	}
	err = <-ended
	switch status := websocket.CloseStatus(err); status {
	case websocket.StatusNormalClosure, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData, websocket.StatusMessageTooBig:
	case -1:
		if ctx.Err() != nil {
			t.Fatalf("the service does not answer: %v", err)
		}
	default:
		t.Errorf("the service closed with %d: %v", status, err)
	}
	witness.Send(`{"type":"ping"}`)
	for got := witness.Receive(); got != `{"type":"pong"}`; got = witness.Receive() {
		if !strings.HasPrefix(got, `{"type":"message","from":"group"`) {
			t.Errorf("another client got %q", got)
		}
	}
}
