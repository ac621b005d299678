package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weftworks/weft/limits"
)

func mustParse(t testing.TB, text string) any {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return v
}

func TestParseThenAppendKeepsOrderDigitsAndLastDuplicate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` { "b" : 1.0 , "a" : [ 1e2 , -0 , true , null ] } `: `{"b":1.0,"a":[1e2,-0,true,null]}`,
		`{"a":1,"b":2,"a":3}`:                                `{"a":3,"b":2}`,
		`"<>&\u2028\/\u00e9\ud83d\ude00\ud800x"`:             "\"<>&\u2028/é😀\uFFFDx\"",
		`"\u001b\n\t\u0008\f\r\\\""`:                         `"\u001B\n\t\b\f\r\\\""`,
		`12345678901234567890.10`:                            `12345678901234567890.10`,
		`[]`:                                                 `[]`,
		`{}`:                                                 `{}`,
	} {
		if got := Text(mustParse(t, in)); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestAppendMaxGivesUp(t *testing.T) {
	t.Parallel()
	v := mustParse(t, `{"a":[1,{"b":"x"}],"c":{}}`)
	text := Text(v)
	if got, ok := AppendMax([]byte("x"), v, len(text)); !ok || string(got) != "x"+text {
		t.Errorf("%s, %v", got, ok)
	}
	if _, ok := AppendMax(nil, v, len(text)-1); ok {
		t.Error("one byte too many is accepted")
	}
	huge := v
	for range 64 {
		huge = []any{huge, huge}
	}
	if got, ok := AppendMax(nil, huge, 1000); ok || len(got) > 1100 {
		t.Errorf("%d bytes, %v", len(got), ok)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text         string
		line, column int
		service      string // part of ServiceMessage
	}{
		{"not a definition", 1, 1, "Unrecognized token 'not': was expecting (JSON String"},
		{"{'a': 1}", 1, 2, "Unexpected character (''' (code 39)): was expecting double-quote to start field name"},
		{"{\n \"a\" 1}", 2, 6, "colon"},
		{"[1,\n\n 2 3]", 3, 4, "comma to separate Array"},
		{"{\"a\":1", 1, 7, "end-of-input"},
		{"", 1, 1, "end-of-input"},
		{"[1,]", 1, 4, "valid value"},
		{"01", 1, 1, ""},
		{"1.", 1, 3, ""},
		{"1e+", 1, 4, ""},
		{"-", 1, 2, ""},
		{`"\x"`, 1, 2, ""},
		{`"\u12g4"`, 1, 2, ""},
		{"\"\x01\"", 1, 2, ""},
		{"\"a\xff\"", 1, 3, ""},
		{"1 2", 1, 3, ""},
		{`"abc`, 1, 5, ""},
		{"tru", 1, 1, ""},
	}
	for _, tt := range tests {
		for how, read := range map[string]func() error{
			"Parse":         func() error { _, err := Parse([]byte(tt.text)); return err },
			"Check":         func() error { return Check([]byte(tt.text)) },
			"ParseDocument": func() error { _, err := ParseDocument([]byte(tt.text)); return err },
		} {
			var e *SyntaxError
			if err := read(); !errors.As(err, &e) {
				t.Errorf("%s(%q): no syntax error but %v", how, tt.text, err)
				continue
			}
			if e.Line != tt.line || e.Column != tt.column || !strings.Contains(e.ServiceMessage(), tt.service) {
				t.Errorf("%s(%q): %v (%s), want line %d, column %d", how, tt.text, e, e.ServiceMessage(), tt.line, tt.column)
			}
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{"[]", `{"a":}`} {
		open, shut := pair[:len(pair)-1], pair[len(pair)-1:]
		for depth, valid := range map[int]bool{limits.JSONDepth: true, limits.JSONDepth + 1: false, 1_000_000: false} {
			inner := "1"
			text := []byte(strings.Repeat(open, depth) + inner + strings.Repeat(shut, depth))
			_, parseErr := Parse(text)
			_, documentErr := ParseDocument(text)
			if checkErr := Check(text); (checkErr == nil) != valid || (parseErr == nil) != valid || (documentErr == nil) != valid {
				t.Errorf("%d times %s: Check %v, Parse %v, ParseDocument %v", depth, pair, checkErr, parseErr, documentErr)
			}
		}
	}
}

func TestCompact(t *testing.T) { // not parallel: it counts allocations
	for _, text := range []string{`{"a":[1,{"b":"x y"},[]],"c":{}}`, `" a "`, `1`, `[]`} {
		got, err := Compact([]byte("dst"), []byte(text))
		if err != nil || string(got) != text {
			t.Errorf("Compact(%s) = %s, %v", text, got, err)
		}
		spaced := " " + strings.NewReplacer("[", " [ ", "]", " ]\n", "{", "{\t", "}", " } ", ":", " : ", ",", " , ").Replace(text) + "\r\n"
		got, err = Compact([]byte("dst"), []byte(spaced))
		if err != nil || string(got) != "dst"+text {
			t.Errorf("Compact(%q) = %s, %v", spaced, got, err)
		}
	}
	in := []byte(`{"a":1}`)
	if got, _ := Compact(nil, in); &got[0] != &in[0] {
		t.Error("a compact text was copied")
	}
	if allocs := testing.AllocsPerRun(100, func() { _, _ = Compact(nil, in) }); allocs != 0 {
		t.Errorf("%v allocations for a compact text", allocs)
	}
}

func TestNumberCompareIsExact(t *testing.T) {
	t.Parallel()
	numbers := []string{
		"0", "-0", "0.0", "0e5", "1", "1.0", "10e-1", "-1", "9007199254740993", "9007199254740992", "9007199254740992.5",
		"12345678901234567890", "12345678901234567891", "1e400", "-1e400", "1e-400", "1e401", "0.1", "0.10", "100e-3", "-0.1", "5e0",
	}
	for _, a := range numbers {
		for _, b := range numbers {
			x, _ := new(big.Rat).SetString(a)
			y, _ := new(big.Rat).SetString(b)
			if got, want := Number(a).Compare(Number(b)), x.Cmp(y); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if Number("1e999999999999999999999").Compare("1e999999999") != 1 || Number("1e-99999999999999999999").Compare("0") != 1 {
		t.Error("huge exponents compare wrong")
	}
	for text, want := range map[string]string{
		"5": "5 true", "5.0": "5 true", "5e0": "5 true", "0.5e1": "5 true", "1.5": "0 false", "9223372036854775807": "9223372036854775807 true",
		"9223372036854775808": "0 false", "1e18": "1000000000000000000 true", "1e30": "0 false", "-0.0": "0 true", "-12e1": "-120 true",
	} {
		v, ok := Number(text).Int64()
		if !ok {
			v = 0
		}
		if got := fmt.Sprint(v, ok); got != want {
			t.Errorf("Int64(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[1,2]}`, `{"b":[1.0,2],"a":1}`, true}, {`[1,2]`, `[2,1]`, false}, {`null`, `false`, false}, {`"1"`, `1`, false},
		{`{"a":1}`, `{"a":1,"b":2}`, false}, {`{"a":null}`, `{"b":null}`, false}, {`true`, `true`, true}, {`"a"`, `[]`, false}, {`[]`, `{}`, false}, {`[]`, `[1]`, false},
	}
	for _, tt := range tests {
		a, b := mustParse(t, tt.a), mustParse(t, tt.b)
		if Equal(a, b) != tt.want || Equal(b, a) != tt.want {
			t.Errorf("Equal(%s, %s) is not %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o := NewObject(0)
	for i := range 100 {
		o.Set(fmt.Sprint(i), Int(int64(i)))
	}
	c := o.With("50", "changed").Without("7")
	if v, _ := o.Get("50"); v != Number("50") || o.Len() != 100 {
		t.Error("With changed its receiver")
	}
	if v, _ := c.Get("50"); v != "changed" || c.Len() != 99 {
		t.Errorf("50 is %v, %d members", v, c.Len())
	}
	if _, ok := c.Get("7"); ok {
		t.Error("7 is still there")
	}
	if v, ok := c.Get("99"); !ok || v != Number("99") {
		t.Errorf("99 is %v", v)
	}
	if keys := c.Keys(); keys[6] != "6" || keys[7] != "8" {
		t.Errorf("order lost: %v", keys[:10])
	}
	var none *Object
	if _, ok := none.Get("a"); ok || none.Len() != 0 {
		t.Error("a nil object has members")
	}
}

func TestDocumentKnowsPlaces(t *testing.T) {
	t.Parallel()
	text := "{\n  \"a\": [1, \"x\"],\n  \"a\": {}}"
	n, err := ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Members) != 2 || n.Get("a") != &n.Members[1].Value {
		t.Fatalf("members: %+v", n.Members)
	}
	item := n.Members[0].Value.Items[1]
	if got := text[item.Offset:item.End]; got != `"x"` {
		t.Errorf("the item's text is %s", got)
	}
	if line, column := LineColumn(text, n.Members[1].KeyOffset); line != 3 || column != 3 {
		t.Errorf("second key at %d:%d", line, column)
	}
	if !Equal(n.Value(), mustParse(t, text)) {
		t.Errorf("Value is %s", Text(n.Value()))
	}
}

// FuzzAgainstEncodingJSON holds validity and meaning to the standard library's.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u00e9\ud83d\ude00"],"a":null}`, ` [ ] `, `"\ud800"`, `-0.0e-0`, `{"":{}}`, "\"\xff\"", `[01]`, `tru`, `{"a":1,}`, `"<\/>"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := json.Valid(text) && utf8.Valid(text)
		v, err := Parse(text)
		if (err == nil) != want {
			if strings.Contains(fmt.Sprint(err), "nested more than") {
				return
			}
			t.Fatalf("Parse(%q): %v; encoding/json says %v", text, err, want)
		}
		compact, compactErr := Compact(nil, text)
		if n, docErr := ParseDocument(text); (docErr == nil) != want || (compactErr == nil) != want || docErr == nil && !Equal(n.Value(), v) {
			t.Fatalf("%q: ParseDocument %v, Compact %v, want valid %v", text, docErr, compactErr, want)
		}
		if !want {
			return
		}
		var std bytes.Buffer
		if err := json.Compact(&std, text); err != nil || !bytes.Equal(std.Bytes(), compact) {
			t.Fatalf("Compact(%q) = %q, encoding/json %q", text, compact, std.Bytes())
		}
		if got, want := decode(t, Append(nil, v)), decode(t, text); got != want {
			t.Fatalf("%q means %s, want %s", text, got, want)
		}
	})
}

// decode gives a text's meaning in the standard library's words, keys sorted.
func decode(t *testing.T, text []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// sample is about 10 KB: an order with 100 lines.
func sample() []byte {
	b := []byte(`{"order":"2f9c1d","lines":[`)
	for i := range 100 {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"sku":"sku-%d","quantity":%d,"price":%d.95,"note":"handle with care, ééé","gift":true}`, i, i%7, i*3)
	}
	return append(b, `],"paid":true}`...)
}

func BenchmarkCompactUnchanged(b *testing.B) {
	text := sample()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compact(nil, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := sample()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	text := sample()
	v := mustParse(b, string(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = Append(dst[:0], v)
	}
}

// BenchmarkStandardValid is the yardstick for BenchmarkCompactUnchanged.
func BenchmarkStandardValid(b *testing.B) {
	text := sample()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !json.Valid(text) {
			b.Fatal("not valid")
		}
	}
}

func TestNumbersAsJavaPrintsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[Number]string{
		"0": "0", "-0": "-0", "7": "7", "123456789012345678901": "123456789012345678901",
		"0.0": "0.0", "1.10": "1.1", "-2.5": "-2.5", "1e3": "1000.0", "9999999.5": "9999999.5", "1e7": "1.0E7",
		"12345678.9": "1.23456789E7", "0.001": "0.001", "0.0001": "1.0E-4", "-3e-200": "-3.0E-200", "1e999": "1e999",
	} {
		if got := text.Java(); got != want {
			t.Errorf("%s is printed %s, want %s", text, got, want)
		}
	}
}

func TestAppendJavaStops(t *testing.T) {
	t.Parallel()
	v := any("0123456789")
	for range 40 {
		v = []any{v, v} // 2^40 leaves
	}
	if n := len(AppendJava(nil, v, 1000)); n > 2000 {
		t.Errorf("%d bytes, want about 1000", n)
	}
}
