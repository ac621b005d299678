package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

const devHelp = `Serve the state machines of a directory while you work on them: every *.asl.json and *.asl.yaml under DIR
is a machine, named after its file (or its directory, for machine.asl.json), created at the start and
updated whenever its file changes. Open runs keep the definition they started with. Functions are
declared in DIR/weft.yaml.

Machines and runs are kept in DIR/.weft, or where --data says.`

// watchEvery is how often dev looks whether a definition has changed.
const watchEvery = 500 * time.Millisecond

func (a *app) devCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Serve the machines of a directory and update them as their files change",
		Long:  devHelp,
		Example: `  weft dev
  weft dev examples/iot --listen 127.0.0.1:9000`,
		Args: args(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return a.dev(cmd.Context(), dir, f)
		},
	}
	cmd.Flags().StringVar(&f.data, "data", "", "data `DIR` (default .weft in the directory served)")
	f.add(cmd)
	return cmd
}

func (a *app) dev(ctx context.Context, dir string, f serveFlags) error {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fault.New("", fault.ResourceNotFound, dir, "no such directory; name the one that holds your state machines")
	}
	if f.data == "" {
		f.data = filepath.Join(dir, ".weft")
		if err := checkData(f.data); err != nil {
			return err
		}
		if err := keepOutOfGit(f.data); err != nil {
			return err
		}
	}
	if config := filepath.Join(dir, project.ConfigName); f.config == "" {
		if info, err := os.Stat(config); err == nil && !info.IsDir() {
			f.config = config
		}
	}
	s, err := a.prepareServer(f)
	if err != nil {
		return err
	}
	s.lines = func(l function.LogLine) { s.log.Info(l.Text, "function", l.Function) }
	return s.serve(ctx, func(ctx context.Context) error {
		w := &watcher{a: a, dir: dir, node: s.node, fns: s.fns, log: s.log, config: s.flags.config, seen: map[string]seenFile{}}
		if err := w.look(ctx); err != nil {
			return err
		}
		s.announce(w)
		go w.watch(ctx)
		return nil
	})
}

// keepOutOfGit makes the data directory with a .gitignore for all that is in it.
func keepOutOfGit(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New("", fault.Unavailable, dir, "the data directory cannot be made (%w); name another with --data", err)
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	if err := os.WriteFile(ignore, []byte("*\n"), 0o644); err != nil {
		return fault.New("", fault.Unavailable, dir, "the data directory cannot be written (%w); name another with --data", err)
	}
	return nil
}

// announce says what is served and how to reach it.
func (s *service) announce(w *watcher) {
	style := s.a.errStyle()
	t := console.Table{}
	for _, name := range w.order {
		t.Add("  "+name.machine, shortPath(name.path))
	}
	if t.Len() == 0 {
		s.a.note("no *.asl.json in %s yet; write one and it is served at once", w.dir)
	} else {
		s.a.note("serving %s from %s", console.Count(int64(t.Len()), "state machine"), w.dir)
		t.WriteTo(s.a.Err)
	}
	if names := s.fns.names(); len(names) > 0 {
		s.a.note("with functions %s", joinComma(names, 12))
	}
	env := `eval "$(weft env)"`
	if s.url != defaultServer {
		env = fmt.Sprintf(`eval "$(weft env --server %s)"`, s.url)
	}
	s.a.speak("", "  Point AWS clients here, in another terminal:", "", "    "+style.Bold(env),
		"    "+style.Bold("aws stepfunctions list-state-machines"), "")
}

func joinComma(names []string, most int) string {
	s := ""
	for i, n := range names {
		if i == most {
			return s + fmt.Sprintf(" and %d more", len(names)-most)
		}
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}

// watcher keeps a node's machines equal to the definitions under a directory.
type watcher struct {
	a      *app
	dir    string
	node   node
	fns    *functions
	log    *slog.Logger
	config string

	seen     map[string]seenFile // by path
	order    []servedFile
	configAt time.Time // when weft.yaml was written last
}

// seenFile is how a file was when it was read last.
type seenFile struct {
	modified time.Time
	size     int64
	machine  string
}

type servedFile struct{ machine, path string }

// watch looks again and again until ctx is done. Polling costs a few stats a second and works on every
// file system, network ones included.
func (w *watcher) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := w.look(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("cannot look for definitions", "dir", w.dir, "error", err)
			}
		}
	}
}

// look registers every definition that is new or has changed. A wrong one is reported and leaves the machine
// as it was.
func (w *watcher) look(ctx context.Context) error {
	paths, err := project.Scan(w.dir)
	if err != nil {
		return err
	}
	w.lookAtConfig()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue // it went meanwhile
		}
		was, known := w.seen[path]
		if known && was.modified.Equal(info.ModTime()) && was.size == info.Size() {
			continue
		}
		now := seenFile{modified: info.ModTime(), size: info.Size(), machine: was.machine}
		if name, ok := w.register(ctx, path, known); ok {
			now.machine = name
			if was.machine == "" {
				w.order = append(w.order, servedFile{name, path})
			}
		}
		w.seen[path] = now
	}
	for path := range w.seen {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			delete(w.seen, path) // the machine stays: deleting a file must not end anybody's runs
		}
	}
	return nil
}

// lookAtConfig says when weft.yaml has changed, which takes a new start to matter: processes of the old
// declarations may be at work.
func (w *watcher) lookAtConfig() {
	info, err := os.Stat(filepath.Join(w.dir, project.ConfigName))
	if w.config != "" {
		info, err = os.Stat(w.config)
	}
	if err != nil {
		return
	}
	if was := w.configAt; !was.IsZero() && !was.Equal(info.ModTime()) || was.IsZero() && w.config == "" {
		w.a.note("%s has changed; start weft dev again to use it (open runs go on)", project.ConfigName)
	}
	w.configAt = info.ModTime()
}

// register creates or updates the machine of one file.
func (w *watcher) register(ctx context.Context, path string, known bool) (string, bool) {
	def, err := w.a.readDefinition(path)
	if err != nil {
		w.a.note("%s", sentence(err))
		return "", false
	}
	name := def.machineName()
	for other, s := range w.seen {
		if s.machine == name && other != path {
			w.a.note("%s would be machine %s, which %s is already; rename one of the files", shortPath(path), name, shortPath(other))
			return "", false
		}
	}
	m, err := w.a.check(def)
	if err != nil {
		return "", false
	}
	for _, p := range undeclared(def, m, w.fns, w.config) {
		p.warning = true // a function may be declared later, and the state may never be reached
		fmt.Fprint(w.a.Err, def.explain(p, w.a.errStyle(), w.a.width()))
	}
	if err := register(ctx, w.node, name, def.json); err != nil {
		w.a.note("%s: %s", shortPath(path), sentence(err))
		return "", false
	}
	if known {
		w.a.note("updated %s from %s", name, shortPath(path))
	}
	return name, true
}

var _ node = (*engine.Node)(nil)
