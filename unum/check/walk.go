package check

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// maxSteps bounds a random history: far more than any takes that ends.
const maxSteps = 100_000

// Walk follows one history of a case at random.
func Walk(c Case, seed uint64) *Report {
	began := time.Now()
	rnd := rand.New(rand.NewPCG(seed, 1))
	m, w := newModel(c)
	first := w
	r := &Report{}
	var taken []step
	for r.Broken == nil && !r.Complete {
		s, ok := m.pick(w, rnd)
		if !ok {
			r.Ends, r.Complete = 1, true
			r.Broken = m.checkEnd(w)
			break
		}
		taken = append(taken, s)
		if w, r.Broken = m.take(w, s, nil); len(taken) > maxSteps && r.Broken == nil {
			r.Broken = fmt.Errorf("the run comes to no end")
		}
	}
	r.Transitions, r.Nodes, r.Elapsed = len(taken), int(m.nodes), time.Since(began)
	if r.Broken != nil {
		r.Complete = false
		r.Trace = m.tell(first, taken)
	}
	return r
}

// pick chooses who is next and what it does: as it should, mostly.
func (m *model) pick(w *world, rnd *rand.Rand) (step, bool) {
	var can []int32
	for _, p := range w.pending {
		if m.enabled(w, p) {
			can = append(can, p)
		}
	}
	n := len(can) + len(w.execs)
	if n == 0 {
		return step{}, false
	}
	var steps []step
	if i := rnd.IntN(n); i < len(can) {
		steps = m.deliveries(nil, w, can[i])
	} else {
		e := w.execs[i-len(can)]
		steps = m.ways(nil, w, step{kind: proceed, item: e}, m.execs.items[e])
	}
	if rnd.IntN(4) > 0 {
		return steps[0], true
	}
	return steps[rnd.IntN(len(steps))], true
}

// Random returns a case with a program of at most 12 nodes.
func Random(seed uint64) Case {
	rnd := rand.New(rand.NewPCG(seed, 2))
	left := 1 + rnd.IntN(12)
	c := Case{
		Name:    fmt.Sprintf("seed %d", seed),
		Program: randomSeq(rnd, &left, 0),
		Bounds:  Bounds{Duplicates: rnd.IntN(5), Crashes: rnd.IntN(5), Repeats: rnd.IntN(3), Failures: rnd.IntN(6) / 5},
		Large:   rnd.IntN(4) == 0,
		Cancel:  rnd.IntN(6) == 0,
		Timeout: rnd.IntN(6) == 0,
		Forget:  rnd.IntN(4) == 0,
		Fine:    rnd.IntN(2) == 0,
	}
	return c
}

func randomSeq(rnd *rand.Rand, left *int, depth int) (s Seq) {
	for n := 1 + rnd.IntN(4); n > 0 && *left > 0; n-- {
		*left--
		if depth < 3 && *left > 0 && rnd.IntN(3) == 0 {
			s = append(s, randomFork(rnd, left, depth))
			continue
		}
		switch rnd.IntN(12) {
		case 0:
			s = append(s, Raise)
		case 1:
			s = append(s, Flaky)
		case 2:
			s = append(s, Unchecked)
		case 3:
			s = append(s, Expiring)
		case 4:
			s = append(s, Wait)
		default:
			s = append(s, Task)
		}
	}
	return s
}

func randomFork(rnd *rand.Rand, left *int, depth int) Node {
	n := Node{Catch: rnd.IntN(2) == 0, Limit: int64(rnd.IntN(3))}
	for width := 1 + rnd.IntN(4); width > 0 && *left > 0; width-- {
		n.Lines = append(n.Lines, randomSeq(rnd, left, depth+1))
	}
	return n
}
