package statemachine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// MapRun is one Map Run: what is left of its items, the children in flight, and what has come of the others.
type MapRun struct {
	library    *Library
	rev        *Loaded // of the children
	run        machine.MapRun
	parent     string // instance that gets OpMapEnded
	invocation uint64 // its number for this Map Run
	seed       uint64 // of the children's names and seeds

	status            machine.Status
	started, stopped  int64 // Unix milliseconds
	redrives          int64
	redriven          int64 // Unix milliseconds
	items, children   Counts
	errorName, reason string // why it fails; "": it does not
	halted            bool   // the run of its Map wants it no more
	wanted            bool   // and then wants it to go on

	in     source
	item   int64    // number of the next item
	child  uint64   // number of the next child
	batch  [][]byte // inputs of the items of the next child
	flight map[uint64]uint64
	lost   []lostChild // ended, and not well
	again  []lostChild // to be started again

	results    [][]byte // by child; nil: none (yet)
	size       int      // of results, in bytes
	overflow   bool     // results are too large to be the state's
	exporting  uint64   // the invocation of ExportResults; 0: none
	exported   bool
	output     []byte // of ExportResults
	lastCallID uint64

	selector *machine.Selector // not stored
}

// lostChild is a child that has not succeeded.
type lostChild struct {
	index, items uint64
	status       machine.Status
}

// childrenPerStep bounds how many children one step starts, before the partition serves others.
const childrenPerStep = 1000

// View returns what a client sees of the Map Run now.
func (m *MapRun) View() *MapRunView {
	v := &MapRunView{
		Machine: m.rev.Machine, Name: m.run.Name, Parent: m.parent, Status: m.status, Started: m.started, Stopped: m.stopped,
		MaxConcurrency: m.run.MaxConcurrency, FailureCount: m.run.Tolerance.Count, FailurePercent: m.run.Tolerance.Percent,
		Redrives: m.redrives, Redriven: m.redriven, Items: m.items, Children: m.children, Express: m.rev.Express,
	}
	settle := func(c *Counts) {
		ended := c.Succeeded + c.Failed + c.TimedOut + c.Aborted
		if m.status != machine.Running && !m.overflow && m.run.Writer == nil {
			c.ResultsWritten = c.Succeeded
		} else if m.exported {
			c.ResultsWritten = ended
		}
		c.Total = c.Pending + c.Running + ended
	}
	if m.run.Batch == nil {
		v.Children.Pending = v.Items.Pending
	}
	settle(&v.Items)
	settle(&v.Children)
	return v
}

// Receive implements partition.Instance.
func (m *MapRun) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Kind {
	case partition.Message:
		m.message(env, ev)
	case partition.Done:
		m.done(env, ev)
	case partition.Continue:
		m.advance(env)
	}
}

func (m *MapRun) message(env *partition.Env, ev *partition.Event) {
	switch ev.Op {
	case OpMapStart:
		m.start(env, ev)
	case OpMapStop:
		m.halt(env)
	case OpChildEnded:
		m.childEnded(env, ev.Body)
	case OpMapUpdate:
		m.update(env, ev.Body)
	case OpMapRedrive:
		m.redrive(env, ev.Body)
	}
}

func (m *MapRun) start(env *partition.Env, ev *partition.Event) {
	if !env.Created {
		return // names of Map Runs are unique within a run's life
	}
	start, err := decodeMapStart(ev.Body)
	if err == nil {
		m.rev, err = m.library.Load(env.KeepBlob(start.Blob), start.Blob)
	}
	if err != nil {
		env.Send(start.Parent, RunsID, OpMapEnded, (&mapEnd{invocation: start.Invocation, error: "States.Runtime", cause: err.Error()}).encode())
		env.Discard()
		return
	}
	m.run, m.parent, m.invocation, m.seed = start.Run, start.Parent, start.Invocation, start.Seed
	m.status, m.started = machine.Running, env.Now
	m.flight = make(map[uint64]uint64)
	m.in = newSource(&m.run)
	m.items.Pending = m.in.known
	env.List(m.summary())
	m.advance(env)
}

func (m *MapRun) summary() partition.Summary {
	name, run, _ := SplitRun(m.parent)
	return partition.Summary{Group: MapRunsGroup(name, run), Label: m.rev.Machine, Status: uint8(m.status), Time: m.started, Ended: m.stopped}
}

// stopping reports whether no child is started any more.
func (m *MapRun) stopping() bool { return m.halted || m.errorName != "" }

// advance starts what may be started, reads ahead, and ends the Map Run when nothing is left.
func (m *MapRun) advance(env *partition.Env) {
	if m.status != machine.Running {
		return
	}
	for n := 0; !m.stopping() && len(m.flight) < m.concurrency() && m.startNext(env); n++ {
		if n == childrenPerStep {
			env.Continue()
			return
		}
	}
	if !m.stopping() {
		m.readAhead(env)
	}
	if len(m.flight) == 0 && (m.stopping() || m.exhausted()) {
		m.settle(env)
	}
}

func (m *MapRun) concurrency() int {
	if c := m.run.MaxConcurrency; c > 0 && c < limits.MapChildren {
		return int(c)
	}
	return limits.MapChildren
}

// exhausted reports whether every item has been given to a child.
func (m *MapRun) exhausted() bool { return m.in.exhausted() && len(m.batch) == 0 && len(m.again) == 0 }

// startNext starts one more child; false when there is nothing to start one with, now or at all.
func (m *MapRun) startNext(env *partition.Env) bool {
	if n := len(m.again); n > 0 {
		c := m.again[n-1]
		m.again = m.again[:n-1]
		m.restart(env, c)
		return true
	}
	if m.run.Batch == nil {
		input, ok := m.take(env)
		if ok {
			m.startChild(env, input, 1)
		}
		return ok
	}
	if !m.fillBatch(env) {
		return false
	}
	input := m.run.Batch.AppendBatch(nil, m.batch)
	m.startChild(env, input, uint64(len(m.batch)))
	clear(m.batch)
	m.batch = m.batch[:0]
	return true
}

// fillBatch takes items until no more go into the batch, and reports whether that is so.
func (m *MapRun) fillBatch(env *partition.Env) bool {
	b := m.run.Batch
	most := m.library.payloadBytes()
	if b.MaxBytes > 0 {
		most = int(min(b.MaxBytes, int64(most)))
	}
	size := b.Overhead()
	for _, item := range m.batch {
		size += len(item) + 1
	}
	for b.MaxItems <= 0 || int64(len(m.batch)) < b.MaxItems {
		before, item, pending := m.in, m.item, m.items.Pending
		input, ok := m.take(env)
		switch {
		case m.stopping():
			return false
		case !ok:
			return len(m.batch) > 0 && m.in.exhausted()
		}
		if size += len(input); size > most {
			if len(m.batch) > 0 {
				m.in, m.item, m.items.Pending = before, item, pending // the next batch begins with it
				return true
			}
			m.fail(env, errReaderFailed, fmt.Sprintf("The item %d makes a batch of %d bytes, which is above the maximum of %d bytes.", item, size, most))
			return false
		}
		size++
		m.batch = append(m.batch, input)
		m.items.Pending++ // until its batch is started
	}
	return true
}

// take returns the input made of the next item; false when there is none, now or at all, or when it cannot be made.
func (m *MapRun) take(env *partition.Env) ([]byte, bool) {
	value, key, ok := m.in.next(&m.run)
	if !ok {
		return nil, false
	}
	if m.selector == nil {
		var err error
		if m.selector, err = m.rev.Parent.NewSelector(&m.run); err != nil {
			m.fail(env, "States.Runtime", err.Error())
			return nil, false
		}
	}
	input, name, cause := m.selector.Select(m.item, key, value, m.in.name)
	if name != "" {
		m.fail(env, name, cause)
		return nil, false
	}
	m.item++
	m.items.Pending--
	return input, true
}

func (m *MapRun) startChild(env *partition.Env, input []byte, items uint64) {
	index := m.child
	m.child++
	if m.run.Batch != nil {
		m.items.Pending -= int64(items)
	}
	m.flies(index, items)
	msg := startChild{
		Revision: m.rev.Blob, Seed: mixed(m.seed, index), MapRun: env.Name, Index: index, Items: items, Keep: m.exports(), Input: input,
	}
	env.SendNew(m.rev.Blob, RunInstance(m.rev.Machine, m.childName(index)), RunsID, OpStartChild, msg.encode())
}

func (m *MapRun) flies(index, items uint64) {
	m.flight[index] = items
	m.items.Running += int64(items)
	m.children.Running++
}

// exports reports whether the results of the children are written by a ResultWriter.
func (m *MapRun) exports() bool { return m.run.Writer != nil && m.run.Writer.Arguments != nil }

func (m *MapRun) childName(index uint64) string { return machine.UUID(mixed(m.seed, index)) }

// mixed draws from a seed (splitmix64).
func mixed(seed, index uint64) uint64 { return check(seed, index) }

func (m *MapRun) readAhead(env *partition.Env) {
	if !m.in.wants() {
		return
	}
	reader := m.rev.each.Map.Distributed.Reader
	req := ReadRequest{
		Resource: reader.Resource, Arguments: m.run.Reader.Arguments, Config: reader.Config, MaxItems: m.run.Reader.MaxItems, Cursor: m.in.cursor,
	}
	req.Config.MaxItems = asl.Amount{}
	m.in.reading = m.call(env, ReadItems, &req)
}

func (m *MapRun) call(env *partition.Env, function string, req any) uint64 {
	input, err := json.Marshal(req)
	if err != nil {
		panic(fmt.Sprintf("statemachine: %T does not encode: %v", req, err)) // its raw parts are valid JSON
	}
	m.lastCallID++
	env.Invoke(partition.Invocation{ID: m.lastCallID, Function: function, Input: input})
	return m.lastCallID
}

func (m *MapRun) done(env *partition.Env, ev *partition.Event) {
	switch ev.ID {
	case m.in.reading:
		m.in.reading = 0
		page, err := decodePage(ev.Body)
		switch {
		case m.stopping():
		case ev.Failed():
			m.fail(env, ev.Error, ev.Cause)
		case err != nil:
			m.fail(env, errReaderFailed, err.Error())
		default:
			m.items.Pending += m.in.add(&page)
		}
	case m.exporting:
		m.exporting = 0
		m.exported = !ev.Failed()
		m.output = ev.Body
		if ev.Failed() && m.errorName == "" {
			m.errorName, m.reason = ev.Error, ev.Cause
		}
		m.end(env)
		return
	}
	m.advance(env)
}

// childEnded takes the news of a child in flight.
func (m *MapRun) childEnded(env *partition.Env, body []byte) {
	c, err := decodeChildEnd(body)
	items, flies := m.flight[c.index]
	if err != nil || !flies {
		return
	}
	delete(m.flight, c.index)
	m.items.Running -= int64(items)
	m.children.Running--
	m.items.add(c.status, int64(items))
	m.children.add(c.status, 1)
	if c.status == machine.Succeeded {
		m.keep(c.index, c.output)
	} else {
		m.lost = append(m.lost, lostChild{index: c.index, items: items, status: c.status})
		m.judge(env)
	}
	m.advance(env)
}

// keep keeps a result for the output of the state.
func (m *MapRun) keep(index uint64, output []byte) {
	if m.exports() || m.overflow {
		return
	}
	if m.size += len(output) + 1; m.size > m.library.payloadBytes() {
		m.results, m.overflow = nil, true
		return
	}
	for uint64(len(m.results)) <= index {
		m.results = append(m.results, nil)
	}
	m.results[index] = output
}

// judge fails the Map Run when too many items have failed.
func (m *MapRun) judge(env *partition.Env) {
	total := int64(-1)
	if m.in.complete() {
		total = m.in.known
	}
	if !m.stopping() && m.run.Tolerance.Exceeded(m.items.Failed+m.items.TimedOut, total) {
		m.fail(env, errThreshold, causeThreshold)
	}
}

// fail lets the Map Run end with an error once its children have.
func (m *MapRun) fail(env *partition.Env, name, cause string) {
	if m.stopping() {
		return
	}
	m.errorName, m.reason = name, cause
	m.stopChildren(env)
}

func (m *MapRun) halt(env *partition.Env) {
	if m.status != machine.Running || m.halted {
		return
	}
	stop := !m.stopping()
	m.halted = true
	if m.exporting != 0 {
		env.Cancel(m.exporting)
		m.exporting = 0
	}
	if stop {
		m.stopChildren(env)
	}
	m.advance(env)
}

func (m *MapRun) stopChildren(env *partition.Env) {
	if m.in.reading != 0 {
		env.Cancel(m.in.reading)
		m.in.reading = 0
	}
	for _, index := range slices.Sorted(maps.Keys(m.flight)) {
		env.Send(RunInstance(m.rev.Machine, m.childName(index)), RunsID, OpStop, StopBody("", ""))
	}
}

// settle ends the Map Run, or has its results exported first.
func (m *MapRun) settle(env *partition.Env) {
	m.judge(env) // a percentage can be judged now
	switch {
	case m.exporting != 0:
	case m.exports() && !m.halted:
		w := m.rev.each.Map.Distributed.Writer
		m.exporting = m.call(env, ExportResults, &ExportRequest{
			Machine: m.rev.Machine, Name: m.run.Name, Arguments: m.run.Writer.Arguments, Transformation: w.Transformation, OutputType: w.OutputType,
		})
	default:
		m.end(env)
	}
}

// end ends the Map Run and tells the run of its Map.
func (m *MapRun) end(env *partition.Env) {
	if m.overflow && m.errorName == "" {
		m.errorName, m.reason = errDataLimit, fmt.Sprintf(
			"The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", m.run.State)
	}
	m.stopped = env.Now
	switch {
	case m.halted:
		m.status = machine.Aborted
	case m.errorName != "":
		m.status = machine.Failed
	default:
		m.status = machine.Succeeded
	}
	if !m.halted {
		msg := mapEnd{invocation: m.invocation, error: m.errorName, cause: m.reason}
		if m.status == machine.Succeeded {
			msg.output = m.outcome()
		}
		env.Send(m.parent, RunsID, OpMapEnded, msg.encode())
	}
	env.List(m.summary())
	env.End(nil)
	if m.wanted {
		m.takeUp(env)
	}
}

// outcome is the result of a Map Run that succeeded: the results of its children in order, or where they are.
func (m *MapRun) outcome() []byte {
	if m.exports() {
		return m.output
	}
	out := append(make([]byte, 0, m.size+2), '[')
	for _, r := range m.results {
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

func (m *MapRun) update(env *partition.Env, body []byte) {
	var u MapUpdate
	switch err := json.Unmarshal(body, &u); {
	case err != nil:
		env.Reply(fault.New("", fault.Internal, env.Name, "the update of a Map Run does not decode: %w", err))
		return
	case m.status != machine.Running:
		arn := m.library.MapRunARN(m.rev.Machine, m.run.Name)
		env.Reply(fault.New("", fault.InvalidInput, arn, "Map Run '%s' is in a terminal state and cannot be updated", arn))
		return
	}
	t := &m.run.Tolerance
	if u.MaxConcurrency != nil {
		m.run.MaxConcurrency = *u.MaxConcurrency
	}
	if u.FailureCount != nil {
		t.HasCount, t.Count = true, *u.FailureCount
	}
	if u.FailurePercent != nil {
		t.HasPercent, t.Percent = true, *u.FailurePercent
	}
	env.Reply(m.View())
	m.judge(env)
	m.advance(env)
}

// redrive starts what failed again, and goes on with what was not begun. One that is not there any more has failed.
func (m *MapRun) redrive(env *partition.Env, body []byte) {
	again, err := decodeMapAgain(body)
	switch {
	case env.Created || err != nil:
		end := mapEnd{invocation: again.invocation, error: "States.Runtime", cause: "The Map Run is not kept any more."}
		env.Send(again.parent, RunsID, OpMapEnded, end.encode())
		env.Discard()
	case m.status == machine.Running && m.halted:
		m.wanted = true // when what was stopped has ended
	case m.status == machine.Running:
	case m.status == machine.Succeeded:
		env.Send(m.parent, RunsID, OpMapEnded, (&mapEnd{invocation: m.invocation, output: m.outcome()}).encode())
	default:
		m.takeUp(env)
	}
}

// takeUp lets a Map Run that has ended, and not well, go on.
func (m *MapRun) takeUp(env *partition.Env) {
	env.Reopen()
	m.status, m.stopped, m.errorName, m.reason, m.halted, m.wanted = machine.Running, 0, "", "", false, false
	m.redrives++
	m.redriven = env.Now
	m.exported, m.output = false, nil
	for _, c := range m.lost {
		m.items.add(c.status, -int64(c.items))
		m.children.add(c.status, -1)
		m.items.Pending += int64(c.items)
		m.children.Pending++
	}
	m.again, m.lost = append(m.again, m.lost...), nil
	slices.SortFunc(m.again, func(a, b lostChild) int { return cmp.Compare(b.index, a.index) }) // the first is taken last
	env.List(m.summary())
	m.advance(env)
}

// restart starts a child again from its input, which it has.
func (m *MapRun) restart(env *partition.Env, c lostChild) {
	m.items.Pending -= int64(c.items)
	m.children.Pending--
	m.flies(c.index, c.items)
	again := startChild{Revision: m.rev.Blob, Seed: mixed(m.seed, c.index), MapRun: env.Name, Index: c.index, Items: c.items, Keep: m.exports()}
	env.Send(RunInstance(m.rev.Machine, m.childName(c.index)), RunsID, OpChildAgain, again.encode())
}
