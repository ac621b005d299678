package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/unum"
)

// Benchmark measures what runs are made of: a step of a chain (one read, one write), the same by many runs at once, a branch
// that ends (an Add to one record, by many at once), a join of a hundred branches, and a blob of 1 MiB.
func Benchmark(b *testing.B, s unum.Store) {
	for name, bench := range map[string]func(*testing.B, unum.Store){
		"Step": benchStep, "Steps": benchSteps, "Add": benchAdd, "Join100": benchJoin, "Blob1M": benchBlob,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			bench(b, s)
		})
	}
}

// chain takes a new line one step on for every call.
type chain struct {
	s    unum.Store
	key  string
	step int64
}

func newChain(ctx context.Context, s unum.Store) (*chain, error) {
	c := &chain{s: s, key: fresh()}
	return c, must(ctx, s, c.key, &unum.Record{Nonce: "n"})
}

func (c *chain) next(ctx context.Context) error {
	rec, err := one(ctx, c.s, c.key)
	if err != nil {
		return err
	}
	_, ok, err := c.s.Advance(ctx, c.key, "n", c.step, &unum.Record{Nonce: "n", Step: c.step + 1, Value: noise(500)})
	if c.step++; err == nil && (!ok || rec == nil) {
		err = fmt.Errorf("step %d of %s: %v, %+v", c.step, c.key, ok, rec)
	}
	return err
}

func benchStep(b *testing.B, s unum.Store) {
	c, err := newChain(b.Context(), s)
	for b.Loop() && err == nil {
		err = c.next(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
}

// parallelism is how many callers there are for each processor.
const parallelism = 32

func benchSteps(b *testing.B, s unum.Store) {
	b.SetParallelism(parallelism)
	b.RunParallel(func(pb *testing.PB) {
		c, err := newChain(b.Context(), s)
		for pb.Next() && err == nil {
			err = c.next(b.Context())
		}
		if err != nil {
			b.Error(err)
		}
	})
}

// width is after how many Adds another record gets the next: that of a wide fan-out.
const width = 512

func benchAdd(b *testing.B, s unum.Store) {
	run := fresh()
	var count atomic.Int64
	b.SetParallelism(parallelism)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := count.Add(1) - 1
			key := fmt.Sprintf("%s/%d", run, n/width)
			_, added, err := s.Add(b.Context(), key, "n", 0, fmt.Sprint(n%width), false)
			if err == nil && !added { // the first of a record
				_, _, err = s.Create(b.Context(), key, &unum.Record{Nonce: "n", Width: width, Value: noise(500)})
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchJoin(b *testing.B, s unum.Store) {
	run := fresh()
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("%s/1.%d", run, i))
		if err := must(b.Context(), s, keys[i], &unum.Record{Nonce: "n", Step: 1, Ended: true, Value: noise(500)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), keys); err != nil {
			b.Fatal(err)
		}
	}
}

func benchBlob(b *testing.B, s unum.Store) {
	key, data := fresh(), noise(1<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := s.PutBlob(b.Context(), key, data, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := s.GetBlob(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.DeleteBlobs(b.Context(), []string{key}); err != nil {
		b.Fatal(err)
	}
}
