package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2

	// exitUnreachable is that of a check without anybody to check: in CI that is
	// another fault than a handler that is wrong.
	exitUnreachable = 3
)

// run is the command without the process around it. It returns the exit code:
// 0 for success, 1 for failure, 2 for wrong usage. Results go to stdout, all
// talk to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: &lockedWriter{w: stdout}, stderr: &lockedWriter{w: stderr}, environ: environ}
	root := a.rootCommand()
	root.SetArgs(append([]string{}, args...)) // for nil, cobra takes os.Args
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return a.report(root.ExecuteContext(ctx))
}

// An app is what the commands share.
type app struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string

	json    bool // results are for machines
	started bool // a command has begun: what fails from now on is no wrong usage
}

// A lockedWriter takes whole lines from several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

//go:embed help
var helpTexts embed.FS

// helpText returns the text that --help shows. It is written by hand: an
// example says more than a list.
func helpText(command string) string {
	text, err := helpTexts.ReadFile("help/" + command + ".txt")
	if err != nil {
		panic(err) // every command has one
	}
	return string(text)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "webpubsub",
		Short:         "Azure Web PubSub on your machine",
		Long:          helpText("webpubsub"),
		Version:       buildVersion().String(),
		Args:          a.knownCommand,
		RunE:          a.noCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRun = func(*cobra.Command, []string) { a.started = true }
	root.SetHelpCommand(a.helpCommand())
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		_, _ = fmt.Fprintln(c.OutOrStdout(), strings.TrimSpace(c.Long))
	})
	root.PersistentFlags().BoolVar(&a.json, "json", false, "results as JSON, one object in a line")
	root.AddCommand(a.checkCommand(), a.demoCommand(), a.devCommand(), a.tokenCommand(), a.triggerCommand(), a.versionCommand())
	return root
}

func (a *app) noCommand(*cobra.Command, []string) error {
	_, _ = fmt.Fprintln(a.stderr, strings.TrimSpace(helpText("webpubsub")))
	return &usageError{text: "a command is missing"}
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		Long:  helpText("webpubsub"),
		RunE: func(c *cobra.Command, args []string) error {
			about, _, err := c.Root().Find(args)
			if err != nil || len(args) > 0 && about == c.Root() {
				return a.knownCommand(c.Root(), args)
			}
			return about.Help()
		},
	}
}

// getenv returns the value of an environment variable, empty if there is none.
func (a *app) getenv(name string) string {
	value := ""
	for _, entry := range a.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// printJSON writes one object in one line.
func (a *app) printJSON(v any) error {
	line, err := wire.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(line, '\n'))
	return err
}
