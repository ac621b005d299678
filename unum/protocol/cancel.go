package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Cancel ends a run from outside, wherever it is: cancelled by somebody, or out of time. nonce, if it is not "", is that of
// the run that is meant. It returns the record of the run, which says how it ended if it had ended before; nil if there is
// no such run.
func Cancel(env *Env, io IO, run, nonce string, end *End) (*Record, error) {
	x := &execution{env: env, io: io, req: &Request{Run: run}, lines: []Line{{}}}
	for {
		cur, err := x.root()
		if err != nil || cur == nil || nonce != "" && cur.Nonce != nonce {
			return nil, err
		}
		x.lines[0] = Line{Nonce: cur.Nonce, Step: cur.Step}
		done, err := x.endAs(cur, end)
		if err == nil && done != nil {
			err = x.sweep()
		}
		if err != nil || done != nil {
			return done, err
		}
	}
}

// Forget deletes the record of a run that has ended, after what its end may have left. It returns the record; nil if there is
// none, and one that has not ended stays.
func Forget(env *Env, io IO, run string) (*Record, error) {
	x := &execution{env: env, io: io, req: &Request{Run: run}, lines: []Line{{}}}
	cur, err := x.root()
	if err != nil || cur == nil || !cur.Ended {
		return cur, err
	}
	x.lines[0] = Line{Nonce: cur.Nonce, Step: cur.Step}
	cps, refs, err := x.checkpoints([]*Record{cur})
	if err != nil {
		return nil, err
	}
	if cps[0] != nil {
		x.leave(cur, cps[0])
	}
	x.garbage.Blobs = append(x.garbage.Blobs, refs...)
	if err := x.sweep(); err != nil {
		return nil, err
	}
	_, err = x.io.Do([]Op{{Kind: OpDelete, Keys: []string{run}}}) // the last, without which nobody would find the rest
	return cur, err
}

// leave takes for garbage what the end of the run may have left, whose record is cur.
func (x *execution) leave(cur *Record, cp *Checkpoint) {
	x.garbage.add(cp.Garbage)
	if cp.End != nil && cp.End.Run {
		scope := cp.scope(x.below(0), cur.Step, cur)
		scope.Deep = true
		x.garbage.Scopes = append(x.garbage.Scopes, scope)
	}
}

// root returns the record of the run.
func (x *execution) root() (*Record, error) {
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: []string{x.key(0)}}})
	if err != nil {
		return nil, err
	}
	return answers[0].Records[0], nil
}

// endAs ends the run, whose record is cur, and takes what was under way for garbage. It returns the record of the run once that has
// ended, nil if it has changed meanwhile. A run that was ended so before may not have been collected: it is now.
func (x *execution) endAs(cur *Record, end *End) (*Record, error) {
	cps, refs, err := x.checkpoints([]*Record{cur})
	if err != nil {
		return nil, err
	}
	cp := cps[0]
	switch {
	case cp == nil && cur.Ended:
		return cur, nil // somebody forgets it
	case cp == nil && len(cur.Value) > 0:
		return nil, nil // collected after cur was read
	case cp == nil:
		cp = &Checkpoint{}
	}
	if !cur.Ended {
		if cur, cp, err = x.close(cur, cp, refs, end); cur == nil || err != nil {
			return nil, err
		}
	}
	if cp.End != nil && cp.End.Run {
		x.leave(cur, cp)
	}
	return cur, nil
}

// close writes that the run has ended. The step and the scope stay as they are: nothing can follow a record that has ended,
// and who repeats this finds what there is to collect.
func (x *execution) close(cur *Record, old *Checkpoint, refs []string, end *End) (*Record, *Checkpoint, error) {
	whole := *end
	whole.Run = true
	cp := &Checkpoint{End: &whole, Names: old.Names, Garbage: old.Garbage, Tally: old.Tally}
	cp.Tally.Partial = true
	cp.Garbage.Blobs = append(slices.Clip(cp.Garbage.Blobs), refs...)
	rec := *cur
	rec.Ended, rec.Expires = true, x.env.Expires
	ref, err := x.put(0, cp, &rec)
	if err != nil {
		return nil, nil, err
	}
	cur, done, err := x.write(Op{Kind: OpAdvance, Key: x.key(0), Nonce: cur.Nonce, Step: cur.Step, Record: &rec}, ref)
	if err == nil && !done {
		cur, err = nil, x.sweep()
	}
	return cur, cp, err
}

// sweep collects what an execution leaves. The record that it began with goes last: who repeats it after a crash finds what is
// left only if that is there.
func (x *execution) sweep() error {
	dead, err := x.stillDead()
	if err != nil {
		return err
	}
	g := x.garbage
	x.garbage = Garbage{}
	if dead {
		parent := x.own - 1
		line := Scope{Key: x.below(parent), Step: x.lines[parent].Step, Names: []string{x.lines[x.own].Name}, Deep: !x.record.Ended || x.record.Width > 0}
		g.Scopes = append(slices.Clip(g.Scopes), line)
	}
	mine, err := x.collect(g)
	if err != nil || !mine {
		return err
	}
	if ref := refOf(x.record); ref != "" && !slices.Contains(g.Blobs, ref) { // of a record that was made again
		if _, err := x.io.Do([]Op{{Kind: OpDeleteBlobs, Keys: []string{ref}}}); err != nil {
			return err
		}
	}
	_, err = x.io.Do([]Op{{Kind: OpDelete, Keys: []string{x.key(x.own)}}})
	return err
}

// stillDead says whether the record of the instance's line is to be deleted. A line that has not ended may have gone on in
// another execution, which saw its scope: whoever collects the scope collects it, and what may be left to do with it.
func (x *execution) stillDead() (bool, error) {
	if !x.dead || x.record.Ended {
		return x.dead, nil
	}
	recs, err := x.freeze([]string{x.key(x.own)})
	if err != nil {
		return false, err
	}
	if recs[0] == nil || recs[0].Nonce != x.record.Nonce {
		x.garbage.addBlob(refOf(x.record)) // somebody has collected the record, who may not have seen what was in it
		return false, nil
	}
	return recs[0].Step == x.record.Step, nil
}

// collect deletes what nobody needs, from the leaves up, so that who repeats it finds what is left. The record of the
// instance's own line stays if it is among that: then mine is true.
func (x *execution) collect(g Garbage) (mine bool, err error) {
	lists, err := x.unfold(&g)
	if err != nil {
		return false, err
	}
	own := x.key(x.own)
	var keys []string
	for i := range g.Scopes {
		s := &g.Scopes[i]
		if s.Deep {
			below, err := x.raze(s)
			if err != nil {
				return false, err
			}
			mine = mine || below
		}
		for _, key := range s.keys() {
			if key == own {
				mine = true
			} else {
				keys = append(keys, key)
			}
		}
	}
	var ops []Op
	if len(keys) > 0 {
		ops = append(ops, Op{Kind: OpDelete, Keys: keys})
	}
	if len(g.Blobs) > 0 {
		ops = append(ops, Op{Kind: OpDeleteBlobs, Keys: g.Blobs})
	}
	if len(ops) > 0 {
		_, err = x.io.Do(ops)
	}
	for i := len(lists) - 1; i >= 0 && err == nil; i-- {
		_, err = x.io.Do([]Op{{Kind: OpDeleteBlobs, Keys: lists[i]}})
	}
	return mine, err
}

// unfold adds to g what is in its lists, and returns those: such as were named in others behind them. They go after what is in
// them, the last first.
func (x *execution) unfold(g *Garbage) (lists [][]string, err error) {
	for len(g.Lists) > 0 {
		level := g.Lists
		lists, g.Lists = append(lists, level), nil
		ops := make([]Op, len(level))
		for i, name := range level {
			ops[i] = Op{Kind: OpGetBlob, Key: name}
		}
		answers, err := x.io.Do(ops)
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			if !a.OK {
				continue // collected, and with it what was in it
			}
			var more Garbage
			if err := json.Unmarshal(a.Data, &more); err != nil {
				return nil, fmt.Errorf("a list of garbage of run %s: %w", x.req.Run, err)
			}
			g.add(more)
		}
	}
	return lists, nil
}

// raze collects what is below the lines of a scope that has not ended as it should. Some of the lines may be under way: they are
// ended first, so that nothing is added below them that would not be found. mine is that of collect.
func (x *execution) raze(s *Scope) (mine bool, err error) {
	keys := s.keys()
	if len(keys) == 0 {
		return false, nil
	}
	recs, err := x.freeze(keys)
	if err != nil {
		return false, err
	}
	cps, refs, err := x.checkpoints(recs)
	if err != nil {
		return false, err
	}
	var inner Garbage
	for i, rec := range recs {
		if rec == nil {
			continue
		}
		cp := cps[i]
		if cp == nil {
			cp = &Checkpoint{} // collected; its scope may not be
		}
		scope := cp.scope(keys[i], rec.Step, rec)
		if scope.Deep = true; scope.Width > 0 || len(scope.Names) > 0 {
			inner.Scopes = append(inner.Scopes, scope)
		}
		inner.add(cp.Garbage)
	}
	if mine, err = x.collect(inner); err == nil && len(refs) > 0 {
		_, err = x.io.Do([]Op{{Kind: OpDeleteBlobs, Keys: refs}})
	}
	return mine, err
}

// freeze ends lines as they are and returns their records.
func (x *execution) freeze(keys []string) ([]*Record, error) {
	for {
		answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: keys}})
		if err != nil {
			return nil, err
		}
		recs := answers[0].Records
		var ops []Op
		for i, rec := range recs {
			if rec != nil && !rec.Ended {
				ended := *rec
				ended.Ended = true
				ops = append(ops, Op{Kind: OpAdvance, Key: keys[i], Nonce: rec.Nonce, Step: rec.Step, Record: &ended})
			}
		}
		if len(ops) == 0 {
			return recs, nil
		}
		if _, err = x.io.Do(ops); err != nil {
			return nil, err
		}
	}
}
