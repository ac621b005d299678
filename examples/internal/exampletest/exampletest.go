// Package exampletest runs the examples as a stranger would: it builds the weft command and calls it on an
// example's directory, with real runtimes behind it.
package exampletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// Need returns the path of a tool. Without the tool the test is skipped, saying what to install; under CI=true,
// where everything must run, it fails.
func Need(t testing.TB, tool, install string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: install %s", tool, install)
	}
	t.Skipf("no %s: install %s to run this test", tool, install)
	return ""
}

// Dir returns the absolute path of the directory examples, with more elements joined to it.
func Dir(elem ...string) string {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		panic("exampletest: no caller information")
	}
	return filepath.Join(append([]string{filepath.Dir(here), "..", ".."}, elem...)...)
}

// Weft returns the path of the weft command, built from this checkout once per test process into dir, which
// TestMain makes and removes (see Main).
func Weft(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	binDir string // set by Main
	build  = sync.OnceValues(func() (string, error) {
		if binDir == "" {
			return "", errors.New("exampletest: call Main from TestMain")
		}
		path := filepath.Join(binDir, "weft")
		cmd := exec.Command("go", "build", "-o", path, "./cmd/weft")
		cmd.Dir = Dir("..")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", errors.New("go build ./cmd/weft: " + err.Error() + "\n" + string(out))
		}
		return path, nil
	})
)

// Main is the body of a TestMain: it gives Weft a directory and removes it after the tests.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weft-example-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binDir = dir
	return m.Run()
}

// Outcome is what a call of weft left.
type Outcome struct {
	Code   int
	Stdout []byte
	Stderr string
}

// Run calls weft with args and waits for it, whatever its exit code. env adds to the environment ("K=V").
func Run(t testing.TB, env []string, args ...string) Outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Weft(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("weft %q: %v", args, err)
	}
	return Outcome{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.Bytes(), Stderr: stderr.String()}
}

// Result calls weft run DIR with input and decodes the run's result into v. The run must succeed.
func Result(t testing.TB, env []string, dir, input string, v any) {
	t.Helper()
	got := Run(t, env, "run", dir, "--input", input)
	if got.Code != 0 {
		t.Fatalf("weft run %s: exit code %d\n%s", dir, got.Code, got.Stderr)
	}
	if err := json.Unmarshal(got.Stdout, v); err != nil {
		t.Fatalf("weft run %s: result: %v\n%s", dir, err, got.Stdout)
	}
}

// Deployed deploys an example to this machine, so that no orchestrator runs it, starts a run there and waits for it. path is what
// weft deploy takes.
func Deployed(t testing.TB, env []string, path, run, input string) Outcome {
	t.Helper()
	state := t.TempDir()
	if got := Run(t, env, "deploy", path, "--to", "local", "--name", "example", "--state", state, "--quiet"); got.Code != 0 {
		t.Fatalf("weft deploy %s: exit code %d\n%s", path, got.Code, got.Stderr)
	}
	return Run(t, env, "runs", "start", "--on", "example", "--state", state, "--name", run, "--input", input)
}
