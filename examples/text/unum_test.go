package text_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

// TestWithoutOrchestrator posts without an orchestrator, in both query languages, what is posted with one.
func TestWithoutOrchestrator(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	post := func(run func(input string) exampletest.Outcome) (got published) {
		store := filepath.Join(t.TempDir(), "posts")
		out := run(encode(t, map[string]string{"author": "ada", "text": "@grace https://example.org/@a 🧮 @charles", "store": store}))
		if err := json.Unmarshal(out.Stdout, &got); err != nil || out.Code != 0 {
			t.Fatalf("exit code %d, result %q: %v\n%s", out.Code, out.Stdout, err, out.Stderr)
		}
		if ids := stored(t, store); len(ids) != 1 || ids[0] != got.Post.ID || got.Store != store {
			t.Errorf("stored %q in %s, posted %q", ids, got.Store, got.Post.ID)
		}
		got.Store = ""
		return got
	}
	want := post(func(input string) exampletest.Outcome {
		return exampletest.Run(t, nil, "run", dir, "--input", input, "--data", t.TempDir(), "--name", "n1")
	})
	for _, path := range []string{dir, filepath.Join(dir, "jsonata.asl.json")} {
		got := post(func(input string) exampletest.Outcome { return exampletest.Deployed(t, nil, path, "n1", input) })
		if diff := cmp.Diff(want, got); diff != "" || got.Post.ID == "" {
			t.Errorf("%s (-engine +without):\n%s", path, diff)
		}
	}
	bad := exampletest.Deployed(t, nil, dir, "n1", `{"author":"","text":"x"}`)
	if bad.Code != 1 || !strings.Contains(bad.Stderr, "NotAPost") {
		t.Errorf("exit code %d\n%s", bad.Code, bad.Stderr)
	}
}

// TestCheckpointsComeAndGo runs the one command of docs/unum.md.
func TestCheckpointsComeAndGo(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	got := exampletest.Run(t, []string{"TMPDIR=" + t.TempDir()}, "deploy", dir, "--to", "local", "--run", "--state", t.TempDir())
	if got.Code != 0 {
		t.Fatalf("exit code %d\n%s", got.Code, got.Stderr)
	}
	appeared, vanished := strings.Count(got.Stderr, "+ appeared"), strings.Count(got.Stderr, "- vanished")
	if appeared != 3 || vanished != 2 || !strings.Contains(got.Stderr, "left of its records: the result alone") {
		t.Errorf("%d appeared, %d vanished:\n%s", appeared, vanished, got.Stderr)
	}
}
