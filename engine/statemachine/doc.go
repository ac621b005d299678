// Package statemachine holds the three partition programs of state machines: Catalog, whose instances are the
// machines a node keeps; Runs, whose instances are runs: the interpreter's frame, its history and what a client
// sees of it; and Activities, the queues of tasks that workers take. Like the core it serves, it does no I/O and reads no clock.
//
// An instance of Runs is named "run/<machine>/<name>", one of Catalog "machine/<name>", one of Activities
// "activity/<name>". A run is pinned to
// a Revision: the blob with the definition that was current when it started.
package statemachine

import (
	"strings"

	"github.com/weftworks/weft/engine/partition"
)

// The programs' numbers. They are stored: append-only.
const (
	CatalogID partition.ProgramID = 1
	RunsID    partition.ProgramID = 2

	ActivitiesID partition.ProgramID = 7
)

// MachinesGroup is the listing group of all machines; that of a machine's runs is RunsGroup.
const MachinesGroup = "machines"

// RunsGroup returns the listing group of a machine's runs.
func RunsGroup(machine string) string { return "runs/" + machine }

// MachineInstance returns the instance name of a machine.
func MachineInstance(machine string) string { return "machine/" + machine }

// ActivitiesGroup is the listing group of all activities.
const ActivitiesGroup = "activities"

// ActivityInstance returns the instance name of an activity; ActivityName undoes it.
func ActivityInstance(activity string) string { return "activity/" + activity }

// ActivityName returns the name of the activity of an instance.
func ActivityName(instance string) string { return strings.TrimPrefix(instance, "activity/") }

// RunInstance returns the instance name of a run.
func RunInstance(machine, run string) string { return "run/" + machine + "/" + run }

// SplitRun undoes RunInstance.
func SplitRun(instance string) (machine, run string, ok bool) {
	rest, ok := strings.CutPrefix(instance, "run/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}
