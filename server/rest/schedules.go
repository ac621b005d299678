package rest

import (
	"encoding/json"
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/schedule"
)

// DefineSchedule is the body of PUT /v1/schedules/{id}: what the schedule starts and when. It replaces all of what was there.
type DefineSchedule struct {
	Workflow string          `json:"workflow"`
	Version  string          `json:"version,omitempty"`
	Input    json.RawMessage `json:"input,omitempty"` // of every run; default: null
	Spec     schedule.Spec   `json:"spec"`
}

// Schedule is a schedule: what it starts, when, and what has become of that.
type Schedule struct {
	ID        string          `json:"id"`
	Workflow  string          `json:"workflow"`
	Version   string          `json:"version,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	Spec      schedule.Spec   `json:"spec"`   // as defined; whether it is paused now is in status
	Status    string          `json:"status"` // ACTIVE, PAUSED, or FINISHED: no time is left, and nothing runs or waits
	Note      string          `json:"note,omitempty"`
	Created   Time            `json:"created"`
	Updated   Time            `json:"updated"`             // when the definition was changed
	Remaining *int64          `json:"remaining,omitempty"` // starts left; absent: any number
	Counts    ScheduleCounts  `json:"counts"`
	Next      []ScheduleTime  `json:"next,omitempty"`      // the next 5 at most; none while it is paused
	Running   []ScheduleRun   `json:"running,omitempty"`   // in order of start
	Waiting   []ScheduleRun   `json:"waiting,omitempty"`   // in the order in which they will start
	Recent    []ScheduleRun   `json:"recent,omitempty"`    // the last 10 that ended, oldest first
	Backfills []Backfill      `json:"backfills,omitempty"` // that are not done
}

// ScheduleCounts say what has become of the times of a schedule so far, and how many of its runs are open now.
type ScheduleCounts struct {
	Started uint64 `json:"started"` // times whose runs were started
	Skipped uint64 `json:"skipped"` // times that the overlap policy or a bound left out
	Missed  uint64 `json:"missed"`  // times handled later than the catch-up window
	Manual  uint64 `json:"manual"`  // runs started by trigger and backfill
	Running int    `json:"running"`
	Waiting int    `json:"waiting"`
}

// ScheduleTime is a time to come.
type ScheduleTime struct {
	Nominal Time `json:"nominal"` // of the calendar
	Fire    Time `json:"fire"`    // when the run is to begin: nominal and the jitter
}

// ScheduleRun is a run of a schedule.
type ScheduleRun struct {
	ID      string `json:"id"`
	Nominal Time   `json:"nominal"`          // the time it is for
	Manual  bool   `json:"manual,omitempty"` // by trigger or backfill
	Started Time   `json:"started,omitzero"` // absent: it waits
	Ended   Time   `json:"ended,omitzero"`
	Status  string `json:"status,omitempty"` // of one that has ended; absent: it could not start, as there is another run with its id
	Failed  bool   `json:"failed,omitempty"`
}

// Schedules is a page of schedules, newest first. Schedules in lists have no input, runs or backfills.
type Schedules struct {
	Schedules []Schedule `json:"schedules"`
	Cursor    string     `json:"cursor,omitempty"`
}

// Note is the body of pausing and resuming a schedule: a text to keep with it.
type Note struct {
	Note string `json:"note,omitempty"`
}

// Trigger is the body of POST /v1/schedules/{id}/trigger.
type Trigger struct {
	Overlap schedule.Overlap `json:"overlap,omitzero"` // default: the schedule's own
}

// Triggered says which run a trigger starts.
type Triggered struct {
	Run   string `json:"run"`   // its id
	Waits bool   `json:"waits"` // it starts when others have ended
}

// Backfill is the body of POST /v1/schedules/{id}/backfill: the nominal times to run, both bounds inclusive.
type Backfill struct {
	From    Time             `json:"from"`
	To      Time             `json:"to,omitzero"`      // default: now
	Reached Time             `json:"reached,omitzero"` // in answers: those up to here have been started
	Overlap schedule.Overlap `json:"overlap,omitzero"` // bufferAll (the default): one after the other; allowAll: at once
}

// ScheduleOf returns a schedule as JSON has it.
func ScheduleOf(v *engine.ScheduleView) Schedule {
	s := ScheduleInList(v)
	s.Input = v.Target.Input
	s.Running, s.Waiting, s.Recent = scheduleRuns(v.Running), scheduleRuns(v.Waiting), scheduleRuns(v.Recent)
	for _, b := range v.Backfills {
		backfill := Backfill{From: Time(b.From), To: Time(b.To), Overlap: b.Overlap}
		if b.Reached >= b.From {
			backfill.Reached = Time(b.Reached)
		}
		s.Backfills = append(s.Backfills, backfill)
	}
	return s
}

// ScheduleInList returns a schedule as lists have it.
func ScheduleInList(v *engine.ScheduleView) Schedule {
	s := Schedule{
		ID: v.ID, Spec: v.Spec, Status: strings.ToUpper(v.Status.String()), Note: v.Note, Created: Time(v.Created), Updated: Time(v.Updated),
		Counts: ScheduleCounts{
			Started: v.Counts.Started, Skipped: v.Counts.Skipped, Missed: v.Counts.Missed, Manual: v.Counts.Manual,
			Running: len(v.Running), Waiting: len(v.Waiting),
		},
	}
	s.Workflow, s.Version = engine.TargetWorkflow(v.Target)
	if v.Remaining >= 0 {
		s.Remaining = &v.Remaining
	}
	for _, t := range v.Next {
		s.Next = append(s.Next, ScheduleTime{Nominal: Time(t.Nominal), Fire: Time(t.Fire)})
	}
	return s
}

func scheduleRuns(runs []schedules.Run) (list []ScheduleRun) {
	for _, r := range runs {
		run := ScheduleRun{ID: r.ID, Nominal: Time(r.Nominal), Manual: r.Manual, Started: Time(r.Started), Ended: Time(r.Ended), Failed: r.Failed}
		if r.Status != 0 {
			run.Status = durable.Status(r.Status).String()
		}
		list = append(list, run)
	}
	return list
}
