package ir

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what Validate says into testdata/problems.txt")

func TestFixturesAreValid(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("found %v (%v)", names, err)
	}
	for _, name := range names {
		a, err := Parse(load(t, filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Validate().Err(); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
	}
}

// TestProblems has functions of an app in each section of testdata/problems.txt, and behind "--" what Validate says.
func TestProblems(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/problems.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rewritten []string
	for section := range strings.SplitSeq(string(text), "\n== ") {
		title, rest, _ := strings.Cut(section, "\n")
		functions, want, _ := strings.Cut(rest, "--\n")
		got := "valid\n"
		a, err := Parse([]File{{Name: "app", Text: []byte("version: 1\nname: app\nfunctions:\n" + functions)}})
		if err == nil {
			err = a.Validate().Err()
		}
		if err != nil {
			got = err.Error() + "\n"
		}
		rewritten = append(rewritten, title+"\n"+functions+"--\n"+got)
		if strings.TrimSpace(got) != strings.TrimSpace(want) && !*rewrite {
			t.Errorf("%s:\n got %s\nwant %s", title, got, want)
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/problems.txt", []byte(strings.Join(rewritten, "\n== ")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"true", "otherwise", true},
		{"otherwise", "true", false},
		{"$out.a", "not $out.a", true},
		{"$out.a and $out.b", "not $out.a or not $out.b", true},
		{"$out.a or $out.b", "not $out.a and $0 == 1", false},
		{"$out.a or $out.b", "not ($out.a or $out.b)", true},
		{`$out == "a" or $out == "b"`, `$out == "c" or $out == "d"`, true},
		{`$out == "a" or $out == "b"`, `$out == "c" or $out == "b"`, false},
		{"$out.a > 50", "$out.a <= 50", true},
		{"$out.a > 50", "50 >= $out.a", true},
		{"$out.a > 50", "$out.a < 51", false},
		{"$out.a >= 50", "$out.a <= 50", false},
		{"$out.a > 50", "$out.b <= 50", false},
		{`$out.a == "x"`, `$out.a == "y"`, true},
		{`$out.a == "x"`, `$out.a != "x"`, true},
		{`$out.a == "x"`, `$out.a != "y"`, false},
		{`$out.a == "x"`, `$out.a == 1`, true},
		{`$out.a == "x"`, `$out.a < "x"`, true},
		{`$out.a == null`, `$out.a == 1`, true},
		{`$out.a == true`, `$out.a == false`, true},
		{`$out.a != 1`, `$out.a != 2`, false},
		{`$out.a != null`, `$out.a == null`, true},
		{`$out.a == true`, `$out.a != true`, true},
		{`$out.a == true`, `$out.a != false`, false},
		{`$exit == "a"`, `$exit == "b"`, true},
		{"$0 == 0", "$0 > 0", true},
		{"$0 < $size - 1", "$0 == $size - 1", true},
		{"$0 < $size - 1", "$0 == $size - 2", false},
		{"$0 > 20", "$0 > 30", false},
		{"$0 % 2 == 0", "$0 % 2 == 1", true},
		{"$0 == $1", "$0 != $1", true},
		{"$0 == $1", "$0 > $1 + 100", true},
		{"$0 < $1", "$0 < $1 - 100", false},
		{"$iteration < 3", "$iteration == 3", true},
		{"$iteration < 3", "$iteration == 2", false},
		{"$0 == 1 and $out.a", "$0 == 1 and not $out.a", true},
		{"$0 < $size - 1 and $out", "$0 + 1 == $size", true},
	} {
		a, b := Continuation{If: MustExpr(c.a)}, Continuation{If: MustExpr(c.b)}
		if got := exclusive(&a, &b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
