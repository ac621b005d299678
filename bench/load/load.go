// Package load puts load on something and measures how long each piece takes.
//
// A closed loop has a number of clients, each of which begins the next piece when its last one has ended: it says what a
// system can carry. Its latencies lie when the system stalls, as the clients then wait with it and do not begin the
// pieces that would have suffered (coordinated omission). An open loop begins pieces at times that are fixed beforehand and counts
// each from that time, whatever became of the others.
package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram holds latencies.
type Histogram struct{ h *hdrhistogram.Histogram }

// longest is what a latency is counted as at most.
const longest = 10 * time.Minute

// NewHistogram returns an empty histogram with three digits.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(1, longest.Microseconds(), 3)}
}

// Record adds a latency.
func (h *Histogram) Record(d time.Duration) {
	_ = h.h.RecordValue(min(max(d, 0), longest).Microseconds()) // within bounds
}

// Quantile returns the latency that a share of all do not exceed, in milliseconds; q is in percent.
func (h *Histogram) Quantile(q float64) float64 { return float64(h.h.ValueAtQuantile(q)) / 1000 }

// Max returns the longest latency, in milliseconds.
func (h *Histogram) Max() float64 { return float64(h.h.Max()) / 1000 }

// Count returns how many latencies there are.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Point is a point of a distribution: Share of all latencies, between 0 and 1, are at most MS milliseconds.
type Point struct{ MS, Share float64 }

// Distribution returns the cumulative distribution, by rising latency.
func (h *Histogram) Distribution() []Point {
	var points []Point
	var seen int64
	for _, bar := range h.h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		seen += bar.Count
		points = append(points, Point{MS: float64(bar.To) / 1000, Share: float64(seen) / float64(h.h.TotalCount())})
	}
	return points
}

// Result is what a loop has measured.
type Result struct {
	Count   int64 // pieces that were done
	Elapsed time.Duration
	Latency *Histogram
}

// Rate returns pieces a second.
func (r *Result) Rate() float64 { return float64(r.Count) / r.Elapsed.Seconds() }

// Do does one piece; n counts them.
type Do func(ctx context.Context, n int) error

// meter gathers what goroutines measure.
type meter struct {
	mu    sync.Mutex
	total *Histogram
	err   error
}

func (m *meter) add(h *Histogram, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.h.Merge(h.h)
	if m.err == nil {
		m.err = err
	}
}

// Closed keeps clients busy with one piece after the other until the time is over; a client does at least one. The first
// failure ends its client and is returned.
func Closed(ctx context.Context, clients int, length time.Duration, do Do) (Result, error) {
	m := meter{total: NewHistogram()}
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			h := NewHistogram()
			for {
				at := time.Now()
				if err := do(ctx, int(n.Add(1)-1)); err != nil {
					m.add(h, err)
					return
				}
				h.Record(time.Since(at))
				if time.Since(began) >= length || ctx.Err() != nil {
					m.add(h, nil)
					return
				}
			}
		})
	}
	wg.Wait()
	return Result{Count: m.total.Count(), Elapsed: time.Since(began), Latency: m.total}, m.err
}

// Open begins pieces at a fixed rate a second, each at its time whatever became of the others, and waits for all of them. A
// latency counts from the time at which its piece was to begin.
func Open(ctx context.Context, rate float64, length time.Duration, do Do) (Result, error) {
	m := meter{total: NewHistogram()}
	var wg sync.WaitGroup
	began := time.Now()
	for n := range int(rate * length.Seconds()) {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			time.Sleep(d)
		}
		wg.Go(func() {
			err := do(ctx, n)
			late := time.Since(due)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.total.Record(late)
			if m.err == nil {
				m.err = err
			}
		})
	}
	wg.Wait()
	return Result{Count: m.total.Count(), Elapsed: time.Since(began), Latency: m.total}, m.err
}
