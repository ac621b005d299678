package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const one = `{"StartAt":"P","TimeoutSeconds":60,"States":{"P":{"Type":"Pass","Result":1,"Next":"S"},"S":{"Type":"Succeed"}}}`
	dir := files(t, map[string]string{"one.asl.json": one, "same.asl.json": strings.Replace(one, "60", "6e1", 1),
		"two.asl.yaml": "StartAt: P\nStates:\n  P: {Type: Pass, Result: 2, Next: Q}\n  Q: {Type: Pass, End: true}\n"})
	at := func(p string) string { return filepath.Join(dir, p) }
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	s.run(0, "machines", "create", "m", at("one.asl.json"))
	s.run(0, "runs", "start", "m", "--name", "r", "--wait")
	if _, stderr := s.run(2, "machines", "diff", "m"); !strings.Contains(stderr, "weft machines publish m") {
		t.Errorf("without a version: %s", stderr)
	}
	s.run(0, "machines", "publish", "m")
	if out, stderr := s.run(0, "machines", "diff", "m", "--exit-code"); out != "" || !strings.Contains(stderr, "m:1 and m mean the same") {
		t.Errorf("nothing changed: %s%s", out, stderr)
	}
	s.run(0, "machines", "diff", "m", at("same.asl.json"), "--exit-code")
	const want = `+++ NEW
~ the machine
    - TimeoutSeconds: 60
~ P
    ~ Result: 1 → 2
    ~ Next: "S" → "Q"
- S (Succeed)
+ Q (Pass)
`
	check := func(args ...string) {
		t.Helper()
		out, _ := s.run(1, append(args, "--exit-code")...)
		if _, below, ok := strings.Cut(out, "\n"); !ok || below[strings.Index(below, "\n"):] != want[strings.Index(want, "\n"):] {
			t.Errorf("%q printed\n%s", args, out)
		}
	}
	check("machines", "diff", "m", at("two.asl.yaml"))
	check("machines", "diff", "m", "1", at("two.asl.yaml"))
	s.run(0, "machines", "create", "m", at("two.asl.yaml"), "--update")
	check("machines", "diff", "m")
	check("machines", "diff", "m", "1")
	check("machines", "diff", "m", at("one.asl.json"), "current")
	check("runs", "diff", "m/r")
	s.run(0, "runs", "diff", "m/r")
	lines, _ := s.run(0, "machines", "diff", "m", "1", "current", "--json")
	if !strings.Contains(lines, `{"change":"changed","state":"P","path":"$.States.P.Result","old":1,"new":2}`) || strings.Count(lines, "\n") != 5 {
		t.Errorf("--json printed %s", lines)
	}
	s.run(2, "machines", "diff", "m", "7th")
	s.run(3, "machines", "diff", "m", "7")
	s.run(3, "machines", "diff", "m", "none.asl.json")
	s.run(3, "machines", "diff", "n")
}
