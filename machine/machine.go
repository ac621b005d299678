// Package machine is the interpreter of the Amazon States Language. It is pure: Step takes a definition, a
// frame and an event and leaves a new frame, commands and history events. It reads no clock, starts no
// goroutine, does no I/O and draws no randomness but from the frame's own seed, so the engine, the
// orchestrator-less runtime, the simulator and a test run the same machine to the same result.
package machine

import (
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
	Start         EventKind = iota + 1 // Output: the run's input
	Continue                           // after a Yield command
	TaskSucceeded                      // ID, Output
	TaskFailed                         // ID, Error, Cause, StartFailed
	TaskHeartbeat                      // ID
	TimerFired                         // ID
	Stop                               // Error, Cause (may be empty): StopExecution
)

// Event is what a run is told.
type Event struct {
	Kind        EventKind
	Now         int64  // Unix milliseconds; never less than in the event before
	ID          uint64 // of the invocation or timer, as the command gave it
	Output      []byte // one JSON text, compact and valid
	Error       string
	Cause       string
	StartFailed bool // the function was never entered
}

// CommandKind says what a run wants. Values are append-only.
type CommandKind uint8

// The kinds of commands.
const (
	Invoke       CommandKind = iota + 1 // ID, Function, Input, TimeoutMS, Token: call a function
	CancelInvoke                        // ID: its result will be ignored
	SetTimer                            // ID, Due
	CancelTimer                         // ID
	Yield                               // come back with Continue: the step's budget is used up
	Finish                              // Status, Output or Error and Cause; always the last command
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

// Command is one thing a run wants done.
type Command struct {
	Kind      CommandKind
	ID        uint64 // unique within the run over invocations and timers alike; never reused
	Function  string
	Input     []byte
	TimeoutMS int64 // of the state; 0: none (the interpreter has set its own timer as well)
	Token     bool  // .waitForTaskToken: the function's own answer does not complete the task; a failure of the call does
	Due       int64 // Unix milliseconds
	Status    Status
	Output    []byte
	Error     string
	Cause     string
}

// Output collects what a step wants and what it adds to the history. Reuse it between steps.
type Output struct {
	Commands []Command
	History  []history.Event
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() { o.Commands = o.Commands[:0]; o.History = o.History[:0] }

// Interpreter runs one definition. It is immutable and safe for concurrent use.
type Interpreter struct {
	Definition *asl.Machine
	Limits     limits.Set
	// Token makes the task token that a run hands out for invocation id (appears in $$.Task.Token). Pure.
	Token func(exec *Execution, id uint64) string
}
