package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/unum"
)

// Closer is a store of a directory.
type Closer interface {
	unum.Store
	Close() error
}

const (
	lines   = 4
	pushers = 6
	cuts    = 8
)

// PowerCuts cuts the power under a store while clients take lines on and read each other's, again and again. What a client
// was told of, by an answer or by a read, must be there afterwards. open opens what there is in a file system.
func PowerCuts(t *testing.T, open func(fs vfs.FS) (Closer, error)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	fs := vfs.NewCrashableMem()
	var told [lines]int64 // at least, before the last cut
	for range cuts {
		s, err := open(fs)
		if err != nil {
			t.Fatal(err)
		}
		var seen [lines]atomic.Int64
		for i := range told {
			rec, err := one(t.Context(), s, lineKey(i))
			if err != nil || told[i] > 0 && (rec == nil || rec.Step < told[i]) {
				t.Fatalf("line %d: %+v, %v; somebody was told of step %d", i, rec, err, told[i])
			}
			if rec != nil {
				seen[i].Store(rec.Step)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range pushers {
			group.Go(func() {
				for ctx.Err() == nil {
					push(ctx, s, rand.IntN(lines), seen[:])
				}
			})
		}
		for begin := seen[0].Load(); seen[0].Load() < begin+15; {
			push(ctx, s, 0, seen[:])
		}
		for i := range seen {
			told[i] = seen[i].Load()
		}
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		cancel()
		group.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs = left
	}
}

func lineKey(line int) string { return fmt.Sprint("line", line) }

// push reads a line, notes what it sees, and takes it one step on.
func push(ctx context.Context, s unum.Store, line int, seen []atomic.Int64) {
	rec, err := one(ctx, s, lineKey(line))
	if err != nil {
		return
	}
	if rec == nil {
		_, _, _ = s.Create(ctx, lineKey(line), &unum.Record{Nonce: "n"}) // if it fails, somebody else has, or the end has come
		return
	}
	note(&seen[line], rec.Step)
	if _, ok, err := s.Advance(ctx, lineKey(line), "n", rec.Step, &unum.Record{Nonce: "n", Step: rec.Step + 1}); ok && err == nil {
		note(&seen[line], rec.Step+1)
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
