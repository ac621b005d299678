package workflow

import (
	"slices"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// EntityView is an entity as a client sees it.
type EntityView struct {
	Target   string // name and key, see durable.SplitEntity
	State    []byte // one JSON text; nil when there is none
	Created  int64  // Unix milliseconds
	Modified int64
	Waiting  int    // operations in the queue
	LockedBy string // run id; "" when it is not locked
	Blocked  string // why operations wait, filled in by who shows it: its code is not there
}

// Entities is the program of entities.
type Entities struct {
	// InboxEvents bounds what clients may have waiting for one entity. 0: limits.InboxEvents.
	InboxEvents int
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
}

// Creates reports whether op makes an entity.
func (p *Entities) Creates(op uint8) bool { return op == OpSignal || op == OpCall || op == OpLock }

// New returns an entity without state.
func (p *Entities) New() partition.Instance { return &Entity{program: p} }

// item is what waits in an entity's queue: an operation, or a lock request.
type item struct {
	op   Operation
	lock *Lock
}

// Entity is one entity.
type Entity struct {
	program  *Entities
	target   string
	state    []byte // nil: none
	created  int64
	modified int64
	steps    uint64
	counter  uint64 // of timers and of runs started

	// queue is what waits while nobody holds the entity; held what the holder has sent. A step works on the front of one
	// of them: of held while holder is set. Releasing the lock puts held before queue, so the front stays the same.
	queue  []item
	held   []item
	bytes  int // of the inputs of all operations that wait, later's too
	holder *Lock
	later  []delayed // scheduled signals, by rising timer
}

type delayed struct {
	timer uint64
	op    Operation
}

// EntityJob is what the code of an entity needs for a step.
type EntityJob struct {
	Target string
	Step   uint64
	Now    int64 // Unix milliseconds
	State  []byte
	Ops    []Operation
}

// View returns what a client sees of the entity now.
func (e *Entity) View() *EntityView {
	v := &EntityView{Target: e.target, State: e.state, Created: e.created, Modified: e.modified, Waiting: len(e.queue) + len(e.held)}
	if e.holder != nil {
		v.LockedBy, _ = RunID(e.holder.From.Instance)
	}
	return v
}

// turn returns those of the queue and what the holder has sent whose turn it is.
func (e *Entity) turn() []item {
	if e.holder != nil {
		return e.held
	}
	return e.queue
}

// front returns the operations that can be done now.
func (e *Entity) front() []item {
	list := e.turn()
	n, size := 0, len(e.state)
	for n < len(list) && n < limits.OperationsPerStep && list[n].lock == nil && (n == 0 || size < limits.OperationsPerStepBytes) {
		size += len(list[n].op.Input)
		n++
	}
	return list[:n]
}

// Owes implements partition.Coder: whether front has anything. It is asked for every message that comes, so it does not
// gather what may be a long queue.
func (e *Entity) Owes() bool {
	list := e.turn()
	return len(list) > 0 && list[0].lock == nil
}

// Work implements partition.Coder.
func (e *Entity) Work(env *partition.Env) any {
	front := e.front()
	j := &EntityJob{Target: e.target, Step: e.steps + 1, Now: env.Now, State: e.state, Ops: make([]Operation, len(front))}
	for i := range front {
		j.Ops[i] = front[i].op
	}
	return j
}

// Receive implements partition.Instance.
func (e *Entity) Receive(env *partition.Env, ev *partition.Event) {
	if env.Created {
		e.target, _ = EntityTarget(env.Name)
		e.created = env.Now
		env.List(e.summary())
	}
	switch ev.Kind {
	case partition.Message:
		e.message(env, ev)
	case partition.Due:
		e.due(env, ev.ID)
	case partition.Stepped:
		e.stepped(env, ev)
	}
	e.pump(env)
}

func (e *Entity) summary() partition.Summary {
	name, _, _ := durable.SplitEntity(e.target)
	return partition.Summary{Group: EntitiesGroup, Label: name, Status: 1, Time: e.created}
}

func (e *Entity) message(env *partition.Env, ev *partition.Event) {
	switch ev.Op {
	case OpSignal, OpCall:
		e.operation(env, ev)
	case OpLock:
		r := wire.NewReader(ev.Body)
		if m := readLock(r); r.Err() == nil {
			e.queue = append(e.queue, item{lock: &m})
		}
	case OpUnlock:
		r := wire.NewReader(ev.Body)
		if from := readAddress(r); r.Err() == nil && e.heldBy(from) {
			e.release()
		}
	case OpCancel:
		r := wire.NewReader(ev.Body)
		if m := readLock(r); r.Err() == nil {
			e.cancel(env, &m)
		}
	}
}

func (e *Entity) operation(env *partition.Env, ev *partition.Event) {
	op, err := decodeOperation(ev.Body)
	switch {
	case err != nil:
		env.Reply(fault.New("", fault.Internal, e.target, "operation does not decode: %w", err))
		return
	case fromClient(ev) && (len(e.queue)+len(e.later) >= inboxEvents(e.program.InboxEvents) || e.bytes > limits.InboxBytes):
		env.Reply(fault.New("", fault.Busy, e.target, "%d operations of %d bytes wait for the entity, which is the most; is it locked, or is its code not there?", len(e.queue)+len(e.later), e.bytes))
		return
	}
	env.Reply(true)
	env.Keep(op.Input)
	if op.Due > env.Now {
		e.counter++
		env.SetTimer(e.counter, op.Due)
		e.later = append(e.later, delayed{e.counter, op})
		e.bytes += len(op.Input)
		return
	}
	e.bytes += len(op.Input)
	e.enqueue(op)
}

// keepValues keeps the large values that the entity refers to now, and no others.
func (e *Entity) keepValues(env *partition.Env) {
	if !env.DropValues() && partition.IsText(e.state) {
		return
	}
	env.Keep(e.state)
	for _, list := range [][]item{e.queue, e.held} {
		for i := range list {
			env.Keep(list[i].op.Input)
		}
	}
	for i := range e.later {
		env.Keep(e.later[i].op.Input)
	}
}

func (e *Entity) enqueue(op Operation) {
	if e.holder != nil && op.From.Instance != "" && e.heldBy(op.From) {
		e.held = append(e.held, item{op: op})
		return
	}
	e.queue = append(e.queue, item{op: op})
}

// heldBy reports whether the execution at an address holds the entity.
func (e *Entity) heldBy(a Address) bool {
	if e.holder == nil {
		return false
	}
	h := &e.holder.From
	return h.Instance == a.Instance && h.Ref == a.Ref && h.Execution == a.Execution
}

func (e *Entity) due(env *partition.Env, timer uint64) {
	for i := range e.later {
		if e.later[i].timer == timer {
			op := e.later[i].op
			e.later = slices.Delete(e.later, i, i+1)
			e.enqueue(op)
			return
		}
	}
}

// release gives the entity free.
func (e *Entity) release() {
	e.holder = nil
	e.queue = append(e.held, e.queue...)
	e.held = nil
}

// cancel takes back a request that may wait here, may hold the entity, or may have gone on to the next: the
// cancellation follows it.
func (e *Entity) cancel(env *partition.Env, m *Lock) {
	if e.heldBy(m.From) && e.holder.From.Seq == m.From.Seq {
		e.release()
		if m.Position++; m.Position < len(m.Entities) && !e.program.Faults.KeepRequests {
			env.Send(EntityInstance(m.Entities[m.Position]), EntitiesID, OpCancel, m.Encode())
		}
		return
	}
	e.queue = slices.DeleteFunc(e.queue, func(it item) bool { return it.lock != nil && it.lock.From == m.From })
}

// pump grants the lock that is next in turn, asks for a step, or ends an entity of which nothing is left.
func (e *Entity) pump(env *partition.Env) {
	if e.holder == nil && len(e.queue) > 0 && e.queue[0].lock != nil {
		m := e.queue[0].lock
		e.queue = e.queue[1:]
		e.holder = m
		e.grant(env, *m)
	}
	switch {
	case e.Owes():
		env.Step()
	case e.state == nil && e.holder == nil && len(e.queue) == 0 && len(e.later) == 0:
		env.Remove()
	case len(e.queue) == 0:
		e.queue = nil
	}
}

// grant passes a request on to the next entity, or tells the run that it holds all.
func (e *Entity) grant(env *partition.Env, m Lock) {
	if m.Position++; m.Position < len(m.Entities) {
		env.Send(EntityInstance(m.Entities[m.Position]), EntitiesID, OpLock, m.Encode())
		return
	}
	env.Send(m.From.Instance, m.From.Program, m.From.Op, m.From.append(nil))
}

// stepped takes what the code did.
func (e *Entity) stepped(env *partition.Env, ev *partition.Event) {
	if ev.ID != e.steps+1 {
		return
	}
	e.steps++
	s, err := ReadEntityStep(ev.Body)
	front := e.front()
	if err != nil || s.Consumed > len(front) {
		return // never: the shell wrote it
	}
	for i := range s.Answers {
		a := &s.Answers[i]
		if a.Op >= s.Consumed {
			continue
		}
		to := front[a.Op].op.From
		if to.Instance == "" {
			continue
		}
		reply := Reply{To: to, From: e.target, Data: a.Data, Failure: a.Failure}
		env.Send(to.Instance, to.Program, to.Op, reply.Encode())
	}
	for i := range front[:s.Consumed] {
		e.bytes -= len(front[i].op.Input)
	}
	if e.holder != nil {
		e.held = e.held[s.Consumed:]
	} else {
		e.queue = e.queue[s.Consumed:]
	}
	switch s.Change {
	case StateSet:
		e.state, e.modified = s.State, env.Now
	case StateDeleted:
		e.state, e.modified = nil, env.Now
	}
	for i := range s.Messages {
		e.send(env, &s.Messages[i])
	}
	e.keepValues(env)
}

// send carries out what an operation asked for.
func (e *Entity) send(env *partition.Env, a *durable.Event) {
	switch a.Kind {
	case durable.EntitySignaled:
		m := Operation{Name: a.Name, Input: a.Data, Due: a.Due}
		env.Send(EntityInstance(a.Target), EntitiesID, OpSignal, m.Encode())
	case durable.EventSent:
		m := Raise{Name: a.Name, Data: a.Data}
		env.Send(RunInstance(a.Target), RunsID, OpRaise, m.Encode())
	case durable.WorkflowStarted:
		e.counter++
		m := Start{Workflow: a.Name, Version: a.Version, Input: a.Data, Seed: derive(uint64(env.Now), uint64(env.Ref)<<20+e.counter)}
		if a.Options != nil {
			m.Tags = a.Options.Tags
		}
		env.Send(RunInstance(a.Target), RunsID, OpStart, m.Encode())
	}
}
