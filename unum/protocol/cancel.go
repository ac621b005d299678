package protocol

import "slices"

// Cancel ends a run from outside, wherever it is: cancelled by somebody, or out of time. It returns the record of the run,
// which says how it ended if it had ended before; nil if there is no such run.
func Cancel(env *Env, io IO, run string, end *End) (*Record, error) {
	x := &execution{env: env, io: io, req: &Request{Run: run}, lines: []Line{{}}}
	for {
		answers, err := io.Do([]Op{{Kind: OpGet, Keys: []string{run}}})
		if err != nil {
			return nil, err
		}
		cur := answers[0].Records[0]
		if cur == nil || cur.Ended && !cancelled(cur) {
			return cur, nil
		}
		x.lines[0] = Line{Nonce: cur.Nonce, Step: cur.Step}
		done, err := x.endAs(cur, end)
		if err != nil || done != nil {
			return done, err
		}
	}
}

// cancelled reports whether the record is of a run that was ended from outside of its line: what was under way then may
// not have been collected yet.
func cancelled(rec *Record) bool {
	cp, err := DecodeCheckpoint(rec.Value)
	return err == nil && cp.End != nil && cp.End.Run
}

// end ends the run, whose record is cur, and collects what was under way.
func (x *execution) end(cur *Record, end *End) error {
	_, err := x.endAs(cur, end)
	return err
}

// endAs is end. It returns the record of the run, nil if that has changed meanwhile.
func (x *execution) endAs(cur *Record, end *End) (*Record, error) {
	scope, left, err := x.scopeOf(cur)
	if err != nil {
		return nil, err
	}
	if !cur.Ended {
		whole := *end
		whole.Run = true
		// The step and the scope stay as they are: nothing can follow a record that has ended, and who repeats this finds
		// what there is to collect.
		rec := &Record{Nonce: cur.Nonce, Step: cur.Step, Width: cur.Width, Members: cur.Members, Ended: true, Expires: x.env.Expires}
		cp := &Checkpoint{End: &whole, Names: scope.Names, Garbage: left}
		if _, err := x.put(x.key(0), cp, rec); err != nil {
			return nil, err
		}
		answers, err := x.io.Do([]Op{{Kind: OpAdvance, Key: x.key(0), Nonce: cur.Nonce, Step: cur.Step, Record: rec}})
		if err != nil {
			return nil, err
		}
		if !answers[0].OK {
			return nil, nil
		}
		cur = rec
	}
	left.Scopes = append(slices.Clip(left.Scopes), scope)
	return cur, x.collect(left)
}

// scopeOf returns the scope that is open in the record of the run, and what else its checkpoint has left: the blob that it is
// in, but not if that is the result.
func (x *execution) scopeOf(rec *Record) (s Scope, left Garbage, err error) {
	cps, _, err := x.checkpoints([]*Record{rec})
	if err != nil {
		return s, left, err
	}
	cp := cps[0]
	if cp == nil {
		cp = &Checkpoint{}
	}
	left.add(cp.Garbage)
	if !rec.Ended {
		left.addBlob(cp.Ref)
	}
	s = cp.scope(x.key(0), rec.Step, rec)
	s.Deep = true
	return s, left, nil
}

// collect deletes what nobody needs. It goes from the leaves up, so that who repeats it finds what is left.
func (x *execution) collect(g Garbage) error {
	var keys []string
	for i := range g.Scopes {
		below, blobs, err := x.below(&g.Scopes[i])
		if err != nil {
			return err
		}
		keys = append(keys, below...)
		g.Blobs = append(slices.Clip(g.Blobs), blobs...)
	}
	var ops []Op
	if len(keys) > 0 {
		ops = append(ops, Op{Kind: OpDelete, Keys: keys})
	}
	if len(g.Blobs) > 0 {
		ops = append(ops, Op{Kind: OpDeleteBlobs, Keys: g.Blobs})
	}
	if len(ops) == 0 {
		return nil
	}
	_, err := x.io.Do(ops)
	return err
}

// below returns the keys of the lines of a scope. What is below those, in a scope that did not end as it should, it collects.
func (x *execution) below(s *Scope) (keys, blobs []string, err error) {
	keys = s.keys()
	if !s.Deep || len(keys) == 0 {
		return keys, nil, nil
	}
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: keys}})
	if err != nil {
		return nil, nil, err
	}
	recs := answers[0].Records
	cps, blobs, err := x.checkpoints(recs)
	if err != nil {
		return nil, nil, err
	}
	var inner Garbage
	for i, cp := range cps {
		if cp == nil {
			continue
		}
		scope := cp.scope(keys[i], recs[i].Step, recs[i])
		if scope.Deep = true; scope.Width > 0 || len(scope.Names) > 0 {
			inner.Scopes = append(inner.Scopes, scope)
		}
		inner.add(cp.Garbage)
	}
	return keys, blobs, x.collect(inner)
}
