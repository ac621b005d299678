package lambdaapi

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/weftworks/weft/engine/function/lambdaruntime"
)

// execWrapper is the variable that names what a runtime is started by.
const execWrapper = "AWS_LAMBDA_EXEC_WRAPPER"

// OptVariable tells functions where the files are that Lambda puts under /opt.
const OptVariable = "WEFT_LAMBDA_OPT"

// bundle is the code of a function in a directory of its own, and the processes that run it. It implements
// function.Invoker; Close ends the processes and removes the directory.
type bundle struct {
	*lambdaruntime.Pool
	dir   string
	parts []part
}

// part is an archive and where in the directory it goes.
type part struct {
	under string // "task", which Lambda has at /var/task, or "opt"
	code  *archive
}

// pack makes the bundle of a function. The caller holds mu.
func (s *Server) pack(c *created) (*bundle, error) {
	dir, err := os.MkdirTemp(s.cfg.Dir, c.config.FunctionName+"-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	b := &bundle{dir: dir, parts: []part{{"task", c.code}}}
	for _, l := range c.layers {
		b.parts = append(b.parts, part{"opt", l.code})
	}
	b.Pool, err = lambdaruntime.New(lambdaruntime.Config{
		Name: c.config.FunctionName, Launch: b.launcher(&c.config), Processes: s.cfg.Processes, Memory: c.config.MemorySize,
		ARNPrefix: s.service.ARN(""), Env: b.environment(&c.config, s.cfg.Env), Lines: s.cfg.Lines,
	})
	return b, err
}

// Close implements io.Closer.
func (b *bundle) Close() error { return errors.Join(b.Pool.Close(), os.RemoveAll(b.dir)) }

func (b *bundle) task() string { return filepath.Join(b.dir, "task") }
func (b *bundle) opt() string  { return filepath.Join(b.dir, "opt") }

// environment is what a function finds besides what every Lambda process does: libraries of layers come first.
func (b *bundle) environment(c *configuration, shared []string) []string {
	opt := b.opt()
	before := func(variable string, dirs ...string) string {
		if was := os.Getenv(variable); was != "" {
			dirs = append(dirs, was)
		}
		return variable + "=" + strings.Join(dirs, string(os.PathListSeparator))
	}
	env := append([]string{
		OptVariable + "=" + opt,
		before("PATH", filepath.Join(opt, "bin")),
		before("PYTHONPATH", filepath.Join(opt, "python"), filepath.Join(opt, "python", "lib", c.Runtime, "site-packages")),
		before("NODE_PATH", filepath.Join(opt, "nodejs", "node_modules")),
		before("LD_LIBRARY_PATH", filepath.Join(b.task(), "lib"), filepath.Join(opt, "lib")),
	}, shared...)
	if c.Environment == nil {
		return env
	}
	for name, value := range c.Environment.Variables {
		if name == execWrapper {
			value = b.place(value)
		}
		env = append(env, name+"="+value)
	}
	return env
}

// place is where a file is that has this path on Lambda.
func (b *bundle) place(name string) string {
	if rest, ok := strings.CutPrefix(name, "/opt/"); ok {
		return filepath.Join(b.opt(), rest)
	}
	if rest, ok := strings.CutPrefix(name, "/var/task/"); ok {
		return filepath.Join(b.task(), rest)
	}
	return name
}

// launcher starts a function's processes as its runtime does.
type launcher struct {
	lambdaruntime.Launcher
	wrapper string // "": none
	handler string
}

// Launch implements lambdaruntime.Launcher.
func (l *launcher) Launch(ctx context.Context) (lambdaruntime.Command, error) {
	cmd, err := l.Launcher.Launch(ctx)
	if l.wrapper != "" {
		cmd.Argv = append([]string{l.wrapper}, cmd.Argv...)
	}
	cmd.Handler = l.handler
	return cmd, err
}

// bootstrap launches what an OS-only runtime starts: bootstrap of the package, or else of a layer.
type bootstrap struct{ b *bundle }

// Launch implements lambdaruntime.Launcher.
func (o bootstrap) Launch(context.Context) (lambdaruntime.Command, error) {
	file := filepath.Join(o.b.task(), "bootstrap")
	if _, err := os.Stat(file); err != nil {
		if layer := filepath.Join(o.b.opt(), "bootstrap"); exists(layer) {
			file = layer
		}
	}
	return lambdaruntime.Command{Argv: []string{file}, Dir: o.b.task()}, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// launcher returns that of a configuration. As on Lambda, OS-only runtimes have no wrapper.
func (b *bundle) launcher(c *configuration) *launcher {
	l := &launcher{handler: c.Handler}
	switch {
	case strings.HasPrefix(c.Runtime, "python"):
		l.Launcher = lambdaruntime.Python(b.task(), c.Handler)
	case strings.HasPrefix(c.Runtime, "nodejs"):
		l.Launcher = lambdaruntime.Node(b.task(), c.Handler)
	default:
		l.Launcher = bootstrap{b}
		return l
	}
	if c.Environment != nil && c.Environment.Variables[execWrapper] != "" {
		l.wrapper = b.place(c.Environment.Variables[execWrapper])
	}
	return l
}

// archive is a ZIP archive in a file without a name, which goes when nobody has the archive any more. It does not
// change.
type archive struct {
	file   *os.File
	size   int
	sha256 string // in base64, as Lambda shows it
}

// newArchive keeps an archive in a directory.
func newArchive(dir string, b []byte) (*archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "code-*.zip")
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(b); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	sum := sha256.Sum256(b)
	return &archive{f, len(b), base64.StdEncoding.EncodeToString(sum[:])}, os.Remove(f.Name())
}

var errZip = invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.")

// checkZip reports whether a package is a ZIP archive.
func checkZip(b []byte) error {
	if _, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err != nil {
		return errZip
	}
	return nil
}

// unpack writes the files of all parts, those of later layers over those of earlier ones.
func (b *bundle) unpack() error {
	left := int64(unpackedBytes)
	for _, under := range []string{b.task(), b.opt()} {
		if err := os.Mkdir(under, 0o755); err != nil {
			return err
		}
	}
	for _, p := range b.parts {
		if err := unzip(filepath.Join(b.dir, p.under), p.code, &left); err != nil {
			return err
		}
	}
	return nil
}

// unzip writes the files of an archive into dir and nowhere else, and takes their sizes off left.
func unzip(dir string, code *archive, left *int64) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r, err := zip.NewReader(code.file, int64(code.size))
	if err != nil {
		return errZip
	}
	for _, f := range r.File {
		if err := extract(root, f, left); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// extract writes one file of an archive.
func extract(root *os.Root, f *zip.File, left *int64) error {
	name := filepath.FromSlash(path.Clean(f.Name))
	mode := f.Mode()
	if mode.IsDir() {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_ = root.Remove(name) // of an earlier layer
	if mode&os.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(in, 4<<10))
		if err != nil {
			return err
		}
		return root.Symlink(string(target), name)
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode.Perm()|0o400)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, *left+1))
	if *left -= n; *left < 0 && err == nil {
		err = fmt.Errorf("Unzipped size must be smaller than %d bytes", unpackedBytes)
	}
	return errors.Join(err, out.Close())
}
