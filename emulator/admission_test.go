package emulator_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
)

// What is no opening handshake is refused before the application is asked.
func TestNoHandshake(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   string // in the answer
	}{
		{"no version", http.Header{"Sec-Websocket-Version": nil}, "Sec-WebSocket-Version: 13"},
		{"other version", http.Header{"Sec-Websocket-Version": {"8"}}, "Sec-WebSocket-Version: 13"},
		{"no key", http.Header{"Sec-Websocket-Key": nil}, "Sec-WebSocket-Key"},
		{"empty key", http.Header{"Sec-Websocket-Key": {""}}, "Sec-WebSocket-Key"},
		{"short key", http.Header{"Sec-Websocket-Key": {"AAAA"}}, "Sec-WebSocket-Key"},
		{"two keys", http.Header{"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA=="}}, "Sec-WebSocket-Key"},
		{"no upgrade", http.Header{"Upgrade": nil}, "Upgrade: websocket"},
		{"upgrade to something else", http.Header{"Upgrade": {"h2c"}}, "Upgrade: websocket"},
		{"no connection", http.Header{"Connection": nil}, "Connection: Upgrade"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := &journal{}
				service := startQuiet(t, app.options())
				address, err := service.ClientURL("chat", nil)
				if err != nil {
					t.Fatal(err)
				}
				_, target, _ := strings.Cut(address, "localhost:8080")
				status, body := upgrade(t, service, target, tt.header)
				if status != http.StatusBadRequest || !strings.Contains(body, tt.want) {
					t.Errorf("got status %d, %q, want 400 and %q in it", status, body, tt.want)
				}
				app.check(t)
			})
		})
	}
}

// answerConnect is a handler that answers connect with a body.
func answerConnect(status int, body string) *journal {
	return &journal{answer: func(w http.ResponseWriter, _ *http.Request, event string) {
		if event == "connect" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}}
}

// An answer to connect with values that no client can have admits nobody.
func TestUnusableConnectAnswers(t *testing.T) {
	for _, tt := range []struct{ name, answer, reason string }{
		{"blank group", `{"groups":["room"," "]}`, "group"},
		{"long group", `{"groups":["` + strings.Repeat("g", 1025) + `"]}`, "group"},
		{"line break in the user", `{"userId":"a\nb"}`, "control character"},
		{"null in the user", `{"userId":"a\u0000b"}`, "control character"},
		{"delete in the user", `{"userId":"a\u007fb"}`, "control character"},
		{"subprotocol not offered", `{"subprotocol":"other"}`, "subprotocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, records := answerConnect(http.StatusOK, tt.answer), &recordLog{}
				options := app.options()
				options.Observe = records.add
				service := startQuiet(t, options)
				_, resp, err := service.TryConnect("chat", nil)
				if err == nil || resp.StatusCode != http.StatusInternalServerError {
					t.Fatalf("got %v, %v, want status 500", resp, err)
				}
				synctest.Wait()
				refused := records.of(emulator.Refused, "")
				if len(refused) != 1 || !strings.Contains(refused[0].Err.Error(), tt.reason) {
					t.Errorf("got records %+v, want one with %q", refused, tt.reason)
				}
			})
		})
	}
}

// The text of a refusal is for the client, and for nobody else.
func TestForwardRefusals(t *testing.T) {
	const secret = "only for the client"
	for _, forward := range []bool{true, false} {
		for _, observed := range []bool{true, false} {
			t.Run(fmt.Sprintf("forward %t, observed %t", forward, observed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log logBuffer
					records := &recordLog{}
					options := answerConnect(http.StatusForbidden, secret).options()
					options.ForwardRefusals = forward
					options.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					if observed {
						options.Observe = records.add
					}
					service := emulatortest.StartWith(t, &options)
					_, resp, err := service.TryConnect("chat", nil)
					if err == nil || resp.StatusCode != http.StatusForbidden {
						t.Fatalf("got %v, %v, want status 403", resp, err)
					}
					body, err := io.ReadAll(resp.Body)
					if err != nil {
						t.Fatal(err)
					}
					if got := strings.Contains(string(body), secret); got != forward {
						t.Errorf("the client got %q", body)
					}
					synctest.Wait()
					if text := log.take(); strings.Contains(text, secret) || !observed && !strings.Contains(text, "403") {
						t.Errorf("got log %q, want the status and not the text", text)
					}
					for _, r := range records.records {
						if r.Err != nil && strings.Contains(r.Err.Error()+r.Hint, secret) {
							t.Errorf("record %+v shows the text", r)
						}
					}
					if n := len(records.of(emulator.Refused, "")); observed && n != 1 {
						t.Errorf("got %d records of a refusal, want 1", n)
					}
				})
			})
		}
	}
}

// The protocol that the application chose is that of the connection, whichever
// the client prefers.
func TestRecoverChosenProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := answerConnect(http.StatusOK, `{"subprotocol":"`+reliableProtocol+`"}`)
		service := startQuiet(t, app.options())
		c := service.Connect("chat", &emulatortest.ConnectOptions{Subprotocols: []string{"json.webpubsub.azure.v1", reliableProtocol}})
		if c.ReconnectionToken() == "" {
			t.Fatal("the client got no reconnection token")
		}
		c.Drop()
		time.Sleep(10 * time.Second)
		c.Recover()
		app.check(t, "connect", "connected")
		c.Close()
		app.check(t, "disconnected")
	})
}

// recoveryURL is where a client recovers a connection.
func recoveryURL(id, token string) string {
	return "ws://localhost:8080/client/hubs/chat?" + url.Values{"awps_connection_id": {id}, "awps_reconnection_token": {token}}.Encode()
}

// A recovery needs no further connection, and one that fails is no way around
// the limit.
func TestRecoveryAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := startQuiet(t, emulator.Options{Limits: emulator.Limits{Connections: 2}})
		offer := &emulatortest.ConnectOptions{Subprotocols: []string{reliableProtocol}}
		alice, bob := service.Connect("chat", offer), service.Connect("chat", offer)
		full := func(why string) {
			t.Helper()
			if _, resp, err := service.TryConnect("chat", offer); err == nil || resp.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%s: got %v, %v, want status 429", why, resp, err)
			}
		}
		full("two are connected")
		alice.Drop()
		time.Sleep(5 * time.Second)
		full("one is away")
		alice.Recover()
		alice.Send(`{"type":"ping"}`)
		if got, want := alice.Receive(), `{"type":"pong"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}

		bad := &emulatortest.ConnectOptions{URL: recoveryURL(alice.ConnectionID(), "bad"), Subprotocols: []string{}}
		if _, resp, err := service.TryConnect("chat", bad); err == nil || resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("bad recovery at the limit: got %v, %v, want status 429", resp, err)
		}
		bob.Close()
		synctest.Wait()
		for range 5 {
			if code, _ := service.Connect("chat", bad).ReceiveClose(); code != 1008 {
				t.Errorf("bad recovery: got code %d, want 1008", code)
			}
			synctest.Wait()
		}

		stuck := dialRaw(t, service, bad.URL)
		full("a bad recovery does not answer its close frame")
		time.Sleep(20 * time.Second)
		service.Connect("chat", offer).Close()
		_ = stuck.Close()
	})
}

// dialRaw does the opening handshake by hand and nothing after that.
func dialRaw(t *testing.T, service *emulatortest.Service, address string) io.Closer {
	t.Helper()
	conn, err := service.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, target, _ := strings.Cut(address, "localhost:8080")
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", target)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v, want status 101", resp, err)
	}
	return conn
}
