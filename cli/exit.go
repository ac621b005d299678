package cli

import (
	"context"
	"errors"
	"io/fs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// Exit codes. They are fixed: scripts depend on them. `weft help exit-codes` says the same.
const (
	ExitOK          = 0   // done; the run succeeded
	ExitRunFailed   = 1   // the run failed, timed out or was aborted; with --exit-code: there are differences
	ExitUsage       = 2   // wrong flags, or bad input: JSON, definition, name, ARN
	ExitNotFound    = 3   // no such machine, run, task or file
	ExitConflict    = 4   // it exists already, or is in use
	ExitUnavailable = 5   // busy, not reachable, or the node's log failed: try again
	ExitCorrupt     = 6   // stored data does not check: weft log verify
	ExitInternal    = 70  // a defect of Weft
	ExitInterrupted = 130 // Ctrl-C, before there was a result
)

// exitOf is the one mapping from kinds to exit codes.
var exitOf = map[fault.Kind]int{
	fault.Internal:          ExitInternal,
	fault.InvalidArgument:   ExitUsage,
	fault.InvalidArn:        ExitUsage,
	fault.InvalidName:       ExitUsage,
	fault.InvalidDefinition: ExitUsage,
	fault.InvalidInput:      ExitUsage,
	fault.InvalidOutput:     ExitUsage,
	fault.InvalidToken:      ExitUsage,
	fault.MachineNotFound:   ExitNotFound,
	fault.MachineExists:     ExitConflict,
	fault.MachineDeleting:   ExitConflict,
	fault.MachineType:       ExitUsage,
	fault.RunNotFound:       ExitNotFound,
	fault.RunExists:         ExitConflict,
	fault.TaskNotFound:      ExitNotFound,
	fault.TaskTimedOut:      ExitConflict,
	fault.ResourceNotFound:  ExitNotFound,
	fault.TooManyTags:       ExitUsage,
	fault.LimitExceeded:     ExitUsage,
	fault.Conflict:          ExitConflict,
	fault.Busy:              ExitUnavailable,
	fault.Unavailable:       ExitUnavailable,
	fault.Corrupt:           ExitCorrupt,
	fault.Unsupported:       ExitUsage,
	fault.Unauthorized:      ExitUsage,
	fault.ActivityNotFound:  ExitNotFound,
	fault.ActivityWorkers:   ExitUnavailable,
	fault.NotRedrivable:     ExitConflict,
}

// errInterrupted ends a command that the user interrupted; what there is to say has been said.
var errInterrupted = errors.New("interrupted")

// runFailed ends a command whose run did not succeed; the report has been printed.
type runFailed struct{ status machine.Status }

func (e runFailed) Error() string { return "the run " + statusWord(e.status) }

// quiet reports whether err has been explained on stderr already.
func quiet(err error) bool {
	var rf runFailed
	return errors.Is(err, errInterrupted) || errors.As(err, &rf) || errors.Is(err, differs{}) || errors.Is(err, errReported)
}

// errReported is wrapped by errors whose text the user has seen (the problems of a definition).
var errReported = errors.New("reported")

// reported is an error of a kind that has been explained on stderr.
func reported(kind fault.Kind) error { return fault.New("", kind, "", "%w", errReported) }

// exitCode says what the process answers for err.
func exitCode(err error) int {
	var rf runFailed
	var fe *fault.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &rf), errors.Is(err, differs{}):
		return ExitRunFailed
	case errors.As(err, &fe):
		return exitOf[fe.Kind]
	case errors.Is(err, fs.ErrNotExist):
		return ExitNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrExist):
		return ExitConflict
	}
	return ExitInternal
}

// statusWord is a status in a sentence: "the run timed out".
func statusWord(s machine.Status) string {
	switch s {
	case machine.Running:
		return "is running"
	case machine.Succeeded:
		return "succeeded"
	case machine.Failed:
		return "failed"
	case machine.TimedOut:
		return "timed out"
	case machine.Aborted:
		return "was aborted"
	}
	return "has an unknown status"
}

// statusName is a status as the Step Functions API spells it; parseStatus is its inverse (0: unknown).
func statusName(s machine.Status) string {
	for name, v := range statusByName {
		if v == s {
			return name
		}
	}
	return "UNKNOWN"
}

var statusByName = map[string]machine.Status{
	"RUNNING":   machine.Running,
	"SUCCEEDED": machine.Succeeded,
	"FAILED":    machine.Failed,
	"TIMED_OUT": machine.TimedOut,
	"ABORTED":   machine.Aborted,
}
