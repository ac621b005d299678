package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// StartRun starts a run and returns once it is durable. The same name with the same input while the run is open
// answers that run; a name used before otherwise is fault.RunExists.
func (n *Node) StartRun(ctx context.Context, s StartRun) (*Run, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	c := n.catalog.enter(s.Machine)
	if c == nil {
		return nil, n.noMachine(s.Machine)
	}
	defer c.leave()
	if c.machine.Deleting {
		arn := n.library.MachineARN(s.Machine)
		return nil, fault.New("", fault.MachineDeleting, arn, "State Machine is being deleted: '%s'", arn)
	}
	input, err := n.checkInput(s.Input)
	if err != nil {
		return nil, err
	}
	seed := randomSeed()
	as, err := n.qualify(c, &s, seed)
	if err != nil {
		return nil, err
	}
	blob, blobID, ok := c.revision(as.Version)
	if !ok {
		return nil, n.noVersion(s.Machine, strconv.Itoa(as.Version))
	}
	if s.Mocks != nil {
		if blob, err = statemachine.Mocked(blob, s.Mocks); err != nil {
			return nil, fault.New("", fault.InvalidArgument, s.Machine, "%w", err)
		}
		blobID = partition.BlobOf(blob)
	}
	fresh := s.Name == ""
	if fresh {
		s.Name = uuid.NewString()
	}
	if s.From != "" {
		if err := n.hasState(blobID, blob, s.From); err != nil {
			return nil, err
		}
	}
	instance := statemachine.RunInstance(s.Machine, s.Name)
	start := statemachine.StartMessage{Revision: blobID, Seed: seed, Trace: s.Trace, As: as, Input: input, At: s.From, Parent: s.parent}
	it := lane.Item{
		Event: partition.Event{
			Kind: partition.Message, To: instance, Program: statemachine.RunsID, Op: start.Op(), Body: start.Encode(), Fresh: fresh,
		},
		Blob: blob, BlobID: blobID,
	}
	v, err := n.ask(ctx, n.place(instance), it, nil, nil)
	if err != nil {
		return nil, err
	}
	return n.run(v.(*statemachine.View)), nil
}

// qualify says which version a start means. An alias decides by the run's seed, which is logged.
func (n *Node) qualify(c *cataloged, s *StartRun, seed uint64) (as statemachine.Qualifier, err error) {
	if s.Alias == "" {
		return statemachine.Qualifier{Version: s.Version}, nil
	}
	a := c.machine.Alias(s.Alias)
	if a == nil {
		return as, n.noVersion(s.Machine, s.Alias)
	}
	return statemachine.Qualifier{Version: a.Pick(seed), Alias: s.Alias}, nil
}

// checkInput returns a run's input as compact JSON within the limits.
func (n *Node) checkInput(input []byte) ([]byte, error) {
	if input == nil {
		return []byte("{}"), nil
	}
	if len(input) > n.opts.Limits.PayloadBytes {
		return nil, fault.New("", fault.InvalidInput, "", "Invalid State Machine Execution Input: 'input is %d bytes, the most is %d'", len(input), n.opts.Limits.PayloadBytes)
	}
	text, err := jsonvalue.Compact(nil, input)
	if err != nil {
		return nil, fault.New("", fault.InvalidInput, "", "Invalid State Machine Execution Input: '%w'", err)
	}
	return text, nil
}

// run turns a view into what clients see.
func (n *Node) run(v *statemachine.View) *Run {
	r := &Run{
		ID: RunID{Machine: v.Revision.Machine, Name: v.Name}, ARN: n.library.RunARN(v.Revision.Machine, v.Name, v.Revision.Express),
		MachineARN: v.Revision.MachineARN, Version: v.As.Version, Alias: v.As.Alias, Status: v.Status, Started: v.Started, Stopped: v.Stopped, Input: v.Input,
		Output: v.Output, Error: v.Error, Cause: v.Cause, HasError: v.HasError, HasCause: v.HasCause,
		Hash: v.Revision.Blob.String(), Revision: v.Revision.ID, RoleARN: v.Revision.RoleARN, Trace: v.Trace, Events: v.Events,
		Paused: v.Paused, Redrives: v.Redrives, Redriven: v.Redriven, Redrivable: v.Redrivable,
	}
	if each, name, ok := statemachine.SplitMapRun(v.MapRun); ok {
		r.MapRunARN = n.library.MapRunARN(each, name)
	}
	return r
}

func (n *Node) noRun(id RunID) error {
	arn := n.library.RunARN(id.Machine, id.Name, false)
	return fault.New("", fault.RunNotFound, arn, "Execution Does Not Exist: '%s'", arn)
}

// tell sends a run a message and returns the run after it.
func (n *Node) tell(ctx context.Context, id RunID, op uint8, body []byte, missing func() error) (*Run, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	instance := statemachine.RunInstance(id.Machine, id.Name)
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: instance, Program: statemachine.RunsID, Op: op, Body: body}}
	v, err := n.ask(ctx, n.place(instance), it, nil, missing)
	if err != nil {
		return nil, err
	}
	return n.run(v.(*statemachine.View)), nil
}

// StopRun aborts an open run and returns it. Stopping an ended run returns it unchanged.
func (n *Node) StopRun(ctx context.Context, id RunID, why Reason) (*Run, error) {
	m := statemachine.StopMessage{Error: why.Error, Cause: why.Cause}
	return n.tell(ctx, id, statemachine.OpStop, m.Encode(), func() error { return n.noRun(id) })
}

// view looks at a run. A Read that finds it cold decodes its record.
func (n *Node) view(r *lane.Reader, id RunID) (partition.Ref, *statemachine.View, error) {
	ref, ok, err := r.Find(statemachine.RunInstance(id.Machine, id.Name))
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		return 0, nil, n.noRun(id)
	}
	view, err := n.viewAt(r, ref)
	if err == nil && view == nil {
		err = n.noRun(id)
	}
	return ref, view, err
}

// viewAt looks at run number ref of a partition; nil: it is not there any more.
func (n *Node) viewAt(r *lane.Reader, ref partition.Ref) (*statemachine.View, error) {
	core := r.Core()
	if v, ok := core.View(ref); ok {
		if run, ok := v.State.(*statemachine.Run); ok {
			return run.View(), nil
		}
		return n.runs.ReadView(v.Packed, core.Blob)
	}
	rec, ok, err := r.Record(ref)
	if err != nil || !ok {
		return nil, err
	}
	return n.runs.ReadView(rec.State, core.Blob)
}

// look asks a run's partition to look at it.
func (n *Node) look(ctx context.Context, id RunID, read func(*lane.Reader) any) (any, error) {
	p := n.place(statemachine.RunInstance(id.Machine, id.Name))
	return n.ask(ctx, p, lane.Item{Read: read}, nil, nil)
}

// Run returns a run.
func (n *Node) Run(ctx context.Context, id RunID) (*Run, error) {
	v, err := n.viewRun(ctx, id)
	if err != nil {
		return nil, err
	}
	return n.run(v), nil
}

func (n *Node) viewRun(ctx context.Context, id RunID) (*statemachine.View, error) {
	v, err := n.look(ctx, id, func(r *lane.Reader) any {
		_, view, err := n.view(r, id)
		if err != nil {
			return err
		}
		return view
	})
	if err != nil {
		return nil, err
	}
	return v.(*statemachine.View), nil
}

// RunDefinition returns the machine as it was when the run started: what the run is pinned to.
func (n *Node) RunDefinition(ctx context.Context, id RunID) (*Machine, error) {
	v, err := n.look(ctx, id, func(r *lane.Reader) any {
		_, view, err := n.view(r, id)
		if err != nil {
			return err
		}
		return view
	})
	if err != nil {
		return nil, err
	}
	rev := v.(*statemachine.View).Revision
	m := &Machine{
		Name: rev.Machine, ARN: rev.MachineARN, Type: Standard, Definition: rev.Text, Hash: rev.Blob.String(),
		Revision: rev.ID, RoleARN: rev.RoleARN,
	}
	if rev.Express {
		m.Type = Express
	}
	name, _, _ := strings.Cut(id.Machine, "/")
	if c := n.catalog.get(name); c != nil {
		m.Created, m.Updated, m.Extra = c.machine.Created, c.machine.Updated, c.machine.Extra
		if version := c.machine.Version(v.(*statemachine.View).As.Version); version != nil {
			m.Extra = version.Extra
		}
	}
	return m, nil
}

// WaitRun returns a run once it has ended.
func (n *Node) WaitRun(ctx context.Context, id RunID) (*Run, error) {
	var waited partition.Ref // the lane's
	v, err := n.look(ctx, id, func(r *lane.Reader) any {
		ref, view, err := n.view(r, id)
		if err != nil {
			return err
		}
		if view.Status != machine.Running {
			return view
		}
		waited = ref
		later, ok, err := r.Await(ref)
		if err != nil {
			return err
		}
		if !ok {
			return n.noRun(id)
		}
		return later
	})
	if ctx.Err() != nil {
		p := n.place(statemachine.RunInstance(id.Machine, id.Name))
		_ = n.lanes[p].Submit(lane.Item{Internal: true, Read: func(r *lane.Reader) any { // behind the one above
			r.Leave(waited)
			return nil
		}})
	}
	if err != nil {
		return nil, err
	}
	return n.run(v.(*statemachine.View)), nil
}

// SucceedTask ends a task that waits for its token with an output (one JSON text).
func (n *Node) SucceedTask(ctx context.Context, token string, output []byte) error {
	t, err := statemachine.ParseToken(token)
	if err != nil {
		return err
	}
	if len(output) > n.opts.Limits.PayloadBytes {
		return fault.New("", fault.InvalidOutput, "", "Invalid Output: 'output is %d bytes, the most is %d'", len(output), n.opts.Limits.PayloadBytes)
	}
	text, err := jsonvalue.Compact(nil, output)
	if err != nil {
		return fault.New("", fault.InvalidOutput, "", "Invalid Output: '%w'", err)
	}
	return n.report(ctx, statemachine.OpTaskSucceed, &statemachine.TaskMessage{Token: t, Output: text})
}

// FailTask ends a task that waits for its token with an error.
func (n *Node) FailTask(ctx context.Context, token string, why Reason) error {
	t, err := statemachine.ParseToken(token)
	if err != nil {
		return err
	}
	return n.report(ctx, statemachine.OpTaskFail, statemachine.FailMessage(t, why.Error, why.Cause))
}

// HeartbeatTask restarts a task's heartbeat.
func (n *Node) HeartbeatTask(ctx context.Context, token string) error {
	t, err := statemachine.ParseToken(token)
	if err != nil {
		return err
	}
	return n.report(ctx, statemachine.OpTaskBeat, &statemachine.TaskMessage{Token: t})
}

func (n *Node) report(ctx context.Context, op uint8, m *statemachine.TaskMessage) error {
	_, err := n.tell(ctx, RunID{Machine: m.Token.Machine, Name: m.Token.Run}, op, m.Encode(), func() error {
		return fault.New("", fault.TaskNotFound, "", "Task does not exist: its run is not known (any more)")
	})
	return err
}
