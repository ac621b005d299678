package program

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// outputs runs an app and compares what it ends with.
func outputs(t *testing.T, text string, input any, want string, code ...map[string]func(any) (any, error)) {
	t.Helper()
	var all map[string]func(any) (any, error)
	if len(code) > 0 {
		all = code[0]
	}
	seeds(t, "version: 1\nname: app\nfunctions:\n"+text, all, func(w *world) {
		end := w.run(input)
		got := words(value(end.Output))
		if end.Failed {
			got = end.Error + ": " + end.Cause
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func value(text []byte) (v any) {
	_ = json.Unmarshal(text, &v)
	return v
}

func TestChain(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, code: a, start: true, next: {invoke: B}}
- {name: B, next: {invoke: C}}
- {name: C, code: c, checkpoint: false, next: {invoke: D}}
- {name: D, code: d}
`, "x", "d(c(a(x)))")
}

func TestParallelJoins(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, code: a, start: true, next: [{invoke: B}, {invoke: C}, {invoke: D}]}
- {name: B, code: b, next: {invoke: B2}}
- {name: B2, code: b2, next: {fanIn: J, values: [D-2, B2-0, C-1], pop: true}}
- {name: C, code: c, next: {fanIn: J, values: [D-2, B2-0, C-1], pop: true}}
- {name: D, code: d, next: {fanIn: J, values: [D-2, B2-0, C-1], pop: true}}
- {name: J, code: j, next: {invoke: K}}
- {name: K, code: k}
`, "x", "k(j(d(a(x)) b2(b(a(x))) c(a(x))))")
}

func TestMapJoins(t *testing.T) {
	t.Parallel()
	const app = `
- {name: M, start: true, sets: [all], next: {map: A, concurrency: 2}}
- {name: A, code: a, next: [{invoke: B, if: $0 % 2 == 0}, {fanIn: J, set: all, size: $size, if: otherwise}]}
- {name: B, code: b, next: {fanIn: J, set: all, size: $size}}
- {name: J, code: j}
`
	outputs(t, app, []string{"x", "y", "z", "u", "v"}, "j(b(a(x)) a(y) b(a(z)) a(u) b(a(v)))")
	outputs(t, app, []string{}, "j()")
	outputs(t, app, "x", "Weft.Graph: M maps over its output, which is no list")
}

func TestNestedMapsJoin(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: M, start: true, next: {map: N}}
- {name: N, next: {map: A}}
- {name: A, code: a, next: {fanIn: J, values: [A-$1.*], pop: true}}
- {name: J, code: j, next: {fanIn: K, values: [J-*], pop: true}}
- {name: K, code: k}
`, [][]string{{"x", "y"}, {}, {"z"}}, "k(j(a(x) a(y)) j() j(a(z)))")
}

func TestChoiceOpensNoFrame(t *testing.T) {
	t.Parallel()
	const app = `
- name: A
  start: true
  next:
  - {invoke: B, if: $out.n > 5}
  - {invoke: C, if: '$out.n <= 5 and $out.kind == "small"'}
  - {invoke: D, if: otherwise}
- {name: B, code: b, next: {invoke: E}}
- {name: C, code: c, next: {invoke: E}}
- {name: D, code: d, next: {invoke: E, if: false}}
- {name: E, code: e}
`
	outputs(t, app, map[string]any{"n": 6}, `e(b({"n":6}))`)
	outputs(t, app, map[string]any{"kind": "small", "n": 5}, `e(c({"kind":"small","n":5}))`)
	outputs(t, app, map[string]any{"n": 1}, `d({"n":1})`)
	outputs(t, app, "x", `Weft.Graph: A, next[0]: $out.n > 5: null and 5 have no order`)
}

// TestSomeOfParallel has a fan-out of which one, two or three fire: the frame is there whatever number it is.
func TestSomeOfParallel(t *testing.T) {
	t.Parallel()
	const app = `
- {name: A, start: true, sets: [all], next: [{invoke: B, if: $out.b}, {invoke: C, if: $out.c}, {invoke: D, if: $out.d}]}
- {name: B, code: b, next: {fanIn: J, set: all, size: $size}}
- {name: C, code: c, next: {fanIn: J, set: all, size: $size}}
- {name: D, code: d, next: {fanIn: J, set: all, size: $size}}
- {name: J, code: j}
`
	outputs(t, app, map[string]any{"b": false, "c": true, "d": false}, `j(c({"b":false,"c":true,"d":false}))`)
	outputs(t, app, map[string]any{"b": true, "c": false, "d": true}, `j(b({"b":true,"c":false,"d":true}) d({"b":true,"c":false,"d":true}))`)
}

func TestLoops(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, code: a, start: true, next: [{invoke: A, next: true, if: $iteration < 3}, {invoke: B, if: otherwise}]}
- {name: B, code: b}
`, "x", "b(a(a(a(a(x)))))")
	// In a branch, on the branch's own count.
	outputs(t, `
- {name: M, start: true, next: {map: A}}
- {name: A, code: a, next: [{invoke: A, next: true, if: $iteration < $0}, {fanIn: J, values: [A-*], pop: true, if: otherwise}]}
- {name: J, code: j}
`, []string{"x", "y", "z"}, "j(a(x) a(a(y)) a(a(a(z))))")
}

// TestFold folds from the left, each as soon as it can: H are read by M, of which none but the first two know.
func TestFold(t *testing.T) {
	t.Parallel()
	const app = `
- {name: A, start: true, next: {map: H}}
- name: H
  code: h
  next: [{fanIn: M, values: [H-0, H-1], if: $0 == 0 and $size > 1}, {fanIn: M, values: [H-0, H-1], if: $0 == 1, $0: 0}]
- name: M
  code: m
  next: {fanIn: M, values: [M-$0, H-($0 + 2)], if: $0 < $size - 2, $0: $0 + 1}
`
	outputs(t, app, []string{"a", "b", "c", "d", "e"}, "m(m(m(m(h(a) h(b)) h(c)) h(d)) h(e))")
	outputs(t, app, []string{"a", "b"}, "m(h(a) h(b))")
	outputs(t, app, []string{"a"}, "h(a)")
	outputs(t, app, []string{}, "")
}

// TestPartialFanIn pairs neighbours, and goes on with one line less where the map was opened.
func TestPartialFanIn(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: O, start: true, next: {map: A}}
- {name: A, next: {map: F}}
- {name: F, code: f, next: {invoke: G}}
- {name: G, code: g, next: {fanIn: H, values: [G-$1.$0, G-$1.($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: H, code: h, next: {fanIn: J, values: [H-$1.*], pop: true}}
- {name: J, code: j, next: {fanIn: K, values: [J-*], pop: true}}
- {name: K, code: k}
`, [][]string{{"a", "b", "c", "d"}, {"e", "f"}},
		"k(j(h(g(f(a)) g(f(b))) h(g(f(b)) g(f(c))) h(g(f(c)) g(f(d)))) j(h(g(f(e)) g(f(f)))))")
}

// TestStarOfAnother takes all of two functions, of which one has a line less than the other.
func TestStarOfAnother(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, start: true, next: {map: F}}
- {name: F, code: f, next: {fanIn: G, values: [F-$0, F-($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: G, code: g, next: {fanIn: J, values: [G-*, F-*], pop: true}}
- {name: J, code: j}
`, []string{"x", "y", "z"}, "j(g(f(x) f(y)) g(f(y) f(z)) f(x) f(y) f(z))")
}

// TestGraphsThatCannotGoOn have what only outputs bring about.
func TestGraphsThatCannotGoOn(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, start: true, sets: [all], next: {map: F}}
- {name: F, next: [{fanIn: G, set: all, size: $size, if: $out > 1}, {fanIn: H, set: all, size: $size, if: otherwise}]}
- {name: G}
- {name: H}
`, []int{1, 2}, "Weft.Graph: a line came to the fan-in F#1, and another to F#0")
	outputs(t, `
- {name: A, start: true, sets: [all], next: {map: F}}
- {name: F, next: {fanIn: G, set: all, size: 3}}
- {name: G}
`, []int{1, 2}, "Weft.Graph: the set all is to have 3 members, and A has fanned out to 2")
	outputs(t, `
- {name: O, start: true, next: {map: A}}
- {name: A, sets: [all], next: {map: F}}
- {name: F, next: {fanIn: G, set: all, size: 3}}
- {name: G, next: {fanIn: H, values: [G-$0, G-($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: H, next: {fanIn: K, values: [H-*], pop: true}}
- {name: K}
`, [][]int{{1, 2, 3}, {1, 2}, {1, 2, 3}}, "Weft.Graph: the set all is to have 3 members, and A has fanned out to 2")
	outputs(t, `
- {name: A, start: true, sets: [all], next: {map: F}}
- {name: F, next: [{invoke: G, if: $out > 1, $0: $0 + 1}, {fanIn: H, set: all, size: $size, if: otherwise}]}
- {name: G, next: {fanIn: H, set: all, size: $size}}
- {name: H}
`, []int{3}, "Weft.Graph: G would be number 1 of 1")
	outputs(t, `
- {name: A, start: true, next: [{invoke: B, if: $out}, {invoke: C, if: otherwise}]}
- {name: B}
- {name: C}
`, 7, "Weft.Graph: A, next[0]: $out is 7, neither true nor false")
}

// TestPlans has what an instance of ExCamera's graph does, to the letter.
func TestPlans(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../ir/testdata/excamera.yaml")
	if err != nil {
		t.Fatal(err)
	}
	app, err := ir.Parse([]ir.File{{Name: "excamera.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(app)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		function string
		index    int64
		want     string
	}{
		{"vpxenc", 0, "start xcdec-0"},
		{"vpxenc", 2, "start xcdec-2; reencode-2 of [vpxenc-2 xcdec-1]"},
		{"vpxenc", 4, "reencode-4 of [vpxenc-4 xcdec-3]"},
		{"xcdec", 0, "rebase-1 of [vpxenc-1 xcdec-0]"},
		{"reencode", 3, "rebase-3 of [rebase-2 reencode-3]"},
		{"rebase", 2, "rebase-3 of [rebase-2 reencode-3]"},
		{"rebase", 4, "the end"},
	} {
		lines := []protocol.Line{{Nonce: "n", Step: 1}, {Name: "x", Step: 1, Index: c.index, Size: 5}}
		plan, err := g.Plan(&protocol.Request{Function: c.function, Lines: lines}, nil, &protocol.Outcome{Kind: protocol.Returned, Output: []byte("1")})
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(plan); got != c.want {
			t.Errorf("%s-%d: %s, want %s", c.function, c.index, got, c.want)
		}
	}
	lines := []protocol.Line{{}, {Index: 4}, {Index: 7}}
	if got := lineName("F", lines, ir.Frame{Index: 2, Iteration: 3}); got != "F-4.7.2~3" {
		t.Errorf("the line is named %s", got)
	}
}

func describe(plan *protocol.Plan) string {
	if plan.Graph == nil {
		return "the end"
	}
	var parts []string
	for _, s := range plan.Graph.Start {
		parts = append(parts, "start "+s.Line.Name)
	}
	for _, f := range plan.Graph.FanIns {
		parts = append(parts, fmt.Sprint(f.Start.Line.Name, " of ", f.Values))
	}
	return strings.Join(parts, "; ")
}

// TestTimes holds that a join is when the last line ended, and which functions leave no checkpoint.
func TestTimes(t *testing.T) {
	t.Parallel()
	app, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte(`
version: 1
name: app
functions:
- {name: A, start: true, checkpoint: false, code: a, next: {map: F}}
- {name: F, code: f, next: {fanIn: G, values: [F-*], pop: true}}
- {name: G, code: g, next: {map: H, if: $out == 1}}
- {name: H, next: {fanIn: A2, values: [H-*], pop: true}}
- {name: A2}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(app)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"A": true, "F": false, "H": true} {
		if w, err := g.Work(&protocol.Request{Function: name, Lines: []protocol.Line{{}}}, nil); err != nil || w.Unchecked != want {
			t.Errorf("%s is unchecked: %v (%v)", name, w.Unchecked, err)
		}
	}
	ends := []*protocol.End{{Output: []byte("1"), Now: 5, Into: "H#0"}, {Output: []byte("2"), Now: 9, Into: "H#0"}, {Output: []byte("3"), Now: 7, Into: "F#9"}}
	if plan, err := g.Join("run", []protocol.Line{{}}, nil, ends, -1); err != nil || plan.End == nil || plan.End.Now != 9 {
		t.Errorf("%+v (%v)", plan, err)
	}
	if _, err := g.Join("run", []protocol.Line{{}}, nil, ends[2:], -1); err == nil {
		t.Error("a line ended into a continuation that is not there")
	}
}

// TestTree folds in rounds: each is an iteration, whose names are its own.
func TestTree(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, code: a, start: true, next: [{invoke: F}, {invoke: F}, {invoke: F}, {invoke: F}]}
- name: F
  code: f
  next:
  - {fanIn: F, values: [F-$0, F-($0 + 1)], if: $iteration == 0 and $0 % 2 == 0, next: true}
  - {fanIn: F, values: [F-$0, F-($0 + 2)], if: $iteration == 1 and $0 == 0, next: true}
`, "x", "f(f(f(a(x)) f(a(x))) f(f(a(x)) f(a(x))))")
}

// TestGraphOfJoins has functions that are read by name behind a fan-out and join of their own.
func TestGraphOfJoins(t *testing.T) {
	t.Parallel()
	outputs(t, `
- {name: A, start: true, next: {map: B}}
- {name: B, next: {map: C}}
- {name: C, code: c, next: {fanIn: D, values: [C-$1.*], pop: true}}
- {name: D, code: d, next: {fanIn: E, values: [D-$0, D-($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: E, code: e, next: {fanIn: J, values: [E-*], pop: true}}
- {name: J, code: j}
`, [][]string{{"x", "y"}, {"z"}, {}}, "j(e(d(c(x) c(y)) d(c(z))) e(d(c(z)) d()))")
}

func TestErrorsAreTriedAgainAndCaught(t *testing.T) {
	t.Parallel()
	const app = `
- name: A
  code: a
  start: true
  retry: [{errors: [Busy], intervalSeconds: 2, maxAttempts: 3, backoffRate: 3, maxDelaySeconds: 5}, {errors: [Gone, Busy], maxAttempts: 1}]
  next: [{invoke: B}, {catch: C, errors: [Gone]}]
- {name: B, code: b}
- {name: C, code: c}
`
	for _, c := range []struct {
		errors []string
		want   string
		at     int64
	}{
		{nil, "b(a(x))", 0},
		{[]string{"Busy", "Busy", "Busy"}, "b(a(x))", 6000},
		{[]string{"Busy", "Gone", "Busy"}, "b(a(x))", 6000},
		{[]string{"Busy", "Busy", "Busy", "Busy"}, "Busy: number 4", 6000},
		{[]string{"Gone", "Gone"}, `c({"Cause":"number 2","Error":"Gone"})`, 2000},
		{[]string{"Other"}, "Other: number 1", 0},
	} {
		app, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte("version: 1\nname: app\nfunctions:" + app)}})
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		w := newWorld(t, app, 1, false, map[string]func(any) (any, error){"a": func(in any) (any, error) {
			if runs++; runs <= len(c.errors) {
				return nil, raised{c.errors[runs-1], fmt.Sprint("number ", runs)}
			}
			return "a(" + words(in) + ")", nil
		}})
		end := w.run("x")
		got := words(value(end.Output))
		if end.Failed {
			got = end.Error + ": " + end.Cause
		}
		if got != c.want || w.latest != c.at {
			t.Errorf("%v: %s at %d, want %s at %d", c.errors, got, w.latest, c.want, c.at)
		}
	}
}

// TestErrorsInBranchesEndTheRun has an error in a branch of a map, and on a line of a graph.
func TestErrorsInBranchesEndTheRun(t *testing.T) {
	t.Parallel()
	fail := map[string]func(any) (any, error){"f": func(in any) (any, error) {
		if in == "y" {
			return nil, raised{"Bad", "it is y"}
		}
		return in, nil
	}}
	outputs(t, `
- {name: M, start: true, next: {map: F}}
- {name: F, code: f, next: {fanIn: J, values: [F-*], pop: true}}
- {name: J, code: j}
`, []string{"x", "y", "z"}, "Bad: it is y", fail)
	outputs(t, `
- {name: M, start: true, next: {map: F}}
- {name: F, code: f, next: {fanIn: J, values: [F-$0, F-($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: J, code: j, next: {fanIn: K, values: [J-*], pop: true}}
- {name: K, code: k}
`, []string{"x", "y", "z"}, "Bad: it is y", fail)
}

// TestExCamera compares the graph with a direct computation of what it means.
func TestExCamera(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../ir/testdata/excamera.yaml")
	if err != nil {
		t.Fatal(err)
	}
	app, err := ir.Parse([]ir.File{{Name: "excamera.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 20; n++ {
		for seed := range uint64(5) {
			chunks := make([]string, n)
			for i := range chunks {
				chunks[i] = fmt.Sprint(i)
			}
			short := func(name string) func(any) (any, error) { // so that texts stay short
				return func(in any) (any, error) { return name + sum(words(in)), nil }
			}
			w := newWorld(t, app, seed, seed > 1, map[string]func(any) (any, error){
				"split": func(any) (any, error) { return chunks, nil }, "vpxenc": short("v"), "xcdec": short("x"), "reencode": short("e"), "rebase": short("r"),
			})
			end := w.run("film")
			if got, want := words(value(end.Output)), exCamera(chunks); end.Failed || got != want {
				t.Fatalf("%d chunks, seed %d: got %s, want %s (%s)", n, seed, got, want, end.Cause)
			}
			if want := fmt.Sprintf("map[rebase:%d reencode:%d split:1 vpxenc:%d xcdec:%d]", n-1, n-2, n, n-1); seed < 2 && n > 2 && fmt.Sprint(w.runs) != want {
				t.Errorf("%d chunks: executed were %v, want %s", n, w.runs, want)
			}
		}
	}
}

func sum(s string) string {
	h := uint64(14695981039346656037)
	for _, c := range []byte(s) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return strings.ToUpper(fmt.Sprintf("%x", h))
}

func exCamera(chunks []string) string {
	enc := func(i int) string { return "v" + sum(chunks[i]) }
	dec := func(i int) string { return "x" + sum(enc(i)) }
	if len(chunks) == 1 {
		return enc(0)
	}
	last := "r" + sum(enc(1)+" "+dec(0))
	for i := 2; i < len(chunks); i++ {
		last = "r" + sum(last+" "+"e"+sum(enc(i)+" "+dec(i-1)))
	}
	return last
}
