package build

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
)

const appText = `
version: 1
name: shop
timeoutSeconds: 3600
functions:
- {name: begin, start: true, next: {invoke: price}}
- {name: price, code: price, next: {invoke: again}}
- {name: again, code: price, next: {invoke: ship}}
- {name: ship, code: ship, next: {invoke: bill}}
- {name: bill, code: bill, next: {invoke: tell}}
- {name: tell, code: tell}
`

func app(t testing.TB, text string) *ir.App {
	t.Helper()
	a, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// write makes files below a directory; those that begin with "#!" can be executed.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o640)
		if strings.HasPrefix(text, "#!") {
			mode = 0o750
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// runtimes are the runtime's programs as a release has them.
func runtimes(t testing.TB) Runtimes {
	dir := t.TempDir()
	write(t, dir, map[string]string{"weft-function-linux-arm64": "runtime for arm64", "weft-function-linux-amd64": "runtime for amd64", "weft-function-google-linux-amd64": "runtime for Google"})
	return Runtimes{Dirs: []string{dir}}
}

// shop is an application with a function of every kind but Go.
func shop(t testing.TB) Options {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"py/price.py": "def handler(e, c): return e\n", "py/lib/rates.py": "", "py/lib/__pycache__/rates.pyc": "x", "py/.env": "SECRET=1",
		"py/.git/config": "", "py/venv/pyvenv.cfg": "", "py/venv/big": "", "py/price_test.go": "",
		"js/ship.js": "exports.handler = async (e) => e;\n", "js/node_modules/dep/index.js": "", "js/node_modules/.bin/x": "",
		"sh/bill.sh": "#!/bin/sh\ncat\n",
	})
	return Options{
		App: app(t, appText), Archs: []Arch{ARM64, AMD64}, Out: filepath.Join(t.TempDir(), "build"), Runtimes: runtimes(t),
		Functions: []Function{
			{Name: "price", Kind: Python, Dir: filepath.Join(dir, "py"), Handler: "price.handler", Timeout: 30 * time.Second, Memory: 256, Env: map[string]string{"K": "v"}},
			{Name: "ship", Kind: Node, Dir: filepath.Join(dir, "js"), Handler: "ship.handler", Timeout: 3 * time.Second},
			{Name: "bill", Kind: Command, Dir: filepath.Join(dir, "sh"), Command: []string{"./bill.sh", "-x"}},
			{Name: "tell", Kind: HTTP, URL: "http://example.com/tell", Headers: map[string]string{"X-Key": "k"}},
			{Name: "unused", Kind: Python, Dir: "/no/such/directory"},
		},
	}
}

// contents returns what is in an archive, with "*" behind what can be executed and "->" before the target of a link.
func contents(t testing.TB, file string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name, text := f.Name, string(data)
		switch mode := f.Mode(); {
		case mode&os.ModeSymlink != 0:
			text = "->" + text
		case mode.Perm() == 0o755:
			name += "*"
		case mode.Perm() != 0o644:
			t.Errorf("%s has mode %v", name, mode)
		}
		if !f.Modified.Equal(zipEpoch) {
			t.Errorf("%s has time %v", name, f.Modified)
		}
		all[name] = text
	}
	return all
}

func names(t testing.TB, file string) string {
	t.Helper()
	var list []string
	for name := range contents(t, file) {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestBuild(t *testing.T) {
	t.Parallel()
	o := shop(t)
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	instructions := "weft/again.weft.yaml weft/app.yaml weft/begin.weft.yaml weft/bill.weft.yaml weft/price.weft.yaml weft/ship.weft.yaml weft/tell.weft.yaml"
	for file, want := range map[string]string{
		"layer-arm64.zip":     "bootstrap* weft-wrapper*",
		"functions/price.zip": "lib/rates.py price.py " + instructions,
		"functions/ship.zip":  "node_modules/.bin/x node_modules/dep/index.js ship.js " + instructions,
		"functions/bill.zip":  "bill.sh* " + instructions,
		"functions/tell.zip":  instructions,
		"functions/weft.zip":  instructions,
	} {
		if got := names(t, filepath.Join(o.Out, file)); got != want {
			t.Errorf("%s has %s\nwant %s", file, got, want)
		}
	}
	if got := contents(t, filepath.Join(o.Out, "layer-amd64.zip"))["bootstrap*"]; got != "runtime for amd64" {
		t.Errorf("the layer has %q", got)
	}
	both := func(file string) map[Arch]string { return map[Arch]string{ARM64: file, AMD64: file} }
	wrapped := map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/weft-wrapper"}
	with := func(env map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for k, v := range env {
			all[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	want := []Deployed{
		{Name: "begin", Archives: both("functions/weft.zip"), Runtime: "provided.al2023", Handler: "bootstrap", TimeoutSeconds: 62, MemoryMiB: 128, Environment: with(nil, "WEFT_FUNCTION", "begin")},
		{Name: "price", Code: "price", Archives: both("functions/price.zip"), Runtime: "python3.13", Handler: "price.handler", TimeoutSeconds: 32, MemoryMiB: 256, Environment: with(wrapped, "K", "v", "WEFT_FUNCTION", "price")},
		{Name: "again", Code: "price", Archives: both("functions/price.zip"), Runtime: "python3.13", Handler: "price.handler", TimeoutSeconds: 32, MemoryMiB: 256, Environment: with(wrapped, "K", "v", "WEFT_FUNCTION", "again")},
		{Name: "ship", Code: "ship", Archives: both("functions/ship.zip"), Runtime: "nodejs22.x", Handler: "ship.handler", TimeoutSeconds: 4, MemoryMiB: 128, Environment: with(wrapped, "WEFT_FUNCTION", "ship")},
		{Name: "bill", Code: "bill", Archives: both("functions/bill.zip"), Runtime: "provided.al2023", Handler: "bootstrap", TimeoutSeconds: 62, MemoryMiB: 128, Environment: with(nil, "WEFT_FUNCTION", "bill", "WEFT_CODE", `{"command":["./bill.sh","-x"]}`)},
		{Name: "tell", Code: "tell", Archives: both("functions/tell.zip"), Runtime: "provided.al2023", Handler: "bootstrap", TimeoutSeconds: 62, MemoryMiB: 128, Environment: with(nil, "WEFT_FUNCTION", "tell", "WEFT_CODE", `{"url":"http://example.com/tell","headers":{"X-Key":"k"}}`)},
	}
	if diff := cmp.Diff(want, m.Functions); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if m.App != "shop" || m.Entry != "begin" || m.RunTimeoutSeconds != 3600 || m.Layers[ARM64] != "layer-arm64.zip" || len(m.Files) != 14 {
		t.Errorf("%+v", m)
	}
	loaded, err := Load(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, loaded); diff != "" {
		t.Errorf("the manifest reads otherwise than it was: -want +got\n%s", diff)
	}
}

// The same inputs give the same bytes wherever they are, and files that stay the same are not touched.
func TestBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	one, other := shop(t), shop(t)
	first, err := Build(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(other.Functions[0].Dir, "price.py"), later, later); err != nil {
		t.Fatal(err)
	}
	second, err := Build(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("another directory, another time: -first +second\n%s", diff)
	}
	archive := filepath.Join(one.Out, "functions/price.zip")
	before, err := os.Stat(archive)
	if err != nil {
		t.Fatal(err)
	}
	write(t, one.Functions[1].Dir, map[string]string{"ship.js": "exports.handler = async () => 1;\n"})
	again, err := Build(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	for file, was := range first.Files {
		if changed := again.Files[file] != was; changed != (file == "functions/ship.zip") {
			t.Errorf("%s: changed %v", file, changed)
		}
	}
	if after, err := os.Stat(archive); err != nil || !os.SameFile(before, after) {
		t.Errorf("an archive that stayed the same was written again (%v)", err)
	}
}

func TestWhatIsNoLongerBuiltGoes(t *testing.T) {
	t.Parallel()
	o := shop(t)
	write(t, o.Out, map[string]string{"functions/old.zip": "", "functions/mine.txt": "", "layer-riscv.zip": "", "app/old.yaml": ""})
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"functions/old.zip": false, "functions/mine.txt": true, "layer-riscv.zip": false, "app/old.yaml": false} {
		if got := exists(filepath.Join(o.Out, name)); got != want {
			t.Errorf("%s is there: %v", name, got)
		}
	}
}

// The directory that is built in is not packaged, though it is in a function's.
func TestOutIsNotPackaged(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Out = filepath.Join(o.Functions[0].Dir, "build")
	for range 2 {
		if _, err := Build(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, filepath.Join(o.Out, "functions/price.zip")); strings.Contains(got, "build") {
		t.Errorf("it has %s", got)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	o := shop(t)
	dir := o.Functions[1].Dir
	if err := os.Symlink("../dep/index.js", filepath.Join(dir, "node_modules/.bin/dep")); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, filepath.Join(o.Out, "functions/ship.zip"))["node_modules/.bin/dep"]; got != "->../dep/index.js" {
		t.Errorf("the link is %q", got)
	}
	for _, target := range []string{"/etc/passwd", "nowhere"} {
		if err := errorOf(os.Remove(filepath.Join(dir, "out")), os.Symlink(target, filepath.Join(dir, "out"))); err != nil {
			t.Fatal(err)
		}
		if _, err := Build(t.Context(), o); !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), "the link leads") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// errorOf is the second error: the first is of what may not be there.
func errorOf(_, err error) error { return err }

func TestProblems(t *testing.T) {
	t.Parallel()
	host := Arch(runtime.GOARCH)
	foreign := map[Arch]Arch{ARM64: AMD64, AMD64: ARM64}[host]
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Options)
		kind   fault.Kind
		want   string
	}{
		"undeclared": {func(o *Options) { o.Functions = o.Functions[1:] }, fault.ResourceNotFound, "price calls this function, and weft.yaml does not declare it"},
		"arch":       {func(o *Options) { o.Archs = []Arch{"riscv"} }, fault.InvalidArgument, "arm64 or amd64"},
		"long":       {func(o *Options) { o.Functions[0].Timeout = 15 * time.Minute }, fault.LimitExceeded, "at most 15m0s, of which the runtime needs 2s"},
		"directory":  {func(o *Options) { o.Functions[0].Dir += "/absent" }, fault.ResourceNotFound, "absent"},
		"foreign": {func(o *Options) {
			o.Functions[0] = Function{Name: "price", Kind: Provided, Binary: self}
			o.Archs = []Arch{foreign}
		}, fault.InvalidArgument, "is a program for " + string(host)},
		"no program": {func(o *Options) { o.Functions[0] = Function{Name: "price", Kind: Provided, Binary: "build_test.go"} }, fault.InvalidArgument, "no program for Linux"},
		"bootstrap": {func(o *Options) {
			write(t, o.Functions[2].Dir, map[string]string{"bootstrap": ""})
		}, fault.InvalidArgument, "a file called bootstrap"},
		"no runtime": {func(o *Options) { o.Runtimes = Runtimes{Dirs: []string{t.TempDir()}, Source: t.TempDir(), Self: "-"} }, fault.Unavailable, "put weft-function-linux-arm64 of a release beside"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := shop(t)
			c.change(&o)
			if _, err := Build(t.Context(), o); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Load(t.TempDir()); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("%v", err)
	}
}

// Too large an archive is refused with the names of what makes it large.
func TestSizes(t *testing.T) {
	t.Parallel()
	noise := filepath.Join(t.TempDir(), "noise")
	seed := make([]byte, zippedMax+1<<20)
	for i, x := 0, uint64(1); i < len(seed); i++ { // what does not compress
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		seed[i] = byte(x)
	}
	if err := os.WriteFile(noise, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	tr := newTree()
	tr.add("small", []byte("x"), false)
	if err := tr.addFile("model.bin", noise, false); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.save(filepath.Join(t.TempDir(), "f.zip"), 0); !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), "Lambda takes 50.0 MiB; the largest files are model.bin 51.0 MiB, small") {
		t.Errorf("%v", err)
	}
	if _, err := tr.save(filepath.Join(t.TempDir(), "f.zip"), 200<<20); !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), "(251.0 MiB with the runtime) and Lambda takes 250.0 MiB") {
		t.Errorf("%v", err)
	}
}

func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on the PATH", tool)
		}
		t.Skipf("%s is not on the PATH; install it to run this test", tool)
	}
}

const helloApp = "version: 1\nname: hello\nfunctions:\n- {name: hello, code: hello, start: true}\n"

// A Go function is built for each architecture, and twice gives the same bytes.
func TestGoFunctions(t *testing.T) {
	t.Parallel()
	need(t, "go")
	source := t.TempDir()
	write(t, source, map[string]string{"main.go": "package main\n\nfunc main() { println(1) }\n"})
	o := Options{
		App: app(t, helloApp), Archs: []Arch{ARM64, AMD64}, Out: t.TempDir(), Runtimes: runtimes(t),
		Functions: []Function{{Name: "hello", Kind: Go, Source: filepath.Join(source, "main.go")}},
	}
	var mu sync.Mutex
	var steps []string
	o.Progress = func(s Step) {
		mu.Lock()
		defer mu.Unlock()
		if s.Took > 0 {
			steps = append(steps, s.What)
		}
	}
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for arch, file := range m.Functions[0].Archives {
		if want := "functions/hello-" + string(arch) + ".zip"; file != want {
			t.Errorf("%s, want %s", file, want)
		}
		program := contents(t, filepath.Join(o.Out, file))["function*"]
		on := filepath.Join(t.TempDir(), "function")
		if err := os.WriteFile(on, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if is, err := archOf(on); is != arch || err != nil {
			t.Errorf("the program for %s is for %s (%v)", arch, is, err)
		}
	}
	if m.Functions[0].Runtime != "provided.al2023" || m.Functions[0].Environment["WEFT_CODE"] != `{"process":["./function"]}` {
		t.Errorf("%+v", m.Functions[0])
	}
	if !slices.Equal(steps, []string{"runtime arm64", "runtime amd64", "function hello"}) {
		t.Errorf("steps: %v", steps)
	}
	o.Out = t.TempDir()
	again, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Files, again.Files); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
	write(t, source, map[string]string{"main.go": "package main\n\nfunc main() { undefinedThing() }\n"})
	if _, err := Build(t.Context(), o); !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), "undefinedThing") {
		t.Errorf("%v", err)
	}
}

func TestCommandRuntimes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "#!/usr/bin/env python3\n", "b": "#!/usr/bin/node\n", "c": "#!/bin/sh\n", "d": "no script\n"})
	b := &builder{Options: Options{Archs: []Arch{ARM64}}}
	for command, want := range map[string]string{"./a": runtimePython, "./b": runtimeNode, "./c": runtimeProvided, "python3": runtimePython, "node": runtimeNode, "cat": runtimeProvided, "./d": ""} {
		got, err := b.commandRuntime(Function{Name: "f", Dir: dir, Command: []string{command}})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s %v", command, got, err)
		}
	}
}

// npm installs exactly what the lock says, without what is for development.
func TestInstall(t *testing.T) {
	t.Parallel()
	need(t, "npm")
	dir, dep := t.TempDir(), t.TempDir()
	write(t, dep, map[string]string{"package.json": `{"name": "dep", "version": "1.0.0"}`, "index.js": "module.exports = 7;\n"})
	pack := exec.Command("npm", "pack", "--silent", "--pack-destination", dir)
	pack.Dir = dep
	if words, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	write(t, dir, map[string]string{
		"hello.js":     "exports.handler = async () => require('dep');\n",
		"package.json": `{"name": "hello", "version": "1.0.0", "dependencies": {"dep": "file:` + filepath.Join(dir, "dep-1.0.0.tgz") + `"}}`,
	})
	lock := exec.Command("npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--offline")
	lock.Dir = dir
	if words, err := lock.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	o := Options{
		App: app(t, helloApp), Archs: []Arch{ARM64}, Out: t.TempDir(), Runtimes: runtimes(t), Install: true,
		Functions: []Function{{Name: "hello", Kind: Node, Dir: dir, Handler: "hello.handler"}},
	}
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, filepath.Join(o.Out, m.Functions[0].Archives[ARM64])); got["node_modules/dep/index.js"] != "module.exports = 7;\n" || got["hello.js"] == "" {
		t.Errorf("%v", got)
	}
	if err := os.Remove(filepath.Join(dir, "package-lock.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no package-lock.json") {
		t.Errorf("%v", err)
	}
}

func TestShebang(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, bytes.Repeat([]byte("#!x"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if line, err := shebang(file); err != nil || len(line) > 256 {
		t.Errorf("%d bytes %v", len(line), err)
	}
	if _, err := shebang(file + ".absent"); err == nil {
		t.Error("a file that is not there has a first line")
	}
}
