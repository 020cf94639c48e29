package interop

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/nodetest"
)

const jsDir = "testdata/js"

// startJS starts the JavaScript side. It is told to end by the end of its
// standard input, so it cannot outlive this process either. The channel gets
// the result of its end.
func startJS(t *testing.T) (*peer, <-chan error) {
	t.Helper()
	nodetest.Require(t, jsDir)
	// The test cache sees what this process opens, not what node does.
	if _, err := os.Stat(filepath.Join(jsDir, "server.mjs")); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "server.mjs")
	node.Dir = jsDir
	node.Env = append(os.Environ(), "NODE_ENV=production")
	var stderr bytes.Buffer
	node.Stderr = &stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	impatience := time.AfterFunc(30*time.Second, func() { _ = node.Process.Kill() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	impatience.Stop()

	ended, cleaned := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(cleaned)
		ended <- node.Wait()
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-cleaned
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("node said:\n%s", stderr.String())
		}
	})
	if err != nil {
		t.Fatalf("server.mjs did not print its port: %v", err)
	}
	return newPeer(t, "http://127.0.0.1:"+strings.TrimSpace(port)), ended
}
