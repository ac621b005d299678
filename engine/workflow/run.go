package workflow

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// View is a run as a client sees it.
type View struct {
	ID        string
	Workflow  string
	Version   string
	Status    durable.Status
	Execution uint64
	Created   int64 // Unix milliseconds
	Scheduled int64 // when it was to begin; 0: at once
	Ended     int64
	Tags      map[string]string
	Parent    string // run id
	Input     []byte
	Output    []byte
	Failure   *durable.Failure
	Reason    string // of a termination or a suspension
	Custom    []byte // custom status, one JSON text
	Events    int64  // length of the history of this execution
	Waiting   int    // inputs in the inbox
	Blocked   string // why its steps wait though it is Running, filled in by who shows it: its code is not there
}

// Runs is the program of runs.
type Runs struct {
	// HistoryEvents bounds the history of one execution. 0: limits.Default's.
	HistoryEvents int64
	// InboxEvents bounds what clients may have waiting for one run. 0: limits.InboxEvents.
	InboxEvents int
	// Tell has, for parents of other programs than Runs, what the body of the message is that tells them of a run's end.
	// The functions must be pure.
	Tell map[partition.ProgramID]func(*Reply) []byte
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
}

// Faults are the rules a simulation breaks to show that it would notice. Never set outside tests.
type Faults struct {
	KeepLocks    bool // a run that ends does not give its locks back
	KeepRequests bool // a lock request that is taken back is not looked for where it has gone on to
	StaleReplies bool // count actions anew in each execution, and take answers to one that is over
	StaleSteps   bool // take what code did for an execution that is over
	LoseEvents   bool // continue-as-new forgets events that were not read
	SilentEnds   bool // a run that is terminated does not tell who waits for it
}

// Creates reports whether op makes a run.
func (p *Runs) Creates(op uint8) bool {
	return op == OpStart || op == OpRewind // which tells a parent that its child is not there, and keeps nothing
}

// New returns a run that waits for its OpStart.
func (p *Runs) New() partition.Instance { return &Run{program: p, begun: 1, first: 1} }

// wait is an action that a message will answer.
type wait struct {
	seq       uint64
	execution uint64
	kind      durable.Kind
	target    string
}

// Run is one run.
type Run struct {
	program *Runs
	view    View
	seed    uint64
	parent  Address

	steps      uint64 // made; the next is this + 1
	seq        uint64 // of the last action
	begun      int64  // id of the first event of this execution
	events     int64  // id of the last event
	rewinding  bool
	inbox      []durable.Event
	inboxBytes int
	waits      []wait // by rising seq
	lock       uint64 // request that is under way or granted; 0: none
	lockExec   uint64
	granted    bool
	locked     []string
	causes     []uint64 // of a failure

	chunk []byte
	first int64 // id of the first event in chunk
}

// Job is what the code of a run needs for a step.
type Job struct {
	ID        string
	Workflow  string
	Version   string
	Execution uint64
	Step      uint64
	Now       int64 // Unix milliseconds
	First     int64 // id of the first event of the execution
	Position  int64 // events of the execution so far
	Inputs    []durable.Event
	Rewind    bool // take the failed run back instead
	Causes    []uint64
	Events    int64 // the most that a history may have
}

// View returns what a client sees of the run now.
func (r *Run) View() *View {
	v := r.view
	if v.Waiting = len(r.inbox); r.begun > 0 { // else it is yet to begin
		v.Events = r.events - r.begun + 1
	}
	v.Tags = maps.Clone(v.Tags)
	return &v
}

// FirstEvent returns the id of the first event of the execution.
func (r *Run) FirstEvent() int64 { return r.begun }

// Owes implements partition.Coder.
func (r *Run) Owes() bool {
	return r.rewinding || (len(r.inbox) > 0 && r.view.Status == durable.Running)
}

// Work implements partition.Coder.
func (r *Run) Work(env *partition.Env) any {
	j := &Job{
		ID: r.view.ID, Workflow: r.view.Workflow, Version: r.view.Version, Execution: r.view.Execution, Step: r.steps + 1, Now: env.Now,
		First: r.begun, Position: r.events - r.begun + 1, Inputs: r.inbox[:len(r.inbox):len(r.inbox)], Events: r.program.historyEvents(),
	}
	if r.rewinding {
		j.Rewind, j.Causes, j.Inputs = true, r.causes, nil
	}
	return j
}

func (p *Runs) historyEvents() int64 {
	if p.HistoryEvents > 0 {
		return p.HistoryEvents
	}
	return limits.Default.HistoryEvents
}

// fromClient reports whether a message is a client's, as the log has it: a recovery must refuse what was refused, though
// no client waits then (Env.HasClient).
func fromClient(ev *partition.Event) bool { return ev.From.Seq == 0 }

// inboxEvents returns how much may wait for a run or an entity.
func inboxEvents(set int) int {
	if set > 0 {
		return set
	}
	return limits.InboxEvents
}

// Receive implements partition.Instance.
func (r *Run) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Kind {
	case partition.Message:
		r.message(env, ev)
	case partition.Done:
		r.done(env, ev)
	case partition.Due:
		r.due(env, ev.ID)
	case partition.Stepped:
		r.stepped(env, ev)
	}
}

func (r *Run) message(env *partition.Env, ev *partition.Event) {
	switch ev.Op {
	case OpStart:
		r.start(env, ev)
	case OpRaise:
		r.raise(env, ev)
	case OpSuspend:
		r.suspend(env, string(ev.Body))
	case OpResume:
		r.resume(env, string(ev.Body))
	case OpTerminate:
		r.terminate(env, ev)
	case OpRewind:
		r.rewind(env, ev)
	case OpRestart:
		r.restart(env)
	case OpPurge:
		r.purge(env)
	case OpReply:
		r.reply(env, ev)
	case OpGranted:
		r.grant(env, ev)
	case OpTag:
		r.tag(env, ev)
	}
}

func (r *Run) answer(env *partition.Env) {
	if env.HasClient() {
		env.Reply(r.View())
	}
}

func (r *Run) start(env *partition.Env, ev *partition.Event) {
	m, err := decodeStart(ev.Body)
	if err != nil {
		env.Discard()
		env.Reply(fault.New("", fault.Internal, env.Name, "start message does not decode: %w", err))
		return
	}
	if !env.Created && m.Replace&(1<<r.view.Status) == 0 {
		r.startAgain(env, &m)
		return
	}
	if !env.Created {
		r.replace(env)
	}
	id, _ := RunID(env.Name)
	execution := r.view.Execution
	r.view = View{
		ID: id, Workflow: m.Workflow, Version: m.Version, Execution: execution, Created: env.Now, Scheduled: m.At, Tags: m.Tags, Parent: m.ParentID, Input: m.Input,
	}
	r.seed, r.parent = m.Seed, m.Parent
	env.Keep(m.Input)
	if m.At > env.Now {
		r.view.Status = durable.Pending
		r.seq++
		env.SetTimer(r.seq, m.At)
		env.List(r.summary())
	} else {
		r.begin(env)
	}
	r.answer(env)
}

// startAgain answers a start of a run that is there already.
func (r *Run) startAgain(env *partition.Env, m *Start) {
	same := !r.view.Status.Ended() && m.Workflow == r.view.Workflow && bytes.Equal(m.Input, r.view.Input)
	if (m.Existing || same) && m.Parent.Instance == "" {
		r.answer(env)
		return
	}
	words := fmt.Sprintf("there is a run %q already, of workflow %q, which is %s: choose another id, or say that it may be replaced", r.view.ID, r.view.Workflow, r.view.Status)
	if m.Parent.Instance != "" {
		r.program.tell(env, &Reply{To: m.Parent, From: r.view.ID, Failure: &durable.Failure{Type: "Weft.RunExists", Message: words, Final: true}})
		return
	}
	env.Reply(fault.New("", fault.RunExists, r.view.ID, "%s", words))
}

// replace ends what was there so that a new run can take its place.
func (r *Run) replace(env *partition.Env) {
	if !r.view.Status.Ended() {
		r.unlock(env)
		r.tell(env, durable.Terminated, nil, &durable.Failure{Type: "Weft.Terminated", Message: "a new run took its place", Final: true})
	}
	r.clear(env)
}

// clear forgets the execution that was. Numbers of actions, events and steps go on.
func (r *Run) clear(env *partition.Env) {
	r.steps++ // the step that may be under way is none of the next execution's
	env.DropWork()
	env.Reopen()
	env.DropHistory(r.events + 1)
	env.DropValues()
	r.inbox, r.inboxBytes, r.waits, r.causes = nil, 0, nil, nil
	r.lock, r.granted, r.locked, r.rewinding = 0, false, nil, false
}

// begin begins an execution whose input is the view's.
func (r *Run) begin(env *partition.Env) {
	v := &r.view
	v.Status, v.Ended, v.Output, v.Failure, v.Reason, v.Custom = durable.Running, 0, nil, nil, "", nil
	v.Execution++
	r.begun, r.first = r.events+1, r.events+1
	if r.program.Faults.StaleReplies {
		r.seq = 0
	}
	env.List(r.summary())
	early := r.inbox // raised while the run was pending
	r.inbox = nil
	r.put(env, durable.Event{
		Kind: durable.RunStarted, ID: r.seq, Name: v.Workflow, Version: v.Version, Data: v.Input,
		Start: &durable.Start{Seed: r.seed, Execution: v.Execution, Parent: v.Parent},
	})
	r.inbox = append(r.inbox, early...)
}

func (r *Run) summary() partition.Summary {
	return partition.Summary{Group: RunsGroup, Label: r.view.Workflow, Status: ListedStatus(r.view.Status), Time: r.view.Created, Ended: r.view.Ended}
}

// put adds an input to the inbox.
func (r *Run) put(env *partition.Env, e durable.Event) {
	env.Keep(e.Data)
	r.inbox = append(r.inbox, e)
	r.inboxBytes += len(e.Data)
	if r.view.Status == durable.Running {
		env.Step()
	}
}

func (r *Run) raise(env *partition.Env, ev *partition.Event) {
	body := wire.NewReader(ev.Body)
	name, data := body.String(), body.Rest()
	switch {
	case body.Err() != nil:
		env.Reply(fault.New("", fault.Internal, env.Name, "event does not decode: %w", body.Err()))
		return
	case r.view.Status.Ended():
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run has ended (%s) and takes no events", r.view.Status))
		return
	case fromClient(ev) && (len(r.inbox) >= inboxEvents(r.program.InboxEvents) || r.inboxBytes > limits.InboxBytes):
		env.Reply(fault.New("", fault.Busy, r.view.ID, "%d events of %d bytes wait for the run already, which is the most; is it suspended, or is its code not there?", len(r.inbox), r.inboxBytes))
		return
	}
	r.put(env, durable.Event{Kind: durable.EventRaised, Name: name, Data: data})
	r.answer(env)
}

func (r *Run) suspend(env *partition.Env, reason string) {
	switch r.view.Status {
	case durable.Running:
		r.view.Status, r.view.Reason = durable.Suspended, reason
		r.put(env, durable.Event{Kind: durable.RunSuspended, Data: []byte(reason)})
		env.List(r.summary())
	case durable.Suspended:
	default:
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run is %s: only a running one can be suspended", r.view.Status))
		return
	}
	r.answer(env)
}

func (r *Run) resume(env *partition.Env, reason string) {
	switch r.view.Status {
	case durable.Suspended:
		r.view.Status, r.view.Reason = durable.Running, ""
		env.List(r.summary())
		r.put(env, durable.Event{Kind: durable.RunResumed, Data: []byte(reason)})
	case durable.Running:
	default:
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run is %s: only a suspended one can be resumed", r.view.Status))
		return
	}
	r.answer(env)
}

func (r *Run) terminate(env *partition.Env, ev *partition.Event) {
	if r.view.Status.Ended() {
		r.answer(env)
		return
	}
	m, err := decodeTerminate(ev.Body)
	if err != nil {
		env.Reply(fault.New("", fault.Internal, env.Name, "the order to terminate does not decode: %w", err))
		return
	}
	if m.Parent.Instance != "" && !r.childOf(&m.Parent) {
		return // it has the id of a child that could not be started
	}
	if m.Recursive {
		for _, w := range r.waits {
			if w.kind == durable.ChildScheduled {
				child := Terminate{Reason: m.Reason, Recursive: true, Parent: r.address(env, OpReply, w.seq)}
				env.Send(RunInstance(w.target), RunsID, OpTerminate, child.Encode())
			}
		}
	}
	if !r.program.Faults.KeepLocks {
		r.unlock(env)
	}
	r.view.Reason = m.Reason
	if r.view.Status == durable.Pending {
		r.begun, r.first = r.events+1, r.events+1
	}
	r.record(&durable.Event{Kind: durable.RunTerminated, Data: []byte(m.Reason)})
	r.finish(env, durable.Terminated, nil, nil)
	r.answer(env)
}

// childOf reports whether an action of another run started this one.
func (r *Run) childOf(parent *Address) bool {
	return r.parent.Instance == parent.Instance && r.parent.Ref == parent.Ref && r.parent.Seq == parent.Seq
}

func (r *Run) rewind(env *partition.Env, ev *partition.Event) {
	m, err := decodeRewind(ev.Body)
	if err != nil {
		env.Discard()
		env.Reply(fault.New("", fault.Internal, env.Name, "the order to rewind does not decode: %w", err))
		return
	}
	id, _ := RunID(env.Name)
	fromParent := m.Parent.Instance != ""
	switch {
	case fromParent && !r.childOf(&m.Parent):
		env.Discard()
		reply := Reply{To: m.Parent, From: id, Failure: &durable.Failure{
			Type: "Weft.RunNotFound", Message: fmt.Sprintf("the sub-workflow %q is not there any more and cannot be rewound: it was purged, or the id is another run's", id), Final: true,
		}}
		env.Send(m.Parent.Instance, m.Parent.Program, m.Parent.Op, reply.Encode())
		return
	case env.Created:
		env.Discard()
		env.Reply(fault.New("", fault.RunNotFound, id, "there is no workflow run %q", id))
		return
	case fromParent:
		r.parent = m.Parent
	}
	if r.view.Status != durable.Failed {
		if fromParent && r.view.Status.Ended() {
			r.tell(env, r.view.Status, r.view.Output, r.view.Failure)
		}
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run is %s: only a failed one can be rewound", r.view.Status))
		return
	}
	v := &r.view
	v.Status, v.Ended, v.Failure, v.Reason = durable.Running, 0, nil, ""
	v.Execution++
	// First of all: what the code does in answer to the rest has new numbers.
	r.inbox = slices.Insert(r.inbox, 0, durable.Event{Kind: durable.RunRewound, ID: r.seq, Data: []byte(m.Reason)})
	r.rewinding = true
	env.Reopen()
	env.List(r.summary())
	env.Step()
	r.answer(env)
}

// restart begins an ended run anew, with the input it had.
func (r *Run) restart(env *partition.Env) {
	if !r.view.Status.Ended() {
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run is %s: only an ended one can be restarted", r.view.Status))
		return
	}
	r.clear(env)
	r.view.Created, r.view.Scheduled = env.Now, 0
	r.begin(env)
	r.answer(env)
}

func (r *Run) purge(env *partition.Env) {
	if !r.view.Status.Ended() {
		env.Reply(fault.New("", fault.Conflict, r.view.ID, "the run is %s: only an ended one can be purged; terminate it first", r.view.Status))
		return
	}
	r.answer(env)
	env.Remove()
}

func (r *Run) tag(env *partition.Env, ev *partition.Event) {
	tags := maps.Clone(r.view.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	body := wire.NewReader(ev.Body)
	for k, v := range durable.ReadTags(body) {
		if v == "" {
			delete(tags, k)
		} else {
			tags[k] = v
		}
	}
	if len(tags) > limits.Tags {
		env.Reply(fault.New("", fault.TooManyTags, r.view.ID, "the run would have %d tags, the most is %d", len(tags), limits.Tags))
		return
	}
	r.view.Tags = tags
	r.answer(env)
}

// done takes the answer of a function.
func (r *Run) done(env *partition.Env, ev *partition.Event) {
	if ev.Failed() {
		f := failureOf(ev)
		f.Seq = ev.ID
		r.put(env, durable.Event{Kind: durable.CallFailed, ID: ev.ID, Failure: f})
		return
	}
	r.put(env, durable.Event{Kind: durable.CallCompleted, ID: ev.ID, Data: ev.Body})
}

func (r *Run) due(env *partition.Env, id uint64) {
	if r.view.Status == durable.Pending {
		r.begin(env)
		return
	}
	r.put(env, durable.Event{Kind: durable.TimerFired, ID: id})
}

// reply takes the answer of a child or an entity, also to a run that has failed: it may be rewound.
func (r *Run) reply(env *partition.Env, ev *partition.Event) {
	m, err := DecodeReply(ev.Body)
	if err != nil || m.To.Ref != env.Ref {
		return
	}
	i := r.find(m.To.Seq, m.To.Execution)
	if i < 0 {
		return
	}
	kind := r.waits[i].kind
	r.waits = slices.Delete(r.waits, i, i+1)
	e := durable.Event{ID: m.To.Seq, Data: m.Data, Failure: m.Failure}
	if m.Failure != nil {
		m.Failure.Seq = m.To.Seq
	}
	switch {
	case kind == durable.ChildScheduled && m.Failure == nil:
		e.Kind = durable.ChildCompleted
	case kind == durable.ChildScheduled:
		e.Kind = durable.ChildFailed
	case m.Failure == nil:
		e.Kind = durable.EntityReplied
	default:
		e.Kind = durable.EntityFailed
	}
	r.put(env, e)
}

func (r *Run) find(seq, execution uint64) int {
	i, ok := slices.BinarySearchFunc(r.waits, seq, func(w wait, seq uint64) int {
		switch {
		case w.seq < seq:
			return -1
		case w.seq > seq:
			return 1
		}
		return 0
	})
	if !ok || (r.waits[i].execution != execution && !r.program.Faults.StaleReplies) {
		return -1
	}
	return i
}

func (r *Run) grant(env *partition.Env, ev *partition.Event) {
	body := wire.NewReader(ev.Body)
	to := readAddress(body)
	if body.Err() != nil || to.Ref != env.Ref || to.Seq != r.lock || to.Execution != r.lockExec || r.view.Status.Ended() {
		return // given up meanwhile: a cancellation is behind the request
	}
	r.granted = true
	r.put(env, durable.Event{Kind: durable.LocksGranted, ID: to.Seq})
}

// unlock gives the locks back, or takes the request for them back.
func (r *Run) unlock(env *partition.Env) {
	if r.lock == 0 {
		return
	}
	from := Address{Instance: env.Name, Program: RunsID, Op: OpGranted, Ref: env.Ref, Execution: r.lockExec, Seq: r.lock}
	if r.granted {
		for _, target := range r.locked {
			env.Send(EntityInstance(target), EntitiesID, OpUnlock, from.append(nil))
		}
	} else {
		m := Lock{From: from, Entities: r.locked}
		env.Send(EntityInstance(r.locked[0]), EntitiesID, OpCancel, m.Encode())
	}
	r.lock, r.granted, r.locked = 0, false, nil
}

// record adds an event to the history.
func (r *Run) record(e *durable.Event) {
	r.chunk = durable.AppendChunk(r.chunk, e)
	r.events++
}

// History implements partition.Historian.
func (r *Run) History() (chunk []byte, first, count int64) {
	return r.chunk, r.first, r.events - r.first + 1
}

// Forget implements partition.Historian.
func (r *Run) Forget() { r.chunk, r.first = r.chunk[:0], r.events+1 }

// finish ends the run.
func (r *Run) finish(env *partition.Env, status durable.Status, output []byte, f *durable.Failure) {
	v := &r.view
	v.Status, v.Ended, v.Output, v.Failure = status, env.Now, output, f
	r.rewinding = false
	if status != durable.Failed { // which may be rewound
		r.inbox, r.inboxBytes, r.waits = nil, 0, nil
	}
	if status != durable.Terminated || !r.program.Faults.SilentEnds {
		r.tell(env, status, output, f)
	}
	env.List(r.summary())
	var value any
	if env.Waited() {
		value = r.View()
	}
	env.End(value)
}

// tell answers the parent.
func (r *Run) tell(env *partition.Env, status durable.Status, output []byte, f *durable.Failure) {
	if r.parent.Instance == "" {
		return
	}
	if status == durable.Terminated && f == nil {
		f = &durable.Failure{Type: "Weft.Terminated", Message: fmt.Sprintf("run %q was terminated: %s", r.view.ID, r.view.Reason), Final: true}
	}
	r.program.tell(env, &Reply{To: r.parent, From: r.view.ID, Status: status, Data: output, Failure: f})
}

// tell sends a parent what has become of a run.
func (p *Runs) tell(env *partition.Env, m *Reply) {
	body := p.Tell[m.To.Program]
	if body == nil {
		body = (*Reply).Encode
	}
	env.Send(m.To.Instance, m.To.Program, m.To.Op, body(m))
}
