// Package text_test publishes posts with examples/text, and calls its five functions by themselves.
package text_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

func needRuntimes(t *testing.T) {
	t.Helper()
	exampletest.Need(t, "python3", "Python 3.9 or later")
	exampletest.Need(t, "node", "Node.js 18.17 or later")
}

type published struct {
	Post  post
	Store string
}

func TestRun(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	temp := t.TempDir()
	out := exampletest.Run(t, []string{"TMPDIR=" + temp}, "run", dir)
	var got published
	if err := json.Unmarshal(out.Stdout, &got); err != nil || out.Code != 0 {
		t.Fatalf("exit code %d, result %q: %v\n%s", out.Code, out.Stdout, err, out.Stderr)
	}
	first, second := got.Post.URLs[0].Short, got.Post.URLs[1].Short
	want := "@grace look: " + first + " (and @charles, see " + second + "). Mail me: ada@example.org 🧮"
	if got.Post.Text != want {
		t.Errorf("text %q, want %q", got.Post.Text, want)
	}
	var users []string
	for _, m := range got.Post.Mentions {
		users = append(users, m.User)
		if at := string([]rune(got.Post.Text)[m.Start:m.End]); at != "@"+m.User {
			t.Errorf("position of %s says %q", m.User, at)
		}
	}
	if diff := cmp.Diff([]string{"grace", "charles"}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if ids := stored(t, got.Store); len(ids) != 1 || ids[0] != got.Post.ID {
		t.Errorf("stored %q, posted %q", ids, got.Post.ID)
	}
}

// TestResumeDoesNotPostTwice runs one name twice: the second prints the first's result.
func TestResumeDoesNotPostTwice(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	store := filepath.Join(t.TempDir(), "posts")
	input := encode(t, map[string]string{"author": "ada", "text": "x", "store": store})
	args := []string{"run", dir, "--input", input, "--data", t.TempDir(), "--name", "n1"}
	first, second := exampletest.Run(t, nil, args...), exampletest.Run(t, nil, args...)
	if first.Code != 0 || second.Code != 0 || string(first.Stdout) != string(second.Stdout) {
		t.Errorf("exit codes %d and %d, results %s and %s\n%s%s", first.Code, second.Code, first.Stdout, second.Stdout, first.Stderr, second.Stderr)
	}
	if ids := stored(t, store); len(ids) != 1 {
		t.Errorf("stored %q", ids)
	}
}

// TestJSONata holds that the machine in JSONata does what the other does.
func TestJSONata(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	var results []published
	for _, machine := range []string{dir, filepath.Join(dir, "jsonata.asl.json")} {
		input := encode(t, map[string]string{"author": "ada", "text": "@grace https://example.org/a", "store": filepath.Join(t.TempDir(), "posts")})
		out := exampletest.Run(t, nil, "run", machine, "--input", input, "--data", t.TempDir(), "--name", "n1")
		var got published
		if err := json.Unmarshal(out.Stdout, &got); err != nil || out.Code != 0 {
			t.Fatalf("exit code %d, result %q: %v\n%s", out.Code, out.Stdout, err, out.Stderr)
		}
		if ids := stored(t, got.Store); len(ids) != 1 || ids[0] != got.Post.ID {
			t.Errorf("stored %q, posted %q", ids, got.Post.ID)
		}
		got.Store = ""
		results = append(results, got)
	}
	if diff := cmp.Diff(results[0], results[1]); diff != "" || results[0].Post.ID == "" {
		t.Errorf("in JSONata (-JSONPath +JSONata):\n%s", diff)
	}
	bad := exampletest.Run(t, nil, "run", filepath.Join(dir, "jsonata.asl.json"), "--input", `{"author":"","text":"x"}`)
	if bad.Code != 1 || !strings.Contains(bad.Stderr, "NotAPost") {
		t.Errorf("exit code %d\n%s", bad.Code, bad.Stderr)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	long := encode(t, map[string]string{"author": "ada", "text": strings.Repeat("x", 501)})
	for input, want := range map[string][]string{
		`{}`:                        {"NotAPost", "give {"},
		`"x"`:                       {"NotAPost"},
		`{"author":"ada"}`:          {"NotAPost"},
		`{"author":"ada","text":7}`: {"NotAPost"},
		`{"author":"","text":"x"}`:  {"NotAPost"},
		long:                        {"PostTooLong", "501 characters", "at most 500"},
		`{"author":"a","text":"x","store":"posts"}`: {"BadStore", "absolute path"},
	} {
		got := exampletest.Run(t, nil, "run", dir, "--input", input)
		if got.Code != 1 || len(got.Stdout) > 0 {
			t.Errorf("input %.60s: exit code %d\n%s%s", input, got.Code, got.Stdout, got.Stderr)
		}
		for _, w := range want {
			if !strings.Contains(got.Stderr, w) {
				t.Errorf("input %.60s: no %q in\n%s", input, w, got.Stderr)
			}
		}
	}
}
