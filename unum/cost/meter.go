package cost

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/unum"
)

// RunsMost is how many runs a Meter keeps apart; what the oldest have used is forgotten beyond.
const RunsMost = 10_000

// sizesMost is how many sizes a Meter remembers at most; what it has forgotten counts as the smallest.
const sizesMost = 1 << 20

// Meter counts what runs use. It is safe for concurrent use.
type Meter struct {
	mu    sync.Mutex
	runs  map[string]*Usage
	order []string       // of runs, oldest first
	sizes map[string]int // of the records and blobs that there are, for what deletes cost
}

// NewMeter returns a Meter that has counted nothing.
func NewMeter() *Meter { return &Meter{runs: map[string]*Usage{}, sizes: map[string]int{}} }

// Usage returns what a run has used so far; false: nothing is known of it.
func (m *Meter) Usage(run string) (Usage, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.runs[run]
	if u == nil {
		return Usage{}, false
	}
	return *u, true
}

// Execution counts an execution of a function of a run, with the memory it has (MiB) and how long it took.
func (m *Meter) Execution(run string, memory int, took time.Duration) {
	m.count(run, func(u *Usage) { u.execution(memory, took) })
}

// Transitions counts transitions that Step Functions would charge a run for.
func (m *Meter) Transitions(run string, n int64) {
	m.count(run, func(u *Usage) { u.Transitions += n })
}

func (m *Meter) count(run string, fn func(*Usage)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.runs[run]
	if u == nil {
		if len(m.order) >= RunsMost {
			delete(m.runs, m.order[0])
			m.order = m.order[1:]
		}
		u = new(Usage)
		m.runs[run], m.order = u, append(m.order, run)
	}
	fn(u)
}

// RunOf is the run that a key belongs to.
func RunOf(key string) string {
	run, _, _ := strings.Cut(key, "/")
	return run
}

// Store returns a Store that counts what is asked of s.
func (m *Meter) Store(s unum.Store) unum.Store { return &store{m, s} }

type store struct {
	m *Meter
	s unum.Store
}

func (s *store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	recs, err := s.s.Get(ctx, keys)
	for i, key := range keys {
		n := 0
		if err == nil {
			n = itemBytes(key, recs[i])
		}
		s.m.count(RunOf(key), func(u *Usage) { u.read(n) })
	}
	return recs, err
}

func (s *store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	cur, created, err := s.s.Create(ctx, key, rec)
	s.wrote(key, rec, cur, created, err, !created)
	return cur, created, err
}

func (s *store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	cur, advanced, err := s.s.Advance(ctx, key, nonce, from, rec)
	s.wrote(key, rec, cur, advanced, err, true)
	return cur, advanced, err
}

func (s *store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	cur, added, err := s.s.Add(ctx, key, nonce, step, member, failed)
	s.wrote(key, cur, cur, added, err, true)
	return cur, added, err
}

// wrote counts a write of rec that met or made cur.
func (s *store) wrote(key string, rec, cur *unum.Record, done bool, err error, conditional bool) {
	n := itemBytes(key, cur)
	if done {
		// DynamoDB charges for the larger of what was there and what is.
		n = max(itemBytes(key, rec), s.m.replace(key, itemBytes(key, rec)))
	}
	s.m.count(RunOf(key), func(u *Usage) { u.write(n, done && err == nil, conditional) })
}

// replace notes how large the item at key is from now on, 0 for gone, and returns how large it was.
func (m *Meter) replace(key string, n int) (was int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was = m.sizes[key]
	if len(m.sizes) >= sizesMost {
		clear(m.sizes)
	}
	if n > 0 {
		m.sizes[key] = n
	} else {
		delete(m.sizes, key)
	}
	return was
}

func (s *store) Delete(ctx context.Context, keys []string) error {
	err := s.s.Delete(ctx, keys)
	s.removed(keys, "")
	return err
}

func (s *store) removed(keys []string, prefix string) {
	for _, key := range keys {
		n := s.m.replace(prefix+key, 0)
		s.m.count(RunOf(key), func(u *Usage) { u.remove(n) })
	}
}

// blobs sets the sizes of blobs apart from those of records of the same key.
const blobs = "blob "

func (s *store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	err := s.s.PutBlob(ctx, key, data, expires)
	n := len(key) + len(data)
	s.m.replace(blobs+key, n)
	s.m.count(RunOf(key), func(u *Usage) { u.write(n, err == nil, false) })
	return err
}

func (s *store) GetBlob(ctx context.Context, key string) ([]byte, error) {
	data, err := s.s.GetBlob(ctx, key)
	s.m.count(RunOf(key), func(u *Usage) { u.read(len(key) + len(data)) })
	return data, err
}

func (s *store) DeleteBlobs(ctx context.Context, keys []string) error {
	err := s.s.DeleteBlobs(ctx, keys)
	s.removed(keys, blobs)
	return err
}

// Platform returns a Platform that counts what is asked of p.
func (m *Meter) Platform(p unum.Platform) unum.Platform { return &platform{m, p} }

type platform struct {
	m *Meter
	p unum.Platform
}

func (p *platform) MaxPayload() int { return p.p.MaxPayload() }

func (p *platform) Invoke(ctx context.Context, function string, payload []byte, notBefore time.Time) error {
	err := p.p.Invoke(ctx, function, payload, notBefore)
	var req struct {
		Run string `json:"run"`
	}
	if json.Unmarshal(payload, &req) == nil && req.Run != "" { // what is no request is of no run
		p.m.count(req.Run, func(u *Usage) { u.invoke(len(payload), !notBefore.IsZero()) })
	}
	return err
}
