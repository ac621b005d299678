package wordcount_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/examples/internal/exampletest"
	"github.com/weftworks/weft/examples/wordcount/mapreduce"
	"github.com/weftworks/weft/examples/wordcount/wordcounttest"
)

// TestWithoutOrchestrator counts the words of a tree without an orchestrator: as coreutils do, and as the engine does.
func TestWithoutOrchestrator(t *testing.T) {
	t.Parallel()
	root, _ := wordcounttest.Tree(t, 14)
	in := input(t, root, nil)
	var with mapreduce.Summary
	exampletest.Result(t, []string{"TMPDIR=" + t.TempDir()}, dir, in, &with)
	temp := t.TempDir()
	without := summary(t, exampletest.Deployed(t, []string{"TMPDIR=" + temp}, dir, "n1", in))
	check(t, without, temp)
	with.Table, with.Work = without.Table, without.Work
	if diff := cmp.Diff(&with, without); diff != "" {
		t.Errorf("(-engine +without):\n%s", diff)
	}
	bad := exampletest.Deployed(t, []string{"TMPDIR=" + temp}, dir, "n1", `{"root":"/nowhere/at/all"}`)
	if bad.Code != 1 || !strings.Contains(bad.Stderr, "BadInput") || !strings.Contains(bad.Stderr, "/nowhere/at/all") {
		t.Errorf("exit code %d\n%s", bad.Code, bad.Stderr)
	}
	if left := workFiles(t, temp); len(left) > 0 {
		t.Errorf("work files are left: %q", left)
	}
}
