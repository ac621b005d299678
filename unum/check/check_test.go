package check

import (
	"testing"
)

func TestExplore(t *testing.T) {
	t.Parallel()
	for _, c := range append(Cases(false), Five(false)...) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := Search(c, 1_000_000)
			t.Log(r)
			if r.Broken != nil || !r.Complete {
				t.Fail()
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	cases := map[string]Case{}
	for _, c := range Cases(false) {
		cases[c.Name] = c
	}
	for i := range Mistakes {
		m := &Mistakes[i]
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			c, ok := cases[m.Case]
			if !ok {
				t.Fatalf("there is no case %q", m.Case)
			}
			c.Mistake = m
			r := Explore(c, 200_000)
			if r.Broken == nil {
				t.Fatal("not caught:", r)
			}
			if reduced := Search(c, 100_000); reduced.Broken == nil {
				t.Fatal("not caught by the reduced search:", reduced)
			}
			t.Logf("caught in %s by %d lines:\n%s", c.Name, len(r.Trace), r)
		})
	}
}

// graveyard has the seeds that have found something, however rare.
var graveyard = []uint64{17, 172, 305, 3348, 3977, 6419, 16234}

// TestWalk takes random programs through random histories.
func TestWalk(t *testing.T) {
	t.Parallel()
	seeds := graveyard
	for seed := range uint64(600) {
		seeds = append(seeds, seed)
	}
	steps := 0
	for _, seed := range seeds {
		r := Walk(Random(seed), seed)
		if steps += r.Transitions; r.Broken != nil {
			t.Fatalf("seed %d: %+v\n%s", seed, Random(seed), r)
		}
	}
	t.Log(steps, "steps")
}
