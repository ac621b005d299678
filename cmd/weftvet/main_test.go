package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGoVet builds the command and runs it as users do, by go vet and by itself, on the module of the analyzer's tests. The
// facts about packages that are not named must arrive. Nothing is downloaded: what that module requires is beside it.
func TestGoVet(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the go command is not in PATH")
		}
		t.Skip("the go command is not in PATH: install Go, https://go.dev/dl")
	}
	bin := filepath.Join(t.TempDir(), "weftvet")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const found = "facts.go:13:7: helper.Stamp → helper.now → time.Now reads the machine's clock, which shows another time at a replay; use w.Now()"
	for _, c := range [][]string{
		{"go", "vet", "-vettool=" + bin, "./facts"},
		{bin, "./facts"},
	} {
		run := exec.Command(c[0], c[1:]...)
		run.Dir = "../../analysis/determinism/testdata"
		run.Env = append(run.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
		out, err := run.CombinedOutput()
		if err == nil || !strings.Contains(string(out), found) || !strings.Contains(string(out), "lib.Token → rand.Int") {
			t.Errorf("%v: %v\n%s\nwant exit status other than 0 and %q", run.Args, err, out, found)
		}
		if strings.Contains(string(out), "helper.go") {
			t.Errorf("%v reports a package that is not named:\n%s", run.Args, out)
		}
	}
}
