package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
)

const compileHelp = `Compile a state machine into instructions that its functions carry out themselves, without an orchestrator.

PATH is what weft run takes, or instructions: an app.yaml, or a directory that has one. Those are checked, and
written as they are understood. With --from-unum it is a directory of the older dialects of Unum
(unum_config.json of each function), which are translated; notes say where they mean something else.

Into the directory of -o go app.yaml, a file for each function, and pictures of the graph, app.svg and
app.dot. Without -o nothing is written: the table of the functions says what would be.`

func (a *app) compileCommand() *cobra.Command {
	var config, out string
	var unum, asJSON bool
	cmd := &cobra.Command{
		Use:   "compile PATH",
		Short: "Compile a state machine into instructions for its functions, or check such instructions",
		Long:  compileHelp,
		Example: `  weft compile examples/text -o build/
  weft compile orders.asl.json --json
  weft compile legacy/ --from-unum -o orders/`,
		Args: args(1, 1, "PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			app, err := a.compiled(args[0], config, unum)
			if err != nil {
				return err
			}
			var written []string
			if out != "" {
				if written, err = writeApplication(app, out); err != nil {
					return err
				}
			}
			if asJSON {
				return a.object(compiledJSON(app, written))
			}
			return a.printApplication(app, out, len(written))
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&out, "output", "o", "", "`DIR` to write to")
	fl.StringVar(&config, "config", "", "`FILE` that declares the functions (default weft.yaml beside the machine)")
	fl.BoolVar(&unum, "from-unum", false, "translate an application in an older dialect of Unum")
	fl.BoolVar(&asJSON, "json", false, "print the functions and the names of the files as JSON")
	return cmd
}

// compiled returns the application at path, from whatever is there.
func (a *app) compiled(path, config string, unum bool) (*ir.App, error) {
	if !unum {
		app, err := a.readApplication(path, config)
		if err != nil {
			return nil, err
		}
		return app.App, nil
	}
	files, err := olderFiles(path)
	if err != nil {
		return nil, err
	}
	app, notes, err := ir.Import(files)
	if err != nil {
		return nil, fault.New("", fault.InvalidDefinition, path, "%w", err)
	}
	for _, n := range notes {
		a.note("%s", n)
	}
	return app, a.valid(app, path)
}

// olderMost bounds the files of an application in an older dialect.
const olderMost = 10_000

// olderFiles reads what package ir imports, below a directory.
func olderFiles(dir string) ([]ir.File, error) {
	var files []ir.File
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch name := d; {
		case err != nil:
			return fault.New("", fault.ResourceNotFound, dir, "cannot be read: %w", err)
		case name.IsDir() && (strings.HasPrefix(name.Name(), ".") && file != dir || name.Name() == "node_modules"):
			return fs.SkipDir
		case name.IsDir() || !strings.HasPrefix(name.Name(), "unum"):
			return nil
		case len(files) == olderMost:
			return fault.New("", fault.LimitExceeded, dir, "there are more than %d files of an application", olderMost)
		}
		switch filepath.Ext(file) {
		case ".json", ".yaml", ".yml":
		default:
			return nil
		}
		if strings.HasPrefix(d.Name(), "unum-step-functions") { // the machine that the files were made of
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		files = append(files, ir.File{Name: filepath.ToSlash(name), Text: text})
		return err
	})
	return files, err
}

// writeApplication writes the files of an application and its pictures, and returns their names.
func writeApplication(app *ir.App, dir string) ([]string, error) {
	files := app.Files()
	graph := app.Picture()
	files = append(files, ir.File{Name: "app.svg", Text: graph.SVG()}, ir.File{Name: "app.dot", Text: graph.Dot()})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.New("", fault.Conflict, dir, "the directory cannot be made: %w", err)
	}
	// A function that is no longer one must not be read as one.
	old, err := filepath.Glob(filepath.Join(dir, "*"+ir.FunctionSuffix))
	if err != nil {
		return nil, err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return nil, err
		}
	}
	names := make([]string, len(files))
	for i, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Text, 0o644); err != nil {
			return nil, fault.New("", fault.Unavailable, dir, "%w", err)
		}
		names[i] = f.Name
	}
	return names, nil
}

// compiledFunction is a function as --json prints it.
type compiledFunction struct {
	Name  string   `json:"name"`
	Code  string   `json:"code,omitempty"`
	Start bool     `json:"start,omitempty"`
	State string   `json:"state,omitempty"` // of the machine
	Next  []string `json:"next,omitempty"`
}

func compiledJSON(app *ir.App, files []string) any {
	functions := make([]compiledFunction, len(app.Functions))
	for i, f := range app.Functions {
		functions[i] = compiledFunction{Name: f.Name, Code: f.Code, Start: f.Start}
		if f.Glue != nil {
			functions[i].State = f.Glue.State
		}
		for k := range f.Next {
			functions[i].Next = append(functions[i].Next, f.Next[k].String())
		}
	}
	return map[string]any{"name": app.Name, "functions": functions, "files": files}
}

// printApplication prints the functions of an application.
func (a *app) printApplication(app *ir.App, dir string, files int) error {
	t := console.Table{Header: []string{"FUNCTION", "CODE", "NEXT"}}
	for _, f := range app.Functions {
		name, code := f.Name, f.Code
		if f.Start {
			name += " (start)"
		}
		if code == "" {
			code = "-"
		}
		next := []string{"-"}
		for i := range f.Next {
			if i == 0 {
				next = next[:0]
			}
			next = append(next, f.Next[i].String())
		}
		t.Add(name, code, next[0])
		for _, more := range next[1:] {
			t.Add("", "", more)
		}
	}
	if _, err := t.WriteTo(a.Out); err != nil {
		return err
	}
	if dir != "" {
		a.note("wrote %s to %s", console.Count(int64(files), "file"), shortPath(dir))
	}
	return nil
}
