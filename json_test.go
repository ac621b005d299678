package weft

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestShortcutsAreJSON compares the encodings that go without package json with those of it, both ways.
func TestShortcutsAreJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`)).Draw(t, "string")
		same(t, s)
		same(t, rapid.Int().Draw(t, "int"))
		same(t, rapid.Int64().Draw(t, "int64"))
		same(t, rapid.Bool().Draw(t, "bool"))
	})
	for _, n := range []int{0, -1, 1, 999_999_999, -999_999_999, 1_000_000_000, math.MaxInt, math.MinInt} {
		same(t, n)
	}
	for _, text := range []string{"", "-", "01", "1.0", "1e3", " 1", `"1"`, "null", "--1", "-0"} {
		var want int
		wantErr := len(text) > 0 && json.Unmarshal([]byte(text), &want) != nil
		if got, err := decode[int]([]byte(text)); got != want || (err != nil) != wantErr {
			t.Errorf("decode[int](%q) is %d, %v; want %d", text, got, err, want)
		}
	}
}

func same[T any](t interface{ Fatalf(string, ...any) }, v T) {
	got, err := encode(v)
	if err != nil {
		t.Fatalf("encode(%v): %v", v, err)
	}
	var back T
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatalf("encode(%v) is %q, which is no JSON: %v", v, got, err)
	}
	if s, ok := any(v).(string); !ok || utf8.ValidString(s) {
		if diff := cmp.Diff(v, back); diff != "" {
			t.Fatalf("encode(%v) is %q: %s", v, got, diff)
		}
	}
	if again, err := decode[T](got); err != nil || !cmp.Equal(again, back) {
		t.Fatalf("decode(%q) is %v, %v; want %v", got, again, err, back)
	}
}

func BenchmarkEncodeString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = encode("hello, Oslo")
	}
}

func BenchmarkDecodeString(b *testing.B) {
	b.ReportAllocs()
	text := []byte(`"hello, Oslo"`)
	for b.Loop() {
		_, _ = decode[string](text)
	}
}
