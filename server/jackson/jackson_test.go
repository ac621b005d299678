package jackson

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"not some json":   "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		"{'not': 'json'":  "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
		"":                "No content to map due to end-of-input",
		"{":               "Unexpected end-of-input: expected close marker for Object",
		"[1":              "Unexpected end-of-input: expected close marker for Array",
		"[1 2]":           "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
		`{"a":1 "b":2}`:   "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
		`{"a" 1}`:         "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
		`{"a":}`:          "Unexpected character ('}' (code 125)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		`[1,]`:            "Unexpected character (']' (code 93)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		`{"a":1,}`:        "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
		`{"a":1]`:         "Unexpected close marker ']': expected '}'",
		`"abc`:            "Unexpected end-of-input: was expecting closing quote for a string value",
		`{"abc`:           "Unexpected end-of-input: was expecting closing quote for a field name",
		"\"a\nb\"":        "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
		`"\x"`:            "Unrecognized character escape 'x' (code 120)",
		`"\u12g4"`:        "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence",
		"01":              "Invalid numeric value: Leading zeroes not allowed",
		"-a":              "Unexpected character ('a' (code 97)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
		"1.":              "Unexpected end-of-input in numeric value: Decimal point not followed by a digit",
		"1a":              "Unexpected character ('a' (code 97)): Expected space separating root-level values",
		"{} {}":           "Trailing token found after value",
		"{} x":            "Unrecognized token 'x': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		"[é]":             "Unrecognized token 'é': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		"[€]":             "Unexpected character ('€' (code 8364 / 0x20ac)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		`[nul]`:           "Unrecognized token 'nul': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		` {"a":[1,{}]}  `: "",
	} {
		got := ""
		if p := Describe([]byte(text)); p != nil {
			got = p.Text
		}
		if got != want {
			t.Errorf("Describe(%q)\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestDescribePlace(t *testing.T) {
	t.Parallel()
	if p := Describe([]byte("not a definition")); p.Line != 1 || p.Column != 4 {
		t.Errorf("line %d, column %d; want 1, 4", p.Line, p.Column)
	}
	if p := Describe([]byte("{\n  \"😀\" 1}")); p.Line != 2 || p.Column != 8 {
		t.Errorf("line %d, column %d; want 2, 8", p.Line, p.Column)
	}
}

func TestDescribeDepth(t *testing.T) {
	t.Parallel()
	p := Describe([]byte(strings.Repeat("[", 100_000)))
	if p == nil || !strings.Contains(p.Text, "nesting depth") {
		t.Errorf("problem %+v, want the nesting depth", p)
	}
}

// FuzzDescribe holds Describe to encoding/json's opinion of what is valid.
func FuzzDescribe(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,null,true,"x\u00e9"]}`, `[,]`, `{"a"}`, `-`, `1e`, "[[[]]]", `{"a":{}}`, `[{]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := Describe(text)
		if valid := json.Valid(text); valid && p != nil && !strings.Contains(p.Text, "nesting depth") {
			t.Fatalf("%q is valid, but: %+v", text, p)
		} else if !valid && p == nil {
			t.Fatalf("%q is not valid, but nothing was described", text)
		}
	})
}
