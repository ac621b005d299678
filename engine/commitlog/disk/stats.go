package disk

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats is what a log has done since it was opened.
type Stats struct {
	Frames    int64 // written and synced; one fdatasync each
	Entries   int64
	Bytes     int64 // of frames, their headers included
	Segments  int64 // begun, the first included; two syncs and a rename each
	Trimmed   int64 // segments given up
	SyncP50   time.Duration
	SyncP95   time.Duration
	SyncP99   time.Duration
	SyncMax   time.Duration
	SyncTotal time.Duration
}

// stats collects Stats.
type stats struct {
	mu   sync.Mutex
	sum  Stats
	sync *hdrhistogram.Histogram // microseconds
}

// newHistogram holds 1 us to 100 s with two digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 100_000_000, 2) }

func (s *stats) frame(b *batch, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Frames++
	s.sum.Entries += int64(b.count)
	s.sum.Bytes += int64(len(b.buf))
	s.sum.SyncTotal += took
	_ = s.sync.RecordValue(min(took.Microseconds(), 100_000_000)) // in range by construction
}

func (s *stats) rotation() {
	s.mu.Lock()
	s.sum.Segments++
	s.mu.Unlock()
}

func (s *stats) trimmed() {
	s.mu.Lock()
	s.sum.Trimmed++
	s.mu.Unlock()
}

// Stats returns what the log has done so far.
func (l *Log) Stats() Stats {
	l.stats.mu.Lock()
	defer l.stats.mu.Unlock()
	s := l.stats.sum
	at := func(q float64) time.Duration {
		return time.Duration(l.stats.sync.ValueAtQuantile(q)) * time.Microsecond
	}
	s.SyncP50, s.SyncP95, s.SyncP99 = at(50), at(95), at(99)
	s.SyncMax = time.Duration(l.stats.sync.Max()) * time.Microsecond
	return s
}
