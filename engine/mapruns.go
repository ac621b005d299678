package engine

import (
	"context"
	"encoding/json"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// MapRunID names a Map Run: the machine of its child runs, MACHINE/LABEL, and its own name.
type MapRunID struct{ Machine, Name string }

// Counts is how far a Map Run is, in items or in child runs.
type Counts = statemachine.Counts

// MapRun is a Map Run as a client sees it.
type MapRun struct {
	ID             MapRunID
	ARN            string
	Run            RunID  // of the distributed Map
	RunARN         string // of the same
	MachineARN     string // of the child runs
	Status         machine.Status
	Started        int64 // Unix milliseconds
	Stopped        int64 // 0 while running
	MaxConcurrency int64 // 0: none given
	FailureCount   int64 // tolerated
	FailurePercent float64
	Redrives       int64
	Redriven       int64 // Unix milliseconds; 0: never
	Items          Counts
	Children       Counts
	Express        bool // child runs are not listed
}

// UpdateMapRun is what Node.UpdateMapRun takes; nil fields stay as they are.
type UpdateMapRun struct {
	ID MapRunID
	statemachine.MapUpdate
}

// MapRunPage is one page of Map Runs, newest first.
type MapRunPage struct {
	MapRuns []MapRun // ID, ARN, Run, RunARN, MachineARN, Status, Started and Stopped are filled in
	Cursor  string   // "" at the end
}

func (n *Node) noMapRun(id MapRunID) error {
	arn := n.library.MapRunARN(id.Machine, id.Name)
	return fault.New("", fault.ResourceNotFound, arn, "Resource not found: '%s'", arn)
}

// mapRunOf names what a Map Run's ids name.
func (n *Node) mapRunOf(id MapRunID, parent RunID) MapRun {
	return MapRun{
		ID: id, ARN: n.library.MapRunARN(id.Machine, id.Name), Run: parent, RunARN: n.library.RunARN(parent.Machine, parent.Name, false),
		MachineARN: n.library.MachineARN(id.Machine),
	}
}

// mapRun turns a view into what clients see.
func (n *Node) mapRun(v *statemachine.MapRunView) *MapRun {
	parentMachine, parent, _ := statemachine.SplitRun(v.Parent)
	m := n.mapRunOf(MapRunID{v.Machine, v.Name}, RunID{Machine: parentMachine, Name: parent})
	m.Status, m.Started, m.Stopped = v.Status, v.Started, v.Stopped
	m.MaxConcurrency, m.FailureCount, m.FailurePercent = v.MaxConcurrency, v.FailureCount, v.FailurePercent
	m.Redrives, m.Redriven, m.Items, m.Children, m.Express = v.Redrives, v.Redriven, v.Items, v.Children, v.Express
	return &m
}

// MapRun returns a Map Run; fault.ResourceNotFound if there is none.
func (n *Node) MapRun(ctx context.Context, id MapRunID) (*MapRun, error) {
	instance := statemachine.MapRunInstance(id.Machine, id.Name)
	v, err := n.ask(ctx, n.place(instance), lane.Item{Read: func(r *lane.Reader) any {
		v, err := n.viewMapRun(r, instance)
		if err != nil {
			return err
		}
		if v == nil {
			return n.noMapRun(id)
		}
		return v
	}}, nil, nil)
	if err != nil {
		return nil, err
	}
	return n.mapRun(v.(*statemachine.MapRunView)), nil
}

// viewMapRun looks at a Map Run; nil: there is none.
func (n *Node) viewMapRun(r *lane.Reader, instance string) (*statemachine.MapRunView, error) {
	ref, ok, err := r.Find(instance)
	if err != nil || !ok {
		return nil, err
	}
	core := r.Core()
	if v, ok := core.View(ref); ok {
		if m, ok := v.State.(*statemachine.MapRun); ok {
			return m.View(), nil
		}
		return n.mapRuns.ReadView(v.Packed, core.Blob)
	}
	rec, ok, err := r.Record(ref)
	if err != nil || !ok {
		return nil, err
	}
	return n.mapRuns.ReadView(rec.State, core.Blob)
}

// ListMapRuns returns a page of the Map Runs of a run, newest first.
func (n *Node) ListMapRuns(ctx context.Context, run RunID, limit int, cursor string) (*MapRunPage, error) {
	q := listing{group: statemachine.MapRunsGroup(run.Machine, run.Name), status: statuses, limit: limit}
	list, next, err := n.list(ctx, q, cursor)
	if err != nil {
		return nil, err
	}
	page := &MapRunPage{Cursor: next}
	for _, l := range list {
		each, name, _ := statemachine.SplitMapRun(l.name)
		m := n.mapRunOf(MapRunID{each, name}, run)
		m.Status, m.Started, m.Stopped = machine.Status(l.summary.Status), l.summary.Time, l.summary.Ended
		page.MapRuns = append(page.MapRuns, m)
	}
	return page, nil
}

// ListChildren returns a page of the child runs of a Map Run, newest first; q.Machine is not looked at.
func (n *Node) ListChildren(ctx context.Context, id MapRunID, q ListRuns) (*RunPage, error) {
	l := listing{group: statemachine.ChildrenGroup(id.Machine, id.Name), status: statuses, limit: q.Limit, from: q.After, before: q.Before}
	if q.Status != 0 {
		l.status = []uint8{uint8(q.Status)}
	}
	list, next, err := n.list(ctx, l, q.Cursor)
	if err != nil {
		return nil, err
	}
	page := &RunPage{Cursor: next}
	for _, r := range list {
		page.Runs = append(page.Runs, n.listedRun(r, id.Machine))
	}
	return page, nil
}

// UpdateMapRun changes a Map Run that runs. One that has ended is fault.InvalidInput.
func (n *Node) UpdateMapRun(ctx context.Context, u UpdateMapRun) (*MapRun, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	body, err := json.Marshal(u.MapUpdate)
	if err != nil {
		return nil, err
	}
	instance := statemachine.MapRunInstance(u.ID.Machine, u.ID.Name)
	it := lane.Item{Event: partition.Event{
		Kind: partition.Message, To: instance, Program: statemachine.MapRunsID, Op: statemachine.OpMapUpdate, Body: body,
	}}
	v, err := n.ask(ctx, n.place(instance), it, nil, func() error { return n.noMapRun(u.ID) })
	if err != nil {
		return nil, err
	}
	return n.mapRun(v.(*statemachine.MapRunView)), nil
}
