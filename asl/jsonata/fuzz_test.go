package jsonata

import (
	"errors"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// FuzzEval compiles and evaluates what it gets under small limits: an answer or an *Error comes, in bounded time
// and memory, the answer is JSON, a second evaluation gives the same, and the input stays as it was.
func FuzzEval(f *testing.F) {
	const order = `{"items":[{"sku":"a b","price":2.5,"n":3},{"sku":"é","price":1e3,"n":-1,"tags":["x",null,true]}],"o":{"k":[[1,2],[3]]}}`
	for _, expr := range []string{
		`$sum(items.(price * n))`,
		`items[price > 2 and $contains(sku, /A\s(?=b)/i)].{sku: tags[-1]}`,
		`items{sku: $join(tags, "-")}^(>n, sku)`,
		`($f := function($x) <n:n> { $x < 2 ? 1 : $x * $f($x - 1) }; [1..5].$f($))`,
		`o ~> |k|{"z": $$.items.%.n}, ["k"]|`,
		`$replace(items[0].sku, /(a)|(b)/, "<$1$2$$>") & $formatNumber(1234.5, "#,##0.00") & $fromMillis(0, "[Y0001]-[M01] [FNn]")`,
		`$reduce($map(**.n@$v#$i, function($x, $j) { $v + $i + $j }), function($a, $b) { $a & $b }, "")`,
		`$sort($distinct($spread(o).*)) ~> $reverse() ~> $partition(2)`,
		`$toMillis("1 Jan 2024", "[D] [MNn,3-3] [Y]") ? $parse("[1]") : $formatInteger(1999, "I;o(-th)")`,
	} {
		f.Add(expr, order)
	}
	f.Fuzz(func(t *testing.T, expr, data string) {
		if len(expr) > 4096 || len(data) > 4096 {
			return
		}
		input, err := jsonvalue.ParseString(data)
		if err != nil {
			return
		}
		x, err := Compile(expr)
		if err != nil {
			wantError(t, expr, err)
			return
		}
		before := jsonvalue.Text(input)
		env := Env{Input: input, HasInput: true, Limits: Limits{Steps: 50_000, Depth: 200, ResultBytes: 1 << 16}}
		v, defined, err := x.Eval(&env)
		if err != nil {
			wantError(t, expr, err)
		}
		again, definedAgain, errAgain := x.Eval(&env)
		if defined != definedAgain || (err == nil) != (errAgain == nil) {
			t.Fatalf("%q gives %v %v, then %v %v", expr, defined, err, definedAgain, errAgain)
		}
		if _, function := v.(Function); defined && !function {
			text := jsonvalue.Text(v)
			if back, err := jsonvalue.ParseString(text); err != nil || !jsonvalue.Equal(v, back) {
				t.Errorf("%q gives %s: %v", expr, text, err)
			}
			if text != jsonvalue.Text(again) {
				t.Errorf("%q gives %s, then %s", expr, text, jsonvalue.Text(again))
			}
		}
		if jsonvalue.Text(input) != before {
			t.Errorf("%q changed its input", expr)
		}
	})
}

func wantError(t *testing.T, expr string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code == "" || e.Message == "" {
		t.Fatalf("%q: %T %v", expr, err, err)
	}
}
