// Package examples_test builds the programs of this module, starts each one and
// plays the service for it, over real HTTP.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A program is one of the examples: how to start it on a free port, and the
// path that it serves.
type program struct {
	name string
	args []string
	env  []string
	path string
}

var programs = []program{
	{name: "nethttp", args: []string{"-addr=127.0.0.1:0"}, path: "/eventhandler"},
	{name: "chi", args: []string{"-addr=127.0.0.1:0"}, path: "/eventhandler"},
	{name: "gin", args: []string{"-addr=127.0.0.1:0"}, path: "/eventhandler"},
	{name: "echo", args: []string{"-addr=127.0.0.1:0"}, path: "/eventhandler"},
	{name: "fiber", args: []string{"-addr=127.0.0.1:0"}, path: "/eventhandler"},
	{name: "functions", env: []string{"FUNCTIONS_CUSTOMHANDLER_PORT=0"}, path: "/api/eventhandler"},
}

// The ways to write the URL of a handler in the settings of a hub. In the
// handshake the service puts "validate" for {event}.
var urlForms = []string{"", "/", "/{event}"}

// user has what a user id may have and what hosts like to break: text that is
// not ASCII, a comma, a slash, a percent sign.
const user = "Zoë, a/b %20"

func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs stop on SIGTERM, which Windows does not have")
	}
	bin := build(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			t.Run("no connection string", func(t *testing.T) { testNoConnectionString(t, bin, p) })
			t.Run("conformance", func(t *testing.T) { testConformance(t, bin, p) })
			r := start(t, bin, p)
			for _, form := range urlForms {
				t.Run("handshake"+form, func(t *testing.T) { testHandshake(t, r, form) })
				t.Run("conversation"+form, func(t *testing.T) { testConversation(t, r, form) })
			}
			t.Run("refusals", func(t *testing.T) { testRefusals(t, r) })
			t.Run("largest state", func(t *testing.T) { testLargestState(t, r) })
			t.Run("stop", func(t *testing.T) { testStop(t, r) })
		})
	}
}

func testNoConnectionString(t *testing.T, bin string, p program) {
	cmd := command(t, bin, p, "")
	out, err := cmd.CombinedOutput()
	if got, want := cmd.ProcessState.ExitCode(), 1; got != want {
		t.Errorf("exit code %d (%v), want %d", got, err, want)
	}
	if got, want := string(out), "set WebPubSubConnectionString"; !strings.Contains(got, want) {
		t.Errorf("output %q, want %q in it", got, want)
	}
}

func testHandshake(t *testing.T, r *running, form string) {
	target := r.url + strings.ReplaceAll(form, "{event}", "validate")
	tests := []struct {
		origins []string
		status  int
		allowed []string
	}{
		{[]string{upstreamtest.Origin}, http.StatusOK, []string{upstreamtest.Origin}},
		{[]string{"replica.example", upstreamtest.Origin}, http.StatusOK, []string{upstreamtest.Origin}},
		{[]string{upstreamtest.Origin + ".attacker.example"}, http.StatusForbidden, nil},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodOptions, http.MethodGet} {
			req := upstreamtest.To(target, upstreamtest.NewHandshake(tt.origins...))
			req.Method = method
			resp, _ := r.do(t, req)
			if resp.StatusCode != tt.status {
				t.Errorf("%s %s from %q: status %d, want %d", method, target, tt.origins, resp.StatusCode, tt.status)
			}
			if got := resp.Header.Values("WebHook-Allowed-Origin"); !slices.Equal(got, tt.allowed) {
				t.Errorf("%s %s from %q: allowed origins %q, want %q", method, target, tt.origins, got, tt.allowed)
			}
		}
	}
}

// A session is the state that the chat handler keeps.
type session struct {
	Room     string `json:"room"`
	Messages int    `json:"messages"`
}

const textPlain, jsonText = "text/plain; charset=utf-8", "application/json; charset=utf-8"

// testConversation is the life of one connection. Each event carries the state
// that the answers before it have set, as the service does.
func testConversation(t *testing.T, r *running, form string) {
	var state upstream.State
	steps := []struct {
		name        string
		event       upstreamtest.Event
		faults      []upstreamtest.Fault
		status      int
		contentType string
		body        string
		session     session
	}{
		{
			name: "connect",
			event: upstreamtest.Event{
				Type:    upstreamtest.TypeConnect,
				Connect: &upstreamtest.ConnectData{Query: url.Values{"user": {user}}},
			},
			status:      http.StatusOK,
			contentType: "application/json",
			body:        `{"userId":"` + user + `","groups":["lobby"]}`,
			session:     session{"lobby", 0},
		},
		{
			name:    "connected",
			event:   upstreamtest.Event{Type: upstreamtest.TypeConnected},
			status:  http.StatusNoContent,
			session: session{"lobby", 0},
		},
		{
			name:        "message",
			event:       upstreamtest.Event{Data: upstreamtest.Text("héllo")},
			status:      http.StatusOK,
			contentType: textPlain,
			body:        user + ` said "héllo", message 1 in the lobby`,
			session:     session{"lobby", 1},
		},
		{
			name:        "message",
			event:       upstreamtest.Event{Data: upstreamtest.Text("in two chunks")},
			faults:      []upstreamtest.Fault{upstreamtest.ChunkedBody},
			status:      http.StatusOK,
			contentType: textPlain,
			body:        user + ` said "in two chunks", message 2 in the lobby`,
			session:     session{"lobby", 2},
		},
		{
			name: "vote",
			event: upstreamtest.Event{
				Type: upstreamtest.UserEventType("vote"),
				Data: upstreamtest.JSON(map[string]string{"option": "tea"}),
			},
			status:      http.StatusOK,
			contentType: jsonText,
			body:        `{"user":"` + user + `","option":"tea","messages":2}`,
			session:     session{"lobby", 2},
		},
		{
			name:    "disconnected",
			event:   upstreamtest.Event{Type: upstreamtest.TypeDisconnected, Reason: "bye"},
			status:  http.StatusNoContent,
			session: session{"lobby", 2},
		},
	}
	for i, step := range steps {
		ev := step.event
		ev.ConnectionID, ev.ID, ev.State = "conversation"+strconv.Itoa(len(form)), strconv.Itoa(i), state
		if ev.Type != upstreamtest.TypeConnect {
			ev.UserID = user
		}
		target := r.url + strings.ReplaceAll(form, "{event}", step.name)
		resp, body := r.do(t, upstreamtest.To(target, upstreamtest.NewRequest(ev, step.faults...)))

		if resp.StatusCode != step.status || body != step.body {
			t.Fatalf("%d, %s: answer %d %q, want %d %q", i, step.name, resp.StatusCode, body, step.status, step.body)
		}
		if got, want := resp.Header.Get("Content-Type"), step.contentType; want != "" && got != want {
			t.Errorf("%d, %s: content type %q, want %q", i, step.name, got, want)
		}
		if raw := resp.Header.Get("ce-connectionState"); raw != "" {
			var err error
			if state, err = upstream.RawState(raw); err != nil {
				t.Fatalf("%d, %s: state: %v", i, step.name, err)
			}
		}
		var got session
		if err := state.Decode(&got); err != nil || got != step.session {
			t.Errorf("%d, %s: session %+v, %v, want %+v", i, step.name, got, err, step.session)
		}
	}
}

func testRefusals(t *testing.T, r *running) {
	message := upstreamtest.Event{Data: upstreamtest.Text("hi")}
	vote := func(json string) upstreamtest.Event {
		return upstreamtest.Event{Type: upstreamtest.UserEventType("vote"), Data: upstreamtest.Text(json)}
	}
	put := func(req *http.Request) { req.Method = http.MethodPut }
	elsewhere := func(req *http.Request) { req.URL.Path += "s" }
	tests := []struct {
		name   string
		event  upstreamtest.Event
		fault  upstreamtest.Fault
		status int
		body   string
	}{
		{"connect without a user", upstreamtest.Event{Type: upstreamtest.TypeConnect}, nil, http.StatusUnauthorized, "say who you are: connect with ?user=<name>"},
		{"forged signature", message, upstreamtest.BadSignature, http.StatusUnauthorized, ""},
		{"no signature", message, upstreamtest.NoSignature, http.StatusUnauthorized, ""},
		{"foreign origin", message, upstreamtest.ForeignOrigin, http.StatusForbidden, ""},
		{"vote that is no JSON", vote("tea"), nil, http.StatusBadRequest, ""},
		{"vote without an option", vote("{}"), nil, http.StatusBadRequest, "a vote needs an option"},
	}
	for _, tt := range tests {
		req := upstreamtest.To(r.url, upstreamtest.NewRequest(tt.event))
		if tt.fault != nil {
			tt.fault(req)
		}
		resp, body := r.do(t, req)
		if resp.StatusCode != tt.status || body != tt.body {
			t.Errorf("%s: answer %d %q, want %d %q", tt.name, resp.StatusCode, body, tt.status, tt.body)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"another method", put, http.StatusMethodNotAllowed},
		{"another path", elsewhere, http.StatusNotFound},
	} {
		req := upstreamtest.To(r.url, upstreamtest.NewRequest(message))
		tt.change(req)
		// What the body says is up to the framework.
		if resp, _ := r.do(t, req); resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
}

// testLargestState sends a header as long as the library lets it become.
func testLargestState(t *testing.T, r *running) {
	const limit = upstream.MaxStateBytes / 4 * 3 // before base64
	room := strings.Repeat("x", limit-len(`{"room":"","messages":41}`))
	state, err := upstream.NewState(session{Room: room, Messages: 41})
	if err != nil {
		t.Fatal(err)
	}
	resp, body := r.do(t, upstreamtest.To(r.url, upstreamtest.NewRequest(upstreamtest.Event{
		Type:  upstreamtest.UserEventType("vote"),
		State: state,
		Data:  upstreamtest.Text(`{"option":"tea"}`),
	})))
	if got, want := body, `{"user":"","option":"tea","messages":41}`; resp.StatusCode != http.StatusOK || got != want {
		t.Errorf("with %d bytes of state: answer %d %q, want 200 %q", len(state.Raw()), resp.StatusCode, got, want)
	}
}

// testStop checks that the program ends well although connections are open,
// and that no event is lost whose answer was sent before it was handled. The
// log is a pipe that nobody reads for a while, so that handlers get stuck.
func testStop(t *testing.T, r *running) {
	const leavers = 100
	for i := range leavers {
		resp, _ := r.do(t, upstreamtest.To(r.url, upstreamtest.NewRequest(upstreamtest.Event{
			Type:         upstreamtest.TypeDisconnected,
			ConnectionID: "leaver" + strconv.Itoa(i),
			UserID:       "leaver",
			Reason:       strings.Repeat("x", 4000), // all together more than a pipe holds
		})))
		if got, want := resp.StatusCode, http.StatusNoContent; got != want {
			t.Fatalf("disconnected: status %d, want %d", got, want)
		}
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.waitUntilClosed(t)
	log, err := io.ReadAll(r.stderr) // until the program ends
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0; it said:\n%s", err, log)
	}
	joined := "joined user=" + strconv.Quote(user) + "\n"
	left := "left user=" + strconv.Quote(user) + " reason=bye\n"
	for want, times := range map[string]int{
		joined:              len(urlForms),
		left:                len(urlForms),
		"left user=leaver ": leavers,
	} {
		if got := bytes.Count(log, []byte(want)); got != times {
			t.Errorf("the log has %q %d times, want %d", want, got, times)
		}
	}
}

// build builds all programs and returns their folder.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, "./"+p.name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// command returns the command that starts a program, which ends with the test
// at the latest.
func command(t *testing.T, bin string, p program, connectionString string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, p.name), p.args...)
	cmd.Env = append(append(os.Environ(), "WebPubSubConnectionString="+connectionString), p.env...)
	return cmd
}

// A running program, and a client that plays the service.
type running struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
	stderr io.Reader
}

// start starts a program and waits until it says where it listens.
func start(t *testing.T, bin string, p program) *running {
	t.Helper()
	r := &running{cmd: command(t, bin, p, upstreamtest.ConnectionString)}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.stderr, err = r.cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "listening on ")
	if err != nil || !ok || !strings.HasSuffix(address, p.path) {
		_ = r.cmd.Process.Kill()
		log, _ := io.ReadAll(r.stderr)
		t.Fatalf("first line %q, %v, want an address that ends in %q; it said:\n%s", line, err, p.path, log)
	}
	r.url = address
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{
		Transport: transport,
		Timeout:   10 * time.Second,
		// The service follows none, so a redirect is a wrong status here.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

func (r *running) do(t *testing.T, req *http.Request) (resp *http.Response, body string) {
	t.Helper()
	resp, err := r.client.Do(req.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return resp, string(b)
}

// waitUntilClosed returns when the program takes no more connections.
func (r *running) waitUntilClosed(t *testing.T) {
	t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	for range time.Tick(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", u.Host)
		if errors.Is(err, syscall.ECONNREFUSED) || t.Context().Err() != nil {
			return
		}
		if err == nil {
			conn.Close()
		}
	}
}
