package itemreader

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// parquetOf writes rows, in groups of three.
func parquetOf[T any](t testing.TB, rows []T, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, append(options, parquet.MaxRowsPerRowGroup(3))...)
	_, err := w.Write(rows)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type flat struct {
	Text  string    `parquet:"text"`
	Bool  bool      `parquet:"bool"`
	I32   int32     `parquet:"i32"`
	U32   uint32    `parquet:"u32"`
	I64   int64     `parquet:"i64"`
	U64   uint64    `parquet:"u64"`
	F32   float32   `parquet:"f32"`
	F64   float64   `parquet:"f64"`
	Raw   []byte    `parquet:"raw"`
	Maybe *string   `parquet:"maybe,optional"`
	ID    uuid.UUID `parquet:"id,uuid"`
	When  time.Time `parquet:"when,timestamp(millisecond)"`
	Day   int32     `parquet:"day,date"`
	Price int64     `parquet:"price,decimal(2:12)"`
}

func TestParquet(t *testing.T) {
	t.Parallel()
	there := "é\""
	text := parquetOf(t, []flat{
		{Text: "a", Bool: true, I32: -1, U32: 1 << 31, I64: -1 << 62, U64: 1 << 63, F32: 0.1, F64: 1e300, Raw: []byte{0xff}, Maybe: &there,
			ID: uuid.MustParse("12345678-1234-1234-1234-123456789abc"), When: time.UnixMilli(1789180622123), Day: 20000, Price: -5},
		{Text: "", Raw: []byte("text"), When: time.Unix(0, 0), Price: 12345},
	}, parquet.Compression(&parquet.Snappy))
	check(t, files(t, map[string]string{"f": text}), Source{Bucket: "in-box", Key: "f", Format: Parquet},
		`{"text":"a","bool":true,"i32":-1,"u32":2147483648,"i64":-4611686018427387904,"u64":9223372036854775808,"f32":0.1,"f64":1e+300,"raw":"/w==","maybe":"é\"",`+
			`"id":"12345678-1234-1234-1234-123456789abc","when":"2026-09-12T02:37:02.123Z","day":"2024-10-04","price":-0.05}`,
		`{"text":"","bool":false,"i32":0,"u32":0,"i64":0,"u64":0,"f32":0,"f64":0,"raw":"text","maybe":null,`+
			`"id":"00000000-0000-0000-0000-000000000000","when":"1970-01-01T00:00:00Z","day":"1970-01-01","price":123.45}`,
	)
}

type inner struct {
	A int64   `parquet:"a"`
	B []int64 `parquet:"b,list"`
}

type nested struct {
	One   inner            `parquet:"one"`
	Maybe *inner           `parquet:"maybe,optional"`
	Many  []inner          `parquet:"many"`
	List  []string         `parquet:"list,list"`
	Map   map[string]int64 `parquet:"map"`
}

func TestParquetNested(t *testing.T) {
	t.Parallel()
	rows := []nested{
		{inner{1, []int64{2, 3}}, &inner{4, nil}, []inner{{5, nil}, {6, []int64{7}}}, []string{"x", "y"}, map[string]int64{"k": 8}},
		{},
		{Many: []inner{{9, []int64{10, 11}}}},
		{One: inner{B: []int64{12}}},
	}
	check(t, files(t, map[string]string{"f": parquetOf(t, rows)}), Source{Bucket: "in-box", Key: "f", Format: Parquet},
		`{"one":{"a":1,"b":[2,3]},"maybe":{"a":4,"b":[]},"many":[{"a":5,"b":[]},{"a":6,"b":[7]}],"list":["x","y"],"map":{"k":8}}`,
		`{"one":{"a":0,"b":[]},"maybe":null,"many":[],"list":[],"map":{}}`,
		`{"one":{"a":0,"b":[]},"maybe":null,"many":[{"a":9,"b":[10,11]}],"list":[],"map":{}}`,
		`{"one":{"a":0,"b":[12]},"maybe":null,"many":[],"list":[],"map":{}}`,
	)
}

type wide struct {
	N    int64  `parquet:"n"`
	Text string `parquet:"text"`
}

// TestParquetByRanges reads a file that is not read at once, from the middle too.
func TestParquetByRanges(t *testing.T) {
	t.Parallel()
	rows := make([]wide, 40)
	for i := range rows {
		rows[i] = wide{int64(i), strings.Repeat(fmt.Sprint("row ", i, " "), 40_000)}
	}
	text := parquetOf(t, rows)
	if len(text) <= parquetWholeBytes {
		t.Fatalf("the file has %d bytes only", len(text))
	}
	store := files(t, map[string]string{"f": text})
	src := Source{Bucket: "in-box", Key: "f", Format: Parquet}
	r, err := Open(t.Context(), store, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for i := range rows {
		item, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"n":%d,"text":%s}`, i, jsonvalue.Text(rows[i].Text)); string(item.Value) != want {
			t.Fatalf("row %d is %.60s", i, item.Value)
		}
		if i != 16 {
			continue
		}
		if rest, err := readAll(t, store, src, r.Cursor()); err != nil || len(rest) != len(rows)-17 || !strings.HasPrefix(rest[0], `{"n":17,`) {
			t.Fatalf("from row 17: %d rows, %v", len(rest), err)
		}
	}
}

func TestParquetThatIsNone(t *testing.T) {
	t.Parallel()
	good := parquetOf(t, []wide{{1, "a"}, {2, "b"}})
	for name, text := range map[string]string{
		"nothing": "", "text": "a,b\n1,2\nPAR", "ends right": "12345678PAR1", "large footer": good[:len(good)-8] + "\xff\xff\xff\x7fPAR1", "cut": "PAR1" + good[40:],
	} {
		got, err := readAll(t, memory{"f": text}, Source{Bucket: "in-box", Key: "f", Format: Parquet}, nil)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// FuzzParquet holds that a damaged file is an error.
func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetOf(f, []wide{{1, "a"}, {2, "b"}})))
	f.Add([]byte(parquetOf(f, []inner{{1, []int64{2}}, {3, nil}})))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, _ := readAll(t, memory{"f": string(text)}, Source{Bucket: "in-box", Key: "f", Format: Parquet, MaxItems: 1000}, nil)
		for _, item := range got {
			if jsonvalue.Check([]byte(item)) != nil {
				t.Fatalf("item %q", item)
			}
		}
	})
}
