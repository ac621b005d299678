package lambdaruntime

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// Command is what to execute for one process.
type Command struct {
	Argv    []string
	Dir     string   // where it runs; LAMBDA_TASK_ROOT
	Env     []string // "KEY=value"
	Handler string   // _HANDLER
}

// Launcher makes ready what a function needs and says what to execute. It is called before every start of a
// process, perhaps several times at once, and should do its work once. An *function.Error of its own
// wording reaches the callers as it is.
type Launcher interface {
	Launch(ctx context.Context) (Command, error)
}

// fixed launches a command that needs nothing made ready.
type fixed Command

func (f fixed) Launch(context.Context) (Command, error) { return Command(f), nil }

// Binary launches a ready-made Lambda binary (a "bootstrap" of runtime provided), in dir. args follow it.
func Binary(path, dir string, args ...string) Launcher {
	return fixed{Argv: append([]string{path}, args...), Dir: dir, Handler: "bootstrap"}
}

//go:embed bootstrap.py
var pythonBootstrap string

//go:embed bootstrap.js
var nodeBootstrap string

// Python launches a Python handler ("file.function", also "dir/file.function") found in dir, with the first
// of $WEFT_PYTHON and python3 there is. Python 3.9 or newer is needed.
func Python(dir, handler string) Launcher {
	return &interpreter{variable: "WEFT_PYTHON", program: "python3", flags: []string{"-u", "-c"}, bootstrap: pythonBootstrap, dir: dir, handler: handler}
}

// Node launches a Node.js handler ("file.function"; file.js, file.cjs or file.mjs) found in dir, with the
// first of $WEFT_NODE and node there is. Node 18 or newer is needed.
func Node(dir, handler string) Launcher {
	return &interpreter{variable: "WEFT_NODE", program: "node", flags: []string{"-e"}, bootstrap: nodeBootstrap, dir: dir, handler: handler}
}

// interpreter launches a bootstrap, given as an argument so that no file needs to be kept anywhere.
type interpreter struct {
	variable, program string
	flags             []string
	bootstrap         string
	dir, handler      string
}

func (i *interpreter) Launch(context.Context) (Command, error) {
	program := orDefault(os.Getenv(i.variable), i.program)
	path, err := exec.LookPath(program)
	if err != nil {
		e := function.Failure("Runtime.InvalidEntrypoint",
			"%s is not on the PATH (%v); install it or set %s to where it is", program, err, i.variable)
		return Command{}, e
	}
	argv := append([]string{path}, i.flags...)
	return Command{Argv: append(argv, i.bootstrap), Dir: i.dir, Handler: i.handler}, nil
}

// GoBuild is a Launcher for Go source: a directory with a main package, or one file. It is built on first use,
// once, with the go tool and its cache, whoever asks; a failed build is tried again on the next start. The binary
// stays in BuildDir, by the path of its source, and is not linked again by a later process when nothing has changed.
type GoBuild struct {
	// Source is the directory or file; Dir is where the function runs ("": the source's directory).
	Source, Dir string
	// Name is for Progress and the binary's file name.
	Name string
	// BuildDir is where binaries go. "": "weft/build" in the user's cache directory.
	BuildDir string
	// Progress hears "building NAME" and "built NAME in 1.2s" (done). nil: nobody.
	Progress func(name string, took time.Duration, done bool)

	mu    sync.Mutex // held while building: later callers wait for the first
	built string
}

// buildTimeout bounds one go build, which may have to fetch modules.
const buildTimeout = 10 * time.Minute

// Launch implements Launcher.
func (g *GoBuild) Launch(ctx context.Context) (Command, error) {
	binary, err := g.Build(ctx)
	if err != nil {
		return Command{}, err
	}
	dir := g.Dir
	if dir == "" {
		dir, _ = g.where()
	}
	return Command{Argv: []string{binary}, Dir: dir, Handler: "bootstrap"}, nil
}

// where splits Source into the directory to build in and what to build.
func (g *GoBuild) where() (dir, target string) {
	if info, err := os.Stat(g.Source); err == nil && !info.IsDir() {
		return filepath.Dir(g.Source), filepath.Base(g.Source)
	}
	return g.Source, "."
}

// Build builds the binary unless it has been built, and returns its path. The error is a *function.Error
// of type Weft.BuildFailed whose cause has what the compiler said.
func (g *GoBuild) Build(ctx context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.built != "" {
		if _, err := os.Stat(g.built); err == nil {
			return g.built, nil
		}
	}
	began := time.Now()
	if g.Progress != nil {
		g.Progress(g.Name, 0, false)
	}
	path, err := g.build(ctx)
	if err != nil {
		return "", err
	}
	g.built = path
	if g.Progress != nil {
		g.Progress(g.Name, time.Since(began), true)
	}
	return path, nil
}

func (g *GoBuild) build(ctx context.Context) (string, error) {
	dir, target := g.where()
	source, err := filepath.Abs(filepath.Join(dir, target))
	if err != nil {
		return "", g.failed("%v", err)
	}
	final, err := g.place(source)
	if err != nil {
		return "", g.failed("cannot make the build directory: %v", err)
	}
	fresh := fmt.Sprintf("%s.%d.%d.new", final, os.Getpid(), builds.Add(1))
	_ = os.Remove(fresh)      // a killed process of this id left it
	_ = os.Link(final, fresh) // what go build finds up to date it does not link again; without, it links
	defer os.Remove(fresh)
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	// Without -buildvcs=false every commit would be a reason to link again, and a checkout of another user's fails.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", fresh, target)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	words, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", g.failed("the go tool is not on the PATH; install Go from https://go.dev/dl, or build the binary elsewhere and use runtime: provided")
	case err != nil && context.Cause(ctx) != nil:
		return "", g.failed("go build was stopped: %v", context.Cause(ctx))
	case err != nil && len(words) == 0:
		return "", g.failed("%v", err)
	case err != nil:
		return "", g.failed("%s", clip(words))
	}
	if !isProgram(fresh) {
		return "", g.failed("its package is not main, so there is nothing to run")
	}
	if err := replace(fresh, final); err != nil {
		return "", g.failed("%v", err)
	}
	return final, nil
}

// builds numbers the files that binaries are built in.
var builds atomic.Int64

// replace puts a new binary in the place of an old one, which a process may be running, unless it is the old one.
// It is synced before: go build would take a torn one for up to date for ever.
func replace(fresh, final string) error {
	now, err := os.Stat(fresh)
	if err != nil {
		return err
	}
	if was, err := os.Stat(final); err == nil && os.SameFile(was, now) {
		return nil
	}
	f, err := os.OpenFile(fresh, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, final)
}

// place makes the directory for the binary of a source, and returns the binary's path.
func (g *GoBuild) place(source string) (string, error) {
	out := g.BuildDir
	if out == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		out = filepath.Join(cache, "weft", "build")
	}
	out = filepath.Join(out, fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:16])
	return filepath.Join(out, orDefault(g.Name, "function")), os.MkdirAll(out, 0o755)
}

// isProgram reports whether go build made a program: for other packages it writes an archive.
func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

func (g *GoBuild) failed(format string, args ...any) *function.Error {
	e := function.Failure("Weft.BuildFailed", "go build %s: %s", g.Source, fmt.Sprintf(format, args...))
	e.StartFailed = true
	return e
}

// clip keeps the start of a compiler's output, where the first error is.
func clip(words []byte) string {
	const most = 8 << 10
	words = bytes.TrimSpace(words)
	if len(words) > most {
		words = append(words[:most:most], "…"...)
	}
	return strings.ToValidUTF8(string(words), "\uFFFD")
}
