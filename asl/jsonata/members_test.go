package jsonata

import (
	"slices"
	"testing"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		expr  string
		names []string
		whole bool
	}{
		{`$states.input.a & $states.context.b`, []string{"context", "input"}, false},
		{`$states.input[x > $states.result.y].z`, []string{"input", "result"}, false},
		{`$states`, nil, true},
		{`$keys($states)`, nil, true},
		{`$states.*`, nil, true},
		{`$lookup($states, "in" & "put") & $states.input`, []string{"input"}, true},
		{`$states["input"]`, nil, true},
		{`$states[input = 1].input`, []string{"input"}, true},
		{`$x.states.input`, nil, false},
		{`function($states) { $states.foo }(1)`, nil, false},
		{`{"k": [$states.errorOutput]}`, []string{"errorOutput"}, false},
	} {
		x, err := Compile(tc.expr)
		if err != nil {
			t.Fatalf("%s: %v", tc.expr, err)
		}
		if names, whole := x.Members("states"); !slices.Equal(names, tc.names) || whole != tc.whole {
			t.Errorf("%s: %q, %v; want %q, %v", tc.expr, names, whole, tc.names, tc.whole)
		}
	}
}
