package weft

import (
	"context"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
)

// Schedule says when runs start: cron expressions in a time zone, intervals, bounds, jitter, what happens when runs
// overlap and when a time was missed.
type Schedule = schedule.Spec

// What happens to a time that comes while a run of the schedule is still running.
const (
	Skip        = schedule.Skip        // the default: the time passes
	BufferOne   = schedule.BufferOne   // it is run afterwards, unless another waits for that already
	BufferAll   = schedule.BufferAll   // it is run afterwards, in order
	CancelOther = schedule.CancelOther // the run is terminated, then the time is run
	AllowAll    = schedule.AllowAll    // it is run beside the other
)

// Schedule makes the workflow start by itself, always with the same input. A run's id is the schedule's id and the time that
// it is for, so that no crash makes two of one time. With an id that exists already the schedule is changed; what runs
// goes on.
//
//	nightly, err := report.Schedule(ctx, app, "nightly", weft.Schedule{Cron: []string{"0 3 * * *"}, Zone: "Europe/Oslo"}, in)
func (f *WorkflowOf[In, Out]) Schedule(ctx context.Context, app *App, id string, when Schedule, in In) (*ScheduleHandle, error) {
	data, err := encode(in)
	if err != nil {
		return nil, err
	}
	if err := app.has(f.name, f.version); err != nil {
		return nil, err
	}
	d := engine.DefineSchedule{ID: id, Spec: when, Workflow: f.name, Version: f.version, Input: data}
	_, err = app.node.CreateSchedule(ctx, d)
	if fault.Is(err, fault.Conflict) {
		_, err = app.node.UpdateSchedule(ctx, d)
	}
	if err != nil {
		return nil, err
	}
	return app.Schedule(id), nil
}

// ScheduleInfo is what there is to know about a schedule: what comes next, what runs, what has run and what was left out.
type ScheduleInfo = engine.ScheduleView

// ScheduleHandle is a handle of a schedule.
type ScheduleHandle struct {
	app *App
	id  string
}

// Schedule returns the handle of a schedule by its id, which need not exist.
func (a *App) Schedule(id string) *ScheduleHandle { return &ScheduleHandle{a, id} }

// Schedules returns a page of the schedules whose ids begin with prefix, newest first, and the cursor of the next page.
func (a *App) Schedules(ctx context.Context, prefix, cursor string) (page []*ScheduleInfo, next string, err error) {
	return a.node.ListSchedules(ctx, prefix, 0, cursor)
}

// ID returns the schedule's id.
func (s *ScheduleHandle) ID() string { return s.id }

// Info returns what there is to know about the schedule now.
func (s *ScheduleHandle) Info(ctx context.Context) (*ScheduleInfo, error) {
	return s.app.node.Schedule(ctx, s.id)
}

// Pause lets no time count until Resume.
func (s *ScheduleHandle) Pause(ctx context.Context, note string) error {
	_, err := s.app.node.PauseSchedule(ctx, s.id, note)
	return err
}

// Resume ends a pause. Times that passed during it are not caught up: see Backfill.
func (s *ScheduleHandle) Resume(ctx context.Context, note string) error {
	_, err := s.app.node.ResumeSchedule(ctx, s.id, note)
	return err
}

// Trigger starts a run now, also during a pause.
func (s *ScheduleHandle) Trigger(ctx context.Context) (*Run, error) {
	id, _, err := s.app.node.TriggerSchedule(ctx, s.id, 0)
	if err != nil {
		return nil, err
	}
	return s.app.Find(id), nil
}

// Backfill runs the times of a stretch of the past, one after the other.
func (s *ScheduleHandle) Backfill(ctx context.Context, from, to time.Time) error {
	_, err := s.app.node.BackfillSchedule(ctx, s.id, from.UnixMilli(), to.UnixMilli(), 0)
	return err
}

// Delete forgets the schedule. Its runs go on.
func (s *ScheduleHandle) Delete(ctx context.Context) error {
	return s.app.node.DeleteSchedule(ctx, s.id)
}
