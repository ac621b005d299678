package machine

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
)

// TestTemplateThatGrows gives a template that holds its input a thousand times an input of 1 MiB: the text
// would take 1 GiB.
func TestTemplateThatGrows(t *testing.T) {
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf(`"f%d.$":"$"`, i))
	}
	w := newWorld(t, parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{`+strings.Join(fields, ",")+`},"End":true}}}`),
		Execution{Name: "r"}, limits.Default)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := w.run(`{"big":"` + strings.Repeat("x", 1<<20) + `"}`); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if w.finish.Status != Failed || w.finish.Error != errDataLimit {
		t.Errorf("the run ended %v %s", w.finish.Status, w.finish.Error)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 128<<20 {
		t.Errorf("the run allocated %d MiB", grown>>20)
	}
}

// TestCauseIsBounded gives a failing template a large input, which its cause quotes.
func TestCauseIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"v.$":"$.no"},"End":true}}}`),
		Execution{Name: "r"}, limits.Default)
	if err := w.run(`{"big":"` + strings.Repeat("é", 1<<18) + `"}`); err != nil {
		t.Fatal(err)
	}
	if n := len(w.finish.Cause); n > limits.CauseChars || n < limits.CauseChars-4 {
		t.Errorf("the cause has %d bytes", n)
	}
}
