package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pair is a machine with two branches and a state after them, whose function gives its input back.
func pair(t *testing.T) (dir, state string) {
	t.Helper()
	dir = files(t, map[string]string{
		"machine.asl.json": `{"StartAt": "Both", "States": {
			"Both": {"Type": "Parallel", "Next": "Join", "Branches": [
				{"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "echo", "End": true}}},
				{"StartAt": "Two", "States": {"Two": {"Type": "Task", "Resource": "echo", "End": true}}}]},
			"Join": {"Type": "Task", "Resource": "echo", "End": true}}}`,
		"weft.yaml":  "functions:\n  echo: {runtime: command, command: [cat]}\n",
		"input.json": `{"n": 1}`,
	})
	return dir, filepath.Join(t.TempDir(), ".weft")
}

func TestDeployLocalAndRun(t *testing.T) {
	t.Parallel()
	dir, state := pair(t)
	code, stdout, stderr := weft("deploy", dir, "--to", "local", "--name", "pair", "--state", state, "--run")
	if code != ExitOK || strings.TrimSpace(stdout) != `[{"n":1},{"n":1}]` {
		t.Fatalf("exit %d, %s\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"+ appeared", "opens 2 lines", "has ended: 2 of 2", "- vanished  /1.0", "- vanished  /1.1", "= ended     (run)",
		"SUCCEEDED", "left of its records: the result alone", "together", "Step Functions, Standard", "6 transitions"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	code, stdout, stderr = weft("deploy", dir, "--to", "local", "--name", "pair", "--state", state, "--run", "--json", "--quiet", "--input", "7")
	var got struct {
		Status string
		Output json.RawMessage
		Cost   struct {
			Dollars float64 `json:"dollars_million"`
			Usage   struct{ Transitions int64 }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != ExitOK || stderr != "" {
		t.Fatalf("exit %d, %v, %s\n%s", code, err, stdout, stderr)
	}
	if got.Status != "SUCCEEDED" || string(got.Output) != "[7,7]" || got.Cost.Dollars == 0 || got.Cost.Usage.Transitions != 6 {
		t.Errorf("%+v", got)
	}
}

func TestDeployPlansAndDestroys(t *testing.T) {
	t.Parallel()
	dir, state := pair(t)
	deploy := func(more ...string) (int, string, string) {
		return weft(append([]string{"deploy", dir, "--to", "local", "--name", "pair", "--state", state}, more...)...)
	}
	if code, stdout, stderr := deploy("--dry-run"); code != ExitOK || !strings.Contains(stdout, "2 to create, 0 to update") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Error("a dry run has made files")
	}
	if code, _, stderr := deploy(); code != ExitOK {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if code, stdout, _ := deploy("--dry-run"); code != ExitOK || !strings.Contains(stdout, "0 to create, 0 to update, 0 to delete, 2 as they are") {
		t.Errorf("exit %d, %s", code, stdout)
	}
	for _, ref := range []string{"nobody", "aws"} {
		if code, _, stderr := weft("destroy", ref, "--state", state); code != ExitNotFound || !strings.Contains(stderr, "local/pair") {
			t.Errorf("destroy %s: exit %d, %s", ref, code, stderr)
		}
	}
	if code, stdout, _ := weft("destroy", "pair", "--state", state, "--dry-run", "--json"); code != ExitOK || strings.Count(stdout, `"delete"`) != 2 {
		t.Errorf("exit %d, %s", code, stdout)
	}
	if code, _, stderr := weft("destroy", "local", "--state", state); code != ExitOK || !strings.Contains(stderr, "destroyed local/pair") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	left, err := filepath.Glob(filepath.Join(state, "deployments", "local", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	dir, state := pair(t)
	edit(t, filepath.Join(dir, "weft.yaml"), "echo:", "other:")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no target":              {[]string{dir}, ExitUsage, "--to is missing"},
		"an unknown target":      {[]string{dir, "--to", "azure"}, ExitUsage, "local, aws or gcp"},
		"to run on AWS":          {[]string{dir, "--to", "aws", "--run"}, ExitUsage, "weft runs start --on aws"},
		"an undeclared function": {[]string{dir, "--to", "local", "--run"}, ExitUsage, `function "echo"`},
		"a bad name":             {[]string{dir, "--to", "local", "--name", "No"}, ExitUsage, "is no name of a deployment"},
		"unknown prices":         {[]string{dir, "--to", "local", "--run", "--prices", "aws mars"}, ExitNotFound, "us-west-1"},
		"nothing there":          {[]string{filepath.Join(dir, "missing"), "--to", "local"}, ExitNotFound, "missing"},
		"no project":             {[]string{dir, "--to", "gcp"}, ExitUsage, "GOOGLE_CLOUD_PROJECT"},
		"a tool of AWS's":        {[]string{dir, "--to", "gcp", "--export", "sam"}, ExitUsage, "--export terraform"},
		"a template of nothing":  {[]string{dir, "--to", "local", "--export", "sam"}, ExitUsage, "--to aws and --to gcp"},
		"an unknown tool":        {[]string{dir, "--to", "aws", "--export", "pulumi"}, ExitUsage, "sam or terraform"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := weft(append([]string{"deploy", "--state", state}, c.args...)...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d, want %d; %s", code, c.code, stderr)
			}
		})
	}
}

// TestRunsOnADeployment starts, shows, stops and counts runs of a deployment that is served.
func TestRunsOnADeployment(t *testing.T) {
	t.Parallel()
	dir, state := pair(t)
	w := newWorld()
	served := make(chan int, 1)
	go func() {
		served <- Main([]string{"deploy", dir, "--to", "local", "--name", "pair", "--state", state, "--serve"}, w.IO)
	}()
	w.err.waitFor(t, `serving local/pair at (http://\S+)`)
	runs := func(want int, args ...string) string {
		t.Helper()
		code, stdout, stderr := weft(append([]string{"runs"}, append(args, "--on", "local", "--state", state)...)...)
		if code != want {
			t.Errorf("runs %v: exit %d, %s%s", args, code, stdout, stderr)
		}
		return stdout + stderr
	}
	w.err.waitFor(t, `start runs with`)
	if got := strings.TrimSpace(runs(ExitOK, "start", "--name", "run-1", "--input", "5")); got != "run-1" {
		t.Errorf("started %q", got)
	}
	if got := strings.TrimSpace(runs(ExitOK, "wait", "run-1")); got != "[5,5]" {
		t.Errorf("the result is %q", got)
	}
	runs(ExitConflict, "start", "--name", "run-1", "--input", "6")
	if got := runs(ExitOK, "show", "run-1"); !strings.Contains(got, "SUCCEEDED") || !strings.Contains(got, "local/pair") || !strings.Contains(got, "writes") {
		t.Errorf("shown: %s", got)
	}
	var shown described
	if err := json.Unmarshal([]byte(runs(ExitOK, "show", "run-1", "--json")), &shown); err != nil || shown.Status != "SUCCEEDED" || shown.Cost == nil {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	if got := runs(ExitOK, "cost", "run-1", "--prices", "gcp"); !strings.Contains(got, "Firestore: reads") {
		t.Errorf("the cost: %s", got)
	}
	if got := runs(ExitOK, "stop", "run-1"); !strings.Contains(got, "has ended already: SUCCEEDED") {
		t.Errorf("stopped: %s", got)
	}
	runs(ExitNotFound, "show", "run-2")
	runs(ExitNotFound, "cost", "run-2")
	if code, _, stderr := weft("destroy", "local", "--state", state); code != ExitConflict || !strings.Contains(stderr, "served by another process") {
		t.Errorf("destroyed while it is served: exit %d, %s", code, stderr)
	}
	w.signals <- os.Interrupt
	if code := <-served; code != ExitOK {
		t.Errorf("the server ended with %d: %s", code, w.err.String())
	}
	// Without a server it runs in the command's process.
	if got := strings.TrimSpace(runs(ExitOK, "start", "--wait", "--name", "run-3", "--input", "8")); got != "[8,8]" {
		t.Errorf("the result is %q", got)
	}
	if got := runs(ExitOK, "show", "run-1"); !strings.Contains(got, "SUCCEEDED") {
		t.Errorf("after the server: %s", got)
	}
}

func TestPlainName(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, name := range []string{"text", "Text Processing", "9lives", "_", strings.Repeat("a", 50)} {
		got[name] = plainName(name)
	}
	want := map[string]string{"text": "text", "Text Processing": "text-processing", "9lives": "app-9lives", "_": "app", strings.Repeat("a", 50): strings.Repeat("a", 40)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, name := range got {
		if !goodName.MatchString(name) {
			t.Errorf("%q is no good name", name)
		}
	}
}
