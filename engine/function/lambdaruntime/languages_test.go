package lambdaruntime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// need skips a test whose tool is missing, and fails it where CI must have everything.
func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on the PATH", tool)
		}
		t.Skipf("%s is not on the PATH; install it to run this test", tool)
	}
}

// buildDir holds the binaries of this run's tests, so that they are built once.
var buildDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "weft-test-build-") })

func goFunction(t testing.TB, source string, change ...func(*Config)) *Pool {
	t.Helper()
	need(t, "go")
	dir, err := buildDir()
	if err != nil {
		t.Fatal(err)
	}
	launch := &GoBuild{Source: filepath.Join("testdata", source), Name: source, BuildDir: dir}
	return languagePool(t, launch, change...)
}

func languagePool(t testing.TB, launch Launcher, change ...func(*Config)) *Pool {
	t.Helper()
	cfg := Config{
		Name: "fn", Launch: launch, Processes: 1, Log: slog.New(slog.DiscardHandler), Memory: 256,
		Env: []string{"EXTRA=more", "PYTHONDONTWRITEBYTECODE=1"}, Init: time.Minute,
	}
	for _, f := range change {
		f(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func with(input string) func(*function.Request) {
	return func(r *function.Request) {
		r.Input, r.Run, r.Attempt, r.Key = []byte(input), "run-7", 2, "key-9"
	}
}

func members(t testing.TB, res *function.Result, e *function.Error) map[string]any {
	t.Helper()
	if e != nil {
		t.Fatalf("%s: %s\n%s", e.Type, e.Cause, e.LogTail)
	}
	var m map[string]any
	if err := json.Unmarshal(res.Output, &m); err != nil {
		t.Fatalf("%s: %v", res.Output, err)
	}
	return m
}

func TestUnmodifiedGoBinary(t *testing.T) {
	t.Parallel()
	p := goFunction(t, "echo")
	_, res, e := ask(t, p, "", with(`{"Do":"add","N":1}`))
	first := members(t, res, e)
	if first["n"] != 2.0 || res.LogTail != "doing add 1\n" {
		t.Errorf("%v, log %q", first, res.LogTail)
	}
	id, res, e := ask(t, p, "", with(`{"Do":"context"}`))
	want := map[string]any{
		"id": id, "arn": DefaultARNPrefix + "fn", "name": "fn", "memory": 256.0, "version": "$LATEST", "left_s": 60.0, "extra": "more", "tz": "UTC",
		"custom": map[string]any{"weft_run": "run-7", "weft_attempt": "2", "weft_key": "key-9"},
	}
	if got := members(t, res, e); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("context %v, want %v", got, want)
	}
	_, _, e = ask(t, p, "", with(`{"Do":"fail"}`))
	if e == nil || e.Type != "cardRefused" || e.Cause != `{"errorMessage":"no money","errorType":"cardRefused"}` {
		t.Errorf("fail: %+v", e)
	}
	_, res, e = ask(t, p, "", with(`{"Do":"add"}`))
	if again := members(t, res, e); again["pid"] != first["pid"] {
		t.Errorf("not warm: %v, then %v", first, again)
	}
	_, _, e = ask(t, p, "", with(`{"Do":"panic"}`))
	if e == nil || e.Type != "errorString" || !strings.Contains(e.Cause, `"stackTrace":[{`) {
		t.Errorf("panic: %+v", e)
	}
	_, _, e = ask(t, p, "", with(`{"Do":"sleep"}`), func(r *function.Request) { r.Timeout = 300 * time.Millisecond })
	if e == nil || e.Type != "Sandbox.Timedout" {
		t.Errorf("sleep: %+v", e)
	}
	_, res, e = ask(t, p, "", with(`{"Do":"add","N":5}`))
	if last := members(t, res, e); last["n"] != 6.0 {
		t.Errorf("in the end %v", last)
	}
}

func TestGoBinaryHearsOfItsEnd(t *testing.T) {
	t.Parallel()
	note := filepath.Join(t.TempDir(), "note")
	p := goFunction(t, "echo", func(c *Config) { c.Env = append(c.Env, "WANTS_SIGTERM="+note) })
	_, res, e := ask(t, p, "", with(`{"Do":"add"}`))
	members(t, res, e)
	// The process asks for work again before it is idle; only an idle process is asked to end politely.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		idle := len(p.idle)
		p.mu.Unlock()
		if idle == 1 || time.Now().After(end) {
			break
		}
	}
	_ = p.Close()
	if text, err := os.ReadFile(note); err != nil || string(text) != "bye" {
		t.Errorf("SIGTERM was not heard: %q %v", text, err)
	}
}

func TestGoBuild(t *testing.T) {
	t.Parallel()
	need(t, "go")
	for source, want := range map[string]string{
		"broken": "undefined: undefinedThing", "library": "not main", "absent": "go build testdata/absent",
	} {
		p := goFunction(t, source)
		_, _, e := ask(t, p, "", with(`{}`))
		if e == nil || e.Type != "Weft.BuildFailed" || !e.StartFailed || !strings.Contains(e.Cause, want) {
			t.Errorf("%s: %+v", source, e)
		}
	}
	dir := t.TempDir()
	var mu sync.Mutex
	var heard []bool
	b := &GoBuild{Source: "testdata/echo/main.go", Name: "echo", BuildDir: dir, Progress: func(_ string, _ time.Duration, done bool) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, done)
	}}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := b.Build(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if fmt.Sprint(heard) != "[false true]" {
		t.Errorf("progress %v: it was not built once", heard)
	}
}

// A binary is linked once while its source stays as it is, and a new one never touches the old one's bytes.
func TestGoBuildLinksOnlyWhatHasChanged(t *testing.T) {
	t.Parallel()
	need(t, "go")
	dir, source := t.TempDir(), t.TempDir()
	write := func(body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := func() (string, os.FileInfo, error) { // as a process of its own does
		g := &GoBuild{Source: filepath.Join(source, "main.go"), Name: "f", BuildDir: dir}
		path, err := g.Build(t.Context())
		info, _ := os.Stat(path)
		return path, info, err
	}
	write("package main\n\nfunc main() { println(1) }\n")
	path, first, err := build()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept")
	if err := os.Link(path, kept); err != nil {
		t.Skip("the file system has no hard links: every build links")
	}
	before, _ := os.ReadFile(kept)
	if _, second, err := build(); err != nil || !os.SameFile(first, second) {
		t.Errorf("nothing has changed, but it was linked again (%v)", err)
	}
	write("package main\n\nfunc main() { println(2) }\n")
	if _, third, err := build(); err != nil || os.SameFile(first, third) {
		t.Errorf("the source has changed, but it was not linked again (%v)", err)
	}
	if after, _ := os.ReadFile(kept); !bytes.Equal(before, after) {
		t.Error("a new build wrote into the old binary")
	}
	write("package main\n\nfunc main() { undefinedThing() }\n")
	if _, _, err := build(); err == nil || !strings.Contains(err.Error(), "undefinedThing") {
		t.Errorf("a broken source: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPrepareStartsNothing(t *testing.T) {
	t.Parallel()
	need(t, "go")
	p := goFunction(t, "broken")
	var e *function.Error
	if err := p.Prepare(t.Context()); !errors.As(err, &e) || e.Type != "Weft.BuildFailed" || !strings.Contains(e.Cause, "undefinedThing") {
		t.Errorf("a broken function: %v", err)
	}
	p = goFunction(t, "echo")
	if err := p.Prepare(t.Context()); err != nil {
		t.Error(err)
	}
	var s function.Stats
	if p.AddStats(&s); s.Starts != 0 {
		t.Errorf("%d processes were started", s.Starts)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func python(t testing.TB, handler string) *Pool {
	need(t, "python3")
	dir, err := filepath.Abs("testdata/handlers")
	if err != nil {
		t.Fatal(err)
	}
	return languagePool(t, Python(dir, handler))
}

func node(t testing.TB, handler string) *Pool {
	need(t, "node")
	dir, err := filepath.Abs("testdata/handlers")
	if err != nil {
		t.Fatal(err)
	}
	return languagePool(t, Node(dir, handler))
}

func TestPython(t *testing.T) {
	t.Parallel()
	dir, _ := filepath.Abs("testdata/handlers")
	p := python(t, "good.handler")
	_, res, e := ask(t, p, "", with(`{"a":[1,2.5,"ü",null,true]}`))
	if members(t, res, e); string(res.Output) != `{"a":[1,2.5,"ü",null,true]}` || !strings.Contains(res.LogTail, "seen ") {
		t.Errorf("%s, log %q", res.Output, res.LogTail)
	}
	id, res, e := ask(t, python(t, "good.about"), "", with(`{}`))
	got := members(t, res, e)
	if got["id"] != id || got["name"] != "fn" || got["left"] != true || got["memory"] != "256" || got["extra"] != "more" ||
		fmt.Sprint(got["custom"]) != "map[weft_attempt:2 weft_key:key-9 weft_run:run-7]" || !strings.Contains(res.LogTail, id+"\tcareful") {
		t.Errorf("%v, log %q", got, res.LogTail)
	}
	cases := []struct{ handler, errorType, cause string }{
		{"good.fail", "Exception", `{"errorMessage": "Some exception was raised.", "errorType": "Exception", "requestId": "ID", "stackTrace": ["  File \"DIR/good.py\", line 26, in fail\n    raise Exception(\"Some exception was raised.\")\n"]}`},
		{"good.nested", "CustomException", ""},
		{"good.unserialisable", "Runtime.MarshalError", `{"errorMessage": "Unable to marshal response: Object of type object is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "ID", "stackTrace": []}`},
		{"good.nan", "Runtime.InvalidJSON", ""},
		{"good.leave", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 3"}`},
		{"good.polite", "Runtime.ExitError", ""},
		{"good.absent", "Runtime.HandlerNotFound", `{"errorMessage": "Handler 'absent' missing on module 'good'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}`},
		{"imports.handler", "Runtime.ImportModuleError", `{"errorMessage": "Unable to import module 'imports': No module named 'no_such_module'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`},
		{"syntax.handler", "Runtime.UserCodeSyntaxError", ""},
		{"raises.handler", "ValueError", `{"errorMessage": "bad start", "errorType": "ValueError", "requestId": "", "stackTrace": ["  File \"DIR/raises.py\", line 1, in <module>\n    raise ValueError(\"bad start\")\n"]}`},
		{"nodot", "Runtime.MalformedHandlerName", ""},
	}
	for _, c := range cases {
		id, _, e := ask(t, python(t, c.handler), "", with(`{}`))
		want := strings.NewReplacer("ID", id, "DIR", dir).Replace(c.cause)
		if e == nil || e.Type != c.errorType || (c.cause != "" && e.Cause != want) {
			t.Errorf("%s: %+v", c.handler, e)
		}
	}
	for handler, want := range map[string]string{"good.raw": `"HelloWorld!"`, "good.text": `"grüße 😀 {'a': 1}"`, "sub/mod.handler": `"sub"`} {
		_, res, e := ask(t, python(t, handler), "", with(`{"a":1}`))
		if e != nil || string(res.Output) != want {
			t.Errorf("%s: %v %v", handler, res, e)
		}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	for handler, want := range map[string]string{
		"good.handler": `{"a":["ü",1]}`, "good.callback": `{"got":{"a":["ü",1]}}`, "good.nothing": "null", "good.silent": "null",
		"good.deep.er.handler": `"deep"`, "module.handler": `{"base":"b","event":{"a":["ü",1]}}`,
	} {
		p := node(t, handler)
		for range 2 {
			_, res, e := ask(t, p, "", with(`{"a":["ü",1]}`))
			if e != nil || string(res.Output) != want {
				t.Errorf("%s: %v %v", handler, res, e)
			}
		}
	}
	id, res, e := ask(t, node(t, "good.about"), "", with(`{}`))
	got := members(t, res, e)
	if got["id"] != id || got["name"] != "fn" || got["left"] != true || got["extra"] != "more" ||
		fmt.Sprint(got["custom"]) != "map[weft_attempt:2 weft_key:key-9 weft_run:run-7]" {
		t.Errorf("%v", got)
	}
	cases := []struct{ handler, errorType, message string }{
		{"good.fail", "CardRefused", "no money"},
		{"good.callbackFails", "CardRefused", "no money"},
		{"good.throwsText", "string", "just text"},
		{"good.circular", "Runtime.MarshalError", "Unable to stringify response body"},
		{"good.unhandled", "Runtime.UnhandledPromiseRejection", "CardRefused: lost"},
		{"good.uncaught", "CardRefused", "late"},
		{"good.leave", "Runtime.ExitError", "exit status 4"},
		{"good.absent", "Runtime.HandlerNotFound", "good.absent is undefined or not exported"},
		{"nofile.handler", "Runtime.ImportModuleError", "Cannot find module 'nofile'"},
		{"imports.handler", "Runtime.ImportModuleError", "Cannot find module 'no-such-module'"},
		{"syntax.handler", "Runtime.UserCodeSyntaxError", "SyntaxError"},
		{"raises.handler", "TypeError", "bad start"},
	}
	for _, c := range cases {
		_, _, e := ask(t, node(t, c.handler), "", with(`{}`))
		var doc struct{ ErrorType, ErrorMessage string }
		if e == nil || json.Unmarshal([]byte(e.Cause), &doc) != nil || e.Type != c.errorType || doc.ErrorType != c.errorType || !strings.Contains(doc.ErrorMessage, c.message) {
			t.Errorf("%s: %+v", c.handler, e)
		}
	}
}

func TestMissingInterpreter(t *testing.T) {
	t.Setenv("WEFT_PYTHON", "no-such-python")
	p := languagePool(t, Python(t.TempDir(), "a.b"))
	_, _, e := ask(t, p, "", with(`{}`))
	if e == nil || e.Type != "Runtime.InvalidEntrypoint" || !strings.Contains(e.Cause, "WEFT_PYTHON") {
		t.Errorf("%+v", e)
	}
}

func benchmarkCalls(b *testing.B, p *Pool) {
	ask(b, p, "", with(`{"N":1}`))
	b.ReportAllocs()
	for b.Loop() {
		_, err := p.Invoke(b.Context(), &function.Request{ID: "bench", Input: []byte(`{"N":1}`), Timeout: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWarm(b *testing.B) {
	b.Run("go", func(b *testing.B) { benchmarkCalls(b, goFunction(b, "echo")) })
	b.Run("python", func(b *testing.B) { benchmarkCalls(b, python(b, "good.handler")) })
	b.Run("node", func(b *testing.B) { benchmarkCalls(b, node(b, "good.handler")) })
}
