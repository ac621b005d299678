package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
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

func TestPowerCuts(t *testing.T) {
	t.Parallel()
	storetest.PowerCuts(t, func(fs vfs.FS) (storetest.Closer, error) { return embedded.Open("data", quiet(fs)) })
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

func BenchmarkStore(b *testing.B) {
	s, err := embedded.Open(b.TempDir(), quiet(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Benchmark(b, s)
}
