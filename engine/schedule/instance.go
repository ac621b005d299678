package schedule

import (
	"bytes"
	"strings"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/schedule"
)

// Program is the program of schedules.
type Program struct {
	Starter Starter
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
}

// Faults are the rules a simulation breaks to show that it would notice. Never set outside tests.
type Faults struct {
	ForgetTimes bool // a schedule that comes back from the store does not know which times it has handled
	RepeatTimes bool // with an update the times before it count again
	HastyTimes  bool // a run that takes the place of another does not wait for its end
}

// Creates reports whether op makes a schedule.
func (p *Program) Creates(op uint8) bool { return op == OpCreate }

// New returns a schedule that waits for its OpCreate.
func (p *Program) New() partition.Instance { return &Schedule{program: p} }

// Decode implements partition.Program. The schedule aliases data.
func (p *Program) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	s := &Schedule{program: p}
	err := s.decode(data)
	if p.Faults.ForgetTimes && err == nil {
		s.plan(s.created)
	}
	return s, err
}

// Schedule is one schedule. All times are in Unix milliseconds.
type Schedule struct {
	program  *Program
	calendar *schedule.Calendar // of def and seed

	id               string
	def              definition
	seed             uint64
	created, updated int64
	paused           bool
	note             string
	left             int64 // starts that are not promised to a time; -1: any number
	since            int64 // of the last change of the calendar: nominal times up to here do not count
	next             planned
	timer            timer
	counts           Counts
	manuals          uint64 // triggers and backfills so far: their runs' ids have it
	waiting          []Run
	running          []running
	recent           []Run
	backfills        []backfill
}

// planned is the first nominal time that has not been handled.
type planned struct {
	armed         bool // false: there is none, or the schedule is paused
	nominal, fire int64
}

// timer is the last one that was set, and whether it is still armed.
type timer struct {
	armed bool
	id    uint64
	due   int64
}

// running is a run that has been started and has not ended.
type running struct {
	Run
	kind, name  string // of the target it was started for
	terminating bool
}

// backfill is a stretch of the past to be run.
type backfill struct {
	number   uint64
	from, to int64 // nominal times, both inclusive
	reached  int64 // those up to here have been started
	overlap  schedule.Overlap
}

// Receive implements partition.Instance.
func (s *Schedule) Receive(env *partition.Env, ev *partition.Event) {
	if env.Created {
		if err := s.create(env, ev.Body); err != nil {
			env.Discard()
			env.Reply(err)
			return
		}
		env.Reply(s.View())
	} else {
		if ev.Kind == partition.Due && ev.ID == s.timer.id {
			s.timer.armed = false
		}
		s.advance(env) // a message finds the schedule as it is at its time
		if ev.Kind == partition.Message && s.message(env, ev) {
			return
		}
	}
	if s.advance(env) {
		env.Continue()
	} else {
		s.setTimer(env)
	}
	env.List(partition.Summary{Group: Group, Status: uint8(s.status()), Time: s.created})
}

// setTimer arms the timer for the next time, and no other.
func (s *Schedule) setTimer(env *partition.Env) {
	if s.timer.armed && s.next.armed && s.timer.due == s.next.fire {
		return
	}
	if s.timer.armed {
		env.CancelTimer(s.timer.id)
		s.timer.armed = false
	}
	if s.next.armed {
		s.timer = timer{armed: true, id: s.timer.id + 1, due: s.next.fire}
		env.SetTimer(s.timer.id, s.timer.due)
	}
}

// message does what a message says and answers it. It reports true if the schedule is gone.
func (s *Schedule) message(env *partition.Env, ev *partition.Event) (removed bool) {
	var err error
	switch ev.Op {
	case OpCreate:
		err = s.createAgain(ev.Body)
	case OpUpdate:
		err = s.update(env.Now, ev.Body)
	case OpPause:
		s.pause(string(ev.Body))
	case OpResume:
		s.resume(env.Now, string(ev.Body))
	case OpTrigger:
		s.trigger(env, ev.Body)
		return false
	case OpBackfill:
		err = s.addBackfill(env.Now, ev.Body)
	case OpDelete:
		env.Remove()
		removed = true
	case OpEnded:
		err = s.ended(env.Now, ev.Body)
	case OpZone:
		err = s.rezone(env.Now, ev.Body)
	}
	switch {
	case !env.HasClient():
	case err != nil:
		env.Reply(err)
	default:
		env.Reply(s.View())
	}
	return removed
}

// errBody is the error for a body that nobody of ours has written.
func (s *Schedule) errBody(err error) error {
	return fault.New("schedule", fault.Internal, s.id, "message does not decode: %w", err)
}

// readDefinition reads the body of OpCreate and OpUpdate.
func readDefinition(body []byte) (d definition, seed uint64, err error) {
	r := wire.NewReader(body)
	d.read(r)
	seed = r.Uint()
	return d, seed, r.Err()
}

func (s *Schedule) create(env *partition.Env, body []byte) (err error) {
	s.id = strings.TrimPrefix(env.Name, instancePrefix)
	if s.def, s.seed, err = readDefinition(body); err != nil {
		return s.errBody(err)
	}
	if s.calendar, err = schedule.Compile(s.def.spec, s.def.zone, s.seed); err != nil {
		return err
	}
	s.created, s.updated = env.Now, env.Now
	s.paused = s.def.spec.Paused
	s.left = starts(&s.def.spec)
	s.plan(env.Now)
	return nil
}

// starts returns how many runs a Spec allows; -1: any number.
func starts(spec *schedule.Spec) int64 {
	if spec.Remaining == 0 {
		return -1
	}
	return int64(spec.Remaining)
}

func (d *definition) sameTarget(other *definition) bool {
	return d.target.Kind == other.target.Kind && d.target.Name == other.target.Name && bytes.Equal(d.target.Input, other.target.Input)
}

// createAgain answers a second OpCreate: well, if it says the same.
func (s *Schedule) createAgain(body []byte) error {
	d, _, err := readDefinition(body)
	if err != nil {
		return s.errBody(err)
	}
	if !bytes.Equal(d.text, s.def.text) || !d.sameTarget(&s.def) {
		return fault.New("schedule", fault.Conflict, s.id, "there is another schedule with this id; update it, or delete it first")
	}
	return nil
}

func (s *Schedule) update(now int64, body []byte) error {
	d, _, err := readDefinition(body)
	if err != nil {
		return s.errBody(err)
	}
	sameTimes := bytes.Equal(d.text, s.def.text) && d.zone.Equal(s.def.zone)
	if sameTimes && d.sameTarget(&s.def) {
		return nil
	}
	if !sameTimes {
		calendar, err := schedule.Compile(d.spec, d.zone, s.seed)
		if err != nil {
			return err
		}
		s.calendar = calendar
		if d.spec.Remaining != s.def.spec.Remaining {
			s.left = starts(&d.spec)
		}
	}
	s.def, s.updated = d, now
	if !sameTimes {
		s.replan(now)
	}
	return nil
}

// rezone takes new rules of the same time zone.
func (s *Schedule) rezone(now int64, body []byte) error {
	zone, err := schedule.DecodeZone(body)
	if err != nil {
		return s.errBody(err)
	}
	if zone.Name() != s.def.zone.Name() {
		return fault.New("schedule", fault.Conflict, s.id, "these are the rules of %s; the schedule's zone is %s", zone.Name(), s.def.zone.Name())
	}
	if zone.Equal(s.def.zone) {
		return nil
	}
	calendar, err := schedule.Compile(s.def.spec, zone, s.seed)
	if err != nil {
		return err
	}
	s.calendar, s.def.zone = calendar, zone
	s.replan(now)
	return nil
}

// cut bounds a note.
func cut(note string) string {
	return strings.ToValidUTF8(note[:min(len(note), limits.ScheduleNoteChars)], "")
}

func (s *Schedule) pause(note string) {
	s.paused, s.note = true, cut(note)
	s.next = planned{}
}

func (s *Schedule) resume(now int64, note string) {
	s.note = cut(note)
	if s.paused {
		s.paused = false
		s.plan(now)
	}
}
