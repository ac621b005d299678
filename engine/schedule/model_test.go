package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/schedule"
)

// model says in the simplest words what becomes of the times of a schedule.
type model struct {
	spec      schedule.Spec
	times     []Time // all of them
	handled   int
	left      int64
	running   []string
	waiting   []string
	started   []string // all runs ever, in order
	cancelled map[string]bool
	counts    Counts
}

// pass handles the times that have come by now; each was late by as much as it took until now, or not at all.
func (m *model) pass(now int64, up bool) {
	for m.left != 0 && m.handled < len(m.times) && m.times[m.handled].Fire <= now {
		t := m.times[m.handled]
		m.handled++
		next := m.handled < len(m.times) && m.times[m.handled].Fire <= now
		run, busy := RunID("s", t.Nominal), len(m.running) > 0
		policy := m.spec.Policy()
		switch {
		case !up && now-t.Fire > m.spec.Window().Milliseconds():
			m.counts.Missed++
		case !up && policy == schedule.CancelOther && next:
			m.counts.Skipped++
		case !busy || policy == schedule.AllowAll:
			m.left--
			m.start(run)
		case policy == schedule.BufferAll, policy == schedule.BufferOne && len(m.waiting) == 0:
			m.left--
			m.waiting = append(m.waiting, run)
		case policy == schedule.CancelOther:
			for _, r := range m.running {
				m.cancelled[r] = true
			}
			m.counts.Skipped += uint64(len(m.waiting))
			m.left += int64(len(m.waiting)) - 1
			m.waiting = []string{run}
		default:
			m.counts.Skipped++
		}
	}
}

func (m *model) start(run string) {
	m.counts.Started++
	m.running = append(m.running, run)
	m.started = append(m.started, run)
}

func (m *model) end(run string) {
	m.running = slices.DeleteFunc(m.running, func(r string) bool { return r == run })
	if len(m.running) == 0 && len(m.waiting) > 0 {
		next := m.waiting[0]
		m.waiting = slices.Delete(m.waiting, 0, 1)
		m.start(next)
	}
}

func drawSpec(t *rapid.T) schedule.Spec {
	spec := schedule.Spec{
		Overlap:   schedule.Overlap(rapid.IntRange(0, int(schedule.AllowAll)).Draw(t, "overlap")),
		CatchUp:   rapid.SampledFrom([]time.Duration{0, 10 * time.Second, time.Minute, time.Hour}).Draw(t, "catch up"),
		Jitter:    rapid.SampledFrom([]time.Duration{0, 5 * time.Second, time.Hour}).Draw(t, "jitter"),
		Remaining: rapid.SampledFrom([]int{0, 0, 1, 7, 7}).Draw(t, "remaining"),
	}
	if rapid.Bool().Draw(t, "interval") {
		spec.Every = time.Duration(rapid.Int64Range(5, 90).Draw(t, "every")) * time.Second
	} else {
		spec.Cron = []string{rapid.SampledFrom([]string{"* * * * *", "*/2 * * * *", "*/20 * * * * *", "1,2,30,45 1,2,3 * * *"}).Draw(t, "cron")}
		spec.Zone = rapid.SampledFrom([]string{"", "America/New_York"}).Draw(t, "zone")
	}
	return spec
}

// allTimes returns the times of a spec with the seed of the tests, from one time to another.
func allTimes(t *rapid.T, spec schedule.Spec, from, to int64) (times []Time) {
	zone, err := schedule.LoadZone(spec.Zone)
	if err != nil {
		t.Fatal(err)
	}
	calendar, err := schedule.Compile(spec, zone, 7)
	if err != nil {
		t.Fatal(err)
	}
	for from <= to {
		nominal, fire, ok := calendar.Next(time.UnixMilli(from))
		if !ok {
			break
		}
		from = nominal.UnixMilli()
		times = append(times, Time{Nominal: from, Fire: fire.UnixMilli()})
	}
	return times
}

// TestEveryTimeIsAccountedFor lets nodes go down and up and runs end at random, and compares with the model: every time is
// started once, in order, or skipped or missed for the reason there is. Before and after every event the partition is saved
// and loaded (world), and at the end it is folded again from its log.
func TestEveryTimeIsAccountedFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		w := newWorld("2026-03-08T06:55:00Z") // soon it is three, not two, in New York
		m := &model{spec: spec, left: -1, cancelled: make(map[string]bool), times: allTimes(t, spec, w.now, w.now+10*3600_000)}
		if spec.Remaining > 0 {
			m.left = int64(spec.Remaining)
		}
		var started []string
		cancelled := make(map[string]bool)
		w.onRun = func(op uint8, run string, _ int64) {
			if op == opStart {
				started = append(started, run)
			} else if cancelled[run] {
				t.Fatalf("%s is terminated twice", run)
			} else {
				cancelled[run] = true
			}
		}
		if _, ok := w.define("s", OpCreate, spec).(*View); !ok {
			t.Fatal(w.answer)
		}
		for range rapid.IntRange(1, 25).Draw(t, "actions") {
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0:
				w.run(w.now + rapid.Int64Range(0, 200_000).Draw(t, "up"))
				m.pass(w.now, true)
			case 1:
				w.now += rapid.Int64Range(0, 1200_000).Draw(t, "down")
				w.fire()
				m.pass(w.now, false)
			default:
				if len(m.running) > 0 {
					run := rapid.SampledFrom(m.running).Draw(t, "ended")
					m.end(run)
					w.ended("s", run, 1, rapid.Bool().Draw(t, "failed"))
				}
			}
			check(t, w.view("s"), m, started, cancelled)
		}
		again := partition.New(testConfig())
		for i := range w.log {
			again.Step(&w.log[i])
		}
		if string(again.Dump()) != string(w.plain.Dump()) {
			t.Fatal("folded again the partition is another")
		}
	})
}

// check compares a schedule with the model.
func check(t *rapid.T, v *View, m *model, started []string, cancelled map[string]bool) {
	got := map[string]any{
		"counts": v.Counts, "left": max(v.Remaining, -1), "running": ids(v.Running), "waiting": ids(v.Waiting), "started": fmt.Sprint(started),
		"cancelled": cancelled,
	}
	want := map[string]any{
		"counts": m.counts, "left": max(m.left, -1), "running": fmt.Sprint(m.running), "waiting": fmt.Sprint(m.waiting), "started": fmt.Sprint(m.started),
		"cancelled": m.cancelled,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the model is -, the schedule +\n%s", diff)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(started)))) != len(started) {
		t.Fatalf("a run was started twice: %v", started)
	}
	if m.left != 0 {
		if sum := v.Counts.Started + v.Counts.Skipped + v.Counts.Missed + uint64(len(v.Waiting)); sum != uint64(m.handled) {
			t.Fatalf("%d times have come and %d are accounted for", m.handled, sum)
		}
		if len(v.Next) == 0 || v.Next[0] != m.times[m.handled] {
			t.Fatalf("the next time is %v, want %v", v.Next, m.times[m.handled])
		}
	}
}

func ids(runs []Run) string {
	list := []string(nil)
	for _, r := range runs {
		list = append(list, r.ID)
	}
	return fmt.Sprint(list)
}
