package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftworks/weft/engine/commitlog"
)

// openBench opens a log on the machine's disk; durable hears positions.
func openBench(b *testing.B, dir string, durable commitlog.DurableFunc) *Log {
	b.Helper()
	log, err := Open(dir, &Options{Durable: durable, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	log.files.makers.Wait() // nothing is prepared in the background while time is taken
	return log
}

// rawSync returns the median time of a write of 512 bytes and an fdatasync in a file of zeros.
func rawSync(b *testing.B, dir string, n int) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 4<<20)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	h := newHistogram()
	block := make([]byte, 512)
	block[0] = 1
	for i := range n {
		start := time.Now()
		if _, err := f.WriteAt(block, int64(i%8000)*512); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		_ = h.RecordValue(time.Since(start).Microseconds())
	}
	return time.Duration(h.ValueAtQuantile(50)) * time.Microsecond
}

// BenchmarkLoneWrite appends one entry at a time and waits until it is durable. It reports the median
// beside that of the disk itself, measured in the same run.
func BenchmarkLoneWrite(b *testing.B) {
	dir := b.TempDir()
	raw := rawSync(b, dir, 1000)
	told := make(chan commitlog.Position, 1)
	log := openBench(b, filepath.Join(dir, "log"), func(pos commitlog.Position, err error) { told <- pos })
	h := newHistogram()
	data := make([]byte, 480)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := log.Append(1, data); err != nil {
			b.Fatal(err)
		}
		<-told
		_ = h.RecordValue(time.Since(start).Microseconds())
	}
	b.ReportMetric(float64(raw.Microseconds()), "us-raw-p50")
	b.ReportMetric(float64(h.ValueAtQuantile(50)), "us-p50")
	b.ReportMetric(float64(h.ValueAtQuantile(99)), "us-p99")
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAppend appends entries as fast as the log takes them, trimming what is durable now and then.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var durable atomic.Uint64
			log := openBench(b, b.TempDir(), func(pos commitlog.Position, err error) { durable.Store(uint64(pos)) })
			data := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := log.Append(uint32(n%16), data); err != nil {
					b.Fatal(err)
				}
				if n++; n%100_000 == 0 {
					if err := log.Trim(commitlog.Position(durable.Load())); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := log.Close(); err != nil { // all of it is durable
				b.Fatal(err)
			}
			s := log.Stats()
			b.ReportMetric(float64(s.Entries)/float64(s.Frames), "entries/sync")
			b.ReportMetric(float64(s.SyncP50.Microseconds()), "us-sync-p50")
		})
	}
}

// BenchmarkRecover reads a log of 200 MB; the throughput is that of the entries' bytes.
func BenchmarkRecover(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dir := b.TempDir()
			log := openBench(b, dir, nil)
			const total = 200 << 20
			for range total / size {
				if _, err := log.Append(1, make([]byte, size)); err != nil {
					b.Fatal(err)
				}
			}
			if err := log.Close(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(total)
			for b.Loop() {
				log := openBench(b, dir, nil)
				read := 0
				if err := log.Recover(0, func(_ commitlog.Position, _ uint32, data []byte) error {
					read += len(data)
					return nil
				}); err != nil || read < total-size {
					b.Fatal(read, err)
				}
				if err := log.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
