// Package limits is every limit of Weft in one place: its value, what it bounds, why it is that
// large and which error a caller gets. Below a limit nothing changes shape.
package limits

import "unicode/utf8"

// The limits of one node. A zero Set means Default.
type Set struct {
	// PayloadBytes bounds an input, an output, every value a state passes on and the state of an entity, as JSON text in
	// UTF-8. Past it: InvalidExecutionInput at the door, States.DataLimitExceeded inside a run.
	PayloadBytes int
	// DefinitionBytes bounds a state machine's text. Past it: InvalidDefinition.
	DefinitionBytes int
	// HistoryEvents bounds one run's history. Past it the run fails with States.Runtime: it is what
	// ends a machine that never ends by itself.
	HistoryEvents int64
	// VariableBytes bounds the values of all variables of one run.
	VariableBytes int
	// RunSeconds bounds how long a run may take, also one whose machine sets no TimeoutSeconds. Past it the run is
	// TIMED_OUT. 0: no bound.
	RunSeconds int64
}

// Default is what a node uses unless told otherwise.
var Default = Set{
	PayloadBytes:    4 << 20,
	DefinitionBytes: 4 << 20,
	HistoryEvents:   10_000_000,
	VariableBytes:   10 << 20,
}

// AWS is what Step Functions documents (quotas page, standard workflows).
var AWS = Set{
	PayloadBytes:    256 << 10,
	DefinitionBytes: 1 << 20,
	HistoryEvents:   25_000,
	VariableBytes:   10 << 20,
	RunSeconds:      365 * 24 * 3600,
}

const (
	// JSONDepth bounds the nesting of any JSON text Weft reads, so that no input can exhaust a
	// stack. Step Functions' own parser (Jackson) stops at 1,000.
	JSONDepth = 1000
	// EvaluationBytes bounds every value that an expression in JSONata makes on its way, and is less than the bound of a
	// payload only where that is larger (Step Functions: 6,990,256). Past it: States.QueryEvaluationError.
	EvaluationBytes = 6_990_256
	// NameChars bounds the names of machines, runs and states (Step Functions: 80).
	NameChars = 80
	// ErrorChars and CauseChars bound what SendTaskFailure and StopExecution take.
	ErrorChars = 256
	CauseChars = 32_768
	// TokenChars bounds a task token.
	TokenChars = 2048
	// Tags bounds the tags of one resource; TagBytes the name and the value of each tag of a workflow run.
	Tags     = 50
	TagBytes = 256
	// Machines bounds the state machines of a node, which are all in memory. Past it CreateMachine answers
	// LimitExceeded. Step Functions gives an account 10,000 unless asked for more.
	Machines = 100_000
	// Versions and Aliases bound those of one machine, as Step Functions does. Past them: LimitExceeded.
	Versions = 1000
	Aliases  = 100
	// ValueBytes bounds one value that is kept in a file and passed by reference, so that one client cannot fill a disk
	// with one call. It is what a person still moves about in one piece. Past it: LimitExceeded.
	ValueBytes = 1 << 30
	// MapChildren bounds the child runs of one Map Run that run at a time, whatever MaxConcurrency says: each is in the Map
	// Run's state. Step Functions has the same number.
	MapChildren = 10_000
	// Waiters bounds the clients that wait for the end of one run. Past it: Busy.
	Waiters = 10_000
	// Activities bounds the activities of a node (Step Functions: 10,000). Past it: LimitExceeded.
	Activities = 10_000
	// ActivityTasks bounds the tasks of one activity that wait for a worker: they are one record, of about 60 bytes each.
	// A task past it fails with ActivityLimitExceeded.
	ActivityTasks = 1_000_000
	// ActivityPollers bounds the workers that wait at one activity. Past it: WorkerLimitExceeded.
	ActivityPollers = 1000
	// TransitionsPerStep bounds how many states one run may pass through before its partition
	// serves others; the run goes on behind them. It keeps a loop of Pass states from holding a
	// partition.
	TransitionsPerStep = 512
	// InboxEvents and InboxBytes bound what waits for one workflow run or one entity: of a suspended run, of one whose
	// code is not there, of an entity that is locked for long. Past them clients get Busy; messages between instances
	// are still taken, as they are counted where they are sent.
	InboxEvents = 1_000_000
	InboxBytes  = 256 << 20
	// OperationsPerStep and OperationsPerStepBytes bound how many operations of an entity one step does, so that its
	// result stays of a size the log takes. Durable Functions has 1,000 (maxEntityOperationBatchSize).
	OperationsPerStep      = 1000
	OperationsPerStepBytes = 4 << 20
	// StepBytes bounds what one step of a workflow or an entity gives to others at once, so that the log takes it: past it
	// calls, and operations, fail with States.DataLimitExceeded. StepPauseBytes is after how much a step takes no more inputs
	// or operations and leaves them to the next.
	StepBytes      = 512 << 20
	StepPauseBytes = 64 << 20
	// IDBytes bounds ids of workflow runs, names of events and operations, keys of entities and of calls, and tenants;
	// WorkflowChars names and versions of workflows and names of entities. They are in keys of the store and in every
	// message.
	IDBytes       = 512
	WorkflowChars = 200
	// ActionBytes is what an action of a step counts beside its data: memory that it takes though it may carry nothing.
	ActionBytes = 256
	// ReasonBytes bounds why a run is suspended, resumed, terminated or rewound. What is longer is cut.
	ReasonBytes = 1024
	// FailureBytes bounds the message of a failure of Go code, and its details. What is longer is cut: a failure is in the
	// history, in the run's record and in what its parent gets.
	FailureBytes = 32 << 10
	// RewindBytes bounds the history of a run that is rewound: what is kept of it is logged again, in one piece. Past it
	// the run stays failed, with Weft.HistoryLimit.
	RewindBytes = 64 << 20
	// LocksPerSection bounds the entities of one critical section.
	LocksPerSection = 1000
	// MapItems bounds the items of one distributed Map, as in Step Functions (MaxItems).
	MapItems = 100_000_000
	// ScheduleIDChars bounds a schedule's id, so that the names of its runs, which add a time and a number, stay below
	// NameChars. Past it: InvalidArgument.
	ScheduleIDChars = 48
	// ScheduleCrons bounds the cron expressions of one schedule, each of ScheduleCronChars at most: all are asked for
	// every time. Past them: InvalidArgument.
	ScheduleCrons     = 32
	ScheduleCronChars = 512
	// ScheduleNoteChars bounds why a schedule is paused or resumed, in bytes. What is longer is cut.
	ScheduleNoteChars = 1024
	// ScheduleRunning and ScheduleBuffered bound the runs of one schedule that run (policy allowAll) and that wait
	// (bufferAll). They are in its state, which is rewritten whenever it changes. A time past them is skipped.
	ScheduleRunning  = 1000
	ScheduleBuffered = 1000
	// ScheduleBackfills bounds the backfills of one schedule that wait. Past it: LimitExceeded.
	ScheduleBackfills = 10
	// ScheduleRecent is how many ended runs a schedule shows. All are in the listing of runs.
	ScheduleRecent = 10
	// ScheduleTimesPerStep bounds how many times a schedule handles before its partition serves others, when it
	// catches up after an outage or fills a stretch of the past.
	ScheduleTimesPerStep = 256
)

// Cut returns text, or its beginning, when it has more than most bytes: as many whole characters as fit.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
