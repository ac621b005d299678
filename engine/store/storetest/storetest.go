// Package storetest is the conformance suite of store.Store: every implementation runs it, crashes
// included.
//
//	func TestConformance(t *testing.T) { storetest.Run(t, func(t *testing.T) storetest.Harness { ... }) }
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/fault"
)

// Harness is one place where a store's data is kept, empty at first.
type Harness struct {
	// Open opens the store that is there.
	Open func() (store.Store, error)
	// Crash cuts the power under s, which is open, and leaves for Open what survived; unsynced data
	// survives in part, as rng has it. s is not used after it.
	Crash func(s store.Store, rng *rand.Rand) error
}

// Run runs the suite. fresh makes an independent place for each test.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	tests := map[string]func(*testing.T, Harness){
		"Values":        testValues,
		"BatchOrder":    testBatchOrder,
		"DeleteRange":   testDeleteRange,
		"Bounds":        testBounds,
		"Views":         testViews,
		"LargeBatch":    testLargeBatch,
		"Closed":        testClosed,
		"Reopen":        testReopen,
		"Concurrent":    testConcurrent,
		"CrashIsPrefix": testCrashIsPrefix,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// open opens the harness's store and closes it at the end of the test.
func open(t *testing.T, h Harness) store.Store {
	t.Helper()
	s, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // tests that care close it themselves
	return s
}

// apply applies what fill puts into a batch.
func apply(t *testing.T, s store.Store, fill func(b *store.Batch)) {
	t.Helper()
	var b store.Batch
	fill(&b)
	if err := s.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

// wantGet checks one key; want nil means absent.
func wantGet(t *testing.T, s store.Store, key string, want []byte) {
	t.Helper()
	v, ok, err := s.Get([]byte(key))
	if err != nil || ok != (want != nil) || !bytes.Equal(v, want) {
		t.Errorf("Get(%q) = %q, %v, %v; want %q", key, v, ok, err, want)
	}
}

// scan returns the keys and values in a range as "k=v k=v".
func scan(s store.Store, lower, upper []byte, reverse bool) (string, error) {
	it := s.Iterate(lower, upper, reverse)
	var out []byte
	for it.Next() {
		out = fmt.Appendf(out, "%s=%s ", it.Key(), it.Value())
	}
	return string(bytes.TrimSpace(out)), errors.Join(it.Err(), it.Close())
}

func wantScan(t *testing.T, s store.Store, lower, upper []byte, reverse bool, want string) {
	t.Helper()
	if got, err := scan(s, lower, upper, reverse); err != nil || got != want {
		t.Errorf("Iterate(%q, %q, %v) = %q, %v; want %q", lower, upper, reverse, got, err, want)
	}
}

func testValues(t *testing.T, h Harness) {
	s := open(t, h)
	wantGet(t, s, "a", nil)
	key, value := []byte("a"), []byte("one")
	apply(t, s, func(b *store.Batch) {
		b.Set(key, value)
		b.Set([]byte("empty"), nil)
	})
	key[0], value[0] = 'x', 'x' // the store must have copies
	wantGet(t, s, "a", []byte("one"))
	wantGet(t, s, "x", nil)
	wantGet(t, s, "empty", []byte{})
	wantGet(t, s, "", nil)
	var b store.Batch
	b.Set([]byte("good"), nil)
	b.Set(nil, []byte("at the empty key"))
	if err := s.Apply(&b); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("an empty key: %v", err)
	}
	wantGet(t, s, "good", nil)
	got, _, err := s.Get([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'X' // Get's result is the caller's
	wantGet(t, s, "a", []byte("one"))
	if m := s.Metrics(); m.Batches != 1 || m.BatchBytes == 0 {
		t.Errorf("Metrics = %+v after one batch", m)
	}
}

func testBatchOrder(t *testing.T, h Harness) {
	s := open(t, h)
	apply(t, s, func(b *store.Batch) {
		b.Set([]byte("a"), []byte("1"))
		b.Set([]byte("a"), []byte("2"))
		b.Set([]byte("b"), []byte("1"))
		b.Delete([]byte("b"))
		b.DeleteRange([]byte("c"), []byte("d"))
		b.Set([]byte("c"), []byte("after"))
		b.Set([]byte("c2"), []byte("before"))
		b.DeleteRange([]byte("c1"), []byte("d"))
		if b.Len() != 8 || b.Bytes() == 0 {
			t.Errorf("Len %d, Bytes %d", b.Len(), b.Bytes())
		}
	})
	wantScan(t, s, nil, nil, false, "a=2 c=after")
	var b store.Batch
	b.Set([]byte("a"), []byte("3"))
	b.Reset()
	if err := s.Apply(&b); err != nil || b.Len() != 0 {
		t.Errorf("applying an empty batch: %v, Len %d", err, b.Len())
	}
	wantGet(t, s, "a", []byte("2"))
}

func testDeleteRange(t *testing.T, h Harness) {
	s := open(t, h)
	fill := func(b *store.Batch) {
		for _, k := range []string{"a", "b", "b\x00", "c", "d"} {
			b.Set([]byte(k), []byte("v"))
		}
	}
	apply(t, s, fill)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	apply(t, s, func(b *store.Batch) { b.DeleteRange([]byte("b"), []byte("c")) })
	wantScan(t, s, nil, nil, false, "a=v c=v d=v")
	apply(t, s, func(b *store.Batch) {
		b.DeleteRange([]byte("d"), []byte("a")) // empty
		b.DeleteRange([]byte("d"), []byte("d")) // empty
	})
	wantScan(t, s, nil, nil, false, "a=v c=v d=v")
	apply(t, s, func(b *store.Batch) { b.DeleteRange([]byte(""), []byte("zz")) })
	wantScan(t, s, nil, nil, false, "")
	apply(t, s, fill)
	wantScan(t, s, nil, nil, true, "d=v c=v b\x00=v b=v a=v")
}

func testBounds(t *testing.T, h Harness) {
	s := open(t, h)
	apply(t, s, func(b *store.Batch) {
		for _, k := range []string{"a", "b", "c", "\xff\xff"} {
			b.Set([]byte(k), []byte(k))
		}
	})
	for _, c := range []struct {
		lower, upper []byte
		want, back   string
	}{
		{nil, nil, "a=a b=b c=c \xff\xff=\xff\xff", "\xff\xff=\xff\xff c=c b=b a=a"},
		{[]byte("b"), nil, "b=b c=c \xff\xff=\xff\xff", "\xff\xff=\xff\xff c=c b=b"},
		{nil, []byte("b"), "a=a", "a=a"},
		{[]byte("b"), []byte("b\x00"), "b=b", "b=b"},
		{[]byte("aa"), []byte("bb"), "b=b", "b=b"},
		{[]byte("d"), []byte("e"), "", ""},
	} {
		wantScan(t, s, c.lower, c.upper, false, c.want)
		wantScan(t, s, c.lower, c.upper, true, c.back)
	}
	it := s.Iterate(nil, nil, false)
	for it.Next() {
	}
	if it.Next() || it.Next() || it.Err() != nil {
		t.Errorf("Next after the end: %v", it.Err())
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
}

func testViews(t *testing.T, h Harness) {
	s := open(t, h)
	apply(t, s, func(b *store.Batch) { b.Set([]byte("a"), []byte("1")) })
	it := s.Iterate(nil, nil, false)
	apply(t, s, func(b *store.Batch) { b.Set([]byte("a"), []byte("2")); b.Set([]byte("b"), nil) })
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if !it.Next() || string(it.Key()) != "a" || string(it.Value()) != "1" || it.Next() || it.Err() != nil {
		t.Errorf("an iterator sees later batches, or fails: %v", it.Err())
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	wantScan(t, s, nil, nil, false, "a=2 b=")
}

func testLargeBatch(t *testing.T, h Harness) {
	s := open(t, h)
	value := bytes.Repeat([]byte("0123456789abcdef"), 1<<15) // 512 KiB
	apply(t, s, func(b *store.Batch) {
		for i := range 6 {
			b.Set(fmt.Appendf(nil, "k%d", i), value)
		}
	})
	apply(t, s, func(b *store.Batch) { b.Delete([]byte("k0")) })
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "k5", value)
	wantGet(t, s, "k0", nil)
}

func testClosed(t *testing.T, h Harness) {
	s := open(t, h)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Set([]byte("a"), nil)
	_, _, gerr := s.Get([]byte("a"))
	_, ierr := scan(s, nil, nil, false)
	for what, err := range map[string]error{"Apply": s.Apply(&b), "Flush": s.Flush(), "Get": gerr, "Iterate": ierr} {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s on a closed store: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func testReopen(t *testing.T, h Harness) {
	s := open(t, h)
	apply(t, s, func(b *store.Batch) { b.Set([]byte("a"), []byte("1")) })
	if err := s.Close(); err != nil { // Close flushes
		t.Fatal(err)
	}
	s = open(t, h)
	wantScan(t, s, nil, nil, false, "a=1")
	if err := s.Flush(); err != nil { // nothing to do
		t.Error(err)
	}
}

// testConcurrent lets writers, flushers and readers run at once. Each writer's keys must be as its
// own order of batches has them.
func testConcurrent(t *testing.T, h Harness) {
	s := open(t, h)
	const writers, rounds = 4, 60
	errs := make(chan error, writers)
	for w := range writers {
		go func() { errs <- write(s, w, rounds) }()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for w := range writers {
		wantGet(t, s, fmt.Sprintf("w%d/last", w), fmt.Appendf(nil, "%d", rounds-1))
	}
}

func write(s store.Store, w, rounds int) error {
	last := fmt.Appendf(nil, "w%d/last", w)
	for i := range rounds {
		var b store.Batch
		b.Set(last, fmt.Appendf(nil, "%d", i))
		b.Set(fmt.Appendf(nil, "w%d/%d", w, i), bytes.Repeat([]byte{byte(i)}, 3000))
		if err := s.Apply(&b); err != nil {
			return err
		}
		if v, _, err := s.Get(last); err != nil || string(v) != fmt.Sprint(i) {
			return fmt.Errorf("writer %d reads %q, %v after %d", w, v, err, i)
		}
		if i%20 == w {
			if err := s.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
