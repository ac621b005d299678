package statemachine

import (
	"reflect"
	"testing"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// TestPausedRunHolds holds what a paused run keeps for later: answers and timers, which the frame bounds, but no
// heartbeats, of which there is no end, and no stop, which acts at once.
func TestPausedRunHolds(t *testing.T) {
	t.Parallel()
	r := &Run{view: View{Paused: true}}
	for kind, want := range map[machine.EventKind]bool{
		machine.TaskSucceeded: true, machine.TaskFailed: true, machine.TimerFired: true, machine.Continue: true,
		machine.TaskHeartbeat: false, machine.Stop: false,
	} {
		if got := r.holds(&machine.Event{Kind: kind}); got != want {
			t.Errorf("a paused run holds an event of kind %d: %v, want %v", kind, got, want)
		}
	}
	if (&Run{}).holds(&machine.Event{Kind: machine.TaskSucceeded}) {
		t.Error("a run that is not paused holds an answer")
	}
}

// TestHeldEventsAreStored holds that a snapshot keeps what a paused run holds.
func TestHeldEventsAreStored(t *testing.T) {
	t.Parallel()
	r := &Run{view: View{Paused: true}, held: []heldEvent{
		{Event: machine.Event{Kind: machine.TaskSucceeded, ID: 3, Output: []byte(`{"a":1}`), LogTail: "log"}},
		{Event: machine.Event{Kind: machine.TaskFailed, ID: 4, Error: "X", Cause: "c", StartFailed: true}, empty: emptyCause},
	}}
	var back Run
	in := wire.NewReader(r.appendHeld(nil))
	back.readHeld(in)
	for i := range back.held {
		back.held[i].Output = something(back.held[i].Output)
	}
	if in.Err() != nil || !back.view.Paused || !reflect.DeepEqual(back.held, r.held) {
		t.Errorf("%v: %+v, want %+v", in.Err(), back.held, r.held)
	}
	if !back.reported(3) || !back.reported(4) || back.reported(5) {
		t.Error("what was answered is not known")
	}
}
