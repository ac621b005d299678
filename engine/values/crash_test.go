package values

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
)

// work opens a store, puts, deletes and closes, a few times over, always in the same way. It goes on after errors
// and returns them.
func work(fs vfs.FS, b *book) (failed []error) {
	ids := newSeeded(7)
	for round := range 3 {
		s, err := Open(testDir, &Options{FS: fs, Rand: ids})
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for i, n := range []int{10, 5000, 0, (2 - round) * bufferBytes / 2} {
			ref, err := b.put(s, append(noise(uint64(round*10+i), n), byte(round), byte(i)))
			if err == nil && i == 2 {
				err = b.delete(s, ref.ID)
			}
			if err != nil {
				failed = append(failed, err)
			}
		}
		if err := s.Close(); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// resume opens what a crash or failure left and checks it, puts more, and does so again after another crash.
func resume(fs *vfs.MemFS, b *book) error {
	for round := range 2 {
		s, err := Open(testDir, &Options{FS: fs, Rand: newSeeded(byte(100 + round))})
		if err != nil {
			return err
		}
		if err := b.check(s); err != nil {
			return errors.Join(fmt.Errorf("round %d: %w", round, err), s.Close())
		}
		for i := range 4 { // in old shards and new ones
			if _, err := b.put(s, noise(uint64(500+10*round+i), 6000)); err != nil {
				return errors.Join(err, s.Close())
			}
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		if err := s.Close(); err != nil {
			return err
		}
	}
	s, err := Open(testDir, &Options{FS: fs})
	if err != nil {
		return err
	}
	return errors.Join(b.check(s), s.Close())
}

var errPower = errors.New("the power is gone")

// crashAt cuts the power before operation k. seen is false when the work has fewer operations.
func crashAt(k, percent int) (seen bool, err error) {
	mem, b := vfs.NewCrashableMem(), newBook()
	var crashed *vfs.MemFS
	var promised *book
	w := &tripwire{left: k, after: errPower, trip: func() {
		promised = b.clone()
		crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(k), 3))})
	}}
	failed := work(errorfs.Wrap(mem, w), b)
	if crashed == nil {
		return false, errors.Join(failed...)
	}
	return true, resume(crashed, promised)
}

// TestCrashAtEveryOperation cuts the power before each write, sync, create, mkdir, rename and remove in turn, with
// nothing, some and everything unsynced surviving: what Put returned is there and whole, a deleted value may be, and
// nothing is visible in part.
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
					if k < 60 {
						t.Errorf("only %d operations", k)
					}
					return
				}
			}
		})
	}
}

// failAt lets operation k fail, and those after it too unless once. Errors are typed, and nothing that Put returned
// is lost, whether the file system is as the process left it or as a crash does.
func failAt(k int, cause error, once, reads bool) (seen bool, err error) {
	mem, b := vfs.NewCrashableMem(), newBook()
	w := &tripwire{left: k, after: cause, once: once, reads: reads}
	failed := work(errorfs.Wrap(mem, w), b)
	if w.left > 0 {
		return false, errors.Join(failed...)
	}
	for _, err := range failed {
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, cause) {
			return true, fmt.Errorf("the failure shows as: %w", err)
		}
	}
	if once && len(failed) != 1 {
		return true, fmt.Errorf("one failure shows as %d: %w", len(failed), errors.Join(failed...))
	}
	if once && temporaries(mem) > 0 {
		return true, errors.New("the failed Put has left its file")
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: k * 37 % 101, RNG: rand.New(rand.NewPCG(uint64(k), 5))})
	if err := resume(crashed, b.clone()); err != nil {
		return true, fmt.Errorf("after a crash: %w", err)
	}
	return true, resume(mem, b)
}

func TestFailureAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{false, true} {
		for once, cause := range map[bool]error{true: syscall.EIO, false: syscall.ENOSPC} {
			t.Run(fmt.Sprintf("reads=%v once=%v", reads, once), func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k++ {
					seen, err := failAt(k, cause, once, reads)
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

// TestReadFailure fails every operation of a read in turn.
func TestReadFailure(t *testing.T) {
	t.Parallel()
	w := &tripwire{after: syscall.EIO, reads: true, once: true}
	s := open(t, errorfs.Wrap(vfs.NewMem(), w))
	ref := put(t, s, noise(1, 1000))
	for k := 1; ; k++ {
		w.left = k
		content, err := s.Get(ref, 1000)
		if w.left > 0 {
			if err != nil || k < 4 {
				t.Errorf("%d operations, %v", k-1, err)
			}
			return
		}
		if content != nil || !fault.Is(err, fault.Unavailable) || !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d: %d bytes, %v", k, len(content), err)
		}
	}
}
