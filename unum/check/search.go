package check

import (
	"crypto/sha256"
	"slices"
	"time"
)

// frame is a world on the way to the one that is looked at.
type frame struct {
	w     *world
	steps []step
	taken int
}

// Search follows the histories of a case depth first, up to limit worlds, leaving out those that come to the same as others. Of
// worlds it keeps nothing but hashes of 128 bits.
func Search(c Case, limit int) *Report {
	m, first := newModel(c)
	m.lazy = m.canWait()
	return m.settledSearch(first, limit, nil)
}

// settledSearch searches until no nodes were taken for alike that are not: with the smallest bounds first, which find most of those. end, if
// set, is called with each world in which nothing is left to happen, and with nil whenever it begins again.
func (m *model) settledSearch(first *world, limit int, end func(*world)) *Report {
	began := time.Now()
	var worlds int
	for _, b := range []Bounds{{Duplicates: 1}, {Crashes: 1}, m.Bounds} {
		w := first.clone()
		w.left = Bounds{min(b.Duplicates, m.Bounds.Duplicates), min(b.Crashes, m.Bounds.Crashes), min(b.Repeats, m.Bounds.Repeats), min(b.Failures, m.Bounds.Failures)}
		for {
			m.stale = false
			if end != nil {
				end(nil)
			}
			r := m.search(w, limit, m.reduced, end)
			worlds += r.Worlds
			if r.Broken != nil || !m.stale && b == m.Bounds {
				r.Elapsed, r.Tries = time.Since(began), worlds
				return r
			}
			if !m.stale {
				break
			}
		}
	}
	panic("unreachable")
}

func (m *model) search(first *world, limit int, next func(*world) []step, end func(*world)) *Report {
	began := time.Now()
	r := &Report{}
	known := map[[16]byte]struct{}{}
	var buf []byte
	visit := func(w *world) bool {
		buf = w.encode(buf[:0])
		sum := sha256.Sum256(buf)
		key := [16]byte(sum[:])
		if _, ok := known[key]; ok {
			return false
		}
		known[key] = struct{}{}
		return true
	}
	visit(first)
	stack := []frame{{w: first, steps: next(first)}}
	for len(stack) > 0 && len(known) < limit && !m.stale {
		f := &stack[len(stack)-1]
		if len(f.steps) == 0 {
			r.Ends++
			if r.Broken = m.checkEnd(f.w); r.Broken != nil {
				break
			}
			if end != nil {
				end(f.w)
			}
		}
		if f.taken == len(f.steps) {
			stack = slices.Delete(stack, len(stack)-1, len(stack))
			continue
		}
		f.taken++
		var t *world
		r.Transitions++
		if t, r.Broken = m.take(f.w, f.steps[f.taken-1], nil); r.Broken != nil {
			break
		}
		if m.lazy {
			m.dropSettled(t)
		}
		if visit(t) {
			stack = append(stack, frame{w: t, steps: next(t)})
		}
	}
	if r.Broken != nil {
		var taken []step
		for _, f := range stack {
			if f.taken > 0 {
				taken = append(taken, f.steps[f.taken-1])
			}
		}
		r.Trace = m.tell(first, taken)
	}
	r.Worlds, r.Nodes, r.Elapsed = len(known), int(m.nodes), time.Since(began)
	r.Complete = len(stack) == 0
	return r
}

// canWait says whether it makes no difference to the code of a case which execution is the first.
func (m *model) canWait() bool {
	return !m.Large && !m.Program.flaky() && (m.Mistake == nil || !m.Mistake.NewID)
}
