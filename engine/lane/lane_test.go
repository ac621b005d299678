package lane_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
)

func speculate(s lane.Speculation) func(*lane.Config) {
	return func(c *lane.Config) { c.Speculation = s }
}

// elsewhere returns a name that lies in partition p of n.
func elsewhere(p partition.ID, n int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("there%d", i); partition.Place(name, n) == p {
			return name
		}
	}
}

const everything = "i=charge i=idem1 s=%s c r"

func TestNothingGoesAheadOfTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, speculate(lane.None))
	there := elsewhere(1, 2)
	r.submit(0, "alice", "a", fmt.Sprintf(everything, there))
	r.turn(0, 1000)
	r.want()
	r.sync()
	r.want("invoke 1.1 charge", "invoke 1.2 idem1", "send to 1: 1 "+there, "reply to alice: ")
	r.turn(0, 1000) // the continuation was held as well
	if got := r.state(0, "a"); got != "on;" {
		t.Errorf("a has seen %q", got)
	}
}

func TestLocalSpeculation(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, speculate(lane.Local))
	there := elsewhere(1, 2)
	r.submit(0, "alice", "a", fmt.Sprintf(everything, there))
	r.turn(0, 1000)
	r.want("invoke 1.2 idem1", "send to 1: 1 "+there)
	r.turn(0, 1000)
	if got := r.state(0, "a"); got != "on;" {
		t.Errorf("before the log is durable a has seen %q", got)
	}
	r.want()
	r.sync()
	r.want("invoke 1.1 charge", "reply to alice: ")
}

func TestEffectsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, speculate(lane.None))
	var want []string
	for turn := range 3 {
		for i := range 3 {
			client := fmt.Sprintf("c%d.%d", turn, i)
			r.submit(0, client, "a", "i=f r")
			want = append(want, fmt.Sprintf("invoke 1.%d f", 1+2*(turn*3+i)), "reply to "+client+": ")
		}
		r.turn(0, int64(turn))
	}
	r.sync()
	r.want(want...)
}

func TestMessagesAreConfirmedOnceATurnAndWhenDurable(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	for seq := uint64(1); seq <= 3; seq++ {
		for _, from := range []partition.ID{2, 1} {
			ev := partition.Event{Kind: partition.Message, To: "a", Program: workerID, Op: opWork, From: partition.Origin{Partition: from, Seq: seq}}
			if err := r.lanes[0].Submit(lane.Item{Event: ev, Internal: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.turn(0, 1)
	r.want()
	r.sync()
	r.want("ack to 1: 3", "ack to 2: 3")
}

func TestBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *lane.Config) { c.Inbox = 2 })
	r.submit(0, "a", "a", "r")
	r.submit(0, "b", "a", "r")
	if err := r.lanes[0].Submit(lane.Item{}); !fault.Is(err, fault.Busy) {
		t.Errorf("a third request in an inbox of two gives %v", err)
	}
	done := partition.Event{Kind: partition.Done, Ref: 1, ID: 1}
	if err := r.lanes[0].Submit(lane.Item{Event: done, Internal: true}); err != nil {
		t.Errorf("an answer is refused: %v", err)
	}
	r.turn(0, 1)
	r.submit(0, "c", "a", "r")
	r.turn(0, 1)
	r.sync()
	r.want("reply to a: ", "reply to b: ", "reply to c: ")
}

func TestReadsWaitForWhatTheySaw(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	look := func(client any) {
		t.Helper()
		it := lane.Item{Event: partition.Event{Client: client}, Read: func(rd *lane.Reader) any {
			ref, _, _ := rd.Find("a")
			v, _ := rd.Core().View(ref)
			return v.State.(*worker).seen
		}}
		if err := r.lanes[0].Submit(it); err != nil {
			t.Fatal(err)
		}
	}
	r.submit(0, nil, "a", "n=x")
	look("early")
	r.turn(0, 1)
	look("later")
	r.turn(0, 1)
	r.want()
	r.sync()
	r.want("reply to early: x;", "reply to later: x;")
	look("after")
	r.turn(0, 1)
	r.want("reply to after: x;")
}

func TestWaitingForTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	wait := func(client any) {
		t.Helper()
		it := lane.Item{Event: partition.Event{Client: client}, Read: func(rd *lane.Reader) any {
			ref, _, _ := rd.Find("a")
			later, ok, err := rd.Await(ref)
			if err != nil || !ok {
				return fmt.Sprint("not open ", err)
			}
			return later
		}}
		if err := r.lanes[0].Submit(it); err != nil {
			t.Fatal(err)
		}
	}
	r.submit(0, nil, "a", "n=x")
	wait("one")
	r.turn(0, 1)
	wait(gone{})
	wait("two")
	leave := func(name string) {
		t.Helper()
		it := lane.Item{Internal: true, Read: func(rd *lane.Reader) any {
			ref, _, _ := rd.Find(name)
			rd.Leave(ref)
			return nil
		}}
		if err := r.lanes[0].Submit(it); err != nil {
			t.Fatal(err)
		}
	}
	leave("a")
	leave("nobody")
	r.turn(0, 1)
	r.sync()
	r.want()
	r.submit(0, nil, "a", "n=y e")
	r.turn(0, 2)
	r.want()
	r.sync()
	r.want("reply to one: x;y;", "reply to two: x;y;") // the one that left is forgotten
	wait("three")
	r.turn(0, 3)
	r.want("reply to three: not open <nil>")
}

// gone is a client that has stopped waiting.
type gone struct{}

func (gone) Gone() bool { return true }

func TestTimers(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, nil, "a", "t=100 t=50")
	r.turn(0, 1000)
	if due, ok := r.lanes[0].NextDue(); !ok || due != 1050 {
		t.Errorf("the next timer is due at %d, %t", due, ok)
	}
	r.turn(0, 1049)
	if got := r.state(0, "a"); got != "" {
		t.Errorf("at 1049 a has seen %q", got)
	}
	r.turn(0, 1050)
	if got := r.state(0, "a"); got != "due;" {
		t.Errorf("at 1050 a has seen %q", got)
	}
	r.turn(0, 10) // the clock was set back: nothing fires early, time does not go back
	r.submit(0, nil, "a", "t=5")
	r.turn(0, 10)
	if due, _ := r.lanes[0].NextDue(); due != 1055 {
		t.Errorf("a timer of 5 ms set at 1050 is due at %d", due)
	}
	r.turn(0, 2000)
	if got := r.state(0, "a"); got != "due;due;due;" {
		t.Errorf("at last a has seen %q", got)
	}
}

var errBroken = errors.New("broken")

func TestFailureAnswersEverybodyOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, nil, "a", "n=x")
	it := lane.Item{Event: partition.Event{Client: "waits"}, Read: func(rd *lane.Reader) any {
		later, _, _ := rd.Await(1)
		return later
	}}
	if err := r.lanes[0].Submit(it); err != nil {
		t.Fatal(err)
	}
	r.submit(0, "held", "a", "r")
	r.turn(0, 1)
	r.submit(0, "queued", "a", "r")
	r.lanes[0].Fail(errBroken)
	r.lanes[0].Fail(errors.New("another failure"))
	if worked, err := r.lanes[0].Turn(2); worked || !errors.Is(err, errBroken) {
		t.Errorf("a turn after the failure gives %t %v", worked, err)
	}
	r.want("reply to held: error broken", "reply to queued: error broken", "reply to waits: error broken")
	r.sync()
	r.want()
	if err := r.lanes[0].Submit(lane.Item{}); !errors.Is(err, errBroken) {
		t.Errorf("after the failure Submit gives %v", err)
	}
}

func TestStoreFailureInATurnAnswersEverybodyOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	r.submit(0, nil, "a", "n=x")
	r.turn(0, 1)
	r.submit(0, "first", "a", "r")
	it := lane.Item{Event: partition.Event{Client: "waits"}, Read: func(rd *lane.Reader) any {
		r.storeFails = errBroken // for the next one, whose name is to be looked up
		later, _, _ := rd.Await(1)
		return later
	}}
	if err := r.lanes[0].Submit(it); err != nil {
		t.Fatal(err)
	}
	r.submit(0, "second", "b", "r")
	r.submit(0, "third", "a", "r")
	if _, err := r.lanes[0].Turn(2); !errors.Is(err, errBroken) {
		t.Errorf("the turn gives %v", err)
	}
	r.sync()
	r.want("reply to second: error broken", "reply to third: error broken", "reply to first: error broken", "reply to waits: error broken")
}

func TestLogFailureAnswersTheTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	r.submit(0, "alice", "a", "i=idem r")
	if _, err := r.lanes[0].Turn(1); err == nil {
		t.Error("a turn that cannot be logged succeeds")
	}
	if len(r.events) != 1 || !strings.HasPrefix(r.events[0], "reply to alice: error ") {
		t.Errorf("what left the lane is %q", r.events)
	}
}

func TestFailureDuringATurn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	there := elsewhere(1, 2)
	r.onSend = func(partition.ID, *partition.Event) { r.lanes[0].Fail(errBroken) } // the log's goroutine gets in between
	r.submit(0, "alice", "a", "s="+there+" r")
	r.turn(0, 1)
	r.want("send to 1: 1 "+there, "reply to alice: error broken")
}

func TestResendAfterASecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	there := elsewhere(1, 2)
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 1000)
	r.submit(0, nil, "a", "s="+there)
	r.turn(0, 1500)
	r.want("send to 1: 1 "+there, "send to 1: 2 "+there)
	resend := func(now int64) {
		t.Helper()
		if err := r.lanes[0].Submit(r.lanes[0].Resend()); err != nil {
			t.Fatal(err)
		}
		r.turn(0, now)
	}
	resend(1999)
	r.want()
	resend(2000)
	r.want("send to 1: 1 "+there, "send to 1: 2 "+there)
	ack := partition.Event{Kind: partition.Ack, From: partition.Origin{Partition: 1, Seq: 2}}
	if err := r.lanes[0].Submit(lane.Item{Event: ack, Internal: true}); err != nil {
		t.Fatal(err)
	}
	resend(9000)
	r.want()
}

func TestLargeTurnsAreCutIntoEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	big := strings.Repeat(" ", 3<<20)
	for i := range 7 {
		r.submit(0, i, "a", big+"r")
	}
	r.turn(0, 1)
	r.sync()
	r.events = nil
	r.disk.Crash(0)
	r.open(1)
	entries, events := 0, 0
	err := r.log.Recover(0, func(_ commitlog.Position, _ uint32, data []byte) error {
		entries++
		return partition.ReadBatch(data, func(*partition.Event) error { events++; return nil })
	})
	if err != nil || entries != 3 || events != 7 {
		t.Errorf("21 MiB went into %d entries with %d events, %v", entries, events, err)
	}
}

func TestBlobComesBeforeItsEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	blob := []byte("definition")
	for _, name := range []string{"a", "b"} {
		ev := partition.Event{Kind: partition.Message, To: name, Program: workerID, Op: opWork}
		if err := r.lanes[0].Submit(lane.Item{Event: ev, Blob: blob, BlobID: partition.BlobOf(blob)}); err != nil {
			t.Fatal(err)
		}
	}
	r.turn(0, 1)
	r.sync()
	var kinds []partition.Kind
	r.crash()
	err := r.log.Recover(0, func(_ commitlog.Position, _ uint32, data []byte) error {
		return partition.ReadBatch(data, func(ev *partition.Event) error { kinds = append(kinds, ev.Kind); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []partition.Kind{partition.Define, partition.Message, partition.Message}; !slices.Equal(kinds, want) {
		t.Errorf("the log has %v, want %v", kinds, want)
	}
}

func TestBusyByBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *lane.Config) { c.InboxBytes = 10 })
	r.submit(0, "a", "a", "n=123456789012") // one is always taken
	item := lane.Item{Event: partition.Event{Kind: partition.Message, To: "a", Program: workerID, Op: opWork, Body: []byte("n=1")}}
	if err := r.lanes[0].Submit(item); !fault.Is(err, fault.Busy) {
		t.Errorf("more bytes than the inbox takes give %v", err)
	}
	r.turn(0, 1)
	if err := r.lanes[0].Submit(item); err != nil {
		t.Errorf("after the turn: %v", err)
	}
}

// TestStoreBehind lets snapshots lie: clients are refused before memory grows without bound, runs that never rest
// pause, and all go on once the store has caught up.
func TestStoreBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(c *lane.Config) { c.SnapshotInstances = 1 })
	r.submit(0, "first", "a", "n=1")
	r.turn(0, 1)
	r.sync() // a snapshot is on its way, and stays there
	for i := range 1100 {
		r.submit(0, "more", fmt.Sprint("b", i), "n=1")
	}
	r.submit(0, "loop", "loop", "c")
	r.turn(0, 2)
	if err := r.lanes[0].Submit(lane.Item{}); !fault.Is(err, fault.Busy) {
		t.Fatalf("a request behind a store that does not keep up gives %v", err)
	}
	steps := r.lanes[0].Steps()
	r.turn(0, 3)
	if got := r.lanes[0].Steps(); got != steps {
		t.Errorf("%d steps while the store is behind", got-steps)
	}
	for range 3 {
		r.sync()
		for _, job := range r.jobs {
			job()
		}
		r.jobs = nil
		r.turn(0, 4)
	}
	if got := r.lanes[0].Steps(); got == steps {
		t.Error("the run that paused did not go on")
	}
	if err := r.lanes[0].Submit(lane.Item{}); err != nil {
		t.Errorf("a request when the store has caught up gives %v", err)
	}
}
