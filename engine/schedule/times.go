package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/schedule"
)

// plan finds the first time after a nominal one that counts.
func (s *Schedule) plan(after int64) {
	s.next = planned{}
	if s.paused || s.left == 0 {
		return
	}
	nominal, fire, ok := s.calendar.Next(time.UnixMilli(max(after, s.since)))
	if ok {
		s.next = planned{armed: true, nominal: nominal.UnixMilli(), fire: fire.UnixMilli()}
	}
}

// replan plans anew when the calendar has changed: what counts is later than now, and the time that has come already and
// only waits for its jitter.
func (s *Schedule) replan(now int64) {
	if s.program.Faults.RepeatTimes {
		s.plan(s.created)
		return
	}
	s.since = now
	if !s.next.armed || s.next.nominal > now {
		s.plan(now)
	}
}

// advance does what can be done now, limits.ScheduleTimesPerStep things at most, and reports whether there is more.
func (s *Schedule) advance(env *partition.Env) (more bool) {
	for range limits.ScheduleTimesPerStep {
		if !s.startWaiting(env) && !s.handleTime(env) && !s.startBackfill(env) {
			return false
		}
	}
	return true
}

// startWaiting starts the first run that waits, if it need not wait any more.
func (s *Schedule) startWaiting(env *partition.Env) bool {
	if len(s.running) > 0 {
		return false
	}
	i := slices.IndexFunc(s.waiting, func(r Run) bool { return r.Manual || !s.paused })
	if i < 0 {
		return false
	}
	r := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.start(env, r)
	return true
}

// handleTime decides what becomes of the next time, if it has come.
func (s *Schedule) handleTime(env *partition.Env) bool {
	t := s.next
	if !t.armed || t.fire > env.Now {
		return false
	}
	s.plan(t.nominal)
	policy := s.def.spec.Policy()
	switch {
	case env.Now-t.fire > s.def.spec.Window().Milliseconds():
		s.counts.Missed++
	case policy == schedule.CancelOther && s.next.armed && s.next.fire <= env.Now:
		s.counts.Skipped++ // the time after it has come too and would terminate it at once
	case s.offer(env, Run{ID: RunID(s.id, t.nominal), Nominal: t.nominal}, policy) == passed:
		s.counts.Skipped++
	}
	return true
}

// outcome is what became of a run that was offered.
type outcome uint8

const (
	passed outcome = iota
	waits
	started
)

// offer starts a run, lets it wait or lets it pass, as a policy says.
func (s *Schedule) offer(env *partition.Env, r Run, policy schedule.Overlap) outcome {
	busy := len(s.running) > 0
	switch {
	case !busy, policy == schedule.AllowAll && len(s.running) < limits.ScheduleRunning:
		s.promise(r)
		s.start(env, r)
		return started
	case policy == schedule.BufferOne && len(s.waiting) == 0,
		policy == schedule.BufferAll && len(s.waiting) < limits.ScheduleBuffered:
		s.promise(r)
		s.waiting = append(s.waiting, r)
		return waits
	case policy == schedule.CancelOther:
		s.dropWaiting(env.Now)
		s.terminate(env)
		s.promise(r)
		if s.program.Faults.HastyTimes {
			s.start(env, r)
			return started
		}
		s.waiting = append(s.waiting, r)
		return waits
	}
	return passed
}

// promise takes one of the starts that are left for a time that starts or waits. With the last one the calendar ends.
func (s *Schedule) promise(r Run) {
	if r.Manual || s.left < 0 {
		return
	}
	if s.left--; s.left == 0 {
		s.next = planned{}
	}
}

// dropWaiting drops the runs that wait. Times among them are skipped and give back what was promised.
func (s *Schedule) dropWaiting(now int64) {
	for _, r := range s.waiting {
		if r.Manual {
			continue
		}
		s.counts.Skipped++
		if s.left >= 0 {
			s.left++
		}
	}
	s.waiting = nil
	if !s.next.armed {
		s.plan(now) // for what was given back, if the calendar had ended
	}
}

// terminate stops what runs. A run goes on to count as running until it says that it has ended.
func (s *Schedule) terminate(env *partition.Env) {
	for i := range s.running {
		r := &s.running[i]
		if r.terminating {
			continue
		}
		r.terminating = true
		m := s.program.Starter.Terminate(Target{Kind: r.kind, Name: r.name}, r.ID, "another run of the schedule "+s.id+" is due, and its overlap policy is cancelOther")
		env.Send(m.To, m.Program, m.Op, m.Body)
	}
}

// start starts a run.
func (s *Schedule) start(env *partition.Env, r Run) {
	r.Started = env.Now
	target := s.def.target
	s.running = append(s.running, running{Run: r, kind: target.Kind, name: target.Name})
	m := s.program.Starter.Start(&Start{Schedule: env.Name, Run: r.ID, Nominal: r.Nominal, Seed: s.runSeed(r.ID), Target: target})
	env.Send(m.To, m.Program, m.Op, m.Body)
	if r.Manual {
		s.counts.Manual++
		return
	}
	s.counts.Started++
}

// runSeed derives the seed of a run, one way: tokens of a run give its seed away, and must not give away the others'.
func (s *Schedule) runSeed(run string) uint64 {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, s.seed), run...))
	return binary.BigEndian.Uint64(sum[:])
}

// trigger starts a run for somebody who asks.
func (s *Schedule) trigger(env *partition.Env, body []byte) {
	policy := schedule.Overlap(wire.NewReader(body).Byte())
	if policy == 0 {
		policy = s.def.spec.Policy()
	}
	s.manuals++
	r := Run{ID: fmt.Sprintf("%s-t%d", RunID(s.id, env.Now), s.manuals), Nominal: env.Now, Manual: true}
	switch s.offer(env, r, policy) {
	case passed:
		env.Reply(fault.New("schedule", fault.Conflict, s.id,
			"%d of its runs are running and %d wait, and the overlap policy is %s; wait, or trigger with another policy", len(s.running), len(s.waiting), policy))
	case waits:
		env.Reply(&Triggered{View: s.View(), Run: r.ID, Waits: true})
	case started:
		env.Reply(&Triggered{View: s.View(), Run: r.ID})
	}
}

// addBackfill takes a stretch of the past to be run. One that is not done yet is not taken twice.
func (s *Schedule) addBackfill(now int64, body []byte) error {
	r := wire.NewReader(body)
	b := backfill{from: r.Int(), to: r.Int(), overlap: schedule.Overlap(r.Byte())}
	if err := r.Err(); err != nil {
		return s.errBody(err)
	}
	if b.overlap == 0 {
		b.overlap = schedule.BufferAll
	}
	switch {
	case b.from > b.to || b.to > now:
		return fault.New("schedule", fault.InvalidArgument, s.id, "a backfill goes from a time to the same or a later one, and not beyond now")
	case b.overlap != schedule.BufferAll && b.overlap != schedule.AllowAll:
		return fault.New("schedule", fault.InvalidArgument, s.id, "a backfill runs its times one after the other (bufferAll) or at once (allowAll), not %s", b.overlap)
	case slices.ContainsFunc(s.backfills, func(o backfill) bool { return o.from == b.from && o.to == b.to && o.overlap == b.overlap }):
		return nil
	case len(s.backfills) >= limits.ScheduleBackfills:
		return fault.New("schedule", fault.LimitExceeded, s.id, "%d backfills wait, which is the most; try again when one is done", limits.ScheduleBackfills)
	}
	s.manuals++
	b.number, b.reached = s.manuals, b.from-1
	s.backfills = append(s.backfills, b)
	return nil
}

// startBackfill starts the next run of the first backfill, or ends the backfill.
func (s *Schedule) startBackfill(env *partition.Env) bool {
	if len(s.backfills) == 0 {
		return false
	}
	b := &s.backfills[0]
	if n := len(s.running); n > 0 && b.overlap != schedule.AllowAll || n >= limits.ScheduleRunning {
		return false
	}
	at, _, ok := s.calendar.Next(time.UnixMilli(b.reached))
	nominal := at.UnixMilli()
	if !ok || nominal > b.to {
		s.backfills = slices.Delete(s.backfills, 0, 1)
		return true
	}
	b.reached = nominal
	s.start(env, Run{ID: fmt.Sprintf("%s-b%d", RunID(s.id, nominal), b.number), Nominal: nominal, Manual: true})
	return true
}

// ended takes the end of a run. One that the schedule does not know was started by another of its id.
func (s *Schedule) ended(now int64, body []byte) error {
	in := wire.NewReader(body)
	m := EndedMessage{Run: in.String(), Status: in.Byte(), Failed: in.Bool()}
	if err := in.Err(); err != nil {
		return s.errBody(err)
	}
	i := slices.IndexFunc(s.running, func(r running) bool { return r.ID == m.Run })
	if i < 0 {
		return nil
	}
	r := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	r.Ended, r.Status, r.Failed = now, m.Status, m.Failed
	if len(s.recent) == limits.ScheduleRecent {
		s.recent = slices.Delete(s.recent, 0, 1)
	}
	s.recent = append(s.recent, r.Run)
	if m.Failed && !r.terminating && s.def.spec.PauseOnFailure && !s.paused {
		s.pause("the run " + r.ID + " failed; resume the schedule when that is mended")
	}
	return nil
}
