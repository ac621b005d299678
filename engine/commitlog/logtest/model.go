package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/weftworks/weft/engine/commitlog"
)

// entry is one entry that a Model appended.
type entry struct {
	pos       commitlog.Position
	partition uint32
	data      []byte
}

// Model remembers what was appended to a log and what the log said about it, over crashes, and finds
// out where the log breaks its contract. Its methods may be called from any goroutine.
type Model struct {
	turn    sync.Mutex // held by Append
	mu      sync.Mutex
	told    sync.Cond // Durable was called
	entries []entry   // of the log as it should be, in order
	trimmed commitlog.Position
	durable commitlog.Position // the last position reported
	highest commitlog.Position // ever given
	failed  error              // what Durable said
	wrong   error              // the first breach of contract
	epoch   int                // of the log's life; reports of an earlier one do not count
}

// NewModel returns the model of an empty log.
func NewModel() *Model {
	m := &Model{}
	m.told.L = &m.mu
	return m
}

// Clone returns a model that goes its own way from here, for a log that exists twice.
func (m *Model) Clone() *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewModel()
	c.entries = slices.Clone(m.entries)
	c.trimmed, c.durable, c.highest, c.wrong = m.trimmed, m.durable, m.highest, m.wrong
	return c
}

// breach keeps the first breach of contract. m.mu is held.
func (m *Model) breach(format string, args ...any) {
	if m.wrong == nil {
		m.wrong = fmt.Errorf(format, args...)
	}
	m.told.Broadcast()
}

// Crashing says that the power goes away now: what the log reports from here on does not count, as the
// crash may have come before it.
func (m *Model) Crashing() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
}

// Durable returns the DurableFunc for the log that is opened next.
func (m *Model) Durable() commitlog.DurableFunc {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.failed = nil
	epoch := m.epoch
	return func(pos commitlog.Position, err error) { m.hear(epoch, pos, err) }
}

func (m *Model) hear(epoch int, pos commitlog.Position, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case epoch != m.epoch:
		return
	case m.failed != nil:
		m.breach("Durable(%s, %v) after the log has failed", pos, err)
	case err != nil:
		m.failed = err
	case pos <= m.durable:
		m.breach("Durable(%s) after Durable(%s)", pos, m.durable)
	default:
		m.durable = pos
	}
	m.told.Broadcast()
}

// Append appends an entry to log and remembers it. Concurrent callers take turns, so the order is known.
func (m *Model) Append(log commitlog.Log, partition uint32, data []byte) (commitlog.Position, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	pos, err := log.Append(partition, data) // without m.mu: Append may wait for a report
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if pos <= m.highest {
		m.breach("Append gives position %s, and %s was given before", pos, m.highest)
	}
	m.highest = max(m.highest, pos)
	m.entries = append(m.entries, entry{pos, partition, bytes.Clone(data)})
	return pos, nil
}

// Wait waits until pos is durable; it returns the failure if the log reports one first.
func (m *Model) Wait(pos commitlog.Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.durable < pos && m.failed == nil && m.wrong == nil {
		m.told.Wait()
	}
	if m.durable >= pos {
		return m.wrong
	}
	return errors.Join(m.wrong, m.failed)
}

// Reported returns the last position reported durable.
func (m *Model) Reported() commitlog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.durable
}

// Failed returns what Durable said about a failure, or nil.
func (m *Model) Failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Wrong returns the first breach of contract, or nil.
func (m *Model) Wrong() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wrong
}

// Trim trims log and remembers it.
func (m *Model) Trim(log commitlog.Log, pos commitlog.Position) error {
	m.mu.Lock()
	m.trimmed = max(m.trimmed, pos)
	m.mu.Unlock()
	return log.Trim(pos)
}

// Some returns a position that Trim and Recover may be called with: of a random durable entry. It is
// 0 when there is none.
func (m *Model) Some(rng *rand.Rand) commitlog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < len(m.entries) && m.entries[n].pos <= m.durable {
		n++
	}
	if n == 0 {
		return 0
	}
	return max(m.trimmed, m.entries[rng.IntN(n)].pos)
}

// Check recovers log, which was just opened, and returns an error unless it holds a prefix of what was
// appended, with at least everything up to atLeast. The model goes on from that prefix, all of which
// is durable now.
func (m *Model) Check(log commitlog.Log, atLeast commitlog.Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.durable > m.highest {
		m.breach("Durable(%s), and the last position given was %s", m.durable, m.highest)
	}
	if m.wrong != nil {
		return m.wrong
	}
	n := 0
	for n < len(m.entries) && m.entries[n].pos < m.trimmed {
		n++
	}
	err := log.Recover(m.trimmed, func(pos commitlog.Position, partition uint32, data []byte) error {
		if n == len(m.entries) {
			return fmt.Errorf("recovered %s, which was not appended after %d entries", pos, n)
		}
		e := &m.entries[n]
		if pos != e.pos || partition != e.partition || !bytes.Equal(data, e.data) {
			return fmt.Errorf("recovered entry %d is (%s, %d, %d bytes); appended was (%s, %d, %d bytes)", n, pos, partition, len(data), e.pos, e.partition, len(e.data))
		}
		n++
		return nil
	})
	if err != nil {
		return err
	}
	if n < len(m.entries) && m.entries[n].pos <= atLeast {
		return fmt.Errorf("%d of %d entries survived, and %s was reported durable; lost from %s on", n, len(m.entries), atLeast, m.entries[n].pos)
	}
	m.entries = m.entries[:n]
	if n > 0 {
		m.durable = max(m.durable, m.entries[n-1].pos)
	}
	return nil
}
