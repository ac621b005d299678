package pebble

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/store/storetest"
	"github.com/weftworks/weft/fault"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// small makes background flushes and compactions frequent.
func small(fs vfs.FS) *Options {
	return &Options{FS: fs, MemTableBytes: 64 << 10, CacheBytes: 1 << 20, Logger: quiet}
}

func harness(*testing.T) storetest.Harness {
	fs := vfs.NewCrashableMem()
	return storetest.Harness{
		Open: func() (store.Store, error) { return Open("data/store", small(fs)) },
		Crash: func(s store.Store, rng *rand.Rand) error {
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			return s.Close() // what it still writes goes to the files of before the crash
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness)
}

func TestConformanceOnDisk(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		dir := t.TempDir()
		return storetest.Harness{
			Open:  func() (store.Store, error) { return Open(dir+"/store", small(nil)) },
			Crash: func(s store.Store, rng *rand.Rand) error { return s.Close() },
		}
	})
}

// tripwire is an errorfs injector that does something at the k-th operation that changes a file.
type tripwire struct {
	mu    sync.Mutex
	left  int
	after error // what operations from the k-th on fail with; nil: they go through
	trip  func()
}

func (w *tripwire) String() string { return "tripwire" }

func (w *tripwire) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpLock {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left--
	if w.left == 0 && w.trip != nil {
		w.trip()
	}
	if w.left <= 0 {
		return w.after
	}
	return nil
}

// load changes s at random until it fails or is done.
func load(m *storetest.Model, s store.Store, rng *rand.Rand) error {
	for range 150 {
		if err := m.Step(s, rng); err != nil {
			return err
		}
	}
	return nil
}

// TestCrashAtEveryOperation takes the power away before each operation on files in turn.
func TestCrashAtEveryOperation(t *testing.T) {
	t.Parallel()
	for k := 1; ; k += 1 + k/16 {
		rng := rand.New(rand.NewPCG(uint64(k), 2))
		mem := vfs.NewCrashableMem()
		m := &storetest.Model{}
		var crashed *vfs.MemFS
		flushed := 0
		w := &tripwire{left: k, trip: func() {
			flushed = m.Flushed()
			crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: k * 31 % 101, RNG: rand.New(rand.NewPCG(uint64(k), 3))})
		}}
		s, err := Open("data/store", small(errorfs.Wrap(mem, w)))
		if err != nil {
			t.Fatalf("operation %d: %v", k, err)
		}
		if err := load(m, s, rng); err != nil {
			t.Fatalf("operation %d: %v", k, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("operation %d: %v", k, err)
		}
		if crashed == nil {
			if k < 50 {
				t.Fatalf("only %d operations were seen", k)
			}
			return
		}
		if s, err = Open("data/store", small(crashed)); err != nil {
			t.Fatalf("opening after a crash at operation %d: %v", k, err)
		}
		if err := m.Check(s, flushed); err != nil {
			t.Errorf("after a crash at operation %d: %v", k, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDiskAtEveryOperation lets every operation from the k-th on fail. The store must say so and not
// hang, stay readable, and lose nothing that was flushed, also when the process goes on with Close.
func TestFullDiskAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for k := 1; ; k += 1 + k/8 {
			if done := failAt(t, k, cause); done {
				break
			}
		}
	}
}

// failAt runs one round; it says whether k is more operations than a round has.
func failAt(t *testing.T, k int, cause error) (done bool) {
	mem := vfs.NewCrashableMem()
	m := &storetest.Model{}
	w := &tripwire{left: k, after: cause}
	s, err := Open("data/store", small(errorfs.Wrap(mem, w)))
	if err != nil {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("operation %d: Open: %v", k, err)
		}
		return false
	}
	err = load(m, s, rand.New(rand.NewPCG(uint64(k), 4)))
	if err == nil {
		err = s.Flush()
	}
	if err == nil {
		_ = s.Close()
		return k > 50
	}
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("operation %d: %v", k, err)
	}
	if err := s.Flush(); err == nil {
		t.Errorf("operation %d: Flush succeeds after a failure", k)
	}
	if err := (&storetest.Model{}).Check(s, 0); err != nil && fault.Is(err, fault.Unavailable) {
		t.Errorf("operation %d: the store is not readable: %v", k, err)
	}
	flushed := m.Flushed()
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("operation %d: Close after a failure: %v", k, err)
	}
	for _, fs := range []*vfs.MemFS{crashed, mem} {
		s, err := Open("data/store", small(fs))
		if err != nil {
			t.Errorf("operation %d: opening again: %v", k, err)
			continue
		}
		if err := m.Clone().Check(s, flushed); err != nil {
			t.Errorf("operation %d: opening again: %v", k, err)
		}
		_ = s.Close()
	}
	return false
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{MemTableBytes: 1}, {CacheBytes: -1}, {RunsMax: 1}} {
		o.FS = vfs.NewMem()
		if _, err := Open("x", &o); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s, err := Open("x", small(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open("x", small(fs)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("opening twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
