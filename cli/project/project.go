// Package project finds what `weft run` and `weft dev` work on: a machine's definition, the weft.yaml
// beside it and its default input.
package project

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// ConfigName is the name of the file that declares functions.
const ConfigName = "weft.yaml"

// inputName is the default input beside a machine, used when PATH is a directory.
const inputName = "input.json"

// scanMax bounds the files and directories Scan looks at.
const scanMax = 20_000

// Project is one machine and what lies beside it.
type Project struct {
	Name    string // of the machine: the directory's or the file's name, made to fit Step Functions' rules
	Machine string // path of the definition
	Config  string // path of weft.yaml; "" when there is none
	Input   string // path of input.json; "" when there is none or PATH is a file
}

// Find resolves path: a definition, or a directory that holds machine.asl.json or exactly one *.asl.json,
// *.asl.yaml or *.asl.yml. Kinds: fault.ResourceNotFound, fault.InvalidArgument.
func Find(path string) (*Project, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, path, "no such file or directory; name a state machine's definition or the directory that holds it")
	}
	if !info.IsDir() {
		return &Project{Name: MachineName(path), Machine: path, Config: existing(filepath.Dir(path), ConfigName)}, nil
	}
	found, err := definitions(path)
	if err != nil {
		return nil, err
	}
	p := &Project{Config: existing(path, ConfigName), Input: existing(path, inputName)}
	switch {
	case existing(path, "machine.asl.json") != "":
		p.Machine = filepath.Join(path, "machine.asl.json")
	case len(found) == 1:
		p.Machine = found[0]
	case len(found) == 0:
		return nil, fault.New("", fault.ResourceNotFound, path, "no state machine here: write machine.asl.json, or name a definition file")
	default:
		return nil, fault.New("", fault.InvalidArgument, path, "%d state machines here (%s): name one of them, or call it machine.asl.json",
			len(found), baseNames(found))
	}
	p.Name = MachineName(p.Machine)
	return p, nil
}

// Scan returns every definition under dir, in the order of their paths. Directories whose name starts with
// a dot, and node_modules and vendor, are not searched.
func Scan(dir string) ([]string, error) {
	var found []string
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == dir {
				return fault.New("", fault.ResourceNotFound, path, "cannot read the directory: %w", err)
			}
			return nil // it went while we looked, or is not ours to read
		}
		if seen++; seen > scanMax {
			return fault.New("", fault.InvalidArgument, dir, "more than %d files under this directory; name a smaller one", scanMax)
		}
		if d.IsDir() {
			if n := d.Name(); path != dir && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "vendor") {
				return fs.SkipDir
			}
			return nil
		}
		if isDefinition(d.Name()) {
			found = append(found, path)
		}
		return nil
	})
	sort.Strings(found)
	return found, err
}

// Read returns a definition's text; one larger than any machine may be is fault.InvalidDefinition.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, path, "cannot read the definition: no such file")
	}
	if info.IsDir() {
		return nil, fault.New("", fault.InvalidArgument, path, "this is a directory; name the definition file in it")
	}
	if info.Size() > int64(limits.Default.DefinitionBytes) {
		return nil, fault.New("", fault.InvalidDefinition, path, "the definition has %d bytes; at most %d are allowed", info.Size(), limits.Default.DefinitionBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, path, "cannot read the definition: %w", err)
	}
	return text, nil
}

// MachineName makes a machine's name from the path of its definition: wordcount.asl.json and
// wordcount/machine.asl.json are both "wordcount". Characters that Step Functions does not allow in names
// become "-".
func MachineName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	name := filepath.Base(abs)
	if cut := strings.IndexByte(name, '.'); cut > 0 {
		name = name[:cut]
	}
	if name == "machine" || name == "statemachine" {
		name = filepath.Base(filepath.Dir(abs))
	}
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name, "-")
	name = strings.TrimRight(name[:min(len(name), limits.NameChars)], "-")
	if name == "" {
		return "machine"
	}
	return name
}

func definitions(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, dir, "cannot read the directory: %w", err)
	}
	var found []string
	for _, e := range entries {
		if !e.IsDir() && isDefinition(e.Name()) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

func isDefinition(name string) bool {
	for _, ext := range []string{".asl.json", ".asl.yaml", ".asl.yml"} {
		if strings.HasSuffix(name, ext) && len(name) > len(ext) {
			return true
		}
	}
	return false
}

func existing(dir, name string) string {
	path := filepath.Join(dir, name)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return path
	}
	return ""
}

func baseNames(paths []string) string {
	names := make([]string, 0, 5)
	for i, p := range paths {
		if i == 4 && len(paths) > 5 {
			names = append(names, "…")
			break
		}
		names = append(names, filepath.Base(p))
	}
	return strings.Join(names, ", ")
}
