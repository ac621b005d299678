// Package logtest is the conformance suite of commitlog.Log: every implementation runs it, crashes
// included. Model is what it checks with; tests of one implementation use it, too.
//
//	func TestConformance(t *testing.T) { logtest.Run(t, func(t *testing.T) logtest.Harness { ... }) }
package logtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// Harness is one place where a log is kept, empty at first.
type Harness struct {
	// Open opens the log that is there.
	Open func(durable commitlog.DurableFunc) (commitlog.Log, error)
	// Crash cuts the power under log, which is open, and leaves for Open what survived; data that is
	// not synced survives in part, as rng has it. log is not used after it.
	Crash func(log commitlog.Log, rng *rand.Rand) error
}

// flusher is a log that has no goroutine of its own.
type flusher interface{ Flush() error }

// flush makes a log without a goroutine write; others do it by themselves.
func flush(log commitlog.Log, manual bool) error {
	if f, ok := log.(flusher); ok && manual {
		return f.Flush()
	}
	return nil
}

// suite is the tests, which return an error so that a broken log can be seen to fail them.
var suite = map[string]func(h Harness, manual bool) error{
	"Order":          checkOrder,
	"Sizes":          checkSizes,
	"RecoverFrom":    checkRecoverFrom,
	"RecoverStops":   checkRecoverStops,
	"RecoverLate":    checkRecoverLate,
	"Trim":           checkTrim,
	"Closed":         checkClosed,
	"CloseFlushes":   checkCloseFlushes,
	"Concurrent":     checkConcurrent,
	"Crash":          checkCrash,
	"CrashAtOnce":    checkCrashAtOnce,
	"CrashUnflushed": checkCrashUnflushed,
}

// Run runs the suite. fresh makes an independent place for each test; manual says that logs have no
// goroutine and a method Flush.
func Run(t *testing.T, manual bool, fresh func(t *testing.T) Harness) {
	for name, check := range suite {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := check(fresh(t), manual); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Broken runs the suite on logs that break a rule and returns the names of the tests that noticed.
func Broken(t *testing.T, manual bool, fresh func(t *testing.T) Harness) (caught []string) {
	t.Helper()
	for name, check := range suite {
		if err := check(fresh(t), manual); err != nil {
			t.Logf("%s: %v", name, err)
			caught = append(caught, name)
		}
	}
	slices.Sort(caught)
	return caught
}

// fill appends n entries of up to size bytes and returns the last one's position.
func fill(m *Model, log commitlog.Log, rng *rand.Rand, n, size int) (commitlog.Position, error) {
	var last commitlog.Position
	for range n {
		data := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(size+1))
		pos, err := m.Append(log, rng.Uint32()>>rng.IntN(32), data)
		if err != nil {
			return 0, err
		}
		last = pos
	}
	return last, nil
}

// begin opens the log and checks what it holds.
func begin(h Harness, m *Model) (commitlog.Log, error) {
	atLeast := m.Reported()
	log, err := h.Open(m.Durable())
	if err != nil {
		return nil, err
	}
	return log, m.Check(log, atLeast)
}

// crash cuts the power.
func crash(h Harness, m *Model, log commitlog.Log, rng *rand.Rand) error {
	m.Crashing()
	return h.Crash(log, rng)
}

// settle makes everything appended so far durable.
func settle(m *Model, log commitlog.Log, manual bool, last commitlog.Position) error {
	if err := flush(log, manual); err != nil {
		return err
	}
	return m.Wait(last)
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x1095)) }

func checkOrder(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(1)
	for range 3 {
		log, err := begin(h, m)
		if err != nil {
			return err
		}
		for range 10 {
			last, err := fill(m, log, rng, 1+rng.IntN(5), 100)
			if err = errors.Join(err, settle(m, log, manual, last)); err != nil {
				return err
			}
		}
		if err := errors.Join(log.Close(), m.Wrong()); err != nil {
			return err
		}
	}
	log, err := begin(h, m)
	return errors.Join(err, log.Close())
}

func checkSizes(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(2)
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	for _, size := range []int{0, 1, 127, 128, 16383, 16384, 100_000, 1 << 20} {
		if _, err := m.Append(log, rng.Uint32(), bytes.Repeat([]byte{7}, size)); err != nil {
			return err
		}
		data := []byte("reused")
		last, err := m.Append(log, 1, data)
		data[0] = 'x' // the log must have a copy
		if err = errors.Join(err, settle(m, log, manual, last)); err != nil {
			return err
		}
	}
	if err := log.Close(); err != nil {
		return err
	}
	log, err = begin(h, m)
	return errors.Join(err, log.Close())
}

// positions recovers log and returns the positions it gives.
func positions(log commitlog.Log, from commitlog.Position) ([]commitlog.Position, error) {
	var got []commitlog.Position
	err := log.Recover(from, func(pos commitlog.Position, _ uint32, _ []byte) error {
		got = append(got, pos)
		return nil
	})
	return got, err
}

func checkRecoverFrom(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(3)
	for range 3 { // several incarnations, several segments
		log, err := begin(h, m)
		if err != nil {
			return err
		}
		last, err := fill(m, log, rng, 20, 4000)
		if err = errors.Join(err, settle(m, log, manual, last), log.Close()); err != nil {
			return err
		}
	}
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	all, err := positions(log, 0)
	if err != nil {
		return err
	}
	if len(all) != 60 {
		return fmt.Errorf("%d of 60 entries", len(all))
	}
	for i, from := range all {
		for _, f := range []commitlog.Position{from, from + 1} { // the second may lie in a gap
			want := all[i:]
			if f > from {
				want = all[i+1:]
			}
			if got, err := positions(log, f); err != nil || !slices.Equal(got, want) {
				return fmt.Errorf("Recover(%s) gives %d entries, want %d: %w", f, len(got), len(want), err)
			}
		}
	}
	return log.Close()
}

func checkRecoverStops(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(4)
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	last, err := fill(m, log, rng, 10, 100)
	if err = errors.Join(err, settle(m, log, manual, last), log.Close()); err != nil {
		return err
	}
	if log, err = begin(h, m); err != nil {
		return err
	}
	stop, calls := errors.New("stop"), 0
	err = log.Recover(0, func(commitlog.Position, uint32, []byte) error {
		if calls++; calls == 4 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls != 4 {
		return fmt.Errorf("Recover calls %d times and returns %w", calls, err)
	}
	return log.Close()
}

func checkRecoverLate(h Harness, manual bool) error {
	m := NewModel()
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	if _, err := m.Append(log, 1, nil); err != nil {
		return err
	}
	if _, err := positions(log, 0); !fault.Is(err, fault.Internal) {
		return fmt.Errorf("Recover after Append: %w", err)
	}
	return log.Close()
}

func checkTrim(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(5)
	for round := range 8 {
		log, err := begin(h, m)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		for range 5 {
			last, err := fill(m, log, rng, 10, 4000)
			if err = errors.Join(err, settle(m, log, manual, last)); err != nil {
				return err
			}
			if err := m.Trim(log, m.Some(rng)); err != nil {
				return err
			}
		}
		if err := errors.Join(log.Close(), m.Wrong()); err != nil {
			return err
		}
	}
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	if _, err := positions(log, 0); !fault.Is(err, fault.Corrupt) {
		return fmt.Errorf("Recover from the start of a trimmed log: %w", err)
	}
	return log.Close()
}

func checkClosed(h Harness, manual bool) error {
	m := NewModel()
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	_, aerr := log.Append(1, nil)
	if terr := log.Trim(1); !fault.Is(aerr, fault.Unavailable) || !fault.Is(terr, fault.Unavailable) {
		return fmt.Errorf("a closed log: Append %w, Trim %w", aerr, terr)
	}
	if err := log.Close(); err != nil {
		return fmt.Errorf("closing again: %w", err)
	}
	return m.Wrong()
}

func checkCloseFlushes(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(6)
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	last, err := fill(m, log, rng, 100, 1000)
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	if m.Reported() != last {
		return fmt.Errorf("Close returned at %s; %s was appended", m.Reported(), last)
	}
	log, err = begin(h, m)
	return errors.Join(err, log.Close())
}

// checkConcurrent appends from several goroutines at once, each waiting for its own entries.
func checkConcurrent(h Harness, manual bool) error {
	m := NewModel()
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	const appenders = 4
	errs := make(chan error, appenders)
	for i := range uint64(appenders) {
		go func() {
			rng := newRand(7 + i)
			last, err := fill(m, log, rng, 50, 500)
			for range 10 {
				if err == nil && !manual {
					err = m.Wait(last)
				}
				if err == nil {
					last, err = fill(m, log, rng, 1, 500)
				}
			}
			errs <- err
		}()
	}
	for range appenders {
		err = errors.Join(err, <-errs)
	}
	if err = errors.Join(err, log.Close(), m.Wrong()); err != nil {
		return err
	}
	log, err = begin(h, m)
	return errors.Join(err, log.Close())
}

// checkCrash appends, waits, trims and crashes at random, again and again.
func checkCrash(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(8)
	for round := range 40 {
		log, err := begin(h, m)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		for range rng.IntN(8) {
			last, err := fill(m, log, rng, 1+rng.IntN(10), 3000)
			if err != nil {
				return err
			}
			switch rng.IntN(4) {
			case 0:
				err = settle(m, log, manual, last)
			case 1:
				err = m.Trim(log, m.Some(rng))
			}
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if err := crash(h, m, log, rng); err != nil {
			return err
		}
	}
	log, err := begin(h, m)
	return errors.Join(err, log.Close())
}

// checkCrashAtOnce crashes a log again and again that was opened and not used: what is there must
// stay, and positions must go on.
func checkCrashAtOnce(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(9)
	log, err := begin(h, m)
	if err != nil {
		return err
	}
	last, err := fill(m, log, rng, 5, 100)
	if err = errors.Join(err, settle(m, log, manual, last)); err != nil {
		return err
	}
	for range 5 {
		if err := crash(h, m, log, rng); err != nil {
			return err
		}
		if log, err = begin(h, m); err != nil {
			return err
		}
	}
	if _, err := fill(m, log, rng, 1, 10); err != nil {
		return err
	}
	return errors.Join(log.Close(), m.Wrong())
}

// checkCrashUnflushed crashes with entries that were given positions and never synced; the positions
// must not be given again.
func checkCrashUnflushed(h Harness, manual bool) error {
	m, rng := NewModel(), newRand(10)
	for range 10 {
		log, err := begin(h, m)
		if err != nil {
			return err
		}
		if _, err := fill(m, log, rng, 20, 2000); err != nil {
			return err
		}
		if err := errors.Join(crash(h, m, log, rng), m.Wrong()); err != nil {
			return err
		}
	}
	log, err := begin(h, m)
	return errors.Join(err, log.Close())
}
