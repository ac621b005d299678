package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/bench/mode"
	"github.com/weftworks/weft/bench/workload/hello"
)

func TestOnlyChoosesByPrefix(t *testing.T) {
	t.Parallel()
	all := groups()
	for only, want := range map[string]string{
		"hello5":     "disk hello5 hello5-once",
		"bank,seq10": "disk seq10 bank",
		"disk":       "disk",
		"nothing":    "",
		",":          "",
	} {
		some, _ := chosen(all, only)
		var names []string
		for _, g := range some {
			names = append(names, g.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("-only %s chooses %q, want %q", only, got, want)
		}
	}
	if some, err := chosen(all, ""); err != nil || len(some) != len(all) {
		t.Errorf("without -only %d groups are chosen (%v), want all %d", len(some), err, len(all))
	}
}

func TestFlagsRefuseNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-modes", "fast"}, {"hello5"}} {
		if _, err := flags(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

// TestGroupNamesAreUnique keeps figures apart.
func TestGroupNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, g := range groups() {
		if seen[g.name] || g.about == "" {
			t.Errorf("group %q is there twice or says nothing of itself", g.name)
		}
		seen[g.name] = true
	}
}

// TestFiguresAreWritten measures one workload for a moment in every mode, with slow syncs and without; for longer, where the
// machine is so busy that nothing gets done in a moment.
func TestFiguresAreWritten(t *testing.T) {
	t.Parallel()
	for length := 40 * time.Millisecond; ; length *= 8 {
		missing := figuresMissing(t, length)
		if len(missing) == 0 {
			return
		}
		if length > time.Second {
			t.Fatalf("no figures after %v each: %v", length, missing)
		}
	}
}

// figuresMissing measures for a length and returns the figures that are not there or 0.
func figuresMissing(t *testing.T, length time.Duration) (missing []string) {
	t.Helper()
	c := &settings{dir: t.TempDir(), out: t.TempDir(), length: length, delay: time.Millisecond, modes: mode.All}
	w := hello.Three()
	w.Outstanding, w.Rate = 4, 100
	some := []group{{w.Name, w.About, func(r *report, c *settings) error { return benchWorkload(r, c, w) }}}
	if err := measureAll(c, some); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.out, "latest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		var f figure
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		have[f.Name] = f.Value
	}
	for _, m := range mode.All {
		for _, disk := range []string{"", ".1ms"} {
			for _, what := range []string{"one.p50", "one.p95", "one.p99", "one.syncs", "one.disk", "many.rate", "many.syncs", "many.log", "many.cpu", "open.p99"} {
				if name := "hello3." + string(m) + disk + "." + what; have[name] <= 0 {
					missing = append(missing, name)
				}
			}
		}
	}
	if len(missing) > 0 {
		return missing
	}
	if got := have["hello3.classic.one.syncs"]; got < 18 {
		t.Errorf("three calls in classic made %v syncs, want 19 but for what was on the way at the end", got)
	}
	for _, name := range []string{"cdf-hello3.csv", "cdf-hello3-1ms.csv"} {
		checkDistribution(t, filepath.Join(c.out, name))
	}
	if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
		t.Errorf("%v (%v) is left over", left, err)
	}
	return nil
}

// checkDistribution wants a curve for each mode that rises to 1.
func checkDistribution(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	last := make(map[string]string)
	for _, line := range lines[1:] {
		last[line[0]] = line[2]
	}
	for _, m := range mode.All {
		if last[string(m)] != "1.000000" {
			t.Errorf("%s: the curve of %s ends at %q", path, m, last[string(m)])
		}
	}
	if !slices.Equal(lines[0], []string{"mode", "ms", "share"}) {
		t.Errorf("%s begins with %q", path, lines[0])
	}
}

func TestTargetsCountTheDiskOfTheirMoment(t *testing.T) {
	t.Parallel()
	r := &report{all: map[string]float64{"a.one.p50": 3, "a.one.disk": 0.5, "b": 4, "c": 2}}
	plain := target{figure: "a.one.p50", syncs: 5, at: 0.3}
	if got, want := r.wanted(&plain), 2.8; got != want {
		t.Errorf("the target is %v, want %v", got, want)
	}
	if v, ok := r.value(&target{figure: "b", over: "c"}); !ok || v != 2 {
		t.Errorf("4 over 2 is %v", v)
	}
	if _, ok := r.value(&target{figure: "b", over: "not measured"}); ok {
		t.Error("a ratio over nothing has a value")
	}
}
