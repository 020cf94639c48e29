package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line or an environment that cannot be meant. Its
// text repeats no value that may be a secret.
type usageError struct {
	text string
	hint string // what to type instead; may be empty
}

func (e *usageError) Error() string { return e.text }

// usagef returns a usageError without a hint of its own.
func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// A failure is anything else that goes wrong, where a hint helps.
type failure struct {
	err  error
	hint string
	code int // exit code; 0 for that of any failure
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

// errReported ends a command with exit code 1 after it has printed what is
// wrong as its result.
var errReported = errors.New("the result says what is wrong")

// report prints an error and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errReported) {
		return exitFailure
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		a.tell("error: %s", printable(line))
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		a.hint(usage.hint)
		return exitUsage
	}
	if f, ok := errors.AsType[*failure](err); ok {
		a.hint(f.hint)
		if f.code != 0 {
			return f.code
		}
	}
	if !a.started {
		return exitUsage // says cobra
	}
	return exitFailure
}

func (a *app) hint(text string) {
	if text != "" {
		a.tell("hint: %s", printable(text))
	}
}

// tell says something to whoever is at the terminal.
func (a *app) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}

// knownCommand refuses what is no command, and says which may be meant.
func (a *app) knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &usageError{text: "unknown command", hint: "webpubsub --help lists the commands"}
	if name := args[0]; isName(name) {
		e.text = fmt.Sprintf("unknown command %q", name)
	}
	if names := suggestions(root, args[0]); len(names) > 0 {
		e.hint = "did you mean webpubsub " + strings.Join(names, " or webpubsub ") + "?"
	}
	return e
}

// noArguments is for commands that have flags only.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{text: fmt.Sprintf("%s takes flags only, and got an argument without one", c.Name()), hint: helpHint(c)}
	}
	return nil
}

func helpHint(c *cobra.Command) string { return c.CommandPath() + " --help shows an example" }

// flagError explains an error of package pflag. What was typed behind a flag
// may be a key, and is not repeated.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	e := &usageError{text: err.Error(), hint: helpHint(c)}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = unknown.GetSpecifiedShortnames()[:1]
			e.text = "unknown flag -" + name
			e.hint = "flags begin with two dashes; " + e.hint
			return e
		}
		e.text = "unknown flag --" + name
		if names := suggestions(flagsAsCommands(c.Flags()), name); len(names) > 0 {
			e.hint = "did you mean --" + strings.Join(names, " or --") + "?"
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		e.text = fmt.Sprintf("--%s: not a %s", invalid.GetFlag().Name, invalid.GetFlag().Value.Type())
		if invalid.GetFlag().Value.Type() == "duration" {
			e.text += ", such as 30s or 5m"
		}
	}
	return e
}

// suggestions returns the subcommands whose name is like a given one.
func suggestions(c *cobra.Command, name string) []string {
	c.SuggestionsMinimumDistance = 2
	return c.SuggestionsFor(name)
}

// flagsAsCommands lets cobra's search for similar commands find flags.
func flagsAsCommands(flags *pflag.FlagSet) *cobra.Command {
	c := &cobra.Command{}
	flags.VisitAll(func(f *pflag.Flag) {
		c.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return c
}

// isName reports whether a word may be shown: connection strings and keys may
// not.
func isName(word string) bool {
	return len(word) <= 24 && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}
