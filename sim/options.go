package sim

import (
	"io"

	"github.com/weftworks/weft/engine/commitlog/disk"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/engine/workflow/stepper"
)

// Options says what a simulation does. The zero value of all but Workload is a simulation without broken rules.
type Options struct {
	// Seed decides everything that happens.
	Seed uint64
	// Workload makes what the node does and who checks it.
	Workload func(w *World) Workload
	// Actions is how many things happen before the faults stop and the clients are left to finish. 0: 4,000.
	Actions int
	// Crash is the only thing that goes wrong with the process and its disk. Zero: what the seed says.
	Crash Crash
	// Faults breaks a rule.
	Faults Faults
	// OutsideOnly leaves out the checks that look at the log itself, so that a broken rule must show in what
	// clients and functions see.
	OutsideOnly bool
	// Trace gets a line for every action. nil: nobody does.
	Trace io.Writer
}

// Crash ends the process once, before the faults stop.
type Crash struct {
	At    int64 // which access to the disk and the store, counted from 1
	Power bool  // the power is cut, and sectors that were not synced are on the platter or not, any of them
}

// Faults are the rules that a simulation breaks, by the room they belong to.
type Faults struct {
	Partition partition.Faults
	Lane      lane.Faults
	Log       disk.Faults
	Workflow  workflow.Faults
	Schedule  schedule.Faults
	Stepper   stepper.Faults
	// EarlyCut gives up the log before the snapshots that replace it are in the store.
	EarlyCut bool
	// KeepTurns forgets now and then that a call has ended, so that its limits count it for ever.
	KeepTurns bool
	// IgnoreTurns lets calls begin that have to wait.
	IgnoreTurns bool
}

// FaultNames lists the rules that FaultByName can break.
var FaultNames = []string{
	"ack-before-sync", "reuse-positions", "skip-dedup", "drop-outbox", "early-snapshot", "early-invoke", "early-reply", "early-cut",
	"keep-locks", "keep-requests", "stale-replies", "stale-steps", "lose-events", "keep-messages",
	"forget-times", "repeat-times", "hasty-times", "silent-ends", "keep-turns", "ignore-turns",
}

// FaultByName returns the Faults that break one rule.
func FaultByName(name string) (f Faults, ok bool) {
	switch name {
	case "ack-before-sync":
		f.Log.AckBeforeSync = true
	case "reuse-positions":
		f.Log.ReusePositions = true
	case "skip-dedup":
		f.Partition.SkipDedup = true
	case "drop-outbox":
		f.Partition.DropOutbox = true
	case "early-snapshot":
		f.Lane.EarlySnapshot = true
	case "early-invoke":
		f.Lane.EarlyInvoke = true
	case "early-reply":
		f.Lane.EarlyReply = true
	case "early-cut":
		f.EarlyCut = true
	case "keep-locks":
		f.Workflow.KeepLocks = true
	case "keep-requests":
		f.Workflow.KeepRequests = true
	case "stale-replies":
		f.Workflow.StaleReplies = true
	case "stale-steps":
		f.Workflow.StaleSteps = true
	case "lose-events":
		f.Workflow.LoseEvents = true
	case "keep-messages":
		f.Stepper.KeepMessages = true
	case "forget-times":
		f.Schedule.ForgetTimes = true
	case "repeat-times":
		f.Schedule.RepeatTimes = true
	case "hasty-times":
		f.Schedule.HastyTimes = true
	case "silent-ends":
		f.Workflow.SilentEnds = true
	case "keep-turns":
		f.KeepTurns = true
	case "ignore-turns":
		f.IgnoreTurns = true
	case "":
	default:
		return f, false
	}
	return f, true
}

// Result is what a simulation came to.
type Result struct {
	Seed  uint64
	Err   error  // what broke; nil: nothing
	Hash  uint64 // of everything that happened; the same seed gives the same
	Stats Stats
}

// Stats counts what happened in a simulation.
type Stats struct {
	Actions, Entries, Crashes, PowerCuts, IOErrors, Lost int
	Calls, Answers, Snapshots, Cuts                      int
	Steps, Slow                                          int // of user code
	Waited, Refused                                      int // calls, by limits of functions
	Busy                                                 int // requests that were refused for what waits already
	Accesses                                             int // to the disk and the store, until the faults stop
}

// Add adds the counts of another simulation.
func (s *Stats) Add(o Stats) {
	s.Actions += o.Actions
	s.Entries += o.Entries
	s.Crashes += o.Crashes
	s.PowerCuts += o.PowerCuts
	s.IOErrors += o.IOErrors
	s.Lost += o.Lost
	s.Calls += o.Calls
	s.Answers += o.Answers
	s.Snapshots += o.Snapshots
	s.Cuts += o.Cuts
	s.Steps += o.Steps
	s.Slow += o.Slow
	s.Waited += o.Waited
	s.Refused += o.Refused
	s.Busy += o.Busy
	s.Accesses += o.Accesses
}

// Workload is what a simulated node does: its programs, its functions, its clients, and what they hold it to. Its
// methods are called by one goroutine.
type Workload interface {
	// Programs returns the programs of the node. fold is nil for the node itself, and for a check's own fold of the
	// log hears of every step (see Fold).
	Programs(fold *Fold) map[partition.ProgramID]partition.Program
	// Idempotent reports whether a function may be called for a step that is lost later.
	Idempotent(function string) bool
	// Call runs a function and returns its Done event, without Ref and ID.
	Call(call Call) partition.Event
	// Act lets a client do something. winding says that nothing new is to be begun.
	Act(winding bool)
	// Done reports whether all clients have what they wanted.
	Done() bool
	// Events cuts a chunk of history into events in a form that does not depend on where chunks begin.
	Events(chunk []byte) ([]string, error)
	// Check compares what clients saw with what the log says happened.
	Check(truth *Fold) error
}

// Asker is a Workload some of whose calls make requests and answer when those have their answers.
type Asker interface {
	// Begin begins a call that answers later, once or never; false: Call does it.
	Begin(c Call, answer func(partition.Event)) bool
}

// Call is one execution of a function.
type Call struct {
	ID       uint64
	Instance string // who calls
	Ref      partition.Ref
	Function string
	Input    []byte
}
