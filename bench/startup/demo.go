package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// patience is how long a demo may take, and again how long its end.
const patience = 30 * time.Second

// moments are times since the start of a demo.
type moments struct {
	listening time.Duration // it has said where it is
	connected time.Duration // the service has greeted both clients
	delivered time.Duration // one of them has what the other said
}

// runDemo starts a demo, measures it and ends it. What the demo had to say is
// part of an error. An end that fails is told to notes, because the measurement
// was over by then.
func runDemo(ctx context.Context, path string, notes io.Writer) (m moments, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, "demo", "--listen", "127.0.0.1:0", "--json")
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = patience
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return m, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return m, err
	}
	m, err = chat(ctx, stdout, start)
	cancel()
	_ = cmd.Wait() // always an error, for it was interrupted: the exit code tells
	switch {
	case err != nil:
		err = fmt.Errorf("the demo: %w (%v)\n%s", err, cmd.ProcessState, &stderr)
	case !cmd.ProcessState.Success() && runtime.GOOS != "windows":
		fmt.Fprintf(notes, "note: the demo was measured, but did not end well (%v)\n%s", cmd.ProcessState, &stderr)
	}
	return m, err
}

// interrupt ends a process like Ctrl-C. On Windows nothing can do that to a
// single process.
func interrupt(p *os.Process) error {
	if runtime.GOOS == "windows" {
		return p.Kill()
	}
	return p.Signal(os.Interrupt)
}

// chat has two clients chat in a demo that is just starting.
func chat(ctx context.Context, stdout io.Reader, start time.Time) (m moments, err error) {
	var head struct{ Kind, Page string }
	if err := json.NewDecoder(stdout).Decode(&head); err != nil {
		return m, fmt.Errorf("it did not say where it is: %w", err)
	}
	if head.Kind != "listening" || head.Page == "" {
		return m, fmt.Errorf("its first line has the kind %q and the page %q", head.Kind, head.Page)
	}
	m.listening = time.Since(start)

	// One after the other, like the tabs of a browser.
	alice, err := enter(ctx, head.Page, "alice")
	if err != nil {
		return m, err
	}
	defer alice.close()
	bob, err := enter(ctx, head.Page, "bob")
	if err != nil {
		return m, err
	}
	defer bob.close()
	m.connected = time.Since(start)

	for _, c := range []*client{alice, bob} {
		if err := c.ask(ctx, map[string]any{"type": "joinGroup", "group": "lobby"}); err != nil {
			return m, err
		}
	}
	// The ack comes after the message, or says why there is none.
	refused := make(chan error, 1)
	heard, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := alice.ask(ctx, map[string]any{
			"type": "event", "event": "say", "dataType": "json",
			"data": map[string]string{"room": "lobby", "id": "1", "text": "hello"},
		})
		if err != nil {
			cancel()
		}
		refused <- err
	}()
	err = bob.await(heard, func(f frame) bool { return f.Type == "message" && f.Data.Kind == "message" })
	m.delivered = time.Since(start)
	return m, errors.Join(<-refused, err)
}

// negotiate asks the demo for a URL to connect to.
func negotiate(ctx context.Context, page string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page+"negotiate", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return "", fmt.Errorf("negotiate answered %s: %s", resp.Status, text)
	}
	var answer struct{ URL string }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.URL, err
}
