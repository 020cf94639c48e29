package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// A server is a running process.
type server struct {
	Entrance
	cmd   *exec.Cmd
	stdin io.Closer
}

func start(name string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "serve", name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, stdin: stdin}
	impatience := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer impatience.Stop()
	if err := json.NewDecoder(stdout).Decode(&s.Entrance); err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not say where it is: %w", err)
	}
	return s, nil
}

// stop ends the process, which watches its standard input.
func (s *server) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait() // its exit status says nothing about the measurement
}

func (s *server) usage() (used usage, err error) {
	resp, err := http.Get("http://" + s.Addr + "/usage")
	if err != nil {
		return used, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return used, fmt.Errorf("usage: %s", text)
	}
	return used, json.NewDecoder(resp.Body).Decode(&used)
}

// broadcast has the server send messages to all its clients.
func (s *server) broadcast(messages, size int) error {
	resp, err := http.Post(fmt.Sprintf("http://%s/broadcast?messages=%d&size=%d", s.Addr, messages, size), "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("broadcast: %s", text)
	}
	return nil
}
