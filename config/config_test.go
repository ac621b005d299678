package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// project makes a directory with files, by name; those ending in ".sh" can be executed.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"fn/count/main.go": "package main", "boot.sh": "", FileName: `
# comment
defaults: {timeout: 2m, env: {A: base, B: base}, idle: 1d, burst: 9}
functions:
  count:  {runtime: go, source: ./fn/count, concurrency: 3, queue: 5, concurrencyPerKey: 2, rate: 1.5/m, tenants: {gold: 3, 7: 2}}
  resize:
    runtime: python
    handler: sub/resize.handler
    timeout: 1h30m
    env: {B: own, N: 007, EMPTY: }
    memory: 512
    idempotent: true
  bill:   {runtime: command, command: [./bill.sh, --strict, 1], dir: fn}
  notify: {runtime: http, url: "http://127.0.0.1:9000/notify", headers: {X-Key: k}, rate: 100/s, burst: 7}
  legacy: {runtime: provided, binary: boot.sh, init: 500ms}
limits: {payload: 256KiB, history: 25_000}
retain: {succeeded: 7d, failed: 1d12h}
`})
	c, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	base := Function{Timeout: 2 * time.Minute, Concurrency: 8, Idle: 24 * time.Hour, Init: 10 * time.Second, Memory: 128, Env: map[string]string{"A": "base", "B": "base"}, Dir: dir}
	with := func(change func(*Function)) Function { f := base; change(&f); return f }
	want := &Config{
		Path: filepath.Join(dir, FileName), Dir: dir, Limits: limits.Default,
		Retain: map[machine.Status]time.Duration{machine.Succeeded: 7 * 24 * time.Hour, machine.Failed: 36 * time.Hour},
		Functions: []Function{
			with(func(f *Function) {
				f.Name, f.Line, f.Runtime, f.Source, f.Concurrency, f.Queue, f.Dir = "count", 5, Go, filepath.Join(dir, "fn/count"), 3, 5, ""
				f.PerKey, f.Rate, f.Burst, f.Tenants = 2, 0.025, 9, map[string]int{"gold": 3, "7": 2}
			}),
			with(func(f *Function) {
				f.Name, f.Line, f.Runtime, f.Handler, f.Timeout, f.Memory, f.Idempotent = "resize", 6, Python, "sub/resize.handler", 90*time.Minute, 512, true
				f.Env = map[string]string{"A": "base", "B": "own", "N": "007", "EMPTY": ""}
			}),
			with(func(f *Function) {
				f.Name, f.Line, f.Runtime, f.Command, f.Dir = "bill", 13, Command, []string{"./bill.sh", "--strict", "1"}, filepath.Join(dir, "fn")
			}),
			with(func(f *Function) {
				f.Name, f.Line, f.Runtime, f.URL, f.Concurrency = "notify", 14, HTTP, "http://127.0.0.1:9000/notify", 64
				f.Headers, f.Rate, f.Burst = map[string]string{"X-Key": "k"}, 100, 7
			}),
			with(func(f *Function) {
				f.Name, f.Line, f.Runtime, f.Binary, f.Init = "legacy", 15, Provided, filepath.Join(dir, "boot.sh"), 500*time.Millisecond
			}),
		},
	}
	want.Limits.PayloadBytes, want.Limits.HistoryEvents = 256<<10, 25_000
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	r, err := c.Registry(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info, ok := r.Lookup("resize"); !ok || !info.Idempotent || info.Timeout != 90*time.Minute || info.Concurrency != 8 || info.Runtime != "python" {
		t.Errorf("resize is %+v, %v", info, ok)
	}
	if info, _ := r.Lookup("count"); info.PerKey != 2 || info.Rate != 0.025 || info.Burst != 9 || info.Tenants["gold"] != 3 {
		t.Errorf("count is %+v", info)
	}
	if n := len(r.Functions()); n != 5 {
		t.Errorf("%d functions", n)
	}
}

// TestProblems holds every message: all problems of a file come at once, in order, with their places.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"many": {`
functoins: {}
functions:
  a: {runtime: pyhton, handler: a.b}
  b: {runtime: go}
  c: {runtime: python, handler: c.c, url: "http://x", timout: 3s}
  d: {handler: d.d}
  "e f": {runtime: http, url: "http://x"}
  g: {runtime: http, url: "x", timeout: soon, concurrency: 0, idempotent: yes}
  h: {runtime: command, command: "./h.sh"}
  i: [1]
  j: {runtime: node, handler: nodot, memory: 99999999}
  k: {runtime: go, source: ./absent}
  a: {runtime: http, url: "http://x"}
`, `f:2:1: weft.yaml has no key "functoins"; did you mean functions?
f:4:16: there is no runtime "pyhton"; did you mean python?; it is one of go, python, node, provided, command, http
f:5:3: function b: runtime go needs source
f:6:43: function c: url means nothing to runtime python; remove it
f:6:55: function c has no key "timout"; did you mean timeout?
f:7:3: function d: runtime is missing; it is one of go, python, node, provided, command, http
f:8:3: function "e f": a function's name is made of letters, digits, '-' and '_', not ' '
f:9:27: function g: the url "x" is not of the form http://host:port/path or https://…
f:9:41: "soon" is not a duration; write a number with a unit, like 500ms, 90s, 1h30m or 7d
f:9:60: this is a whole number from 1 to 10000, not "0"
f:9:75: this is true or false, not "yes"
f:10:34: this is a list with a program and its arguments, like [./bill.sh, --strict], not "./h.sh"
f:11:6: function i is a mapping (key: value), not a list
f:12:31: function j: the handler "nodot" is not file.function
f:12:46: this is a whole number from 1 to 1048576, not "99999999"
f:13:28: function k: source: stat DIR/absent: no such file or directory
f:14:3: functions: a is there twice, first on line 4`},
		"not yaml": {"functions:\n  a: {\n", "f:2:1: this is not YAML: did not find expected node content"},
		"a list":   {"- 1", "f:1:1: weft.yaml is a mapping (key: value), not a list"},
		"two":      {"functions: {}\n---\nx: 1\n", "f:2:1: there is a second document; one file has one"},
		"settings": {"limits: {payload: 5 apples, history: 1}\nretain: -1d\ndefaults: {handler: x}\n", `f:1:19: this is a size like 256KiB or 4MiB, not "5 apples"
f:1:38: this is a whole number from 10 to 1099511627776, not "1"
f:2:9: retain: "-1d" does not say how long to keep runs; write a duration like 12h or 7d, or forever
f:3:12: defaults has no key "handler"; it knows burst, concurrency, concurrencyPerKey, env, idle, init, memory, queue, rate, tenants, timeout`},
		"turns": {`defaults: {rate: 5, tenants: [a]}
functions:
  a: {runtime: http, url: "http://x", rate: 10 / s, concurrencyPerKey: 0, tenants: {gold: 1.5, silver: 1001}}
  b: {runtime: http, url: "http://x", rate: 0.5/h, burst: 3}
  c: {runtime: go, source: ., burst: 3, heartbeat: 10s}
  d: {runtime: http, url: "http://x", rate: 2000000/s, ratio: 3/s}
`, `f:1:18: this is a rate, a number with /s, /m or /h like 100/s or 10/m, not "5"
f:1:30: tenants is a mapping (key: value), not a list
f:3:45: this is a rate, a number with /s, /m or /h like 100/s or 10/m, not "10 / s"
f:3:72: this is a whole number from 1 to 10000, not "0"
f:3:91: this is a whole number from 1 to 1000, not "1.5"
f:3:104: this is a whole number from 1 to 1000, not "1001"
f:4:45: this is a rate from 1/h to 1000000/s, not 0.5/h
f:5:38: function c: burst says how far a rate may be passed for a moment; give a rate, or remove it
f:5:52: function c: a function of runtime go cannot send heartbeats; remove this, and bound its calls with timeout
f:6:45: this is a rate from 1/h to 1000000/s, not 2000000/s
f:6:56: function d has no key "ratio"; did you mean rate?`},
		"word": {"limits: azure", `f:1:9: limits is the word aws or a mapping of payload, definition, variables and history, not "azure"`},
		"env": {"functions: {a: {runtime: http, url: 'http://x', env: {A: 1}}, b: {runtime: command, command: [x], env: {A: [1], 'B=': c}}}", `f:1:54: function a: env means nothing to runtime http; remove it
f:1:108: env: A is a text, not a list
f:1:113: env: "B=" cannot be a name, or its value holds a zero byte`},
	} {
		dir := t.TempDir()
		_, err := Parse("f", dir, []byte(c.text))
		var p *Problems
		if !fault.Is(err, fault.InvalidArgument) || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := strings.ReplaceAll(c.want, "DIR", dir)
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(p.Error(), "\n")); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := Find(dir)
	if err != nil || len(c.Functions) != 0 || c.Limits != limits.Default || c.Path != "" {
		t.Errorf("no file: %+v %v", c, err)
	}
	if _, err := Load(filepath.Join(dir, FileName)); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("Load: %v", err)
	}
	if _, err := Load(dir); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("Load of a directory: %v", err)
	}
	for _, text := range []string{"", "# only this", "---\n", "functions:\n", "limits: aws"} {
		c, err := Parse("f", dir, []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if text == "limits: aws" && c.Limits != limits.AWS {
			t.Errorf("limits %+v", c.Limits)
		}
	}
}

func TestRegistryRuns(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"shout.sh": "#!/bin/sh\ntr a-z A-Z\n", FileName: "functions: {shout: {runtime: command, command: [./shout.sh]}}"})
	c, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Registry(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	res, err := r.Invoke(t.Context(), &function.Request{Function: "arn:aws:lambda:us-east-1:123456789012:function:shout", ID: "1", Input: []byte(`"hey"`)})
	if err != nil || string(res.Output) != `"HEY"` {
		t.Errorf("%v %v", res, err)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "500ms": 500 * time.Millisecond,
		"": -1, "7": -1, "d": -1, "-1s": -1, "1d-2h": -1, "1w": -1, "999999999d": -1,
	} {
		got, err := ParseDuration(in)
		if (want < 0) != (err != nil) || (err == nil && got != want) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("functions:\n  a: {runtime: go, source: .}\n")
	f.Add("a: &a [*a]\nfunctions: *a")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", t.TempDir(), []byte(text))
		var p *Problems
		if (err == nil) != (c != nil) || (err != nil && (!errors.As(err, &p) || len(p.List) == 0)) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestRetain(t *testing.T) {
	t.Parallel()
	week := 7 * 24 * time.Hour
	all := func(d time.Duration) map[machine.Status]time.Duration {
		return map[machine.Status]time.Duration{machine.Succeeded: d, machine.Failed: d, machine.TimedOut: d, machine.Aborted: d}
	}
	for text, want := range map[string]map[machine.Status]time.Duration{
		"functions: {}":   nil, // the engine's default
		"retain: 7d":      all(week),
		"retain: 0":       all(0),
		"retain: 0s":      all(0),
		"retain: forever": all(0),
		"retain: {}":      {},
		"retain: {failed: forever, timed_out: 0, aborted: 1d12h}": {machine.Failed: 0, machine.TimedOut: 0, machine.Aborted: 36 * time.Hour},
	} {
		c, err := Parse("f", t.TempDir(), []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, c.Retain); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for _, text := range []string{"retain: never", "retain: ~", "retain: 1ms", "retain: 36501d", "retain: -1h", "retain: [7d]", "retain: {failed: {}}", "retain: {running: 1d}"} {
		_, err := Parse("f", t.TempDir(), []byte(text))
		if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "f:1:") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
