package workflows

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/commitlog"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/schedule"
)

// life is what the checker knows of one schedule, from its creation on, by the calendar alone.
type life struct {
	id       string
	seed     uint64
	calendar *schedule.Calendar
	since    int64 // nominal times up to here do not count
	next     schedules.Time
	armed    bool // there is a next one
	handled  map[int64]bool
	started  map[int64]string // by nominal time
	all      []launch
	changed  bool // while there was a backfill: nobody follows them from then on
	// backfills are what was asked for, and is not done if its times are not none.
	backfills []stretch
}

// stretch is a backfill, while its calendar stays what it was.
type stretch struct {
	number string // as the ids of its runs have it; "": it has none yet
	times  []int64
}

// launch is a run that a schedule started.
type launch struct {
	at    commitlog.Position
	run   string
	alone bool // it must not run beside another
}

// checkSchedules holds that every time of every calendar ends in one place, that what was started ran once, that nobody's
// run was beside another's that the policy forbids, and that schedules heard of the end of all of them.
func (b *Workload) checkSchedules() error {
	for _, k := range b.keepers {
		if err := b.checkSchedule(k); err != nil {
			return fmt.Errorf("schedule %s: %w", k.id, err)
		}
	}
	return nil
}

func (b *Workload) checkSchedule(k *keeper) error {
	var l *life
	var lives []*life
	beats := b.film.beats[k.id]
	for i := range beats {
		t := &beats[i]
		if t.created {
			l = &life{id: k.id, seed: k.seed, handled: make(map[int64]bool), started: make(map[int64]string)}
			lives = append(lives, l)
		}
		if err := l.take(t); err != nil {
			return fmt.Errorf("at %s, by message %d: %w", t.at, t.op, err)
		}
	}
	if err := b.checkPromises(k, beats); err != nil {
		return err
	}
	starts := make(map[string]int)
	for _, l := range lives {
		for _, s := range l.all {
			starts[s.run]++
		}
	}
	for _, l := range lives {
		if err := b.checkRuns(l, starts); err != nil {
			return err
		}
	}
	if n := len(beats); n > 0 && beats[n-1].op != schedules.OpDelete {
		for _, s := range l.backfills {
			if len(s.times) > 0 {
				return fmt.Errorf("a backfill was not done: %v are left", s.times)
			}
		}
		return rested(beats[n-1].after)
	}
	return nil
}

// rested holds that a schedule whose calendar has ended has nothing left to do.
func rested(v *schedules.View) error {
	if len(v.Running)+len(v.Waiting)+len(v.Backfills) > 0 {
		return fmt.Errorf("all runs have ended, and it says that %v run and %v wait, with %d backfills", v.Running, v.Waiting, len(v.Backfills))
	}
	if v.Status != schedules.Finished {
		return fmt.Errorf("its calendar has ended, and it is %s", v.Status)
	}
	return nil
}

// places counts where the times of a schedule have ended.
func places(v *schedules.View) int {
	return promised(v) + int(v.Counts.Skipped+v.Counts.Missed)
}

// promised counts the times whose runs were started or wait.
func promised(v *schedules.View) int {
	n := int(v.Counts.Started)
	for _, r := range v.Waiting {
		if !r.Manual {
			n++
		}
	}
	return n
}

// many is how many times may come at once and not all be handled at once.
const many = 200

// take follows one event.
func (l *life) take(t *beat) error {
	var due []schedules.Time
	for now := t.now; l.armed && l.next.Fire <= now; l.plan(l.next.Nominal) {
		due = append(due, l.next)
	}
	n := places(t.after) - places(t.before)
	if spent := t.after.Remaining == 0; n < 0 || n > len(due) || (n < len(due) && !spent && len(due) < many) {
		return fmt.Errorf("%d times of its calendar have come, and %d ended somewhere", len(due), n)
	} else if n < len(due) && !spent {
		l.next, l.armed = due[n], true
	}
	missed := 0
	for _, d := range due[:n] {
		l.handled[d.Nominal] = true
		if t.now-d.Fire > t.before.Spec.Window().Milliseconds() {
			missed++
		}
	}
	if got := int(t.after.Counts.Missed - t.before.Counts.Missed); got != missed {
		return fmt.Errorf("%d times came too late, and %d count as missed", missed, got)
	}
	if left := int(t.before.Remaining) - (promised(t.after) - promised(t.before)); t.before.Remaining >= 0 && !t.created &&
		t.before.Spec.Remaining == t.after.Spec.Remaining && left != int(t.after.Remaining) {
		return fmt.Errorf("%d starts are left and it has %d", left, t.after.Remaining)
	}
	l.wish(t)
	if err := l.launch(t); err != nil {
		return err
	}
	if err := l.change(t); err != nil {
		return err
	}
	return l.agree(t.after)
}

// launch takes down what was started.
func (l *life) launch(t *beat) error {
	for _, s := range t.starts {
		l.all = append(l.all, launch{t.at, s.Run, t.forbids(s.Run)})
		switch {
		case strings.Contains(s.Run, "Z-b"):
			if err := l.progress(s.Run, s.Nominal); err != nil {
				return err
			}
			continue
		case s.Run != schedules.RunID(l.id, s.Nominal):
			continue // triggered
		case !l.handled[s.Nominal]:
			return fmt.Errorf("%s was started, which is no time of its calendar", s.Run)
		case l.started[s.Nominal] != "":
			return fmt.Errorf("%s was started twice", s.Run)
		}
		l.started[s.Nominal] = s.Run
	}
	return nil
}

// wish takes down a backfill that was asked for and not refused.
func (l *life) wish(t *beat) {
	if t.op != schedules.OpBackfill || t.created || l.changed {
		return
	}
	in := wire.NewReader(t.body)
	m := schedules.BackfillMessage{From: in.Int(), To: in.Int(), Overlap: schedule.Overlap(in.Byte())}
	if m.Overlap == 0 {
		m.Overlap = schedule.BufferAll
	}
	same := func(f schedules.Backfill) bool { return f.From == m.From && f.To == m.To && f.Overlap == m.Overlap }
	if m.From > m.To || m.To > t.now || slices.ContainsFunc(t.before.Backfills, same) {
		return
	}
	var s stretch
	for at := m.From - 1; ; {
		nominal, _, ok := l.calendar.Next(time.UnixMilli(at))
		if at = nominal.UnixMilli(); !ok || at > m.To {
			break
		}
		s.times = append(s.times, at)
	}
	l.backfills = append(l.backfills, s)
}

// progress takes the next time of a backfill.
func (l *life) progress(run string, nominal int64) error {
	if l.changed {
		return nil
	}
	_, number, _ := strings.Cut(run, "Z-b")
	i := slices.IndexFunc(l.backfills, func(s stretch) bool { return s.number == number })
	if i < 0 {
		i = slices.IndexFunc(l.backfills, func(s stretch) bool { return s.number == "" && len(s.times) > 0 })
	}
	if i < 0 {
		return fmt.Errorf("%s was started by a backfill that nobody asked for", run)
	}
	s := &l.backfills[i]
	if s.number = number; len(s.times) == 0 || s.times[0] != nominal {
		return fmt.Errorf("%s was started, and its backfill still has %v", run, s.times)
	}
	s.times = s.times[1:]
	return nil
}

// forbids reports whether a run that was started here must be alone.
func (t *beat) forbids(run string) bool {
	if t.before.Spec.Overlap == schedule.AllowAll || t.after.Spec.Overlap == schedule.AllowAll {
		return false
	}
	if t.op == schedules.OpTrigger && schedule.Overlap(t.body[0]) == schedule.AllowAll {
		return false
	}
	if !strings.Contains(run, "Z-b") {
		return true
	}
	for _, f := range append(t.before.Backfills, t.after.Backfills...) {
		if f.Overlap == schedule.AllowAll {
			return false
		}
	}
	return t.op != schedules.OpBackfill
}

// change follows what a message changes of the calendar.
func (l *life) change(t *beat) (err error) {
	was, is := t.before.Status == schedules.Paused, t.after.Status == schedules.Paused
	switch {
	case t.created || !reflect.DeepEqual(t.before.Spec, t.after.Spec):
		zone, err := schedule.LoadZone("")
		if err != nil {
			return err
		}
		if l.calendar, err = schedule.Compile(t.after.Spec, zone, l.seed); err != nil {
			return err
		}
		l.since = t.now
		if !t.created { // what backfills are still to do hangs on the new calendar
			l.backfills, l.changed = nil, l.changed || len(t.after.Backfills) > 0
		}
		if !l.armed || l.next.Nominal > t.now {
			l.plan(t.now)
		}
	case was && !is, t.before.Remaining == 0 && t.after.Remaining != 0:
		l.plan(t.now)
	}
	if is || t.after.Remaining == 0 {
		l.armed = false
	}
	return nil
}

// plan finds the time after a nominal one.
func (l *life) plan(after int64) {
	nominal, fire, ok := l.calendar.Next(time.UnixMilli(max(after, l.since)))
	l.next, l.armed = schedules.Time{Nominal: nominal.UnixMilli(), Fire: fire.UnixMilli()}, ok
}

// agree holds that the schedule waits for the time that is next.
func (l *life) agree(v *schedules.View) error {
	if l.armed != (len(v.Next) > 0) || (l.armed && v.Next[0] != l.next) {
		return fmt.Errorf("the next time is %v (%t), and it waits for %v", l.next, l.armed, v.Next)
	}
	return nil
}

// checkRuns holds that what was started came to life, once, and alone where it must.
func (b *Workload) checkRuns(l *life, starts map[string]int) error {
	var open []span
	for _, s := range l.all {
		spans := b.film.spans[s.run]
		if len(spans) != 1 {
			return fmt.Errorf("%s was started, and lived %d times", s.run, len(spans))
		}
		if starts[s.run] > 1 {
			continue // by an earlier schedule of the same id, whose run may have gone on
		}
		for _, o := range open {
			if s.alone && o.ended >= spans[0].born {
				return fmt.Errorf("%s began at %s, when a run that ended at %s was still running", s.run, spans[0].born, o.ended)
			}
		}
		open = append(open, spans[0])
	}
	return nil
}

// checkPromises holds that clients saw only what was, and that runs which they were promised were started or dropped.
func (b *Workload) checkPromises(k *keeper, beats []beat) error {
	if k.made && len(beats) == 0 {
		return fmt.Errorf("it was acknowledged and never was")
	}
	was := make(map[string]bool)
	known := make(map[string]bool)
	for i := range beats {
		v := beats[i].after
		was[picture(v)] = true
		for _, list := range [][]schedules.Run{v.Running, v.Waiting, v.Recent} {
			for _, r := range list {
				known[r.ID] = true
			}
		}
	}
	for _, v := range k.seen {
		if !was[picture(v)] {
			return fmt.Errorf("a client saw %s, which never was", picture(v))
		}
	}
	for _, run := range k.triggered {
		if !known[run] {
			return fmt.Errorf("a client was promised %s, which never was", run)
		}
	}
	return nil
}

// picture writes what a client sees of a schedule.
func picture(v *schedules.View) string {
	s := *v
	s.Zone = nil
	return fmt.Sprintf("%+v", s)
}
