package asl

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// seeded is a Scope whose random numbers are well spread and always the same.
type seeded struct {
	fixed
	last uint64
}

func (s *seeded) Random() uint64 { s.last += 0x9e3779b97f4a7c15; return s.last * 0xbf58476d1ce4e5b9 }

func evalCall(t *testing.T, text string) (any, error) {
	t.Helper()
	data, err := jsonvalue.ParseString(`{"s":"a,b;c","n":2.5,"list":[1,2,2.0,[3],[3],{"a":1,"b":2},{"b":2,"a":1}],"o":{"a":1,"b":2},"json":"{\"k\": [1]}","t":"{}-\\{\\}","a,b)":7,"big":9223372036854775807}`)
	if err != nil {
		t.Fatal(err)
	}
	context, _ := jsonvalue.ParseString(`{"Execution":{"Id":"r1"}}`)
	c, _, err := parseCall(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if c.String() != text {
		t.Errorf("%s is written as %s", text, c)
	}
	return c.Eval(&seeded{fixed: fixed{data, context}})
}

func TestIntrinsics(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`States.Format('{} is \{{}\}, it\'s \\ {}', $.s, $.n, $$.Execution.Id)`: `"a,b;c is {2.5}, it's \\ r1"`,
		`States.Format($.t, 'x')`:                        `"x-{}"`,
		`States.Format('{}{}{}', null, true, $.o)`:       `"nulltrue{a=1, b=2}"`,
		`States.Format('{} {}', $.list, States.Array())`: `"[1, 2, 2.0, [3], [3], {a=1, b=2}, {b=2, a=1}] []"`,
		`States.Format('{}', States.Array('a, b', null, false, States.StringToJson('{"k":{"l":["x y"]},"":{}}')))`: `"[a, b, null, false, {k={l=[x y]}, ={}}]"`,
		`States.StringToJson('  ')`: `null`,
		`States.Format('{} {} {} {} {} {}', 1.0, 1e3, 1E-5, 12345678.9, -0, 123456789012345678901)`: `"1.0 1000.0 1.0E-5 1.23456789E7 -0 123456789012345678901"`,
		`States.MathRandom(0, 10, 42)`:                                                  `0`,
		`States.MathRandom(-5, 3, 42)`:                                                  `0`,
		`States.MathRandom(0, 100000000000, 42)`:                                        `72756368003`,
		`States.MathAdd(-1.49, -1.5)`:                                                   `-3`,
		`States.StringToJson($.json)`:                                                   `{"k":[1]}`,
		`States.JsonToString($.o)`:                                                      `"{\"a\":1,\"b\":2}"`,
		`States.Array()`:                                                                `[]`,
		`States.Array( 1 , 'x' , $.n, null, false, -2e3)`:                               `[1,"x",2.5,null,false,-2e3]`,
		`States.ArrayPartition($.list, 3)`:                                              `[[1,2,2.0],[[3],[3],{"a":1,"b":2}],[{"b":2,"a":1}]]`,
		`States.ArrayContains($.list, States.Array(3))`:                                 `true`,
		`States.ArrayContains(States.Array('true', 2.0), true)`:                         `true`,
		`States.ArrayContains(States.Array(0), false)`:                                  `false`,
		`States.ArrayContains($.list, States.StringToJson('{"a":1}'))`:                  `false`,
		`States.ArrayContains(States.Array($.o), States.StringToJson('{"b":2,"a":1}'))`: `false`,
		`States.ArrayContains($.list, '1')`:                                             `true`,
		`States.ArrayRange(1, 9, 4)`:                                                    `[1,5,9]`,
		`States.ArrayRange(3, 1, -1)`:                                                   `[3,2,1]`,
		`States.ArrayRange(3, 1, 1)`:                                                    `[]`,
		`States.ArrayGetItem($.list, 3)`:                                                `[3]`,
		`States.ArrayLength($.list[?(@ > 1)])`:                                          `2`,
		`States.ArrayUnique($.list)`:                                                    `[1,2,[3],{"a":1,"b":2}]`,
		`States.Base64Encode('Data to encode')`:                                         `"RGF0YSB0byBlbmNvZGU="`,
		`States.Base64Decode('RGF0YSB0byBlbmNvZGU=')`:                                   `"Data to encode"`,
		`States.Hash('abc', 'MD5')`:                                                     `"900150983cd24fb0d6963f7d28e17f72"`,
		`States.Hash('abc', 'SHA-1')`:                                                   `"a9993e364706816aba3e25717850c26c9cd0d89d"`,
		`States.JsonMerge($.o, States.StringToJson('{"b":3,"c":4}'), false)`:            `{"a":1,"b":3,"c":4}`,
		`States.JsonMerge($.o, $.o, 'no')`:                                              `{"a":1,"b":2}`,
		`States.MathAdd($.n, -1)`:                                                       `2`,
		`States.MathAdd(-1.5, 0)`:                                                       `-2`,
		`States.MathRandom(5, 6)`:                                                       `5`,
		`States.MathAdd(2147483646, 1)`:                                                 `2147483647`,
		`States.ArrayRange(1.6, 1.4, 1)`:                                                `[1]`,
		`States.ArrayRange(5.4, -0.6, -2.4)`:                                            `[5,3,1]`,
		`States.ArrayPartition(States.Array(1, 2, 3), 2.6)`:                             `[[1,2],[3]]`,
		`States.ArrayGetItem($.list, 1.9)`:                                              `2`,
		`States.ArrayGetItem(States.Array(), 999)`:                                      `null`,
		`States.Base64Decode('abc')`:                                                    "\"i\ufffd\"",
		`States.Base64Decode(' YWJj!ZA==YWJj')`:                                         `"abcd"`,
		`States.Base64Decode('Pz8_YWJj-')`:                                              `"???abc"`,
		`States.Hash(12, 'MD5')`:                                                        `"c20ad4d76fe97759aa27a0c99bff6710"`,
		`States.StringSplit($.s, ',;')`:                                                 `["a","b","c"]`,
		`States.StringSplit(',,', ',')`:                                                 `[]`,
		`States.StringSplit('a\nb', '\n')`:                                              `["a","b"]`,
		`States.Array($['a,b)'], $.list[0])`:                                            `[7,1]`,
	} {
		v, err := evalCall(t, text)
		if err != nil || jsonvalue.Text(v) != want {
			t.Errorf("%s gives %s, %v; want %s", text, jsonvalue.Text(v), err, want)
		}
	}
}

func TestIntrinsicsDrawFromTheScope(t *testing.T) {
	t.Parallel()
	a, errA := evalCall(t, "States.UUID()")
	b, errB := evalCall(t, "States.UUID()")
	text, _ := a.(string)
	if errA != nil || errB != nil || a != b || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(text) {
		t.Errorf("%v, %v; %v, %v", a, errA, b, errB)
	}
	v, err := evalCall(t, "States.MathRandom(-10, 10, 42)")
	w, _ := evalCall(t, "States.MathRandom(-10, 10, 42)")
	if n, ok := v.(jsonvalue.Number).Int64(); err != nil || v != w || !ok || n < -10 || n >= 10 {
		t.Errorf("%v, %v, %v", v, w, err)
	}
	c, _, _ := parseCall("States.UUID()")
	if _, err := c.Eval(fixed{}); err == nil {
		t.Error("a UUID without randomness")
	}
}

func TestIntrinsicFailures(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"States.Format('{}')":                       "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.",
		"States.Format('', 1)":                      "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.",
		"States.Format('Hello {', 1)":               "Invalid template in States.Format: matching '}' not found for '{'.",
		"States.Format('{{}}', 1)":                  "Invalid template in States.Format: matching '}' not found for '{'.",
		"States.Format('}')":                        "Invalid template in States.Format: matching '{' not found for '}'.",
		"States.Format(1)":                          "a string",
		"States.StringToJson('{')":                  "not JSON",
		"States.ArrayGetItem($.list, 7)":            "outside",
		"States.ArrayGetItem($.list, -1)":           "outside",
		"States.ArrayGetItem($.list, '1')":          "a number",
		"States.ArrayLength($.s)":                   "an array",
		"States.ArrayPartition($.list, 0.6)":        "at least 1",
		"States.ArrayRange(1, 1001, 1)":             "more than 1000",
		"States.ArrayRange(1, 2, 0.49)":             "must not be 0",
		"States.ArrayRange(0, $.big, $.big)":        "2^53",
		"States.Base64Decode(1)":                    "a string",
		"States.Hash('a', 'sha-256')":               "no algorithm",
		"States.JsonMerge($.o, $.o, true)":          "must be false",
		"States.JsonMerge($.o, $.list, false)":      "an object",
		"States.MathAdd(2147483647, 1)":             "outside",
		"States.MathAdd(3000000000, -1)":            "outside",
		"States.MathAdd('1', 1)":                    "a number",
		"States.MathAdd(1e300, 1)":                  "64 bits",
		"States.MathRandom(1.4, 1.6)":               "less than",
		"States.StringSplit($.list, ',')":           "a string",
		"States.Array(States.ArrayGetItem($.s, 0))": "an array",
	} {
		_, err := evalCall(t, text)
		var e *IntrinsicError
		if !errors.As(err, &e) || e.ErrorName() != "States.IntrinsicFailure" || !strings.Contains(e.Reason.Error(), reason) {
			t.Errorf("%s: %v, want %q", text, err, reason)
		} else if want := "Invalid arguments in " + e.Function; e.Error() != want && e.Error() != reason {
			t.Errorf("%s: %q, want %q", text, e.Error(), want)
		}
	}
	var missing *jsonpath.MissingError
	if _, err := evalCall(t, "States.Array($.none)"); !errors.As(err, &missing) {
		t.Errorf("missing path: %v", err)
	}
}

func TestMalformedCalls(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		"States.Fromat('x')":   `did you mean "Format"?`,
		"States.UUID":          "parentheses",
		"States.UUID(1)":       "0 arguments",
		"States.MathRandom(1)": "2 to 3 arguments",
		"States.Format()":      "1 or more",
		"States.Format('x":     "closing quote",
		"States.Format('x'":    "expected ','",
		"States.Format('x') y": "unexpected",
		"States.Array(x)":      "an argument is",
		"States.Array([1])":    "an argument is",
		"States.Array($.a b)":  "blank",
		"States.Array(1":       "closing ')'",
		strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11): "nested",
	} {
		if _, _, err := parseCall(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", text, err, part)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add(`States.Format('{} \{ {}', $.a['x,)'], States.ArrayRange(0, 3, 1))`)
	for _, text := range []string{
		`States.Hash(States.JsonToString($), 'MD5')`, `States.ArrayUnique(States.ArrayPartition($.a['x,)'], 1.5))`, `States.MathRandom(-1, 3e9, 7)`,
		`States.Base64Decode(States.Base64Encode('\u0000 é'))`, `States.JsonMerge($, $.a, false)`, `States.StringSplit('a.b', '.')`,
		`States.ArrayContains(States.Array(1, null, 'x'), States.MathAdd(1.5, -1))`, `States.ArrayGetItem($.a..*, States.ArrayLength($.a..x))`,
		`States.StringToJson('{"a": [1e400, "\ud800"]}')`, `States.UUID()`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := parseCall(text)
		if err != nil {
			return
		}
		data, _ := jsonvalue.ParseString(`{"a":{"x,)":[1,2,3]}}`)
		if v, err := c.Eval(&seeded{fixed: fixed{data, data}}); err == nil {
			if back, err := jsonvalue.ParseString(jsonvalue.Text(v)); err != nil || !jsonvalue.Equal(v, back) {
				t.Errorf("%s gives %s: %v", text, jsonvalue.Text(v), err)
			}
		}
	})
}
