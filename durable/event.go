package durable

import (
	"fmt"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// Kind is the kind of an event. Values are append-only: they are stored.
type Kind uint8

// The kinds of events with the fields they use. In brackets what the Durable Task protocol calls them.
const (
	// StepStarted begins a step: Time. [OrchestratorStarted]
	StepStarted Kind = iota + 1

	// Inputs.

	// RunStarted begins an execution: Name and Version of the workflow, Data its input, Start the rest; ID the number
	// before that of the first action. Target is the run id, which is not stored: who reads a history fills it in.
	// [ExecutionStarted]
	RunStarted
	// CallCompleted answers CallScheduled: ID, Data. [TaskCompleted]
	CallCompleted
	// CallFailed answers CallScheduled: ID, Failure. [TaskFailed]
	CallFailed
	// TimerFired answers TimerCreated: ID. [TimerFired]
	TimerFired
	// ChildCompleted answers ChildScheduled: ID, Data. [SubOrchestrationInstanceCompleted]
	ChildCompleted
	// ChildFailed answers ChildScheduled: ID, Failure. [SubOrchestrationInstanceFailed]
	ChildFailed
	// EventRaised brings an external event: Name, Data. [EventRaised]
	EventRaised
	// EntityReplied answers EntityCalled: ID, Data. [EntityOperationCompleted]
	EntityReplied
	// EntityFailed answers EntityCalled: ID, Failure. [EntityOperationFailed]
	EntityFailed
	// LocksGranted answers LocksRequested: ID. [EntityLockGranted]
	LocksGranted
	// RunSuspended says that steps wait: Data the reason as text. [ExecutionSuspended]
	RunSuspended
	// RunResumed says that they go on: Data the reason as text. [ExecutionResumed]
	RunResumed
	// RunRewound says that a failed run goes on before its failure: ID the number before that of the next action, as what
	// was taken back has used some, Data the reason as text. [ExecutionRewound]
	RunRewound

	// Actions.

	// CallScheduled calls a function: ID, Name, Data its input, Options. [TaskScheduled]
	CallScheduled
	// TimerCreated arms a timer: ID, Due. [TimerCreated]
	TimerCreated
	// TimerCancelled disarms timer Ref: ID.
	TimerCancelled
	// CallCancelled says that the answer to call Ref is not wanted any more: ID.
	CallCancelled
	// ChildScheduled starts a workflow whose result is awaited: ID, Name, Version, Target its run id, Data its input,
	// Options.Tags. [SubOrchestrationInstanceCreated]
	ChildScheduled
	// WorkflowStarted starts a workflow that nobody awaits: ID, Name, Version, Target its run id, Data its input.
	WorkflowStarted
	// EventSent raises event Name with Data in run Target: ID. [EventSent]
	EventSent
	// EntityCalled calls operation Name of entity Target with Data: ID. [EntityOperationCalled]
	EntityCalled
	// EntitySignaled is EntityCalled without an answer, at Due when that is not zero: ID. [EntityOperationSignaled]
	EntitySignaled
	// LocksRequested asks for all entities of Targets, sorted and without doubles: ID. [EntityLockRequested]
	LocksRequested
	// LocksReleased gives back what request Ref holds: ID. [EntityUnlockSent]
	LocksReleased
	// VersionMarked remembers which branch of a change the run took: ID, Name, Ref the version.
	VersionMarked

	// Actions that end an execution.

	// RunCompleted ends the run: Data its output. [ExecutionCompleted]
	RunCompleted
	// RunFailed ends the run: Failure, Causes. [ExecutionCompleted]
	RunFailed
	// RunTerminated ends the run from outside: Data the reason as text. [ExecutionTerminated]
	RunTerminated
	// RunContinued begins the next execution: Name and Version of the workflow, Data its input, Unread. [ContinueAsNew]
	RunContinued
)

var kindNames = [...]string{
	StepStarted: "StepStarted", RunStarted: "RunStarted", CallCompleted: "CallCompleted", CallFailed: "CallFailed", TimerFired: "TimerFired",
	ChildCompleted: "ChildCompleted", ChildFailed: "ChildFailed", EventRaised: "EventRaised", EntityReplied: "EntityReplied",
	EntityFailed: "EntityFailed", LocksGranted: "LocksGranted", RunSuspended: "RunSuspended", RunResumed: "RunResumed",
	RunRewound: "RunRewound", CallScheduled: "CallScheduled", TimerCreated: "TimerCreated", TimerCancelled: "TimerCancelled",
	CallCancelled: "CallCancelled", ChildScheduled: "ChildScheduled", WorkflowStarted: "WorkflowStarted", EventSent: "EventSent",
	EntityCalled: "EntityCalled", EntitySignaled: "EntitySignaled", LocksRequested: "LocksRequested", LocksReleased: "LocksReleased",
	VersionMarked: "VersionMarked", RunCompleted: "RunCompleted", RunFailed: "RunFailed", RunTerminated: "RunTerminated",
	RunContinued: "RunContinued",
}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// KindOf returns the kind of a name.
func KindOf(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k), true
		}
	}
	return 0, false
}

// Action reports whether the code does it, as opposed to what comes to the code.
func (k Kind) Action() bool { return k >= CallScheduled && k != RunTerminated }

// Final reports whether it ends an execution.
func (k Kind) Final() bool { return k >= RunCompleted }

// Event is one event of a history, an input of a step or an action of the code. Which fields count is its Kind's to say.
type Event struct {
	Kind    Kind
	ID      uint64
	Ref     uint64
	Time    int64 // Unix milliseconds
	Due     int64 // Unix milliseconds
	Name    string
	Version string
	Target  string
	Targets []string
	Data    []byte // one JSON text, or text
	Failure *Failure
	Options *Options
	Start   *Start
	Causes  []uint64 // of RunFailed: the actions whose failures the run failed with
	Unread  []Raised
}

// Raised is an external event that no code has read.
type Raised struct {
	Name string
	Data []byte
}

// Start is what RunStarted says beside the workflow and its input.
type Start struct {
	Seed      uint64
	Execution uint64 // which one of the run begins, from 1: see Flow.Execution
	Parent    string // run id of the parent; "" for none
}

// Options are what a call of a function or a child may say.
type Options struct {
	Timeout   int64             // milliseconds; 0: the function's own
	Heartbeat int64             // milliseconds; 0: the function's own
	Key       string            // concurrency key
	Tenant    string            // for fairness
	Priority  int8              // higher goes first
	Tags      map[string]string // of a child
}

func (o *Options) empty() bool {
	return o == nil || (o.Timeout == 0 && o.Heartbeat == 0 && o.Key == "" && o.Tenant == "" && o.Priority == 0 && len(o.Tags) == 0)
}

// Failure is why a call, a child, an operation or a run failed. It is an error.
type Failure struct {
	Type    string // the error's type name, or a name of ours such as States.Timeout
	Message string
	Details string // what a person needs beside: a stack, or the JSON text that the function's runtime posted
	Final   bool   // trying again is pointless: no retry policy does

	// Seq is the action that failed, 0 for a failure that no action brought. Not stored.
	Seq uint64
}

// Error returns type and message; of an error without a type of its own (errors.New, fmt.Errorf) the message alone.
func (f *Failure) Error() string {
	switch {
	case f.Message == "":
		return f.Type
	case f.Type == untyped:
		return f.Message
	}
	return f.Type + ": " + f.Message
}

// Cut bounds the texts of f: see limits.FailureBytes.
func (f *Failure) Cut() {
	f.Type = limits.Cut(f.Type, limits.ErrorChars)
	f.Message, f.Details = limits.Cut(f.Message, limits.FailureBytes), limits.Cut(f.Details, limits.FailureBytes)
}

func (f *Failure) append(dst []byte) []byte {
	dst = wire.AppendString(dst, f.Type)
	dst = wire.AppendString(dst, f.Message)
	dst = wire.AppendString(dst, f.Details)
	return wire.AppendBool(dst, f.Final)
}

func readFailure(r *wire.Reader) *Failure {
	return &Failure{Type: r.String(), Message: r.String(), Details: r.String(), Final: r.Bool()}
}

// AppendFailure writes f.
func AppendFailure(dst []byte, f *Failure) []byte { return f.append(dst) }

// ReadFailure reads what AppendFailure wrote.
func ReadFailure(r *wire.Reader) *Failure { return readFailure(r) }

// layout says which fields of an event are stored, by kind.
type layout struct {
	id, ref, time, due, name, version, target, data, failure bool
	extra                                                    func(dst []byte, e *Event) []byte
	more                                                     func(r *wire.Reader, e *Event)
}

var layouts = [...]layout{
	StepStarted:     {time: true},
	RunStarted:      {id: true, name: true, version: true, data: true, extra: appendStart, more: readStart},
	CallCompleted:   {id: true, data: true},
	CallFailed:      {id: true, failure: true},
	TimerFired:      {id: true},
	ChildCompleted:  {id: true, data: true},
	ChildFailed:     {id: true, failure: true},
	EventRaised:     {name: true, data: true},
	EntityReplied:   {id: true, data: true},
	EntityFailed:    {id: true, failure: true},
	LocksGranted:    {id: true},
	RunSuspended:    {data: true},
	RunResumed:      {data: true},
	RunRewound:      {id: true, data: true},
	CallScheduled:   {id: true, name: true, data: true, extra: appendOptions, more: readOptions},
	TimerCreated:    {id: true, due: true},
	TimerCancelled:  {id: true, ref: true},
	CallCancelled:   {id: true, ref: true},
	ChildScheduled:  {id: true, name: true, version: true, target: true, data: true, extra: appendOptions, more: readOptions},
	WorkflowStarted: {id: true, name: true, version: true, target: true, data: true, extra: appendOptions, more: readOptions},
	EventSent:       {id: true, name: true, target: true, data: true},
	EntityCalled:    {id: true, name: true, target: true, data: true},
	EntitySignaled:  {id: true, name: true, target: true, due: true, data: true},
	LocksRequested:  {id: true, extra: appendTargets, more: readTargets},
	LocksReleased:   {id: true, ref: true},
	VersionMarked:   {id: true, name: true, ref: true},
	RunCompleted:    {data: true},
	RunFailed:       {failure: true, extra: appendCauses, more: readCauses},
	RunTerminated:   {data: true},
	RunContinued:    {name: true, version: true, data: true, extra: appendUnread, more: readUnread},
}

// AppendEvent writes e.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = append(dst, byte(e.Kind))
	l := &layouts[e.Kind]
	if l.id {
		dst = wire.AppendUint(dst, e.ID)
	}
	if l.ref {
		dst = wire.AppendUint(dst, e.Ref)
	}
	if l.time {
		dst = wire.AppendInt(dst, e.Time)
	}
	if l.due {
		dst = wire.AppendInt(dst, e.Due)
	}
	if l.name {
		dst = wire.AppendString(dst, e.Name)
	}
	if l.version {
		dst = wire.AppendString(dst, e.Version)
	}
	if l.target {
		dst = wire.AppendString(dst, e.Target)
	}
	if l.data {
		dst = wire.AppendBytes(dst, e.Data)
	}
	if l.failure {
		dst = e.Failure.append(dst)
	}
	if l.extra != nil {
		dst = l.extra(dst, e)
	}
	return dst
}

// ReadEvent reads what AppendEvent wrote. Data aliases the Reader's input.
func ReadEvent(r *wire.Reader, e *Event) {
	*e = Event{Kind: Kind(r.Byte())}
	if r.Err() == nil && (int(e.Kind) >= len(layouts) || e.Kind == 0) {
		r.Fail(fmt.Errorf("durable: unknown event kind %d", e.Kind))
	}
	if r.Err() != nil {
		return
	}
	l := &layouts[e.Kind]
	if l.id {
		e.ID = r.Uint()
	}
	if l.ref {
		e.Ref = r.Uint()
	}
	if l.time {
		e.Time = r.Int()
	}
	if l.due {
		e.Due = r.Int()
	}
	if l.name {
		e.Name = r.String()
	}
	if l.version {
		e.Version = r.String()
	}
	if l.target {
		e.Target = r.String()
	}
	if l.data {
		e.Data = r.Bytes()
	}
	if l.failure {
		e.Failure = readFailure(r)
		e.Failure.Seq = e.ID
	}
	if l.more != nil {
		l.more(r, e)
	}
}

func appendStart(dst []byte, e *Event) []byte {
	s := e.Start
	if s == nil {
		s = &Start{}
	}
	dst = wire.AppendUint(dst, s.Seed)
	dst = wire.AppendUint(dst, s.Execution)
	return wire.AppendString(dst, s.Parent)
}

func readStart(r *wire.Reader, e *Event) {
	e.Start = &Start{Seed: r.Uint(), Execution: r.Uint(), Parent: r.String()}
}

func appendOptions(dst []byte, e *Event) []byte {
	if e.Options.empty() {
		return append(dst, 0)
	}
	o := e.Options
	dst = append(dst, 1)
	dst = wire.AppendInt(dst, o.Timeout)
	dst = wire.AppendInt(dst, o.Heartbeat)
	dst = wire.AppendString(dst, o.Key)
	dst = wire.AppendString(dst, o.Tenant)
	dst = wire.AppendInt(dst, int64(o.Priority))
	return AppendTags(dst, o.Tags)
}

func readOptions(r *wire.Reader, e *Event) {
	if !r.Bool() {
		return
	}
	e.Options = &Options{
		Timeout: r.Int(), Heartbeat: r.Int(), Key: r.String(), Tenant: r.String(), Priority: int8(r.Int()), Tags: ReadTags(r),
	}
}

func appendTargets(dst []byte, e *Event) []byte {
	dst = wire.AppendUint(dst, uint64(len(e.Targets)))
	for _, t := range e.Targets {
		dst = wire.AppendString(dst, t)
	}
	return dst
}

func readTargets(r *wire.Reader, e *Event) {
	for range r.Count(1) {
		if e.Targets = append(e.Targets, r.String()); r.Err() != nil {
			return
		}
	}
}

func appendCauses(dst []byte, e *Event) []byte {
	dst = wire.AppendUint(dst, uint64(len(e.Causes)))
	for _, c := range e.Causes {
		dst = wire.AppendUint(dst, c)
	}
	return dst
}

func readCauses(r *wire.Reader, e *Event) {
	for range r.Count(1) {
		e.Causes = append(e.Causes, r.Uint())
	}
}

func appendUnread(dst []byte, e *Event) []byte {
	dst = wire.AppendUint(dst, uint64(len(e.Unread)))
	for _, u := range e.Unread {
		dst = wire.AppendBytes(wire.AppendString(dst, u.Name), u.Data)
	}
	return dst
}

func readUnread(r *wire.Reader, e *Event) {
	for range r.Count(2) {
		if e.Unread = append(e.Unread, Raised{r.String(), r.Bytes()}); r.Err() != nil {
			return
		}
	}
}
