package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a/machine.asl.json", "a/other.asl.json", "a/weft.yaml", "a/input.json", "b/flow.v2.asl.yaml", "c/x.asl.json", "c/y.asl.yml", "d/z.json")
	at := func(p string) string { return filepath.Join(dir, p) }
	for path, want := range map[string]Project{
		"a":                  {Name: "a", Machine: at("a/machine.asl.json"), Config: at("a/weft.yaml"), Input: at("a/input.json")},
		"a/other.asl.json":   {Name: "other", Machine: at("a/other.asl.json"), Config: at("a/weft.yaml")},
		"b":                  {Name: "flow", Machine: at("b/flow.v2.asl.yaml")},
		"d/z.json":           {Name: "z", Machine: at("d/z.json")},
		"a/machine.asl.json": {Name: "a", Machine: at("a/machine.asl.json"), Config: at("a/weft.yaml")},
	} {
		got, err := Find(at(path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if d := cmp.Diff(want, *got); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
	for path, kind := range map[string]fault.Kind{"c": fault.InvalidArgument, "d": fault.ResourceNotFound, "nowhere": fault.ResourceNotFound} {
		if _, err := Find(at(path)); !fault.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestScanSkipsWhatIsNotTheUsers(t *testing.T) {
	t.Parallel()
	dir := tree(t, "b/machine.asl.json", "a.asl.yaml", ".weft/x.asl.json", "node_modules/y.asl.json", "vendor/z.asl.json", "c.json", ".asl.json")
	got, err := Scan(dir)
	want := []string{filepath.Join(dir, "a.asl.yaml"), filepath.Join(dir, "b/machine.asl.json")}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	if _, err := Scan(filepath.Join(dir, "nowhere")); !fault.Is(err, fault.ResourceNotFound) {
		t.Error(err)
	}
}

func TestMachineName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/x/word count/machine.asl.json":                 "word-count",
		"/x/é.asl.json":                                  "machine",
		"/x/Order_7-b.asl.json":                          "Order_7-b",
		"/x/" + strings.Repeat("n", 200) + ".asl.json":   strings.Repeat("n", 80),
		"/x/" + strings.Repeat("日本", 100) + "a.asl.json": "a",
	} {
		if got := MachineName(path); got != want {
			t.Errorf("MachineName(%q) = %q, want %q", path, got, want)
		}
	}
}

const yamlText = `# a comment
StartAt: A
States:
  A:
    Type: Pass
    Result: {n: 0x10, f: 1.50, on: "yes", none: ~, when: 2026-01-02, big: 12345678901234567890}
    Parameters: &p
      "a.$": $.b
    Next: B
  B: {Type: Pass, Parameters: *p, Comment: "multi
    line", End: true}
`

func TestYAMLBecomesTheSameJSON(t *testing.T) {
	t.Parallel()
	got, places, err := JSON("m.yaml", []byte(yamlText))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"n":16,"f":1.50,"on":"yes","none":null,"when":"2026-01-02","big":12345678901234567890},` +
		`"Parameters":{"a.$":"$.b"},"Next":"B"},"B":{"Type":"Pass","Parameters":{"a.$":"$.b"},"Comment":"multi line","End":true}}}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	for text, at := range map[string][2]int{`"Next"`: {9, 5}, `"B"},`: {9, 11}, `16`: {6, 17}} {
		if line, col := places.Of(strings.Index(string(got), text)); line != at[0] || col != at[1] {
			t.Errorf("%s is at %d:%d, want %v", text, line, col, at)
		}
	}
}

func TestYAMLThatIsNoDefinition(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i <= 'k'; i++ {
		bomb += string(i) + ": &" + string(i) + " [" + strings.Repeat("*"+string(i-1)+",", 10) + "]\n"
	}
	for text, want := range map[string]string{
		"":                        "",
		"a: [":                    "no YAML",
		"a: 1\n---\nb: 2":         "several YAML documents",
		"? [x]\n: 1":              "plain string",
		"a: .nan":                 "no JSON number",
		"<<: {a: 1}":              "plain string",
		bomb:                      "larger than",
		strings.Repeat("- ", 2e3): "nested deeper",
	} {
		_, _, err := JSON("m.yaml", []byte(text))
		if !fault.Is(err, fault.InvalidDefinition) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := tree(t, "ok.asl.json")
	big := filepath.Join(dir, "big.asl.json")
	if err := os.WriteFile(big, make([]byte, limits.Default.DefinitionBytes+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(filepath.Join(dir, "ok.asl.json")); err != nil || string(text) != "{}" {
		t.Error(string(text), err)
	}
	for path, kind := range map[string]fault.Kind{big: fault.InvalidDefinition, dir: fault.InvalidArgument, dir + "/gone": fault.ResourceNotFound} {
		if _, err := Read(path); !fault.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
