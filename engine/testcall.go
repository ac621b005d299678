package engine

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/machine"
)

// MachineARN returns the ARN that a machine of this name has, or would have.
func (n *Node) MachineARN(name string) string { return n.library.MachineARN(name) }

// CallTask makes a call that no run makes: of a Task that is tested by itself. It returns the answer as a run would be told
// it, with the command's ID. The call ends with ctx.
func (n *Node) CallTask(ctx context.Context, c *machine.Command) machine.Event {
	return CallTask(ctx, n.opts.Functions, n.opts.Integrations, c)
}

// CallTask is Node.CallTask without a node.
func CallTask(ctx context.Context, functions, integrations function.Invoker, c *machine.Command) machine.Event {
	id := uuid.NewString()
	req := function.Request{Function: c.Function, Input: c.Input, Attempt: 1, ID: id, Key: id, Run: "test-state"}
	if c.TimeoutMS > 0 {
		req.Deadline = time.Now().Add(time.Duration(c.TimeoutMS) * time.Millisecond)
	}
	invoker := functions
	if _, ok := asl.IntegrationName(c.Function); ok {
		invoker = integrations
	}
	res, err := invoker.Invoke(ctx, &req)
	ev := machine.Event{Kind: machine.TaskSucceeded, ID: c.ID}
	switch {
	case err != nil:
		ev.Kind = machine.TaskFailed
		ev.Error, ev.Cause, ev.StartFailed, _ = failureOf(err)
	case res == nil:
		ev.Kind, ev.Error = machine.TaskFailed, "Lambda.Unknown"
	default:
		ev.Output, ev.LogTail = res.Output, res.LogTail
	}
	return ev
}
