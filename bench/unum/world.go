package main

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weftworks/weft/unum"
)

// latency is a log-normal distribution, given by two of its quantiles.
type latency struct{ p50, p99 time.Duration }

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263

func (l latency) draw() time.Duration {
	if l.p50 == 0 {
		return 0
	}
	sigma := math.Log(float64(l.p99)/float64(l.p50)) / z99
	return time.Duration(float64(l.p50) * math.Exp(sigma*rand.NormFloat64()))
}

// world is what surrounds the runtime: how long things take.
type world struct {
	read, write, invoke latency // of one request, to its answer
	dispatch            latency // from the answer of an Invoke to the function's first instruction
	// unitTime is how long an item is busy with a write unit: DynamoDB grants a partition 1,000 a second, and an item is in one.
	unitTime time.Duration
}

// slowStore is a datastore as far away as DynamoDB was in the paper's measurements.
type slowStore struct {
	unum.Store
	*world
	items sync.Map // key: *item
}

// item is busy until a time.
type item struct {
	mu   sync.Mutex
	free time.Time
}

func (s *slowStore) slowWrite(key string, bytes int) {
	units := int64(max(1, (bytes+1023)/1024))
	v, _ := s.items.LoadOrStore(key, new(item))
	it := v.(*item)
	it.mu.Lock()
	now := time.Now()
	if it.free.Before(now) {
		it.free = now
	}
	it.free = it.free.Add(time.Duration(units) * s.unitTime)
	busy := it.free.Sub(now)
	it.mu.Unlock()
	time.Sleep(busy + s.write.draw())
}

func size(r *unum.Record) int {
	if r == nil {
		return 0
	}
	n := 64 + len(r.Nonce) + len(r.Value) + len(r.Failed)
	for _, m := range r.Members {
		n += len(m) + 1
	}
	return n
}

// batch is how many keys DynamoDB reads at a time.
const batch = 100

func (s *slowStore) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	recs, err := s.Store.Get(ctx, keys)
	var longest time.Duration
	for i := 0; i < len(keys); i += batch {
		longest = max(longest, s.read.draw())
	}
	time.Sleep(longest)
	return recs, err
}

func (s *slowStore) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	s.slowWrite(key, size(rec))
	return s.Store.Create(ctx, key, rec)
}

func (s *slowStore) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	s.slowWrite(key, size(rec))
	return s.Store.Advance(ctx, key, nonce, from, rec)
}

func (s *slowStore) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	recs, err := s.Store.Get(ctx, []string{key}) // for its size alone
	if err != nil {
		return nil, false, err
	}
	s.slowWrite(key, size(recs[0]))
	return s.Store.Add(ctx, key, nonce, step, member, failed)
}

func (s *slowStore) Delete(ctx context.Context, keys []string) error {
	time.Sleep(s.write.draw())
	return s.Store.Delete(ctx, keys)
}

func (s *slowStore) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	s.slowWrite(key, len(data))
	return s.Store.PutBlob(ctx, key, data, expires)
}

func (s *slowStore) GetBlob(ctx context.Context, key string) ([]byte, error) {
	data, err := s.Store.GetBlob(ctx, key)
	time.Sleep(s.read.draw())
	return data, err
}

func (s *slowStore) DeleteBlobs(ctx context.Context, keys []string) error {
	time.Sleep(s.write.draw())
	return s.Store.DeleteBlobs(ctx, keys)
}

// slowPlatform invokes functions as far away as Lambda was.
type slowPlatform struct {
	*world
	handle  func(ctx context.Context, payload []byte) error
	failed  func(error)
	running sync.WaitGroup
}

func (p *slowPlatform) Invoke(ctx context.Context, _ string, payload []byte, notBefore time.Time) error {
	time.Sleep(p.invoke.draw())
	p.running.Go(func() {
		time.Sleep(max(p.dispatch.draw(), time.Until(notBefore)))
		if err := p.handle(context.WithoutCancel(ctx), payload); err != nil {
			p.failed(err)
		}
	})
	return nil
}

func (p *slowPlatform) MaxPayload() int { return 256 << 10 }
