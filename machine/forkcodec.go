package machine

import (
	"math"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/internal/wire"
)

// The parts of a stored frame that only ForkMode has.

// version is the first byte of f's encoding.
func (f *Frame) version() byte {
	if f.in.ForkMode {
		return forkVersion
	}
	return frameVersion
}

// line writes which branch f runs (0: the run itself) and the variables around it.
func (e *encoder) line(b []byte, f *Frame) []byte {
	if f.line == nil {
		return wire.AppendUint(b, 0)
	}
	b = wire.AppendUint(b, uint64(f.line.owner.Index)+1)
	b = wire.AppendUint(b, uint64(f.line.number))
	b = append(b, byte(f.line.verdict))
	return e.variables(b, f.root.outer)
}

// line reads what the encoder's line wrote and returns the graph of the branch.
func (d *decoder) line() *asl.Graph {
	f, r := d.f, d.r
	owner := r.Uint()
	if owner == 0 {
		return &f.in.Definition.Graph
	}
	if owner > uint64(len(f.in.Definition.AllStates)) {
		d.fail()
		return nil
	}
	l := &line{owner: f.in.Definition.AllStates[owner-1]}
	branches, number := branchesOf(l.owner), r.Uint()
	if l.verdict = verdict(r.Byte()); r.Err() != nil || l.verdict > exceeds || number >= uint64(len(branches)) {
		d.fail()
		return nil
	}
	l.number, f.line = int(number), l
	around := branch{}
	d.variables(&around)
	f.root.outer = around.variables
	return l.graph()
}

// away writes a fork whose branches run elsewhere.
func (e *encoder) away(b []byte, fk *fork) []byte {
	b = wire.AppendInt(b, fk.started)
	b = wire.AppendUint(b, uint64(fk.length))
	b = wire.AppendUint(b, uint64(fk.max))
	b = e.text(b, fk.items)
	b = e.text(b, fk.data)
	b = wire.AppendBool(b, fk.tolerance.set)
	b = wire.AppendInt(b, fk.tolerance.count)
	b = wire.AppendUint(b, math.Float64bits(fk.tolerance.percent))
	if b = wire.AppendBool(b, fk.run != nil); fk.run != nil {
		b = wire.AppendBytes(b, fk.run.AppendBinary(nil))
	}
	return b
}

// away reads what the encoder's away wrote and refuses what no branch could be made of.
func (d *decoder) away(br *branch) {
	r := d.r
	fk := &fork{owner: br, started: r.Int()}
	fk.length, fk.max = int(min(r.Uint(), 1<<40)), int(min(r.Uint(), 1<<40))
	fk.items, fk.data = d.text(), d.text()
	fk.tolerance = tolerance{set: r.Bool(), count: r.Int(), percent: math.Float64frombits(r.Uint())}
	items := fk.items
	if r.Bool() {
		run, err := DecodeMapRun(r.Bytes())
		if err != nil || run.Reader != nil || run.Batch != nil || d.f.in.Definition.StateNamed(run.State) != br.state {
			d.fail()
			return
		}
		fk.run, items = &run, run.Items
	}
	isMap := br.state.Type == asl.Map
	if r.Err() != nil || fk.length == 0 || (fk.run != nil) != distributed(br.state) || isMap && countElements(items) != fk.length ||
		!isMap && (fk.length != len(br.state.Parallel.Branches) || len(fk.data) == 0) {
		d.fail()
		return
	}
	br.fork = fk
}
