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
	order []string        // of runs, oldest first
	sizes map[string]size // of the records and blobs that there are, for what it costs to replace and delete them
}

// size is how large something is that a datastore keeps.
type size struct {
	bytes int // as an item of DynamoDB; 0: it is not there
	docs  int // of Firestore: of a record's scope, or of a blob
}

// NewMeter returns a Meter that has counted nothing.
func NewMeter() *Meter { return &Meter{runs: map[string]*Usage{}, sizes: map[string]size{}} }

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
		var rec *unum.Record
		if err == nil {
			rec = recs[i]
		}
		s.m.count(RunOf(key), func(u *Usage) {
			u.read(itemBytes(key, rec))
			u.documents(1+scopeDocs(rec), 0, 0)
		})
	}
	return recs, err
}

func (s *store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	cur, created, err := s.s.Create(ctx, key, rec)
	s.wrote(key, rec, cur, created)
	return cur, created, err
}

func (s *store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	cur, advanced, err := s.s.Advance(ctx, key, nonce, from, rec)
	s.wrote(key, rec, cur, advanced)
	return cur, advanced, err
}

// wrote counts a write of rec, or one that was refused as cur was there.
func (s *store) wrote(key string, rec, cur *unum.Record, done bool) {
	if !done {
		s.refused(key, cur)
		return
	}
	n, docs := itemBytes(key, rec), scopeDocs(rec)
	was := s.m.replace(key, size{n, docs})
	s.m.count(RunOf(key), func(u *Usage) {
		u.write(max(n, was.bytes)) // DynamoDB charges for the larger of what was there and what is
		u.documents(0, 1+docs, was.docs)
	})
}

// refused counts a write that has changed nothing, upon which Firestore is asked what is there.
func (s *store) refused(key string, cur *unum.Record) {
	s.m.count(RunOf(key), func(u *Usage) {
		u.write(itemBytes(key, cur))
		u.documents(1+scopeDocs(cur), 0, 0)
	})
}

func (s *store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	cur, added, err := s.s.Add(ctx, key, nonce, step, member, failed)
	if !added {
		s.refused(key, cur)
		return cur, added, err
	}
	n, docs, writes := itemBytes(key, cur), scopeDocs(cur), 1
	if failed && docs > 0 {
		writes = 2
	}
	was := s.m.replace(key, size{n, docs})
	s.m.count(RunOf(key), func(u *Usage) {
		u.write(max(n, was.bytes))
		u.documents(1+docs, writes, 0)
	})
	return cur, added, err
}

// replace notes how large what is at key is from now on, and returns how large it was.
func (m *Meter) replace(key string, now size) (was size) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was = m.sizes[key]
	if len(m.sizes) >= sizesMost {
		clear(m.sizes)
	}
	if now.bytes > 0 {
		m.sizes[key] = now
	} else {
		delete(m.sizes, key)
	}
	return was
}

func (s *store) Delete(ctx context.Context, keys []string) error {
	err := s.s.Delete(ctx, keys)
	for _, key := range keys {
		was := s.m.replace(key, size{})
		s.m.count(RunOf(key), func(u *Usage) {
			if u.remove(was.bytes); was.bytes > 0 {
				u.documents(0, 0, 1+was.docs)
			} else {
				u.documents(1, 0, 0)
			}
		})
	}
	return err
}

// blobs sets the sizes of blobs apart from those of records of the same key.
const blobs = "blob "

func (s *store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	err := s.s.PutBlob(ctx, key, data, expires)
	n, docs := len(key)+len(data), blobDocs(len(data))
	s.m.replace(blobs+key, size{n, docs})
	s.m.count(RunOf(key), func(u *Usage) {
		if u.write(n); err == nil {
			u.documents(0, docs, 0)
		}
	})
	return err
}

func (s *store) GetBlob(ctx context.Context, key string) ([]byte, error) {
	data, err := s.s.GetBlob(ctx, key)
	s.m.count(RunOf(key), func(u *Usage) {
		u.read(len(key) + len(data))
		u.documents(blobDocs(len(data)), 0, 0)
	})
	return data, err
}

func (s *store) DeleteBlobs(ctx context.Context, keys []string) error {
	err := s.s.DeleteBlobs(ctx, keys)
	for _, key := range keys {
		was := s.m.replace(blobs+key, size{})
		s.m.count(RunOf(key), func(u *Usage) {
			u.remove(was.bytes)
			u.documents(1, 0, was.docs) // it is asked first how many there are
		})
	}
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
