package webpubsub_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/gowebpubsub/webpubsub"

// Users of the library take on no dependency.
func TestStandardLibraryOnly(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", module, err)
	}
	imports := strings.Fields(string(out))
	if len(imports) == 0 {
		t.Error("go list found no package")
	}
	for _, path := range imports {
		if path != module && !strings.HasPrefix(path, module+"/internal/") {
			t.Errorf("the service client needs %s", path)
		}
	}
}

// The method Error of an error needs no words.
func TestEverythingExportedIsDocumented(t *testing.T) {
	pkg := parsePackage(t)
	wantDoc := func(name, text string) {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if ast.IsExported(last) && last != "Error" && strings.TrimSpace(text) == "" {
			t.Errorf("%s has no doc comment", name)
		}
	}
	wantValues := func(values []*doc.Value) {
		for _, group := range values {
			for _, spec := range group.Decl.Specs {
				value := spec.(*ast.ValueSpec)
				for _, name := range value.Names {
					wantDoc(name.Name, group.Doc+value.Doc.Text()+value.Comment.Text())
				}
			}
		}
	}
	wantFuncs := func(prefix string, funcs []*doc.Func) {
		for _, f := range funcs {
			wantDoc(prefix+f.Name, f.Doc)
		}
	}
	wantDoc("Package", pkg.Doc)
	wantValues(pkg.Consts)
	wantValues(pkg.Vars)
	wantFuncs("", pkg.Funcs)
	for _, typ := range pkg.Types {
		wantDoc(typ.Name, typ.Doc)
		wantValues(typ.Consts)
		wantValues(typ.Vars)
		wantFuncs("", typ.Funcs)
		if ast.IsExported(typ.Name) {
			wantFuncs(typ.Name+".", typ.Methods)
		}
	}
}

// An example without output is compiled and never run.
func TestExamplesHaveOutput(t *testing.T) {
	examples := doc.Examples(parseFiles(t, token.NewFileSet(), isTest)...)
	if len(examples) == 0 {
		t.Error("there are no examples")
	}
	for _, example := range examples {
		if example.Output == "" && !example.EmptyOutput {
			t.Errorf("Example%s has no output", example.Name)
		}
	}
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }

func parsePackage(t *testing.T) *doc.Package {
	t.Helper()
	fset := token.NewFileSet()
	files := parseFiles(t, fset, func(path string) bool { return !isTest(path) })
	pkg, err := doc.NewFromFiles(fset, files, module)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// parseFiles returns the Go files of this directory that are wanted.
func parseFiles(t *testing.T, fset *token.FileSet, wanted func(path string) bool) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if !wanted(path) {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
