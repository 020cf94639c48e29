// Command verify runs everything that must hold before a change is merged:
//
//	go run ./internal/verify
//
// It needs Go and the module proxy. What needs more, a C compiler for the race
// detector, Node.js for the tests with the JavaScript SDKs or Chromium for those
// of the web pages, is skipped with a line that says so. With CI=true nothing is skipped: what is missing is
// installed from Debian's packages, or the run fails.
//
// The inputs that fuzzing found are run like any test. The search for new ones
// is asked for, because what it finds depends on luck and not on the change:
//
//	go run ./internal/verify -fuzztime 30s
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The tools are run at these versions and are no part of the module graph.
const (
	gofumpt     = "mvdan.cc/gofumpt@v0.12.0"
	staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
)

// debianPackages bring what the tests need, by command.
var debianPackages = map[string][]string{
	"chromium": {"chromium", "fonts-liberation"},
	"curl":     {"curl"},
	"gcc":      {"gcc", "libc6-dev"},
	"node":     {"nodejs"},
	"npm":      {"npm"},
	"python3":  {"python3"},
}

// optionalTools are those without which some tests are skipped.
var optionalTools = map[string]string{
	"chromium": "of the web pages",
	"curl":     "of the command lines for curl",
	"node":     "with the JavaScript SDKs",
	"npm":      "with the JavaScript SDKs",
	"python3":  "with handlers in Python",
}

func main() {
	fuzzTime := flag.Duration("fuzztime", 0, "how long to search for new inputs with each fuzz target; the known ones always run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	if err := verify(ctx, *fuzzTime); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
	fmt.Printf("verify: all of it holds, after %v\n", time.Since(start).Round(time.Second))
}

func verify(ctx context.Context, fuzzTime time.Duration) error {
	ci := os.Getenv("CI") == "true"
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	if ci {
		if err := installMissing(ctx); err != nil {
			return err
		}
	}
	for tool, tests := range optionalTools {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("verify: no %s, so the tests %s are skipped\n", tool, tests)
		}
	}
	race, err := raceFlag(ctx, ci)
	if err != nil {
		return err
	}
	modules, err := findModules(root)
	if err != nil {
		return err
	}
	for _, dir := range modules {
		flag := race
		if filepath.Base(dir) == "e2e" {
			flag = "" // it is the browser that takes the time there; the command has been raced by its own tests
		}
		if err := verifyModule(ctx, dir, flag); err != nil {
			return err
		}
	}
	// The race detector changes what is pooled and what escapes.
	if err := run(ctx, root, "go", "test", "-run", "Alloc", "./upstream", "./emulator/internal/protocol"); err != nil {
		return err
	}
	return fuzz(ctx, root, fuzzTime)
}

func verifyModule(ctx context.Context, dir, race string) error {
	unformatted, err := output(ctx, dir, "go", "run", gofumpt, "-l", ".")
	if err != nil {
		return err
	}
	if unformatted != "" {
		return fmt.Errorf("not formatted with gofumpt:\n%s", unformatted)
	}
	test := []string{"go", "test", "-shuffle=on"}
	if race != "" {
		test = append(test, race)
	}
	for _, command := range [][]string{
		{"go", "mod", "tidy", "-diff"},
		{"go", "vet", "./..."},
		{"go", "run", staticcheck, "./..."},
		append(test, "./..."),
	} {
		if err := run(ctx, dir, command...); err != nil {
			return err
		}
	}
	return nil
}

// fuzz runs every fuzz target of the root module for a while.
func fuzz(ctx context.Context, root string, each time.Duration) error {
	if each <= 0 {
		return nil
	}
	packages, err := output(ctx, root, "go", "list", "./...")
	if err != nil {
		return err
	}
	for pkg := range strings.FieldsSeq(packages) {
		listed, err := output(ctx, root, "go", "test", "-list", "^Fuzz", pkg)
		if err != nil {
			return err
		}
		for target := range strings.FieldsSeq(listed) {
			if !strings.HasPrefix(target, "Fuzz") {
				continue
			}
			if err := fuzzTarget(ctx, root, pkg, target, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// fuzzTarget runs one target, and again when it failed for no input: at the
// end of its time Go 1.26 now and then reports that as a failure
// (https://go.dev/issue/75804).
func fuzzTarget(ctx context.Context, root, pkg, target string, each time.Duration) error {
	command := []string{"go", "test", "-run", "^$", "-fuzz", "^" + target + "$", "-fuzztime", each.String(), pkg}
	fmt.Printf("== %s: %s\n", filepath.Base(root), strings.Join(command, " "))
	for try := 1; ; try++ {
		out, err := commandIn(ctx, root, command).CombinedOutput()
		if err != nil && try < 3 && endedByItsTime(string(out)) {
			continue
		}
		_, _ = os.Stdout.Write(out)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
		}
		return nil
	}
}

// endedByItsTime reports whether the output of a failed run tells of no input,
// only of the end of its time.
func endedByItsTime(output string) bool {
	return strings.Contains(output, "\n    context deadline exceeded\n") && !strings.Contains(output, "Failing input written to")
}

// findModules returns the folders of the root module, first, and of those nested
// in it.
func findModules(root string) (dirs []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case d.Name() == "go.mod":
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return dirs, err
}

// raceFlag returns -race where the race detector can be built: it needs cgo.
func raceFlag(ctx context.Context, required bool) (string, error) {
	cgo, err := output(ctx, ".", "go", "env", "CGO_ENABLED")
	switch {
	case err != nil:
		return "", err
	case cgo == "1":
		return "-race", nil
	case required:
		return "", errors.New("the race detector needs a C compiler")
	}
	fmt.Println("verify: no C compiler, so the tests run without the race detector")
	return "", nil
}

// installMissing installs the Debian packages whose commands are not there.
func installMissing(ctx context.Context) error {
	var missing []string
	for command, packages := range debianPackages {
		if _, err := exec.LookPath(command); err != nil {
			missing = append(missing, packages...)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if err := run(ctx, ".", "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run(ctx, ".", append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
}

// run runs a command and shows what it prints.
func run(ctx context.Context, dir string, command ...string) error {
	cmd := commandIn(ctx, dir, command)
	fmt.Printf("== %s: %s\n", filepath.Base(cmd.Dir), strings.Join(command, " "))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return nil
}

// output runs a command and returns what it prints.
func output(ctx context.Context, dir string, command ...string) (string, error) {
	cmd := commandIn(ctx, dir, command)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func commandIn(ctx context.Context, dir string, command []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
