package main

import (
	"slices"
	"strings"
	"testing"
)

// summarise feeds lines "action package test output" (- for none) through a summary.
func summarise(t *testing.T, events string) (*summary, string) {
	t.Helper()
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	s.report()
	return s, out.String()
}

func TestSubtestsCountOnce(t *testing.T) {
	t.Parallel()
	_, out := summarise(t, `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`)
	if want := "ok  \tp\t0.1s\n3 passed, 0 failed\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestFailuresAreShownAndCounted(t *testing.T) {
	t.Parallel()
	_, out := summarise(t, `{"Action":"output","Package":"p","Test":"TestA/one","Output":"    a_test.go:3: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA\n"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`)
	for _, want := range []string{"a_test.go:3: wrong\n", "--- FAIL: TestA\n", "FAIL\tp\t0.1s\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q without %q", out, want)
		}
	}
	if !strings.HasSuffix(out, "\n0 passed, 2 failed\n") { // TestA was not running when its subtest failed
		t.Errorf("printed %q", out)
	}
}

func TestParentFailsWithItsChild(t *testing.T) {
	t.Parallel()
	s, _ := summarise(t, `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/two"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`)
	if s.passed != 1 || s.failed != 1 {
		t.Errorf("%d passed, %d failed; want 1, 1", s.passed, s.failed)
	}
}

func TestPackageThatDoesNotBuildOrDies(t *testing.T) {
	t.Parallel()
	s, out := summarise(t, `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: syntax error\n"}
{"Action":"build-fail","ImportPath":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
{"Action":"run","Package":"q","Test":"TestExit"}
{"Action":"output","Package":"q","Test":"TestExit","Output":"last words\n"}
{"Action":"output","Package":"q","Output":"exit status 3\n"}
{"Action":"fail","Package":"q"}
`)
	if s.passed != 0 || s.failed != 2 {
		t.Errorf("%d passed, %d failed; want 0, 2", s.passed, s.failed)
	}
	for _, want := range []string{"syntax error", "last words", "exit status 3"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q without %q", out, want)
		}
	}
}

func TestSkippedTestsAreNoPasses(t *testing.T) {
	t.Parallel()
	s, out := summarise(t, `{"Action":"output","Package":"p","Test":"TestNode","Output":"    a_test.go:9: install node: it runs the handlers\n"}
{"Action":"skip","Package":"p","Test":"TestNode"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`)
	if want := "?   \tq\t[no test files]\nskipped: p.TestNode: install node: it runs the handlers\n0 passed, 0 failed\n"; out != want || s.failed != 0 {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	flags, dirs, err := split([]string{"-race", "--", ".", "test/aws"})
	if err != nil || !slices.Equal(flags, []string{"-race"}) || !slices.Equal(dirs, []string{".", "test/aws"}) {
		t.Errorf("split = %v, %v, %v", flags, dirs, err)
	}
	if _, _, err := split([]string{"-race", "--"}); err == nil {
		t.Error("no directories: no error")
	}
}
