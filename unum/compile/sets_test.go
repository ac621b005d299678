package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/unum/ir"
)

// TestWrittenAndRead wants what is compiled to be what is read again, whatever states are called.
func TestWrittenAndRead(t *testing.T) {
	t.Parallel()
	const definition = `{"StartAt": "Read text!", "States": {
		"Read text!": {"Type": "Parallel", "Next": "Read text?", "Branches": [{"StartAt": "a b", "States": {"a b": {"Type": "Task", "Resource": "f", "End": true}}}]},
		"Read text?": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "a-b", "States": {"a-b": {"Type": "Task", "Resource": "f", "End": true}}}}}}`
	app, err := Machine([]byte(definition), Options{Name: "text"})
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]ir.File{"files": app.Files(), "YAML": {{Name: "app.yaml", Text: app.YAML()}}, "JSON": {{Name: "app.json", Text: app.JSON()}}} {
		again, err := ir.Parse(files)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(string(app.YAML()), string(again.YAML())); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	sets := map[string]bool{}
	for _, f := range app.Functions {
		for _, s := range f.Sets {
			sets[s] = true
		}
	}
	if len(sets) != 2 {
		t.Errorf("two forks have the sets %v", sets)
	}
}
