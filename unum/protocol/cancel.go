package protocol

import "slices"

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

// root returns the record of the run.
func (x *execution) root() (*Record, error) {
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: []string{x.key(0)}}})
	if err != nil {
		return nil, err
	}
	return answers[0].Records[0], nil
}

// endAs ends the run, whose record is cur, and collects what was under way. It returns the record of the run once that has
// ended, nil if it has changed meanwhile. A run that was ended so before may not have been collected: it is now.
func (x *execution) endAs(cur *Record, end *End) (*Record, error) {
	cps, refs, err := x.checkpoints([]*Record{cur})
	if err != nil {
		return nil, err
	}
	cp := cps[0]
	switch {
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
	if !cp.End.Run {
		return cur, nil
	}
	x.garbage.add(cp.Garbage)
	scope := cp.scope(x.below(0), cur.Step, cur)
	scope.Deep = true
	return cur, x.collect(Garbage{Scopes: []Scope{scope}})
}

// close writes that the run has ended. The step and the scope stay as they are: nothing can follow a record that has ended,
// and who repeats this finds what there is to collect.
func (x *execution) close(cur *Record, old *Checkpoint, refs []string, end *End) (*Record, *Checkpoint, error) {
	whole := *end
	whole.Run = true
	cp := &Checkpoint{End: &whole, Names: old.Names, Garbage: old.Garbage}
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

// sweep collects what an execution leaves.
func (x *execution) sweep() error {
	g := x.garbage
	x.garbage = Garbage{}
	if !x.dead {
		return x.collect(g)
	}
	g.Scopes = append(slices.Clip(g.Scopes), Scope{Key: x.below(x.own - 1), Step: x.lines[x.own-1].Step, Names: []string{x.lines[x.own].Name}})
	return x.collect(g)
}

// collect deletes what nobody needs. It goes from the leaves up and ends with the record that the execution began with, so
// that who repeats it finds what is left.
func (x *execution) collect(g Garbage) error {
	own, mine := x.key(x.own), false
	var keys []string
	for i := range g.Scopes {
		s := &g.Scopes[i]
		if s.Deep {
			if err := x.raze(s); err != nil {
				return err
			}
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
		if _, err := x.io.Do(ops); err != nil || !mine {
			return err
		}
	}
	if !mine {
		return nil
	}
	_, err := x.io.Do([]Op{{Kind: OpDelete, Keys: []string{own}}})
	return err
}

// raze collects what is below the lines of a scope that has not ended as it should. Some of the lines may be under way: they are
// ended first, so that nothing is added below them that would not be found.
func (x *execution) raze(s *Scope) error {
	keys := s.keys()
	if len(keys) == 0 {
		return nil
	}
	recs, err := x.freeze(keys)
	if err != nil {
		return err
	}
	cps, refs, err := x.checkpoints(recs)
	if err != nil {
		return err
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
	if err := x.collect(inner); err != nil || len(refs) == 0 {
		return err
	}
	_, err = x.io.Do([]Op{{Kind: OpDeleteBlobs, Keys: refs}})
	return err
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
