package jsonata

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// answerOf evaluates and writes the answer: JSON, "undefined", "function", or the error with position and token.
func answerOf(t testing.TB, expr string, env *Env) string {
	t.Helper()
	x, err := Compile(expr)
	var v any
	var defined bool
	if err == nil {
		v, defined, err = x.Eval(env)
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return fmt.Sprintf("%s at %d token %q", e.Error(), e.Position, e.Token)
	case !defined:
		return "undefined"
	}
	if _, ok := v.(Function); ok {
		return "function"
	}
	return jsonvalue.Text(v)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const input = `{"a": {"b": [{"c": 1, "d": "x"}, {"c": 2}, {"c": 3, "d": "z"}]}, "big": 12345678901234567890, "one": 1.0, "s": "höhe 12", "list": [3, 1, 2], "e": [], "deep": [[1], [2, [3]]]}`
	for _, c := range []struct{ expr, want string }{
		{`a.b.c`, `[1,2,3]`},
		{`a.b.d[0]`, `["x","z"]`},
		{`(a.b.d)[0]`, `"x"`},
		{`a.b[c > 1][d].c`, `3`},
		{`a.b[c = 3].c[]`, `[3]`},
		{`a.b[-1].d`, `"z"`},
		{`a.b[[0, 2]].c`, `[1,3]`},
		{`a.nothing`, `undefined`},
		{`e`, `[]`},
		{`deep`, `[[1],[2,[3]]]`},
		{`deep.$`, `[1,2,[3]]`},
		{`big`, `12345678901234567890`},
		{`[one, one + 0]`, `[1.0,1]`},
		{`big + 1`, `12345678901234567000`},
		{`0.1 + 0.2`, `0.30000000000000004`},
		{`"" & (0.1 + 0.2)`, `"0.3"`},
		{`1e21 & " " & 1e-7 & " " & 123456789.5`, `"1e+21 1e-7 123456789.5"`},
		{`{"b": 1, "2": 2, "a": 3, "1": 4}`, `{"1":4,"2":2,"b":1,"a":3}`},
		{`a.b{d: c}`, `{"x":1,"z":3}`},
		{`list^($)`, `[1,2,3]`},
		{`a.b^(>c).c`, `[3,2,1]`},
		{`a.b.(c * 2)`, `[2,4,6]`},
		{`a.b.c.%.d`, `["x","z"]`},
		{`a.b@$x.($$.list)[$ = $x.c].($ & ":" & $x.c)`, `["1:1","2:2","3:3"]`},
		{`list#$i.{"i": $i, "v": $}`, `[{"i":0,"v":3},{"i":1,"v":1},{"i":2,"v":2}]`},
		{`a ~> |b|{"c": c + 1}, "d"|`, `{"b":[{"c":2},{"c":3},{"c":4}]}`},
		{`($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, $a + $n) }; $f(100000, 0))`, `5000050000`},
		{`($add := function($x, $y) { $x + $y }; $inc := $add(?, 1); [1, 2].$inc($))`, `[2,3]`},
		{`($f := $trim ~> $uppercase; $f("  ab "))`, `"AB"`},
		{`$map(list, function($v, $i) { $v * $i })`, `[0,1,4]`},
		{`$match(s, /(\p)?(\d+)/).groups`, `[null,"12"]`},
		{`$match(s, /(?<=e )(\d)(?!\1)/).match`, `"1"`},
		{`$replace(s, /(h)(ö)/, "$2$1")`, `"öhhe 12"`},
		{`$split("a1b22c", /\d+/)`, `["a","b","c"]`},
		{`$length("😀x")`, `2`},
		{`$substring("😀xyz", 1, 2)`, `"xy"`},
		{`"\uD83D\uDE00"`, `"😀"`},
		{`"\uD83D" & "\uDE00"`, `"😀"`},
		{`$string("\uD83D")`, `"` + "\uFFFD" + `"`},
		{`$encodeUrl("\uD83D")`, `D3140: Malformed URL passed to $encodeUrl(): "\ud83d" at 11 token "encodeUrl"`},
		{`$sum`, `function`},
		{`[$sum]`, `[""]`},
		{`$eval("1")`, `T1006: Attempted to invoke a non-function at 6 token "eval"`},
		{`a ?? 1`, `S0211: The symbol "?" cannot be used as a unary operator at 4 token "?"`},
		{`a ?: 1`, `S0211: The symbol ":" cannot be used as a unary operator at 4 token ":"`},
		{`1 +`, `S0207: Unexpected end of expression at 3 token "(end)"`},
		{`[1, 2`, `S0203: Expected "]" before end of expression at 5 token "(end)"`},
		{`1 + "x"`, `T2002: The right side of the "+" operator must evaluate to a number at 3 token "+"`},
		{`"a" < 1`, `T2009: The values "a" and 1 either side of operator "<" must be of the same data type at 5 token "<"`},
		{`$length(1)`, `T0410: Argument 1 of function "length" does not match function signature at 8 token "length"`},
		{`nofunction(1)`, `T1006: Attempted to invoke a non-function at 11 token "nofunction"`},
		{`sum(1)`, `T1005: Attempted to invoke a non-function. Did you mean $sum? at 4 token "sum"`},
		{`$error("no")`, `D3137: no at 7 token "error"`},
		{`1/0`, `D1001: Number out of range: null at 0 token ""`},
		{`/a**/`, `S0303: Invalid regular expression: /a**/: Nothing to repeat at 1 token ""`},
		{`(%)`, `S0217: The object representing the 'parent' cannot be derived from this expression at 1 token "block"`},
	} {
		in := tree(t, []byte(input))
		if got := answerOf(t, c.expr, &Env{Input: in, HasInput: true}); got != c.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", c.expr, got, c.want)
		}
	}
}

func TestStatesEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{`$hash("abc", "MD5")`, `"900150983cd24fb0d6963f7d28e17f72"`},
		{`$hash("abc", "SHA-1")`, `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{`$substring($hash("abc", "SHA-256"), 0, 8)`, `"ba7816bf"`},
		{`$length($hash("abc", "SHA-384")) & $length($hash("abc", "SHA-512"))`, `"96128"`},
		{`$random(7) = $random(7)`, `true`},
		{`$random(7) = $random(8)`, `false`},
		{`$random() = $random()`, `false`},
		{`$uuid() ~> $contains(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)`, `true`},
		{`$uuid() = $uuid()`, `false`},
		{`$now()`, `"2026-01-02T03:04:05.006Z"`},
		{`$millis()`, `1767323045006`},
		{`$states.input.x & $mine`, `"1m"`},
		{`$count($shuffle([1..10]))`, `10`},
	} {
		env := &Env{Now: oracleTime, Variable: func(name string) (any, bool) {
			switch name {
			case "states":
				return tree(t, []byte(`{"input": {"x": 1}}`)), true
			case "mine":
				return "m", true
			}
			return nil, false
		}}
		if got := answerOf(t, c.expr, env); got != c.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", c.expr, got, c.want)
		}
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{`$states.input.a`, `{false false [] [states] [] false}`},
		{`$`, `{true false [] [] [] false}`},
		{`$$.a`, `{false true [] [] [] false}`},
		{`a.b + c`, `{false false [a c] [] [] false}`},
		{`$x.(a + $)`, `{false false [] [x] [] false}`},
		{`$x[a = 1 and $ > $$]`, `{false true [] [x] [] false}`},
		{`$map($x, function($v) { $v.a & $ & b })`, `{true false [b] [x] [] false}`},
		{`($y := 1; $y + $z)`, `{false false [] [z] [] false}`},
		{`$nope($states) ~> $eval`, `{false false [] [nope states] [nope] true}`},
		{`{"k": v, *: **}`, `{false false [* ** v] [] [] false}`},
		{`$x@$a#$b.($a.c & $b)`, `{false false [] [x] [] false}`},
		{`$x ~> |a|{"b": c}, d|`, `{false false [] [x] [] false}`},
		{`$x^(a){b: c}`, `{false false [] [x] [] false}`},
	} {
		x, err := Compile(c.expr)
		if err != nil {
			t.Fatal(c.expr, err)
		}
		if got := fmt.Sprint(x.Uses()); got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

// TestLimits runs what would hurt: all of it ends soon, with a code.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := Limits{Steps: 100_000, Depth: 500, ResultBytes: 100_000}
	for _, c := range []struct{ expr, code string }{
		{`($f := function() { $f() }; $f())`, "U1001"},
		{`($f := function() { 1 + $f() }; $f())`, "U1001"},
		{`($f := function($n) { [$f($n), $f($n)] }; $f(1))`, "U1001"},
		{`$match($pad("", 5000, "a"), /(a*)*b/)`, "U1001"},
		{`$contains($pad("", 5000, "a"), /^(?:(?:a|aa)+)+$b/)`, "U1001"},
		{`$contains($pad("", 60, "a"), /(?=(a+)+b)/)`, "U1001"},
		{`[1..10000000]`, "U1001"},
		{`[1..1000].([1..1000])`, "U1001"},
		{`$map([1..1000], function($x) { $map([1..1000], function($y) { $x }) })`, "U1001"},
		{`($x := $reduce([1..60], function($x, $i) { [[$x, $x]] }, 0); $x = $reduce([1..60], function($x, $i) { [[$x, $x]] }, 0))`, "U1001"},
		{`$boolean($reduce([1..60], function($x, $i) { [[$x, $x]] }, [0]))`, "U1001"},
		{`$reduce([1..2000], function($x, $i) { {"a": $x} }, 0)`, "U1001"},
		{`$reduce([1..60], function($x, $i) { {"a": $x, "b": $x} }, 0)`, "U1002"},
		{`$string($reduce([1..60], function($x, $i) { {"a": $x, "b": $x} }, 0))`, "U1002"},
		{`$reduce([1..60], function($x, $i) { $x & $x }, "ab")`, "U1002"},
		{`$pad("", 1e15)`, "U1002"},
		{`$replace($pad("", 400, "a"), /a+/, $pad("", 800, "$0"))`, "U1002"},
		{`$formatInteger(1, $pad("", 5000, "0,"))`, "U1002"},
		{`$fromMillis(1, $pad("", 5000, "[Y]"))`, "U1002"},
		{`$sort([1..9000], function($a, $b) { $a < $b })`, "U1001"},
	} {
		x, err := Compile(c.expr)
		if err != nil {
			t.Fatal(c.expr, err)
		}
		v, _, err := x.Eval(&Env{Limits: limits})
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || e.Message == "" {
			t.Errorf("%s: got %.100v, %v, want %s", c.expr, v, err, c.code)
		}
	}
	for _, text := range []string{
		strings.Repeat("(", 100_000), strings.Repeat("a.", 100_000) + "a", strings.Repeat("1+", 100_000) + "1",
		strings.Repeat("-", 100_000) + "1", "/" + strings.Repeat("(", 100_000) + "/", "/" + strings.Repeat("(a{9}", 500) + strings.Repeat(")", 500) + "/",
	} {
		if _, err := Compile(text); err == nil {
			t.Errorf("%.10s... compiles", text)
		}
	}
}

// TestSharedExpression evaluates one expression from many goroutines, under the race detector.
func TestSharedExpression(t *testing.T) {
	t.Parallel()
	x, err := Compile(`$sum($map(a, function($v) { $v * 2 })) & $match("ab12", /\d+/).match & $fromMillis(0, "[Y]")`)
	if err != nil {
		t.Fatal(err)
	}
	in := tree(t, []byte(`{"a": [1, 2, 3]}`))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				v, _, err := x.Eval(&Env{Input: in, HasInput: true})
				if v != "12121970" || err != nil {
					t.Error(v, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestRegexAgainstWords holds matches and captures of the engine itself.
func TestRegex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, flags, text, want string }{
		{`a|ab`, "", "ab", "[0 1]"},
		{`(a*)(a*)`, "", "aaa", "[0 3 0 3 3 3]"},
		{`(a)|(b)`, "", "b", "[0 1 -1 -1 0 1]"},
		{`(?:(a)|b)*`, "", "ab", "[0 2 -1 -1]"},
		{`(z)((a+)?(b+)?(c))*`, "", "zaacbbbcac", "[0 10 0 1 8 10 8 9 -1 -1 9 10]"},
		{`(?=(a+))a*b\1`, "", "baaabac", "[3 6 3 4]"},
		{`(?<=(\d+)(\d+))$`, "", "1053", "[4 4 0 1 1 4]"},
		{`(?<n>.)\k<n>`, "", "abccd", "[2 4 2 3]"},
		{`a{2,3}?`, "", "aaaa", "[0 2]"},
		{`^b$`, "m", "a\nb\nc", "[2 3]"},
		{`[^]`, "", "\n", "[0 1]"},
		{`[]`, "", "a", "[]"},
		{`\bé`, "i", "É", "[]"},
		{`é`, "i", "É", "[0 1]"},
		{`(?!a)\w`, "", "ab", "[1 2]"},
		{`x{,2}`, "", "x{,2}", "[0 5]"},
		{`\u0061\x62\143`, "", "abc", "[0 3]"},
	} {
		re, err := compileRegex(c.pattern, c.flags)
		if err != nil {
			t.Errorf("/%s/: %v", c.pattern, err)
			continue
		}
		ev := newEvaluator(&Expr{}, &Env{})
		reg, err := re.exec(ev, newSubject(c.text), 0)
		if reg != nil {
			reg = reg[:2*re.groups+2]
		}
		if got := fmt.Sprint(slices.Clone(reg)); got != c.want || err != nil {
			t.Errorf("/%s/%s in %q: got %s, %v, want %s", c.pattern, c.flags, c.text, got, err, c.want)
		}
	}
	for _, pattern := range []string{`(`, `)`, `*`, `a**`, `[`, `[b-a]`, `a{2,1}`, `(?<a>.)(?<a>.)`, `(?<1>.)`, `\`, `(?x)`, `(?<a>.)\k<b>`, `{1}`, `(?<=a)*`} {
		if _, err := compileRegex(pattern, ""); err == nil {
			t.Errorf("/%s/ compiles", pattern)
		}
	}
}

func TestCompareText(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "A", "a", "aa", "b", "é", "\uD7FF", "\U00010000", "\U0010FFFF", "\uE000", "\uFFFD"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := compareText(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
			if got := compareText("x"+a+"y", "x"+a+"y"); got != 0 {
				t.Errorf("%q and itself: %d", a, got)
			}
		}
	}
}
