package jsonata

import (
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// TestStatesFunctions holds what was recorded of Step Functions, or measured on it, of the functions that it adds. "" is
// undefined.
func TestStatesFunctions(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`$range(0, 10, 3)`:                 `[0,3,6,9]`,
		`$range(1, 9, 9)`:                  `1`,
		`$range(-1.7, 2, 1)`:               `[-1,0,1,2]`,
		`$range(3, 1, -1)`:                 `[3,2,1]`,
		`$range(1, 3, -1)`:                 ``,
		`$range(1, 3, 0)`:                  ``,
		`$range(1, 3)`:                     ``,
		`$append([], $range(7, 7, 1))`:     `[7]`,
		`$partition([1,2,3], 2)`:           `[[1,2],[3]]`,
		`$partition([1,2,3], 2.9)`:         `[[1,2],[3]]`,
		`$partition([1], 5)`:               `[[1]]`,
		`$partition([1,2], 0)`:             ``,
		`$partition([], 2)`:                ``,
		`$hash("a")`:                       ``,
		`$hash("a", "MD5")`:                `"0cc175b9c0f1b6a831c399e269772661"`,
		`$parse("-0")`:                     `0`,
		`$parse("{\"a\": [-0, -0.5, 1]}")`: `{"a":[0,-0.5,1]}`,
	} {
		x, err := Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		v, defined, err := x.Eval(&Env{})
		got := ""
		if defined {
			got = jsonvalue.Text(v)
		}
		if err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", expr, got, err, want)
		}
	}
}
