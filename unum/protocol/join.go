package protocol

import (
	"fmt"
	"slices"
	"strconv"
)

// endBranch tells the scope that the line at level has ended. Whoever finds the scope full, or failed, joins: it carries on
// the line that forked. More than one may; what they do is the same.
func (x *execution) endBranch(level int, end *End) error {
	cur, added, err := x.add(level, end.Failed)
	if err != nil {
		return err
	}
	if !added {
		return x.refused(level, cur)
	}
	cp, err := DecodeCheckpoint(cur.Value)
	if err != nil || !cp.Fork {
		return err
	}
	full := int64(len(cur.Members)) == cur.Width
	if !full && cur.Failed == "" && cp.Concurrency == 0 {
		return nil
	}
	cps, refs, err := x.checkpoints([]*Record{cur})
	if err != nil || cps[0] == nil {
		return err
	}
	cp = cps[0]
	lines := x.lines[:level]
	if !full && cur.Failed == "" {
		return x.startNext(level, cur, cp, end.Now)
	}
	names, at := lineNames(cur, cp), -1
	if cur.Failed != "" {
		at = slices.Index(names, cur.Failed)
		names = []string{cur.Failed}
	}
	members, memberRefs, err := x.members(level, names)
	if err != nil || members == nil {
		return err
	}
	garbage := Garbage{Scopes: []Scope{cp.scope(x.below(level-1), x.lines[level-1].Step, cur)}, Blobs: append(refs, memberRefs...)}
	garbage.Scopes[0].Deep = cur.Failed != ""
	x.tally = cp.Tally
	ends := make([]*End, len(members))
	for i, m := range members {
		if ends[i] = m.End; m.End == nil || m.End.Failed != (at >= 0) {
			return nil // made again, too, and with another outcome, or ended by whoever collects
		}
		garbage.add(m.Garbage)
		x.tally.add(&m.Tally)
	}
	x.tally.Arrivals += int64(len(members))
	x.tally.Partial = x.tally.Partial || at >= 0
	garbage.add(cp.Garbage)
	plan, err := x.program.Join(x.req.Run, slices.Clone(lines), cp.Parked, ends, int64(at))
	if err != nil {
		return err
	}
	return x.joined(level-1, plan, garbage)
}

func (x *execution) add(level int, failed bool) (cur *Record, added bool, err error) {
	parent := x.lines[level-1]
	answers, err := x.io.Do([]Op{{Kind: OpAdd, Key: x.key(level - 1), Nonce: parent.Nonce, Step: parent.Step, Member: x.lines[level].Name, Failed: failed}})
	if err != nil {
		return nil, false, err
	}
	return answers[0].Record, answers[0].OK, nil
}

// lineNames returns the names of the lines of a scope in order.
func lineNames(rec *Record, cp *Checkpoint) []string {
	if len(cp.Names) > 0 {
		return cp.Names
	}
	names := make([]string, rec.Width)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// startNext starts the line whose turn it is in a scope that limits how many are under way. Which line that is depends on
// the line that ended alone, so that an execution that is repeated starts the same.
func (x *execution) startNext(level int, cur *Record, cp *Checkpoint, now int64) error {
	i := int64(slices.Index(lineNames(cur, cp), x.lines[level].Name))
	if i < 0 || i+cp.Concurrency >= cur.Width {
		return nil
	}
	fork := &Fork{Width: cur.Width, Parked: cp.Parked, Names: cp.Names}
	return x.invokeHeads(slices.Clone(x.lines[:level]), fork, i+cp.Concurrency, now)
}

// members reads the checkpoints of lines that have ended, of the scope that the line at level is in. nil: some are gone,
// so somebody else has joined and gone on.
func (x *execution) members(level int, names []string) (cps []*Checkpoint, refs []string, err error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = x.keyBelow(level-1, name)
	}
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: keys}})
	if err != nil {
		return nil, nil, err
	}
	cps, refs, err = x.checkpoints(answers[0].Records)
	if err != nil {
		return nil, nil, err
	}
	for i, cp := range cps {
		// A record that has not ended was made again, by a late duplicate.
		if cp == nil || !answers[0].Records[i].Ended {
			return nil, nil, nil
		}
	}
	return cps, refs, nil
}

// joined carries on the line at level after its join. If it ends there, or forks again, no function runs that could make
// the checkpoint, and the end of the branch makes it.
func (x *execution) joined(level int, plan *Plan, garbage Garbage) error {
	l := x.lines[level]
	x.tally.Entered += plan.Entered
	switch {
	case plan.Continue != nil:
		return x.invokeNext(level, l.Step+1, 0, plan.Continue, garbage)
	case plan.Graph != nil:
		return fmt.Errorf("the join of %s has no outcome that a graph could go on with", x.key(level))
	}
	x.tally.Joins++
	cp, rec := x.seal("", l.Step+1, plan, nil)
	cp.Joined, cp.Garbage, rec.Nonce = true, garbage, l.Nonce
	ref, err := x.put(level, cp, rec)
	if err != nil {
		return err
	}
	cur, done, err := x.write(Op{Kind: OpAdvance, Key: x.key(level), Nonce: l.Nonce, Step: l.Step, Record: rec}, ref)
	if err != nil {
		return err
	}
	if !done {
		return x.refused(level+1, cur)
	}
	return x.resume(level, rec, cp)
}

// refused is what follows when the scope of the line at level is not open: the line that forked has joined, and the
// execution that made its checkpoint may have ended then and there; or the scope is gone, and the instance's own line with
// it. The lines in between are collected with the scopes that they belong to.
func (x *execution) refused(level int, cur *Record) error {
	parent := x.lines[level-1]
	if cur != nil && cur.Nonce == parent.Nonce && cur.Step == parent.Step+1 {
		cps, _, err := x.checkpoints([]*Record{cur})
		if err != nil {
			return err
		}
		if cps[0] != nil && cps[0].Joined {
			return x.resume(level-1, cur, cps[0])
		}
	}
	return x.abandon()
}

// resume does what follows from the checkpoint that a join has made on the line at level.
func (x *execution) resume(level int, rec *Record, cp *Checkpoint) error {
	switch {
	case cp.Fork:
		lines := slices.Clone(x.lines[:level+1])
		lines[level].Step = rec.Step
		return x.invokeHeads(lines, &Fork{Width: rec.Width, Concurrency: cp.Concurrency, Parked: cp.Parked, Names: cp.Names}, 0, 0)
	case level == 0:
		x.garbage.add(cp.Garbage)
		return nil
	case cp.End.Run:
		return x.endRun(cp.End)
	}
	return x.endBranch(level, cp.End)
}

// graph does what an instance of a hand-written graph does: it becomes a member of its scope, starts others, and those
// that have only waited for it.
func (x *execution) graph(g *Graph) error {
	cur, added, err := x.add(x.own, false)
	if err != nil {
		return err
	}
	if !added {
		return x.refused(x.own, cur)
	}
	var ops []Op
	for i := range g.Start {
		ops = append(ops, x.startLine(&g.Start[i], nil)...)
	}
	for i := range g.FanIns {
		f := &g.FanIns[i]
		missing := func(name string) bool { return !slices.Contains(cur.Members, name) }
		if f.Pop || slices.ContainsFunc(f.Values, missing) {
			continue
		}
		ops = append(ops, x.startLine(&f.Start, f.Values)...)
	}
	if err := x.invoke(ops); err != nil {
		return err
	}
	for i := range g.FanIns {
		if f := &g.FanIns[i]; f.Pop {
			if err := x.popGraph(f, cur); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *execution) startLine(s *Start, inputs []string) []Op {
	l := s.Line
	l.Nonce, l.Step = "", 1
	return x.invocations(append(slices.Clone(x.lines[:x.own]), l), Tally{}, 0, &s.Call, inputs, Garbage{})
}

// popGraph joins the line that forked into a graph, once the members are there that the fan-in takes.
func (x *execution) popGraph(f *FanIn, cur *Record) error {
	for _, name := range f.Values {
		if !slices.Contains(cur.Members, name) {
			return nil
		}
	}
	cps, refs, err := x.checkpoints([]*Record{cur})
	if err != nil || cps[0] == nil {
		return err
	}
	members, memberRefs, err := x.members(x.own, f.Values)
	if err != nil || members == nil {
		return err
	}
	x.tally = cps[0].Tally
	x.tally.Arrivals, x.tally.Partial = x.tally.Arrivals+int64(len(members)), true
	ends := make([]*End, len(members))
	for i, m := range members {
		if m.Outcome == nil {
			return nil
		}
		ends[i] = &End{Output: m.Outcome.Output, Now: m.Outcome.Now, Into: f.Into}
	}
	level := x.own - 1
	garbage := Garbage{Scopes: []Scope{cps[0].scope(x.below(level), x.lines[level].Step, cur)}, Blobs: append(refs, memberRefs...)}
	garbage.add(cps[0].Garbage)
	plan, err := x.program.Join(x.req.Run, slices.Clone(x.lines[:x.own]), cps[0].Parked, ends, -1)
	if err != nil {
		return err
	}
	return x.joined(level, plan, garbage)
}

// endRun ends the run from a line somewhere below, which is of no use then.
func (x *execution) endRun(end *End) error {
	root := x.lines[0]
	cur, err := x.root()
	if err == nil && cur != nil && cur.Nonce == root.Nonce && cur.Step == root.Step {
		_, err = x.endAs(cur, end)
	}
	x.bury()
	return err
}
