package durable

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"strings"

	"github.com/weftworks/weft/limits"
)

// Code is the code of a workflow: JSON in, JSON out. It may return what ContinueAsNew made.
type Code func(w *Flow, input []byte) (output []byte, err error)

// Config says what a Run is of.
type Config struct {
	ID   string // the run's id
	Code Code
	// Logger is what Flow.Log writes to, but for what was logged before. nil: nothing.
	Logger *slog.Logger
	// Resolve returns the text of a payload that may be a reference to one. An error says that it cannot be read now.
	// nil: payloads are texts.
	Resolve func(payload []byte) ([]byte, error)
	// OutputBytes bounds an output and every input that the code gives to others. 0: no bound.
	OutputBytes int
}

// Result is what a step did.
type Result struct {
	// Consumed is how many of the inputs were taken, from the first on. Code that ends does not take the rest, and a
	// step that has given much to others leaves it to the next.
	Consumed int
	Actions  []Event
	// Status is the custom status as JSON, if the code set one in this step.
	Status []byte
	// Err is a difference from history; the last of Actions then ends the run with it.
	Err *NonDeterminism
	// Unread is why a payload could not be read. The step must be made again, by another Run.
	Unread error
}

// Run is the coroutine of one execution of a run. One goroutine at a time uses it.
type Run struct {
	cfg  Config
	flow Flow

	resume func() (struct{}, bool) // nil before RunStarted
	stop   func()
	yield  func(struct{}) bool
	ended  bool
	broken *NonDeterminism
	unread error
	failed bool  // with broken, for others to see
	exited bool  // the code has called runtime.Goexit
	last   int64 // events taken, in all
}

// New returns a Run that waits for RunStarted.
func New(cfg Config) *Run {
	r := &Run{cfg: cfg}
	r.flow.run = r
	r.flow.tasks = make(map[uint64]*Task)
	return r
}

// Events returns how many events of its execution's history the run has seen or made.
func (r *Run) Events() int64 { return r.last }

// Ended reports whether the code has returned.
func (r *Run) Ended() bool { return r.ended }

// Close ends the coroutine of a run that is not wanted any more. The code unwinds: its deferred functions run.
func (r *Run) Close() {
	switch {
	case r.stop == nil:
	case r.exited:
		context.AfterFunc(over, r.stop) // on a goroutine of its own, which it ends
	case !r.ended:
		r.flow.abandoned = true
		r.stop()
	}
	r.stop, r.ended = nil, true
}

// over is a context that has ended.
var over = func() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}()

// actionsKept is how many actions a run that waits keeps space for.
const actionsKept = 16

// Step gives inputs to the code and returns what it does, in a slice that is valid until the next Step. now is the time
// that Flow.Now tells (Unix milliseconds).
func (r *Run) Step(now int64, inputs []Event) Result {
	w := &r.flow
	w.replaying, w.now = false, now
	w.actions, w.status, w.given = w.actions[:0], nil, 0
	taken := 0
	for taken < len(inputs) && !r.ended && r.broken == nil && r.unread == nil && w.given < limits.StepPauseBytes {
		r.deliver(&inputs[taken])
		taken++
	}
	if r.unread != nil {
		r.Close()
		return Result{Unread: r.unread}
	}
	if r.broken != nil && !r.failed {
		r.fail(r.broken)
	}
	res := Result{Consumed: taken, Actions: w.actions, Status: w.status, Err: r.broken}
	r.last += int64(1 + taken + len(w.actions))
	if cap(w.actions) > actionsKept {
		w.actions = nil
	}
	w.status = nil
	return res
}

// Replay runs the code against a history, whose events must be those of one execution from its start. It returns the
// first difference; the Run is then of no use but for a Step, which fails the run with it.
func (r *Run) Replay(history []Event) *NonDeterminism {
	w := &r.flow
	w.replaying = true
	for len(history) > 0 && r.broken == nil && r.unread == nil {
		n := 1
		for n < len(history) && history[n].Kind != StepStarted {
			n++
		}
		r.replayStep(history[:n])
		r.last += int64(n)
		history = history[n:]
	}
	return r.broken
}

// replayStep replays one step: StepStarted, inputs, actions.
func (r *Run) replayStep(step []Event) {
	w := &r.flow
	w.now, w.given = step[0].Time, 0
	inputs := step[1:]
	for i := range inputs {
		if inputs[i].Kind.Action() || inputs[i].Kind == RunTerminated {
			inputs, w.expected = inputs[:i], inputs[i:]
			break
		}
	}
	for i := range inputs {
		if r.broken != nil || r.unread != nil {
			return
		}
		if r.ended {
			r.broken = r.differs(&inputs[i], nil, "")
			return
		}
		r.deliver(&inputs[i])
	}
	if r.unread != nil {
		return
	}
	if r.broken == nil && len(w.expected) > 0 && w.expected[0].Kind != RunTerminated {
		r.missing(&w.expected[0])
	}
	w.expected = nil
}

// missing notes that the code did not do what history has, and where it waits instead.
func (r *Run) missing(want *Event) {
	if r.ended || r.resume == nil {
		r.broken = r.differs(want, nil, "")
		return
	}
	r.flow.probe = want
	r.goOn()
	r.flow.probe = nil
	if r.broken == nil {
		r.broken = r.differs(want, nil, "")
	}
}

// deliver gives one input to the code.
func (r *Run) deliver(e *Event) {
	w := &r.flow
	switch e.Kind {
	case RunStarted:
		if r.resume != nil {
			return // a run starts once
		}
		w.begin(e)
		r.start(e.Data)
		return
	case EventRaised:
		w.raised(e)
	case RunSuspended, RunResumed:
		return
	case RunRewound:
		w.seq = max(w.seq, e.ID)
		return
	case CallCompleted, CallFailed, TimerFired, ChildCompleted, ChildFailed, EntityReplied, EntityFailed, LocksGranted:
		t := w.tasks[e.ID]
		if t == nil {
			return // cancelled, or an answer to code that does not wait
		}
		delete(w.tasks, e.ID)
		r.guard(func() { t.answer(w, e) })
	default:
		panic(fmt.Sprintf("durable: %v is no input", e.Kind))
	}
	if r.broken == nil && r.resume != nil && w.ready() { // an event may come before the start
		r.goOn()
	}
}

// start begins the coroutine and runs it until it waits.
func (r *Run) start(input []byte) {
	r.resume, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield = yield
		r.body(input)
	})
	r.goOn()
}

// goOn lets the code run until it waits or ends.
func (r *Run) goOn() {
	r.flow.running = true
	_, more := r.resume()
	r.flow.running = false
	if !more {
		r.ended = true
	}
}

// abandoned is what unwinds the code of a run that is not wanted any more.
type abandoned struct{}

// unreadable is what unwinds the code when a payload cannot be read.
type unreadable struct{ error }

// resolve returns the text of a payload.
func (w *Flow) resolve(payload []byte) []byte {
	if w.run.cfg.Resolve == nil {
		return payload
	}
	if w.run.unread == nil {
		text, err := w.run.cfg.Resolve(payload)
		if err == nil {
			return text
		}
		w.run.unread = err
	}
	panic(unreadable{w.run.unread})
}

// body runs the code, on the coroutine.
func (r *Run) body(input []byte) {
	w := &r.flow
	var out []byte
	var err error
	clean := false
	defer func() {
		if !clean {
			switch v := recover().(type) {
			case abandoned:
				return
			case unreadable:
				r.unread = v.error
				return
			case *NonDeterminism:
				r.broken = v
				return
			case nil:
				r.exited = true
				err = &Failure{Type: goexitType, Message: "the workflow ended its goroutine (runtime.Goexit) instead of returning"}
			default:
				err = Panicked(v)
			}
		}
		if w.abandoned {
			return
		}
		if r.broken == nil { // code may have recovered from it
			r.guard(func() { w.finish(out, err) })
		}
		if r.exited { // nothing stops a Goexit, and iter.Pull hands it on to whoever waits for the coroutine's end: it does not end
			r.ended = true
			r.yield(struct{}{})
		}
	}()
	out, err = r.cfg.Code(w, w.resolve(input))
	clean = true
}

// guard runs fn, which may find a difference from history.
func (r *Run) guard(fn func()) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *NonDeterminism:
			r.broken = v
		default:
			panic(v)
		}
	}()
	fn()
}

// fail ends the run with a difference. What the code did before stands.
func (r *Run) fail(n *NonDeterminism) {
	w := &r.flow
	if !r.ended {
		r.Close()
	}
	r.failed = true
	f := &Failure{Type: NonDeterminismType, Message: n.Error(), Final: true}
	f.Cut()
	w.actions = append(w.actions, Event{Kind: RunFailed, Failure: f})
	r.ended = true
}

// The types of failures of code that did not return.
const (
	panicType  = "panic"
	goexitType = "Weft.Goexit"
)

// Panicked is the failure of code that panicked with v.
func Panicked(v any) *Failure {
	buf := make([]byte, 16<<10)
	buf = buf[:runtime.Stack(buf, false)]
	return &Failure{Type: panicType, Message: fmt.Sprint(v), Details: string(buf)}
}

// FailureOf turns an error of user code into a Failure, cut to what a failure may have, and tells which actions' failures
// are in it.
func FailureOf(err error) (f *Failure, causes []uint64) {
	causes = appendFailures(nil, err)
	f = &Failure{}
	if own := (*Failure)(nil); !errors.As(err, &own) {
		f.Type, f.Message = TypeName(err), err.Error()
	} else if *f = *own; err != error(own) {
		f.Message, f.Seq = err.Error(), 0
	}
	f.Cut()
	return f, causes
}

// appendFailures adds the numbers of the failed actions in err's tree.
func appendFailures(dst []uint64, err error) []uint64 {
	if f, ok := err.(*Failure); ok && f != nil && f.Seq != 0 {
		dst = append(dst, f.Seq)
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		if inner := x.Unwrap(); inner != nil {
			return appendFailures(dst, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			dst = appendFailures(dst, inner)
		}
	}
	return dst
}

// TypeName returns the name by which an error's type is known to retry policies: that of its Go type, without package
// and pointer. Errors made with errors.New and fmt.Errorf are all "Error".
func TypeName(err error) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprintf("%T", err), "*"), "[") // without type arguments
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	switch name {
	case "errorString", "wrapError", "wrapErrors", "joinError":
		return untyped
	}
	return name
}

// untyped is the type of errors that have none of their own.
const untyped = "Error"
