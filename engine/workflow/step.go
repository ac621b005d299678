package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// readers lends what reads steps. Runs of all partitions share them.
var readers = sync.Pool{New: func() any { return new(durable.StepReader) }}

// stepped takes what the code did: the inputs that it took become history, its actions are carried out.
func (r *Run) stepped(env *partition.Env, ev *partition.Event) {
	if ev.ID != r.steps+1 && !(r.program.Faults.StaleSteps && ev.ID != 0) { // of an execution that is over: its code was slow
		r.askAgain(env)
		return
	}
	r.steps++
	in := readers.Get().(*durable.StepReader)
	defer readers.Put(in)
	err := in.Open(ev.Body)
	step := &in.Step
	switch {
	case err != nil:
	case step.Rewound != nil:
		if r.rewinding { // always: the shell was asked for it
			r.goBack(env, step.Rewound)
		}
	case step.Refused != nil:
		if r.rewinding {
			r.inbox = slices.Delete(r.inbox, 0, 1) // RunRewound
			r.finish(env, durable.Failed, nil, step.Refused)
		}
	default:
		r.consume(step)
		for in.Next() {
			r.act(env, &in.Action, in.Encoded)
		}
		err = in.Err()
	}
	if err != nil {
		r.unlock(env)
		r.finish(env, durable.Failed, nil, &durable.Failure{Type: "Weft.Internal", Message: fmt.Sprintf("what a step did does not decode: %v", err)})
		return
	}
	if most := r.program.historyEvents(); r.events-r.begun >= most && !r.view.Status.Ended() {
		f := &durable.Failure{
			Type: "Weft.HistoryLimit", Final: true,
			Message: fmt.Sprintf("the run's history has more than %d events: end executions with continue-as-new", most),
		}
		r.unlock(env)
		r.record(&durable.Event{Kind: durable.RunFailed, Failure: f})
		r.finish(env, durable.Failed, nil, f)
		return
	}
	r.askAgain(env)
}

func (r *Run) askAgain(env *partition.Env) {
	if r.Owes() {
		env.Step()
	}
}

// consume moves the inputs that a step took from the inbox to the history, and takes the status that the code set: before
// its actions, as those who wait for the end see the run when one of them ends it.
func (r *Run) consume(step *durable.Step) {
	if len(step.Status) > 0 {
		r.view.Custom = step.Status
	}
	r.record(&durable.Event{Kind: durable.StepStarted, Time: step.Time})
	n := min(step.Consumed, len(r.inbox))
	for i := range r.inbox[:n] {
		r.record(&r.inbox[i])
		r.inboxBytes -= len(r.inbox[i].Data)
	}
	if n < len(r.inbox) {
		r.inbox = r.inbox[n:]
		return
	}
	// The code has taken all there was and is done with it, so the space may be used again.
	clear(r.inbox)
	if r.inbox = r.inbox[:0]; cap(r.inbox) > inboxKept {
		r.inbox = nil
	}
}

// inboxKept is how many inputs a run that waits keeps space for.
const inboxKept = 4

// address is where the answer to an action goes.
func (r *Run) address(env *partition.Env, op uint8, seq uint64) Address {
	return Address{Instance: env.Name, Program: RunsID, Op: op, Ref: env.Ref, Execution: r.view.Execution, Seq: seq}
}

// act carries out an action and adds it to the history.
func (r *Run) act(env *partition.Env, a *durable.Event, encoded []byte) {
	if r.view.Status.Ended() {
		return
	}
	r.chunk = append(durable.BeginChunk(r.chunk), encoded...)
	r.events++
	env.Keep(a.Data)
	if !a.Kind.Final() {
		r.seq = a.ID
	}
	switch a.Kind {
	case durable.RunCompleted:
		r.unlock(env)
		r.finish(env, durable.Completed, a.Data, nil)
	case durable.RunFailed:
		r.unlock(env)
		r.causes = a.Causes
		r.finish(env, durable.Failed, nil, a.Failure)
	case durable.RunContinued:
		r.continueAsNew(env, a)
	case durable.ChildScheduled:
		r.await(a)
		r.child(env, a, r.address(env, OpReply, a.ID))
	case durable.WorkflowStarted:
		r.child(env, a, Address{})
	case durable.EntityCalled:
		r.await(a)
		r.request(env, a)
	default:
		r.request(env, a)
	}
}

// request asks for what an action wants.
func (r *Run) request(env *partition.Env, a *durable.Event) {
	switch a.Kind {
	case durable.CallScheduled:
		call := partition.Invocation{ID: a.ID, Function: a.Name, Input: a.Data}
		if o := a.Options; o != nil {
			call.TimeoutMS, call.HeartbeatMS, call.Key, call.Tenant, call.Priority = o.Timeout, o.Heartbeat, o.Key, o.Tenant, o.Priority
		}
		env.Invoke(call)
	case durable.CallCancelled:
		env.Cancel(a.Ref)
	case durable.TimerCreated:
		env.SetTimer(a.ID, a.Due)
	case durable.TimerCancelled:
		env.CancelTimer(a.Ref)
	case durable.EventSent:
		m := Raise{Name: a.Name, Data: a.Data}
		env.Send(RunInstance(a.Target), RunsID, OpRaise, m.Encode())
	case durable.EntityCalled:
		m := Operation{Name: a.Name, Input: a.Data, From: r.address(env, OpReply, a.ID)}
		env.Send(EntityInstance(a.Target), EntitiesID, OpCall, m.Encode())
	case durable.EntitySignaled:
		m := Operation{Name: a.Name, Input: a.Data, Due: a.Due}
		env.Send(EntityInstance(a.Target), EntitiesID, OpSignal, m.Encode())
	case durable.LocksRequested:
		if len(a.Targets) == 0 {
			return // never: durable asks for one at least
		}
		r.lock, r.lockExec, r.granted, r.locked = a.ID, r.view.Execution, false, a.Targets
		m := Lock{From: r.address(env, OpGranted, a.ID), Entities: a.Targets}
		env.Send(EntityInstance(a.Targets[0]), EntitiesID, OpLock, m.Encode())
	case durable.LocksReleased:
		r.unlock(env)
	}
}

func (r *Run) await(a *durable.Event) {
	r.waits = append(r.waits, wait{seq: a.ID, execution: r.view.Execution, kind: a.Kind, target: a.Target})
}

// child starts another run.
func (r *Run) child(env *partition.Env, a *durable.Event, parent Address) {
	m := Start{Workflow: a.Name, Version: a.Version, Input: a.Data, Seed: derive(r.seed, a.ID), Parent: parent, ParentID: r.view.ID}
	if a.Options != nil {
		m.Tags = a.Options.Tags
	}
	env.Send(RunInstance(a.Target), RunsID, OpStart, m.Encode())
}

// derive makes a seed out of another (SplitMix64).
func derive(seed, n uint64) uint64 {
	z := seed + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// continueAsNew begins the next execution. What has come and was not read goes with it.
func (r *Run) continueAsNew(env *partition.Env, a *durable.Event) {
	r.unlock(env)
	later := r.inbox
	env.DropWork()
	env.DropHistory(r.events + 1)
	env.DropValues()
	r.inbox, r.inboxBytes, r.waits = nil, 0, nil
	r.view.Workflow, r.view.Version, r.view.Input = a.Name, a.Version, a.Data
	status, custom := r.view.Status, r.view.Custom
	r.seed = derive(r.seed, r.view.Execution)
	r.begin(env)
	r.view.Custom = custom
	if r.program.Faults.LoseEvents {
		a.Unread = nil
	}
	for _, u := range a.Unread {
		r.put(env, durable.Event{Kind: durable.EventRaised, Name: u.Name, Data: u.Data})
	}
	for _, e := range later {
		switch e.Kind { // answers to the old execution are for nobody
		case durable.EventRaised, durable.RunSuspended, durable.RunResumed:
			r.put(env, e)
		}
	}
	if status == durable.Suspended {
		r.view.Status = status
		env.List(r.summary())
	}
}

// goBack takes the history back to before a failure.
func (r *Run) goBack(env *partition.Env, back *durable.Rewound) {
	env.DropHistory(r.events + 1)
	env.DropValues()
	env.Keep(r.view.Input)
	r.begun, r.first = r.events+1, r.events+1
	r.rewinding, r.causes = false, nil
	for i := range back.History {
		env.Keep(back.History[i].Data)
		r.record(&back.History[i])
	}
	r.inbox, r.inboxBytes = slices.Insert(r.inbox, 1, back.Inputs...), 0 // behind RunRewound
	for i := range r.inbox {
		env.Keep(r.inbox[i].Data)
		r.inboxBytes += len(r.inbox[i].Data)
	}
	for i := range back.Again {
		a := &back.Again[i]
		if a.Kind == durable.EntityCalled {
			r.await(a)
		}
		r.request(env, a)
	}
	for i := range back.Rewind {
		a := &back.Rewind[i]
		r.await(a)
		m := Rewind{Reason: fmt.Sprintf("run %q was rewound", r.view.ID), Parent: r.address(env, OpReply, a.ID)}
		env.Send(RunInstance(a.Target), RunsID, OpRewind, m.Encode())
	}
	r.sortWaits()
}

// failureOf turns what a function's invoker reported into a Failure.
func failureOf(ev *partition.Event) *durable.Failure {
	f := &durable.Failure{Type: ev.Error, Message: ev.Cause, Final: ev.Final}
	defer f.Cut()
	if f.Type == "" {
		f.Type = "Error"
	}
	if len(ev.Cause) > 1 && ev.Cause[0] == '{' { // what a Lambda runtime posts
		var doc struct {
			Message *string `json:"errorMessage"`
		}
		if json.Unmarshal([]byte(ev.Cause), &doc) == nil && doc.Message != nil {
			f.Message, f.Details = *doc.Message, ev.Cause
		}
	}
	return f
}

const formatVersion = 1

func version(r *wire.Reader, what string) error {
	if v := r.Byte(); v != formatVersion && r.Err() == nil {
		return fmt.Errorf("workflow: %s has format version %s, which this program does not read", what, strconv.Itoa(int(v)))
	}
	return nil
}
