package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// checkData refuses a data directory that cannot be one, before anything is opened; it need not exist.
func checkData(path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "", errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return fault.New("", fault.InvalidArgument, path, "a part of this path is a file, not a directory; name another data directory")
	case err != nil:
		return fault.New("", fault.InvalidArgument, path, "the data directory cannot be used: %w", errors.Unwrap(err))
	case !info.IsDir():
		return fault.New("", fault.InvalidArgument, path, "this is not a directory; --data names the directory that holds, or will hold, machines and runs")
	}
	return nil
}

// readInput reads what --input names: a JSON text, @FILE or - for stdin; "" is nil.
func (a *app) readInput(arg string) ([]byte, error) { return a.readJSON("--input", arg) }

// readJSON is readInput for what name names.
func (a *app) readJSON(name, arg string) ([]byte, error) {
	switch {
	case arg == "":
		return nil, nil
	case arg == "-":
		text, err := readBounded(a.In, "stdin")
		if err != nil {
			return nil, err
		}
		return checkInput("stdin", text)
	case strings.HasPrefix(arg, "@"):
		return readInputFile(arg[1:])
	}
	return checkInput(name, []byte(arg))
}

func readInputFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New("", fault.ResourceNotFound, path, "cannot read the input: %w", errors.Unwrap(err))
	}
	defer f.Close()
	text, err := readBounded(f, path)
	if err != nil {
		return nil, err
	}
	return checkInput(path, text)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	most := limits.Default.PayloadBytes
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return nil, fault.New("", fault.InvalidInput, name, "cannot read the input: %w", err)
	}
	if len(text) > most {
		return nil, fault.New("", fault.InvalidInput, name, "the input is larger than %s bytes", console.Number(int64(most)))
	}
	return text, nil
}

// checkInput returns text if it is one JSON text, else an error with the place of the mistake.
func checkInput(name string, text []byte) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fault.New("", fault.InvalidInput, name, "the input is empty; write {} for none")
	}
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if err == nil {
		return text, nil
	}
	offset := int64(len(text))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && !strings.Contains(syntax.Error(), "unexpected end") {
		offset = max(syntax.Offset-1, 0)
	}
	line, col := console.Place(text, offset)
	hint := ""
	if name == "--input" && !strings.ContainsAny(string(text), "{[\"") {
		hint = "; to read a file write --input @" + string(text)
	}
	return nil, fault.New("", fault.InvalidInput, fmt.Sprintf("%s:%d:%d", name, line, col), "the input is no JSON: %w%s\n%s",
		err, hint, strings.TrimRight(console.Caret(text, line, col, 100, "  "), "\n"))
}

// definition is the text of a machine with what it takes to point into it.
type definition struct {
	name   string // what problems are reported against: a path, "stdin", a machine's name
	path   string // "" unless it is a file
	text   []byte // as written
	json   []byte // what the engine gets: text, or its JSON when text is YAML
	places *project.Places

	express bool // it is meant for an EXPRESS machine, which may say less
}

func newDefinition(name string, text []byte) *definition {
	return &definition{name: name, text: text, json: text}
}

// readDefinition reads a file, or stdin for "-".
func (a *app) readDefinition(path string) (*definition, error) {
	if path == "-" {
		most := limits.Default.DefinitionBytes
		text, err := io.ReadAll(io.LimitReader(a.In, int64(most)+1))
		if err != nil {
			return nil, fault.New("", fault.InvalidDefinition, "stdin", "cannot read the definition: %w", err)
		}
		if len(text) > most {
			return nil, fault.New("", fault.InvalidDefinition, "stdin", "the definition is larger than %s bytes", console.Number(int64(most)))
		}
		return newDefinition("stdin", text), nil
	}
	text, err := project.Read(path)
	if err != nil {
		return nil, err
	}
	d := newDefinition(shortPath(path), text)
	d.path = path
	if project.IsYAML(path) {
		d.json, d.places, err = project.JSON(d.name, text)
	}
	return d, err
}

// machineName is what to call the machine when nobody said.
func (d *definition) machineName() string {
	if d.path == "" {
		return d.name
	}
	return project.MachineName(d.path)
}

// shortPath writes a path relative to the working directory where that is shorter.
func shortPath(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// problem is one thing that is wrong with a definition, its place in the text as written.
type problem struct {
	line, column int
	message      string
	fix          string // what to write instead; may be empty
	warning      bool
}

func (p problem) severity() string {
	if p.warning {
		return "warning"
	}
	return "error"
}

func countErrors(problems []problem) int {
	n := 0
	for _, p := range problems {
		if !p.warning {
			n++
		}
	}
	return n
}

// explain writes a problem as compilers do: place, message, the line with a caret, and the fix.
func (d *definition) explain(p problem, s console.Style, width int) string {
	var b strings.Builder
	what := ""
	if p.warning {
		what = s.Yellow("warning: ")
	}
	fmt.Fprintf(&b, "%s %s%s\n", s.Bold(fmt.Sprintf("%s:%d:%d:", console.Clean(d.name), p.line, p.column)), what, console.Clean(p.message))
	b.WriteString(console.Caret(d.text, p.line, p.column, width, "  "))
	if p.fix != "" {
		fmt.Fprintf(&b, "        %s %s\n", s.Cyan("fix:"), strings.ReplaceAll(console.CleanLines(p.fix), "\n", "\n        "))
	}
	return b.String()
}

// check parses a definition; if anything is wrong it prints all problems on stderr and returns an error
// that needs no further words.
func (a *app) check(d *definition) (*asl.Machine, error) {
	m, problems := d.parse(asl.AnyIntegration) // whether it is there, who runs it knows
	return m, a.refuse(d, problems)
}

// refuse prints problems and returns an error if one of them is more than a warning.
func (a *app) refuse(d *definition, problems []problem) error {
	sort.SliceStable(problems, func(i, j int) bool {
		p, q := problems[i], problems[j]
		return p.line < q.line || (p.line == q.line && p.column < q.column)
	})
	for _, p := range problems {
		fmt.Fprint(a.Err, d.explain(p, a.errStyle(), a.width()))
	}
	if n := countErrors(problems); n > 0 {
		a.note("%s in %s", console.Count(int64(n), "problem"), d.name)
		return reported(fault.InvalidDefinition)
	}
	return nil
}

// states yields all states of a graph, nested ones behind the state that holds them.
func states(g *asl.Graph) iter.Seq[*asl.State] {
	return func(yield func(*asl.State) bool) { walk(g, yield) }
}

func walk(g *asl.Graph, yield func(*asl.State) bool) bool {
	for _, s := range g.States {
		if !yield(s) {
			return false
		}
		if s.Map != nil && s.Map.Processor != nil && !walk(s.Map.Processor, yield) {
			return false
		}
		if s.Parallel != nil {
			for _, b := range s.Parallel.Branches {
				if !walk(b, yield) {
					return false
				}
			}
		}
	}
	return true
}
