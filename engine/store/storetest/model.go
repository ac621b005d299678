package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/engine/store"
)

// Model remembers every batch applied to a store, so that its state after any prefix of them can be
// compared with what a crash left.
type Model struct {
	batches []*store.Batch
	flushed atomic.Int64 // batches known to be durable
}

// marker is the key in which each batch of a Model stores its number.
const marker = "~batch"

// state is the contents of a store. It takes batches as a store.Writer.
type state map[string]string

func (s state) Set(key, value []byte) error { s[string(key)] = string(value); return nil }
func (s state) Delete(key []byte) error     { delete(s, string(key)); return nil }
func (s state) DeleteRange(lower, upper []byte) error {
	maps.DeleteFunc(s, func(k, _ string) bool { return k >= string(lower) && k < string(upper) })
	return nil
}

// String lists the contents in order, values by their length and first bytes.
func (s state) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%q=%d:%.8q ", k, len(s[k]), s[k])
	}
	return b.String()
}

// after returns the state after the first n batches.
func (m *Model) after(n int) state {
	s := state{}
	for _, b := range m.batches[:n] {
		_ = b.Each(s) // state never fails
	}
	return s
}

// randomBatch makes a batch over few keys, so that changes meet.
func randomBatch(rng *rand.Rand, number int) *store.Batch {
	b := &store.Batch{}
	key := func() []byte { return fmt.Appendf(nil, "k%02d", rng.IntN(60)) }
	for range 1 + rng.IntN(8) {
		switch rng.IntN(8) {
		case 0:
			b.Delete(key())
		case 1:
			lower, upper := key(), key()
			b.DeleteRange(lower, upper)
		default:
			b.Set(key(), bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(6000)))
		}
	}
	b.Set([]byte(marker), fmt.Appendf(nil, "%d", number))
	return b
}

// Step applies a random batch, or flushes now and then. Batches are in the model whether they
// succeeded or not: one that failed may survive a crash, as nobody was told that it would not.
func (m *Model) Step(s store.Store, rng *rand.Rand) error {
	if rng.IntN(25) == 0 {
		n := int64(len(m.batches))
		if err := s.Flush(); err != nil {
			return err
		}
		m.flushed.Store(n)
		return nil
	}
	b := randomBatch(rng, len(m.batches)+1)
	m.batches = append(m.batches, b)
	return s.Apply(b)
}

// Flushed returns how many batches are known to be durable.
func (m *Model) Flushed() int { return int(m.flushed.Load()) }

// Check returns an error unless s holds exactly the state after a prefix of the batches, with at least
// the first atLeast of them. Afterwards the model is cut to that prefix.
func (m *Model) Check(s store.Store, atLeast int) error {
	found := state{}
	it := s.Iterate(nil, nil, false)
	for it.Next() {
		_ = found.Set(it.Key(), it.Value())
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	n := 0
	if v, ok := found[marker]; ok {
		if _, err := fmt.Sscan(v, &n); err != nil {
			return err
		}
	}
	if n < atLeast || n > len(m.batches) {
		return fmt.Errorf("the store holds %d batches; %d of %d were flushed", n, atLeast, len(m.batches))
	}
	if want := m.after(n); !maps.Equal(found, want) {
		return fmt.Errorf("the store is not in the state after %d batches:\ngot  %s\nwant %s", n, found, want)
	}
	m.batches = m.batches[:n]
	m.flushed.Store(int64(n))
	return nil
}

// Clone returns a model that goes its own way from here.
func (m *Model) Clone() *Model {
	c := &Model{batches: slices.Clone(m.batches)}
	c.flushed.Store(m.flushed.Load())
	return c
}

// testCrashIsPrefix runs random batches against the model, crashing again and again.
func testCrashIsPrefix(t *testing.T, h Harness) {
	for seed := range uint64(3) {
		if err := crashRounds(h, rand.New(rand.NewPCG(seed, 1))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// crashRounds empties the store, then changes and crashes it a few times.
func crashRounds(h Harness, rng *rand.Rand) error {
	s, err := h.Open()
	if err != nil {
		return err
	}
	m := &Model{}
	var wipe store.Batch
	wipe.DeleteRange([]byte{0}, []byte{0xff})
	if err := errors.Join(s.Apply(&wipe), s.Flush()); err != nil {
		return err
	}
	for round := range 6 {
		for range rng.IntN(120) {
			if err := m.Step(s, rng); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if err := h.Crash(s, rng); err != nil {
			return err
		}
		if s, err = h.Open(); err != nil {
			return fmt.Errorf("round %d: opening after a crash: %w", round, err)
		}
		if err := m.Check(s, m.Flushed()); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return s.Close()
}
