package ir

import (
	"math"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// env is a function in iteration 1 of branch 3 of 5, in branch 2 of 4.
func env(t testing.TB, out string) *Env {
	t.Helper()
	v, err := jsonvalue.ParseString(out)
	if err != nil {
		t.Fatal(err)
	}
	return &Env{Out: v, Exit: "done", Frames: []Frame{{Iteration: 7}, {2, 4, 0}, {3, 5, 1}}}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	const out = `{"n": 5.50, "word": "b", "list": [1, {"odd key": true}], "big": 12345678901234567890, "nil": null}`
	for text, want := range map[string]string{
		`$0 < $size - 1`:                       "true",
		`$0 == 3 and $1 == 2`:                  "true",
		`$iteration == 1 and $size == 5`:       "true",
		`not $0 > 0`:                           "false",
		`not (true and false) or false`:        "true",
		`$out.n == 5.5 and $out.n > 5`:         "true",
		`$out.big > 12345678901234567889`:      `column 12: 12345678901234567889 does not fit 64 bits`,
		`$out.big > 12345678901234567889.5`:    "true",
		`$out.word >= "a" and $out.word < "c"`: "true",
		`$out.list[1]["odd key"]`:              "true",
		`$out.list[2] == null`:                 "true",
		`$out.nothing.at.all == $out.nil`:      "true",
		`$out.word == 3`:                       "false",
		`$out.list == $out.list`:               "true",
		`2 + 3 * 4 - -1 == 15`:                 "true",
		`7 / -2 == -3 and 7 % -2 == 1`:         "true",
		`10 - 4 - 3 == 3`:                      "true",
		`$exit == "done"`:                      "true",
		`otherwise`:                            "false",
		`false and $out.word`:                  "false",
		`true and $out.word`:                   `$out.word is "b", neither true nor false`,
		`$out.word < 3`:                        `$out.word < 3: "b" and 3 have no order`,
		`$out.n + 1 == 6`:                      `$out.n is 5.50, not a whole number of 64 bits`,
		`9223372036854775807 + $0 > 0`:         `9223372036854775807 + $0 does not fit 64 bits, or divides by 0`,
		`1 / ($0 - 3) == 1`:                    `1 / ($0 - 3) does not fit 64 bits, or divides by 0`,
		`$2 == 0`:                              `there is no $2: the function has 2 fan-outs around it`,
		`$0 == "a"`:                            `column 4: $0 is a number and "a" is a text: they never compare`,
		`$0 and true`:                          `column 4: "and" takes a boolean, and $0 is a number`,
		`not $size`:                            `column 1: "not" takes a boolean, and $size is a number`,
		`"a" + 1 == 2`:                         `column 5: "+" takes a number, and "a" is a text`,
		`true < false`:                         `column 6: "<" orders numbers and texts, not a boolean and a boolean`,
		`0 < $0 < 3`:                           `column 8: comparisons do not chain; join two with "and"`,
		`$0 && true`:                           `column 4: "&" means nothing in an expression; write "and"`,
		`$out == 'a'`:                          `column 9: "'" means nothing in an expression; texts are in double quotes`,
		`$out.a = 1`:                           `column 8: "=" means nothing in an expression; write "=="`,
		`$ret == 1`:                            `column 1: there is no $ret; there are $out, $0, $1, …, $size, $iteration and $exit`,
		`$00 == 1`:                             `column 1: $00: a frame is $0 to $63`,
		`$64 == 1`:                             `column 1: $64: a frame is $0 to $63`,
		`007 == $0`:                            `column 1: 007 is not a number: it begins with 0`,
		`"a`:                                   `column 1: a text begins here and has no end`,
		`"\q" == $out`:                         `column 1: "\q" is not a text as JSON has it`,
		`($0 == 1`:                             `column 9: ")" is expected before the end`,
		`$0 == `:                               `column 7: a value is missing at the end`,
		`$out.`:                                `column 6: behind "." is a word; write ["…"] for other keys`,
		`$out[-1]`:                             `column 6: in brackets is the number of an item, from 0, or a key in double quotes`,
		`true false`:                           `column 6: "false" is not expected here`,
		`open("x")`:                            `column 1: "open" means nothing here; a text is in double quotes`,
		``:                                     `column 1: a value is missing at the end`,
		strings.Repeat("(", 100):               `column 65: this is nested more than 64 deep`,
		strings.Repeat("not ", 100) + "true":   `column 261: this is nested more than 64 deep`,
		"1 == " + strings.Repeat("-", 100):     `column 71: this is nested more than 64 deep`,
		strings.Repeat("x", ExprBytes+1):       `column 1: the expression has more than 1024 bytes`,
	} {
		got := "true"
		e, err := ParseExpr(text)
		if err == nil {
			var holds bool
			if holds, err = e.Holds(env(t, out)); !holds {
				got = "false"
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestExprPrintsAsItIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"$0+1":                      "$0 + 1",
		"((1+2))*3":                 "(1 + 2) * 3",
		"1+(2*3)":                   "1 + 2 * 3",
		"1-(2-3)":                   "1 - (2 - 3)",
		"(1-2)-3":                   "1 - 2 - 3",
		"(true and false) or true":  "true and false or true",
		"true and (false or true)":  "true and (false or true)",
		"not (not true)":            "not not true",
		"(not true) == false":       "(not true) == false",
		"(1==2)==(3==4)":            "(1 == 2) == (3 == 4)",
		"-(-3) == 3":                "--3 == 3",
		"-($0*2)":                   "-($0 * 2)",
		`$out["a"]["b c"][0].d==""`: `$out.a["b c"][0].d == ""`,
	} {
		e, err := ParseExpr(text)
		if err != nil || e.String() != want {
			t.Errorf("%s prints as %s (%v), want %s", text, e, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"F-0":             "F-0",
		"F-*":             "F-*",
		"F-$1.($0+1)":     "F-$1.($0 + 1)",
		"F-($0-1)":        "F-($0 - 1)",
		"user-find-1-2.3": "user-find-1-2.3",
		"a-b-($0-1).*":    "a-b-($0 - 1).*",
		"F-*.0":           `column 3: "*" is the last index`,
		"F":               `column 2: the name of a value is that of a function, "-" and indices, like F-0, F-($0 + 1) or F-*`,
		"F-":              `column 3: an index is a number, $n, an expression in parentheses, or "*"`,
		"F-$0+1":          `column 3: an index that is more than a number or $n is in parentheses`,
		"a-b-($0-x)":      `column 9: "x" means nothing here; a text is in double quotes`,
		"F-($out)":        `column 3: an index is a number made of $0, $1, …, $size and $iteration`,
		"F-(1 == 1)":      `column 3: an index is a number made of $0, $1, …, $size and $iteration`,
	} {
		v, err := ParseValue(text)
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestShiftAndLiteral(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"$0": 0, "$0 + 2": 2, "$0 - 3": -3, "$0 - -3": 3} {
		if c, ok := MustExpr(text).Shift(0); !ok || c != want {
			t.Errorf("%s shifts by %d, %v", text, c, ok)
		}
	}
	for _, text := range []string{"$1", "2 * $0", "$0 + $1", "$size", "3"} {
		if c, ok := MustExpr(text).Shift(0); ok {
			t.Errorf("%s shifts by %d", text, c)
		}
	}
	if c, ok := MustExpr("$size - 1").SizeShift(); !ok || c != -1 {
		t.Errorf("$size - 1 shifts by %d, %v", c, ok)
	}
	for _, n := range []int64{0, 5, -5, math.MaxInt64} {
		if got, ok := MustExpr(Int(n).String()).Literal(); !ok || got != n {
			t.Errorf("%d became %d", n, got)
		}
	}
	if !ExitIs("a \"b\"").Equal(MustExpr(`$exit == "a \"b\""`)) {
		t.Error("ExitIs is another guard")
	}
}

func FuzzExpr(f *testing.F) {
	for _, text := range []string{`$0 < $size - 1`, `not ($out.a["b"][0] == "x" or otherwise) and $iteration % 2 != -1`, "1.5 <= $out", "F-$1.*"} {
		f.Add(text)
	}
	where := env(f, `{"a": {"b": ["x"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := ParseExpr(text); err == nil {
			printed := e.String()
			again, err := ParseExpr(printed)
			if err != nil && len(printed) <= ExprBytes || err == nil && again.String() != printed {
				t.Fatalf("%q prints as %q, and that as %v (%v)", text, printed, again, err)
			}
			first, err1 := e.eval(where)
			if again != nil {
				second, err2 := again.eval(where)
				if (err1 == nil) != (err2 == nil) || err1 == nil && !same(first, second) {
					t.Fatalf("%q is %v (%v), and printed %v (%v)", text, first, err1, second, err2)
				}
			}
		}
		if v, err := ParseValue(text); err == nil {
			again, err := ParseValue(v.String())
			if err != nil && len(v.String()) <= ExprBytes || err == nil && again.String() != v.String() {
				t.Fatalf("%q prints as %q, and that as %q (%v)", text, &v, &again, err)
			}
		}
	})
}
