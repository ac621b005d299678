package machine

import (
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// parallel begins the branches of a Parallel.
func (s *step) parallel(b *branch) *branch {
	if r := s.mocked(b); r != nil {
		s.note(b, history.Event{Type: history.ParallelStateStarted})
		return s.mockedJoin(b, r)
	}
	v, e := flowOf(b.state).arguments(s.scope(b), b.state)
	if e != nil {
		return s.failed(b, e)
	}
	input := v.json(s.in.bounds.PayloadBytes)
	if len(input) > s.in.bounds.PayloadBytes {
		return s.failed(b, tooLarge(b.state.Name))
	}
	graphs := b.state.Parallel.Branches
	fk := &fork{owner: b, length: len(graphs), next: len(graphs), max: len(graphs), results: make([][]byte, len(graphs))}
	b.fork, b.phase = fk, forked
	s.note(b, history.Event{Type: history.ParallelStateStarted})
	fk.started = b.prev
	if s.in.forks.out(b.state) {
		fk.data = input
		s.forkOut(b, fk)
		return nil
	}
	for i, g := range graphs {
		c := fk.add(i)
		c.prev = fk.started
		s.begin(c, g.Start, input)
		s.f.ready = append(s.f.ready, c)
	}
	return nil
}

// mapState begins a Map: its first iterations, as many as may run at a time.
func (s *step) mapState(b *branch) *branch {
	if b.state.Map.Distributed != nil {
		return s.mapRun(b)
	}
	fk, e := s.newMap(b)
	if e != nil {
		return s.failed(b, e)
	}
	b.fork, b.phase = fk, forked
	s.note(b, history.Event{Type: history.MapStateStarted, Length: int64(fk.length)})
	fk.started = b.prev
	if fk.tolerance, e = s.tolerance(b, s.scope(b)); e != nil {
		return s.failed(b, e)
	}
	if r := s.mocked(b); r != nil {
		return s.mockedMap(b, fk, r)
	}
	if s.in.forks.out(b.state) && fk.length > 0 {
		return s.forkMap(b, fk)
	}
	for len(fk.children) < fk.max && fk.next < fk.length {
		if bad := s.iterate(fk, fk.started); bad != nil {
			return s.ownFailure(fk, bad)
		}
	}
	return s.joined(fk, b.prev)
}

// newMap evaluates a Map's fields but those of its tolerance, which Step Functions looks at after MapStateStarted.
func (s *step) newMap(b *branch) (*fork, *failure) {
	m, sc := b.state.Map, s.scope(b)
	flow := flowOf(b.state)
	n, e := flow.integer(sc, b.state, "MaxConcurrency", m.MaxConcurrency, m.MaxConcurrencyPath)
	if e != nil {
		return nil, e
	}
	s.f.probe.concurrency(b, n)
	data, e := flow.arguments(sc, b.state)
	if e != nil {
		return nil, e
	}
	items, e := flow.items(sc, b.state, &data)
	if e != nil {
		return nil, e
	}
	fk := &fork{owner: b, items: items, at: 1, max: InlineConcurrency}
	if n > 0 {
		fk.max = int(min(n, InlineConcurrency))
	}
	fk.length = countElements(items)
	fk.results = make([][]byte, fk.length)
	if b.state.Parameters != nil {
		fk.data = data.json(s.in.bounds.PayloadBytes)
	}
	return fk, nil
}

func (s *step) tolerance(b *branch, sc *scope) (tolerance, *failure) {
	m := b.state.Map
	if !m.HasTolerance {
		return tolerance{}, nil
	}
	flow := flowOf(b.state)
	count, e := flow.integer(sc, b.state, "ToleratedFailureCount", m.ToleratedFailureCount, m.ToleratedFailureCountPath)
	if e != nil {
		return tolerance{}, e
	}
	percent, e := flow.percentage(sc, b.state, m.ToleratedFailurePercentage, m.ToleratedPercentagePath)
	if e != nil {
		return tolerance{}, e
	}
	t := tolerance{set: true, count: count, percent: percent}
	s.f.probe.tolerance(b, &t)
	return t, nil
}

// iterate begins the next iteration of a Map in the line of control that ends with prev. What is wrong with
// its input is the Map's own failure: the iteration does not begin.
func (s *step) iterate(fk *fork, prev int64) *failure {
	owner := fk.owner.state
	item, at := nextElement(fk.items, fk.at)
	var key []byte
	if fk.items[0] == '{' {
		key, item = splitMember(item)
	}
	input := item
	if owner.Parameters != nil {
		candidate := &branch{parent: fk, index: fk.next, item: item, key: key}
		v, e := flowOf(owner).selectItem(s.scope(fk.owner), fk, candidate)
		if e != nil {
			return e
		}
		input = v.json(s.in.bounds.PayloadBytes)
	}
	if len(input) > s.in.bounds.PayloadBytes {
		return tooLarge(owner.Name)
	}
	c := fk.add(fk.next)
	fk.next, fk.at = fk.next+1, at
	c.item, c.key, c.prev = item, key, prev
	s.note(c, history.Event{Type: history.MapIterationStarted, Name: owner.Name, Index: int64(c.index)})
	s.begin(c, owner.Map.Processor.Start, input)
	s.f.ready = append(s.f.ready, c)
	return nil
}

// ended takes the result of a branch or iteration and joins when it was the last.
func (s *step) ended(c *branch, output []byte) *branch {
	fk := c.parent
	fk.results[c.index] = output
	prev := c.prev
	if fk.owner.state.Type == asl.Map {
		prev = s.iterationEvent(history.MapIterationSucceeded, c, c.prev)
	}
	return s.settled(c, prev)
}

func (s *step) iterationEvent(t history.Type, c *branch, prev int64) int64 {
	return s.emit(history.Event{Type: t, Prev: prev, Name: c.parent.owner.state.Name, Index: int64(c.index)})
}

// settled counts c as done, lets the next iteration begin in its place and joins when there is none. The
// next iteration hangs on c's last own event; prev is what a join hangs on.
func (s *step) settled(c *branch, prev int64) *branch {
	fk := c.parent
	s.f.drop(c)
	fk.remove(c)
	fk.done++
	if fk.next < fk.length {
		if bad := s.iterate(fk, c.prev); bad != nil {
			return s.ownFailure(fk, bad)
		}
	}
	return s.joined(fk, prev)
}

// joined goes on with the owner of a fork whose branches have all ended; prev is the last event of the last
// of them.
func (s *step) joined(fk *fork, prev int64) *branch {
	if fk.done < fk.length {
		return nil
	}
	b := fk.owner
	t := history.ParallelStateSucceeded
	if b.state.Type == asl.Map {
		t = history.MapStateSucceeded
	}
	succeeded := s.emit(history.Event{Type: t, Prev: prev})
	b.prev, b.phase = prev, redo
	results := joinResults(fk.results)
	s.f.discard(b)
	o, e := s.joinedOutcome(b, results)
	if e != nil {
		b.prev = succeeded // which otherwise stands outside every line of control
		return s.failed(b, e)
	}
	return s.leave(b, o, b.state.NextState)
}

// joinedOutcome is a state's outcome made of the results of its branches.
func (s *step) joinedOutcome(b *branch, results []byte) (outcome, *failure) {
	if len(results) > s.in.bounds.PayloadBytes {
		return outcome{}, tooLarge(b.state.Name)
	}
	return s.outcome(b, s.scope(b), textValue(results))
}

// joinResults is the array of the results, those of tolerated failures left out.
func joinResults(results [][]byte) []byte {
	n := 2 + len(results)
	for _, r := range results {
		n += len(r)
	}
	out := append(make([]byte, 0, n), '[')
	for _, r := range results {
		if r == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, r...)
	}
	return append(out, ']')
}

// childFailed fails the Parallel or Map that c is in, unless it tolerates the failure.
func (s *step) childFailed(c *branch, e *failure) *branch {
	fk := c.parent
	isMap := fk.owner.state.Type == asl.Map
	if isMap && fk.tolerance.set && e.name != errRuntime {
		fk.failed++
		if fk.tolerated() {
			id := s.iterationEvent(history.MapIterationFailed, c, c.prev)
			s.abortState(c, c.prev)
			return s.settled(c, id)
		}
		e = &failure{name: errThreshold, hasName: true, cause: thresholdExceeded, hasCause: true}
	}
	s.expire(fk, c)
	prev := c.prev
	if isMap {
		s.iterationEvent(history.MapIterationFailed, c, prev)
	}
	s.abortState(c, prev)
	s.abortChildren(fk, c, prev)
	fk.owner.prev = prev
	return s.failed(fk.owner, e)
}

// tolerated reports whether the failures so far stay within the Map's tolerance: either threshold lets them
// pass, the count or the share of all items.
func (fk *fork) tolerated() bool {
	if int64(fk.failed) <= fk.tolerance.count {
		return true
	}
	return float64(fk.failed)*100 <= fk.tolerance.percent*float64(fk.length)
}

// expire gives the tasks of c's siblings whose time is over at this very moment their own time-out: the
// engine's timers of one moment come one by one, and which comes first must not show.
func (s *step) expire(fk *fork, c *branch) {
	for _, x := range fk.inOrder() {
		if x == c || x.phase != working {
			continue
		}
		beat := x.beat != 0 && x.beatDue <= s.f.now
		if beat || x.timer != 0 && x.due <= s.f.now {
			s.noteTimedOut(x)
			s.cancel(x)
			x.phase = redo
		}
	}
}

// inOrder returns the live children by index.
func (fk *fork) inOrder() []*branch {
	cs := slices.Clone(fk.children)
	slices.SortFunc(cs, func(a, b *branch) int { return a.index - b.index })
	return cs
}

// abortChildren ends all branches of fk that still run, which failed no longer does; prev is the event that was the
// reason. They stay in fk until its owner goes on elsewhere: a redrive begins with them.
func (s *step) abortChildren(fk *fork, failed *branch, prev int64) {
	for _, c := range fk.inOrder() {
		if c == failed {
			continue
		}
		if fk.owner.state.Type == asl.Map {
			s.iterationEvent(history.MapIterationAborted, c, prev)
		}
		s.abortState(c, prev)
	}
}

// abortState ends the state that c is in, and everything below it, with its StateAborted event. A Parallel
// or Map that has said StateFailed says no more.
func (s *step) abortState(c *branch, prev int64) {
	if c.phase == mapping {
		s.emit(history.Event{Type: history.MapRunAborted, Prev: c.prev})
	}
	s.cancel(c)
	entered := c.phase != ready && c.entered != 0
	if t := typeEvents[c.state.Type].aborted; t != 0 && entered && (c.state.Type == asl.Task || c.phase != idle) {
		s.emit(history.Event{Type: t, Prev: prev})
	}
	if c.fork != nil && c.phase == forked {
		s.abortChildren(c.fork, nil, prev)
	}
	c.halt()
}

// ownFailure fails a Map on its own account, with iterations still running.
func (s *step) ownFailure(fk *fork, e *failure) *branch {
	if e.name != errRuntime {
		s.abortChildren(fk, nil, fk.owner.prev)
	}
	return s.failed(fk.owner, e)
}
