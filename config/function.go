package config

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/engine/function"
)

// longest bounds a time-out.
const longest = 24 * time.Hour

// tunables are the keys that defaults may have too.
func (r *reader) tunables(f *Function) fields {
	return fields{
		"timeout":           func(v *yaml.Node) { r.duration(v, &f.Timeout, time.Millisecond, longest) },
		"concurrency":       func(v *yaml.Node) { r.integer(v, &f.Concurrency, 1, 10_000) },
		"concurrencyPerKey": func(v *yaml.Node) { r.integer(v, &f.PerKey, 1, 10_000) },
		"rate":              func(v *yaml.Node) { r.rate(v, &f.Rate) },
		"burst":             func(v *yaml.Node) { r.integer(v, &f.Burst, 1, function.BurstMost) },
		"tenants":           func(v *yaml.Node) { r.weights(v, &f.Tenants) },
		"queue":             func(v *yaml.Node) { r.integer(v, &f.Queue, 1, 10_000_000) },
		"env":               func(v *yaml.Node) { r.texts(v, "env", &f.Env) },
		"idle":              func(v *yaml.Node) { r.duration(v, &f.Idle, time.Millisecond, 365*24*time.Hour) },
		"init":              func(v *yaml.Node) { r.duration(v, &f.Init, time.Millisecond, longest) },
		"memory":            func(v *yaml.Node) { r.integer(v, &f.Memory, 1, 1<<20) },
	}
}

// needs names the key that a runtime cannot do without.
var needs = map[Runtime]string{
	Go: "source", Python: "handler", Node: "handler", Provided: "binary", Command: "command", HTTP: "url",
}

// uses are the keys that mean something to a runtime, beside those that mean something to all.
var uses = map[Runtime][]string{
	Go:       {"source", "dir", "env", "idle", "init", "memory"},
	Python:   {"handler", "dir", "env", "idle", "init", "memory"},
	Node:     {"handler", "dir", "env", "idle", "init", "memory"},
	Provided: {"binary", "dir", "env", "idle", "init", "memory"},
	Command:  {"command", "dir", "env"},
	HTTP:     {"url", "headers"},
}

var always = []string{
	"runtime", "timeout", "concurrency", "concurrencyPerKey", "rate", "burst", "tenants", "queue", "idempotent",
}

// function reads one declaration into f, which holds the defaults. It reports whether it is right.
func (r *reader) function(n, key *yaml.Node, f *Function, env map[string]string) bool {
	before := len(r.problems)
	given := map[string]*yaml.Node{}
	keys := fields{
		"runtime":    func(v *yaml.Node) { r.runtime(v, &f.Runtime) },
		"source":     func(v *yaml.Node) { r.path(v, &f.Source) },
		"handler":    func(v *yaml.Node) { r.text(v, &f.Handler) },
		"binary":     func(v *yaml.Node) { r.path(v, &f.Binary) },
		"command":    func(v *yaml.Node) { r.list(v, &f.Command) },
		"url":        func(v *yaml.Node) { r.text(v, &f.URL) },
		"headers":    func(v *yaml.Node) { r.texts(v, "headers", &f.Headers) },
		"dir":        func(v *yaml.Node) { r.path(v, &f.Dir) },
		"idempotent": func(v *yaml.Node) { r.boolean(v, &f.Idempotent) },
		"heartbeat":  func(*yaml.Node) {}, // see suits
	}
	maps.Copy(keys, r.tunables(f))
	for name, read := range keys {
		keys[name] = func(v *yaml.Node) { given[name] = v; read(v) }
	}
	if !r.mapping(n, "function "+f.Name, keys) {
		return false
	}
	if given["runtime"] == nil {
		r.problem(key, "function %s: runtime is missing; it is one of %s", f.Name, runtimes())
	} else if f.Runtime != "" {
		r.suits(key, f, given)
	}
	if len(r.problems) > before {
		return false
	}
	f.Env = merge(env, f.Env)
	f.complete(r.dir)
	return true
}

func merge(base, own map[string]string) map[string]string {
	all := maps.Clone(base)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, own)
	return all
}

func runtimes() string { return "go, python, node, provided, command, http" }

func (r *reader) runtime(n *yaml.Node, to *Runtime) {
	var s string
	if !r.text(n, &s) {
		return
	}
	if _, ok := needs[Runtime(s)]; !ok {
		r.problem(n, "there is no runtime %q%s; it is one of %s", s, suggest(s, slices.Collect(maps.Keys(names()))), runtimes())
		return
	}
	*to = Runtime(s)
}

func names() map[string]bool {
	all := map[string]bool{}
	for n := range needs {
		all[string(n)] = true
	}
	return all
}

// suits checks that the keys given are those that the runtime needs and uses, and that they make sense.
func (r *reader) suits(key *yaml.Node, f *Function, given map[string]*yaml.Node) {
	need := needs[f.Runtime]
	if given[need] == nil {
		r.problem(key, "function %s: runtime %s needs %s", f.Name, f.Runtime, need)
	}
	allowed := append(slices.Clone(always), uses[f.Runtime]...)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name == "heartbeat" {
			r.problem(given[name], "function %s: a function of runtime %s cannot send heartbeats; remove this, and bound its calls with timeout", f.Name, f.Runtime)
		} else if !slices.Contains(allowed, name) {
			r.problem(given[name], "function %s: %s means nothing to runtime %s; remove it", f.Name, name, f.Runtime)
		}
	}
	if v := given["handler"]; v != nil && f.Handler != "" && !goodHandler(f.Handler) {
		r.problem(v, "function %s: the handler %q is not file.function", f.Name, f.Handler)
	}
	if v := given["url"]; v != nil && f.URL != "" {
		if !isURL(f.URL) {
			r.problem(v, "function %s: the url %q is not of the form http://host:port/path or https://…", f.Name, f.URL)
		}
	}
	if v := given["burst"]; v != nil && f.Rate == 0 && given["rate"] == nil {
		r.problem(v, "function %s: burst says how far a rate may be passed for a moment; give a rate, or remove it", f.Name)
	}
	r.exists(given, f)
}

func goodHandler(s string) bool {
	file, name, found := strings.Cut(filepath.Base(s), ".")
	return found && file != "" && name != "" && !strings.HasSuffix(name, ".")
}

// exists checks that what the paths name is there.
func (r *reader) exists(given map[string]*yaml.Node, f *Function) {
	for name, path := range map[string]string{"source": f.Source, "binary": f.Binary, "dir": f.Dir} {
		v := given[name]
		if v == nil || path == "" {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			r.problem(v, "function %s: %s: %v", f.Name, name, err)
		case name == "binary" && (info.IsDir() || info.Mode()&0o111 == 0):
			r.problem(v, "function %s: binary %s cannot be executed; chmod +x it if it is a program", f.Name, v.Value)
		case name == "dir" && !info.IsDir():
			r.problem(v, "function %s: dir %s is not a directory", f.Name, v.Value)
		}
	}
}

// complete fills in the defaults of the runtime.
func (f *Function) complete(dir string) {
	if f.Dir == "" && f.Runtime != Go { // lambdaruntime.GoBuild knows the source's directory
		f.Dir = dir
	}
	concurrency := DefaultConcurrency
	if f.Runtime == HTTP {
		concurrency = DefaultHTTPConcurrency
	}
	if f.Rate == 0 {
		f.Burst = 0 // of the defaults
	}
	f.Timeout = orDefault(f.Timeout, DefaultTimeout)
	f.Concurrency = orDefault(f.Concurrency, concurrency)
	f.Idle = orDefault(f.Idle, DefaultIdle)
	f.Init = orDefault(f.Init, DefaultInit)
	f.Memory = orDefault(f.Memory, DefaultMemory)
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// isURL reports whether text is an absolute http or https URL.
func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
