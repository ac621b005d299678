// Package scheduled connects schedules with what they start, workflow runs: it turns the wishes of a schedule into messages
// to runs, and the end of a run into what its schedule waits for. All of it is pure, as it is part of the fold.
//
//	programs[schedule.ID] = &schedule.Program{Starter: scheduled.Starter()}
//	programs[workflow.RunsID] = &workflow.Runs{Tell: map[partition.ProgramID]func(*workflow.Reply) []byte{schedule.ID: scheduled.Ended}}
package scheduled

import (
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/workflow"
)

// kind is the kind of a target that is a workflow. Its name is the workflow's, a zero byte and the version.
const kind = "workflow"

// Target returns what a schedule of a workflow starts. input is one JSON text.
func Target(name, version string, input []byte) schedule.Target {
	return schedule.Target{Kind: kind, Name: name + "\x00" + version, Input: input}
}

// Workflow undoes Target.
func Workflow(t schedule.Target) (name, version string) {
	name, version, _ = strings.Cut(t.Name, "\x00")
	return name, version
}

// Starter returns what turns wishes of schedules into messages to runs.
func Starter() schedule.Starter {
	return schedule.Starter{
		Start: func(s *schedule.Start) schedule.Message {
			m := workflow.Start{Seed: s.Seed, Input: s.Target.Input}
			m.Workflow, m.Version = Workflow(s.Target)
			m.Parent = workflow.Address{Instance: s.Schedule, Program: schedule.ID, Op: schedule.OpEnded}
			return schedule.Message{To: workflow.RunInstance(s.Run), Program: workflow.RunsID, Op: workflow.OpStart, Body: m.Encode()}
		},
		Terminate: func(_ schedule.Target, run, cause string) schedule.Message {
			m := workflow.Terminate{Reason: cause, Recursive: true}
			return schedule.Message{To: workflow.RunInstance(run), Program: workflow.RunsID, Op: workflow.OpTerminate, Body: m.Encode()}
		},
	}
}

// Ended returns the body of the message that tells a schedule of the end of a run (workflow.Runs.Tell).
func Ended(r *workflow.Reply) []byte {
	m := schedule.EndedMessage{Run: r.From, Status: uint8(r.Status), Failed: r.Failure != nil && r.Status != durable.Terminated}
	return m.Encode()
}
