package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/logtest"
	"github.com/weftworks/weft/fault"
)

// tripwire is an errorfs injector: before the k-th operation that changes the file system it calls trip,
// and from then on operations fail with after.
type tripwire struct {
	left  int
	after error
	once  bool // only the k-th fails
	trip  func()
}

func (w *tripwire) String() string { return "tripwire" }

func (w *tripwire) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpLock {
		return nil
	}
	w.left--
	if w.left == 0 && w.trip != nil {
		w.trip()
	}
	if w.left == 0 || (w.left < 0 && !w.once) {
		return w.after
	}
	return nil
}

// manual is options for tests that need every operation to come in the same order.
func manual(fs vfs.FS, durable commitlog.DurableFunc) *Options {
	o := small(fs, durable)
	o.Manual, o.BufferBytes, o.FirstBytes = true, 1<<20, 0 // only files of full size are used again
	return o
}

// work opens the log, fills several segments, trims and closes, a few times over, always in the same
// way. It returns the first error.
func work(fs vfs.FS, m *logtest.Model, rounds int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		atLeast := m.Reported()
		log, err := Open(testDir, manual(fs, m.Durable()))
		if err != nil {
			return err
		}
		if err := workOn(log, m, atLeast, rng); err != nil {
			return errors.Join(err, log.Close())
		}
		if err := log.Close(); err != nil {
			return err
		}
	}
	return m.Wrong()
}

func workOn(log *Log, m *logtest.Model, atLeast commitlog.Position, rng *rand.Rand) error {
	if err := m.Check(log, atLeast); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	for i := range 12 {
		for range 1 + rng.IntN(3) {
			if _, err := m.Append(log, rng.Uint32N(8), make([]byte, rng.IntN(9000))); err != nil {
				return err
			}
		}
		if err := log.Flush(); err != nil {
			return err
		}
		if i%4 == 3 {
			if err := m.Trim(log, m.Some(rng)); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume opens what a crash or failure left and checks it, twice, appending in between.
func resume(fs vfs.FS, m *logtest.Model, atLeast commitlog.Position) error {
	for range 2 {
		log, err := Open(testDir, manual(fs, m.Durable()))
		if err != nil {
			return err
		}
		if err := m.Check(log, atLeast); err != nil {
			return errors.Join(err, log.Close())
		}
		_, err = m.Append(log, 1, []byte("after"))
		if err = errors.Join(err, log.Flush(), log.Close(), m.Wrong()); err != nil {
			return err
		}
		atLeast = m.Reported()
	}
	r, err := Verify(fs, testDir)
	if err == nil && len(r.Problems) > 0 {
		err = fmt.Errorf("Verify finds %+v", r.Problems)
	}
	return err
}

var errPower = errors.New("the power is gone")

// crashAt cuts the power before operation k. seen is false when the work has fewer operations.
func crashAt(k, percent int) (seen bool, err error) {
	mem, m := vfs.NewCrashableMem(), logtest.NewModel()
	var crashed *vfs.MemFS
	var atLeast commitlog.Position
	w := &tripwire{left: k, after: errPower, trip: func() {
		m.Crashing()
		atLeast = m.Reported()
		crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(k), 3))})
	}}
	if err := work(errorfs.Wrap(mem, w), m, 3); err != nil && !errors.Is(err, errPower) {
		return true, err
	}
	if crashed == nil {
		return false, nil
	}
	return true, resume(crashed, m, atLeast)
}

// TestCrashAtEveryOperation cuts the power before each write, sync, create, rename and remove in turn,
// with nothing, some and everything unsynced surviving.
func TestCrashAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 30, 70, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				seen, err := crashAt(k, percent)
				if err != nil {
					t.Errorf("operation %d: %v", k, err)
				}
				if !seen {
					if k < 100 {
						t.Errorf("only %d operations", k)
					}
					return
				}
			}
		})
	}
}

// failAt lets operation k fail, and those after it too unless once. The log must refuse to go on, and
// lose nothing that it reported, whether the file system is as the process left it or as a crash does.
func failAt(k int, cause error, once bool) (seen bool, err error) {
	mem, m := vfs.NewCrashableMem(), logtest.NewModel()
	w := &tripwire{left: k, after: cause, once: once}
	err = work(errorfs.Wrap(mem, w), m, 2)
	if w.left > 0 {
		return false, err
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		return true, fmt.Errorf("the failure shows as: %w", err)
	}
	if m.Wrong() != nil {
		return true, m.Wrong()
	}
	atLeast := m.Reported()
	crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: k * 37 % 101, RNG: rand.New(rand.NewPCG(uint64(k), 5))})
	if err := resume(crashed, m.Clone(), atLeast); err != nil {
		return true, fmt.Errorf("after a crash: %w", err)
	}
	return true, resume(mem, m, atLeast)
}

func TestFailureAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v once=%v", cause, once), func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k++ {
					seen, err := failAt(k, cause, once)
					if err != nil {
						t.Errorf("operation %d: %v", k, err)
					}
					if !seen {
						return
					}
				}
			})
		}
	}
}

// TestBrokenRulesAreCaught runs the suite and the sweep on logs that break a rule.
func TestBrokenRulesAreCaught(t *testing.T) {
	t.Parallel()
	t.Run("ReusePositions", func(t *testing.T) {
		t.Parallel()
		caught := logtest.Broken(t, true, harness(func(o *Options) {
			o.Manual, o.BufferBytes, o.Faults.ReusePositions = true, 4<<20, true
		}))
		if !slices.Contains(caught, "CrashUnflushed") {
			t.Errorf("caught only by %v", caught)
		}
	})
	t.Run("AckBeforeSync", func(t *testing.T) {
		t.Parallel()
		mem, m := vfs.NewCrashableMem(), logtest.NewModel()
		o := manual(mem, m.Durable())
		o.Faults.AckBeforeSync = true
		log, err := Open(testDir, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Append(log, 1, []byte("acknowledged")); err != nil {
			t.Fatal(err)
		}
		if _, err := log.WriteStep(); err != nil {
			t.Fatal(err)
		}
		m.Crashing()
		crashed := mem.CrashClone(vfs.CrashCloneCfg{})
		if err := resume(crashed, m, m.Reported()); err == nil {
			t.Error("an entry acknowledged before its sync and lost was not missed")
		}
	})
}

// TestFailureIsFinal fails one sync and lets everything after it work.
func TestFailureIsFinal(t *testing.T) {
	t.Parallel()
	for _, byItself := range []bool{false, true} {
		mem, m := vfs.NewCrashableMem(), logtest.NewModel()
		var broken errorfs.Toggle
		broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileSyncData {
				return syscall.EIO
			}
			return nil
		})
		o := manual(errorfs.Wrap(mem, &broken), m.Durable())
		o.Manual = !byItself
		o.Spares = 1
		log, err := Open(testDir, o)
		if err != nil {
			t.Fatal(err)
		}
		log.files.makers.Wait() // no spare is being made while syncs fail
		flush := func() error {
			if byItself {
				return nil
			}
			return log.Flush()
		}
		good, err := m.Append(log, 1, []byte("good"))
		if err := errors.Join(err, flush(), m.Wait(good)); err != nil {
			t.Fatal(err)
		}
		broken.On()
		bad, err := m.Append(log, 1, []byte("bad"))
		if err != nil {
			t.Fatal(err)
		}
		_ = flush()
		if err := m.Wait(bad); !errors.Is(err, syscall.EIO) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("Durable says %v", err)
		}
		broken.Off()
		if _, err := log.Append(1, []byte("more")); !fault.Is(err, fault.Unavailable) || !errors.Is(err, syscall.EIO) {
			t.Errorf("Append after the failure: %v", err)
		}
		if err := log.Trim(good); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Trim after the failure: %v", err)
		}
		if err := log.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("Close after the failure: %v", err)
		}
		if m.Wrong() != nil || m.Reported() != good {
			t.Errorf("reported %s, want %s; %v", m.Reported(), good, m.Wrong())
		}
		if err := resume(mem, m, good); err != nil {
			t.Error(err)
		}
	}
}

// TestRecoveredIsDurable ends a process between write and sync, opens the log again and then cuts the
// power: what the second process has read must be there for the third.
func TestRecoveredIsDurable(t *testing.T) {
	t.Parallel()
	mem, m := vfs.NewCrashableMem(), logtest.NewModel()
	log, err := Open(testDir, manual(mem, m.Durable()))
	if err != nil {
		t.Fatal(err)
	}
	pos, err := m.Append(log, 1, []byte("written, not synced"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := log.WriteStep(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := log.lock.Close(); err != nil { // as the end of a process does
		t.Fatal(err)
	}
	if log, err = Open(testDir, manual(mem, m.Durable())); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(log, pos); err != nil {
		t.Fatal(err)
	}
	if err := resume(mem.CrashClone(vfs.CrashCloneCfg{}), m, pos); err != nil {
		t.Error(err)
	}
}

// TestRestartsLeaveOneSegment opens a log many times without using it.
func TestRestartsLeaveOneSegment(t *testing.T) {
	t.Parallel()
	mem, m := vfs.NewCrashableMem(), logtest.NewModel()
	if err := work(mem, m, 1); err != nil {
		t.Fatal(err)
	}
	before, err := list(mem, testDir)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		atLeast := m.Reported()
		log, err := Open(testDir, manual(mem, m.Durable()))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Check(log, atLeast), log.Close()); err != nil {
			t.Fatal(err)
		}
	}
	after, err := list(mem, testDir)
	if err != nil || len(after.segments) != len(before.segments)+1 {
		t.Errorf("%d segments became %d; %v", len(before.segments), len(after.segments), err)
	}
}

// TestBackPressure holds up a sync: Append must stop taking entries at the limit, and go on after.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	mem, m := vfs.NewMem(), logtest.NewModel()
	entered, release := make(chan struct{}), make(chan struct{})
	var hold errorfs.Toggle
	hold.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			entered <- struct{}{}
			<-release
		}
		return nil
	})
	o := small(errorfs.Wrap(mem, &hold), m.Durable())
	o.BufferBytes, o.Spares, o.SegmentBytes, o.FirstBytes = 1000, 1, 1<<20, 1<<20
	log, err := Open(testDir, o)
	if err != nil {
		t.Fatal(err)
	}
	log.files.makers.Wait()
	hold.On()
	if _, err := m.Append(log, 1, make([]byte, 5000)); err != nil { // larger than the buffer, alone
		t.Fatal(err)
	}
	<-entered // the first frame is being synced; what follows must wait in the buffer
	hold.Off()
	taken := make(chan int)
	go func() {
		for i := range 20 {
			if _, err := m.Append(log, 1, make([]byte, 100)); err != nil {
				t.Error(err)
			}
			taken <- i
		}
		close(taken)
	}()
	for range 8 { // 8 * (100 + 2..10) fit into 1000
		<-taken
	}
	log.mu.Lock()
	waiting := len(log.fill.buf)
	log.mu.Unlock()
	if waiting > o.BufferBytes+frameHeaderBytes {
		t.Errorf("%d bytes wait, the limit is %d", waiting, o.BufferBytes)
	}
	log.mu.Lock()
	if log.fits(1000) {
		t.Error("an entry that does not fit would be taken")
	}
	log.mu.Unlock()
	close(release)
	n := 8
	for range taken {
		n++
	}
	if err := errors.Join(log.Close(), m.Wrong()); err != nil || n != 20 {
		t.Errorf("%d of 20 entries taken: %v", n, err)
	}
}

func TestManualBufferIsBounded(t *testing.T) {
	t.Parallel()
	o := manual(vfs.NewMem(), nil)
	o.BufferBytes = 1000
	log, err := Open(testDir, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		_, err := log.Append(1, make([]byte, 100))
		if fault.Is(err, fault.Busy) && i >= 8 {
			break
		}
		if err != nil || i > 10 {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	if err := log.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(1, make([]byte, 100)); err != nil {
		t.Errorf("after Flush: %v", err)
	}
	if _, err := log.Append(1, make([]byte, o.BufferBytes)); !fault.Is(err, fault.Busy) {
		t.Errorf("a large entry behind a small one: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	o.EntryBytesMax = 50
	if log, err = Open(testDir, o); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(1, make([]byte, 51)); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("an entry past the limit: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}
