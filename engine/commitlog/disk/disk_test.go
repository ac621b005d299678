package disk

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/logtest"
)

const testDir = "data/log"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// small makes changes of segment frequent.
func small(fs vfs.FS, durable commitlog.DurableFunc) *Options {
	return &Options{FS: fs, Durable: durable, SegmentBytes: 32 << 10, FirstBytes: 12 << 10, BufferBytes: 64 << 10, Logger: quiet}
}

// harness keeps a log in a file system in memory, of which a crash leaves what was synced and a random
// part of the rest.
func harness(change func(*Options)) func(*testing.T) logtest.Harness {
	return func(*testing.T) logtest.Harness {
		fs := vfs.NewCrashableMem()
		return logtest.Harness{
			Open: func(durable commitlog.DurableFunc) (commitlog.Log, error) {
				o := small(fs, durable)
				change(o)
				return Open(testDir, o)
			},
			Crash: func(log commitlog.Log, rng *rand.Rand) error {
				percent := []int{0, 50, 100, rng.IntN(101)}[rng.IntN(4)]
				fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				if l := log.(*Log); l.opts.Manual {
					return nil // nothing of it goes on by itself
				}
				return log.Close() // what it still writes goes to the files of before the crash
			},
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	logtest.Run(t, false, harness(func(*Options) {}))
}

func TestConformanceManual(t *testing.T) {
	t.Parallel()
	logtest.Run(t, true, harness(func(o *Options) { o.Manual = true; o.BufferBytes = 4 << 20 }))
}

func TestConformanceOnDisk(t *testing.T) {
	t.Parallel()
	logtest.Run(t, false, func(t *testing.T) logtest.Harness {
		dir := t.TempDir()
		return logtest.Harness{
			Open: func(durable commitlog.DurableFunc) (commitlog.Log, error) {
				return Open(dir+"/log", small(vfs.Default, durable))
			},
			Crash: func(log commitlog.Log, rng *rand.Rand) error { return log.Close() },
		}
	})
}
