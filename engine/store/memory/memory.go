// Package memory is a store in memory that can crash: it forgets what was not flushed, or any part of
// that which a real store could forget. It starts no goroutine, reads no clock and draws no randomness,
// so a simulation that uses it replays.
//
//	s := memory.New()
//	...
//	s = s.Crash(0)            // what the last Flush made safe
//	s = s.Crash(s.Unflushed()) // a crash that lost nothing
package memory

import (
	"bytes"
	"slices"
	"sync"

	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/fault"
)

// Store is a store in memory. States are immutable trees, so an iterator or a crash takes one as it is.
type Store struct {
	mu      sync.Mutex
	roots   []*node // the state at the last Flush, and after each batch since
	bytes   int64   // of batches since the last Flush
	closed  bool
	metrics store.Metrics
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{roots: []*node{nil}} }

// root returns the newest state.
func (s *Store) root() *node { return s.roots[len(s.roots)-1] }

// Get implements store.Store.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable("Get"); err != nil {
		return nil, false, err
	}
	if n := find(s.root(), key); n != nil {
		return append([]byte{}, n.value...), true, nil
	}
	return nil, false, nil
}

// changes plays a batch into a tree.
type changes struct{ root *node }

func (c *changes) Set(key, value []byte) error {
	c.root = set(c.root, bytes.Clone(key), append([]byte{}, value...))
	return nil
}

func (c *changes) Delete(key []byte) error {
	c.root = deleteRange(c.root, key, successor(key))
	return nil
}

func (c *changes) DeleteRange(lower, upper []byte) error {
	c.root = deleteRange(c.root, lower, upper)
	return nil
}

// Apply implements store.Store. It never waits.
func (s *Store) Apply(b *store.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable("Apply"); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return err
	}
	c := changes{s.root()}
	if err := b.Each(&c); err != nil {
		return err
	}
	s.roots = append(s.roots, c.root)
	s.bytes += int64(b.Bytes())
	s.metrics.Batches++
	s.metrics.BatchBytes += int64(b.Bytes())
	return nil
}

// Flush implements store.Store.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable("Flush"); err != nil {
		return err
	}
	s.flush()
	return nil
}

func (s *Store) flush() {
	s.roots = []*node{s.root()}
	s.bytes = 0
	s.metrics.Flushes++
}

// Unflushed returns how many batches were applied since the last Flush.
func (s *Store) Unflushed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.roots) - 1
}

// Crash ends s and returns what is found afterwards: the state at the last Flush with the first keep of
// the batches since, at most all of them.
func (s *Store) Crash(keep int) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return &Store{roots: []*node{s.roots[max(0, min(keep, len(s.roots)-1))]}}
}

// Close implements store.Store. Crash still returns what is kept.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.flush()
	}
	s.closed = true
	return nil
}

// Metrics implements store.Store.
func (s *Store) Metrics() store.Metrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metrics
	m.MemoryBytes = s.bytes
	return m
}

// usable returns an error when s was closed or has crashed. s.mu is held.
func (s *Store) usable(what string) error {
	if s.closed {
		return fault.New("store."+what, fault.Unavailable, "memory", "the store is closed")
	}
	return nil
}

// Iterate implements store.Store.
func (s *Store) Iterate(lower, upper []byte, reverse bool) store.Iterator {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &iterator{upper: bytes.Clone(upper), lower: bytes.Clone(lower), reverse: reverse, err: s.usable("Iterate")}
	if it.err == nil {
		it.push(s.root())
	}
	return it
}

// iterator walks a tree with the nodes whose turn is still to come on a stack.
type iterator struct {
	lower, upper []byte // nil: unbounded
	reverse      bool
	stack        []*node
	at           *node
	err          error
}

// push puts n and what comes before it, within the bounds, on the stack.
func (it *iterator) push(n *node) {
	for n != nil {
		below := it.lower != nil && bytes.Compare(n.key, it.lower) < 0
		above := it.upper != nil && bytes.Compare(n.key, it.upper) >= 0
		switch {
		case below:
			n = n.right
		case above:
			n = n.left
		case it.reverse:
			it.stack = append(it.stack, n)
			n = n.right
		default:
			it.stack = append(it.stack, n)
			n = n.left
		}
	}
}

// Next implements store.Iterator.
func (it *iterator) Next() bool {
	if len(it.stack) == 0 {
		it.at = nil
		return false
	}
	it.at = it.stack[len(it.stack)-1]
	it.stack = slices.Delete(it.stack, len(it.stack)-1, len(it.stack))
	if it.reverse {
		it.push(it.at.left)
	} else {
		it.push(it.at.right)
	}
	return true
}

// Key implements store.Iterator.
func (it *iterator) Key() []byte { return it.at.key }

// Value implements store.Iterator.
func (it *iterator) Value() []byte { return it.at.value }

// Err implements store.Iterator.
func (it *iterator) Err() error { return it.err }

// Close implements store.Iterator.
func (it *iterator) Close() error {
	it.stack = nil
	return nil
}
