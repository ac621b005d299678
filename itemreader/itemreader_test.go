package itemreader

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
)

// files opens a store whose bucket "in-box" has these objects.
func files(t testing.TB, texts map[string]string) objectstore.Store {
	t.Helper()
	root := t.TempDir()
	for key, text := range texts {
		name := filepath.Join(root, "in-box", filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	store, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// readAll returns the inputs that the items make, up to an error other than io.EOF.
func readAll(t testing.TB, store objectstore.Store, src Source, cursor []byte) (inputs []string, err error) {
	t.Helper()
	r, err := Open(t.Context(), store, src, cursor)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	for {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			return inputs, nil
		}
		if err != nil {
			return inputs, err
		}
		inputs = append(inputs, string(item.AppendInput(nil)))
	}
}

// resumes holds that a reader that goes on at any cursor gives what the first one goes on to give.
func resumes(t *testing.T, store objectstore.Store, src Source, want []string) {
	t.Helper()
	r, err := Open(t.Context(), store, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for i := 0; ; i++ {
		if r.Given() != int64(i) {
			t.Errorf("given %d, want %d", r.Given(), i)
		}
		got, err := readAll(t, store, src, r.Cursor())
		if err != nil {
			t.Fatalf("from item %d: %v", i, err)
		}
		if diff := cmp.Diff(append([]string{}, want[i:]...), append([]string{}, got...)); diff != "" {
			t.Errorf("from item %d (-want +got):\n%s", i, diff)
		}
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type readerCase struct {
	name, text string
	src        Source
	want       []string
	cause      string // part of
}

// run reads the text of each case, whole and from every cursor, as it is and as gzip.
func run(t *testing.T, cases []readerCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := files(t, map[string]string{"plain": c.text, "zipped": zip(t, c.text)})
			for _, key := range []string{"plain", "zipped"} {
				src := c.src
				src.Bucket, src.Key = "in-box", key
				got, err := readAll(t, store, src, nil)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
				var e *Error
				switch {
				case c.cause != "" && (!errors.As(err, &e) || !strings.Contains(e.Cause, c.cause)):
					t.Errorf("%s: %v, want %q", key, err, c.cause)
				case c.cause == "" && err != nil:
					t.Errorf("%s: %v", key, err)
				case c.cause == "":
					resumes(t, store, src, c.want)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	pointer := func(p string) Source { return Source{Format: JSON, Pointer: p} }
	const nested = ` {"skip": [1, {"a": "]}"}], "a/b": {"x~y": [[9, 8], {"k": 1, "l" : "two", "m":[ ]}]}, "n": 7, "tail": `
	run(t, []readerCase{
		{"array", ` [1, "two" , {"a": [ 3 ]} ,null,[],-1.5e3 ] `, pointer(""), []string{`1`, `"two"`, `{"a":[3]}`, `null`, `[]`, `-1.5e3`}, ""},
		{"byte order mark", "\ufeff[1]", pointer(""), []string{`1`}, ""},
		{"empty array", ` [ ] `, pointer(""), nil, ""},
		{"object", `{"a": {"x": 1}, "\u00e9" :2}`, pointer(""), []string{`{"Key":"a","Value":{"x":1}}`, `{"Key":"\u00e9","Value":2}`}, ""},
		{"empty object", `{}`, pointer(""), nil, ""},
		{"pointer to array", nested, pointer("/a~1b/x~0y/0"), []string{`9`, `8`}, ""},
		{"pointer to object", nested, pointer("/a~1b/x~0y/1"), []string{`{"Key":"k","Value":1}`, `{"Key":"l","Value":"two"}`, `{"Key":"m","Value":[]}`}, ""},
		{"pointer to nothing", `{"a":[]}`, pointer("/b"), nil, "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure."},
		{"pointer past the end", `{"a":[1]}`, pointer("/a/1"), nil, "does not match any valid path"},
		{"pointer into a scalar", `{"a":1}`, pointer("/a/b"), nil, "does not match any valid path"},
		{"leading zero", `[[1],[2]]`, pointer("/01"), nil, "does not match any valid path"},
		{"no pointer", `{"a":1}`, pointer("a"), nil, "does not match any valid path"},
		{"pointer to scalar", nested, pointer("/n"), nil, "Attempting to map over non-iterable node."},
		{"scalar", ` 12 `, pointer(""), nil, "Attempting to map over non-iterable node."},
		{"no JSON", `not-json`, pointer(""), nil, "not valid JSON"},
		{"nothing", ``, pointer(""), nil, "ends too early"},
		{"no end", `[1, 2`, pointer(""), []string{`1`, `2`}, "ends too early"},
		{"no end of a string", `["a", "b`, pointer(""), []string{`"a"`}, "ends too early"},
		{"no end of an object", `{"a": 1, "b"`, pointer(""), []string{`{"Key":"a","Value":1}`}, "ends too early"},
		{"comma at the end", `[1,]`, pointer(""), []string{`1`}, "a value was expected where \"]\" stands"},
		{"no comma", `[1 2]`, pointer(""), []string{`1`}, "\",\" was expected where \"2\" stands"},
		{"more behind", `[1] x`, pointer(""), []string{`1`}, "nothing was expected"},
		{"bad element", `[1, {"a":}]`, pointer(""), []string{`1`}, "not valid JSON"},
		{"wrong bracket", `[1, [2}]`, pointer(""), []string{`1`}, "not valid JSON"},
		{"too deep", `[` + strings.Repeat("[", 2000), pointer(""), nil, "more than 1000 deep"},
		{"maximum", `[1,2,3]`, Source{Format: JSON, MaxItems: 2}, []string{`1`, `2`}, ""},
		{"negative maximum", `[1,2,3]`, Source{Format: JSON, MaxItems: -1}, nil, "field MaxItems must be positive"},
		{"large item", `[1, "0123456789", 3]`, Source{Format: JSON, ItemBytes: 10}, []string{`1`}, "The item has more than 10 bytes."},
		{"longer than a buffer", `["` + strings.Repeat("x", 3*bufferBytes) + `",2]`, pointer(""), []string{`"` + strings.Repeat("x", 3*bufferBytes) + `"`, `2`}, ""},
	})
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	src := Source{Format: JSONL}
	long := strings.Repeat("x", 2*bufferBytes)
	run(t, []readerCase{
		{"lines", "{\"a\": 1}\n\n  \r\n[2]\r\n\"three\"", src, []string{`{"a":1}`, `[2]`, `"three"`}, ""},
		{"nothing", "", src, nil, ""},
		{"long", "1\n\"" + long + "\"\n2\n", src, []string{`1`, `"` + long + `"`, `2`}, ""},
		{"bad line", "1\nnot-json\n2\n", src, []string{`1`}, "not valid JSON"},
		{"large line", "1\n\"0123456789\"\n", Source{Format: JSONL, ItemBytes: 11}, []string{`1`}, "The item has more than 11 bytes."},
	})
}

// TestMemoryDoesNotGrow holds that twenty times the items are read without more being allocated.
func TestMemoryDoesNotGrow(t *testing.T) {
	for _, c := range []struct {
		format     Format
		head, tail string
	}{{JSONL, "", ""}, {CSV, "a,b\n", ""}, {JSON, "[0", "]"}} {
		item := map[Format]string{JSONL: "{\"a\": 1}\n", CSV: "1,\"2\"\n", JSON: ", {\"a\": 1}"}[c.format]
		allocated := func(items int) float64 {
			store := memory{"f": c.head + strings.Repeat(item, items) + c.tail}
			return testing.AllocsPerRun(5, func() {
				r, err := Open(t.Context(), store, Source{Bucket: "in-box", Key: "f", Format: c.format}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					_, err = r.Next()
				}
				if r.Given() < int64(items) {
					t.Fatalf("%d items, %v", r.Given(), err)
				}
			})
		}
		if few, many := allocated(1000), allocated(20_000); many > few+10 {
			t.Errorf("%s: %v allocations for a thousand items, %v for twenty thousand", c.format, few, many)
		}
	}
}
