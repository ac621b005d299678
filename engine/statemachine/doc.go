// Package statemachine holds the four partition programs of state machines: Catalog, whose instances are the
// machines a node keeps; Runs, whose instances are runs: the interpreter's frame, its history and what a client
// sees of it; Activities, the queues of tasks that workers take; and MapRuns, whose instances process the items of distributed
// Maps. Like the core it serves, it does no I/O and reads no clock.
//
// An instance of Runs is named "run/<machine>/<name>", one of Catalog "machine/<name>", one of Activities
// "activity/<name>". A run is pinned to
// a Revision: the blob with the definition that was current when it started.
//
// # Map Runs
//
// A run that comes to a distributed Map sends OpMapStart to "maprun/<machine>/<label>/<uuid>", which starts a child run
// for each item or batch, no more at a time than MaxConcurrency, and gets OpChildEnded of each. When there are no more
// items it sends OpMapEnded to the run. Items that are not state data come in pages: the Map Run invokes ReadItems, and the
// page is the answer, with the cursor of the next; so a recovery goes on where the log ends. It holds two pages at most, what is
// in flight, and the results that have come, up to what the state may pass on. Results that a ResultWriter exports stay where
// they are, with the child runs: ExportResults reads them there when all have ended.
//
// Child runs are runs: named "each/<machine>/<label>/<uuid>", of the machine "<machine>/<label>", and pinned to the
// parent's definition with the name of the Map (Revision.State).
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
	MapRunsID    partition.ProgramID = 8
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

// RunInstance returns the instance name of a run. A machine with a slash in its name is that of a distributed Map's child
// runs.
func RunInstance(machine, run string) string {
	if strings.Contains(machine, "/") {
		return "each/" + machine + "/" + run
	}
	return "run/" + machine + "/" + run
}

// SplitRun undoes RunInstance.
func SplitRun(instance string) (machine, run string, ok bool) {
	if rest, child := strings.CutPrefix(instance, "each/"); child {
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			return "", "", false
		}
		return rest[:i], rest[i+1:], true
	}
	rest, ok := strings.CutPrefix(instance, "run/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// MapRunInstance returns the instance name of a Map Run; machine is that of its child runs, with the label.
func MapRunInstance(machine, name string) string { return "maprun/" + machine + "/" + name }

// SplitMapRun undoes MapRunInstance.
func SplitMapRun(instance string) (machine, name string, ok bool) {
	rest, ok := strings.CutPrefix(instance, "maprun/")
	i := strings.LastIndexByte(rest, '/')
	if !ok || i < 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// MapRunsGroup returns the listing group of the Map Runs of a run.
func MapRunsGroup(machine, run string) string { return "mapruns/" + machine + "/" + run }

// ChildrenGroup returns the listing group of the child runs of a Map Run.
func ChildrenGroup(machine, mapRun string) string { return "each/" + machine + "/" + mapRun }
