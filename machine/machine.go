package machine

import (
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// Execution is who a run is: the constants of its context object and of its history.
type Execution struct {
	ID          string // $$.Execution.Id, the execution ARN
	Name        string
	RoleARN     string
	StartTime   int64  // Unix milliseconds
	MachineID   string // the state machine's ARN
	MachineName string
	Seed        uint64 // of jitter, States.UUID and the like
	Express     bool
}

// EventKind says what happened. Values are append-only: they are logged.
type EventKind uint8

// The kinds of events, with the fields they use beside Now.
const (
	Start           EventKind = iota + 1 // Output: the run's input; Amendment.State: where to begin, "": with the StartAt
	Continue                             // after a Yield command
	TaskSucceeded                        // ID, Output, LogTail
	TaskFailed                           // ID, Error, Cause, StartFailed
	TaskHeartbeat                        // ID
	TimerFired                           // ID
	Stop                                 // Error, Cause (may be empty): StopExecution
	TaskSubmitted                        // ID, Output, LogTail: the function of an invocation with Token has answered
	Redrive                              // Amendment: a run that did not succeed goes on where it stood; see Frame.Redrivable
	TaskTaken                            // ID, Worker: a worker has the task of an Offer command
	MapRunSucceeded                      // ID, Output: the results of a Map Run, or where they are
	MapRunFailed                         // ID, Error, Cause
	ForkSucceeded                        // ID, Outputs: all branches of a Fork command have ended
	ForkFailed                           // ID, Error, Cause, Alias, HasError, HasCause: of the branch that ended the fork
)

// Event is what a run is told.
type Event struct {
	Kind        EventKind
	Now         int64  // Unix milliseconds; a value less than in the event before counts as that
	ID          uint64 // of the invocation or timer, as the command gave it
	Output      []byte // one JSON text, compact and valid; the run keeps it, so it must not change
	Error       string
	Cause       string
	StartFailed bool     // the function was never entered
	Worker      string   // may be empty
	LogTail     string   // end of what the function logged; shown when the task asks for it (LogType Tail)
	Outputs     [][]byte // in order; nil for a branch whose Finish was Tolerated
	Alias       string   // as the branch's Finish had it
	HasError    bool     // ForkFailed: false when Error is absent
	HasCause    bool
	Amendment   Amendment

	whole bool // Output is the task's result and not what the function answered
}

// CommandKind says what a run wants. Values are append-only.
type CommandKind uint8

// The kinds of commands.
const (
	Invoke        CommandKind = iota + 1 // ID, Function, Input, TimeoutMS, Token: call a function
	CancelInvoke                         // ID: its result will be ignored
	SetTimer                             // ID, Due
	CancelTimer                          // ID
	Yield                                // come back with Continue: the step's budget is used up
	Finish                               // Status, Output or Error and Cause; the last command until a Redrive
	Offer                                // ID, Function: give an activity's workers a task; TaskTaken says that one has it, and answers are then as to Invoke
	Withdraw                             // ID, Function: take back an Offer that nobody has taken
	StartMapRun                          // ID, MapRun: process the items of a distributed Map
	StopMapRun                           // ID, MapRun (State, Name, Label, ARN): end it and its child runs; its result will be ignored
	RedriveMapRun                        // ID, MapRun (State, Name, Label, ARN): start what has failed or was stopped of it again
	Fork                                 // ID, Width, Concurrency: in ForkMode, run the branches that NewBranch gives
)

// Status is the state of a run, as Step Functions has it. Values are append-only: they are stored.
type Status uint8

// The statuses.
const (
	Running Status = iota + 1
	Succeeded
	Failed
	TimedOut
	Aborted
)

// String returns the status as the API spells it.
func (s Status) String() string {
	names := [...]string{"", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
	if int(s) < len(names) {
		return names[s]
	}
	return ""
}

// Command is one thing a run wants done.
type Command struct {
	Kind      CommandKind
	ID        uint64 // unique within the run over invocations and timers alike; never reused; only grows
	Function  string // its name; of a service integration the resource, without a pattern but for a Job's (asl.IntegrationARN); of Offer and Withdraw the activity
	Input     []byte
	TimeoutMS int64 // of the state; 0: none (the interpreter has set its own timer as well)
	Token     bool  // .waitForTaskToken: the function's own answer does not complete the task (send it as TaskSubmitted); a failure of the call does
	Job       bool  // .sync: as Token, but what the call began tells the task that it has begun (TaskSubmitted) and how it ended
	Logs      bool  // LogTail is wanted with the answer
	Due       int64 // Unix milliseconds
	Status    Status
	Output    []byte
	Error     string
	Cause     string
	HasError  bool // Finish: false when Error is absent, as for a Fail state without one
	HasCause  bool
	MapRun    *MapRun

	Width       int    // of a Fork; at least 1
	Concurrency int    // of a Fork: branches at a time; 0: all
	Tolerated   bool   // Finish of a branch that has failed: the Map goes on without it
	Alias       string // Finish of a branch that has failed: a second name of the error, for the ForkFailed
}

// Output collects what a step wants and what it adds to the history. Reuse it between steps.
type Output struct {
	Commands []Command
	History  []history.Event
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Commands)
	clear(o.History)
	o.Commands, o.History = o.Commands[:0], o.History[:0]
}

// InlineConcurrency is how many iterations of a Map without MaxConcurrency run at a time. Step Functions
// promises no more than 40; the bound keeps a step and a frame small whatever the number of items.
const InlineConcurrency = 1000

// ExpressSeconds is how long an EXPRESS run may take (Step Functions, quotas page).
const ExpressSeconds = 300

// Interpreter runs one definition. It is safe for concurrent use and must not be copied or changed once in use.
type Interpreter struct {
	Definition *asl.Machine
	Limits     limits.Set // the zero Set: limits.Default
	// Token makes the task token that a run hands out for invocation id (appears in $$.Task.Token). Pure.
	// Nil: tokens are empty.
	Token func(exec *Execution, id uint64) string
	// Mocks answers for states that are not to call anything. Nil: all states do their own work.
	Mocks Mocks
	// MaxTransitions is how many states one step passes through before it yields; 0: limits.TransitionsPerStep.
	MaxTransitions int
	// ForkMode lets the branches of a Parallel and a Map be run elsewhere, each with a frame of its own (forkmode.go).
	ForkMode bool

	once   sync.Once
	graphs []*asl.Graph // the graph that holds the state of that Index
	bounds limits.Set
	forks  forkPlan
}

// prepare finds each state's graph, once.
func (in *Interpreter) prepare() {
	in.once.Do(func() {
		in.bounds = in.Limits
		if in.bounds == (limits.Set{}) {
			in.bounds = limits.Default
		}
		in.graphs = make([]*asl.Graph, len(in.Definition.AllStates))
		in.number(&in.Definition.Graph)
		if in.ForkMode {
			in.planForks()
		}
	})
}

func (in *Interpreter) number(g *asl.Graph) {
	for _, st := range g.States {
		in.graphs[st.Index] = g
		if st.Map != nil {
			in.number(st.Map.Processor)
		}
		if st.Parallel != nil {
			for _, b := range st.Parallel.Branches {
				in.number(b)
			}
		}
	}
}

func (in *Interpreter) maxTransitions() int {
	if in.MaxTransitions > 0 {
		return in.MaxTransitions
	}
	return limits.TransitionsPerStep
}
