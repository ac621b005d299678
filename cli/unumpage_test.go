package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// events returns what happened to records by an output of ours, in alphabetical order: branches do as they like.
func events(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^ +\d+\.\d{3}  ([+~·=-] .*)$`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "joined") { // whoever is first
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return all
}

// TestUnumPage runs the commands of docs/unum.md, one after the other, in a directory with nothing but the example.
func TestUnumPage(t *testing.T) {
	for _, tool := range []string{"python3", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" { // where everything must run
				t.Fatalf("no %s: install it", tool)
			}
			t.Skipf("no %s: install it to run this test", tool)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "unum.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := filepath.Abs(filepath.Join("..", "examples", "text"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	if err := os.CopyFS(filepath.Join("examples", "text"), os.DirFS(text)); err != nil {
		t.Fatal(err)
	}
	s := session{t, nil}
	console := regexp.MustCompile("(?s)```console\n\\$ go run ./cmd/weft (.*?)\n(.*?)```").FindSubmatch(page)
	if console == nil {
		t.Fatal("the page has no first command")
	}
	out, errs := s.run(0, words(string(console[1]))...)
	if want, got := events(string(console[2])), events(errs); len(want) < 8 || !slices.Equal(want, got) {
		t.Errorf("the page shows\n%s\nand there was\n%s", strings.Join(want, "\n"), errs)
	}
	if !strings.Contains(out, `{"post":{"id":`) {
		t.Errorf("the result is %s", out)
	}
	printed := runPage(t, s, string(page))
	for _, says := range []string{"first\n", "SUCCEEDED", "GB-seconds", "destroyed local/text"} {
		if !strings.Contains(printed, says) {
			t.Errorf("nothing says %q:\n%s", says, printed)
		}
	}
}

// runPage runs the commands in blocks of a page; a server goes on to the end of the block after the one that starts it.
func runPage(t *testing.T, s session, page string) string {
	t.Helper()
	var printed strings.Builder
	ran := 0
	var end func()
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		ending := end
		end = nil
		for line := range strings.Lines(block[1]) {
			args := words(strings.TrimSpace(line))
			if slices.Contains(args, "--serve") {
				end = serve(t, args[1:])
				continue
			}
			out, errs := s.run(0, args[1:]...)
			printed.WriteString(line + out + errs)
			ran++
		}
		if ending != nil {
			ending()
		}
	}
	if ran < 6 {
		t.Errorf("ran %d commands", ran)
	}
	return printed.String()
}

// serve runs a server until what it returns is called.
func serve(t *testing.T, args []string) (end func()) {
	t.Helper()
	w := newWorld()
	ended := make(chan int, 1)
	go func() { ended <- Main(args, w.IO) }()
	w.err.waitFor(t, `(start runs with)`)
	return func() {
		w.signals <- os.Interrupt
		if code := <-ended; code != ExitOK {
			t.Errorf("the server ended with %d: %s", code, w.err.String())
		}
	}
}
