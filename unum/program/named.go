package program

import (
	"fmt"
	"slices"

	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// graph does what follows a function that others read by name: it starts what fires, and all fan-ins that read it are tried,
// whoever's they are, since nobody knows who comes last.
func (i *instance) graph(fired []*ir.Continuation, out *protocol.Outcome) (*protocol.Plan, error) {
	plan := &protocol.Graph{}
	for _, c := range fired {
		if c.Kind != ir.Invoke {
			continue
		}
		to, err := moved(i.lines, c)
		if err != nil {
			return broken(out.Now, "%v", err), nil
		}
		next, err := call(c.To, state{Data: out.Output})
		if err != nil {
			return nil, err
		}
		plan.Start = append(plan.Start, start(i.lines, c.To, to, next))
	}
	var err error
	if plan.FanIns, err = i.fanIns(); err != nil {
		return broken(out.Now, "%v", err), nil
	}
	if len(plan.Start)+len(plan.FanIns) == 0 {
		return &protocol.Plan{End: &protocol.End{Output: out.Output, Now: out.Now, Run: true}}, nil
	}
	return &protocol.Plan{Graph: plan}, nil
}

// fanIns returns the fan-ins that read the value of the instance.
func (i *instance) fanIns() ([]protocol.FanIn, error) {
	r := &reader{instance: i, own: frames(i.lines), seen: map[string]bool{}}
	for _, f := range i.place.Scope.Functions {
		for n := range f.Next {
			c := &f.Next[n]
			if c.Kind != ir.FanIn || !slices.ContainsFunc(c.Values, func(v ir.Value) bool { return v.Function == i.f.Name }) {
				continue
			}
			if err := r.candidates(f, n); err != nil {
				return nil, fmt.Errorf("%s, next[%d]: %w", f.Name, n, err)
			}
		}
	}
	return r.found, nil
}

// reader looks for the fan-ins that read an instance's value.
type reader struct {
	*instance
	own   []ir.Frame
	seen  map[string]bool // what those lead to that have been found
	found []protocol.FanIn
}

// candidates tries a fan-in for each line of its function f on which it may read the value.
func (r *reader) candidates(f *ir.Function, edge int) error {
	c := &f.Next[edge]
	me := r.own[len(r.own)-1]
	size := me.Size - r.place.SizeShift() + r.g.shape.Place(f.Name).SizeShift()
	lines := map[int64]bool{}
	for k := range c.Values {
		v := &c.Values[k]
		if v.Function != r.f.Name {
			continue
		}
		if shift, ok := v.Shift(); ok {
			lines[me.Index-shift] = true
			continue
		}
		if n, ok := v.Literal(); ok && n != me.Index {
			continue
		}
		for n := range size { // it does not say which
			lines[n] = true
		}
		break
	}
	order := make([]int64, 0, len(lines))
	for n := range lines {
		if n >= 0 && n < size {
			order = append(order, n)
		}
	}
	slices.Sort(order)
	for _, n := range order {
		if err := r.candidate(f, edge, ir.Frame{Index: n, Size: size, Iteration: me.Iteration}); err != nil {
			return err
		}
	}
	return nil
}

// candidate tries a fan-in of the function f with the frame at.
func (r *reader) candidate(f *ir.Function, edge int, at ir.Frame) error {
	c := &f.Next[edge]
	env := ir.Env{Frames: slices.Clone(r.own)}
	env.Frames[len(env.Frames)-1] = at
	if holds, err := c.If.Holds(&env); err != nil || !holds {
		return err
	}
	lines := slices.Clone(r.lines)
	last := &lines[len(lines)-1]
	last.Index, last.Size, last.Iteration = at.Index, at.Size, at.Iteration
	fan := protocol.FanIn{Pop: c.Pop}
	goal := c.Goal()
	if c.Pop {
		fan.Into = fmt.Sprintf("%s#%d", f.Name, edge)
	} else {
		to, err := moved(lines, c)
		if err != nil {
			return err
		}
		next, err := call(c.To, state{})
		if err != nil {
			return err
		}
		fan.Start = start(lines, c.To, to, next)
		goal = fan.Start.Line.Name
	}
	if r.seen[goal] {
		return nil // it is on the other side of one that has been found
	}
	reads, err := r.g.shape.Reads(f, c, &env)
	if err != nil {
		return err
	}
	if !slices.Contains(reads, ir.Read{Function: r.f.Name, Index: r.own[len(r.own)-1].Index}) {
		return nil
	}
	r.seen[goal] = true
	for _, read := range reads {
		fan.Values = append(fan.Values, lineName(read.Function, lines[:len(lines)-1], ir.Frame{Index: read.Index, Iteration: at.Iteration}))
	}
	r.found = append(r.found, fan)
	return nil
}
