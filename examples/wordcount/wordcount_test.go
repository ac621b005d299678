// Package wordcount_test runs examples/wordcount, kills it, and compares its table with what coreutils count.
package wordcount_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/examples/internal/exampletest"
	"github.com/weftworks/weft/examples/wordcount/mapreduce"
	"github.com/weftworks/weft/examples/wordcount/wordcounttest"
)

func TestMain(m *testing.M) { os.Exit(exampletest.Main(m)) }

var dir = exampletest.Dir("wordcount")

// input returns a run's input with more members added to root.
func input(t *testing.T, root string, more map[string]any) string {
	t.Helper()
	in := map[string]any{"root": root}
	for k, v := range more {
		in[k] = v
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// check compares a run's table with coreutils and its totals with the issue's: at least 200 mappers and 50
// reducers, and no work files left in temp.
func check(t *testing.T, got *mapreduce.Summary, temp string) {
	t.Helper()
	table, err := os.ReadFile(got.Table)
	if err != nil {
		t.Fatal(err)
	}
	wordcounttest.Compare(t, table, wordcounttest.Coreutils(t, got.Root))
	if got.Mappers < 200 || got.Reducers < 50 {
		t.Errorf("%d mappers and %d reducers", got.Mappers, got.Reducers)
	}
	if left := workFiles(t, temp); len(left) > 0 {
		t.Errorf("work files are left: %q", left)
	}
}

// workFiles lists the work directories in temp.
func workFiles(t *testing.T, temp string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(temp, "weft-wordcount-*", "*", "work"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestTree(t *testing.T) {
	t.Parallel()
	root, files := wordcounttest.Tree(t, 11)
	temp := t.TempDir()
	var got mapreduce.Summary
	exampletest.Result(t, []string{"TMPDIR=" + temp}, dir, input(t, root, nil), &got)
	check(t, &got, temp)
	if got.Files+got.BinaryFiles != files || got.Skipped != 5 || len(got.Top) != 20 {
		t.Errorf("%d+%d files of %d, %d skipped, %d top words", got.Files, got.BinaryFiles, files, got.Skipped, len(got.Top))
	}
}

func TestGoSource(t *testing.T) {
	if testing.Short() {
		t.Skip("counting the Go source tree twice takes half a minute")
	}
	t.Parallel()
	temp := t.TempDir()
	var got mapreduce.Summary
	exampletest.Result(t, []string{"TMPDIR=" + temp}, dir, "{}", &got)
	if filepath.Base(got.Root) != "src" || got.Words < 5_000_000 {
		t.Errorf("%d words in %s: not the Go source tree", got.Words, got.Root)
	}
	check(t, &got, temp)
}

func TestKeepAndOut(t *testing.T) {
	t.Parallel()
	root, temp := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a b"), []byte("one two one"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.tsv")
	var got mapreduce.Summary
	in := input(t, root, map[string]any{"keep": true, "out": out, "reducers": 3, "top": 1})
	exampletest.Result(t, []string{"TMPDIR=" + temp}, dir, in, &got)
	if table, err := os.ReadFile(out); err != nil || string(table) != "2\tone\n1\ttwo\n" {
		t.Errorf("table %q, %v", table, err)
	}
	if left := workFiles(t, temp); len(left) != 1 || left[0] != got.Work || got.Reducers != 3 || len(got.Top) != 1 {
		t.Errorf("work files %q, summary %+v", left, got)
	}
}

// dying returns the environment and arguments of a run whose mapper kills once.
func dying(t *testing.T, kills, when, root string) (env, args []string) {
	t.Helper()
	env = []string{
		"TMPDIR=" + t.TempDir(), "WORDCOUNT_KILLS=" + kills, "WORDCOUNT_WHEN=" + when,
		"WORDCOUNT_KILLED=" + filepath.Join(t.TempDir(), "killed"),
	}
	return env, []string{
		"run", dir, "--config", filepath.Join(dir, "testdata", "dying.yaml"), "--input", input(t, root, nil),
		"--data", t.TempDir(), "--name", "n1",
	}
}

func summary(t *testing.T, got exampletest.Outcome) *mapreduce.Summary {
	t.Helper()
	var sum mapreduce.Summary
	if err := json.Unmarshal(got.Stdout, &sum); err != nil || got.Code != 0 {
		t.Fatalf("exit code %d, result %q: %v\n%s", got.Code, got.Stdout, err, got.Stderr)
	}
	return &sum
}

// TestFunctionIsKilled kills one mapper: the machine's Retry runs it again.
func TestFunctionIsKilled(t *testing.T) {
	t.Parallel()
	root, _ := wordcounttest.Tree(t, 12)
	env, args := dying(t, "function", "before", root)
	got := exampletest.Run(t, env, args...)
	check(t, summary(t, got), strings.TrimPrefix(env[0], "TMPDIR="))
	killed(t, env)
}

// TestEngineIsKilled kills weft -9 in the middle of the map: the same command finishes the run.
func TestEngineIsKilled(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			root, _ := wordcounttest.Tree(t, 13)
			env, args := dying(t, "engine", when, root)
			if got := exampletest.Run(t, env, args...); got.Code != -1 || len(got.Stdout) > 0 {
				t.Fatalf("weft was not killed: exit code %d\n%s%s", got.Code, got.Stdout, got.Stderr)
			}
			killed(t, env)
			got := exampletest.Run(t, env, args...)
			check(t, summary(t, got), strings.TrimPrefix(env[0], "TMPDIR="))
		})
	}
}

// killed makes sure that the killing mapper did its part.
func killed(t *testing.T, env []string) {
	t.Helper()
	if _, err := os.Stat(strings.TrimPrefix(env[3], "WORDCOUNT_KILLED=")); err != nil {
		t.Errorf("nothing was killed: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	root, temp := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "long"), []byte(strings.Repeat("w", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ input, want1, want2 string }{
		"no object":       {`"x"`, "BadInput", "all optional"},
		"list":            {`[1]`, "BadInput", "all optional"},
		"no such root":    {`{"root":"/nowhere/at/all"}`, "BadInput", "/nowhere/at/all"},
		"relative root":   {`{"root":"."}`, "BadInput", "absolute"},
		"unknown member":  {`{"rot":"/"}`, "BadInput", "rot"},
		"too many":        {`{"mappers":5000}`, "BadInput", "4096"},
		"word too long":   {input(t, root, nil), "WordTooLong", "long"},
		"run on no batch": {`{"root":null,"mappers":-1}`, "BadInput", "mappers is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := exampletest.Run(t, []string{"TMPDIR=" + temp}, "run", dir, "--input", c.input)
			if got.Code != 1 || len(got.Stdout) > 0 || !strings.Contains(got.Stderr, c.want1) || !strings.Contains(got.Stderr, c.want2) {
				t.Errorf("exit code %d, want 1 with %q and %q\n%s%s", got.Code, c.want1, c.want2, got.Stdout, got.Stderr)
			}
		})
	}
	t.Cleanup(func() {
		if left := workFiles(t, temp); len(left) > 0 {
			t.Errorf("work files are left: %q", left)
		}
	})
}
