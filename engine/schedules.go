package engine

import (
	"bytes"
	"context"
	"strings"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
)

// ScheduleView is a schedule as a client sees it.
type ScheduleView = schedules.View

// DefineSchedule is what CreateSchedule and UpdateSchedule take: what starts when.
type DefineSchedule struct {
	ID       string
	Spec     schedule.Spec
	Workflow string
	Version  string
	Input    []byte // one JSON text; nil: null
}

// TargetWorkflow returns the workflow and the version that a schedule starts.
func TargetWorkflow(t schedules.Target) (name, version string) { return scheduled.Workflow(t) }

func (n *Node) define(d *DefineSchedule, seed uint64) ([]byte, error) {
	input, err := n.payload(d.Input)
	if err != nil {
		return nil, err
	}
	if err := checkWorkflow(d.Workflow, d.Version); err != nil {
		return nil, fault.New("", fault.InvalidName, d.ID, "the workflow that the schedule starts: %w", err)
	}
	return schedules.Define(d.ID, d.Spec, scheduled.Target(d.Workflow, d.Version, input), seed)
}

// tellSchedule sends a schedule a message and returns the answer.
func (n *Node) tellSchedule(ctx context.Context, id string, op uint8, body []byte) (any, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	to := schedules.InstanceName(id)
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: schedules.ID, Op: op, Body: body}}
	return n.ask(ctx, n.place(to), it, nil, func() error { return errNoSchedule(id) })
}

func errNoSchedule(id string) error {
	return fault.New("", fault.ResourceNotFound, id, "there is no schedule %q", id)
}

func (n *Node) viewOfSchedule(ctx context.Context, id string, op uint8, body []byte) (*ScheduleView, error) {
	v, err := n.tellSchedule(ctx, id, op, body)
	if err != nil {
		return nil, err
	}
	return v.(*ScheduleView), nil
}

// CreateSchedule makes a schedule. Made again with the same definition it is the schedule that is there; with another one
// that is fault.Conflict.
func (n *Node) CreateSchedule(ctx context.Context, d DefineSchedule) (*ScheduleView, error) {
	body, err := n.define(&d, randomSeed())
	if err != nil {
		return nil, err
	}
	return n.viewOfSchedule(ctx, d.ID, schedules.OpCreate, body)
}

// UpdateSchedule changes what a schedule starts and when. Runs that are open go on.
func (n *Node) UpdateSchedule(ctx context.Context, d DefineSchedule) (*ScheduleView, error) {
	body, err := n.define(&d, 0)
	if err != nil {
		return nil, err
	}
	return n.viewOfSchedule(ctx, d.ID, schedules.OpUpdate, body)
}

// PauseSchedule lets no time count until ResumeSchedule.
func (n *Node) PauseSchedule(ctx context.Context, id, note string) (*ScheduleView, error) {
	return n.viewOfSchedule(ctx, id, schedules.OpPause, []byte(note))
}

// ResumeSchedule ends a pause. Times that passed during it are not caught up.
func (n *Node) ResumeSchedule(ctx context.Context, id, note string) (*ScheduleView, error) {
	return n.viewOfSchedule(ctx, id, schedules.OpResume, []byte(note))
}

// TriggerSchedule starts a run now, paused or not, and returns its id. It waits if it starts when others have ended. overlap 0 is
// the schedule's own policy.
func (n *Node) TriggerSchedule(ctx context.Context, id string, overlap schedule.Overlap) (run string, waits bool, err error) {
	m := schedules.TriggerMessage{Overlap: overlap}
	v, err := n.tellSchedule(ctx, id, schedules.OpTrigger, m.Encode())
	if err != nil {
		return "", false, err
	}
	t := v.(*schedules.Triggered)
	return t.Run, t.Waits, nil
}

// BackfillSchedule starts the runs of the nominal times from one to another (Unix milliseconds, both inclusive).
func (n *Node) BackfillSchedule(ctx context.Context, id string, from, to int64, overlap schedule.Overlap) (*ScheduleView, error) {
	m := schedules.BackfillMessage{From: from, To: to, Overlap: overlap}
	return n.viewOfSchedule(ctx, id, schedules.OpBackfill, m.Encode())
}

// DeleteSchedule forgets a schedule. Its runs go on.
func (n *Node) DeleteSchedule(ctx context.Context, id string) error {
	_, err := n.tellSchedule(ctx, id, schedules.OpDelete, nil)
	return err
}

// Schedule returns a schedule.
func (n *Node) Schedule(ctx context.Context, id string) (*ScheduleView, error) {
	instance := schedules.InstanceName(id)
	v, err := n.ask(ctx, n.place(instance), lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(instance)
		if err != nil {
			return err
		}
		if v, in := r.Core().View(ref); ok && in {
			return v.State.(*schedules.Schedule).View()
		}
		if !ok {
			return errNoSchedule(id)
		}
		rec, ok, err := r.Record(ref)
		if err != nil {
			return err
		}
		if !ok {
			return errNoSchedule(id)
		}
		view, err := schedules.ReadView(rec.State)
		if err != nil {
			return err
		}
		return view
	}}, nil, nil)
	if err != nil {
		return nil, err
	}
	return v.(*ScheduleView), nil
}

var scheduleStatuses = []uint8{uint8(schedules.Active), uint8(schedules.Paused), uint8(schedules.Finished)}

// ListSchedules returns a page of schedules whose ids begin with prefix, newest first.
func (n *Node) ListSchedules(ctx context.Context, prefix string, limit int, cursor string) (page []*ScheduleView, next string, err error) {
	l := listing{group: schedules.Group, status: scheduleStatuses, limit: limit, match: func(a *listed) bool {
		return strings.HasPrefix(a.name, schedules.InstanceName(prefix))
	}}
	found, next, err := n.list(ctx, l, cursor)
	if err != nil {
		return nil, "", err
	}
	for i := range found {
		v, err := n.Schedule(ctx, strings.TrimPrefix(found[i].name, schedules.InstanceName("")))
		if fault.Is(err, fault.ResourceNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		page = append(page, v)
	}
	return page, next, nil
}

// bringZones gives schedules the rules of their time zones where this machine has others than they were made with.
func (n *Node) bringZones() {
	defer n.group.Done()
	cursor := ""
	for {
		page, next, err := n.ListSchedules(n.life, "", listMax, cursor)
		if err != nil {
			if n.life.Err() == nil {
				n.opts.Logger.Warn("schedules cannot be listed; their time zones keep the rules they have", "error", err)
			}
			return
		}
		for _, v := range page {
			zone, err := schedule.LoadZone(v.Spec.Zone)
			if err != nil {
				n.opts.Logger.Warn("a schedule's time zone is not known here; it keeps the rules it has", "schedule", v.ID, "zone", v.Spec.Zone, "error", err)
				continue
			}
			rules := zone.Append(nil)
			if bytes.Equal(rules, v.Zone.Append(nil)) {
				continue
			}
			if _, err := n.tellSchedule(n.life, v.ID, schedules.OpZone, rules); err != nil && n.life.Err() == nil {
				n.opts.Logger.Warn("a schedule does not take the new rules of its time zone", "schedule", v.ID, "error", err)
			}
		}
		if cursor = next; cursor == "" {
			return
		}
	}
}
