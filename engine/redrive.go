package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// RedriveRun takes up a run that did not succeed, in every state in which it was stopped: what had succeeded stays. The
// amendment may give one of the states another input, or an output instead of trying it again. The same token twice in a row
// redrives once. A run that goes on or has succeeded is fault.NotRedrivable.
func (n *Node) RedriveRun(ctx context.Context, id RunID, token string, a machine.Amendment) (*Run, error) {
	var err error
	for _, part := range [...]*[]byte{&a.Input, &a.Output} {
		if *part == nil {
			continue
		}
		if a.State == "" {
			return nil, fault.New("", fault.InvalidArgument, "", "name the state that the input or output is for")
		}
		if len(*part) > n.opts.Limits.PayloadBytes {
			return nil, fault.New("", fault.InvalidArgument, a.State, "the payload is %d bytes, the most is %d", len(*part), n.opts.Limits.PayloadBytes)
		}
		if *part, err = jsonvalue.Compact(nil, *part); err != nil {
			return nil, fault.New("", fault.InvalidArgument, a.State, "the payload is no JSON: %w", err)
		}
	}
	m := statemachine.RedriveMessage{Token: token, Amendment: a}
	return n.tell(ctx, id, statemachine.OpRedrive, m.Encode(), func() error { return n.noRun(id) })
}

// PauseRun holds a run: functions that were called may answer, but no state begins or ends until ResumeRun. Timers that are
// due meanwhile take effect then. Pausing a paused run changes nothing; an ended run is fault.Conflict.
func (n *Node) PauseRun(ctx context.Context, id RunID) (*Run, error) {
	return n.tell(ctx, id, statemachine.OpPause, nil, func() error { return n.noRun(id) })
}

// ResumeRun undoes PauseRun.
func (n *Node) ResumeRun(ctx context.Context, id RunID) (*Run, error) {
	return n.tell(ctx, id, statemachine.OpResume, nil, func() error { return n.noRun(id) })
}

// Rerun is what Node.RerunRun takes.
type Rerun struct {
	From  string // state to begin with, of the machine's own graph
	Input []byte // one JSON text; nil: what the state was last entered with in the run
	Name  string // of the new run; "": a fresh UUID
}

// RerunRun starts a new run of a run's machine, as it is defined now, that begins with a state in the middle. The run
// itself stays as it is.
func (n *Node) RerunRun(ctx context.Context, id RunID, r Rerun) (*Run, error) {
	if r.From == "" {
		return nil, fault.New("", fault.InvalidArgument, id.Name, "name the state to begin with")
	}
	if r.Input == nil {
		var err error
		if r.Input, err = n.enteredWith(ctx, id, r.From); err != nil {
			return nil, err
		}
	}
	return n.StartRun(ctx, StartRun{Machine: id.Machine, Name: r.Name, Input: r.Input, From: r.From})
}

// enteredWith returns the input with which a run last entered a state.
func (n *Node) enteredWith(ctx context.Context, id RunID, state string) ([]byte, error) {
	var input []byte
	for next := int64(1); ; {
		events, err := n.History(ctx, id, HistoryQuery{From: next})
		if err != nil {
			return nil, err
		}
		for i := range events {
			if e := &events[i]; e.Name == state && strings.HasSuffix(e.Type.String(), "StateEntered") {
				input = slices.Clone(e.Input)
			}
		}
		if len(events) == 0 {
			break
		}
		next = events[len(events)-1].ID + 1
	}
	if input == nil {
		return nil, fault.New("", fault.InvalidArgument, state, "the run never entered the state %q: check its name, or give the input to begin it with", state)
	}
	return input, nil
}

// hasState checks that a machine's own graph has a state.
func (n *Node) hasState(id partition.BlobID, blob []byte, state string) error {
	rev, err := n.library.Load(id, blob)
	if err != nil {
		return err
	}
	g := &rev.Interpreter.Definition.Graph
	if g.ByName[state] != nil {
		return nil
	}
	names := make([]string, len(g.States))
	for i, st := range g.States {
		names[i] = st.Name
	}
	return fault.New("", fault.InvalidArgument, state, "the machine has no state %q to begin with; there are: %s", state, strings.Join(names, ", "))
}
