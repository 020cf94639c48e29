package emulator_test

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/emulator/emulatortest"
	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

var update = flag.Bool("update", false, "rewrite what the transcripts expect")

// TestTranscripts replays the conversations in testdata/transcripts. README.md
// there tells how to read and write them.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d transcripts, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { replay(t, archive) })
			if *update && !t.Failed() {
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A stage is where a transcript is replayed.
type stage struct {
	t        *testing.T
	service  *emulatortest.Service // from the first step that is not about options
	options  emulator.Options
	settings emulator.Settings
	app      application
	actors   map[string]*actor
	names    placeholders
	log      logBuffer
	answer   string // of the last REST request
}

func replay(t *testing.T, archive *txtar.Archive) {
	s := &stage{t: t, actors: map[string]*actor{}}
	s.options.Logger = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
	s.log.opened = func(line string) { s.names.shorten(line) } // which learns the id
	s.options.Delivery.RetryDelays = []time.Duration{}
	for i := range archive.Files {
		section := &archive.Files[i]
		next := ""
		if i+1 < len(archive.Files) {
			next = archive.Files[i+1].Name
		}
		got, expects := s.play(section.Name, s.names.expand(strings.TrimRight(string(section.Data), "\n")), next)
		synctest.Wait()
		if !expects {
			continue
		}
		got = s.names.shorten(strings.TrimRight(got, "\n"))
		if *update {
			section.Data = []byte(got + "\n\n")
			continue
		}
		if want := strings.TrimRight(string(section.Data), "\n"); got != want {
			t.Fatalf("section %d, %q: got\n%s\nwant\n%s\ndifference:\n%s", i+1, section.Name, got, want, cmp.Diff(want, got))
		}
	}
	s.app.close(t)
	for name, a := range s.actors {
		if rest := a.take(); rest != "" {
			t.Errorf("%s received more than the transcript says: %s", name, rest)
		}
	}
}

// play carries out one section and returns what became of it. Only sections
// that expect something have a result.
func (s *stage) play(name, body, next string) (got string, expects bool) {
	words := strings.Fields(name)
	params := paramsOf(words)
	if words[0] != "#" && words[0] != "service" && words[0] != "settings" && s.service == nil {
		s.options.Settings = s.settings
		s.service = emulatortest.StartWith(s.t, &s.options)
	}
	switch words[0] {
	case "#": // a remark
	case "service":
		s.setOptions(params)
	case "settings":
		s.setSettings(params)
	case "wait":
		pause, err := time.ParseDuration(words[1])
		s.check(err)
		time.Sleep(pause)
	case "shutdown":
		go func() { _ = s.service.Shutdown(context.Background()) }()
	case "log":
		return s.log.take(), true
	case "rest":
		if words[1] == "answer" {
			return s.answer, true
		}
		s.answer = s.rest(words[1], s.names.expand(words[2]), params["token"], body)
	case "upstream":
		if words[1] == "request" {
			later := slices.Contains(words, "later") || strings.HasPrefix(next, "upstream answer")
			return s.app.take(s.t, slices.Contains(words, "all"), later), true
		}
		s.app.reply(s.t, body)
	default:
		return s.act(words[0], words[1:], params, body)
	}
	return "", false
}

// act is play for the sections of a client.
func (s *stage) act(name string, words []string, params map[string]string, body string) (got string, expects bool) {
	a := s.actors[name]
	verb := words[0]
	if a == nil && verb != "connect" {
		s.t.Fatalf("%s is not connected yet", name)
	}
	switch verb {
	case "connect":
		s.names.speaker = name
		s.actors[name] = s.dial(name, params, body)
	case "recovers":
		s.names.speaker = name
		s.actors[name] = s.recover(name, a, params)
	case "refused", "accepted":
		return a.handshake(), true
	case "sends":
		a.send(s.t, body)
	case "receives":
		return a.take(), true
	case "closed":
		return a.end(), true
	case "closes":
		code, _ := strconv.Atoi(params["code"])
		a.close(code, params["reason"])
	case "drops":
		a.drop()
	case "stops": // reading
		a.line.deaf.Store(true)
	default:
		s.t.Fatalf("unknown section of a client: %q", verb)
	}
	return "", false
}

func (s *stage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// paramsOf reads words like user=alice.
func paramsOf(words []string) map[string]string {
	params := map[string]string{}
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			params[name] = value
		}
	}
	return params
}

func listOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (s *stage) setOptions(params map[string]string) {
	number := func(name string) int {
		n, err := strconv.Atoi(params[name])
		s.check(err)
		return n
	}
	for name, value := range params {
		switch name {
		case "message-bytes":
			s.options.Limits.MessageBytes = number(name)
		case "queued-messages":
			s.options.Limits.QueuedMessages = number(name)
		case "connections":
			s.options.Limits.Connections = number(name)
		case "secondary-key":
			s.options.SecondaryAccessKey = value
		case "signature":
			s.options.DisableEventSignature = value == "off"
		case "forward-refusals":
			s.options.ForwardRefusals = value == "yes"
		case "retries":
			s.options.Delivery.RetryDelays = nil // those of the service
		default:
			s.t.Fatalf("unknown option %q", name)
		}
	}
}

// setSettings makes the settings of all hubs, or of one. From the second time
// on the service runs.
func (s *stage) setSettings(params map[string]string) {
	hub := emulator.HubSettings{AllowAnonymous: params["anonymous"] == "allow", CloseOnEventFailure: params["event-failure"] == "close"}
	s.app.consents = params["handshake"] == "shown"
	if interval := params["keep-alive"]; interval != "" {
		var err error
		hub.KeepAlive, err = time.ParseDuration(interval)
		s.check(err)
	}
	handler := emulator.EventHandler{Handler: &s.app, GroupFilters: listOf(params["groups"])}
	for _, event := range listOf(params["events"]) {
		switch event {
		case "connect", "connected", "disconnected":
			handler.SystemEvents = append(handler.SystemEvents, event)
		case "joined", "left":
			handler.GroupEvents = append(handler.GroupEvents, event)
		default:
			handler.UserEventPattern = strings.TrimPrefix(handler.UserEventPattern+","+event, ",")
		}
	}
	if params["events"] != "" {
		hub.EventHandlers = []emulator.EventHandler{handler}
	}
	if name := params["hub"]; name != "" {
		s.settings.Hubs = map[string]emulator.HubSettings{name: hub}
	} else {
		s.settings.Default = hub
	}
	if s.service != nil {
		s.check(s.service.Apply(s.settings))
	}
}

// rest makes a request of the data plane and returns the answer.
func (s *stage) rest(method, target, token, body string) string {
	s.names.speaker = "rest"
	address := s.service.Endpoint() + target
	header, payload := parseMessage(body)
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(payload))
	s.check(err)
	r.Header = header
	switch token {
	case "":
		signed, err := access.Sign(emulator.DefaultAccessKey, address, access.SignOptions{})
		s.check(err)
		r.Header.Set("Authorization", "Bearer "+signed)
	case "none":
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.service.HTTPClient().Do(r)
	s.check(err)
	return formatResponse(s.t, resp)
}
