package partition

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTimersBefore1970 is the defect it was written for: they were stored behind all others and came up last after a
// restart.
func TestTimersBefore1970(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(1))
	s.step(do("a", "timer 1 5000"))
	s.step(do("b", "timer 1 -7\ntimer 2 6000"))
	s.save(0)
	due := s.load().core.Due(nil, 100, 10)
	if len(due) != 1 || due[0].Ref != 2 || due[0].ID != 1 {
		t.Errorf("due are %+v", due)
	}
}

// TestSavedTimers arms and cancels timers of one instance between snapshots and holds that the store has the armed ones.
func TestSavedTimers(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(1))
	armed := map[uint64]bool{}
	next := uint64(0)
	for round := range 30 {
		var script []string
		for range 1 + round%4 {
			next++
			script = append(script, fmt.Sprintf("timer %d %d", next, 1000-next*uint64(7+round)%500))
			armed[next] = true
		}
		for id := range next {
			if (id*31+uint64(round))%5 == 0 && armed[id] {
				script = append(script, fmt.Sprintf("untimer %d", id))
				delete(armed, id)
			}
		}
		s.step(do("a", strings.Join(script, "\n")))
		s.save(round % 2)
		var got []uint64
		for _, ev := range s.load().core.Due(nil, 1<<40, 1000) {
			got = append(got, ev.ID)
		}
		slices.Sort(got)
		var want []uint64
		for id := range armed {
			want = append(want, id)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("after round %d the store has timers %v, armed are %v", round, got, want)
		}
	}
}

// TestLeave holds that an instance nobody waits for any more tells nobody of its end and may leave memory.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(1))
	s.step(do("a", "note x"))
	if !s.core.Await(1) {
		t.Fatal("a does not let wait")
	}
	s.save(0)
	if _, ok := s.core.View(1); !ok {
		t.Error("an instance somebody waits for has left memory")
	}
	s.core.Leave(1)
	s.core.Leave(7) // nobody
	s.step(do("b", "note y"))
	s.save(0)
	if _, ok := s.core.View(1); ok {
		t.Error("an instance nobody waits for stays in memory")
	}
	for _, e := range s.step(do("a", "end")) {
		if e.Kind == Ended {
			t.Errorf("the end is told: %+v", e)
		}
	}
}
