package durable

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftworks/weft/limits"
)

// Task is something that the code asked for and that will be answered once.
type Task struct {
	seq      uint64
	kind     Kind // of the action that seq is
	done     bool
	data     []byte
	failure  *Failure
	retry    *retrying
	section  *Section // of a call of an entity in one
	entity   string   // that is called there
	box      *mailbox // of a task that waits for an event
	watchers []*Task
	left     int // of a task that waits for others: how many more must be done
}

// Await waits for the answer: JSON text, or a *Failure.
func (t *Task) Await(w *Flow) ([]byte, error) {
	w.wait(t)
	if t.failure != nil {
		return nil, t.failure
	}
	return w.resolve(t.data), nil
}

// Done reports whether the answer has come.
func (t *Task) Done() bool { return t.done }

// Failed reports whether the answer is a failure.
func (t *Task) Failed() bool { return t.done && t.failure != nil }

// complete ends t and tells those who watch it.
func (t *Task) complete(data []byte, f *Failure) {
	t.done, t.data, t.failure = true, data, f
	for _, other := range t.watchers {
		if other.left--; other.left == 0 {
			other.complete(nil, nil)
		}
	}
	t.watchers = nil
}

// answer takes the input that answers t.
func (t *Task) answer(w *Flow, e *Event) {
	if t.section != nil {
		t.section.pending[t.entity]--
	}
	if t.retry != nil && t.retry.again(w, t, e) {
		return
	}
	t.complete(e.Data, e.Failure)
}

// Wait waits until n of tasks are done.
func Wait(w *Flow, n int, tasks ...*Task) {
	w.check()
	t := &Task{left: n}
	for _, other := range tasks {
		if other.done {
			t.left--
		}
	}
	if t.left <= 0 {
		return
	}
	for _, other := range tasks {
		if !other.done {
			other.watchers = append(other.watchers, t)
		}
	}
	w.wait(t)
	for _, other := range tasks {
		other.unwatch(t)
	}
}

func (t *Task) unwatch(w *Task) {
	for i, other := range t.watchers {
		if other == w {
			t.watchers = append(t.watchers[:i], t.watchers[i+1:]...)
			return
		}
	}
}

// Retry says how failures of a call or a child are tried again. The waits are durable timers.
type Retry struct {
	// Attempts is how many there are at most, the first included. 0: no bound.
	Attempts int
	// First is the wait before the second attempt. 0: one second.
	First time.Duration
	// Coefficient multiplies each wait. 0: 2. 1: the same wait each time.
	Coefficient float64
	// Most bounds a wait. 0: one hour.
	Most time.Duration
	// Within bounds the time from the first attempt to the begin of the last. 0: no bound.
	Within time.Duration
	// Handle decides on each failure. It must be deterministic and must not use the Flow. nil: all but final ones are
	// tried again.
	Handle func(f *Failure, attempt int) bool
}

type retrying struct {
	policy  Retry
	action  Event // to do again
	attempt int
	began   int64
	waiting bool // for the timer
}

// again takes an answer and reports whether the task goes on.
func (r *retrying) again(w *Flow, t *Task, e *Event) bool {
	if r.waiting { // the timer has fired
		r.waiting = false
		r.attempt++
		next := r.action
		if next.Kind == ChildScheduled && r.attempt > 1 {
			next.Target = fmt.Sprintf("%s:%d", r.action.Target, r.attempt) // a run id is used once
		}
		w.given += limits.ActionBytes + len(next.Data)
		w.track(t, next)
		return true
	}
	f := e.Failure
	if f == nil || (r.policy.Handle == nil && f.Final) || (r.policy.Attempts > 0 && r.attempt >= r.policy.Attempts) {
		return false
	}
	if r.policy.Handle != nil && !r.policy.Handle(f, r.attempt) {
		return false
	}
	due := w.now + r.wait().Milliseconds()
	if r.policy.Within > 0 && due > r.began+r.policy.Within.Milliseconds() {
		return false
	}
	r.waiting = true
	w.track(t, Event{Kind: TimerCreated, Due: due})
	return true
}

func (r *retrying) wait() time.Duration {
	first, coefficient, most := r.policy.First, r.policy.Coefficient, r.policy.Most
	if first <= 0 {
		first = time.Second
	}
	if coefficient <= 0 {
		coefficient = 2
	}
	if most <= 0 {
		most = time.Hour
	}
	wait := float64(first)
	for range r.attempt - 1 {
		if wait *= coefficient; wait > float64(most) {
			return most
		}
	}
	return min(time.Duration(wait), most)
}

// track does an action whose answer t waits for.
func (w *Flow) track(t *Task, e Event) {
	t.kind = e.Kind
	t.seq = w.emit(e)
	w.tasks[t.seq] = t
}

// Call calls a function.
func Call(w *Flow, function string, input []byte, o *Options, retry *Retry) *Task {
	return w.schedule(Event{Kind: CallScheduled, Name: function, Data: input, Options: o}, retry)
}

// Child starts a workflow whose result is awaited. id "" derives one from the parent's.
func Child(w *Flow, workflow, version, id string, input []byte, o *Options, retry *Retry) *Task {
	w.check()
	if w.section != nil {
		return failed(SectionType, "while holding locks a workflow cannot call another workflow: leave the critical section first, or let an entity or a function do it")
	}
	if id == "" {
		id = fmt.Sprintf("%s:%d", w.ID(), w.seq+1)
	}
	if f := w.refuse("a run", id, runBytes, input); f != nil {
		return refused(f)
	}
	return w.schedule(Event{Kind: ChildScheduled, Name: workflow, Version: version, Target: id, Data: input, Options: o}, retry)
}

// Spawn starts a workflow that nobody awaits and returns its run id.
func Spawn(w *Flow, workflow, version, id string, input []byte, o *Options) (string, error) {
	w.check()
	if id == "" {
		id = fmt.Sprintf("%s:%d", w.ID(), w.seq+1)
	}
	if f := w.refuse("a run", id, runBytes, input); f != nil {
		return "", f
	}
	if f := badOptions(o); f != nil {
		return "", f
	}
	w.emit(Event{Kind: WorkflowStarted, Name: workflow, Version: version, Target: id, Data: input, Options: o})
	return id, nil
}

func (w *Flow) schedule(e Event, retry *Retry) *Task {
	w.check()
	if f := badOptions(e.Options); f != nil {
		return refused(f)
	}
	if e.Kind == CallScheduled { // a child's was looked at
		if f := w.tooLarge(e.Data); f != nil {
			return refused(f)
		}
	}
	t := &Task{}
	if retry != nil {
		t.retry = &retrying{policy: *retry, action: e, attempt: 1, began: w.now}
	}
	w.track(t, e)
	return t
}

// FailedTask returns a task that failed before it began.
func FailedTask(err error) *Task {
	f, _ := FailureOf(err)
	return refused(f)
}

func refused(f *Failure) *Task { return &Task{done: true, failure: f} }

func failed(kind, format string, args ...any) *Task {
	return refused(&Failure{Type: kind, Message: fmt.Sprintf(format, args...), Final: true})
}

// Timer returns a task that is done at due (Unix milliseconds).
func Timer(w *Flow, due int64) *Task {
	w.check()
	t := &Task{}
	w.track(t, Event{Kind: TimerCreated, Due: due})
	return t
}

// Cancel says that the answer to a timer, a call or an event is not wanted any more. A function that runs sees its
// context end. The task fails with Weft.Cancelled. It does nothing to a task that is done, and nothing to children and
// entities, whose answers come all the same.
func Cancel(w *Flow, t *Task) {
	w.check()
	if t.done {
		return
	}
	switch t.kind {
	case EventRaised:
		t.box.forget(t)
	case TimerCreated:
		delete(w.tasks, t.seq)
		w.emit(Event{Kind: TimerCancelled, Ref: t.seq})
	case CallScheduled:
		delete(w.tasks, t.seq)
		w.emit(Event{Kind: CallCancelled, Ref: t.seq})
	default:
		return
	}
	t.complete(nil, &Failure{Type: "Weft.Cancelled", Message: "the workflow cancelled it", Final: true, Seq: t.seq})
}

// ErrTimeout is what waiting for an event with a time-out returns when none came.
var ErrTimeout = errors.New("weft: no event came in time")
