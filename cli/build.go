package cli

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/unum/deploy/build"
)

// buildFlags are the flags of `weft build`.
type buildFlags struct {
	out, config                  string
	archs                        []string
	google, install, json, quiet bool
}

const buildHelp = `Package an application that needs no orchestrator: an archive for each function's code, with the
application's instructions in it, and a layer with the runtime, which starts before the language's own and lets
untouched Python, Node and Go handlers take part.

PATH is a state machine or instructions written by hand, or the directory of either; its functions are those of the
weft.yaml beside it. What is in a function's directory is packaged as it is, without files whose name begins with
a dot; --install has pip and npm fetch what requirements.txt and package-lock.json ask for first. Go functions are
built for each architecture.

The same sources give the same bytes, so only what has changed is deployed again. build.json in DIR says what there
is; weft deploy does all this by itself.

The runtime is the first of: weft-function-linux-ARCH beside the weft command, a build of Weft's source near the
working directory by the go tool, and this weft command itself, for its own architecture.`

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build PATH",
		Short: "Package functions with the runtime and their instructions",
		Long:  buildHelp,
		Example: `  weft build examples/text
  weft build orders -o dist --arch arm64,amd64 --install
  weft build orders --json | jq -r '.functions[].archives.arm64'`,
		Args: args(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.build(cmd.Context(), args[0], &f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "output", "o", "build", "`DIR` to build in; archives of an earlier build that are no longer of it are removed")
	fl.StringVar(&f.config, "config", "", "`FILE` that declares the functions (default weft.yaml beside the machine)")
	fl.StringSliceVar(&f.archs, "arch", []string{string(build.ARM64)}, "`ARCHS` to build for: arm64, amd64")
	fl.BoolVar(&f.google, "google", false, "build archives for Cloud Run functions too")
	fl.BoolVar(&f.install, "install", false, "fetch what requirements.txt and package-lock.json ask for, by pip and npm")
	fl.BoolVar(&f.json, "json", false, "print build.json")
	fl.BoolVar(&f.quiet, "quiet", false, "show no progress; errors are still shown")
	_ = cmd.RegisterFlagCompletionFunc("arch", cobra.FixedCompletions([]string{string(build.ARM64), string(build.AMD64)}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("output")
	return cmd
}

func (a *app) build(ctx context.Context, path string, f *buildFlags) error {
	app, err := a.readApplication(path, f.config)
	if err != nil {
		return err
	}
	o, err := a.buildOptions(app, f.out)
	if err != nil {
		return err
	}
	o.Google, o.Install, o.Archs = f.google, f.install, nil
	for _, arch := range f.archs {
		if !slices.Contains(o.Archs, build.Arch(arch)) {
			o.Archs = append(o.Archs, build.Arch(arch))
		}
	}
	if f.quiet {
		o.Progress = nil
	}
	m, err := build.Build(ctx, o)
	if err != nil {
		return err
	}
	if f.json {
		text, err := marshal(m)
		if err != nil {
			return err
		}
		return a.printValue(text)
	}
	return a.printBuild(m, f.out)
}

// buildOptions says how an application is built in a directory: for arm64, with what its weft.yaml declares.
func (a *app) buildOptions(app *application, out string) (build.Options, error) {
	o := build.Options{App: app.App, Out: out, Archs: []build.Arch{build.ARM64}, Progress: func(s build.Step) {
		if s.Took > 0 {
			a.note("built %s in %s", s.What, console.Elapsed(s.Took))
		}
	}}
	if app.config == "" {
		return o, nil
	}
	cfg, err := config.Load(app.config)
	if err != nil {
		return o, err
	}
	o.Functions = buildFunctions(cfg)
	return o, nil
}

// buildFunctions are the functions of a weft.yaml as package build takes them.
func buildFunctions(cfg *config.Config) []build.Function {
	list := make([]build.Function, len(cfg.Functions))
	for i := range cfg.Functions {
		f := &cfg.Functions[i]
		list[i] = build.Function{
			Name: f.Name, Kind: build.Kind(f.Runtime), Dir: f.Dir, Source: f.Source, Binary: f.Binary, Handler: f.Handler,
			Command: f.Command, URL: f.URL, Headers: f.Headers, Env: f.Env, Timeout: f.Timeout, Memory: f.Memory,
		}
		if f.Runtime == config.Provided && f.Dir == cfg.Dir {
			list[i].Dir = "" // nobody has said so: the binary is all
		}
	}
	return list
}

// printBuild lists the archives, and which functions each is of.
func (a *app) printBuild(m *build.Manifest, out string) error {
	of := map[string][]string{}
	for _, f := range m.Functions {
		files := slices.Collect(maps.Values(f.Archives))
		if f.Google != nil {
			files = append(files, f.Google.Archive)
		}
		slices.Sort(files)
		for _, file := range slices.Compact(files) {
			of[file] = append(of[file], f.Name)
		}
	}
	t := console.Table{Header: []string{"ARCHIVE", "SIZE", "FUNCTIONS"}, Right: map[int]bool{1: true}, Style: a.outStyle()}
	for _, arch := range m.Archs {
		of[m.Layers[arch]] = []string{"the runtime"}
	}
	for _, file := range slices.Sorted(maps.Keys(of)) {
		t.Add(filepath.Join(out, filepath.FromSlash(file)), size(m.Files[file].Bytes), strings.Join(of[file], ", "))
	}
	_, err := t.WriteTo(a.Out)
	return err
}

// size is a number of bytes for a person.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
