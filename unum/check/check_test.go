package check

import (
	"testing"
)

func TestExplore(t *testing.T) {
	for _, c := range Cases(false) {
		t.Run(c.Name, func(t *testing.T) {
			r := Explore(c, 1_000_000)
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
			t.Logf("caught in %s by %d lines:\n%s", c.Name, len(r.Trace), r)
		})
	}
}

// TestWalk takes random programs through random histories.
func TestWalk(t *testing.T) {
	t.Parallel()
	steps := 0
	for seed := range uint64(2000) {
		r := Walk(Random(seed), seed)
		if steps += r.Transitions; r.Broken != nil {
			t.Fatalf("seed %d: %+v\n%s", seed, Random(seed), r)
		}
	}
	t.Log(steps, "steps")
}
