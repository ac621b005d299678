package schedule

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftworks/weft/schedule"
)

// Status is how a schedule is listed. Values are append-only: they are stored.
type Status uint8

// The statuses.
const (
	Active   Status = iota + 1
	Paused          // no time counts
	Finished        // no time is left, and nothing runs or waits
)

// String returns the status as people read it.
func (s Status) String() string {
	switch s {
	case Active:
		return "active"
	case Paused:
		return "paused"
	case Finished:
		return "finished"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Run is a run of a schedule: one that waits, one that runs or one that has ended.
type Run struct {
	ID      string
	Nominal int64 // Unix milliseconds: the time it is for
	Manual  bool  // by OpTrigger or OpBackfill
	Started int64 // Unix milliseconds; 0: it waits
	Ended   int64 // Unix milliseconds; 0: not yet
	Status  uint8 // of the EndedMessage
	Failed  bool
}

// Counts say what has become of the times of a schedule, and of the wishes of people.
type Counts struct {
	Started uint64 // times whose runs were started
	Skipped uint64 // times that overlap or a bound left out
	Missed  uint64 // times handled too late
	Manual  uint64 // runs started by OpTrigger and OpBackfill
}

// Time is a time to come.
type Time struct{ Nominal, Fire int64 } // Unix milliseconds

// Backfill is a backfill that is not done.
type Backfill struct {
	From, To int64 // Unix milliseconds: nominal times, both inclusive
	Reached  int64 // those up to here have been started
	Overlap  schedule.Overlap
}

// View is a schedule as clients see it.
type View struct {
	ID        string
	Spec      schedule.Spec // as defined; whether it is paused now is in Status
	Zone      *schedule.Zone
	Target    Target
	Created   int64 // Unix milliseconds
	Updated   int64
	Status    Status
	Note      string // of the last OpPause or OpResume, or why it paused itself
	Remaining int64  // starts left; -1: any number
	Counts    Counts
	Next      []Time // the next 5 at most
	Running   []Run  // in order of start
	Waiting   []Run  // in the order in which they will start
	Recent    []Run  // the last limits.ScheduleRecent that ended, oldest first
	Backfills []Backfill
}

// upcoming is how many times to come a View has.
const upcoming = 5

// View returns what clients see of the schedule now.
func (s *Schedule) View() *View {
	v := &View{
		ID: s.id, Spec: s.def.spec, Zone: s.def.zone, Target: s.def.target, Created: s.created, Updated: s.updated, Status: s.status(),
		Note: s.note, Remaining: s.left, Counts: s.counts, Next: s.upcoming(), Waiting: slices.Clone(s.waiting), Recent: slices.Clone(s.recent),
	}
	for _, r := range s.running {
		v.Running = append(v.Running, r.Run)
	}
	for _, b := range s.backfills {
		v.Backfills = append(v.Backfills, Backfill{From: b.from, To: b.to, Reached: b.reached, Overlap: b.overlap})
	}
	return v
}

// ReadView decodes what clients see of a schedule from its record's state.
func ReadView(data []byte) (*View, error) {
	var s Schedule
	if err := s.decode(data); err != nil {
		return nil, err
	}
	return s.View(), nil
}

func (s *Schedule) upcoming() (times []Time) {
	if !s.next.armed {
		return nil
	}
	times = append(times, Time{Nominal: s.next.nominal, Fire: s.next.fire})
	for len(times) < upcoming && (s.left < 0 || int64(len(times)) < s.left) {
		after := max(times[len(times)-1].Nominal, s.since)
		nominal, fire, ok := s.calendar.Next(time.UnixMilli(after))
		if !ok {
			break
		}
		times = append(times, Time{Nominal: nominal.UnixMilli(), Fire: fire.UnixMilli()})
	}
	return times
}

func (s *Schedule) status() Status {
	switch {
	case s.paused:
		return Paused
	case !s.next.armed && len(s.running)+len(s.waiting)+len(s.backfills) == 0:
		return Finished
	}
	return Active
}
