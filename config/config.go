package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration/web"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// FileName is what the file is called where nobody names another.
const FileName = "weft.yaml"

// fileBytes bounds the file.
const fileBytes = 4 << 20

// Config is a checked weft.yaml.
type Config struct {
	Path      string // of the file; "" when there is none
	Dir       string // what relative paths are relative to, absolute
	Functions []Function
	// Limits are the node's limits; fields the file does not name have their defaults.
	Limits limits.Set
	// Retain says how long ended runs are kept, by status, as engine.Options.Retain has it: 0 is for ever, a status
	// that the file does not name has the engine's default.
	Retain map[machine.Status]time.Duration
	// AWS says where the services are that integrations call.
	AWS AWS
	// Objects says where the buckets of distributed Maps are.
	Objects Objects
	// ExecutionLogs is the directory of execution logs, absolute, or "off"; "": where the engine puts them.
	ExecutionLogs string
	// Own are the integrations of the file, Connections what http:invoke may use, Sinks where messages and events go.
	Own         []Integration
	Connections map[string]web.Connection
	Sinks       Sinks
}

// Runtime says what runs a function.
type Runtime string

// The runtimes.
const (
	Go       Runtime = "go"
	Python   Runtime = "python"
	Node     Runtime = "node"
	Provided Runtime = "provided"
	Command  Runtime = "command"
	HTTP     Runtime = "http"
)

// Function is a declared function. Paths are absolute, defaults are filled in.
type Function struct {
	Name        string
	Line        int // of its declaration
	Runtime     Runtime
	Source      string
	Handler     string
	Binary      string
	Command     []string
	URL         string
	Headers     map[string]string
	Dir         string
	Timeout     time.Duration
	Concurrency int
	PerKey      int            // calls at a time with one concurrency key; 0: no limit
	Rate        float64        // calls begun a second; 0: no limit
	Burst       int            // 0: what Rate allows in a second
	Tenants     map[string]int // weights
	Queue       int
	Idempotent  bool
	Env         map[string]string
	Idle        time.Duration
	Init        time.Duration
	Memory      int // MiB
}

// Defaults of a function's settings.
const (
	DefaultTimeout         = time.Minute
	DefaultConcurrency     = 8
	DefaultHTTPConcurrency = 64
	DefaultIdle            = 5 * time.Minute
	DefaultInit            = 10 * time.Second
	DefaultMemory          = 128
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	Line, Column int // from 1; 0: the file as a whole
	Message      string
}

// Problems are all things wrong in a file, top to bottom. It is the Err of a fault.Error of kind
// InvalidArgument.
type Problems struct {
	Path string
	List []Problem
}

// Error returns one line per problem: "path:line:column: message".
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, x := range p.List {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", p.Path, x.Line, x.Column, x.Message)
		if x.Line == 0 {
			lines[i] = p.Path + ": " + x.Message
		}
	}
	return strings.Join(lines, "\n")
}

// Load reads and checks a file. Errors: fault.ResourceNotFound when there is none, fault.InvalidArgument around
// *Problems when it is wrong.
func Load(path string) (*Config, error) {
	const op = "config.Load"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(op, fault.ResourceNotFound, path, "there is no such file")
	case err != nil:
		return nil, fault.New(op, fault.InvalidArgument, path, "%w", err)
	case info.IsDir():
		return nil, fault.New(op, fault.InvalidArgument, path, "this is a directory; name the file in it")
	case info.Size() > fileBytes:
		return nil, fault.New(op, fault.InvalidArgument, path, "the file has %d bytes, at most %d are read", info.Size(), fileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(op, fault.InvalidArgument, path, "%w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fault.New(op, fault.InvalidArgument, path, "%w", err)
	}
	return Parse(path, dir, text)
}

// Find loads weft.yaml in dir, or returns an empty Config when there is none.
func Find(dir string) (*Config, error) {
	c, err := Load(filepath.Join(dir, FileName))
	if fault.Is(err, fault.ResourceNotFound) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fault.New("config.Find", fault.InvalidArgument, dir, "%w", err)
		}
		return &Config{Dir: abs, Limits: limits.Default}, nil
	}
	return c, err
}

// Parse checks the text of a file. path is for messages; relative paths are taken from dir.
func Parse(path, dir string, text []byte) (*Config, error) {
	c := &Config{Path: path, Dir: dir, Limits: limits.Default}
	r := &reader{dir: dir}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF): // nothing but comments
	case err != nil:
		r.syntax(err)
	default:
		r.config(doc.Content[0], c)
		if err := decoder.Decode(&more); err == nil {
			r.problem(&more, "there is a second document; one file has one")
		} else if !errors.Is(err, io.EOF) {
			r.syntax(err)
		}
	}
	if len(r.problems) > 0 {
		r.sort()
		return nil, fault.New("", fault.InvalidArgument, "", "%w", &Problems{Path: path, List: r.problems})
	}
	return c, nil
}

// config reads the whole document.
func (r *reader) config(n *yaml.Node, c *Config) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	var defaults, functions, integrations *yaml.Node
	r.mapping(n, "weft.yaml", fields{
		"defaults":  func(v *yaml.Node) { defaults = v },
		"functions": func(v *yaml.Node) { functions = v },
		"limits":    func(v *yaml.Node) { r.limits(v, &c.Limits) },
		"retain":    func(v *yaml.Node) { r.retain(v, &c.Retain) },
		"aws":       func(v *yaml.Node) { r.aws(v, &c.AWS) },
		"objects":   func(v *yaml.Node) { r.objects(v, &c.Objects) },

		"executionLogs": func(v *yaml.Node) { r.executionLogs(v, &c.ExecutionLogs) },

		"integrations": func(v *yaml.Node) { integrations = v },
		"connections":  func(v *yaml.Node) { r.connections(v, &c.Connections) },
		"sinks":        func(v *yaml.Node) { r.sinks(v, &c.Sinks) },
	})
	base := Function{}
	if defaults != nil {
		r.mapping(defaults, "defaults", r.tunables(&base))
	}
	if functions != nil {
		r.functions(functions, base, c)
	}
	if integrations != nil {
		r.integrations(integrations, c)
	}
}

func (r *reader) executionLogs(n *yaml.Node, to *string) {
	if *to = engine.NoExecutionLogs; n.Kind == yaml.ScalarNode && n.Value == *to {
		return
	}
	r.path(n, to)
}

func (r *reader) limits(n *yaml.Node, set *limits.Set) {
	if n.Kind == yaml.ScalarNode {
		if n.Value != "aws" {
			r.problem(n, "limits is the word aws or a mapping of payload, definition, variables and history, not %q", n.Value)
			return
		}
		*set = limits.AWS
		return
	}
	const most = 1 << 30
	r.mapping(n, "limits", fields{
		"payload":    func(v *yaml.Node) { r.size(v, &set.PayloadBytes, 1<<10, most) },
		"definition": func(v *yaml.Node) { r.size(v, &set.DefinitionBytes, 1<<10, most) },
		"variables":  func(v *yaml.Node) { r.size(v, &set.VariableBytes, 1<<10, most) },
		"history": func(v *yaml.Node) {
			var events int
			if r.integer(v, &events, 10, 1<<40) {
				set.HistoryEvents = int64(events)
			}
		},
	})
}

func (r *reader) retain(n *yaml.Node, keep *map[machine.Status]time.Duration) {
	if *keep = map[machine.Status]time.Duration{}; n.Kind == yaml.ScalarNode {
		r.retention(n, *keep, machine.Succeeded, machine.Failed, machine.TimedOut, machine.Aborted)
		return
	}
	one := func(status machine.Status) func(*yaml.Node) {
		return func(v *yaml.Node) { r.retention(v, *keep, status) }
	}
	r.mapping(n, "retain", fields{
		"succeeded": one(machine.Succeeded), "failed": one(machine.Failed),
		"timed_out": one(machine.TimedOut), "aborted": one(machine.Aborted),
	})
}

func (r *reader) retention(n *yaml.Node, keep map[machine.Status]time.Duration, statuses ...machine.Status) {
	d, err := ParseRetention(n.Value)
	if n.Kind != yaml.ScalarNode {
		err = fmt.Errorf("this is a duration like 7d, or forever, not %s", kind(n))
	}
	if err != nil {
		r.problem(n, "retain: %v", err)
		return
	}
	for _, status := range statuses {
		keep[status] = d
	}
}

// functions reads the declarations, in the order of the file.
func (r *reader) functions(n *yaml.Node, base Function, c *Config) {
	r.each(n, "functions", func(key, v *yaml.Node) {
		if err := function.CheckName(key.Value); err != nil {
			r.problem(key, "function %q: %v", key.Value, err)
			return
		}
		f := base
		f.Name, f.Line, f.Env = key.Value, key.Line, nil
		if r.function(v, key, &f, base.Env) {
			c.Functions = append(c.Functions, f)
		}
	})
}
