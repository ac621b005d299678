package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/lane"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
	"github.com/weftworks/weft/sim"
)

// keeper is who cares for one schedule.
type keeper struct {
	id   string
	seed uint64
	runs *client // stands for each of its runs
	spec schedule.Spec

	asking    int
	made      bool // it was acknowledged
	deleted   bool // somebody wants it gone, so that it may be
	closed    bool // its calendar has ended
	resumed   bool // after that
	seen      []*schedules.View
	triggered []string // runs that it promised
	limit     int      // of wishes that make runs
}

// scheduledKinds are the workflows that schedules start: those that need no client.
var scheduledKinds = []string{"transfer", "errand", "relay", "reminder", "audit"}

func (b *Workload) newKeeper() *keeper {
	k := &keeper{id: "every" + strconv.Itoa(len(b.keepers)), seed: b.w.Rand.Uint64(), limit: 3}
	name := scheduledKinds[b.w.Rand.IntN(len(scheduledKinds))]
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.workflow == name })
	k.runs = &client{id: k.id, kind: &kinds[i]}
	input, err := json.Marshal(kinds[i].input(b, k.runs))
	if err != nil {
		b.w.Fail("input: %w", err)
	}
	k.runs.input = input
	k.spec = b.spec(k)
	return k
}

// spec draws when a schedule fires.
func (b *Workload) spec(k *keeper) schedule.Spec {
	r := b.w.Rand
	s := schedule.Spec{Overlap: schedule.Overlap(r.IntN(int(schedule.AllowAll) + 1)), PauseOnFailure: r.IntN(8) == 0, Paused: r.IntN(8) == 0}
	switch r.IntN(3) {
	case 0:
		s.Cron = []string{[]string{"*/3 * * * * *", "5,6,20-25,50 * * * * *", "* * * * *"}[r.IntN(3)]}
	case 1:
		s.Cron = []string{"@every 6s"}
		s.Every, s.Offset = 4*time.Second, time.Duration(r.IntN(4))*time.Second
	default:
		s.Every = time.Duration(2+r.IntN(6)) * time.Second
	}
	if r.IntN(2) == 0 {
		s.CatchUp = 10 * time.Second
	}
	if r.IntN(3) == 0 {
		s.Jitter = time.Duration(1+r.IntN(5)) * time.Second
	}
	if r.IntN(4) == 0 {
		s.Remaining = 1 + r.IntN(6)
	}
	if s.Overlap == schedule.CancelOther {
		k.runs.stopped = true
	}
	return s
}

// define returns what makes or changes the schedule.
func (b *Workload) define(k *keeper) []byte {
	body, err := schedules.Define(k.id, k.spec, scheduled.Target(k.runs.kind.workflow, "", k.runs.input), k.seed)
	if err != nil {
		b.w.Fail("schedule %s: %w", k.id, err)
	}
	return body
}

// fiddleSchedule does something that clients of schedules do.
func (b *Workload) fiddleSchedule(k *keeper) {
	if k.asking > 2 || (!k.made && k.asking > 0) {
		return
	}
	r := b.w.Rand
	switch p := r.IntN(20); {
	case !k.made || (k.deleted && p == 0):
		b.askSchedule(k, schedules.OpCreate, b.define(k), func(any) { k.made = true })
	case p < 8:
		b.lookAtSchedule(k)
	case p < 10:
		k.spec = b.spec(k)
		b.askSchedule(k, schedules.OpUpdate, b.define(k), nil)
	case p < 12:
		b.askSchedule(k, schedules.OpPause, []byte("wait"), nil)
	case p < 16:
		b.askSchedule(k, schedules.OpResume, []byte("go"), nil)
	case p == 19 && r.IntN(4) == 0:
		k.deleted = true
		b.askSchedule(k, schedules.OpDelete, nil, nil)
	case p < 18 && k.limit > 0:
		k.limit--
		m := schedules.TriggerMessage{Overlap: schedule.Overlap(r.IntN(int(schedule.AllowAll) + 1))}
		if m.Overlap == schedule.CancelOther {
			k.runs.stopped = true
		}
		b.askSchedule(k, schedules.OpTrigger, m.Encode(), nil)
	case p == 18 && k.limit > 0:
		k.limit--
		m := schedules.BackfillMessage{From: b.w.Now - int64(r.IntN(20_000)), Overlap: []schedule.Overlap{0, schedule.BufferAll, schedule.AllowAll}[r.IntN(3)]}
		m.To = m.From + int64(r.IntN(10_000))
		b.askSchedule(k, schedules.OpBackfill, m.Encode(), nil)
	}
}

// closeSchedule ends the calendar of a schedule and lets it start what waits.
func (b *Workload) closeSchedule(k *keeper) {
	switch {
	case !k.made && !k.deleted:
		b.askSchedule(k, schedules.OpCreate, b.define(k), func(any) { k.made = true })
	case !k.closed:
		k.spec.End, k.spec.PauseOnFailure, k.spec.Paused = time.UnixMilli(b.w.Now).UTC(), false, false
		b.askSchedule(k, schedules.OpUpdate, b.define(k), func(any) { k.closed = true })
	case !k.resumed:
		b.askSchedule(k, schedules.OpResume, nil, func(any) { k.resumed = true })
	}
}

// askSchedule sends the schedule a message. then hears of what it takes.
func (b *Workload) askSchedule(k *keeper, op uint8, body []byte, then func(any)) {
	b.requestSchedule(k, message(schedules.InstanceName(k.id), schedules.ID, op, body), then)
}

func (b *Workload) requestSchedule(k *keeper, it lane.Item, then func(any)) {
	k.asking++
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(schedules.InstanceName(k.id)), Answer: func(value any, missing bool, err error) {
		if waiting {
			waiting = false
			k.asking--
		}
		if err != nil {
			return
		}
		switch v := value.(type) {
		case *schedules.Triggered:
			k.triggered = append(k.triggered, v.Run)
		case error:
			if !fault.Is(v, fault.Conflict) && !fault.Is(v, fault.InvalidArgument) && !fault.Is(v, fault.LimitExceeded) {
				b.w.Fail("a client of schedule %s was answered %v", k.id, v)
			}
			return
		case nil:
			if k.made && !k.deleted {
				b.w.Fail("schedule %s was acknowledged and is missing", k.id)
			}
			if it.Read != nil {
				return
			}
		}
		b.w.Note(k.id + " answers")
		if then != nil {
			then(value)
		}
	}})
}

// lookAtSchedule reads the schedule.
func (b *Workload) lookAtSchedule(k *keeper) {
	name := schedules.InstanceName(k.id)
	b.requestSchedule(k, lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(name)
		switch {
		case err != nil:
			return err
		case !ok:
			return nil
		}
		if v, in := r.Core().View(ref); in {
			return v.State.(*schedules.Schedule).View()
		}
		rec, ok, err := r.Record(ref)
		if err != nil || !ok {
			return fmt.Errorf("schedule %s has a name and no record: %w", k.id, err)
		}
		v, err := schedules.ReadView(rec.State)
		if err != nil {
			return err
		}
		return v
	}}, func(v any) { k.seen = append(k.seen, v.(*schedules.View)) })
}

// keeper returns whose schedule started a run.
func (b *Workload) keeper(run string) *keeper {
	i := slices.IndexFunc(b.keepers, func(k *keeper) bool { return strings.HasPrefix(run, k.id+"-") })
	if i < 0 {
		return nil
	}
	return b.keepers[i]
}

// scheduledRuns returns a client for each run that a schedule started, as if he had started it and waited for its end.
func (b *Workload) scheduledRuns() (list []*client) {
	for _, id := range slices.Sorted(maps.Keys(b.film.runs)) {
		v := b.film.runs[id]
		if k := b.keeper(id); k != nil && !strings.Contains(id, ":") {
			c := *k.runs
			c.id, c.final = id, v
			list = append(list, &c)
		}
	}
	return list
}
