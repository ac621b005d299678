package machine

import (
	"math"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/machine/history"
)

// Trial is one state to be run by itself, as TestState does: nothing before it, nothing behind it.
type Trial struct {
	State     *asl.State // of the interpreter's definition, at whatever depth
	Execution Execution
	Now       int64             // Unix milliseconds
	Input     []byte            // one JSON text, compact
	Variables *jsonvalue.Object // the workflow variables that the state finds; nil: none
	// Context has the members that take the place of those of the context object. Nil: none.
	Context *jsonvalue.Object
	// Mock answers in place of what a Task calls or of the branches of a Parallel or Map, which need it. Nil: the Task
	// calls.
	Mock *Response
	// Retried is how many attempts every retrier of the state has granted already.
	Retried int64
	// ReaderItems is a JSON array in place of what a Map's ItemReader reads. Nil: its items are not known.
	ReaderItems []byte
	// FailedIterations is how many iterations of a Map have failed.
	FailedIterations int64
}

// Outcome is how a trial ended, as TestState has it.
type Outcome uint8

// The outcomes.
const (
	OutcomeSucceeded Outcome = iota + 1
	OutcomeFailed
	OutcomeRetriable // a retrier grants another attempt
	OutcomeCaught    // a catcher took the error
)

// String returns the outcome as the API spells it.
func (o Outcome) String() string {
	return [...]string{"", "SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"}[o]
}

// Field is a value on the way from a state's input to its output.
type Field uint8

// The fields, in the order of the way.
const (
	FieldInput Field = iota
	FieldAfterArguments
	FieldAfterInputPath
	FieldAfterParameters
	FieldAfterItemsPath
	FieldAfterItemsPointer
	FieldAfterItemSelector
	FieldAfterItemBatcher
	FieldResult
	FieldAfterResultSelector
	FieldAfterResultPath
	FieldVariables
	fieldCount
)

// String returns the field as the API spells it.
func (f Field) String() string {
	return [...]string{"input", "afterArguments", "afterInputPath", "afterParameters", "afterItemsPath", "afterItemsPointer",
		"afterItemSelector", "afterItemBatcher", "result", "afterResultSelector", "afterResultPath", "variables"}[f]
}

// Inspection is what a trial has shown.
type Inspection struct {
	Outcome Outcome
	Output  []byte  // OutcomeSucceeded and OutcomeCaught
	Error   *string // unless OutcomeSucceeded; nil when the error has no name
	Cause   *string
	Next    string // the state that would follow; "" after the last, and when the state failed

	Values [fieldCount][]byte // JSON texts; nil: the state has not come there, or has no such field

	ToleratedCount      *int64   // of a Map that has such a field
	ToleratedPercentage *float64 // the same
	MaxConcurrency      *int64   // of a Map; 0: no limit

	RetryIndex     *int   // of the retrier that covers the error
	BackoffSeconds *int64 // until its next attempt; nil: it grants none
	CatchIndex     *int   // of the catcher that took it
}

// Inspect runs one state to its end. What a Task calls is called through invoke, which returns the answer: TaskSucceeded,
// TaskFailed or TaskSubmitted with the command's ID. Time does not pass: a Wait ends at once. Where the data flow passes
// its fields it tells the frame's probe (grep for "probe."), so that it is the interpreter itself that is inspected.
func (in *Interpreter) Inspect(t *Trial, invoke func(c *Command) Event) *Inspection {
	f := in.NewFrame(t.Execution)
	p := &probe{trial: t}
	f.probe, f.now = p, t.Now
	var out Output
	s := step{in: in, f: f, out: &out, budget: 1}
	s.try(t)
	for f.status == Running && (f.root.phase == working || f.root.phase == waiting) {
		ev := Event{Kind: TimerFired, ID: f.root.timer, Now: max(f.now, f.root.due)}
		if f.root.phase == working {
			c := out.lastInvoke()
			if ev = invoke(&c); ev.Kind == TaskSubmitted {
				ev.Kind = TaskSucceeded // nobody will send the token
			}
		}
		ev.Now = max(ev.Now, f.now)
		out.Reset()
		in.Step(f, ev, &out)
	}
	p.end(f, &out)
	return &p.seen
}

// try begins a trial: Start, at its state.
func (s *step) try(t *Trial) {
	f := s.f
	f.status, f.input = Running, t.Input
	if f.exec.StartTime == 0 {
		f.exec.StartTime = t.Now
	}
	f.probe.seen.Values[FieldInput] = t.Input
	s.emit(history.Event{Type: history.ExecutionStarted, Input: t.Input, RoleARN: f.exec.RoleARN})
	if t.Variables != nil {
		vs, e := s.scope(&f.root).newVariables(t.Variables)
		if e != nil {
			s.fail(f.lastEvent, e)
			return
		}
		f.assign(&f.root, vs)
		f.probe.variables(&f.root)
	}
	s.begin(&f.root, t.State, t.Input)
	f.ready = append(f.ready, &f.root)
	s.run()
}

// lastInvoke returns the last Invoke command of o.
func (o *Output) lastInvoke() Command {
	for i := len(o.Commands) - 1; i >= 0; i-- {
		if o.Commands[i].Kind == Invoke {
			return o.Commands[i]
		}
	}
	return Command{}
}

// probe watches the branch of a trial. The methods of a nil probe do nothing.
type probe struct {
	trial *Trial
	seen  Inspection
}

// sees reports whether b is the branch that is watched.
func (p *probe) sees(b *branch) bool { return p != nil && b.parent == nil }

// note keeps the value that b's data flow has come to.
func (p *probe) note(b *branch, f Field, v value) {
	if p.sees(b) {
		p.seen.Values[f] = v.json(math.MaxInt)
	}
}

// variables keeps the variables that b has.
func (p *probe) variables(b *branch) {
	if len(b.variables) == 0 {
		return
	}
	o := jsonvalue.NewObject(len(b.variables))
	for _, v := range b.variables {
		if tree, err := v.root(); err == nil {
			o.Set(v.name, tree)
		}
	}
	p.note(b, FieldVariables, treeValue(o))
}

// concurrency keeps a Map's MaxConcurrency.
func (p *probe) concurrency(b *branch, n int64) {
	if p.sees(b) {
		p.seen.MaxConcurrency = &n
	}
}

// tolerance keeps what a Map tolerates.
func (p *probe) tolerance(b *branch, t *tolerance) {
	if !p.sees(b) || !t.set {
		return
	}
	if m := b.state.Map; m.HasFailureCount {
		p.seen.ToleratedCount = &t.count
	}
	if m := b.state.Map; m.HasFailurePercentage {
		p.seen.ToleratedPercentage = &t.percent
	}
}

// failed keeps the error of b's state, before retriers and catchers look at it.
func (p *probe) failed(b *branch, e *failure) {
	if p.sees(b) {
		p.seen.Error, p.seen.Cause = optionalText(e.name, e.hasName), optionalText(e.cause, e.hasCause)
	}
}

// retrier keeps that retrier i covers the error, and the milliseconds until its next attempt (below 0: there is none).
func (p *probe) retrier(b *branch, i int, delay int64) {
	if !p.sees(b) {
		return
	}
	p.seen.RetryIndex = &i
	if delay >= 0 {
		seconds := (delay + 999) / 1000
		p.seen.BackoffSeconds = &seconds
	}
}

// retried is how many attempts a retrier of b's state has granted before the trial.
func (p *probe) retried(b *branch) int64 {
	if !p.sees(b) {
		return 0
	}
	return p.trial.Retried
}

// catcher keeps that catcher i took the error.
func (p *probe) catcher(b *branch, i int) {
	if p.sees(b) {
		p.seen.CatchIndex = &i
	}
}

// leave keeps where b goes on to, and returns nil for it: the trial ends there.
func (p *probe) leave(b *branch, next *asl.State) *asl.State {
	if !p.sees(b) {
		return next
	}
	p.variables(b)
	if next != nil {
		p.seen.Next = next.Name
	}
	return nil
}

// end reads how the trial ended.
func (p *probe) end(f *Frame, out *Output) {
	in := &p.seen
	if f.status == Running {
		in.Outcome = OutcomeRetriable
		if f.root.phase != backoff {
			in.Outcome, in.Error = OutcomeFailed, new(errRuntime)
			in.Cause = new("The state waits for other parts of the run, so it can be tested by itself only with a mock.")
		}
		return
	}
	last := out.Commands[len(out.Commands)-1]
	switch {
	case last.Status == Succeeded && in.CatchIndex != nil:
		in.Outcome, in.Output = OutcomeCaught, last.Output
	case last.Status == Succeeded:
		in.Outcome, in.Output = OutcomeSucceeded, last.Output
	default:
		in.Outcome, in.Next = OutcomeFailed, ""
		in.Error, in.Cause = optionalText(last.Error, last.HasError), optionalText(last.Cause, last.HasCause)
	}
}

func optionalText(s string, present bool) *string {
	if !present {
		return nil
	}
	return &s
}

// overlay makes of the context object what a trial shows: of an express run, in which the state has always the same name,
// with the trial's own members over it.
func (p *probe) overlay(o *jsonvalue.Object) {
	if p == nil {
		return
	}
	execution := member(o, "Execution").Without("RedriveCount")
	if p.trial.Execution.RoleARN == "" {
		execution.Set("RoleArn", nil)
	}
	o.Set("Execution", execution)
	member(o, "State").Set("Name", asl.LoneName)
	if p.trial.Context != nil {
		for k, v := range p.trial.Context.All() {
			o.Set(k, v)
		}
	}
}

// member returns a member that is an object.
func member(o *jsonvalue.Object, name string) *jsonvalue.Object {
	v, _ := o.Get(name)
	m, _ := v.(*jsonvalue.Object)
	return m
}
