package values

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// keep opens a keeper without a goroutine.
func keep(s *Store) *Keeper { return NewKeeper(s, &KeeperOptions{Manual: true, Logger: quiet}) }

// world is a keeper beside a model of what it should do.
type world struct {
	fs     *vfs.MemFS
	ids    *seeded
	now    time.Time
	opened time.Time
	store  *Store
	keeper *Keeper

	exists map[ID]bool
	known  []ID // all there ever were
	pins   map[ID]int
	broken map[ID]bool // unpinned more often than pinned
	given  []ID        // pins came down to none
	ready  bool
}

// restart ends the process and begins another whose clock is ahead of or behind this one's.
func (w *world) restart(t *rapid.T, jump time.Duration) {
	if w.store != nil {
		w.keeper.Close()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(jump)
	w.opened = w.now
	var err error
	if w.store, err = Open(testDir, &Options{FS: w.fs, Rand: w.ids, Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	w.keeper = keep(w.store)
	w.pins, w.broken, w.given, w.ready = map[ID]int{}, map[ID]bool{}, nil, false
}

func (w *world) free(id ID) bool { return w.pins[id] == 0 && !w.broken[id] }

func (w *world) step(t *rapid.T) {
	id := ID{}
	if len(w.known) > 0 {
		id = rapid.SampledFrom(w.known).Draw(t, "id")
	}
	n := rapid.IntRange(1, 3).Draw(t, "n")
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op == 0 || len(w.known) == 0:
		ref, err := w.store.Put(t.Context(), strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		w.known, w.exists[ref.ID] = append(w.known, ref.ID), true
	case op <= 2:
		w.keeper.Pin(id, n)
		w.pins[id] += n
	case op <= 5:
		n = min(n, max(1, w.pins[id])) // mostly no more than there are
		w.keeper.Unpin(id, n)
		if w.pins[id] -= n; w.pins[id] < 0 {
			w.broken[id] = true
		} else if w.free(id) {
			w.given = append(w.given, id)
		}
	case op == 6:
		w.collect()
	case op == 7:
		w.sweep(t, time.Duration(n)*time.Hour)
	case op == 8:
		w.now = w.now.Add(time.Duration(n) * 30 * time.Minute)
	case n < 3:
		w.keeper.Ready()
		w.ready = true
	default:
		w.restart(t, time.Duration(rapid.IntRange(-3, 3).Draw(t, "jump"))*time.Hour)
	}
}

func (w *world) collect() {
	w.keeper.Collect()
	if !w.ready {
		return
	}
	for _, id := range w.given {
		if w.free(id) {
			delete(w.exists, id)
		}
	}
	w.given = nil
}

func (w *world) sweep(t *rapid.T, age time.Duration) {
	n, err := w.keeper.Sweep(age)
	if err != nil {
		t.Fatal(err)
	}
	for id := range w.exists {
		put := id.Time()
		if put.After(w.now) {
			put = w.opened
		}
		if w.ready && w.free(id) && w.now.Sub(put) > age {
			delete(w.exists, id)
			n--
		}
	}
	if n != 0 {
		t.Fatalf("Sweep says it deleted %d more than it should have", n)
	}
}

func (w *world) check(t *rapid.T) {
	there := map[ID]bool{}
	if err := w.store.Each(func(id ID) error { there[id] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(there, w.exists) {
		t.Fatalf("there are %v, want %v", slices.Collect(maps.Keys(there)), slices.Collect(maps.Keys(w.exists)))
	}
	pinned := 0
	for _, id := range w.known {
		if !w.free(id) {
			pinned++
		}
	}
	if s := w.keeper.Stats(); s.Pinned != pinned || s.Waiting != len(w.given) {
		t.Fatalf("%+v, want %d pinned and %d waiting", s, pinned, len(w.given))
	}
}

// TestKeeperAgainstModel pins, unpins, collects, sweeps and restarts as it comes, beside a map.
func TestKeeperAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{fs: vfs.NewMem(), ids: newSeeded(1), now: epoch, exists: map[ID]bool{}}
		w.restart(t, 0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			w.step(t)
			w.check(t)
		}
	})
}

// TestKeeperInTheBackground lets a keeper work by itself.
func TestKeeperInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(testDir, &Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		k := NewKeeper(s, nil)
		young, early, shared, last := put(t, s, nil).ID, put(t, s, nil).ID, put(t, s, nil).ID, put(t, s, nil).ID
		want := func(when string, ids ...ID) {
			t.Helper()
			synctest.Wait()
			there := all(t, s)
			for _, id := range ids {
				if !there[id] {
					t.Errorf("%s: %s is gone", when, id)
				}
			}
			if len(there) != len(ids) {
				t.Errorf("%s: %d values are there, want %d", when, len(there), len(ids))
			}
		}
		for _, id := range []ID{early, shared, last} {
			k.Pin(id, 1)
		}
		k.Unpin(early, 1)
		k.Unpin(shared, 1)
		time.Sleep(2 * OrphanAge)
		if n, err := k.Sweep(OrphanAge); n != 0 || err != nil {
			t.Errorf("Sweep before Ready: %d, %v", n, err)
		}
		want("before Ready", young, early, shared, last)
		k.Pin(shared, 1) // another partition, later
		k.Ready()
		k.Ready()
		want("after Ready", young, shared, last)
		k.Unpin(shared, 1)
		k.Pin(last, 2)
		k.Unpin(last, 2)
		want("unpinned", young, last)
		fresh := put(t, s, nil).ID
		if n, err := k.Sweep(OrphanAge); n != 1 || err != nil {
			t.Errorf("Sweep: %d, %v", n, err)
		}
		want("swept", last, fresh)
		k.Close()
		k.Close()
		k.Ready()
		k.Unpin(last, 1)
		if n, err := k.Sweep(0); n != 0 || err != nil {
			t.Errorf("Sweep when closed: %d, %v", n, err)
		}
		want("closed", last, fresh)
		if got, want := k.Stats(), (Stats{Deleted: 3, Orphans: 1, Waiting: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		_ = s.Close()
	})
}

// TestKeeperQueueIsBounded gives up more than the queue holds; Sweep finds the rest.
func TestKeeperQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	k := keep(s)
	k.queue = make(chan ID, 3)
	for range 5 {
		id := put(t, s, nil).ID
		k.Pin(id, 1)
		k.Unpin(id, 1)
	}
	k.Ready()
	k.Collect()
	if n := len(all(t, s)); n != 2 {
		t.Errorf("%d values are left by a queue of 3, want 2", n)
	}
	if n, err := k.Sweep(-time.Hour); n != 2 || err != nil {
		t.Errorf("Sweep: %d, %v", n, err)
	}
}

// TestSweepIsBounded has three shards of many values: no call does more than one, and all are done in turn.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	for i := range 3 * looksMax {
		var id ID
		id[10], id[11], id[15] = byte(i), byte(i>>8), byte(i%3*50)
		if err := s.makeShard(id.shard()); err != nil {
			t.Fatal(err)
		}
		overwrite(t, fs, s.path(id), nil)
	}
	k := keep(s)
	k.Ready()
	for range 3 {
		if n, err := k.Sweep(OrphanAge); n != looksMax || err != nil {
			t.Errorf("Sweep: %d, %v", n, err)
		}
	}
	if n, err := k.Sweep(OrphanAge); n != 0 || err != nil {
		t.Errorf("Sweep at the end: %d, %v", n, err)
	}
}

// TestDeletionsFail lets some deletions fail: others go on, somebody is told, and Sweep tries again.
func TestDeletionsFail(t *testing.T) {
	t.Parallel()
	var stuck string
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove && stuck != "" && strings.HasSuffix(op.Path, stuck) {
			return syscall.EIO
		}
		return nil
	}))
	s := open(t, fs)
	var said bytes.Buffer
	k := NewKeeper(s, &KeeperOptions{Manual: true, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	k.Ready()
	ids := []ID{put(t, s, nil).ID, put(t, s, nil).ID, put(t, s, nil).ID}
	stuck = ids[1].String()
	k.Pin(ids[1], 1)
	k.Unpin(ids[1], 1)
	k.Collect()
	if !strings.Contains(said.String(), stuck) || !strings.Contains(said.String(), "input/output error") {
		t.Errorf("the log says %q", &said)
	}
	if n, err := k.Sweep(-time.Hour); n != 2 || !errors.Is(err, syscall.EIO) {
		t.Errorf("Sweep: %d, %v", n, err)
	}
	stuck = ""
	if n, err := k.Sweep(-time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep again: %d, %v", n, err)
	}
}

// TestCloseEndsASweep closes a keeper whose Sweep is under way.
func TestCloseEndsASweep(t *testing.T) {
	t.Parallel()
	var k *Keeper
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove {
			k.Close()
		}
		return nil
	}))
	zero := readerFunc(func(p []byte) (int, error) { clear(p); return len(p), nil })
	now := epoch
	s, err := Open(testDir, &Options{FS: fs, Rand: zero, Now: func() time.Time { now = now.Add(time.Minute); return now }})
	if err != nil {
		t.Fatal(err)
	}
	k = keep(s)
	k.Ready()
	for range 3 {
		put(t, s, nil)
	}
	if n, err := k.Sweep(-time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep: %d, %v", n, err)
	}
}

// TestDutiesNeglected breaks the rules of the package: the log names the value, and what is in doubt is kept.
func TestDutiesNeglected(t *testing.T) {
	t.Parallel()
	var during func()
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove {
			during()
		}
		return nil
	}))
	s := open(t, fs)
	var said bytes.Buffer
	k := NewKeeper(s, &KeeperOptions{Manual: true, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	k.Ready()
	often, late := put(t, s, nil).ID, put(t, s, nil).ID
	k.Pin(often, 1)
	k.Unpin(often, 2)
	k.Pin(often, 1)
	k.Unpin(often, 1)
	k.Pin(late, 1)
	k.Unpin(late, 1)
	during = func() {
		k.Pin(late, 1)
		k.Unpin(late, 1)
		k.Collect() // leaves to the other what it is deleting
	}
	k.Collect()
	_, _ = k.Sweep(-time.Hour)
	if there := all(t, s); len(there) != 1 || !there[often] {
		t.Errorf("there are %v, want %s", there, often)
	}
	for _, words := range []string{"unpinned more often than pinned", often.String(), "pinned after it had been given up", late.String()} {
		if !strings.Contains(said.String(), words) {
			t.Errorf("the log does not say %q: %s", words, &said)
		}
	}
}

// TestKeeperConcurrent pins, hands over, unpins and sweeps at once. It is for the race detector too.
func TestKeeperConcurrent(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	k := NewKeeper(s, &KeeperOptions{Logger: quiet})
	k.Ready()
	var group sync.WaitGroup
	kept := make([]Ref, 8)
	for g := range kept {
		group.Go(func() {
			for range 20 {
				kept[g] = put(t, s, noise(uint64(g), 100))
				k.Pin(kept[g].ID, 1)
				k.Pin(kept[g].ID, 1)
				k.Unpin(kept[g].ID, 1)
				if _, err := s.Get(kept[g], 100); err != nil {
					t.Error(err)
				}
				k.Unpin(kept[g].ID, 1)
			}
			kept[g] = put(t, s, noise(uint64(g), 100))
			k.Pin(kept[g].ID, 1)
			if _, err := k.Sweep(OrphanAge); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if _, err := k.Sweep(-time.Hour); err != nil {
		t.Error(err)
	}
	k.Close()
	for _, ref := range kept {
		if _, err := s.Get(ref, 100); err != nil {
			t.Error(err)
		}
	}
	if st := k.Stats(); st.Pinned != 8 || st.Deleted > 160 || len(all(t, s)) > 8+st.Waiting+1 {
		t.Errorf("%+v with %d values", st, len(all(t, s)))
	}
}
