package itemreader

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

// FuzzCSV compares with encoding/csv, which reads the same but for carriage returns and quotes out of place.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "\"a\"\"\",b\r\n\"x\ny\",\n", "\n\na\n", "a\n\"", ",\n,,,\n", "a\rb\n", "\xff\n\xff\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readAll(t, memory{"f": text}, Source{Bucket: "in-box", Key: "f", Format: CSV, ItemBytes: 1 << 16}, nil)
		for _, item := range got {
			if !json.Valid([]byte(item)) {
				t.Fatalf("%q makes %q", text, item)
			}
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		records, other := r.ReadAll()
		if err != nil || other != nil || len(records) == 0 || strings.Contains(text, "\r") || strings.HasPrefix(text, "\ufeff") {
			return
		}
		var want []string
		for _, record := range records[1:] {
			var fields []string
			for i, column := range records[0] {
				value := ""
				if i < len(record) {
					value = record[i]
				}
				fields = append(fields, jsonvalue.Text(column)+":"+jsonvalue.Text(value))
			}
			want = append(want, "{"+strings.Join(fields, ",")+"}")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q (-encoding/csv +ours):\n%s", text, diff)
		}
	})
}

// FuzzJSON holds that what is read of a text is what encoding/json finds in it.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{`[1,"a",{"b":[null]}]`, `{"a":1,"b":{}}`, `[[[`, `["\u12`, ` [1 , 2]`, `{"a":[}]}`} {
		f.Add(text, "")
		f.Add(`{"x":[0,`+text+`]}`, "/x/1")
	}
	f.Fuzz(func(t *testing.T, text, pointer string) {
		got, err := readAll(t, memory{"f": text}, Source{Bucket: "in-box", Key: "f", Format: JSON, Pointer: pointer, ItemBytes: 1 << 16}, nil)
		for _, item := range got {
			if jsonvalue.Check([]byte(item)) != nil {
				t.Fatalf("%q makes %q", text, item)
			}
		}
		var want []json.RawMessage
		if pointer != "" || json.Unmarshal([]byte(text), &want) != nil || want == nil || jsonvalue.Check([]byte(text)) != nil {
			return
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d items, want %d; %v", text, len(got), len(want), err)
		}
		for i, item := range want {
			if compact, err := jsonvalue.Compact(nil, item); err != nil || string(compact) != got[i] {
				t.Fatalf("%q: item %d is %s, want %s", text, i, got[i], item)
			}
		}
	})
}

// FuzzJSONLines holds that every line with something in it is an item, and that reading can go on anywhere.
func FuzzJSONLines(f *testing.F) {
	f.Add("1\n\n[2]\n", 1)
	f.Fuzz(func(t *testing.T, text string, stop int) {
		src := Source{Bucket: "in-box", Key: "f", Format: JSONL, ItemBytes: 1 << 16}
		got, err := readAll(t, memory{"f": text}, src, nil)
		if err != nil || len(got) == 0 || stop < 0 {
			return
		}
		r, err := Open(t.Context(), memory{"f": text}, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		stop %= len(got)
		for range stop {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if rest, err := readAll(t, memory{"f": text}, src, r.Cursor()); err != nil || !slices.Equal(rest, got[stop:]) {
			t.Fatalf("%q from %d: %q, %v", text, stop, rest, err)
		}
	})
}

// FuzzCursor holds that a cursor is read or refused.
func FuzzCursor(f *testing.F) {
	f.Add(appendCursor(nil, 3, place{File: 1, Key: "k", Open: true, ETag: "e", Offset: 7, State: 2}))
	f.Fuzz(func(t *testing.T, cursor []byte) {
		given, at, err := parseCursor(cursor)
		if err != nil || len(cursor) == 0 {
			return
		}
		again, back, err := parseCursor(appendCursor(nil, given, at))
		if err != nil || again != given || back != at {
			t.Fatalf("%v became %v, %v", at, back, err)
		}
	})
}

// memory is a store of one bucket that can only be read.
type memory map[string]string

func (m memory) info(name objectstore.Name) objectstore.Info {
	return objectstore.Info{Key: name.Key, ETag: fmt.Sprintf("%q", fmt.Sprint(len(m[name.Key]))), Size: int64(len(m[name.Key]))}
}

func (m memory) Get(_ context.Context, name objectstore.Name, o objectstore.GetOptions) (*objectstore.Object, error) {
	text, ok := m[name.Key]
	if !ok {
		return nil, objectstore.NewError("Get", name, objectstore.NoSuchKey, nil)
	}
	text = text[min(o.Offset, int64(len(text))):]
	if o.Length > 0 {
		text = text[:min(o.Length, int64(len(text)))]
	}
	return &objectstore.Object{Info: m.info(name), Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (m memory) Head(_ context.Context, name objectstore.Name) (objectstore.Info, error) {
	return m.info(name), nil
}

func (m memory) Put(context.Context, objectstore.Name) (objectstore.Writer, error) {
	return nil, errors.ErrUnsupported
}

func (m memory) Delete(context.Context, objectstore.Name) error { return errors.ErrUnsupported }

func (m memory) List(_ context.Context, _, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if strings.HasPrefix(key, prefix) && key > after && !yield(m.info(objectstore.Name{Key: key}), nil) {
				return
			}
		}
	}
}
