// Package wordcounttest has what tests of the word count compare it with: trees that are hard to count, and the
// same table made by coreutils.
package wordcounttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

// Tree fills a new directory with files that are hard to count: no newline at the end, empty, binary early and
// late, not UTF-8, long lines and words, names with spaces, newlines, quotes and leading dashes, links,
// a pipe; and 400 generated files. It returns the directory and the number of regular files.
func Tree(t testing.TB, seed uint64) (dir string, files int) {
	t.Helper()
	dir = t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		files++
	}
	for name, content := range adversarial() {
		write(name, content)
	}
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range 400 {
		write(fmt.Sprintf("gen/%d/%d file", i%7, i), text(r, r.IntN(6_000)))
	}
	for link, target := range map[string]string{"link": "plain", "dangling": "nowhere", "loop": ".", "gen/up": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, files
}

// adversarial returns file contents by name.
func adversarial() map[string]string {
	const read = 256 << 10 // what a mapper reads at a time: words are laid across its end
	return map[string]string{
		"plain":                      "one two two three three three\n",
		"no newline":                 "ends_in_a_wo",
		"no newline2":                "rd begins here",
		"empty":                      "",
		"only newlines":              "\n\n\n",
		"only punctuation":           "!!! --- ???",
		"one_byte":                   "x",
		"crlf":                       "a\r\nb\r\na",
		"binary early":               "\x00 hidden hidden hidden",
		"binary late":                strings.Repeat("hidden ", 100_000) + "\x00",
		"latin1":                     "caf\xe9 na\xefve \xff\xfe cafe\n",
		"unicode":                    "größe naïve 東京 кот İstanbul e\u0301 \u200b x\u00a0y\n",
		"broken utf8":                "\xc3\x28 ok\xe2\x82 ok \xf0\x9f\x98",
		"controls":                   "a\x01b\x7fc\x1b[0md\fe\vf",
		"long line":                  strings.Repeat("word ", 60_000),
		"long word":                  strings.Repeat("w", 700_000),
		"across reads":               strings.Repeat(".", read-3) + "across" + strings.Repeat(".", read-6) + "edge",
		"ends at read":               strings.Repeat(".", read-4) + "edge",
		"name with\nnewline":         "newline name",
		"-rf":                        "dash name",
		"quote'\"$(x) `y` \\ *?[a]":  "quoted name",
		" leading and trailing ":     "spaced name",
		".hidden":                    "dot name",
		"deep/a/b/c/d/e/f/g/h/.x/y":  "deep name",
		"bytes\xff\xfename":          "name that is not utf8",
		"case":                       "Word WORD word _word word_ 0word 00 0 007",
		"digits":                     "1 1.5 1e9 0x1F 1_000 -1",
		"tab\tname":                  "a\tb\tc 1\tone",
		"looks like\x1a a table.tsv": "12\tword\n3\tword\n",
	}
}

// text returns about n bytes of words that are frequent and rare, between separators of all kinds.
func text(r *rand.Rand, n int) string {
	separators := []string{" ", " ", " ", "\n", ", ", ".", "\t", "\r\n", "é", "\xff", "--", "\x02"}
	var b strings.Builder
	for b.Len() < n {
		w := r.IntN(1 + r.IntN(3_000))
		fmt.Fprintf(&b, "%c%x%s", "abXY_9"[w%6], w, separators[r.IntN(len(separators))])
	}
	return b.String()
}

// Coreutils returns the table of dir as coreutils.sh makes it.
func Coreutils(t testing.TB, dir string) []byte {
	t.Helper()
	sh := exampletest.Need(t, "sh", "a POSIX shell")
	for tool, install := range map[string]string{
		"find": "findutils", "xargs": "findutils", "tr": "coreutils", "sort": "coreutils", "uniq": "coreutils", "sed": "sed",
	} {
		exampletest.Need(t, tool, install)
	}
	if out, err := exec.Command("grep", "-aP", `\x00`, os.DevNull).CombinedOutput(); len(out) > 0 || err == nil {
		exampletest.Need(t, "ggrep", "GNU grep with -P as grep")
	}
	cmd := exec.CommandContext(t.Context(), sh, exampletest.Dir("wordcount", "coreutils.sh"), dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	table, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("coreutils.sh: %v\n%s", err, stderr.Bytes())
	}
	return table
}

// Compare fails the test at the first line where two tables differ.
func Compare(t testing.TB, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d of the table is %.80q, coreutils say %.80q (%d lines, coreutils %d)", i+1, g[i], w[i], len(g), len(w))
		}
	}
	t.Fatalf("the table has %d lines, coreutils say %d", len(g), len(w))
}
