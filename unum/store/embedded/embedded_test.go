package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/embedded"
	"github.com/weftworks/weft/unum/store/storetest"
)

// quiet are options for a file system in which nothing is swept by itself.
func quiet(fs vfs.FS) *embedded.Options {
	return &embedded.Options{FS: fs, SweepEvery: -1, Logger: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, dir string, fs vfs.FS) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(dir, quiet(fs))
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
	sweep := func(ctx context.Context, s unum.Store, now time.Time) error {
		return s.(*embedded.Store).Sweep(ctx, now)
	}
	storetest.Run(t, storetest.Options{Sweep: sweep, Slow: true}, func(t *testing.T) unum.Store {
		return open(t, filepath.Join(t.TempDir(), "made", "here"), nil)
	})
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, nil)
	if s, err := embedded.Open(dir, quiet(nil)); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v, %v", s, err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	if _, created, err := s.Create(t.Context(), "k", &unum.Record{}); !created || err != nil {
		t.Fatal(created, err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), []string{"k"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: %v", err)
	}
	if _, created, err := s.Create(t.Context(), "k", &unum.Record{}); created || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Create: %v, %v", created, err)
	}
}

// TestPowerCuts cuts the power while clients advance lines and read each other's, again and again. What a client was told
// of, by an answer or by a read, is there afterwards.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const lines, clients, cuts = 4, 6, 8
	rng := rand.New(rand.NewPCG(3, 4))
	fs := vfs.NewCrashableMem()
	var seen [lines]atomic.Int64
	for range cuts {
		s, err := embedded.Open("data", quiet(fs))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range clients {
			group.Go(func() { push(ctx, s, seen[:]) })
		}
		for seen[0].Load()%20 < 15 && ctx.Err() == nil { // somewhere in the middle
			step(ctx, s, 0, seen[:])
		}
		var least [lines]int64
		for i := range seen {
			least[i] = seen[i].Load()
		}
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		cancel()
		group.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs = left
		check := openAgain(t, fs)
		for i, want := range least {
			recs, err := check.Get(t.Context(), []string{fmt.Sprint("line", i)})
			if err != nil || want > 0 && (recs[0] == nil || recs[0].Step < want) {
				t.Fatalf("line %d: %+v, %v; somebody has seen step %d", i, recs[0], err, want)
			}
			seen[i].Store(0)
			if recs[0] != nil {
				seen[i].Store(recs[0].Step)
			}
		}
		if err := check.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func openAgain(t *testing.T, fs vfs.FS) *embedded.Store {
	t.Helper()
	s, err := embedded.Open("data", quiet(fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// push takes lines on until the context ends.
func push(ctx context.Context, s *embedded.Store, seen []atomic.Int64) {
	for ctx.Err() == nil {
		step(ctx, s, rand.IntN(len(seen)), seen)
	}
}

// step reads a line, notes what it sees, and takes it one step on.
func step(ctx context.Context, s *embedded.Store, line int, seen []atomic.Int64) {
	key := fmt.Sprint("line", line)
	recs, err := s.Get(ctx, []string{key})
	if err != nil {
		return
	}
	if recs[0] == nil {
		_, _, _ = s.Create(ctx, key, &unum.Record{Nonce: "n"}) // if it fails, the next reads
		return
	}
	note(&seen[line], recs[0].Step)
	if _, ok, err := s.Advance(ctx, key, "n", recs[0].Step, &unum.Record{Nonce: "n", Step: recs[0].Step + 1}); ok && err == nil {
		note(&seen[line], recs[0].Step+1)
	}
}

func note(seen *atomic.Int64, step int64) {
	for {
		old := seen.Load()
		if old >= step || seen.CompareAndSwap(old, step) {
			return
		}
	}
}

// TestReadsWaitForTheDisk reads what is being written while the disk syncs: nobody may see it yet.
func TestReadsWaitForTheDisk(t *testing.T) {
	t.Parallel()
	var s *embedded.Store
	var watch atomic.Bool
	synced := 0
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if (op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData) || !watch.Swap(false) {
			return nil
		}
		synced++
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if recs, err := s.Get(ctx, []string{"other", "k"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read %+v, %v before it was durable", recs, err)
		}
		if recs, err := s.Get(ctx, []string{"other"}); err != nil && ctx.Err() == nil || len(recs) > 0 && recs[0] != nil {
			t.Errorf("read of another key: %+v, %v", recs, err)
		}
		return nil
	}))
	s = open(t, "data", fs)
	watch.Store(true)
	if _, created, err := s.Create(t.Context(), "k", &unum.Record{}); !created || err != nil || synced != 1 {
		t.Errorf("created %v, %v; %d syncs watched", created, err, synced)
	}
	watch.Store(false)
}

// TestDiskFails has a sync of the log fail: who waited for it is told, and nothing is taken any more.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) {
			return errors.New("the disk is gone")
		}
		return nil
	}))
	s, err := embedded.Open("data", quiet(fs))
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
	if _, err := s.Get(t.Context(), []string{"kept"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: %v", err)
	}
	_ = s.Close()
}
