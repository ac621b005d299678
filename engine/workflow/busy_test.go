package workflow_test

import (
	"bytes"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
)

// TestBusyIsBusyAgain refuses what clients send beyond what may wait, and wants a recovery, which has no clients, to
// refuse the same.
func TestBusyIsBusyAgain(t *testing.T) {
	t.Parallel()
	cfg := partition.Config{Partitions: 1, Programs: map[partition.ProgramID]partition.Program{
		workflow.RunsID: &workflow.Runs{InboxEvents: 2}, workflow.EntitiesID: &workflow.Entities{InboxEvents: 1},
	}}
	run := workflow.RunInstance("r")
	entity := workflow.EntityInstance(durable.EntityTarget("counter", "a"))
	message := func(to string, program partition.ProgramID, op uint8, body []byte) partition.Event {
		return partition.Event{Kind: partition.Message, Fresh: true, Time: 1, To: to, Program: program, Op: op, Body: body}
	}
	start := workflow.Start{Workflow: "w", Input: []byte("1")}
	raise := workflow.Raise{Name: "e", Data: []byte("2")}
	signal := workflow.Operation{Name: "o", Input: []byte("3")}
	log := []partition.Event{
		message(run, workflow.RunsID, workflow.OpStart, start.Encode()),
		message(run, workflow.RunsID, workflow.OpRaise, raise.Encode()),
		message(run, workflow.RunsID, workflow.OpRaise, raise.Encode()), // the start and an event wait
		message(entity, workflow.EntitiesID, workflow.OpSignal, signal.Encode()),
		message(entity, workflow.EntitiesID, workflow.OpSignal, signal.Encode()),
	}
	fold := func(client any) (dump []byte, busy int) {
		core := partition.New(cfg)
		for _, ev := range log {
			ev.Client = client
			for _, e := range core.Step(&ev) {
				if err, ok := e.Value.(error); ok && e.Kind == partition.Reply && fault.Is(err, fault.Busy) {
					busy++
				}
			}
		}
		return core.Dump(), busy
	}
	lived, busy := fold("client")
	if busy != 2 {
		t.Errorf("%d messages were refused, want 2", busy)
	}
	if recovered, _ := fold(nil); !bytes.Equal(recovered, lived) {
		t.Error("a recovery has another state than the node that refused")
	}
}
