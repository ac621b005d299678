package build

import (
	_ "embed"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/wrapper"
)

// OnGoogle is how a function is deployed on Cloud Run functions.
type OnGoogle struct {
	Archive     string            `json:"archive"` // source, for the builder of its runtime
	Runtime     string            `json:"runtime"`
	EntryPoint  string            `json:"entryPoint"`
	Environment map[string]string `json:"environment"`
}

// Runtimes of Google, and what the function is called that its framework serves.
const (
	googlePython = "python313"
	googleNode   = "nodejs22"
	googleEntry  = "weft"
	// googleArch is what functions run on there.
	googleArch = AMD64
	// codeDir is where the user's code is in an archive for Google, whose root is the framework's.
	codeDir = "code"
)

//go:embed google/main.py
var googleMain []byte

//go:embed google/index.js
var googleIndex []byte

// The frameworks that the builders install. The builder for Python fetches what requirements.txt asks for.
const (
	pythonFramework = "functions-framework==3.10.2"
	nodeFramework   = "5.0.5"
)

// onGoogle builds the archive of a user's function for Google: the framework's function, which starts the runtime, which
// runs the code. native is what is of one architecture, by the name it has on Lambda.
func (b *builder) onGoogle(p *packed, native *tree) (*OnGoogle, error) {
	f := p.function
	code := p.code
	if f.Dir != "" || native != nil {
		code.Dir = codeDir
	}
	switch f.Kind {
	case Python:
		code.Python = f.Handler
	case Node:
		code.Node = f.Handler
	}
	t := newTree()
	for _, file := range b.App.Files() {
		t.add(path.Join(AppDir, file.Name), file.Text, false)
	}
	t.put("weft-function", b.google)
	if native != nil {
		for name, e := range native.entries {
			t.put(path.Join(codeDir, name), e)
		}
	}
	if f.Dir != "" && f.Kind != HTTP {
		out, err := filepath.Abs(b.Out)
		if err != nil {
			return nil, err
		}
		if err := t.addDir(codeDir, f.Dir, out); err != nil {
			return nil, err
		}
	}
	on := &OnGoogle{Runtime: googlePython, EntryPoint: googleEntry, Archive: path.Join("functions", googleName(f.Name)), Environment: googleEnvironment(f, code)}
	var err error
	if p.runtime == runtimeNode {
		on.Runtime = googleNode
		err = nodeProject(t, f.Dir)
	} else {
		err = pythonProject(t, f.Dir)
	}
	if err != nil {
		return nil, fault.New("build", fault.InvalidArgument, f.Name, "%w", err)
	}
	built, err := t.save(filepath.Join(b.Out, filepath.FromSlash(on.Archive)), 0)
	b.note(on.Archive, built)
	return on, err
}

func googleName(name string) string {
	if name == "" {
		name = "weft"
	}
	return name + "-google.zip"
}

func googleEnvironment(f Function, code wrapper.Code) map[string]string {
	env := maps.Clone(f.Env)
	if env == nil {
		env = map[string]string{}
	}
	if text, err := json.Marshal(code); err == nil && string(text) != "{}" {
		env["WEFT_CODE"] = string(text)
	}
	return env
}

// pythonProject adds what Google's builder for Python looks for. What the user's requirements.txt asks for is installed
// for the whole container, so the code finds it.
func pythonProject(t *tree, dir string) error {
	requirements, err := optional(dir, "requirements.txt")
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(requirements), "\n")
	if !strings.Contains(text, "functions-framework") {
		text = strings.TrimLeft(text+"\n"+pythonFramework, "\n")
	}
	t.add("requirements.txt", []byte(text+"\n"), false)
	t.add("main.py", googleMain, false)
	return nil
}

// nodeProject adds what Google's builder for Node looks for. Modules of the root are found from the code's directory.
func nodeProject(t *tree, dir string) error {
	text, err := optional(dir, "package.json")
	if err != nil {
		return err
	}
	var user struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if text != nil {
		if err := json.Unmarshal(text, &user); err != nil {
			return err
		}
	}
	dependencies := map[string]string{"@google-cloud/functions-framework": nodeFramework}
	maps.Copy(dependencies, user.Dependencies)
	project, err := json.MarshalIndent(map[string]any{
		"name": "weft-function", "version": "1.0.0", "private": true, "main": "index.js", "dependencies": dependencies,
	}, "", "  ")
	t.add("package.json", append(project, '\n'), false)
	t.add("index.js", googleIndex, false)
	return err
}

// optional reads a file that need not be there.
func optional(dir, name string) ([]byte, error) {
	file := filepath.Join(dir, name)
	if dir == "" || !exists(file) {
		return nil, nil
	}
	return os.ReadFile(file)
}
