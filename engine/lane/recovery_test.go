package lane_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/fault"
)

// snapshots makes lanes take one after every turn.
func snapshots(c *lane.Config) { c.SnapshotInstances, c.SnapshotBytes, c.Resident = 1, 1, 1 }

func TestSnapshotsWaitForTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, snapshots)
	r.submit(0, nil, "a", "n=x")
	r.turn(0, 1)
	r.want()
	if r.lanes[0].Applied() != 0 {
		t.Error("a snapshot counts as applied before it is")
	}
	r.sync()
	r.want("snapshot of 0")
	r.submit(0, nil, "a", "n=y")
	r.turn(0, 2)
	r.sync()
	r.want() // one at a time
	r.jobs[0]()
	r.turn(0, 3)
	if got, want := r.lanes[0].Applied(), r.lanes[0].Position()-1; got != want {
		t.Errorf("applied is %v, want %v", got, want)
	}
	r.want("snapshot of 0") // of what came meanwhile
}

// TestFlushTakesNothingThatIsNotInTheLog is the defect it was written for: the item came in the middle of a turn, and
// the snapshot held the events of that turn at the position before it.
func TestFlushTakesNothingThatIsNotInTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, nil, "a", "n=x")
	r.turn(0, 1)
	r.submit(0, nil, "a", "n=y")
	if err := r.lanes[0].Submit(r.lanes[0].Flush()); err != nil {
		t.Fatal(err)
	}
	r.submit(0, nil, "a", "n=z")
	r.turn(0, 2)
	r.want()
	r.sync()
	r.want("snapshot of 0")
	r.jobs[0]()
	if err := r.store.Flush(); err != nil {
		t.Fatal(err)
	}
	r.crash()
	if got := r.state(0, "a"); got != "x;y;z;" {
		t.Errorf("after a recovery a has seen %q", got)
	}
}

func TestRecoveryRepeatsWhatWasNotAnswered(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"from the log", "from the store"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, func(c *lane.Config) { c.Speculation = lane.None })
			there := elsewhere(1, 2)
			r.submit(0, "alice", "a", "i=f i=g c s="+there+" r")
			r.turn(0, 1)
			r.sync()
			done := partition.Event{Kind: partition.Done, Ref: 1, ID: 1}
			if err := r.lanes[0].Submit(lane.Item{Event: done, Internal: true}); err != nil {
				t.Fatal(err)
			}
			if stage == "from the store" {
				if err := r.lanes[0].Submit(r.lanes[0].Flush()); err != nil {
					t.Fatal(err)
				}
			}
			r.turn(0, 2) // the continuation is folded here, too
			r.submit(0, nil, "a", "c")
			r.turn(0, 3)
			r.sync()
			for _, job := range r.jobs {
				job()
			}
			if err := r.store.Flush(); err != nil {
				t.Fatal(err)
			}
			r.events = nil
			r.crash()
			if err := r.lanes[0].Recovered(9); err != nil {
				t.Fatal(err)
			}
			r.want()
			r.sync()
			r.want("invoke 1.2 g", "send to 1: 1 "+there)
			r.turn(0, 10)
			if got := r.state(0, "a"); got != "on;done1;on;" {
				t.Errorf("a has seen %q", got)
			}
		})
	}
}

func TestLostWorkIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, "alice", "a", "i=f r")
	r.turn(0, 1)
	r.crash()
	if err := r.lanes[0].Recovered(9); err != nil {
		t.Fatal(err)
	}
	r.sync()
	r.want()
	if got := r.state(0, "a"); got != "none" {
		t.Errorf("what was never durable has seen %q", got)
	}
}

func TestNewMessagesGoBehindRepeatedOnes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, speculate(lane.Local))
	there := elsewhere(1, 2)
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 1)
	r.sync()
	r.want("send to 1: 1 " + there)
	r.crash()
	if err := r.lanes[0].Recovered(9); err != nil {
		t.Fatal(err)
	}
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 10)
	r.want()
	r.sync()
	r.want("send to 1: 1 "+there, "send to 1: 2 "+there)
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 11)
	r.want("send to 1: 3 " + there) // from now on ahead of the log again
}

// TestMessagesHeldByARecoveryGoFirst is the defect it was written for: the recovery was over, a message of a turn during
// it still waited, and the next turn's went ahead of it.
func TestMessagesHeldByARecoveryGoFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, speculate(lane.Local))
	there := elsewhere(1, 2)
	if err := r.lanes[0].Recovered(1); err != nil {
		t.Fatal(err)
	}
	recovered := r.lanes[0].Position()
	r.submit(0, "alice", "a", "s="+there+" r")
	r.turn(0, 2)
	r.lanes[0].Durable(recovered)
	r.want()
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 3)
	r.want("send to 1: 1 "+there, "send to 1: 2 "+there)
	r.sync()
	r.want("reply to alice: ")
}

func TestReplayInBoundedMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	for i := range 100 {
		r.submit(0, nil, fmt.Sprintf("a%d", i), "n=x e")
		r.turn(0, int64(i))
	}
	r.sync()
	r.config = func(c *lane.Config) { c.SnapshotInstances, c.Resident = 10, 5 }
	r.crash()
	most := 0
	err := r.lanes[0].Look(func(rd *lane.Reader) error {
		_, most = rd.Core().Open()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if most > 15 {
		t.Errorf("%d instances are in memory after a replay", most)
	}
	for i := range 100 {
		if got := r.state(0, fmt.Sprintf("a%d", i)); got != "x;" {
			t.Fatalf("a%d has seen %q", i, got)
		}
	}
}

// TestRemovedStaysRemoved holds it at the lane: the store has the instance until the next snapshot is applied.
func TestRemovedStaysRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	flush := func() {
		t.Helper()
		if err := r.lanes[0].Submit(r.lanes[0].Flush()); err != nil {
			t.Fatal(err)
		}
		r.turn(0, 1)
		r.sync()
		for _, job := range r.jobs {
			job()
		}
		r.jobs = nil
		r.turn(0, 1)
	}
	r.submit(0, nil, "a", "n=old i=f")
	flush()
	r.submit(0, nil, "a", "x")
	r.turn(0, 2)
	if got := r.state(0, "a"); got != "none" {
		t.Errorf("a removed instance has seen %q", got)
	}
	r.submit(0, nil, "a", "n=new")
	r.turn(0, 3)
	if got := r.state(0, "a"); got != "new;" {
		t.Errorf("a new instance has seen %q", got)
	}
	flush()
	if got := r.state(0, "a"); got != "new;" {
		t.Errorf("after a snapshot the new instance has seen %q", got)
	}
}

// TestMissingRecordIsCorrupt holds that a name without a record ends in an error and not in a loop.
func TestMissingRecordIsCorrupt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	var b store.Batch
	b.Set(partition.NameKey(0, "a"), []byte{9})
	if err := r.store.Apply(&b); err != nil {
		t.Fatal(err)
	}
	r.submit(0, "alice", "b", "")
	r.submit(0, "alice", "a", "r")
	if _, err := r.lanes[0].Turn(1); !fault.Is(err, fault.Corrupt) {
		t.Errorf("the turn gives %v", err)
	}
}

// TestIdleLanes is the defect it was written for: a lane with nothing to do has an old snapshot, the log before the
// others' is cut, and the next start must not ask for it, however often.
func TestIdleLanes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	busy := elsewhere(0, 2)
	for round := range 5 {
		for i, l := range r.lanes {
			if err := l.Recovered(int64(round)); err != nil {
				t.Fatal(err)
			}
			if round%2 == 0 { // in odd rounds the recovery's own entries stay in the log alone
				flushLane(t, r, i)
			}
		}
		r.submit(0, nil, busy, "n=x")
		flushLane(t, r, 0)
		if err := r.group.Cut(r.durable); err != nil {
			t.Fatal(err)
		}
		r.crash() // fails if the log does not have what is asked for
	}
	if got := r.state(0, busy); got != "x;x;x;x;x;" {
		t.Errorf("the busy one has seen %q", got)
	}
}

// flushLane brings all of a lane to the store.
func flushLane(t *testing.T, r *rig, i int) {
	t.Helper()
	if err := r.lanes[i].Submit(r.lanes[i].Flush()); err != nil {
		t.Fatal(err)
	}
	r.turn(i, 1)
	r.sync()
	for _, job := range r.jobs {
		job()
	}
	r.jobs = nil
	r.turn(i, 1)
}

func TestCutKeepsWhatIsNotInTheStore(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	a, b := elsewhere(0, 2), elsewhere(1, 2)
	r.submit(0, nil, a, "n=x")
	r.turn(0, 1)
	first := r.lanes[0].Position()
	for range 3 {
		r.submit(1, nil, b, "n=y")
		flushLane(t, r, 1)
	}
	if got := r.group.Needed(r.durable); got > first {
		t.Errorf("lane 0 has its first entry at %v in the log alone, and only %v and later are kept", first, got)
	}
	flushLane(t, r, 0)
	if got, want := r.group.Needed(r.durable), r.durable+1; got != want {
		t.Errorf("all is in the store and %v is needed, not %v", got, want)
	}
}

// TestCutOrder holds that the log is cut only when the store is durable.
func TestCutOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, nil, "a", "n=x")
	flushLane(t, r, 0)
	trimmed := commitlog.Position(0)
	r.group.Log = trimmer{r.log, &trimmed}
	r.group.Flush = func() error { return errBroken }
	if err := r.group.Cut(r.durable); !errors.Is(err, errBroken) || trimmed != 0 {
		t.Errorf("Cut with a store that cannot flush gives %v and cuts before %v", err, trimmed)
	}
	r.group.Flush = r.store.Flush
	if err := r.group.Cut(r.durable); err != nil || trimmed != r.durable+1 {
		t.Errorf("Cut gives %v and cuts before %v, not %v", err, trimmed, r.durable+1)
	}
}

// trimmer notes what is trimmed.
type trimmer struct {
	commitlog.Log
	at *commitlog.Position
}

func (t trimmer) Trim(pos commitlog.Position) error {
	*t.at = pos
	return t.Log.Trim(pos)
}

func TestLogOfOtherPartitionsIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	if _, err := r.log.Append(7, nil); err != nil {
		t.Fatal(err)
	}
	r.sync()
	r.disk.Crash(0)
	r.open(1)
	if _, err := r.group.Recover(); !fault.Is(err, fault.Corrupt) {
		t.Errorf("an entry of partition 7 of 1 gives %v", err)
	}
}

// TestEveryCrashPoint crashes after every durable prefix of a script and holds that the recovered lane has seen a
// prefix of it, and goes on.
func TestEveryCrashPoint(t *testing.T) {
	t.Parallel()
	words := []string{"n=1", "i=f n=2", "c", "n=3 t=5", "n=4", "e", "n=5"}
	want := []string{"none"}
	for crashAt := range len(words) + 1 {
		r := newRig(t, 1, snapshots)
		for _, w := range words[:crashAt] {
			r.submit(0, nil, "a", w)
			r.turn(0, 1)
			r.sync()
			if len(r.jobs) > 0 && crashAt%2 == 0 {
				r.jobs[0]()
				r.jobs = r.jobs[1:]
			}
			r.turn(0, 1)
			r.sync()
		}
		before := r.state(0, "a")
		want = append(want, before)
		r.submit(0, nil, "a", "n=lost")
		r.turn(0, 1)
		r.crash()
		if got := r.state(0, "a"); got != before {
			t.Errorf("after %d messages and a crash a has seen %q, not %q", crashAt, got, before)
		}
	}
	if len(slices.Compact(want)) < 5 {
		t.Errorf("the script does too little: %q", want)
	}
}

// BenchmarkTurn is a request that calls nothing, through a lane and a log in memory, 64 a turn.
func BenchmarkTurn(b *testing.B) {
	t := new(testing.T)
	r := newRig(t, 1, nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r.submit(0, n, "a", "")
		if n++; n%64 == 0 {
			r.turn(0, int64(n))
			r.sync()
		}
	}
}
