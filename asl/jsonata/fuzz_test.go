package jsonata

import (
	"errors"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// fuzzLimits are small, so that what runs away ends soon.
var fuzzLimits = Limits{Steps: 50_000, Depth: 400, ResultBytes: 1 << 20}

func seedExpressions(add func(text string)) {
	for i := range 60 {
		g := &generator{Rand: rand.New(rand.NewPCG(99, uint64(i)))}
		add(g.expr(3))
		add(g.picture())
		add("$match('abc', /" + g.regex(3) + "/i)")
	}
	for _, text := range []string{
		"", "(", "/", "/(/", "a.b[", "$x := ", "function($a)<s-n?:b>{", "|a|b|", "`", "\"\\uD800", "a ?? b", "a ?: b", "%.%", "a@$x#$y", "/*", "1e999",
		"/(a*)*b/ ~> $match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "($f := function($n){$f($n) & 'x'}; $f(1))", "[1..1e7]", "$pad('x', 1e9)",
	} {
		add(text)
	}
}

// FuzzCompile looks for texts that make compiling, or looking at what was compiled, panic or say something wrong.
func FuzzCompile(f *testing.F) {
	seedExpressions(func(text string) { f.Add(text) })
	f.Fuzz(func(t *testing.T, text string) {
		x, err := CompileWith(text, Options{Eval: true})
		var e *Error
		switch {
		case err == nil:
			x.Uses()
		case !errors.As(err, &e):
			t.Fatalf("%T is no *Error", err)
		case e.Code == "" || e.Message == "" || e.Position < 0 || e.Position > len(text):
			t.Fatalf("%+v", e)
		}
	})
}

// FuzzEval looks for evaluations that panic, do not end, or give what is no JSON.
func FuzzEval(f *testing.F) {
	seedExpressions(func(text string) { f.Add(text, oracleInput) })
	f.Fuzz(func(t *testing.T, text, input string) {
		in, err := jsonvalue.ParseString(input)
		x, err2 := CompileWith(text, Options{Eval: true})
		if err != nil || err2 != nil {
			return
		}
		before := jsonvalue.Text(in)
		v, defined, err := x.Eval(&Env{Input: in, HasInput: true, Limits: fuzzLimits})
		if after := jsonvalue.Text(in); after != before {
			t.Fatalf("the input has changed from %s to %s", before, after)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Code == "" || e.Message == "") {
			t.Fatalf("%#v", err)
		}
		if _, isFunction := v.(Function); err != nil || !defined || isFunction {
			return
		}
		out, whole := jsonvalue.AppendMax(nil, v, 8<<20)
		if !whole {
			return
		}
		if _, err := jsonvalue.Parse(out); err != nil || utf8.ValidString(before) && !utf8.Valid(out) {
			t.Fatalf("%.200s is no JSON: %v", out, err)
		}
	})
}
