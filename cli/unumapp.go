package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
)

// application is an application that runs without an orchestrator, and what lies beside it.
type application struct {
	*ir.App
	machine *asl.Machine // that it was compiled from; nil: written by hand
	config  string       // path of weft.yaml; "" when there is none
	input   string       // path of input.json; "" when there is none
}

// readApplication compiles the machine at path, or reads the instructions there, if that is a directory with an app.yaml or
// such a file. configPath is the weft.yaml to go by; "": the one beside.
func (a *app) readApplication(path, configPath string) (*application, error) {
	files, dir, err := instructionFiles(path)
	if err != nil {
		return nil, err
	}
	if files != nil {
		app, err := ir.Parse(files)
		if err != nil {
			return nil, fault.New("", fault.InvalidDefinition, path, "%w", err)
		}
		out := &application{App: app, config: cmp.Or(configPath, beside(dir, project.ConfigName)), input: beside(dir, "input.json")}
		return out, a.valid(app, path)
	}
	p, err := project.Find(path)
	if err != nil {
		return nil, err
	}
	if configPath != "" {
		p.Config = configPath
	}
	return a.compileMachine(p)
}

// beside is a file in a directory, "" if it is not there.
func beside(dir, name string) string {
	file := filepath.Join(dir, name)
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return ""
	}
	return file
}

// valid refuses an application whose instructions do not make sense.
func (a *app) valid(app *ir.App, path string) error {
	if err := app.Validate().Err(); err != nil {
		return fault.New("", fault.InvalidDefinition, path, "%w", err)
	}
	return nil
}

// instructionFiles returns the files of instructions at path, and their directory; none if what is there is something
// else.
func instructionFiles(path string) ([]ir.File, string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", nil // project.Find says what there could be
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
		if !slices.Contains(appFiles, filepath.Base(path)) {
			return nil, "", nil
		}
	}
	main := slices.IndexFunc(appFiles, func(name string) bool { return beside(dir, name) != "" })
	if main < 0 {
		return nil, "", nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, "", err
	}
	var files []ir.File
	for _, e := range entries {
		name := e.Name()
		if name != appFiles[main] && !strings.HasSuffix(name, ir.FunctionSuffix) && name != machineFile {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, "", err
		}
		files = append(files, ir.File{Name: name, Text: text})
	}
	return files, dir, nil
}

// appFiles are what the file of an application may be called; machineFile is the definition beside that it was compiled from.
var appFiles = []string{ir.AppFile, "app.yml", "app.json"}

const machineFile = "machine.asl.json"

// compileMachine compiles the definition of a project.
func (a *app) compileMachine(p *project.Project) (*application, error) {
	def, err := a.readDefinition(p.Machine)
	if err != nil {
		return nil, err
	}
	m, err := a.check(def)
	if err != nil {
		return nil, err
	}
	var declared []string
	if p.Config != "" {
		cfg, err := config.Load(p.Config)
		if err != nil {
			return nil, err
		}
		for i := range cfg.Functions {
			declared = append(declared, cfg.Functions[i].Name)
		}
	}
	app, err := compile.Machine(def.json, compile.Options{Name: appName(p.Name), Functions: declared})
	if err != nil {
		return nil, err
	}
	return &application{App: app, machine: m, config: p.Config, input: p.Input}, nil
}

// appName makes a name that instructions take of a machine's.
func appName(name string) string {
	const most = 60
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, name)
	if c := name[0] | 0x20; c < 'a' || c > 'z' {
		name = "App-" + name
	}
	return name[:min(len(name), most)]
}
