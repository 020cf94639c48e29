package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long the tests wait for anything. It is generous, because it
// costs time only when something is wrong.
const patience = 20 * time.Second

// A process is a running command.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Reader // its output
	stderr lockedBuffer
	ended  bool

	tolerated []string // what it may complain about
}

// A lockedBuffer is written by one goroutine and read by others.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start starts the command and reads its first line, JSON, into head. It is
// ended with the test, if not before.
func start(t *testing.T, head any, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(command, args...)}
	p.cmd.Env = append(os.Environ(), "WebPubSubConnectionString=", "AZURE_WEBPUBSUB_CONNECTION_STRING=")
	p.cmd.Stderr = &p.stderr
	ownGroup(p.cmd)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	impatience := time.AfterFunc(patience, func() { killGroup(p.cmd) })
	defer impatience.Stop()
	p.lines = bufio.NewReader(stdout)
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s printed no first line: %v\n%s", p.cmd, err, &p.stderr)
	}
	if err := json.Unmarshal(line, head); err != nil {
		t.Fatalf("%s printed as its first line %s: %v", p.cmd, line, err)
	}
	return p
}

// end interrupts the process, which has to end well and leave nothing behind,
// and to have had nothing to complain about.
func (p *process) end() {
	if p.ended {
		return
	}
	p.ended = true
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Errorf("interrupt %s: %v", p.cmd, err)
	}
	impatience := time.AfterFunc(patience, func() { killGroup(p.cmd) })
	defer impatience.Stop()
	_, _ = io.Copy(io.Discard, p.lines) // until it is closed
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s: %v", p.cmd, err)
	}
	for line := range strings.Lines(p.stderr.String()) {
		expected := func(text string) bool { return strings.Contains(line, text) }
		if !expected("shutting down; ") && !slices.ContainsFunc(p.tolerated, expected) {
			p.t.Errorf("%s complains: %s", p.cmd, strings.TrimSpace(line))
		}
	}
	if err := groupIsGone(p.cmd); err != nil {
		p.t.Error(err)
		killGroup(p.cmd)
	}
}

// tolerate says that the process may complain about something, which the test
// does on purpose.
func (p *process) tolerate(text string) { p.tolerated = append(p.tolerated, text) }

// A demo is a running webpubsub demo.
type demo struct {
	*process
	Kind             string `json:"kind"`
	Page             string `json:"page"`
	ConnectionString string `json:"connectionString"`
	Hub              string `json:"hub"`
	EventHandler     string `json:"eventHandler"`
	Inspector        string `json:"inspector"`
}

// startDemo starts webpubsub demo on a free port.
func startDemo(t *testing.T) *demo {
	t.Helper()
	return startDemoAt(t, "127.0.0.1:0")
}

func startDemoAt(t *testing.T, address string) *demo {
	t.Helper()
	d := &demo{}
	d.process = start(t, d, "demo", "--listen", address, "--json")
	if got, want := d.Kind, "listening"; got != want {
		t.Fatalf("the first line is of the kind %q, want %q", got, want)
	}
	return d
}
