package itembatcher

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/fault"
	"pgregory.net/rapid"
)

func batches(t *testing.T, c Config, items ...string) (inputs []string) {
	t.Helper()
	b := New(c)
	for _, item := range items {
		batch, err := b.Add([]byte(item))
		if err != nil {
			t.Fatal(err)
		}
		if batch != nil {
			inputs = append(inputs, string(batch.Input))
		}
	}
	if batch := b.Rest(); batch != nil {
		inputs = append(inputs, string(batch.Input))
	}
	return inputs
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config Config
		items  []string
		want   []string
	}{
		{"by number", Config{MaxItems: 2}, []string{`1`, `"b"`, `{"c":3}`}, []string{`{"Items":[1,"b"]}`, `{"Items":[{"c":3}]}`}},
		{"input", Config{MaxItems: 1, BatchInput: []byte(`{"k":"v"}`)}, []string{`1`, `2`}, []string{`{"BatchInput":{"k":"v"},"Items":[1]}`, `{"BatchInput":{"k":"v"},"Items":[2]}`}},
		{"by bytes", Config{MaxBytes: len(`{"Items":[1,2]}`)}, []string{`1`, `2`, `3`, `44`, `5`}, []string{`{"Items":[1,2]}`, `{"Items":[3]}`, `{"Items":[44]}`, `{"Items":[5]}`}},
		{"both", Config{MaxItems: 2, MaxBytes: len(`{"Items":[1,2,3]}`)}, []string{`1`, `2`, `333`, `44`}, []string{`{"Items":[1,2]}`, `{"Items":[333]}`, `{"Items":[44]}`}},
		{"none", Config{MaxItems: 2}, nil, nil},
	} {
		if diff := cmp.Diff(c.want, batches(t, c.config, c.items...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestItemThatFitsNowhere(t *testing.T) {
	t.Parallel()
	b := New(Config{MaxBytes: 20})
	if _, err := b.Add([]byte(`1`)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add([]byte(`"0123456789"`)); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("got %v", err)
	}
	if rest := b.Rest(); string(rest.Input) != `{"Items":[1]}` || rest.Items != 1 {
		t.Errorf("the rest is %s", rest.Input)
	}
}

// TestAnyItems holds that no item is lost, repeated or moved, and that no batch is larger or could have taken the next item.
func TestAnyItems(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := Config{MaxItems: rapid.IntRange(0, 5).Draw(t, "items"), MaxBytes: rapid.IntRange(60, 100).Draw(t, "bytes")}
		sizes := rapid.SliceOf(rapid.IntRange(1, 40)).Draw(t, "sizes")
		b := New(c)
		var got []*Batch
		for i, size := range sizes {
			batch, err := b.Add(fmt.Appendf(nil, "[%d,%q]", i, strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			if batch != nil {
				got = append(got, batch)
			}
		}
		if batch := b.Rest(); batch != nil {
			got = append(got, batch)
		}
		next := 0
		for i, batch := range got {
			var input struct{ Items []json.RawMessage }
			if err := json.Unmarshal(batch.Input, &input); err != nil || len(input.Items) != batch.Items || batch.Items == 0 {
				t.Fatalf("batch %d: %s, %v", i, batch.Input, err)
			}
			if len(batch.Input) > c.MaxBytes || c.MaxItems > 0 && batch.Items > c.MaxItems {
				t.Fatalf("batch %d is too large: %s", i, batch.Input)
			}
			for _, item := range input.Items {
				if want := fmt.Sprintf("[%d,%q]", next, strings.Repeat("x", sizes[next])); string(item) != want {
					t.Fatalf("item %d is %s", next, item)
				}
				next++
			}
			if i+1 < len(got) && batch.Items != c.MaxItems && len(batch.Input)+len(fmt.Sprintf(",[%d,%q]", next, strings.Repeat("x", sizes[next]))) <= c.MaxBytes {
				t.Fatalf("batch %d had room for item %d", i, next)
			}
		}
		if next != len(sizes) {
			t.Fatalf("%d of %d items came out", next, len(sizes))
		}
	})
}
