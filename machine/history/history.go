// Package history is the execution history of a state machine's run: Step Functions' 62 event types, ids and
// previousEventId chains, in a compact binary form that is append-only.
//
// Events are kept in chunks. A Writer appends events to a chunk; a Reader gives them back. A payload that
// equals one of the last few of its chunk is stored as a reference to it, because a state's input is most
// often the output of the state before.
//
//	var w history.Writer
//	w.Append(&event)
//	r := history.NewReader(w.Bytes())
//	for r.Next(&event) { ... }
//	if err := r.Err(); err != nil { ... }
package history

// Type is an event type. Values are append-only: they are stored.
type Type uint8

// The event types, as the Step Functions API model lists them (HistoryEventType).
const (
	ActivityFailed Type = iota + 1
	ActivityScheduled
	ActivityScheduleFailed
	ActivityStarted
	ActivitySucceeded
	ActivityTimedOut
	ChoiceStateEntered
	ChoiceStateExited
	ExecutionAborted
	ExecutionFailed
	ExecutionStarted
	ExecutionSucceeded
	ExecutionTimedOut
	FailStateEntered
	LambdaFunctionFailed
	LambdaFunctionScheduled
	LambdaFunctionScheduleFailed
	LambdaFunctionStarted
	LambdaFunctionStartFailed
	LambdaFunctionSucceeded
	LambdaFunctionTimedOut
	MapIterationAborted
	MapIterationFailed
	MapIterationStarted
	MapIterationSucceeded
	MapStateAborted
	MapStateEntered
	MapStateExited
	MapStateFailed
	MapStateStarted
	MapStateSucceeded
	ParallelStateAborted
	ParallelStateEntered
	ParallelStateExited
	ParallelStateFailed
	ParallelStateStarted
	ParallelStateSucceeded
	PassStateEntered
	PassStateExited
	SucceedStateEntered
	SucceedStateExited
	TaskFailed
	TaskScheduled
	TaskStarted
	TaskStartFailed
	TaskStateAborted
	TaskStateEntered
	TaskStateExited
	TaskSubmitFailed
	TaskSubmitted
	TaskSucceeded
	TaskTimedOut
	WaitStateAborted
	WaitStateEntered
	WaitStateExited
	MapRunAborted
	MapRunFailed
	MapRunStarted
	MapRunSucceeded
	ExecutionRedriven
	MapRunRedriven
	EvaluationFailed
	lastType = EvaluationFailed
)

// details says which member of the API's HistoryEvent holds a type's details; "" when there is none.
var types = [lastType + 1]struct{ name, details string }{
	{"", ""},
	{"ActivityFailed", "activityFailedEventDetails"},
	{"ActivityScheduled", "activityScheduledEventDetails"},
	{"ActivityScheduleFailed", "activityScheduleFailedEventDetails"},
	{"ActivityStarted", "activityStartedEventDetails"},
	{"ActivitySucceeded", "activitySucceededEventDetails"},
	{"ActivityTimedOut", "activityTimedOutEventDetails"},
	{"ChoiceStateEntered", entered},
	{"ChoiceStateExited", exited},
	{"ExecutionAborted", "executionAbortedEventDetails"},
	{"ExecutionFailed", "executionFailedEventDetails"},
	{"ExecutionStarted", "executionStartedEventDetails"},
	{"ExecutionSucceeded", "executionSucceededEventDetails"},
	{"ExecutionTimedOut", "executionTimedOutEventDetails"},
	{"FailStateEntered", entered},
	{"LambdaFunctionFailed", "lambdaFunctionFailedEventDetails"},
	{"LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails"},
	{"LambdaFunctionScheduleFailed", "lambdaFunctionScheduleFailedEventDetails"},
	{"LambdaFunctionStarted", ""},
	{"LambdaFunctionStartFailed", "lambdaFunctionStartFailedEventDetails"},
	{"LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails"},
	{"LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails"},
	{"MapIterationAborted", "mapIterationAbortedEventDetails"},
	{"MapIterationFailed", "mapIterationFailedEventDetails"},
	{"MapIterationStarted", "mapIterationStartedEventDetails"},
	{"MapIterationSucceeded", "mapIterationSucceededEventDetails"},
	{"MapStateAborted", ""},
	{"MapStateEntered", entered},
	{"MapStateExited", exited},
	{"MapStateFailed", ""},
	{"MapStateStarted", "mapStateStartedEventDetails"},
	{"MapStateSucceeded", ""},
	{"ParallelStateAborted", ""},
	{"ParallelStateEntered", entered},
	{"ParallelStateExited", exited},
	{"ParallelStateFailed", ""},
	{"ParallelStateStarted", ""},
	{"ParallelStateSucceeded", ""},
	{"PassStateEntered", entered},
	{"PassStateExited", exited},
	{"SucceedStateEntered", entered},
	{"SucceedStateExited", exited},
	{"TaskFailed", "taskFailedEventDetails"},
	{"TaskScheduled", "taskScheduledEventDetails"},
	{"TaskStarted", "taskStartedEventDetails"},
	{"TaskStartFailed", "taskStartFailedEventDetails"},
	{"TaskStateAborted", ""},
	{"TaskStateEntered", entered},
	{"TaskStateExited", exited},
	{"TaskSubmitFailed", "taskSubmitFailedEventDetails"},
	{"TaskSubmitted", "taskSubmittedEventDetails"},
	{"TaskSucceeded", "taskSucceededEventDetails"},
	{"TaskTimedOut", "taskTimedOutEventDetails"},
	{"WaitStateAborted", ""},
	{"WaitStateEntered", entered},
	{"WaitStateExited", exited},
	{"MapRunAborted", ""},
	{"MapRunFailed", "mapRunFailedEventDetails"},
	{"MapRunStarted", "mapRunStartedEventDetails"},
	{"MapRunSucceeded", ""},
	{"ExecutionRedriven", "executionRedrivenEventDetails"},
	{"MapRunRedriven", "mapRunRedrivenEventDetails"},
	{"EvaluationFailed", "evaluationFailedEventDetails"},
}

const (
	entered = "stateEnteredEventDetails"
	exited  = "stateExitedEventDetails"
)

// Entered reports whether an event of type t says that a state was entered.
func (t Type) Entered() bool { return t <= lastType && types[t].details == entered }

// String returns the type as the API spells it, "" for a value that is no type.
func (t Type) String() string {
	if t > lastType {
		return ""
	}
	return types[t].name
}

var byName = func() map[string]Type {
	m := make(map[string]Type, lastType)
	for t := Type(1); t <= lastType; t++ {
		m[types[t].name] = t
	}
	return m
}()

// ParseType returns the type of that name, as the API spells it.
func ParseType(name string) (Type, bool) {
	t, ok := byName[name]
	return t, ok
}

// Event is one history event. Which fields are in use follows from Type; unused ones are zero.
type Event struct {
	ID   int64
	Prev int64 // previousEventId: the event before in the same line of control; 0 at its start
	Time int64 // Unix milliseconds
	Type Type

	Name         string // state, or Map of an iteration; the worker of ActivityStarted
	Input        []byte // JSON text
	Output       []byte // JSON text
	Parameters   []byte // JSON text
	Error        string
	Cause        string
	HasError     bool // AWS leaves out an absent error or cause; an empty one is shown
	HasCause     bool
	Resource     string // of MapRunStarted and MapRunRedriven: the ARN of the Map Run
	ResourceType string
	Region       string
	RoleARN      string // of the machine; of a task's Credentials
	Timeout      int64  // seconds; 0: absent
	Heartbeat    int64  // seconds; 0: absent
	Index        int64  // of a Map's iteration
	Length       int64  // items of a Map; of ExecutionRedriven and MapRunRedriven, how often
	Assigned     []byte // variables that leaving a state assigned: a JSON object of names and strings of JSON
	Location     string // the field whose expression failed
}
