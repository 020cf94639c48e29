package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A Go file in a document is a fenced block that begins with its name.
var goFile = regexp.MustCompile("(?s)```go\n// ([a-z_]+\\.go)\n(.*?)```")

// The files of the README are compiled and run by the commands that it tells, in
// its order: first the handler alone, then the tests as well.
func TestReadme(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := goFile.FindAllStringSubmatch(string(readme), -1)
	if got, want := len(files), 4; got != want {
		t.Fatalf("README.md has %d Go files, want %d", got, want)
	}
	write := func(file []string) {
		if err := os.WriteFile(filepath.Join(dir, file[1]), []byte(file[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(files[0])
	runIn(t, dir, strings.ReplaceAll(block(t, string(readme), "go mod init chat"), "=../webpubsub", "="+root)+"go build -o chat .")
	for _, file := range files[1:] {
		write(file)
	}
	conformance, err := os.ReadFile("testdata/conformance_test.go")
	if err != nil {
		t.Fatal(err)
	}
	write([]string{"", "conformance_test.go", string(conformance)})
	t.Setenv("SUMMARY", regexp.MustCompile(`all \d+ musts hold, all \d+ shoulds hold`).FindString(string(readme)))
	runIn(t, dir, block(t, string(readme), "go mod tidy"))
}

// runIn runs the lines of a script, which are commands without quotes.
func runIn(t *testing.T, dir, script string) {
	t.Helper()
	for command := range strings.Lines(script) {
		args := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.TrimSpace(command), err, out)
		}
	}
}

// The README shows the chat of the demo as it is.
func TestReadmeShowsTheChat(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	chat, err := os.ReadFile("../../cmd/webpubsub/internal/chat/chat.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(chat)+"```\n") {
		t.Error("README.md does not show chat.go to the last line")
	}
}

// block returns the shell block of a document that begins with this line.
func block(t *testing.T, document, first string) string {
	t.Helper()
	_, after, ok := strings.Cut(document, "```sh\n"+first)
	if !ok {
		t.Fatalf("no block begins with %q", first)
	}
	rest, _, _ := strings.Cut(after, "```")
	return first + rest
}

// Links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	link, code := regexp.MustCompile(`\]\(([^)#:]+)\)`), regexp.MustCompile("(?s)```.*?```")
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/design.md", "docs/differences.md", "examples/README.md", "bench/README.md"} {
		path := filepath.Join("../..", name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

// The comparison names tests that exist.
func TestComparison(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := ""
	for _, pattern := range []string{"../../upstream/*_test.go", "../wire/*_test.go", "../interop/*_test.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tests += string(text)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(readme), -1)
	if len(named) == 0 {
		t.Error("README.md names no test")
	}
	for _, m := range named {
		if !strings.Contains(tests, "func "+m[1]+"(t *testing.T)") {
			t.Errorf("README.md names %s, which does not exist", m[1])
		}
	}
}
