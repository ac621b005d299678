package itemreader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weftworks/weft/objectstore/dir"
)

// BenchmarkMillion reads a million items of a directory store. heap_mb_max is the most memory in use, looked at every 100,000
// items: it is what the reader takes, and does not grow with the items.
func BenchmarkMillion(b *testing.B) {
	const items = 1_000_000
	root := b.TempDir()
	if err := os.Mkdir(filepath.Join(root, "in-box"), 0o777); err != nil {
		b.Fatal(err)
	}
	line := map[Format]func(i int) string{
		JSONL: func(i int) string {
			return fmt.Sprintf("{\"id\":%d,\"name\":\"item %d\",\"tags\":[\"a\",\"b\"],\"price\":%d.5}\n", i, i, i)
		},
		CSV:  func(i int) string { return fmt.Sprintf("%d,item %d,\"a,b\",%d.5\n", i, i, i) },
		JSON: func(i int) string { return fmt.Sprintf("%c{\"id\":%d, \"name\":\"item %d\"}", "[,"[min(i, 1)], i, i) },
	}
	for _, f := range []Format{JSONL, CSV, JSON} {
		var text strings.Builder
		if f == CSV {
			text.WriteString("id,name,tags,price\n")
		}
		for i := range items {
			text.WriteString(line[f](i))
		}
		if f == JSON {
			text.WriteString("]")
		}
		size := int64(text.Len())
		if err := os.WriteFile(filepath.Join(root, "in-box", string(f)), []byte(text.String()), 0o666); err != nil {
			b.Fatal(err)
		}
		text.Reset()
		b.Run(string(f), func(b *testing.B) { million(b, root, f, items, size) })
	}
}

func million(b *testing.B, root string, f Format, items int, size int64) {
	store, err := dir.Open(root)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	b.SetBytes(size)
	b.ReportAllocs()
	var most uint64
	for b.Loop() {
		r, err := Open(b.Context(), store, Source{Bucket: "in-box", Key: string(f), Format: f}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for {
			_, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if r.Given()%100_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
		if r.Given() != int64(items) {
			b.Fatalf("%d items", r.Given())
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(items)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(most)/(1<<20), "heap_mb_max")
}
