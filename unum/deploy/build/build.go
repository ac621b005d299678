package build

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/wrapper"
)

// Kind says what a user's function is, in the words of weft.yaml.
type Kind string

// The kinds of functions.
const (
	Go       Kind = "go"
	Python   Kind = "python"
	Node     Kind = "node"
	Provided Kind = "provided"
	Command  Kind = "command"
	HTTP     Kind = "http"
)

// Function is a user's function, as weft.yaml declares it.
type Function struct {
	Name string
	Kind Kind
	// Dir is packaged as it is, and where the code runs. "": nothing beside the binary.
	Dir     string
	Source  string   // Go: a directory or file
	Binary  string   // Provided: a program for Linux
	Handler string   // Python, Node: "file.function"
	Command []string // Command
	URL     string   // HTTP, which runs elsewhere
	Headers map[string]string
	Env     map[string]string
	Timeout time.Duration
	Memory  int // MiB
}

// Options says what to build. App, Out, and Archs or Google are needed.
type Options struct {
	App *ir.App
	// Functions are those that are declared; the app may use fewer.
	Functions []Function
	Archs     []Arch // on Lambda
	// Out is the directory to build in. Files of an earlier build that are no longer of it are removed.
	Out string
	// Google builds archives for Cloud Run functions as well, which run on amd64 whatever Archs says.
	Google bool
	// Install has pip and npm fetch what requirements.txt and package-lock.json ask for. Otherwise what is in a function's
	// directory is packaged as it is.
	Install bool
	// Runtimes finds the runtime. The zero value looks beside this program and builds from source.
	Runtimes Runtimes
	// Progress hears of what has begun and ended. It may be called on several goroutines. nil: nobody.
	Progress func(Step)
}

// Step is something that a build does.
type Step struct {
	What string        // "runtime arm64", "function resize"
	Took time.Duration // 0: it has begun
}

// Defaults of functions without code, and Lambda's bounds.
const (
	glueTimeout    = time.Minute
	glueMemory     = 128
	timeoutMax     = 15 * time.Minute
	runtimeTimeout = 2 * time.Second // what the wrapper keeps for itself, at most
)

// Lambda's runtimes for the languages.
const (
	runtimePython   = "python3.13"
	runtimeNode     = "nodejs22.x"
	runtimeProvided = "provided.al2023"
)

// Build builds. Its errors say which function is wrong: fault.InvalidArgument, fault.ResourceNotFound,
// fault.LimitExceeded; fault.Unavailable when a tool is missing or fails.
func Build(ctx context.Context, o Options) (*Manifest, error) {
	b := &builder{Options: o, used: map[string]Function{}, files: map[string]File{}}
	if err := b.check(); err != nil {
		return nil, err
	}
	var err error
	if b.staging, err = os.MkdirTemp("", "weft-build-"); err != nil {
		return nil, fault.New("build", fault.Unavailable, "", "no temporary directory: %w", err)
	}
	defer os.RemoveAll(b.staging)
	m := &Manifest{Version: manifestVersion, App: o.App.Name, Entry: o.App.Start().Name, RunTimeoutSeconds: o.App.TimeoutSeconds, Archs: o.Archs, Layers: map[Arch]string{}}
	for _, f := range b.App.Files() {
		if err := b.plain(path.Join("app", f.Name), f.Text); err != nil {
			return nil, err
		}
	}
	if err := b.layers(ctx, m); err != nil {
		return nil, err
	}
	packages, err := b.packages(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range o.App.Functions {
		m.Functions = append(m.Functions, b.deployed(f, packages[f.Code]))
	}
	m.Files = b.files
	if err := b.removeOthers(); err != nil {
		return nil, err
	}
	return m, m.save(o.Out)
}

// builder is a build under way.
type builder struct {
	Options
	used    map[string]Function // by name: those that the app uses
	staging string
	layer   int64 // the largest layer unpacked, in bytes
	google  entry // the runtime's program for Google

	mu    sync.Mutex
	files map[string]File
}

func (b *builder) check() error {
	const op = "build"
	if b.App == nil || b.App.Start() == nil || b.Out == "" || len(b.all()) == 0 {
		return fault.New(op, fault.InvalidArgument, "", "an application with a start, an architecture and a directory to build in are needed")
	}
	for _, a := range b.Archs {
		if a != ARM64 && a != AMD64 {
			return fault.New(op, fault.InvalidArgument, string(a), "there is no such architecture; it is arm64 or amd64")
		}
	}
	declared := map[string]Function{}
	for _, f := range b.Functions {
		declared[f.Name] = f
	}
	for _, f := range b.App.Functions {
		if f.Code == "" {
			continue
		}
		fn, ok := declared[f.Code]
		if !ok {
			return fault.New(op, fault.ResourceNotFound, f.Code, "%s calls this function, and weft.yaml does not declare it", f.Name)
		}
		if fn.Timeout > timeoutMax-runtimeTimeout {
			return fault.New(op, fault.LimitExceeded, f.Code, "its timeout is %s; Lambda has at most %s, of which the runtime needs %s", fn.Timeout, timeoutMax, runtimeTimeout)
		}
		b.used[fn.Name] = fn
	}
	return nil
}

// all are the architectures that code is needed for.
func (b *builder) all() []Arch {
	if b.Google && !slices.Contains(b.Archs, googleArch) {
		return append(slices.Clone(b.Archs), googleArch)
	}
	return b.Archs
}

// step reports a step while it is done.
func (b *builder) step(what string, do func() error) error {
	if b.Progress == nil {
		return do()
	}
	b.Progress(Step{What: what})
	began := time.Now()
	err := do()
	if err == nil {
		b.Progress(Step{What: what, Took: max(time.Since(began), 1)})
	}
	return err
}

// plain writes a file as it is.
func (b *builder) plain(name string, data []byte) error {
	b.note(name, File{SHA256: hash(data), Bytes: int64(len(data))})
	return replace(filepath.Join(b.Out, filepath.FromSlash(name)), data)
}

func (b *builder) note(name string, f File) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[name] = f
}

// exec wrappers are executed with the command of the language's runtime as arguments.
const execWrapper = "#!/bin/sh\nexec \"${0%/*}/bootstrap\" \"$@\"\n"

// ExecWrapper is where the layer has the exec wrapper.
const ExecWrapper = "/opt/weft-wrapper"

// layers builds the layers, and finds the runtime for Google.
func (b *builder) layers(ctx context.Context, m *Manifest) error {
	for _, arch := range b.Archs {
		name := "layer-" + string(arch) + ".zip"
		err := b.step("runtime "+string(arch), func() error {
			binary, err := b.Runtimes.find(ctx, flavour{arch: arch}, b.staging)
			if err != nil {
				return err
			}
			t := newTree()
			t.add(path.Base(ExecWrapper), []byte(execWrapper), true)
			if err := t.addFile("bootstrap", binary, true); err != nil {
				return err
			}
			f, err := t.save(filepath.Join(b.Out, name), 0)
			b.note(name, f)
			b.layer = max(b.layer, t.bytes)
			return err
		})
		if err != nil {
			return err
		}
		m.Layers[arch] = name
	}
	if !b.Google {
		return nil
	}
	return b.step("runtime for Google", func() error {
		binary, err := b.Runtimes.find(ctx, flavour{arch: googleArch, google: true}, b.staging)
		if err != nil {
			return err
		}
		info, err := os.Stat(binary)
		if err != nil {
			return fault.New("build", fault.ResourceNotFound, binary, "%w", err)
		}
		b.google = entry{path: binary, executable: true, size: info.Size()}
		b.google.squeezed, err = squeeze(binary)
		return err
	})
}

// packed is a user's function in archives.
type packed struct {
	archives map[Arch]string
	runtime  string
	handler  string
	code     wrapper.Code // what the wrapper is told
	google   *OnGoogle    // nil: not built
	function Function
}

// packages builds the archives of the functions that the app uses, and that of functions without code (""), a few at a
// time.
func (b *builder) packages(ctx context.Context) (map[string]*packed, error) {
	names := append([]string{""}, slices.Sorted(maps.Keys(b.used))...)
	done := make([]*packed, len(names))
	errs := make([]error, len(names))
	slots := make(chan struct{}, min(4, runtime.NumCPU()))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if name == "" {
				done[i], errs[i] = b.pack(ctx, Function{Timeout: glueTimeout, Memory: glueMemory})
				return
			}
			errs[i] = b.step("function "+name, func() (err error) {
				done[i], err = b.pack(ctx, b.used[name])
				return err
			})
		})
	}
	wg.Wait()
	all := map[string]*packed{}
	for i, name := range names {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all[name] = done[i]
	}
	return all, nil
}

// deployed says how a function of the app is deployed.
func (b *builder) deployed(f *ir.Function, p *packed) Deployed {
	d := Deployed{
		Name: f.Name, Code: f.Code, Archives: p.archives, Runtime: p.runtime, Handler: p.handler,
		MemoryMiB: cmp.Or(p.function.Memory, glueMemory), Environment: maps.Clone(p.function.Env),
	}
	if d.Environment == nil {
		d.Environment = map[string]string{}
	}
	if p.runtime != runtimeProvided {
		d.Environment["AWS_LAMBDA_EXEC_WRAPPER"] = ExecWrapper
	}
	if text, err := json.Marshal(p.code); err == nil && string(text) != "{}" {
		d.Environment["WEFT_CODE"] = string(text)
	}
	d.Environment["WEFT_FUNCTION"] = f.Name
	if p.google != nil {
		on := *p.google
		on.Environment = maps.Clone(on.Environment)
		on.Environment["WEFT_FUNCTION"] = f.Name
		d.Google = &on
	}
	// The wrapper keeps a quarter of the time, at most runtimeTimeout, and the code is to have what it asks for.
	code := cmp.Or(p.function.Timeout, glueTimeout)
	whole := code + min(runtimeTimeout, code/3)
	d.TimeoutSeconds = int((whole + time.Second - 1) / time.Second)
	return d
}

// removeOthers removes archives of an earlier build that are not of this one.
func (b *builder) removeOthers() error {
	for _, pattern := range []string{"layer-*.zip", "functions/*.zip", "app/*"} {
		found, err := filepath.Glob(filepath.Join(b.Out, filepath.FromSlash(pattern)))
		if err != nil {
			return err
		}
		for _, file := range found {
			name, err := filepath.Rel(b.Out, file)
			if err != nil {
				return err
			}
			if _, ours := b.files[filepath.ToSlash(name)]; !ours {
				if err := os.Remove(file); err != nil {
					return fault.New("build", fault.Unavailable, file, "cannot remove what an earlier build left: %w", err)
				}
			}
		}
	}
	return nil
}
