package machine

import (
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/internal/wire"
)

// frameVersion is the first byte of a stored frame. A new one is added here when the format changes, and
// DecodeFrame goes on reading the old.
//
//   - 1: the first
//   - 2: how often the run has been redriven, and the branches of runs that can be
//   - 3: branches have variables, the key of their item, and the event before StateEntered
//   - 4: as 3, of a run in ForkMode: which branch the frame runs, the variables around it, and a fork that is out
const (
	frameVersion = 3
	forkVersion  = 4
)

var errFrame = errors.New("machine: frame is malformed, of a newer version, or of another definition")

// AppendBinary appends the frame's encoding: who the run is, the counters, the tree of branches with the
// data each holds, and the order of those that are ready. A text that several branches share is stored
// once.
func (f *Frame) AppendBinary(b []byte) []byte {
	b = append(b, f.version())
	for _, s := range [...]string{f.exec.ID, f.exec.Name, f.exec.RoleARN, f.exec.MachineID, f.exec.MachineName} {
		b = wire.AppendString(b, s)
	}
	b = wire.AppendInt(b, f.exec.StartTime)
	b = wire.AppendUint(b, f.exec.Seed)
	b = wire.AppendBool(b, f.exec.Express)
	b = wire.AppendUint(b, uint64(f.status))
	b = wire.AppendInt(b, f.now)
	b = wire.AppendUint(b, f.lastID)
	b = wire.AppendInt(b, f.lastEvent)
	b = wire.AppendUint(b, f.random)
	b = wire.AppendUint(b, f.deadline)
	b = wire.AppendBool(b, f.yielded)
	b = wire.AppendInt(b, f.redrives)
	b = wire.AppendInt(b, f.redriven)
	kept := f.root.state != nil
	b = wire.AppendBool(b, kept)
	if !kept {
		return b
	}
	e := encoder{numbers: make(map[*branch]uint64, len(f.ready)), ended: f.status != Running}
	b = e.text(b, f.input)
	if f.in.ForkMode {
		b = e.line(b, f)
	}
	for _, r := range f.ready {
		e.numbers[r] = 0
	}
	b = e.branch(b, &f.root)
	queue := slices.DeleteFunc(slices.Clone(f.ready), func(r *branch) bool { return e.numbers[r] == 0 || r.phase != ready && r.phase != revived })
	b = wire.AppendUint(b, uint64(len(queue)))
	for _, r := range queue {
		b = wire.AppendUint(b, e.numbers[r])
	}
	if f.in.Mocks != nil {
		b = wire.AppendUint(b, uint64(len(f.answers)))
		for _, i := range slices.Sorted(maps.Keys(f.answers)) {
			b = wire.AppendInt(wire.AppendUint(b, uint64(i)), f.answers[i])
		}
	}
	return b
}

// encoder walks the branches in depth-first order and numbers them from 1.
type encoder struct {
	count   uint64
	numbers map[*branch]uint64 // of those in the ready queue; 0: not met
	texts   [4][]byte          // the last texts written, which others may share
	next    int
	ended   bool // the run may be redriven: its branches are stopped
}

// The tags of a text; a tag past them is a reference to one of the last texts.
const (
	textNone = iota
	textHere
	textShared
)

// text writes a text, or which of the last texts it is.
func (e *encoder) text(b, t []byte) []byte {
	if len(t) == 0 {
		return append(b, textNone)
	}
	for i, old := range e.texts {
		if len(old) == len(t) && &old[0] == &t[0] {
			return append(b, byte(textShared+i))
		}
	}
	e.texts[e.next] = t
	e.next = (e.next + 1) % len(e.texts)
	return wire.AppendBytes(append(b, textHere), t)
}

func (e *encoder) branch(b []byte, br *branch) []byte {
	e.count++
	if _, ok := e.numbers[br]; ok {
		e.numbers[br] = e.count
	}
	b = append(b, byte(br.phase))
	b = wire.AppendUint(b, uint64(br.index))
	b = wire.AppendUint(b, uint64(br.state.Index))
	b = e.text(b, br.input)
	b = e.text(b, br.item)
	b = e.text(b, br.key)
	b = e.variables(b, br.variables)
	b = wire.AppendInt(b, br.entered)
	b = wire.AppendInt(b, br.enteredAt)
	b = wire.AppendInt(b, br.before)
	b = wire.AppendInt(b, br.prev)
	b = wire.AppendUint(b, uint64(len(br.attempts)))
	for _, n := range br.attempts {
		b = wire.AppendInt(b, n)
	}
	b = wire.AppendInt(b, br.retries)
	b = wire.AppendUint(b, br.invocation)
	b = wire.AppendUint(b, br.timer)
	if br.timer != 0 {
		b = wire.AppendInt(b, br.due)
	}
	b = wire.AppendUint(b, br.beat)
	if br.beat != 0 {
		b = wire.AppendInt(b, br.beatDue)
		b = wire.AppendInt(b, br.beatEvery)
	}
	b = wire.AppendBool(b, br.tail)
	if br.ofActivity() {
		b = e.text(b, br.arguments)
	}
	if br.phase == queued {
		b = wire.AppendInt(b, br.due)
		b = wire.AppendInt(b, br.beatEvery)
	}
	if distributed(br.state) {
		b = wire.AppendUint(b, br.mapped)
	}
	if e.ended {
		b = wire.AppendBool(b, br.fork != nil)
	}
	switch {
	case br.phase == forking:
		b = e.away(b, br.fork)
	case br.phase == forked || e.ended && br.fork != nil:
		b = e.fork(b, br.fork)
	}
	return b
}

func (e *encoder) variables(b []byte, vs variables) []byte {
	b = wire.AppendUint(b, uint64(len(vs)))
	for _, v := range vs {
		b = wire.AppendString(b, v.name)
		b = e.text(b, v.value.text)
	}
	return b
}

func (e *encoder) fork(b []byte, fk *fork) []byte {
	b = wire.AppendInt(b, fk.started)
	b = wire.AppendUint(b, uint64(fk.length))
	for _, r := range fk.results {
		b = e.text(b, r)
	}
	b = wire.AppendUint(b, uint64(fk.done))
	if fk.owner.state.Type == asl.Map {
		b = e.text(b, fk.items)
		for _, n := range [...]int{fk.at, fk.next, fk.max, fk.failed} {
			b = wire.AppendUint(b, uint64(n))
		}
		b = wire.AppendBool(b, fk.tolerance.set)
		b = wire.AppendInt(b, fk.tolerance.count)
		b = wire.AppendUint(b, math.Float64bits(fk.tolerance.percent))
		b = e.text(b, fk.data)
	}
	b = wire.AppendUint(b, uint64(len(fk.children)))
	for _, c := range fk.children {
		b = e.branch(b, c)
	}
	return b
}

// DecodeFrame returns the frame that AppendBinary wrote, for in, which must run the definition of the frame.
// The frame keeps b's texts, so b must not change. Any bytes give a frame or an error.
func DecodeFrame(b []byte, in *Interpreter) (*Frame, error) {
	in.prepare()
	f := &Frame{in: in}
	d := decoder{f: f, r: wire.NewReader(b)}
	if err := d.frame(); err != nil {
		return nil, err
	}
	return f, nil
}

type decoder struct {
	version  byte
	f        *Frame
	r        *wire.Reader
	branches []*branch // by number - 1
	texts    [4][]byte
	next     int
	ended    bool // the run is not running: its branches are stopped
}

func (d *decoder) fail() { d.r.Fail(errFrame) }

func (d *decoder) frame() error {
	f, r := d.f, d.r
	if d.version = r.Byte(); d.version == 0 || d.version > forkVersion || (d.version == forkVersion) != f.in.ForkMode {
		d.fail()
	}
	for _, s := range [...]*string{&f.exec.ID, &f.exec.Name, &f.exec.RoleARN, &f.exec.MachineID, &f.exec.MachineName} {
		*s = r.String()
	}
	f.exec.StartTime = r.Int()
	f.exec.Seed = r.Uint()
	f.exec.Express = r.Bool()
	f.status = Status(r.Byte())
	f.now = r.Int()
	f.lastID = r.Uint()
	f.lastEvent = r.Int()
	f.random = r.Uint()
	f.deadline = r.Uint()
	f.yielded = r.Bool()
	if r.Err() == nil && (f.status > Aborted || f.lastEvent < 0 || f.deadline > f.lastID) {
		d.fail()
	}
	kept := f.status == Running
	if d.version >= 2 {
		f.redrives, f.redriven = r.Int(), r.Int()
		kept = r.Bool()
	}
	d.ended = f.status != Running
	if r.Err() == nil && kept != (f.status == Running) && f.status <= Succeeded {
		d.fail()
	}
	if kept && r.Err() == nil {
		d.running()
	}
	if r.Err() == nil && r.Len() != 0 {
		d.fail()
	}
	return r.Err()
}

func (d *decoder) running() {
	f, r := d.f, d.r
	f.input = d.text()
	graph := &f.in.Definition.Graph
	if f.in.ForkMode {
		graph = d.line()
	}
	d.branch(&f.root, nil, graph)
	n := r.Count(1)
	for range n {
		i := r.Uint()
		if i == 0 || i > uint64(len(d.branches)) || d.branches[i-1].phase != ready && d.branches[i-1].phase != revived {
			d.fail()
			return
		}
		f.ready = append(f.ready, d.branches[i-1])
	}
	if f.in.Mocks != nil {
		d.answers()
	}
}

func (d *decoder) answers() {
	for range d.r.Count(2) {
		i, n := d.r.Uint(), d.r.Int()
		if i >= uint64(len(d.f.in.Definition.AllStates)) || n < 0 {
			d.fail()
			return
		}
		if d.f.answers == nil {
			d.f.answers = map[int]int64{}
		}
		d.f.answers[int(i)] = n
	}
}

func (d *decoder) text() []byte {
	switch tag := d.r.Byte(); {
	case tag == textNone:
		return nil
	case tag == textHere:
		t := d.r.Bytes()
		if len(t) == 0 {
			d.fail()
			return nil
		}
		d.texts[d.next] = t
		d.next = (d.next + 1) % len(d.texts)
		return t
	case int(tag-textShared) < len(d.texts) && d.texts[tag-textShared] != nil:
		return d.texts[tag-textShared]
	}
	d.fail()
	return nil
}

// branch reads a branch of graph g into br and refuses what the interpreter could not go on from.
func (d *decoder) branch(br *branch, parent *fork, g *asl.Graph) {
	r := d.r
	br.parent = parent
	d.branches = append(d.branches, br)
	br.phase = phase(r.Byte())
	br.index = int(min(r.Uint(), 1<<40))
	index := r.Uint()
	if r.Err() != nil || !d.takes(br.phase) || index >= uint64(len(d.f.in.Definition.AllStates)) || d.f.in.graphs[index] != g {
		d.fail()
		return
	}
	br.state = d.f.in.Definition.AllStates[index]
	br.input, br.item = d.text(), d.text()
	if d.version >= 3 {
		br.key = d.text()
		d.variables(br)
	}
	br.entered, br.enteredAt = r.Int(), r.Int()
	if d.version >= 3 {
		br.before = r.Int()
	}
	br.prev = r.Int()
	n := r.Count(1)
	if n != 0 && n != len(br.state.Retry) {
		d.fail()
		return
	}
	for range n {
		br.attempts = append(br.attempts, r.Int())
	}
	br.retries = r.Int()
	br.invocation, br.timer = d.id(br), d.id(br)
	if br.timer != 0 {
		br.due = r.Int()
	}
	if br.beat = d.id(br); br.beat != 0 {
		br.beatDue, br.beatEvery = r.Int(), r.Int()
	}
	br.tail = r.Bool()
	if br.ofActivity() {
		br.arguments = d.text()
	}
	if br.phase == queued {
		br.due, br.beatEvery = r.Int(), r.Int()
	}
	if distributed(br.state) {
		if br.mapped = r.Uint(); br.mapped > d.f.lastID {
			d.fail()
		}
	}
	if r.Err() == nil && !br.consistent() {
		d.fail()
	}
	switch {
	case r.Err() != nil:
	case br.phase == forking:
		d.away(br)
	case br.phase == forked || d.ended && r.Bool():
		d.fork(br)
	}
}

func (d *decoder) variables(br *branch) {
	for range d.r.Count(2) {
		v := &variable{name: d.r.String(), value: textValue(d.text())}
		if d.r.Err() == nil && (len(v.value.text) == 0 || br.variables.get(v.name) != nil) {
			d.fail()
			return
		}
		br.variables = append(br.variables, v)
		d.f.variables += len(v.value.text)
	}
}

// takes reports whether a branch of such a run may be stored in phase p.
func (d *decoder) takes(p phase) bool {
	if d.ended {
		return p == idle || p == unbegun
	}
	return p > idle && p <= forked || p == revived || p == queued || p == mapping || p == forking && d.version == forkVersion
}

// consistent reports whether a decoded branch's phase fits its state and what it waits for.
func (br *branch) consistent() bool {
	t := br.state.Type
	switch br.phase {
	case working:
		return t == asl.Task && br.invocation != 0 && (len(br.arguments) > 0) == br.ofActivity()
	case queued:
		return br.ofActivity() && br.invocation != 0 && br.timer == 0 && br.beat == 0 && len(br.arguments) > 0
	case waiting:
		return t == asl.Wait && br.timer != 0
	case backoff:
		return br.timer != 0 && len(br.state.Retry) > 0
	case forked:
		return t == asl.Parallel || t == asl.Map && br.state.Map.Distributed == nil
	case forking:
		return (t == asl.Parallel || t == asl.Map) && br.invocation != 0
	case mapping:
		return t == asl.Map && br.state.Map.Distributed != nil && br.invocation != 0
	}
	return true
}

// id reads an invocation's or timer's id and routes it.
func (d *decoder) id(br *branch) uint64 {
	id := d.r.Uint()
	if id > d.f.lastID {
		d.fail()
		return 0
	}
	if id != 0 {
		d.f.route(id, br)
	}
	return id
}

func (d *decoder) fork(br *branch) {
	r := d.r
	if t := br.state.Type; t != asl.Parallel && t != asl.Map {
		d.fail()
		return
	}
	fk := &fork{owner: br, started: r.Int()}
	fk.length = r.Count(1)
	fk.results = make([][]byte, fk.length)
	for i := range fk.results {
		fk.results[i] = d.text()
	}
	fk.done = int(min(r.Uint(), 1<<40))
	fk.next, fk.max = fk.length, fk.length
	if br.state.Type == asl.Map {
		d.mapFields(fk)
	}
	n := r.Count(12)
	if r.Err() != nil || fk.started <= 0 || fk.done+n+fk.length-fk.next != fk.length || n == 0 && !d.ended ||
		br.state.Type == asl.Parallel && fk.length != len(br.state.Parallel.Branches) {
		d.fail()
		return
	}
	br.fork = fk
	for range n {
		c := fk.add(0)
		d.child(c, fk)
		if r.Err() != nil {
			return
		}
	}
}

func (d *decoder) child(c *branch, fk *fork) {
	st := fk.owner.state
	if st.Type == asl.Map {
		d.branch(c, fk, st.Map.Processor)
	} else if i := d.peekIndex(); i < len(st.Parallel.Branches) {
		d.branch(c, fk, st.Parallel.Branches[i])
	} else {
		d.fail()
	}
	if d.r.Err() == nil && c.index >= fk.length {
		d.fail()
	}
}

// peekIndex returns the index of the branch that comes next, which stands behind its phase.
func (d *decoder) peekIndex() int {
	ahead := *d.r
	ahead.Byte()
	return int(min(ahead.Uint(), 1<<40))
}

func (d *decoder) mapFields(fk *fork) {
	r := d.r
	fk.items = d.text()
	for _, n := range [...]*int{&fk.at, &fk.next, &fk.max, &fk.failed} {
		*n = int(min(r.Uint(), 1<<40))
	}
	fk.tolerance.set = r.Bool()
	fk.tolerance.count = r.Int()
	fk.tolerance.percent = math.Float64frombits(r.Uint())
	fk.data = d.text()
	if fk.next > fk.length || fk.at < 1 || fk.at > len(fk.items) || fk.max < 1 || countElements(fk.items) != fk.length {
		d.fail()
	}
}
