package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the command itself, and the programs around
// it: handlers of applications, good and bad ones, and a client.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"webpubsub": main,
		"handler":   func() { os.Exit(handlerMain(os.Args[1:])) },
		"client":    func() { os.Exit(clientMain(os.Args[1:])) },
	})
}

// TestScripts runs the scripts in testdata/script, one for each behaviour.
//
// Beside the commands of package testscript they have
//
//	code CODE COMMAND ARGS…     runs a command and wants its exit code
//	start NAME COMMAND ARGS…    runs a command that writes to NAME.out and NAME.err
//	await FILE REGEXP [VAR]     waits until a file matches; VAR gets the first group
//	interrupt NAME              interrupts a command
//	end NAME  [CODE]            also waits for its end and wants its exit code (0)
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("NO_PROXY", "*")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // and not a second for each command
			env.Setenv("HOSTILE", "mallory → 200 \u202e")
			env.Values[processesKey{}] = &processes{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": cmdStart,
			"await": cmdAwait,
			"end":   cmdEnd,
			"code":  cmdCode,

			"interrupt": cmdInterrupt,
		},
	})
}
