package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/server/rest"
)

// scheduled answers a schedule, or the error there was.
func scheduled(v *engine.ScheduleView, err error) (*reply, error) {
	if err != nil {
		return nil, err
	}
	return ok(rest.ScheduleOf(v)), nil
}

// putSchedule changes the schedule with the id, or makes it. With ?new=true it only makes one: that there is another already
// is a conflict then.
func (c *restCall) putSchedule() (*reply, error) {
	var in rest.DefineSchedule
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	onlyNew, err := c.flag("new")
	if err != nil {
		return nil, err
	}
	if err := c.hasCode(in.Workflow, in.Version); err != nil {
		return nil, err
	}
	if err := in.Spec.Validate(); err != nil {
		return nil, inSpec(err)
	}
	d := engine.DefineSchedule{ID: c.id(), Spec: in.Spec, Workflow: in.Workflow, Version: in.Version, Input: in.Input}
	if !onlyNew {
		v, err := c.durable.UpdateSchedule(c.r.Context(), d)
		if !fault.Is(err, fault.ResourceNotFound) {
			return scheduled(v, err)
		}
	}
	v, err := c.durable.CreateSchedule(c.r.Context(), d)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusCreated, value: rest.ScheduleOf(v), location: rest.Path("schedules", v.ID)}, nil
}

// inSpec puts the member of the spec that is wrong into the words of an error, as answers have nothing else.
func inSpec(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	part := "spec"
	if f.Subject != "" {
		part += "." + f.Subject
	}
	return fault.New("", f.Kind, part, "%s: %w", part, f.Err)
}

func (c *restCall) listSchedules() (*reply, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	cursor, err := c.cursor()
	if err != nil {
		return nil, err
	}
	page, next, err := c.durable.ListSchedules(c.r.Context(), c.r.URL.Query().Get("prefix"), limit, cursor)
	if err != nil {
		return nil, err
	}
	out := rest.Schedules{Schedules: []rest.Schedule{}, Cursor: pageToken(next, c.query())}
	for _, v := range page {
		out.Schedules = append(out.Schedules, rest.ScheduleInList(v))
	}
	return ok(out), nil
}

func (c *restCall) schedule() (*reply, error) {
	return scheduled(c.durable.Schedule(c.r.Context(), c.id()))
}

func (c *restCall) pauseSchedule() (*reply, error) { return c.noted(c.durable.PauseSchedule) }

func (c *restCall) resumeSchedule() (*reply, error) { return c.noted(c.durable.ResumeSchedule) }

// noted reads the body of pausing and resuming, and does it.
func (c *restCall) noted(do func(ctx context.Context, id, note string) (*engine.ScheduleView, error)) (*reply, error) {
	var in rest.Note
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Note) > limits.ScheduleNoteChars {
		return nil, fault.New("", fault.InvalidArgument, c.id(), "the note has %d bytes, the most is %d", len(in.Note), limits.ScheduleNoteChars)
	}
	return scheduled(do(c.r.Context(), c.id(), in.Note))
}

func (c *restCall) triggerSchedule() (*reply, error) {
	var in rest.Trigger
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	run, waits, err := c.durable.TriggerSchedule(c.r.Context(), c.id(), in.Overlap)
	if err != nil {
		return nil, err
	}
	return ok(rest.Triggered{Run: run, Waits: waits}), nil
}

func (c *restCall) backfillSchedule() (*reply, error) {
	var in rest.Backfill
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case in.From == 0:
		return nil, fault.New("", fault.InvalidArgument, c.id(), "the body says nothing of when the backfill begins; write {\"from\":\"2026-03-04T05:06:07Z\"}")
	case in.Reached != 0:
		return nil, fault.New("", fault.InvalidArgument, c.id(), "how far a backfill has come (reached) is in answers only")
	case in.To == 0:
		in.To = rest.Time(c.options.Now().UnixMilli())
	}
	return scheduled(c.durable.BackfillSchedule(c.r.Context(), c.id(), int64(in.From), int64(in.To), in.Overlap))
}

func (c *restCall) deleteSchedule() (*reply, error) {
	if err := c.durable.DeleteSchedule(c.r.Context(), c.id()); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}
