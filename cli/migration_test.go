package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// words splits a line of the page as a shell does, as far as the page needs: single quotes, and comments.
func words(line string) (list []string) {
	quoted := false
	word, some := "", false
	for _, c := range line + " " {
		switch {
		case c == '\'':
			quoted, some = !quoted, true
		case quoted || c != ' ':
			if c == '#' && word == "" && !quoted {
				return list
			}
			word, some = word+string(c), true
		case some:
			list, word, some = append(list, word), "", false
		}
	}
	return list
}

// TestMigrationPage writes the files of docs/migration.md and runs its commands, one after the other. What only AWS can do is
// done by a run of ours.
func TestMigrationPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)\n`(\\S+)`[^\n]*:\n\n```\\w+\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		contents[m[1]] = m[2]
	}
	if len(contents) != 5 {
		t.Fatalf("the page has %d files", len(contents))
	}
	t.Chdir(files(t, contents))
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir(), "--config", "weft.yaml")
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	var printed strings.Builder
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			switch args := words(line); {
			case strings.HasPrefix(line, `eval "$(weft env)"`):
				out, _ := s.run(0, "env")
				if !strings.Contains(out, "AWS_ENDPOINT_URL_SFN="+url) || !strings.Contains(out, "AWS_DISABLE_HOST_PREFIX_INJECTION=true") {
					t.Errorf("weft env printed %s", out)
				}
			case strings.Contains(line, "get-execution-history"):
				events, _ := s.run(0, "runs", "history", "order-dev/first", "--json")
				text := `{"events": [` + strings.ReplaceAll(strings.TrimSpace(events), "\n", ",") + `]}`
				if err := os.WriteFile("aws.json", []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			case len(args) > 1 && args[0] == "weft" && args[1] != "serve":
				out, errs := s.run(0, args[1:]...)
				printed.WriteString(line + "\n" + out + errs)
				ran++
			}
		}
	}
	for _, says := range []string{`{"paid":true}`, "machines/order-dev.asl.json mean the same", "1 case, 0 failed", "agree: "} {
		if !strings.Contains(printed.String(), says) {
			t.Errorf("nothing says %q:\n%s", says, printed.String())
		}
	}
	if ran < 12 {
		t.Errorf("ran %d commands", ran)
	}
}
