package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/weftworks/weft/fault"
)

// run executes a tool in a directory. Its error has the end of what the tool said.
func run(ctx context.Context, dir string, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	words, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fault.New("build", fault.Unavailable, argv[0], "it is not on the PATH; install it")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	const most = 4 << 10
	words = bytes.TrimSpace(words)
	return fmt.Errorf("%s: %w: %s", strings.Join(argv[:min(3, len(argv))], " "), err, words[max(0, len(words)-most):])
}

// goBuild builds a program for Linux, the same bytes for the same source and compiler.
func goBuild(ctx context.Context, source, out string, arch Arch) error {
	dir, target := source, "."
	if info, err := os.Stat(source); err == nil && !info.IsDir() {
		dir, target = filepath.Dir(source), filepath.Base(source)
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	return run(ctx, dir, []string{"GOOS=linux", "GOARCH=" + string(arch), "CGO_ENABLED=0"},
		"go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", out, target)
}

// pip fetches what requirements.txt asks for, for Lambda's Python on an architecture.
func (b *builder) pip(ctx context.Context, f Function, arch Arch, t *tree) error {
	requirements := filepath.Join(f.Dir, "requirements.txt")
	if !exists(requirements) {
		return nil
	}
	platform := map[Arch]string{ARM64: "manylinux2014_aarch64", AMD64: "manylinux2014_x86_64"}[arch]
	into := filepath.Join(b.staging, f.Name+"-python-"+string(arch))
	err := run(ctx, f.Dir, nil, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
		"--requirement", requirements, "--target", into, "--platform", platform, "--implementation", "cp",
		"--python-version", strings.TrimPrefix(runtimePython, "python"), "--only-binary", ":all:")
	if err != nil {
		return fault.New("build", fault.Unavailable, f.Name, "cannot install what requirements.txt asks for: %w", err)
	}
	return t.addDir("", into)
}

// npm fetches what package-lock.json asks for, without what is for development only.
func (b *builder) npm(ctx context.Context, f Function, arch Arch, t *tree) error {
	lock := filepath.Join(f.Dir, "package-lock.json")
	if !exists(lock) {
		if exists(filepath.Join(f.Dir, "package.json")) {
			return fault.New("build", fault.InvalidArgument, f.Name, "its directory has package.json and no package-lock.json, so what to install is not said exactly; run npm install there")
		}
		return nil
	}
	into := filepath.Join(b.staging, f.Name+"-node-"+string(arch))
	for _, file := range []string{lock, filepath.Join(f.Dir, "package.json")} {
		data, err := os.ReadFile(file)
		if err != nil {
			return fault.New("build", fault.InvalidArgument, f.Name, "%w", err)
		}
		if err := replace(filepath.Join(into, filepath.Base(file)), data); err != nil {
			return err
		}
	}
	cpu := map[Arch]string{ARM64: "arm64", AMD64: "x64"}[arch]
	err := run(ctx, into, nil, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error", "--os=linux", "--cpu="+cpu)
	if err != nil {
		return fault.New("build", fault.Unavailable, f.Name, "cannot install what package-lock.json asks for: %w", err)
	}
	return t.addDir("", into)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// modulePath is the module that has the runtime's source, and runtimePackage its program.
const (
	modulePath     = "github.com/weftworks/weft"
	runtimePackage = modulePath + "/cmd/weft-function"
)

// flavour is a build of the runtime.
type flavour struct {
	arch   Arch
	google bool // with what Google Cloud needs; without, it is half as large
}

// file is what the program is called in a release.
func (f flavour) file() string {
	if f.google {
		return "weft-function-google-linux-" + string(f.arch)
	}
	return "weft-function-linux-" + string(f.arch)
}

// Runtimes finds the runtime's program for an architecture: the first of a file of a release in one of Dirs
// (weft-function-linux-ARCH, weft-function-google-linux-ARCH), a build of the source in Source by the go tool, and Self.
type Runtimes struct {
	// Dirs are where releases have the programs. nil: beside this program.
	Dirs []string
	// Source is a directory of Weft's module, or of one that requires it. "": the first such of the working directory,
	// this program's, and those above them.
	Source string
	// Self is a weft command, which is a runtime too when it is called bootstrap or weft-function. It serves for the
	// architecture that it is built for. "": this program; "-": none.
	Self string
}

func (r *Runtimes) find(ctx context.Context, f flavour, staging string) (string, error) {
	self := r.Self
	if self == "" {
		self, _ = os.Executable()
	}
	dirs := r.Dirs
	if dirs == nil && self != "-" {
		dirs = []string{filepath.Dir(self)}
	}
	for _, dir := range dirs {
		if file := filepath.Join(dir, f.file()); exists(file) {
			return file, nil
		}
	}
	source := r.Source
	if source == "" {
		source = findSource(filepath.Dir(self))
	}
	why := errors.New("its source is not near")
	if source != "" {
		out := filepath.Join(staging, f.file())
		if why = runtimeBuild(ctx, source, out, f); why == nil {
			return out, nil
		}
	}
	if self != "-" && runtime.GOOS == "linux" && runtime.GOARCH == string(f.arch) {
		return self, nil
	}
	return "", fault.New("build", fault.Unavailable, "linux/"+string(f.arch),
		"there is no runtime for it: put %s of a release beside the weft command, or build where Weft's source and Go are (%w)", f.file(), why)
}

// runtimeBuild builds the runtime in a directory of a module that has it.
func runtimeBuild(ctx context.Context, dir, out string, f flavour) error {
	tags := "lambda.norpc,weft_aws"
	if f.google {
		tags = "lambda.norpc"
	}
	return run(ctx, dir, []string{"GOOS=linux", "GOARCH=" + string(f.arch), "CGO_ENABLED=0"},
		"go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", "-s -w -buildid=", "-o", out, runtimePackage)
}

// findSource looks for a module that has the runtime in the working directory, a program's, and above; "" if there is
// none.
func findSource(program string) string {
	working, err := os.Getwd()
	if err != nil {
		working = program
	}
	for _, from := range []string{working, program} {
		for dir := from; ; dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err == nil && strings.Contains(string(text), modulePath) {
				return dir
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return ""
}
