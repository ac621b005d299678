// Package weft_test holds the rules of the house: which package may import which, what pure packages may not
// touch, that every package says what it is, and that what README.md promises is there.
package weft_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weftworks/weft/sim"
)

const modulePath = "github.com/weftworks/weft"

// layers are the rooms of the house, from the cellar up. A package imports packages of lower layers and of its own
// room; rooms of one layer do not know each other. A package belongs to the room with the longest matching path.
var layers = [][]string{
	{"internal/wire", "internal/procs", "internal/conformance", "fault", "limits", "analysis", "picture"},
	{"asl", "schedule", "objectstore", "itembatcher", "unum/protocol"},
	{"machine", "durable", "itemreader", "resultwriter", "cloudformation", "unum/ir"},
	{"unum/glue"},
	{"unum/compile", "unum/program"},
	{"engine/commitlog", "engine/store", "engine/values", "engine/function", "engine/executionlog", "engine/partition"},
	{"engine/lane", "engine/integration", "faas"},
	{"unum"},
	{"unum/store", "unum/platform", "unum/wrapper", "unum/cost", "unum/check"},
	{"unum/hosted"},
	{"unum/deploy"},
	{"engine/statemachine", "engine/workflow", "engine/schedule"},
	{"engine/scheduled"},
	{"engine"},
	{"config", "server"},
	{".", "cli"},
	{"cmd", "sim", "bench", "examples", "test", "internal/conformance/fakes", "internal/testsum", "internal/testserver", "internal/servicemodels"},
}

// pure rooms do no I/O, start no goroutine and read no clock. Lanes keep to that too, but log.
var pure = []string{
	"asl", "schedule", "itembatcher", "cloudformation", "picture", "machine", "durable", "unum/ir", "unum/protocol", "unum/glue", "unum/compile", "unum/program", "engine/workflow", "engine/partition", "engine/statemachine", "engine/schedule", "engine/scheduled", "engine/lane", "internal/wire",
}

// pureModules are the modules of others that pure rooms may import, each with the rooms. What a room uses of them must be
// as pure as itself.
var pureModules = map[string][]string{
	"github.com/robfig/cron/v3": {"schedule"},                  // parsing and searching, not running
	"go.yaml.in/yaml/v3":        {"cloudformation", "unum/ir"}, // a text into nodes (unum/ir: and back)
}

// file is one Go file of the module, test/aws included.
type file struct {
	path string // slash-separated, relative to the root
	text []byte
	ast  *ast.File
	fset *token.FileSet
}

func (f *file) test() bool  { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) dir() string { return path.Dir(f.path) }
func (f *file) imports() (paths []string) {
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

// walk calls fn for every file of the tree but those git does not keep.
func walk(fn func(name string) error) error {
	return filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == ".git" && !d.IsDir() {
			return nil // of another work tree
		}
		if d.IsDir() {
			switch filepath.ToSlash(name) {
			case ".git", "bin", "bench/out", ".weft":
				return fs.SkipDir
			}
			if d.Name() == "node_modules" || d.Name() == "__pycache__" || d.Name() == ".weft" {
				return fs.SkipDir
			}
			return nil
		}
		if name == ".git" { // of a worktree
			return nil
		}
		return fn(name)
	})
}

// house parses all Go files once. Files under testdata are not of the house.
var house = sync.OnceValues(func() (files []*file, err error) {
	fset := token.NewFileSet()
	err = walk(func(name string) error {
		name = filepath.ToSlash(name)
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, &file{path: name, text: text, ast: tree, fset: fset})
		return nil
	})
	return files, err
})

func goFiles(t *testing.T) []*file {
	t.Helper()
	files, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Fatalf("found %d Go files: the tests look in the wrong place", len(files))
	}
	return files
}

// room returns the room a package is in, and the room's layer; -1 if it is in none.
func room(dir string) (name string, layer int) {
	layer = -1
	for i, rooms := range layers {
		for _, r := range rooms {
			if (dir == r || strings.HasPrefix(dir, r+"/")) && len(r) > len(name) {
				name, layer = r, i
			}
		}
	}
	return name, layer
}

// mayImport reports whether a package may import another, both as directories of this module.
func mayImport(from, to string) error {
	fromRoom, fromLayer := room(from)
	toRoom, toLayer := room(to)
	switch {
	case fromLayer < 0:
		return fmt.Errorf("%s is in no room: give it a layer in house_test.go and a line in ARCHITECTURE.md", from)
	case toLayer < 0:
		return fmt.Errorf("%s is in no room", to)
	case toLayer > fromLayer:
		return fmt.Errorf("%s must not import %s, which is above it", from, to)
	case toLayer == fromLayer && fromRoom != toRoom:
		return fmt.Errorf("%s must not import %s, which is beside it", from, to)
	}
	return nil
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.test() || strings.HasPrefix(f.path, "test/aws/") {
			continue
		}
		for _, p := range f.imports() {
			to, ours := strings.CutPrefix(p, modulePath+"/")
			if !ours {
				continue
			}
			if err := mayImport(f.dir(), to); err != nil {
				t.Errorf("%s: %v", f.path, err)
			}
		}
	}
}

// TestToolsStayOut keeps golang.org/x/tools out of what programs import and what serves.
func TestToolsStayOut(t *testing.T) {
	t.Parallel()
	seen := false
	for _, f := range goFiles(t) {
		uses := slices.ContainsFunc(f.imports(), func(p string) bool { return strings.HasPrefix(p, "golang.org/x/tools/") })
		seen = seen || uses
		if uses && !strings.HasPrefix(f.dir(), "analysis/") && f.dir() != "cmd/weftvet" {
			t.Errorf("%s imports golang.org/x/tools: only the analyzers and cmd/weftvet may", f.path)
		}
	}
	if !seen {
		t.Error("nothing imports golang.org/x/tools: the test looks in the wrong place")
	}
}

func TestLayersTellGoodFromBad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"machine", "asl/jsonpath", true},
		{"asl/jsonpath", "asl/jsonvalue", true},
		{"engine/lane", "engine/partition", true},
		{"engine/schedule", "schedule", true},
		{"engine/schedule", "engine/statemachine", false},
		{"engine", "engine/lane", true},
		{"cli", "server", true},
		{"asl", "machine", false},
		{"engine/partition", "engine/commitlog", false},
		{"engine/partition", "engine", false},
		{"server", "config", false},
		{"engine", "cli/client", false},
		{"unheard/of", "fault", false},
	} {
		if err := mayImport(c.from, c.to); (err == nil) != c.ok {
			t.Errorf("%s imports %s: %v, want ok %v", c.from, c.to, err, c.ok)
		}
	}
}

// granted are imports that a pure room may have all the same, for what the comment says alone.
var granted = map[string][]string{
	// context: the signature of slog.Handler, and the end of a coroutine that has called Goexit; math/rand/v2: sources with a seed; runtime: the line and stack of user code.
	"durable": {"context", "math/rand/v2", "runtime"},
}

// seeded are what a pure room may use of math/rand/v2.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "Rand", "ChaCha8"}

// banned finds what a pure file uses and may not: go statements, clocks, randomness, and packages that do I/O.
func banned(f *file) (found []string) {
	in, _ := room(f.dir())
	for _, p := range f.imports() {
		top, _, _ := strings.Cut(p, "/")
		switch {
		case slices.Contains(granted[in], p):
		case slices.Contains(pureModules[p], f.dir()):
		case top == "os" || top == "net" || top == "syscall" || top == "runtime" || top == "context",
			p == "io/fs" || p == "math/rand" || p == "math/rand/v2" || p == "crypto/rand" || p == "bufio",
			strings.Contains(top, ".") && !strings.HasPrefix(p, modulePath+"/"):
			found = append(found, "imports "+p)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, f.fset.Position(n.Pos()).String()+": starts a goroutine")
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			switch at := f.fset.Position(n.Pos()).String(); {
			case !ok:
			case pkg.Name == "time" && clocks[n.Sel.Name]:
				found = append(found, at+": reads the clock: time."+n.Sel.Name)
			case pkg.Name == "rand" && !slices.Contains(seeded, n.Sel.Name):
				found = append(found, at+": takes randomness from nowhere: rand."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

var clocks = map[string]bool{
	"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Sleep": true, "Tick": true,
	"NewTimer": true, "NewTicker": true, "Local": true,
}

func TestPurePackagesArePure(t *testing.T) {
	t.Parallel()
	checked := make(map[string]bool)
	for _, f := range goFiles(t) {
		in, _ := room(f.dir())
		if f.test() || !slices.Contains(pure, in) {
			continue
		}
		checked[in] = true
		for _, what := range banned(f) {
			t.Errorf("%s is of a pure package: %s", f.path, what)
		}
	}
	if len(checked) != len(pure) {
		t.Errorf("looked at %v only", checked)
	}
}

func TestBannedFindsImpurity(t *testing.T) {
	t.Parallel()
	const impure = `package p
import ("os"; "time"; "math/rand/v2"; "github.com/cockroachdb/pebble/v2")
func f() { go f(); _ = time.Now(); _ = os.Args; _ = rand.Int(); _ = pebble.Open }`
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "p.go", impure, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := banned(&file{path: "p.go", ast: tree, fset: fset}); len(found) != 6 {
		t.Errorf("found %q, want 6 things", found)
	}
}

// TestEveryPackageSaysWhatItIs wants one package comment in each package, in a test file only where there is no other.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	comments, names, code := map[string][]string{}, map[string]string{}, map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test() {
			code[f.dir()] = true
			names[f.dir()] = f.ast.Name.Name
		} else if names[f.dir()] == "" {
			names[f.dir()] = f.ast.Name.Name
		}
	}
	for _, f := range goFiles(t) {
		if f.ast.Doc != nil && (!f.test() || !code[f.dir()]) {
			comments[f.dir()] = append(comments[f.dir()], f.ast.Doc.Text())
		}
	}
	for dir, name := range names {
		if len(comments[dir]) != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, len(comments[dir]))
			continue
		}
		start := "Package " + name + " "
		if name == "main" {
			start = "Command " + path.Base(dir) + " "
		}
		synopsis := new(doc.Package).Synopsis(comments[dir][0])
		if !strings.HasPrefix(comments[dir][0], start) || !strings.HasSuffix(synopsis, ".") && !strings.HasSuffix(synopsis, ":") {
			t.Errorf("%s: the package comment begins %q; it must be a sentence that begins %q", dir, synopsis, start)
		}
	}
}

const (
	linesMax     = 900
	testLinesMax = 1200
)

func TestFilesAreFormattedAndShort(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		formatted, err := format.Source(f.text)
		if err != nil || !bytes.Equal(formatted, f.text) {
			t.Errorf("%s is not gofmt'd (%v)", f.path, err)
		}
		limit := linesMax
		if f.test() {
			limit = testLinesMax
		}
		if n := bytes.Count(f.text, []byte("\n")); n > limit {
			t.Errorf("%s has %d lines; cut it where two thoughts meet (limit %d)", f.path, n, limit)
		}
	}
}

// TestFunctionsAreShort holds the long tail: most functions are far shorter.
func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	const linesMax, mostLinesMax = 120, 40
	var all, long int
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
			if all++; lines > mostLinesMax {
				long++
			}
			if lines > linesMax {
				t.Errorf("%s: %s has %d lines (limit %d)", f.fset.Position(fn.Pos()), fn.Name.Name, lines, linesMax)
			}
		}
	}
	if long*20 > all {
		t.Errorf("%d of %d functions have more than %d lines; at most one in twenty should", long, all, mostLinesMax)
	}
}

// texts calls fn for every text file that git keeps.
func texts(t *testing.T, fn func(name string, text []byte)) {
	t.Helper()
	err := walk(func(name string) error {
		text, err := os.ReadFile(name)
		if err == nil && !bytes.Contains(text, []byte{0}) && !strings.HasSuffix(name, ".sum") {
			fn(filepath.ToSlash(name), text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsLeftToDo(t *testing.T) {
	t.Parallel()
	marks := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	texts(t, func(name string, text []byte) {
		if m := marks.Find(text); m != nil {
			t.Errorf("%s has a %s: do it, or open an issue", name, m)
		}
	})
}

// TestNoPathsOfOneMachine wants the tree to mean the same everywhere.
func TestNoPathsOfOneMachine(t *testing.T) {
	t.Parallel()
	paths := regexp.MustCompile(`/(ho` + `me|Use` + `rs)/[a-z]\w*/|/ro` + `ot/[\w.]|[^\w./-]/wo` + `rk/\w`)
	texts(t, func(name string, text []byte) {
		if m := paths.Find(text); m != nil {
			t.Errorf("%s names %q, a place on somebody's machine", name, m)
		}
	})
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestModulesArePinned(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+incompatible)?$`)
	for _, mod := range []string{"go.mod", "test/aws/go.mod", "bench/plot/go.mod", "bench/jsonata/go.mod"} {
		requires := 0
		for line := range strings.Lines(read(t, mod)) {
			line, _, _ = strings.Cut(line, "//")
			fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
			if len(fields) != 2 || !strings.Contains(fields[0], ".") || fields[0] == "module" {
				continue
			}
			if fields[0] == modulePath {
				continue // replaced by this directory
			}
			if requires++; !version.MatchString(fields[1]) {
				t.Errorf("%s: %s is at %s, want an exact version", mod, fields[0], fields[1])
			}
		}
		if requires < 2 {
			t.Errorf("%s: found %d requirements", mod, requires)
		}
	}
	if m := regexp.MustCompile(`@latest|@master|@main\b`).FindString(read(t, "Makefile")); m != "" {
		t.Errorf("the Makefile has a tool %s: pin its version", m)
	}
}

func TestLicence(t *testing.T) {
	t.Parallel()
	if !strings.Contains(read(t, "LICENSE"), "Apache License") {
		t.Error("LICENSE is not the Apache License")
	}
}

// TestLimitsLiveInOnePlace finds exported constants that look like limits of what users send, outside package limits.
func TestLimitsLiveInOnePlace(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^(Payload|Definition|History|Input|Output|Cause|Error|Token|Name|Tags?|Variables?)(Bytes|Chars|Events|Max)+$`)
	for _, f := range goFiles(t) {
		if f.test() || f.dir() == "limits" {
			continue
		}
		for _, decl := range f.ast.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					if name.MatchString(id.Name) {
						t.Errorf("%s: constant %s belongs to package limits", f.fset.Position(id.Pos()), id.Name)
					}
				}
			}
		}
	}
}

// TestTour holds that the program in README.md is the example that the tests kill, and that it is as short as it says.
func TestTour(t *testing.T) {
	t.Parallel()
	program := read(t, "examples/order/main.go")
	if n := strings.Count(program, "\n"); n >= 40 {
		t.Errorf("examples/order/main.go has %d lines, and is to have under 40", n)
	}
	_, program, _ = strings.Cut(program, "\npackage main")
	if !strings.Contains(read(t, "README.md"), "<!-- order:begin -->\n```go\npackage main"+program+"```\n<!-- order:end -->") {
		t.Error("the program in README.md is not examples/order/main.go")
	}
}

var documents = []string{"README.md", "ARCHITECTURE.md", "RATIONALE.md", "CONTRIBUTING.md", "CHANGELOG.md"}

// allDocuments are those at the root and those below docs and examples.
func allDocuments(t *testing.T) []string {
	t.Helper()
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ofExamples, err := filepath.Glob("examples/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(documents, more, ofExamples)
}

func TestDocumentsLinkToWhatExists(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code := regexp.MustCompile("(?s)\n```.*?\n```")
	for _, name := range allDocuments(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, name), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				target = filepath.Base(name)
			}
			target = filepath.Join(filepath.Dir(name), target)
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s links to %s: no heading makes that anchor", name, m[1])
			}
		}
	}
}

// anchors returns what GitHub calls the headings of a document.
func anchors(text string) (names []string) {
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// TestDocumentsNameWhatExists checks make targets, package paths and tests that the documents name.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	targets := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	tests := make(map[string]bool)
	for _, f := range goFiles(t) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.test() {
				tests[fn.Name.Name] = true
			}
		}
	}
	target := regexp.MustCompile("(?m)(?:^|`|\\$ )(?:WEFT_\\w+=\\S+ )?make ([a-z-]+)")
	command := regexp.MustCompile(`go (?:run|test|doc) (?:-\S+ )*\./([\w/-]+)`)
	testName := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z]\\w*)`")
	found := 0
	for _, name := range documents {
		text := read(t, name)
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			if found++; !targets[m[1]] {
				t.Errorf("%s says `make %s`; the Makefile has no such target", name, m[1])
			}
		}
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			if _, err := build.ImportDir(m[1], 0); err != nil && !strings.Contains(err.Error(), "no non-test Go files") {
				t.Errorf("%s says %q: %v", name, m[0], err)
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if found++; !tests[m[1]] && m[1] != "TestState" { // an operation of the API
				t.Errorf("%s names the test %s, which does not exist", name, m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d names in the documents: the patterns do not fit", found)
	}
}

func TestSimulationBreaksEveryRule(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?m)^SIM_FAULTS +:= (.*)$`).FindStringSubmatch(strings.ReplaceAll(read(t, "Makefile"), "\\\n", ""))
	if m == nil || !slices.Equal(strings.Fields(m[1]), sim.FaultNames) {
		t.Errorf("make sim breaks %v; package sim can break %v", m, sim.FaultNames)
	}
}

func TestCIRunsTheTestCommandOfTheReadme(t *testing.T) {
	t.Parallel()
	ci := read(t, ".ci/run")
	if !strings.Contains(ci, "exec make test\n") || !strings.Contains(read(t, "README.md"), "make test\n") {
		t.Error(".ci/run and README.md must both say make test")
	}
}
