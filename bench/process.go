package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A server is a running process that listens on addr.
type server struct {
	addr  string
	cmd   *exec.Cmd
	stdin io.Closer
}

// start starts the server of a contender and waits for its port.
func start(name string, place placement) (*server, error) {
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir = jsDir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	if name != nameJS {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(self, "serve", name)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := place.start(cmd); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, stdin: stdin}
	impatience := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer impatience.Stop()
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("server %s did not print its port: %w", name, err)
	}
	s.addr = net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
	return s, nil
}

// stop ends the process, which watches its standard input.
func (s *server) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait() // its exit status says nothing about the measurement
}
