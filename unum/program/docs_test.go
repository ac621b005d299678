package program

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocs runs the examples of docs/unum-ir.md: each block of YAML with each line below it that says what gives what.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/unum-ir.md")
	if err != nil {
		t.Fatal(err)
	}
	gives := regexp.MustCompile("(?m)^`(.*)` gives `(.*)`$")
	examples := 0
	for _, part := range strings.Split(string(text), "\n```yaml\n")[1:] {
		app, below, _ := strings.Cut(part, "\n```\n")
		for _, m := range gives.FindAllStringSubmatch(below, -1) {
			var input any
			if err := json.Unmarshal([]byte(m[1]), &input); err != nil {
				t.Fatalf("%s: %v", m[1], err)
			}
			examples++
			seeds(t, app, nil, func(w *world) {
				if end := w.run(input); end.Failed || words(value(end.Output)) != m[2] {
					t.Errorf("%s\n%s gives %s%s%s, and the page says %s", app, m[1], words(value(end.Output)), end.Error, end.Cause, m[2])
				}
			})
		}
	}
	if examples < 12 {
		t.Errorf("found %d examples", examples)
	}
}
