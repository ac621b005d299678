package scheduled_test

import (
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/internal/wire"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	target := scheduled.Target("report", "v2", []byte("{}"))
	if name, version := scheduled.Workflow(target); name != "report" || version != "v2" || string(target.Input) != "{}" {
		t.Errorf("the target of a workflow is %q %q %s", name, version, target.Input)
	}
}

// TestStartedRunTellsItsSchedule takes a run from its start to its end, and reads what its schedule is told.
func TestStartedRunTellsItsSchedule(t *testing.T) {
	t.Parallel()
	core := partition.New(partition.Config{Partitions: 1, Programs: map[partition.ProgramID]partition.Program{
		workflow.RunsID: &workflow.Runs{Tell: map[partition.ProgramID]func(*workflow.Reply) []byte{schedule.ID: scheduled.Ended}},
	}})
	starter := scheduled.Starter()
	target := scheduled.Target("report", "", []byte("1"))
	var told []byte
	for _, m := range []schedule.Message{
		starter.Start(&schedule.Start{Schedule: "schedule/daily", Run: "daily-1", Target: target}),
		starter.Terminate(target, "daily-1", "another is due"),
	} {
		ev := partition.Event{Kind: partition.Message, Fresh: true, To: m.To, Program: m.Program, Op: m.Op, Body: m.Body}
		for _, e := range core.Step(&ev) {
			if e.Kind == partition.Send && e.Event.To == "schedule/daily" && e.Event.Op == schedule.OpEnded {
				told = e.Event.Body
			}
		}
	}
	in := wire.NewReader(told)
	run, status, failed := in.String(), durable.Status(in.Byte()), in.Bool()
	if in.Err() != nil || run != "daily-1" || status != durable.Terminated || failed {
		t.Errorf("the schedule hears that %q is %s, failed %t: %v", run, status, failed, in.Err())
	}
}
