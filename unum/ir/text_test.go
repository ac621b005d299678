package ir

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func load(t testing.TB, name string) []File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return []File{{Name: name, Text: text}}
}

// bare returns the app without places and in fresh expressions, so that DeepEqual compares what it says.
func bare(a *App) *App {
	b := *a
	b.Functions = nil
	for _, f := range a.Functions {
		g := *f
		g.pos, g.Retry, g.Next = pos{}, nil, nil
		for _, t := range f.Retry {
			t.pos = pos{}
			g.Retry = append(g.Retry, t)
		}
		for _, c := range f.Next {
			c.pos = pos{}
			c.Values = append([]Value(nil), c.Values...)
			for i := range c.Values {
				c.Values[i].pos = pos{}
			}
			g.Next = append(g.Next, c)
		}
		b.Functions = append(b.Functions, &g)
	}
	return &b
}

// again returns what the app's texts are read as.
func again(t testing.TB, a *App) map[string]*App {
	t.Helper()
	apps := map[string]*App{}
	for form, files := range map[string][]File{
		"YAML": {{Name: "x.yaml", Text: a.YAML()}}, "JSON": {{Name: "x.json", Text: a.JSON()}}, "files": a.Files(),
	} {
		b, err := Parse(files)
		if err != nil {
			for _, f := range files {
				t.Logf("%s:\n%s", f.Name, f.Text)
			}
			t.Fatalf("as %s: %v", form, err)
		}
		apps[form] = b
	}
	return apps
}

func TestAppsReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		a := randomApp(rand.New(rand.NewPCG(seed, 1)))
		for form, b := range again(t, a) {
			if !reflect.DeepEqual(bare(a), bare(b)) {
				t.Fatalf("seed %d, %s:\n%s\nis read as\n%s", seed, form, a.YAML(), b.YAML())
			}
		}
	}
}

// randomApp makes an app that can be written, which need not mean anything.
func randomApp(r *rand.Rand) *App {
	a := &App{Version: Version, Name: "app", TimeoutSeconds: r.Int64N(3) * 60}
	if r.IntN(4) == 0 {
		a.Machine = []byte(`{"StartAt":"A: \"b\"","States":{"A: \"b\"":{"Type":"Wait","Seconds":1.0,"End":true}}}`)
	}
	for i := range 1 + r.IntN(5) {
		f := &Function{Name: fmt.Sprintf("f-%d", i), Code: []string{"", "count", "null", "12", "a: b # c", "ü\n\t"}[r.IntN(6)]}
		f.Start, f.NoCheckpoint = i == 0, r.IntN(3) == 0
		if a.Machine != nil {
			f.Glue = &Glue{State: []string{"", "/States/A~1b: c"}[r.IntN(2)]}
		}
		if r.IntN(3) == 0 {
			f.Sets = []string{"done", "true", "Read text: all"}
		}
		if r.IntN(3) == 0 {
			f.Retry = []Retrier{{Errors: []string{"States.ALL"}, IntervalSeconds: 0.25 * float64(r.IntN(9)), MaxAttempts: 1 + r.IntN(9), BackoffRate: 1.5, MaxDelaySeconds: float64(r.IntN(3))}}
		}
		for range r.IntN(4) {
			f.Next = append(f.Next, randomContinuation(r))
		}
		a.Functions = append(a.Functions, f)
	}
	return a
}

func randomContinuation(r *rand.Rand) Continuation {
	c := Continuation{Kind: Kind(1 + r.IntN(4)), To: fmt.Sprintf("f-%d", r.IntN(5)), Next: r.IntN(3) == 0}
	if c.Kind == Catch {
		c.Errors = [][]string{{"States.ALL"}, {"Sold out", "null"}}[r.IntN(2)]
		return c
	}
	guards := []*Expr{nil, MustExpr("true"), MustExpr(`$out.a["b: #"] == "it's"`), MustExpr("otherwise"), MustExpr("$0 < $size - 1 and not $out"), ExitIs("a\tb\u00fc")}
	c.If = guards[r.IntN(len(guards))]
	switch {
	case c.Kind == Map:
		c.Next, c.Concurrency = false, r.Int64N(3)
		return c
	case c.Kind == FanIn && r.IntN(2) == 0:
		c.Set, c.Pop, c.SetSize = "done", true, []*Expr{nil, Int(3), MustExpr("$size")}[r.IntN(3)]
	case c.Kind == FanIn:
		c.Pop = r.IntN(2) == 0
		c.Values = [][]Value{{value("f-0-*")}, {value("f-0-$1.($0 + 1)"), value("f-1-$1.0")}}[r.IntN(2)]
	}
	c.Index = []*Expr{nil, Int(-2), MustExpr("$0 + 1")}[r.IntN(3)]
	c.Size = []*Expr{nil, MustExpr("$size - 1")}[r.IntN(2)]
	return c
}

func value(text string) Value {
	v, err := ParseValue(text)
	if err != nil {
		panic(err)
	}
	return v
}

func TestExCameraPrints(t *testing.T) {
	t.Parallel()
	a, err := Parse(load(t, "excamera.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range a.Files() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "app.yaml split.weft.yaml vpxenc.weft.yaml xcdec.weft.yaml reencode.weft.yaml rebase.weft.yaml" {
		t.Errorf("the files are %s", got)
	}
	const want = `version: 1
name: vpxenc
code: vpxenc
next:
  - invoke: xcdec
    if: $0 < $size - 1
  - fanIn: reencode
    values: [vpxenc-$0, xcdec-($0 - 1)]
    if: $0 > 1
  - fanIn: rebase
    values: [vpxenc-$0, xcdec-($0 - 1)]
    if: $0 == 1
`
	if got := string(a.Function("vpxenc").YAML()); got != want {
		t.Errorf("vpxenc prints as\n%s", got)
	}
	if got := a.Function("rebase").Next[0].String(); got != "{fanIn: rebase, values: [rebase-$0, reencode-($0 + 1)], if: $0 < $size - 1, $0: $0 + 1}" {
		t.Errorf("a continuation prints as %s", got)
	}
}

// TestWhatIsNotTheLanguage has in each case a text and what is said of it, line by line.
func TestWhatIsNotTheLanguage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"version: 1\nname: a\nfunctions:\n- name: F\n  starts: true\n  next: {invok: G}\n": `
x.yaml:5:3: function "F": a function has no key "starts"; did you mean "start"?
x.yaml:6:10: function "F", next[0]: a continuation has no key "invok"; did you mean "invoke"?`,
		"version: 2\nname: 1a\nfunctions: F\ntimeoutSeconds: 0\n": `
x.yaml:1:10: the app: this is version 2 of the language, and version 1 is the newest that is known here; use a newer Weft
x.yaml:2:7: the app: a name is a letter, then letters, digits, "_" and "-", at most 60, not "1a"
x.yaml:3:12: the app: functions is a list, not "F"
x.yaml:4:17: the app: this is a whole number from 1 to 31622400, not 0`,
		"name: a\nfunctions: [F]\n": `
x.yaml:1:1: the app: version is missing
x.yaml:2:13: the app: there is no file F.weft.yaml; write the function here, or add the file`,
		"version: 1\nname: a\nname: b\nfunctions:\n- {code: c, retry: {maxAttempts: 0, errors: [[]]}}\n": `
x.yaml:3:1: the app: name is there twice, first on line 2
x.yaml:5:3: a function: name is missing
x.yaml:5:34: a function, retry[0]: this is a whole number from 1 to 99999999, not 0
x.yaml:5:46: a function, retry[0]: this is a text that is not empty, not a list`,
		"version: 1\nname: a\nfunctions:\n- name: F\n  next:\n  - fanIn: G\n    values: [F-$0, F-$0+1]\n    if: $0 < size\n  - {map: G, invoke: H}\n  - {to: G}\n  - {invoke: G, pop: true}\n  - fanIn: G\n    if: $0 + 1\n    size: \"$out.\"\n": `
x.yaml:7:22: function "F", next[0]: an index that is more than a number or $n is in parentheses (in F-$0+1)
x.yaml:8:14: function "F", next[0]: "size" means nothing here; a text is in double quotes (in $0 < size)
x.yaml:9:11: function "F", next[1]: a continuation is either invoke or map; write two continuations
x.yaml:10:5: function "F", next[2]: the continuation does not say what it does; write one of invoke, map, fanIn and catch, with the name of a function
x.yaml:11:17: function "F", next[3]: the continuation has no key "pop"; it knows invoke, if, next, $0, $size
x.yaml:13:9: function "F", next[4]: this is to give a boolean, and $0 + 1 gives a number
x.yaml:14:11: function "F", next[4]: behind "." is a word; write ["…"] for other keys (in $out.)`,
		`{"version": 1, "name": "a", "functions": [
  {"name": "F", "checkpoint": "no"}]}`: `
x.yaml:2:31: function "F": this is true or false, not "no"`,
		`{"version": 1,`:              "\nx.yaml:1:15: this is not JSON: the text ends, but a key in double quotes was expected",
		"version: 1\n\tname: a":       "\nx.yaml:2:1: this is not YAML: found a tab character that violates indentation",
		"":                            "\nx.yaml: this is not YAML: EOF",
		"version: 1\n---\nversion: 1": "\nx.yaml:1:1: the file has several YAML documents; a file for each, or functions: [...] in one",
		"- a":                         "\nx.yaml:1:1: the app: an app is a mapping (key: value), not a list",
		"version: 1\nname: a\nmachine: no\nfunctions: []\n":                                    "\n" + `x.yaml:3:10: the app: a machine is a definition in JSON or the name of a file with one, not "no"`,
		"a: &a [b, b]\nb: &b [*a, *a]\nversion: *b":                                            "\nx.yaml:1:1: the app: an app has no key \"a\"; it knows version, name, timeoutSeconds, machine, functions\nx.yaml:1:1: the app: name is missing\nx.yaml:1:1: the app: functions is missing\nx.yaml:2:1: the app: an app has no key \"b\"; it knows version, name, timeoutSeconds, machine, functions\nx.yaml:3:10: the app: version is a number, not a list; write version: 1",
		"version: 1\nname: a\nfunctions: " + strings.Repeat("[", 70) + strings.Repeat("]", 70): "\nx.yaml:3:76: this is nested more than 64 deep",
	} {
		_, err := Parse([]File{{Name: "x.yaml", Text: []byte(text)}})
		if got := fmt.Sprintf("\n%v", err); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"excamera.yaml", "text.yaml", "wordcount.yaml"} {
		f.Add(load(f, name)[0].Text)
	}
	for seed := range uint64(8) {
		a := randomApp(rand.New(rand.NewPCG(seed, 2)))
		f.Add(a.YAML())
		f.Add(a.JSON())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := Parse([]File{{Name: "x", Text: text}})
		if err != nil {
			return
		}
		a.Validate()
		for form, b := range again(t, a) {
			if string(a.YAML()) != string(b.YAML()) {
				t.Fatalf("%s:\n%s\nis read as\n%s", form, a.YAML(), b.YAML())
			}
		}
	})
}
