package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// waitLimit is how long a script waits for anything.
const waitLimit = 15 * time.Second

// processes are the commands that a script has started, by name.
type processes struct{ byName map[string]*process }

type processesKey struct{}

type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

func processesOf(ts *testscript.TestScript) *processes {
	return ts.Value(processesKey{}).(*processes)
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME COMMAND ARGS…")
	}
	name, command := args[0], args[1]
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	path, err := exec.LookPath(command)
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), stdout, stderr
	for _, variable := range []string{
		"HOME", "PATH", "XDG_CONFIG_HOME", "NO_PROXY", "SSL_CERT_FILE", "WebPubSubConnectionString", "AZURE_WEBPUBSUB_CONNECTION_STRING",
		"WebPubSub__Hubs__chat__EventHandlers__0__UrlTemplate", "GORACE", "GOCOVERDIR", "SYSTEMROOT",
	} {
		if value := ts.Getenv(variable); value != "" {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // end looks at the exit code
		_ = stdout.Close()
		_ = stderr.Close()
		close(p.ended)
	}()
	all := processesOf(ts)
	if all.byName == nil {
		all.byName = map[string]*process{}
	}
	all.byName[name] = p
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-p.ended
	})
}

func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE COMMAND ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: await FILE REGEXP [VAR]")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	var text []byte
	for end := time.Now().Add(waitLimit); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		text, err = os.ReadFile(ts.MkAbs(args[0]))
		ts.Check(err)
		if match := pattern.FindSubmatch(text); match != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], string(match[1]))
			}
			return
		}
	}
	ts.Fatalf("%s does not match %s after %v:\n%s", args[0], args[1], waitLimit, text)
}

func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: interrupt NAME")
	}
	ts.Check(processesOf(ts).byName[args[0]].cmd.Process.Signal(os.Interrupt))
}

func cmdEnd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: end NAME [CODE]")
	}
	p := processesOf(ts).byName[args[0]]
	if p == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	if runtime.GOOS == "windows" { // which cannot interrupt
		_ = p.cmd.Process.Kill()
		<-p.ended
		return
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		ts.Fatalf("%v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(waitLimit):
		ts.Fatalf("%s has not ended after %v", args[0], waitLimit)
	}
	want := 0
	if len(args) == 2 {
		var err error
		want, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s ended with %d, want %d\n%s", args[0], got, want, ts.ReadFile(args[0]+".err"))
	}
}
