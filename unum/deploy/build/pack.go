package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/wrapper"
)

// AppDir is the application's directory in every archive.
const AppDir = "weft"

// binaryName is what a function's program is called in its archive: not bootstrap, which would come before the runtime's.
const binaryName = "function"

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// pack builds the archives of one user's function.
func (b *builder) pack(ctx context.Context, f Function) (*packed, error) {
	p := &packed{archives: map[Arch]string{}, runtime: runtimeProvided, handler: "bootstrap", function: f}
	base := newTree()
	for _, file := range b.App.Files() {
		base.add(path.Join(AppDir, file.Name), file.Text, false)
	}
	// What is of an architecture comes first: it wins over what is in the directory.
	native, err := b.native(ctx, p)
	if err != nil {
		return nil, err
	}
	if f.Dir != "" && f.Kind != HTTP {
		out, err := filepath.Abs(b.Out)
		if err != nil {
			return nil, err
		}
		if err := base.addDir("", f.Dir, out); err != nil {
			return nil, err
		}
	}
	name := f.Name
	if name == "" {
		name = "weft"
	}
	for _, arch := range b.Archs {
		file := path.Join("functions", name+".zip")
		whole := newTree()
		if t := native[arch]; t != nil {
			file = path.Join("functions", name+"-"+string(arch)+".zip")
			whole.all(t)
		}
		whole.all(base)
		if _, ok := whole.entries["bootstrap"]; ok && p.runtime == runtimeProvided {
			return nil, fault.New("build", fault.InvalidArgument, f.Name, "its directory has a file called bootstrap, which Lambda would run in the runtime's place; give it another name")
		}
		p.archives[arch] = file
		if b.built(file) {
			continue
		}
		built, err := whole.save(filepath.Join(b.Out, filepath.FromSlash(file)), b.layer)
		if err != nil {
			return nil, err
		}
		b.note(file, built)
	}
	if b.Google {
		p.google, err = b.onGoogle(p, native[googleArch])
	}
	return p, err
}

func (b *builder) built(file string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.files[file]
	return ok
}

// native fills in how the code runs, and returns what is of one architecture, if anything is.
func (b *builder) native(ctx context.Context, p *packed) (map[Arch]*tree, error) {
	f := p.function
	switch f.Kind {
	case Go:
		p.code = wrapper.Code{Process: []string{"./" + binaryName}}
		return b.each(func(arch Arch, t *tree) error {
			out := filepath.Join(b.staging, f.Name+"-"+string(arch))
			if err := goBuild(ctx, f.Source, out, arch); err != nil {
				return fault.New("build", fault.InvalidArgument, f.Name, "%w", err)
			}
			return t.addFile(binaryName, out, true)
		})
	case Provided:
		p.code = wrapper.Code{Process: []string{"./" + binaryName}}
		return b.each(func(arch Arch, t *tree) error {
			if is, err := archOf(f.Binary); err != nil || is != "" && is != arch {
				return mismatch(f.Name, f.Binary, is, arch, err)
			}
			return t.addFile(binaryName, f.Binary, true)
		})
	case Python:
		p.runtime, p.handler = runtimePython, f.Handler
		if b.Install {
			return b.each(func(arch Arch, t *tree) error { return b.pip(ctx, f, arch, t) })
		}
	case Node:
		p.runtime, p.handler = runtimeNode, f.Handler
		if b.Install {
			return b.each(func(arch Arch, t *tree) error { return b.npm(ctx, f, arch, t) })
		}
	case Command:
		p.code = wrapper.Code{Command: f.Command}
		language, err := b.commandRuntime(f)
		p.runtime = language
		return nil, err
	case HTTP:
		p.code = wrapper.Code{URL: f.URL, Headers: f.Headers}
	case "": // no code
	default:
		return nil, fault.New("build", fault.InvalidArgument, f.Name, "there is no kind of function called %q", f.Kind)
	}
	return nil, nil
}

// each makes a tree for each architecture; nil for one that stays empty.
func (b *builder) each(fill func(Arch, *tree) error) (map[Arch]*tree, error) {
	all := map[Arch]*tree{}
	for _, arch := range b.all() {
		t := newTree()
		if err := fill(arch, t); err != nil {
			return nil, err
		}
		if len(t.entries) > 0 {
			all[arch] = t
		}
	}
	return all, nil
}

func mismatch(name, file string, is, want Arch, err error) error {
	if err != nil {
		return fault.New("build", fault.InvalidArgument, name, "its program: %w", err)
	}
	return fault.New("build", fault.InvalidArgument, name, "%s is a program for %s; build for that alone (--arch %s) or declare the function's source instead", file, is, is)
}

// archOf returns the architecture of a program; "" for a script, which is of any.
func archOf(file string) (Arch, error) {
	f, err := elf.Open(file)
	if err != nil {
		var bad *elf.FormatError
		if !errors.As(err, &bad) && !errors.Is(err, io.EOF) {
			return "", err
		}
		if language, err := shebang(file); err != nil || language != "" {
			return "", err
		}
		return "", errors.New(file + " is no program for Linux (no ELF file) and no script (no #! line)")
	}
	defer f.Close()
	switch f.Machine {
	case elf.EM_AARCH64:
		return ARM64, nil
	case elf.EM_X86_64:
		return AMD64, nil
	}
	return "", errors.New(file + " is a program for " + f.Machine.String() + ", which Lambda does not have")
}

// shebang returns the first line of a script behind "#!"; "" if it is none.
func shebang(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const most = 256
	line, err := bufio.NewReader(io.LimitReader(f, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	command, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return "", nil
	}
	return strings.TrimSpace(command), nil
}

// commandRuntime returns the Lambda runtime that has what a command needs: the language of its script, else none.
func (b *builder) commandRuntime(f Function) (string, error) {
	program := f.Command[0]
	if strings.Contains(program, "/") {
		file := program
		if !filepath.IsAbs(file) {
			file = filepath.Join(f.Dir, file)
			for _, arch := range b.all() {
				if is, err := archOf(file); err != nil || is != "" && is != arch {
					return "", mismatch(f.Name, file, is, arch, err)
				}
			}
		}
		line, err := shebang(file)
		if err != nil {
			return "", fault.New("build", fault.InvalidArgument, f.Name, "its command: %w", err)
		}
		program = line
	}
	for _, word := range strings.Fields(program) {
		switch base := path.Base(word); {
		case strings.HasPrefix(base, "python"):
			return runtimePython, nil
		case strings.HasPrefix(base, "node"):
			return runtimeNode, nil
		}
	}
	return runtimeProvided, nil
}
