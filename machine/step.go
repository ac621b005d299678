package machine

import (
	"fmt"
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// step is one call of Step: the frame, where its output goes and what is left of its budget.
type step struct {
	in       *Interpreter
	f        *Frame
	out      *Output
	budget   int
	overflow bool // the history is full
	scratch  scope
}

// steps keeps steps for the next call of Step, so that one costs no memory.
var steps = sync.Pool{New: func() any { return new(step) }}

// Step tells the run what happened and appends what it wants and what its history gains to out. An event
// that the run does not wait for (a result of a cancelled invocation, a timer that was cancelled, anything
// after Finish) changes nothing and emits nothing.
func (in *Interpreter) Step(f *Frame, ev Event, out *Output) {
	switch {
	case ev.Kind == Redrive:
		if f.Redrivable() != nil {
			return
		}
	case f.status > Running || (f.status == 0) != (ev.Kind == Start):
		return
	}
	s := steps.Get().(*step)
	*s = step{in: in, f: f, out: out, budget: in.maxTransitions()}
	f.now = max(f.now, ev.Now)
	f.context.forget()
	s.handle(&ev)
	s.run()
	*s = step{}
	steps.Put(s)
}

func (s *step) handle(ev *Event) {
	f := s.f
	switch ev.Kind {
	case Start:
		s.start(ev)
	case Continue:
		f.yielded = false
	case Stop:
		s.stop(ev)
	case Redrive:
		s.redrive(ev)
	case TimerFired:
		if ev.ID != 0 && ev.ID == f.deadline {
			s.timeOut()
			return
		}
		if b := f.holder(ev.ID); b != nil {
			s.timerFired(b, ev.ID)
		}
	case MapRunSucceeded, MapRunFailed:
		if b := f.holder(ev.ID); b != nil && b.invocation == ev.ID && b.phase == mapping {
			s.resume(s.mapRunEnded(b, ev))
		}
	case TaskSucceeded, TaskFailed, TaskSubmitted, TaskHeartbeat, TaskTaken:
		if b := f.holder(ev.ID); b != nil && b.invocation == ev.ID && b.phase != mapping && b.phase != forking {
			s.taskEvent(b, ev)
		}
	case ForkSucceeded, ForkFailed:
		if b := f.holder(ev.ID); b != nil && b.invocation == ev.ID && b.phase == forking {
			s.resume(s.forkEnded(b, ev))
		}
	}
}

// run lets the branches that are ready go on until all wait, the run has ended or the budget is used up.
func (s *step) run() {
	f := s.f
	i := 0
	for ; i < len(f.ready) && f.status == Running && s.budget > 0; i++ {
		b := f.ready[i]
		f.ready[i] = nil
		switch b.phase {
		case ready:
			s.drive(b)
		case revived:
			s.budget--
			s.resume(s.work(b))
		}
	}
	if f.status != Running {
		f.ready = nil
		return
	}
	n := copy(f.ready, f.ready[i:])
	clear(f.ready[n:])
	f.ready = f.ready[:n]
	if n > 0 && !f.yielded {
		f.yielded = true
		s.command(Command{Kind: Yield})
	}
}

// drive moves b, and after a join its owner, from state to state until it waits for something.
func (s *step) drive(b *branch) {
	for b != nil && s.f.status == Running {
		if s.overflow {
			s.overflowed()
			return
		}
		if s.budget <= 0 {
			s.f.ready = append(s.f.ready, b)
			return
		}
		s.budget--
		b = s.enter(b)
	}
	if s.overflow && s.f.status == Running {
		s.overflowed()
	}
}

func (s *step) start(ev *Event) {
	f := s.f
	f.status = Running
	if f.line != nil {
		s.startBranch()
		return
	}
	f.input = ev.Output
	if len(f.input) == 0 {
		f.input = []byte("{}")
	}
	if f.exec.StartTime == 0 {
		f.exec.StartTime = f.now
	}
	s.emit(history.Event{Type: history.ExecutionStarted, Input: f.input, RoleARN: f.exec.RoleARN})
	s.setDeadline()
	b := &f.root
	first := s.in.Definition.Graph.Start
	if other := s.in.Definition.Graph.ByName[ev.Amendment.State]; other != nil {
		first = other
	}
	s.begin(b, first, f.input)
	f.ready = append(f.ready, b)
	s.forgetInput()
}

// setDeadline arms the timer of the machine's TimeoutSeconds, which in ForkMode is the caller's to watch.
func (s *step) setDeadline() {
	if s.in.ForkMode {
		return
	}
	if t := s.timeout(); t > 0 {
		s.f.lastID++
		s.f.deadline = s.f.lastID
		s.command(Command{Kind: SetTimer, ID: s.f.deadline, Due: s.f.now + seconds(t)})
	}
}

// timeout is how many seconds the run may take; 0: any.
func (s *step) timeout() int64 {
	t, most := s.in.Definition.TimeoutSeconds, s.in.bounds.RunSeconds
	if s.f.exec.Express {
		most = ExpressSeconds
	}
	if most > 0 && (t <= 0 || t > most) {
		return most
	}
	return t
}

// begin points b at the first state of a graph.
func (s *step) begin(b *branch, st *asl.State, input []byte) {
	b.state, b.input, b.phase = st, input, ready
}

// emit appends a history event with the next id. When the history is full but for its last event it drops
// the event and ends the run.
func (s *step) emit(e history.Event) int64 {
	f := s.f
	if f.lastEvent >= s.in.bounds.HistoryEvents-1 {
		s.overflow = true
		return f.lastEvent
	}
	f.lastEvent++
	e.ID, e.Time = f.lastEvent, f.now
	s.out.History = append(s.out.History, e)
	return e.ID
}

// note is emit for an event that moves b's line of control on.
func (s *step) note(b *branch, e history.Event) {
	e.Prev = b.prev
	b.prev = s.emit(e)
}

func (s *step) command(c Command) { s.out.Commands = append(s.out.Commands, c) }

// last is emit for the run's last event, for which there is always room.
func (s *step) last(e history.Event) {
	s.f.lastEvent++
	e.ID, e.Time = s.f.lastEvent, s.f.now
	s.out.History = append(s.out.History, e)
}

// overflowed ends a run whose history is full.
func (s *step) overflowed() {
	s.cancelAll(&s.f.root)
	s.fail(s.f.lastEvent, &failure{name: errRuntime, hasName: true, hasCause: true, cause: fmt.Sprintf(
		"The execution reached the maximum number of history events (%d).", s.in.bounds.HistoryEvents)})
}

// succeed ends the run with its output.
func (s *step) succeed(output []byte) {
	s.last(history.Event{Type: history.ExecutionSucceeded, Prev: s.f.root.prev, Output: output})
	s.finish(Command{Status: Succeeded, Output: output})
}

// fail ends the run with an error that nothing caught.
func (s *step) fail(prev int64, e *failure) {
	s.last(history.Event{Type: history.ExecutionFailed, Prev: prev, Error: e.name, HasError: e.hasName, Cause: e.cause, HasCause: e.hasCause})
	c := Command{Status: Failed, Error: e.name, HasError: e.hasName, Cause: e.cause, HasCause: e.hasCause, Alias: e.alias}
	s.f.line.judge(&c)
	s.finish(c)
}

// stop ends the run on a client's word. Like AWS's, the event stands outside every line of control
// (previousEventId 0).
func (s *step) stop(ev *Event) {
	s.abortMapRuns(&s.f.root)
	s.cancelAll(&s.f.root)
	hasError, hasCause := ev.Error != "", ev.Cause != ""
	s.last(history.Event{Type: history.ExecutionAborted, Error: ev.Error, HasError: hasError, Cause: ev.Cause, HasCause: hasCause})
	s.finish(Command{Status: Aborted, Error: ev.Error, HasError: hasError, Cause: ev.Cause, HasCause: hasCause})
}

// timeOut ends a run whose TimeoutSeconds are over.
func (s *step) timeOut() {
	s.f.deadline = 0
	s.abortMapRuns(&s.f.root)
	s.cancelAll(&s.f.root)
	s.last(history.Event{Type: history.ExecutionTimedOut})
	s.finish(Command{Status: TimedOut})
}

// finish ends the run. Of one that may be redriven the frame keeps its branches, each in the state in which it was
// stopped; else it drops everything.
func (s *step) finish(c Command) {
	f := s.f
	if f.deadline != 0 {
		s.command(Command{Kind: CancelTimer, ID: f.deadline})
		f.deadline = 0
	}
	c.Kind = Finish
	s.command(c)
	f.status = c.Status
	f.ready, f.routes, f.yielded = nil, nil, false
	f.context = contextCache{}
	if f.Redrivable() != nil {
		f.root, f.input, f.variables = branch{}, nil, 0
	}
}

// cancelAll takes back what b and all below it wait for, without a word in the history. The branches stay where they
// were stopped, for a redrive.
func (s *step) cancelAll(b *branch) {
	s.cancel(b)
	if b.fork != nil {
		for _, c := range b.fork.children {
			s.cancelAll(c)
		}
	}
	b.halt()
}

// halt notes that b has been stopped, before its state or in it.
func (b *branch) halt() {
	switch b.phase {
	case ready, unbegun:
		b.phase = unbegun
	default:
		b.phase = idle
	}
}

// cancel takes back b's own invocation and timers.
func (s *step) cancel(b *branch) {
	if b.invocation != 0 {
		s.cancelWork(b)
		s.f.release(&b.invocation, b)
	}
	s.cancelTimers(b)
}

func (s *step) cancelTimers(b *branch) {
	for _, t := range [...]*uint64{&b.timer, &b.beat} {
		if *t != 0 {
			s.command(Command{Kind: CancelTimer, ID: *t})
			s.f.release(t, b)
		}
	}
}

// setTimer arms b's timer.
func (s *step) setTimer(b *branch, due int64) {
	b.timer, b.due = s.f.newID(b), due
	s.command(Command{Kind: SetTimer, ID: b.timer, Due: due})
}

func (s *step) timerFired(b *branch, id uint64) {
	f := s.f
	switch {
	case id == b.invocation:
		return
	case id == b.beat:
		f.release(&b.beat, b)
		s.resume(s.taskTimedOut(b, true))
		return
	}
	f.release(&b.timer, b)
	switch b.phase {
	case waiting:
		s.resume(s.passOn(b))
	case backoff:
		s.resume(s.work(b))
	case working:
		s.resume(s.taskTimedOut(b, false))
	}
}

// resume goes on with b after an event.
func (s *step) resume(b *branch) {
	if b != nil {
		s.drive(b)
	} else if s.overflow && s.f.status == Running {
		s.overflowed()
	}
}

// seconds returns n seconds in milliseconds, bounded so that a due time never overflows.
func seconds(n int64) int64 { return min(max(n, 0), maxSeconds) * 1000 }

// maxSeconds is the longest time a state may take or wait: a thousand years.
const maxSeconds = 1000 * 366 * 86400
