package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionsAndAliases(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"one.asl.json": `{"StartAt":"P","States":{"P":{"Type":"Pass","Result":1,"End":true}}}`,
		"two.asl.json": `{"StartAt":"P","States":{"P":{"Type":"Pass","Result":2,"End":true}}}`})
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	s.run(0, "machines", "create", "greet", filepath.Join(dir, "one.asl.json"))
	_, stderr := s.run(0, "machines", "versions", "greet")
	if !strings.Contains(stderr, "weft machines publish greet") {
		t.Errorf("no versions: %s", stderr)
	}
	arn, _ := s.run(0, "machines", "publish", "greet", "--description", "first", "--if", "INITIAL")
	if !strings.HasSuffix(arn, ":stateMachine:greet:1\n") {
		t.Errorf("publish printed %q", arn)
	}
	s.run(0, "machines", "create", "greet", filepath.Join(dir, "two.asl.json"), "--update")
	s.run(4, "machines", "publish", "greet", "--if", "INITIAL")
	line, _ := s.run(0, "machines", "publish", "greet", "--json")
	if !strings.Contains(line, `"version":2`) && !strings.Contains(line, `"version": 2`) {
		t.Errorf("publish --json printed %s", line)
	}
	table, _ := s.run(0, "machines", "versions", "greet")
	if lines := strings.Split(table, "\n"); len(lines) != 4 || !strings.Contains(lines[1], ":greet:2") || !strings.Contains(lines[2], ":greet:1") {
		t.Errorf("versions:\n%s", table)
	}

	s.run(3, "machines", "alias", "set", "greet:prod", "7")
	s.run(2, "machines", "alias", "set", "greet", "1")
	s.run(2, "machines", "alias", "set", "greet:prod", "one")
	s.run(0, "machines", "alias", "set", "greet:prod", "1", "--description", "for all")
	out, _ := s.run(0, "runs", "start", "greet:prod", "--wait")
	if out != "1\n" {
		t.Errorf("a run of the alias printed %q", out)
	}
	s.run(0, "machines", "alias", "set", "greet:prod", "1=0", "2=100")
	if out, _ = s.run(0, "runs", "start", "greet:prod", "--wait"); out != "2\n" {
		t.Errorf("a run of the updated alias printed %q", out)
	}
	shown, _ := s.run(0, "machines", "alias", "show", "greet:prod")
	for _, want := range []string{"1=0 2=100", "for all", ":greet:prod"} {
		if !strings.Contains(shown, want) {
			t.Errorf("alias show says nothing of %q:\n%s", want, shown)
		}
	}
	if lines, _ := s.run(0, "machines", "alias", "list", "greet", "--json"); !strings.Contains(lines, `"versions":[{"version":"1","percent":0},{"version":"2","percent":100}]`) {
		t.Errorf("alias list --json: %s", lines)
	}
	if _, stderr = s.run(4, "machines", "unpublish", "greet:2"); !strings.Contains(stderr, "[prod]") {
		t.Errorf("a version that an alias needs: %s", stderr)
	}
	s.run(0, "machines", "alias", "delete", "greet:prod")
	s.run(0, "machines", "unpublish", "greet:2")
	s.run(3, "runs", "start", "greet:2")
}

// TestAWSLimitsFlag holds that both servers take --aws-limits.
func TestAWSLimitsFlag(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"pass.asl.json": `{"StartAt":"P","States":{"P":{"Type":"Pass","Result":1,"End":true}}}`,
		"large.json":    `"` + strings.Repeat("x", 300<<10) + `"`})
	for name, args := range map[string][]string{
		"serve": {"serve", "--data", t.TempDir()}, "serve --aws-limits": {"serve", "--data", t.TempDir(), "--aws-limits"},
		"dev --aws-limits": {"dev", dir, "--data", t.TempDir(), "--aws-limits"},
	} {
		url, _ := startServer(t, nil, args...)
		s := session{t, map[string]string{"WEFT_SERVER": url}}
		s.run(0, "machines", "create", "pass", filepath.Join(dir, "pass.asl.json"))
		code := 0
		if strings.HasSuffix(name, "--aws-limits") {
			code = 2
		}
		if _, stderr := s.run(code, "runs", "start", "pass", "--input", "@"+filepath.Join(dir, "large.json")); code != 0 && !strings.Contains(stderr, "262144") {
			t.Errorf("%s: %s", name, stderr)
		}
	}
}
