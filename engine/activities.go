package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
)

// Activity is an activity: a queue of tasks that workers ask for. Waiting, how many there are, is filled in by
// Node.Activity only.
type Activity struct {
	ARN string
	statemachine.Activity
}

// CreateActivity is what Node.CreateActivity takes.
type CreateActivity struct {
	Name  string
	Tags  map[string]string
	Extra map[string]json.RawMessage // kept and shown
}

// Work is a task of an activity, in the hands of a worker: it ends with a report by the token.
type Work = statemachine.Work

func (n *Node) noActivity(name string) error {
	arn := n.library.ActivityARN(name)
	return fault.New("", fault.ActivityNotFound, arn, "Activity Does Not Exist: '%s'", arn)
}

func (n *Node) activity(a *statemachine.Activity) *Activity {
	return &Activity{ARN: n.library.ActivityARN(a.Name), Activity: *a}
}

// tellActivity sends an activity a message of a client.
func (n *Node) tellActivity(ctx context.Context, name string, op uint8, m *statemachine.ActivityMessage) (*Activity, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	v, err := n.askActivity(ctx, name, op, body)
	if err != nil {
		return nil, err
	}
	return n.activity(v.(*statemachine.Activity)), nil
}

func (n *Node) askActivity(ctx context.Context, name string, op uint8, body []byte) (any, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	to := statemachine.ActivityInstance(name)
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: statemachine.ActivitiesID, Op: op, Body: body}}
	return n.ask(ctx, n.place(to), it, nil, func() error { return n.noActivity(name) })
}

// CreateActivity makes an activity. Doing it again answers the one that is there, other tags notwithstanding.
func (n *Node) CreateActivity(ctx context.Context, c CreateActivity) (*Activity, error) {
	if err := checkName(c.Name); err != nil {
		return nil, err
	}
	if a, err := n.Activity(ctx, c.Name); err == nil || !fault.Is(err, fault.ActivityNotFound) {
		return a, err
	}
	all, err := n.listActivities(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) >= n.opts.activities {
		return nil, fault.New("", fault.LimitExceeded, c.Name, "this node keeps %d activities, which is the most; delete some", n.opts.activities)
	}
	return n.tellActivity(ctx, c.Name, statemachine.OpActivityCreate, &statemachine.ActivityMessage{Tags: c.Tags, Extra: c.Extra})
}

// TagActivity sets and removes tags.
func (n *Node) TagActivity(ctx context.Context, name string, set map[string]string, remove []string) (*Activity, error) {
	return n.tellActivity(ctx, name, statemachine.OpActivityTag, &statemachine.ActivityMessage{Tags: set, Untag: remove})
}

// DeleteActivity removes an activity; tasks that no worker has taken fail. A name that is not there is no error.
func (n *Node) DeleteActivity(ctx context.Context, name string) error {
	_, err := n.askActivity(ctx, name, statemachine.OpActivityDelete, nil)
	if fault.Is(err, fault.ActivityNotFound) {
		return nil
	}
	return err
}

// Activity returns an activity, or fault.ActivityNotFound.
func (n *Node) Activity(ctx context.Context, name string) (*Activity, error) {
	instance := statemachine.ActivityInstance(name)
	v, err := n.ask(ctx, n.place(instance), lane.Item{Read: func(r *lane.Reader) any {
		_, a, err := n.viewActivity(r, name)
		if err != nil {
			return err
		}
		return a
	}}, nil, nil)
	if err != nil {
		return nil, err
	}
	return n.activity(v.(*statemachine.Activity)), nil
}

func (n *Node) viewActivity(r *lane.Reader, name string) (partition.Ref, *statemachine.Activity, error) {
	ref, ok, err := r.Find(statemachine.ActivityInstance(name))
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		return 0, nil, n.noActivity(name)
	}
	if v, ok := r.Core().View(ref); ok {
		if a, ok := v.State.(statemachine.Workplaces); ok {
			return ref, a.View(), nil
		}
	}
	rec, ok, err := r.Record(ref)
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		return 0, nil, n.noActivity(name)
	}
	a, err := statemachine.ReadActivity(rec.State)
	return ref, a, err
}

// ListActivities returns all activities by creation time, oldest first. Name, ARN and Created are filled in.
func (n *Node) ListActivities(ctx context.Context) ([]*Activity, error) {
	all, err := n.listActivities(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]*Activity, len(all))
	for i := range all {
		list[i] = n.activity(&statemachine.Activity{Name: statemachine.ActivityName(all[i].name), Created: all[i].summary.Time})
	}
	slices.SortFunc(list, func(a, b *Activity) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

func (n *Node) listActivities(ctx context.Context) ([]listed, error) {
	var all []listed
	for cursor := ""; ; {
		page, next, err := n.list(ctx, listing{group: statemachine.ActivitiesGroup, status: []uint8{1}, limit: listMax}, cursor)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		cursor = next
	}
}

// TakeTask gives a worker the oldest task of an activity, waiting at most wait for one. nil: none came.
func (n *Node) TakeTask(ctx context.Context, activity, worker string, wait time.Duration) (*Work, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if err := n.awaitTask(ctx, activity); err != nil {
			if ctx.Err() == context.DeadlineExceeded && !n.closing.Load() {
				return nil, nil
			}
			return nil, err
		}
		// From here on a task may be ours: giving up would lose it.
		work, err := n.takeTask(context.WithoutCancel(ctx), activity, worker)
		if work != nil || err != nil && !fault.Is(err, fault.TaskTimedOut) && !fault.Is(err, fault.RunNotFound) {
			return work, err
		}
	}
}

// takeTask returns nil, or fault.TaskTimedOut or RunNotFound, when somebody was faster or the task's run waits no more.
func (n *Node) takeTask(ctx context.Context, activity, worker string) (*Work, error) {
	v, err := n.askActivity(ctx, activity, statemachine.OpActivityTake, []byte(worker))
	if err != nil {
		return nil, err
	}
	t := v.(*statemachine.Taken)
	if t == nil {
		return nil, nil
	}
	m := statemachine.TakenMessage{Task: t.Task, Worker: worker}
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: t.Run, Program: statemachine.RunsID, Op: statemachine.OpTaskTaken, Body: m.Encode()}}
	v, err = n.ask(ctx, n.place(t.Run), it, nil, func() error {
		return fault.New("", fault.RunNotFound, t.Run, "the run of the task is gone")
	})
	if err != nil {
		return nil, err
	}
	return v.(*Work), nil
}

// awaitTask returns when an activity has a task, or may have.
func (n *Node) awaitTask(ctx context.Context, name string) error {
	if n.closing.Load() {
		return errClosing()
	}
	p := n.place(statemachine.ActivityInstance(name))
	var waited partition.Ref // the lane's
	_, err := n.ask(ctx, p, lane.Item{Read: func(r *lane.Reader) any {
		ref, a, err := n.viewActivity(r, name)
		if err != nil {
			return err
		}
		if a.Waiting > 0 {
			return true
		}
		if r.Waiting(ref) >= n.opts.pollers {
			return fault.New("", fault.ActivityWorkers, name, "%d workers wait for tasks of this activity, which is the most", n.opts.pollers)
		}
		waited = ref
		later, ok, err := r.Await(ref)
		if err != nil {
			return err
		}
		if !ok {
			return n.noActivity(name)
		}
		return later
	}}, nil, nil)
	if ctx.Err() != nil {
		// Behind the one above. If it was this client that had been woken, another is.
		_ = n.lanes[p].Submit(lane.Item{Internal: true, Read: func(r *lane.Reader) any {
			r.Leave(waited)
			if _, a, err := n.viewActivity(r, name); err == nil && a.Waiting > 0 {
				r.Wake(waited, true)
			}
			return nil
		}})
	}
	return err
}
