package engine

import (
	"encoding/json"

	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/machine"
)

// MachineType is how a machine's runs are meant: Standard or Express, as Step Functions has it.
type MachineType uint8

// The machine types. Values are append-only: they are stored.
const (
	Standard MachineType = iota + 1
	Express
)

// Machine is a state machine that a node keeps.
type Machine struct {
	Name       string
	ARN        string
	Type       MachineType
	Definition []byte
	Hash       string // of Definition: what runs are pinned to
	Revision   string // "" until the first update; changes with every update that changes something (UUID)
	RoleARN    string
	Deleting   bool  // deleted, runs still open
	Created    int64 // Unix milliseconds
	Updated    int64
	Tags       map[string]string
	// Version is the number under which this revision is published; 0: it is not.
	Version  int
	Versions []Version // all that are published, by rising number
	Aliases  []Alias   // in the order of their creation
	// Extra holds settings that are kept and shown (loggingConfiguration, tracingConfiguration, encryptionConfiguration), by
	// their API name. Only the first means something to the engine.
	Extra map[string]json.RawMessage
}

// What a machine has beside its current revision.
type (
	// Version is a revision that was published under a number.
	Version = statemachine.Version
	// Alias is a name for one or two versions.
	Alias = statemachine.Alias
	// Route is a version and its share of an alias's starts, in percent.
	Route = statemachine.Route
)

// CreateMachine is what Node.CreateMachine takes.
type CreateMachine struct {
	Name       string
	Type       MachineType // zero: Standard
	Definition []byte
	RoleARN    string
	Tags       map[string]string
	Extra      map[string]json.RawMessage
	// Publish makes the new revision a version, with a description when that is not nil.
	Publish            bool
	VersionDescription *string
}

// UpdateMachine is what Node.UpdateMachine takes; nil fields stay as they are.
type UpdateMachine struct {
	Name       string
	Definition []byte
	RoleARN    *string
	Extra      map[string]json.RawMessage // members replace
	// Publish makes the revision that results a version, unless it is one.
	Publish            bool
	VersionDescription *string
}

// PublishVersion is what Node.PublishVersion takes.
type PublishVersion struct {
	Machine     string
	If          *string // the revision that has to be the current one, "" being the first; nil: any
	Description *string // nil: none
}

// SetAlias is what Node.CreateAlias and Node.UpdateAlias take.
type SetAlias struct {
	Machine, Name string
	Description   *string // update: nil keeps the old
	Routes        []Route // weights add up to 100; update: nil keeps the old
}

// RunID names a run: the machine it runs and its own name.
type RunID struct{ Machine, Name string }

// StartRun is what Node.StartRun takes.
type StartRun struct {
	Machine string
	// Version and Alias say what of the machine is meant: one of them or, when both are zero, its current revision.
	Version int
	Alias   string
	Name    string // "": a fresh UUID
	Input   []byte // one JSON text; nil: {}
	Trace   string // traceHeader, kept and shown
	From    string // "": the StartAt; else the state of the machine's own graph to begin with
	// Mocks is a mock file of one test case, which answers for states of the run. The run is pinned to it as to its
	// definition. Nil: states call what they name.
	Mocks []byte

	parent statemachine.Parent // the task that starts the run; the zero Parent: a client
}

// Run is a run as a client sees it.
type Run struct {
	ID         RunID
	ARN        string
	MachineARN string
	Version    int    // of the machine, when the run was started by it or by an alias
	Alias      string // by which the run was started
	Status     machine.Status
	Started    int64 // Unix milliseconds
	Stopped    int64 // 0 while running
	Input      []byte
	Output     []byte // nil unless Succeeded
	Error      string
	Cause      string
	HasError   bool // false: absent, as for a Fail state without Error
	HasCause   bool
	Hash       string // of the definition the run is pinned to
	Revision   string // of the machine when the run started
	RoleARN    string
	Trace      string
	Events     int64 // length of the history so far
	Paused     bool
	Redrives   int64  // how often the run was redriven
	Redriven   int64  // Unix milliseconds of the last time; 0: never
	MapRunARN  string // of a child run: the Map Run that started it
	Redrivable error  // why a run that has ended cannot be redriven; nil: it can, or goes on
}

// Reason is why a client stops a run or fails a task. A nil member is absent, which Step Functions tells from an empty
// one: in histories and answers the first is left out and the second shown.
type Reason struct{ Error, Cause *string }

// Because returns a Reason that has both members.
func Because(errorName, cause string) Reason { return Reason{Error: &errorName, Cause: &cause} }

// ListRuns is a query over a machine's runs, newest first.
type ListRuns struct {
	Machine string
	Version int            // only runs started by this version, or by an alias that stood for it; 0: any
	Alias   string         // only runs started by this alias; "": any
	Status  machine.Status // 0: any
	Limit   int            // 0: 100; at most 1,000
	Cursor  string         // from the page before
	After   int64          // only runs started at or after this time (Unix milliseconds); 0: no bound
	Before  int64          // only runs started before this time; 0: no bound
}

// RunPage is one page of runs. Input, Output, Error and Cause are not filled in.
type RunPage struct {
	Runs   []Run
	Cursor string // "" at the end
}

// HistoryQuery asks for a stretch of a run's history.
type HistoryQuery struct {
	// From is the first event id wanted (ascending), or the last (Reverse). 0: from the start, or from the end.
	From    int64
	Limit   int // 0: 100; at most 1,000
	Reverse bool
	// Bytes ends the stretch early, with at least one event, once its payloads are larger. 0: no bound.
	Bytes int
}
