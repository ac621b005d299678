package enginekv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/storetest"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64 // of the clock
	sweep := func(ctx context.Context, s unum.Store, now time.Time) error {
		ahead.Store(int64(time.Until(now)) + int64(time.Second))
		return nil // what comes next finds the timers due
	}
	storetest.Run(t, storetest.Options{Sweep: sweep, Slow: true}, func(t *testing.T) unum.Store {
		return open(t, filepath.Join(t.TempDir(), "kv"), Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	})
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, Options{})
	if s, err := Open(dir, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v, %v", s, err)
	}
}

func TestPowerCuts(t *testing.T) {
	t.Parallel()
	storetest.PowerCuts(t, func(fs vfs.FS) (storetest.Closer, error) {
		return Open("data", &Options{FS: fs, Logger: slog.New(slog.DiscardHandler), segmentBytes: 32 << 10})
	})
}

// settle has the store take what has changed, and cuts the log.
func settle(t *testing.T, s *Store) {
	t.Helper()
	for _, l := range s.lanes {
		for goal := l.Position(); l.Applied() < goal; {
			if err := l.Submit(l.Flush()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), []string{"a", "b", "c", "d", "e", "f", "g", "h"}); err != nil { // lets the lanes turn
				t.Fatal(err)
			}
		}
	}
	if err := s.shared.Cut(commitlog.Position(s.durable.Load())); err != nil {
		t.Fatal(err)
	}
}

// TestMoreThanMemory has far more records than stay in memory, works on those that have left it, and opens it all again.
func TestMoreThanMemory(t *testing.T) {
	t.Parallel()
	const memory, workers = 50, 16
	const count = 4 * partitions * memory
	fs, ctx := vfs.NewMem(), t.Context()
	var ahead atomic.Int64
	o := Options{resident: memory, FS: fs, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	s, err := Open("data", &o)
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) string { return fmt.Sprintf("run/%d", i) }
	all := func(s *Store, do func(i int) error) {
		var group sync.WaitGroup
		for w := range workers {
			group.Go(func() {
				for i := w; i < count; i += workers {
					if err := do(i); err != nil {
						t.Errorf("%d: %v", i, err)
						return
					}
				}
			})
		}
		group.Wait()
	}
	soon := time.Now().Add(time.Hour).Unix()
	all(s, func(i int) error {
		_, created, err := s.Create(ctx, key(i), &unum.Record{Nonce: "n", Step: int64(i), Expires: soon + int64(i%2)*100_000})
		return errors.Join(err, want(created))
	})
	settle(t, s)
	settle(t, s)
	all(s, func(i int) error {
		rec, added, err := s.Add(ctx, key(i), "n", int64(i), "m", false)
		return errors.Join(err, want(added && len(rec.Members) == 1 && rec.Step == int64(i)))
	})
	for reopened := range 2 {
		n := 0
		if err := s.Keys(ctx, "run/", func(string) bool { n++; return true }); err != nil || n < count {
			t.Errorf("listed %d of %d, %v", n, count, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open("data", &o); err != nil {
			t.Fatal(err)
		}
		all(s, func(i int) error {
			recs, err := s.Get(ctx, []string{key(i)})
			return errors.Join(err, want(recs[0] != nil && len(recs[0].Members) == 1))
		})
		if reopened == 0 {
			settle(t, s)
		}
	}
	ahead.Store(int64(2 * time.Hour))
	all(s, func(i int) error {
		recs, err := s.Get(ctx, []string{key(i)})
		return errors.Join(err, want((recs[0] != nil) == (i%2 == 1)))
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func want(ok bool) error {
	if !ok {
		return errors.New("not what was wanted")
	}
	return nil
}

// TestClosed has operations on a closed store.
func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), []string{"k"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: %v", err)
	}
	if _, _, err := s.Create(t.Context(), "k", &unum.Record{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Create: %v", err)
	}
}

// TestDiskFails has a sync of the log fail: who waited for it is told, and nothing is taken any more.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			return errors.New("the disk is gone")
		}
		return nil
	}))
	s, err := Open("data", &Options{FS: fs, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, created, err := s.Create(t.Context(), "kept", &unum.Record{}); !created || err != nil {
		t.Fatal(created, err)
	}
	broken.Store(true)
	for i := range 2 {
		if _, created, err := s.Create(t.Context(), fmt.Sprint("lost", i), &unum.Record{}); created || !fault.Is(err, fault.Unavailable) {
			t.Errorf("Create %d: %v, %v", i, created, err)
		}
	}
	if err := s.Close(); err == nil {
		t.Error("Close does not say that the log has failed")
	}
}

func BenchmarkStore(b *testing.B) {
	s, err := Open(b.TempDir(), &Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Benchmark(b, s)
}
