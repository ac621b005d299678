package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"m.asl.json": branches, "none.json": "{}", "bad.json": "[", "part.json": `{"events": [{}], "NextToken": "x"}`})
	at := func(p string) string { return filepath.Join(dir, p) }
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	s.run(0, "machines", "create", "m", at("m.asl.json"))
	s.run(0, "runs", "start", "m", "--name", "one", "--input", `{"ok":true, "n": 1}`, "--wait")
	s.run(0, "runs", "start", "m", "--name", "two", "--input", `{"n": 1, "ok":true}`, "--wait")
	s.run(0, "runs", "start", "m", "--name", "three", "--input", `{"ok":true, "n": 2}`, "--wait")
	s.run(1, "runs", "start", "m", "--name", "four", "--input", `{"ok":false}`, "--wait")
	lines, _ := s.run(0, "runs", "history", "m/one", "--json")
	exported := `{"events": [` + strings.ReplaceAll(strings.TrimSpace(lines), "\n", ",") + `]}`
	if err := os.WriteFile(at("aws.json"), []byte(exported), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, stderr := s.run(0, "runs", "compare", "m/two", at("aws.json"), "--exit-code"); out != "" || !strings.Contains(stderr, "agree: 6 events") {
		t.Errorf("a run like it: %s%s", out, stderr)
	}
	out, stderr := s.run(1, "runs", "compare", "m/three", at("aws.json"), "--exit-code", "--limit", "1")
	if out != "event 1 (ExecutionStarted): executionStartedEventDetails.input.n: recorded 1, ours is 2\n" || !strings.Contains(stderr, "more") {
		t.Errorf("another input: %s%s", out, stderr)
	}
	if out, _ = s.run(0, "runs", "compare", "m/four", at("aws.json"), "--json"); !strings.Contains(out, `{"what":"event 4: recorded PassStateEntered 4<-3, ours is`) {
		t.Errorf("another way: %s", out)
	}
	for _, bad := range []string{"none.json", "bad.json", "part.json"} {
		s.run(2, "runs", "compare", "m/one", at(bad))
	}
	s.run(3, "runs", "compare", "m/one", at("missing.json"))
	s.run(3, "runs", "compare", "m/five", at("aws.json"))
}
