package glue

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// Kind says what a line does next. Values are append-only: they are stored.
type Kind uint8

// The kinds of exits, with the fields they use beside At.
const (
	Invoke Kind = iota + 1 // Frame, ID, State, Function, Input, Expires, Timer
	Fork                   // Frame, ID, State, Width, Concurrency
	End                    // Failed, Output or Error, Cause, …
	Pause                  // Frame, Timer, State: the line has come far without calling anything; Wake goes on at At
)

// Exit is where a line leaves the glue.
type Exit struct {
	Kind  Kind
	Asked int64  // Unix milliseconds: of the event that the line has gone on from
	At    int64  // Unix milliseconds: when the line is there; later than Asked if it has to wait
	Frame []byte // to resume from
	ID    uint64 // of the invocation or the fork, for the event that answers it
	State *asl.State

	Function string // its name
	Input    []byte
	Expires  int64  // when the task's time is up, Unix milliseconds; 0: never
	Timer    uint64 // the ID of the TimerFired event that says so

	Width, Concurrency int // branches, and how many at a time; 0: all

	Output             []byte
	Failed             bool
	Tolerated          bool // the Map that the line is an iteration of goes on without it
	Error, Cause       string
	Alias              string // a second name of the error
	HasError, HasCause bool

	// Entered is how many states the line has passed through since the event, those of branches in place included, each
	// retry of a task being one more. A decoded exit has 0.
	Entered int64

	same  bool           // Input is that of the state
	frame *machine.Frame // of a decoded exit
}

// Machine runs lines of control of a definition. It is safe for concurrent use.
type Machine struct {
	in     *machine.Interpreter
	leaves []bool // by state index: see Leaves
}

// New returns the Machine of a definition. bounds are those of payloads and the like; the zero Set: limits.Default.
func New(def *asl.Machine, bounds limits.Set) *Machine {
	m := &Machine{in: &machine.Interpreter{Definition: def, Limits: bounds, ForkMode: true}, leaves: make([]bool, len(def.AllStates))}
	m.look(&def.Graph)
	return m
}

func (m *Machine) look(g *asl.Graph) (leaves bool) {
	leaves = loops(g)
	for _, st := range g.States {
		l := false
		for _, below := range Branches(st) {
			l = m.look(below) || l
		}
		m.leaves[st.Index] = l
		leaves = leaves || l || st.Type == asl.Task || len(st.Retry) > 0
	}
	return leaves
}

// loops reports whether a line may come to a state of g again.
func loops(g *asl.Graph) bool {
	const under, done = 1, 2
	seen := map[*asl.State]int{}
	var visit func(st *asl.State) bool
	visit = func(st *asl.State) bool {
		if st == nil || seen[st] != 0 {
			return st != nil && seen[st] == under
		}
		seen[st] = under
		defer func() { seen[st] = done }()
		return slices.ContainsFunc(Successors(st), visit)
	}
	return visit(g.Start)
}

// Successors returns the states that may come after st in its graph; nil stands for the graph's end.
func Successors(st *asl.State) (all []*asl.State) {
	if st.Choice == nil {
		all = append(all, st.NextState)
	} else if st.Choice.DefaultState != nil { // else the run may fail here
		all = append(all, st.Choice.DefaultState)
	}
	if st.Choice != nil {
		for i := range st.Choice.Rules {
			all = append(all, st.Choice.Rules[i].To)
		}
	}
	for i := range st.Catch {
		all = append(all, st.Catch[i].To)
	}
	return all
}

// Branches returns the graphs of a Parallel's branches, or that of a Map's iterations; nil for other states.
func Branches(st *asl.State) []*asl.Graph {
	switch {
	case st.Parallel != nil:
		return st.Parallel.Branches
	case st.Map != nil:
		return []*asl.Graph{st.Map.Processor}
	}
	return nil
}

// Leaves reports whether the branches of st, a Parallel or a Map, are lines of their own: a function is called in them, or
// they may take any number of states. Other branches are run in place.
func (m *Machine) Leaves(st *asl.State) bool { return m.leaves[st.Index] }

// TimeoutSeconds is how long a run may take; 0: any time.
func (m *Machine) TimeoutSeconds(exec *machine.Execution) int64 { return m.in.TimeoutSeconds(exec) }

// Start begins a run at now (Unix milliseconds).
func (m *Machine) Start(exec machine.Execution, input []byte, now int64) (*Exit, error) {
	return m.drive(m.in.NewFrame(exec), machine.Event{Kind: machine.Start, Now: now, Output: input})
}

// Resume goes on with a line that has left with Invoke or Fork. An event that it does not wait for is an error.
func (m *Machine) Resume(frame []byte, ev machine.Event) (*Exit, error) {
	f, err := machine.DecodeFrame(frame, m.in)
	if err != nil {
		return nil, err
	}
	return m.drive(f, ev)
}

// Branch begins branch i of a line that has left with Fork, and was decoded. It begins at now (Unix milliseconds), or with
// the fork if that is later. One goroutine uses x at a time.
func (m *Machine) Branch(x *Exit, i int, now int64) (*Exit, error) {
	if x.Kind != Fork || x.frame == nil {
		return nil, errExit
	}
	return m.branch(x.frame, x.ID, i, now)
}

func (m *Machine) branch(parent *machine.Frame, id uint64, i int, now int64) (*Exit, error) {
	b, err := m.in.NewBranch(parent, id, i)
	if err != nil {
		return nil, err
	}
	return m.drive(b, machine.Event{Kind: machine.Start, Now: now})
}

// maxHops is how often a line waits, or yields, before it pauses: what one execution does has a bound.
const maxHops = 100

// Wake goes on with a line that has paused.
func (m *Machine) Wake(x *Exit) (*Exit, error) {
	if x.Timer == 0 {
		return m.Resume(x.Frame, machine.Event{Kind: machine.Continue, Now: x.At})
	}
	return m.Resume(x.Frame, machine.Event{Kind: machine.TimerFired, ID: x.Timer, Now: x.At})
}

// drive lets a frame go on from ev to its next exit.
func (m *Machine) drive(f *machine.Frame, ev machine.Event) (*Exit, error) {
	var out machine.Output
	asked, passed := ev.Now, int64(0)
	for hops := 0; ; hops++ {
		out.Reset()
		m.in.Step(f, ev, &out)
		var w wants
		for i := range out.Commands {
			if err := w.command(&out.Commands[i]); err != nil {
				return nil, err
			}
		}
		x := w.exit
		passed += entered(out.History)
		x.Asked, x.At, x.Entered = asked, f.Now(), passed
		switch {
		case x.Kind == End:
			return &x, nil
		case x.Kind != 0:
			var input []byte
			x.State, input = f.Stands()
			x.same = x.Kind == Invoke && bytes.Equal(input, x.Input)
			if x.Kind == Invoke || m.leaves[x.State.Index] || hops >= maxHops {
				x.Frame = f.AppendBinary(nil)
				return &x, nil
			}
			var err error
			if ev, err = m.inPlace(f, &x); err != nil {
				return nil, err
			}
			passed = x.Entered
		case hops >= maxHops && (w.yields || w.timer != 0):
			x.Kind, x.Timer, x.At = Pause, w.timer, max(x.At, w.due)
			x.State, _ = f.Stands()
			x.Frame = f.AppendBinary(nil)
			return &x, nil
		case w.yields:
			ev = machine.Event{Kind: machine.Continue, Now: x.At}
		case w.timer != 0:
			ev = machine.Event{Kind: machine.TimerFired, ID: w.timer, Now: w.due}
		default:
			return nil, fmt.Errorf("glue: the line does not wait for an event of kind %d with id %d", ev.Kind, ev.ID)
		}
	}
}

// entered counts the state transitions that events tell of, as Step Functions charges for them: each state that is entered,
// and each further attempt of a task.
func entered(events []history.Event) (n int64) {
	for i := range events {
		switch events[i].Type {
		case history.ChoiceStateEntered, history.FailStateEntered, history.MapStateEntered, history.ParallelStateEntered,
			history.PassStateEntered, history.SucceedStateEntered, history.WaitStateEntered, history.LambdaFunctionScheduled, history.TaskScheduled:
			n++ // a task's first attempt stands for its state
		}
	}
	return n
}

// wants is what the commands of one step come to.
type wants struct {
	exit   Exit
	timer  uint64 // of a Wait or a retry
	due    int64
	yields bool
}

func (w *wants) command(c *machine.Command) error {
	x := &w.exit
	switch c.Kind {
	case machine.Invoke:
		x.Kind, x.ID, x.Function, x.Input = Invoke, c.ID, c.Function, c.Input
	case machine.Fork:
		x.Kind, x.ID, x.Width, x.Concurrency = Fork, c.ID, c.Width, c.Concurrency
	case machine.SetTimer:
		switch {
		case x.Kind != Invoke:
			w.timer, w.due = c.ID, c.Due
		case x.Expires == 0 || c.Due < x.Expires: // of TimeoutSeconds and HeartbeatSeconds what comes first: there are no heartbeats
			x.Timer, x.Expires = c.ID, c.Due
		}
	case machine.Yield:
		w.yields = true
	case machine.Finish:
		x.Kind = End
		x.Output, x.Failed, x.Tolerated = c.Output, c.Status != machine.Succeeded, c.Tolerated
		x.Error, x.Cause, x.Alias, x.HasError, x.HasCause = c.Error, c.Cause, c.Alias, c.HasError, c.HasCause
	case machine.CancelTimer, machine.CancelInvoke:
	default:
		return fault.New("glue", fault.Unsupported, c.Function, "the machine wants command %d, which needs an orchestrator", c.Kind)
	}
	return nil
}

// inPlace runs the branches of a fork below which no function is called, as many at a time as may be, in the order of
// time, and returns the event that answers the fork.
func (m *Machine) inPlace(f *machine.Frame, fork *Exit) (machine.Event, error) {
	answer := machine.Event{Kind: machine.ForkSucceeded, ID: fork.ID, Now: fork.At, Outputs: make([][]byte, fork.Width)}
	most := fork.Width
	if fork.Concurrency > 0 {
		most = fork.Concurrency
	}
	var running []placed
	for next := 0; next < fork.Width || len(running) > 0; {
		for ; next < fork.Width && len(running) < most; next++ {
			x, err := m.branch(f, fork.ID, next, answer.Now)
			for err == nil && x.Kind == Pause { // it comes to an end: there are no loops in it
				fork.Entered += x.Entered
				x, err = m.Wake(x)
			}
			if err != nil {
				return answer, err
			}
			fork.Entered += x.Entered
			running = append(running, placed{x, next})
		}
		first := 0
		for i := range running {
			if running[i].At < running[first].At {
				first = i
			}
		}
		x := running[first]
		running = append(running[:first], running[first+1:]...)
		answer.Now = max(answer.Now, x.At)
		if x.Failed && !x.Tolerated {
			return Failure(fork.ID, answer.Now, x.Exit), nil
		}
		answer.Outputs[x.index] = x.Output
	}
	return answer, nil
}

// placed is a branch that has run in place.
type placed struct {
	*Exit
	index int
}

// Failure is the event that answers the fork id when one of its branches has ended as x.
func Failure(id uint64, now int64, x *Exit) machine.Event {
	return machine.Event{Kind: machine.ForkFailed, ID: id, Now: now, Error: x.Error, Cause: x.Cause, Alias: x.Alias, HasError: x.HasError, HasCause: x.HasCause}
}
