package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/machine"
)

// echo is a registry with the trivial functions in process.
func echo() *function.Registry {
	r := function.NewRegistry()
	answer := function.Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	for name, s := range map[string]function.Settings{"hello": {}, "again": {Idempotent: true}} {
		if err := r.Register(name, answer, s); err != nil {
			panic(err) // the names are valid
		}
	}
	return r
}

// withNode opens a node in a directory of its own and calls fn.
func withNode(c *settings, opts engine.Options, fn func(*engine.Node) error) (err error) {
	dir, err := os.MkdirTemp(c.dir, "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	opts.Dir = dir
	opts.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	n, err := engine.Open(opts)
	if err != nil {
		return err
	}
	defer func() {
		if e := n.Close(); err == nil {
			err = e
		}
	}()
	return fn(n)
}

// sequence returns a machine of n Tasks in a row.
func sequence(n int, resource string) []byte {
	var b strings.Builder
	b.WriteString(`{"StartAt":"S1","States":{`)
	for i := 1; i <= n; i++ {
		next := fmt.Sprintf(`"Next":"S%d"`, i+1)
		sep := ","
		if i == n {
			next, sep = `"End":true`, ""
		}
		fmt.Fprintf(&b, `"S%d":{"Type":"Task","Resource":%q,%s}%s`, i, resource, next, sep)
	}
	b.WriteString(`}}`)
	return []byte(b.String())
}

// once runs a machine once, start to end.
func once(n *engine.Node, name string, input []byte) error {
	ctx := context.Background()
	run, err := n.StartRun(ctx, engine.StartRun{Machine: name, Input: input})
	if err != nil {
		return err
	}
	run, err = n.WaitRun(ctx, run.ID)
	if err != nil {
		return err
	}
	if run.Status != machine.Succeeded {
		return fmt.Errorf("run %s ended %s: %s %s", run.ID.Name, run.Status, run.Error, run.Cause)
	}
	return nil
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
}

// millis returns a percentile of a histogram of microseconds, in milliseconds.
func millis(h *hdrhistogram.Histogram, q float64) float64 {
	return float64(h.ValueAtQuantile(q)) / 1000
}

// usage is what the process has used.
type usage struct {
	cpu     time.Duration
	mallocs uint64
	stats   engine.Stats
	at      time.Time
}

func measure(n *engine.Node) usage {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // cannot fail with these arguments
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{
		cpu:     time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		mallocs: m.Mallocs, stats: n.Stats(), at: time.Now(),
	}
}

// closed keeps clients busy with one run after the other until the time is over and returns how many ended, and
// their latencies in microseconds.
func closed(n *engine.Node, name string, clients int, length time.Duration) (int64, *hdrhistogram.Histogram, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var firstErr error
	total := newHistogram()
	end := time.Now().Add(length)
	for range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			h := newHistogram()
			var err error
			for err == nil && time.Now().Before(end) {
				began := time.Now()
				err = once(n, name, []byte(`{"city":"Oslo"}`))
				_ = h.RecordValue(time.Since(began).Microseconds())
			}
			mu.Lock()
			defer mu.Unlock()
			total.Merge(h)
			if err != nil {
				firstErr = err
			}
		}()
	}
	wg.Wait()
	return total.TotalCount(), total, firstErr
}

// open starts runs at a fixed rate, each at its scheduled time whatever became of the others, and returns their
// latencies from schedule to end in microseconds.
func open(n *engine.Node, name string, rate float64, length time.Duration) (*hdrhistogram.Histogram, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var firstErr error
	h := newHistogram()
	count := int(rate * length.Seconds())
	began := time.Now()
	for i := range count {
		due := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			time.Sleep(d)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := once(n, name, []byte(`{"city":"Oslo"}`))
			late := time.Since(due).Microseconds()
			mu.Lock()
			defer mu.Unlock()
			_ = h.RecordValue(late)
			if err != nil {
				firstErr = err
			}
		}()
	}
	wg.Wait()
	return h, firstErr
}
