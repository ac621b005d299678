package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	dir, _ := pair(t)
	out := filepath.Join(t.TempDir(), "build")
	code, stdout, stderr := weft("compile", dir, "-o", out)
	if code != ExitOK || !strings.Contains(stdout, "(start)") || !strings.Contains(stderr, "wrote 8 files") {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	for _, name := range []string{"app.yaml", "machine.asl.json", "One.weft.yaml", "Join.weft.yaml", "app.svg", "app.dot"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was written is read again, and a function that is gone goes.
	stale := filepath.Join(out, "Gone.weft.yaml")
	if err := os.WriteFile(stale, []byte("name: Gone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := weft("compile", dir, "-o", out); code != ExitOK {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("a function that is gone has a file")
	}
	code, stdout, stderr = weft("compile", out, "--json")
	var got struct {
		Name      string
		Functions []compiledFunction
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != ExitOK {
		t.Fatalf("exit %d, %v, %s%s", code, err, stdout, stderr)
	}
	var names []string
	for _, f := range got.Functions {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"Glue", "One", "Two", "Join"}) {
		t.Errorf("the functions are %v", names)
	}
}

func TestCompileTranslatesUnum(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"unum-template.yaml":       "Globals: {ApplicationName: iot}\nFunctions:\n  Agg: {Properties: {CodeUri: agg, Start: true}}\n  Hvac: {Properties: {CodeUri: hvac}}\n",
		"agg/unum_config.json":     `{"Name": "Agg", "Start": true, "Checkpoint": true, "Next": {"Name": "Hvac", "InputType": "Scalar"}}`,
		"hvac/unum_config.json":    `{"Name": "Hvac", "Checkpoint": true}`,
		"hvac/package.json":        `{}`,
		"unum-step-functions.json": `{}`,
	})
	code, stdout, stderr := weft("compile", dir, "--from-unum", "--json")
	if code != ExitOK || !strings.Contains(stdout, `"iot"`) || !strings.Contains(stdout, "invoke: Hvac") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"activity.asl.json": `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:x", "End": true}}}`,
		"bad/app.yaml":      "version: 1\nname: bad\nfunctions:\n- {name: a, start: true, next: {invoke: b}}\n",
		"worse/app.yaml":    "version: 1\nname: 7\n",
	})
	for path, says := range map[string]string{
		"activity.asl.json": "activity", "bad": `"b"`, "worse": "a name is a letter", "missing": "missing",
	} {
		code, _, stderr := weft("compile", filepath.Join(dir, path))
		if code != ExitUsage && code != ExitNotFound || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit %d, %s", path, code, stderr)
		}
	}
}
