package values

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openBench opens a store on the machine's disk with all its directories made.
func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "values"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	for i := range shardCount {
		if err := s.makeShard(byte(i)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// rawPut returns how long the disk takes for a new file of n bytes, its name made durable.
func rawPut(b *testing.B, n, times int) time.Duration {
	b.Helper()
	dir := b.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	content := noise(1, n)
	start := time.Now()
	for i := range times {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / time.Duration(times)
}

var benchSizes = []int{64 << 10, 1 << 20}

// BenchmarkPut puts values one after the other; us-raw is what the bare disk takes, measured in the same run.
func BenchmarkPut(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			raw := rawPut(b, size, 200)
			s, content := openBench(b), noise(1, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				ref, err := s.Put(context.Background(), bytes.NewReader(content))
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = s.Delete(ref.ID) // keeps the disk free
				b.StartTimer()
			}
			b.ReportMetric(float64(raw.Microseconds()), "us-raw")
		})
	}
}

// BenchmarkPutParallel has 32 clients.
func BenchmarkPutParallel(b *testing.B) {
	s, content := openBench(b), noise(1, benchSizes[0])
	var failed atomic.Pointer[error]
	b.SetBytes(int64(len(content)))
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Put(context.Background(), bytes.NewReader(content)); err != nil {
				failed.Store(&err)
			}
		}
	})
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
}

// BenchmarkGet reads values that are in the machine's memory.
func BenchmarkGet(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			s := openBench(b)
			ref := put(b, s, noise(1, size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(ref, 1<<30); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
