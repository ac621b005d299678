package mock

import (
	"container/heap"
	"fmt"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// Test is a run of a machine under virtual time.
type Test struct {
	Definition *asl.Machine
	Mocks      machine.Mocks // a *Case; nil: nothing is mocked
	Execution  machine.Execution
	Input      []byte     // one JSON text, compact; nil: {}
	Start      int64      // Unix milliseconds: when the run starts
	Limits     limits.Set // the zero Set: limits.Default
	// Call answers for tasks that are not mocked: TaskSucceeded, TaskSubmitted or TaskFailed, with the command's ID. Nil: such
	// a task ends the run with States.Runtime.
	Call func(c *machine.Command) machine.Event
	// MaxSteps bounds the events that the run is told, so that one which never ends does; 0: 100,000.
	MaxSteps int
}

const maxSteps = 100_000

// Report is what came of a run.
type Report struct {
	Status  machine.Status
	Output  []byte // of one that succeeded
	Error   *string
	Cause   *string
	Visits  []Visit
	History []history.Event
	Elapsed int64 // milliseconds of virtual time
}

// Visit is one stay of the run in a state.
type Visit struct {
	State    string
	Entered  int64 // milliseconds since the run's start
	Attempts int   // how often the state did its work: 1, and one more with each retry; 0 for states that only pass on
	Errors   []string
}

// Path returns the names of the states that were entered, in order.
func (r *Report) Path() []string {
	path := make([]string, len(r.Visits))
	for i := range r.Visits {
		path[i] = r.Visits[i].State
	}
	return path
}

// Run runs a test to its end. Its error is a fault: the run waits for something that cannot come (a task token), or does
// not end.
func Run(t *Test) (*Report, error) {
	in := &machine.Interpreter{Definition: t.Definition, Limits: t.Limits, Mocks: t.Mocks}
	w := &world{test: t, in: in, frame: in.NewFrame(t.Execution), now: t.Start, report: &Report{}}
	input := t.Input
	if input == nil {
		input = []byte("{}")
	}
	w.step(&machine.Event{Kind: machine.Start, Output: input})
	most := t.MaxSteps
	if most == 0 {
		most = maxSteps
	}
	for steps := 1; !w.ended; steps++ {
		ev, ok := w.next()
		switch {
		case !ok:
			return nil, fault.New("", fault.InvalidArgument, t.Execution.MachineName, "the run waits for a task token; mock the state that hands it out")
		case steps >= most:
			return nil, fault.New("", fault.InvalidArgument, t.Execution.MachineName, "the run has not ended after %d steps; does a loop of it ever end?", most)
		}
		w.step(&ev)
	}
	w.report.Elapsed = w.now - t.Start
	w.report.Visits = visits(w.report.History, t.Start)
	return w.report, nil
}

// world is a run, its clock and what will happen to it.
type world struct {
	test   *Test
	in     *machine.Interpreter
	frame  *machine.Frame
	now    int64
	queue  events
	gone   map[uint64]bool // timers and calls that were taken back
	seq    int
	out    machine.Output
	report *Report
	ended  bool
}

// next returns the next event, and moves the clock to it.
func (w *world) next() (machine.Event, bool) {
	for len(w.queue) > 0 {
		e := heap.Pop(&w.queue).(event)
		if id := e.what.ID; id != 0 && w.gone[id] {
			continue
		}
		w.now = max(w.now, e.at)
		return e.what, true
	}
	return machine.Event{}, false
}

func (w *world) step(ev *machine.Event) {
	ev.Now = w.now
	w.out.Reset()
	w.in.Step(w.frame, *ev, &w.out)
	w.report.History = append(w.report.History, w.out.History...)
	for i := range w.out.Commands {
		w.command(&w.out.Commands[i])
	}
}

func (w *world) command(c *machine.Command) {
	switch c.Kind {
	case machine.Invoke:
		if w.test.Call != nil {
			w.push(w.now, w.test.Call(c))
			return
		}
		w.push(w.now, machine.Event{Kind: machine.TaskFailed, ID: c.ID, Error: "States.Runtime",
			Cause: fmt.Sprintf("No mocked response answers for '%s', which the task calls.", c.Function)})
	case machine.SetTimer:
		w.push(c.Due, machine.Event{Kind: machine.TimerFired, ID: c.ID})
	case machine.CancelInvoke, machine.CancelTimer:
		if w.gone == nil {
			w.gone = map[uint64]bool{}
		}
		w.gone[c.ID] = true
	case machine.Yield:
		w.push(w.now, machine.Event{Kind: machine.Continue})
	case machine.Finish:
		r := w.report
		r.Status, r.Output, w.ended = c.Status, c.Output, true
		if c.HasError {
			r.Error = &c.Error
		}
		if c.HasCause {
			r.Cause = &c.Cause
		}
	}
}

func (w *world) push(at int64, ev machine.Event) {
	w.seq++
	heap.Push(&w.queue, event{at, w.seq, ev})
}

// event is something that will happen; those of one moment in the order in which they were wanted.
type event struct {
	at   int64
	seq  int
	what machine.Event
}

type events []event

func (q events) Len() int      { return len(q) }
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q events) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}

// Push implements heap.Interface.
func (q *events) Push(x any) { *q = append(*q, x.(event)) }

// Pop implements heap.Interface.
func (q *events) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}

// visits reads the stays in states from a history. An event belongs to the stay of the event before it.
func visits(events []history.Event, start int64) []Visit {
	var all []Visit
	of := make(map[int64]int, len(events)) // event ids to places in all, plus 1
	for i := range events {
		e := &events[i]
		if e.Type.Entered() {
			all = append(all, Visit{State: e.Name, Entered: e.Time - start})
			of[e.ID] = len(all)
			continue
		}
		at := of[e.Prev]
		of[e.ID] = at
		if at == 0 {
			continue
		}
		v := &all[at-1]
		switch e.Type {
		case history.TaskScheduled, history.LambdaFunctionScheduled, history.ActivityScheduled, history.ParallelStateStarted, history.MapStateStarted:
			v.Attempts++
		case history.TaskFailed, history.LambdaFunctionFailed, history.ActivityFailed, history.TaskTimedOut, history.LambdaFunctionTimedOut:
			v.Errors = append(v.Errors, e.Error)
		}
	}
	return all
}
