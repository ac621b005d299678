package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// kth fails one write to the disk, or that one and all later ones. Zero fails none.
type kth struct {
	k    int64
	rest bool // all later ones, too

	count atomic.Int64
	fired atomic.Bool
	off   atomic.Bool
}

var errDisk = errors.New("input/output error")

func (f *kth) String() string { return "kth" }

// MaybeError implements errorfs.Injector.
func (f *kth) MaybeError(op errorfs.Op) error {
	if f.off.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	n := f.count.Add(1)
	if n == f.k || (f.rest && n > f.k) {
		f.fired.Store(true)
		return errDisk
	}
	return nil
}

// TestEveryWriteFails lets the k-th write, sync, creation, removal or renaming of a node's life fail, for each k until
// none is left: opening it, working with it, closing it. Whatever fails, nothing acknowledged is lost, nothing hangs,
// nothing stays behind and the directory opens again.
func TestEveryWriteFails(t *testing.T) {
	for _, rest := range []bool{false, true} {
		t.Run(map[bool]string{false: "once", true: "from then on"}[rest], func(t *testing.T) {
			t.Parallel()
			step := int64(6) // a sixth of them in a quick run, all with WEFT_CHAOS_ROUNDS
			if os.Getenv("WEFT_CHAOS_ROUNDS") != "" {
				step = 1
			}
			refused := 0
			for k := int64(1); ; k += step {
				f := &kth{k: k, rest: rest}
				opened := tryLife(t, f)
				if t.Failed() {
					t.Fatalf("with write %d failing", k)
				}
				if !opened {
					refused++
				}
				if !f.fired.Load() {
					t.Logf("%d writes; with %d of them failing the node does not open", k-1, refused)
					if k < 100 || refused < 30/int(step) {
						t.Errorf("the life of the node has only %d writes, %d of them in Open", k-1, refused)
					}
					return
				}
			}
		})
	}
}

// tryLife opens, uses and closes a node on a disk with a fault, and holds what must be true afterwards.
func tryLife(t *testing.T, f *kth) (opened bool) {
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", FS: errorfs.Wrap(disk, f), Partitions: 2, Functions: registry(t, nil), Logger: quiet()}
	mark := fmt.Sprintf("%s %d %v", t.Name(), f.k, f.rest)
	var kept []RunID
	marked(t, mark, func() {
		n, err := Open(opts)
		if err != nil {
			if !errors.Is(err, errDisk) {
				t.Errorf("Open does not say why: %v", err)
			}
			return
		}
		opened = true
		kept = live(t, n)
		err = n.Close()
		if err == nil && n.Healthy() != nil {
			t.Errorf("Close answers well on a node that is not")
		}
	})
	if opened {
		noneLeft(t, mark)
	} else {
		noneLeft(t, mark, "periodicGranter") // Pebble 2.1.7 leaves this one behind when it does not open
	}
	if t.Failed() {
		return opened
	}
	// The same process tries again: the lock is free, and what was half made is no obstacle.
	f.off.Store(true)
	if !opened {
		retry(t, opts, mark+" again", nil)
	}
	opts.FS = disk.CrashClone(vfs.CrashCloneCfg{})
	retry(t, opts, mark+" crashed", kept)
	return opened
}

// live uses a node: everything answers, well or with an error. It returns the runs whose start was answered well.
func live(t *testing.T, n *Node) (kept []RunID) {
	ctx := context.Background()
	if _, err := n.CreateMachine(ctx, CreateMachine{Name: "five", Definition: chain(5)}); err != nil {
		wantUnavailable(t, "create", err)
		return nil
	}
	for range 3 {
		run, err := n.StartRun(ctx, StartRun{Machine: "five", Input: []byte(`1`)})
		wantUnavailable(t, "start", err)
		if err == nil {
			kept = append(kept, run.ID)
			_, err = n.WaitRun(ctx, run.ID)
			wantUnavailable(t, "wait", err)
		}
		wantUnavailable(t, "flush", n.Flush(ctx))
	}
	_, err := n.ListRuns(ctx, ListRuns{Machine: "five"})
	wantUnavailable(t, "list", err)
	return kept
}

func wantUnavailable(t *testing.T, what string, err error) {
	if err != nil && !fault.Is(err, fault.Unavailable) {
		t.Errorf("%s: %v", what, err)
	}
}

// retry opens a directory on a disk that works; the runs must be there and end well.
func retry(t *testing.T, opts Options, mark string, kept []RunID) {
	marked(t, mark, func() {
		n, err := Open(opts)
		if err != nil {
			t.Errorf("%s: Open: %v", mark, err)
			return
		}
		for _, id := range kept {
			if run, err := n.WaitRun(context.Background(), id); err != nil || run.Status != machine.Succeeded {
				t.Errorf("%s: acknowledged run %v: %+v, %v", mark, id, run, err)
			}
		}
		if err := n.Close(); err != nil {
			t.Errorf("%s: Close: %v", mark, err)
		}
	})
	noneLeft(t, mark)
}

// TestCloseAnswersEverybody closes a node on which clients wait for all sorts of things that will not come.
func TestCloseAnswersEverybody(t *testing.T) {
	t.Parallel()
	mark := t.Name()
	marked(t, mark, func() {
		opts := Options{Dir: "data", FS: vfs.NewCrashableMem(), Partitions: 2, Logger: quiet(), Functions: registry(t, nil)}
		n, err := Open(opts)
		if err != nil {
			t.Error(err)
			return
		}
		ctx := context.Background()
		for name, text := range map[string]string{"sleep": waits, "loop": `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},
			"B":{"Type":"Choice","Default":"A","Choices":[{"Variable":"$.never","IsPresent":true,"Next":"C"}]},"C":{"Type":"Succeed"}}}`} {
			if _, err := n.CreateMachine(ctx, CreateMachine{Name: name, Definition: []byte(text)}); err != nil {
				t.Error(err)
				return
			}
		}
		var clients sync.WaitGroup
		for _, name := range []string{"sleep", "loop", "sleep", "loop"} { // loops have their lanes always at work
			run, err := n.StartRun(ctx, StartRun{Machine: name})
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				clients.Go(func() {
					if _, err := n.WaitRun(ctx, run.ID); !fault.Is(err, fault.Unavailable) {
						t.Errorf("waiting on a node that closes gives %v", err)
					}
				})
				clients.Go(func() {
					for err := error(nil); err == nil; {
						_, err = n.ListRuns(ctx, ListRuns{Machine: "sleep"})
						if err == nil {
							_, err = n.History(ctx, run.ID, HistoryQuery{})
						}
						wantUnavailable(t, "reading", err)
					}
				})
			}
		}
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() {
				if err := n.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				// Whoever closes finds the directory free, also when another goroutine was first.
				if err := n.Flush(ctx); !fault.Is(err, fault.Unavailable) {
					t.Errorf("Flush after Close gives %v", err)
				}
			})
		}
		closers.Wait()
		clients.Wait()
		if n, err = Open(opts); err != nil {
			t.Error(err)
			return
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	noneLeft(t, mark)
}

// failingLog takes no entries.
type failingLog struct{ commitlog.Log }

func (failingLog) Append(uint32, []byte) (commitlog.Position, error) { return 0, errDisk }

// TestOpenThatFailsLate lets a node fail when half of its partitions live and have called functions again.
func TestOpenThatFailsLate(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	entered, left := make(chan struct{}, 10), make(chan struct{}, 10)
	r := function.NewRegistry()
	hang := func(ctx context.Context, _ []byte) ([]byte, error) {
		entered <- struct{}{}
		<-ctx.Done()
		left <- struct{}{}
		return nil, ctx.Err()
	}
	if err := r.Register("hello", function.Go(hang), function.Settings{Idempotent: true}); err != nil {
		t.Fatal(err)
	}
	opts := Options{Dir: "data", FS: disk, Partitions: 2, Functions: r, Logger: quiet()}
	first := reopen(t, opts)
	create(t, first, "one", string(chain(1)))
	for i := 0; ; i++ { // a run of partition 0, which lives first
		if name := fmt.Sprint(i); first.place(statemachine.RunInstance("one", name)) == 0 {
			start(t, first, StartRun{Machine: "one", Name: name})
			break
		}
	}
	<-entered
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	<-left
	opts.tune = func(c *lane.Config) {
		if c.Partition.ID == 1 {
			c.Log = failingLog{c.Log}
		}
	}
	marked(t, t.Name(), func() {
		if _, err := Open(opts); !errors.Is(err, errDisk) {
			t.Errorf("Open gives %v", err)
		}
	})
	noneLeft(t, t.Name())
	if len(entered) != len(left) {
		t.Errorf("%d calls were begun and %d have ended", len(entered), len(left))
	}
	opts.tune = nil
	if err := reopen(t, opts).Close(); err != nil {
		t.Error(err)
	}
}

// slowStore lets the store have snapshots long before partitions hear of it.
type slowStore struct {
	lane.Host
	held chan func()
}

func (h slowStore) Snapshot(p partition.ID, b lane.Batch, pos commitlog.Position, applied func()) {
	h.Host.Snapshot(p, b, pos, func() { h.held <- applied })
}

// TestReadsWhileASnapshotIsApplied reads runs that the store and the partition have both.
func TestReadsWhileASnapshotIsApplied(t *testing.T) {
	t.Parallel()
	held := make(chan func(), 100)
	n := reopen(t, Options{Dir: "data", FS: vfs.NewCrashableMem(), Partitions: 1, tune: func(c *lane.Config) {
		c.Host, c.SnapshotInstances = slowStore{c.Host, held}, 1
	}})
	create(t, n, "five", string(chain(5)))
	create(t, n, "sleep", waits)
	(<-held)()
	sleeper := start(t, n, StartRun{Machine: "sleep"})
	first := wait(t, n, start(t, n, StartRun{Machine: "five", Name: "first"}).ID)
	var applied func()
	for range 2 { // until a snapshot with all of them has been applied, and nobody has said so
		if applied = <-held; len(held) == 0 {
			events, err := n.History(t.Context(), first.ID, HistoryQuery{})
			if err != nil || int64(len(events)) != first.Events {
				t.Errorf("the history has %d events of %d; %v", len(events), first.Events, err)
			}
			all, err := listAll(t.Context(), n, ListRuns{Machine: "five"})
			if err != nil || len(all) != 1 || all[first.ID] != machine.Succeeded {
				t.Errorf("listed are %v, %v", all, err)
			}
			if all, err = listAll(t.Context(), n, ListRuns{Machine: "sleep"}); err != nil || len(all) != 1 {
				t.Errorf("listed are %v, %v", all, err)
			}
		}
		applied()
	}
	if _, err := n.StopRun(t.Context(), sleeper.ID, Reason{}); err != nil {
		t.Error(err)
	}
	go func() {
		for applied := range held {
			applied()
		}
	}()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	close(held)
}

// TestStoreThatFails lets the store's files fail and the log's not: the node says so, and a restart has everything.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	var broken atomic.Bool
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.Contains(op.Path, "store") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errDisk
		}
		return nil
	}))
	n := reopen(t, Options{Dir: "data", FS: fs, Partitions: 1})
	create(t, n, "pass", pass)
	broken.Store(true)
	run := wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID)
	wantKind(t, n.Flush(t.Context()), fault.Unavailable)
	if _, err := n.StartRun(t.Context(), StartRun{Machine: "pass"}); err != nil {
		wantKind(t, err, fault.Unavailable)
	}
	promptly(t, "Flush", func() {
		if err := n.Flush(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Flush gives %v", err)
		}
	})
	if n.Healthy() == nil {
		t.Error("the node says that it is healthy")
	}
	_ = n.Close()
	n = reopen(t, Options{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if again, err := n.Run(t.Context(), run.ID); err != nil || again.Status != machine.Succeeded {
		t.Errorf("the acknowledged run: %+v, %v", again, err)
	}
}

// TestLostLogThenCrash takes the log away, and the power after the next run: that run lies behind what the store has.
func TestLostLogThenCrash(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", FS: disk, Partitions: 2}
	n := reopen(t, opts)
	create(t, n, "pass", pass)
	for range 10 {
		wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := disk.RemoveAll("data/log"); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, opts)
	later := wait(t, n, start(t, n, StartRun{Machine: "pass"}).ID)
	opts.FS = disk.CrashClone(vfs.CrashCloneCfg{})
	n = reopen(t, opts)
	if run, err := n.Run(t.Context(), later.ID); err != nil || run.Status != machine.Succeeded {
		t.Errorf("the run after the loss: %+v, %v", run, err)
	}
}
